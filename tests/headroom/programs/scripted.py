"""A scripted proxy as an operator has one: it listens where HEADROOM_BIND says, and has never heard of SO_REUSEPORT.

GET /v1/stream is an event stream of 40 events in two seconds; anything else is answered at once. SIGTERM lets what is in
flight end, answers the first request of a connection that has just been accepted, and closes what is idle.
"""

import asyncio
import json
import os
import signal

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: {}\r\n{}\r\n"
ending = asyncio.Event()
idle, busy = set(), set()


async def serve(reader, writer):
    task = asyncio.current_task()
    busy.add(task)
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            idle.discard(task)
            await answer(head.decode("latin-1").split("\r\n"), writer)
            if ending.is_set():
                break
            idle.add(task)
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        pass
    finally:
        idle.discard(task)
        busy.discard(task)
        writer.close()


async def answer(lines, writer):
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    if lines[0].startswith("GET /v1/stream "):
        writer.write(HEAD.format("text/event-stream", "Connection: close\r\n").encode())
        for number in range(40):
            writer.write(f"data: {number}\n\n".encode())
            await writer.drain()
            await asyncio.sleep(0.05)
        raise ConnectionError("it ends with the connection")
    body = json.dumps({"process": os.getpid(), "client": fields.get("x-forwarded-for")})
    last = "Connection: close\r\n" if ending.is_set() else ""
    writer.write((HEAD.format("application/json", f"Content-Length: {len(body)}\r\n{last}") + body).encode())
    await writer.drain()


async def main():
    host, _, port = os.environ["HEADROOM_BIND"].rpartition(":")
    server = await asyncio.start_server(serve, host, int(port))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    await ending.wait()
    # What has been accepted takes a few turns of the loop to become a task, and a server that is closed drops it.
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    for _ in range(10):
        await asyncio.sleep(0)
    server.close()
    for task in list(idle):
        task.cancel()
    await asyncio.gather(*busy)


asyncio.run(main())
