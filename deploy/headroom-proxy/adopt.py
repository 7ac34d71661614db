"""Runs a Python program that listens on the socket of another process instead of one of its own.

    adopt.py PID ADDRESS:PORT (-m MODULE | FILE) [ARGUMENT...]

The program is one that knows nothing of this: it binds ADDRESS:PORT, which would fail, because the other process listens
there. At that moment its socket becomes the other's, so that both accept from one queue, and nobody is refused when the
other ends. It works for whatever opens its sockets with Python's own `socket`, asyncio among them; uvloop, and other
libraries that call the system themselves, have to be given a descriptor.

Linux 5.6, Python 3.9, and the right to trace the other process (pidfd_getfd(2)).
"""

import ctypes
import errno
import os
import runpy
import socket
import sys

PIDFD_GETFD = 438
libc = ctypes.CDLL(None, use_errno=True)


def listening_socket(process, address):
    """The socket with which a process listens at an address."""
    handle = os.pidfd_open(process)
    folder = f"/proc/{process}/fd"
    for number in sorted(map(int, os.listdir(folder))):
        try:
            link = os.readlink(f"{folder}/{number}")
        except FileNotFoundError:  # A connection that has been closed meanwhile.
            continue
        if not link.startswith("socket:"):
            continue
        taken = libc.syscall(PIDFD_GETFD, handle, number, 0)
        if taken < 0 and ctypes.get_errno() == errno.EBADF:
            continue
        if taken < 0:
            raise OSError(ctypes.get_errno(), f"a socket of process {process} cannot be taken")
        found = socket.socket(fileno=taken)
        if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and found.getsockname()[:2] == address:
            return found
        found.close()
    raise SystemExit(f"process {process} does not listen on {address[0]}:{address[1]}")


def adopt(process, address):
    """From now on whoever binds this address listens on the other process's socket."""
    theirs = listening_socket(process, address)
    adopted = set()
    bind, listen = socket.socket.bind, socket.socket.listen

    def bind_or_adopt(self, wanted):
        if self.family != theirs.family or tuple(wanted[:2]) != address:
            return bind(self, wanted)
        os.dup2(theirs.fileno(), self.fileno(), inheritable=False)
        adopted.add(self.fileno())

    def listen_or_say(self, *backlog):
        if self.fileno() not in adopted:
            return listen(self, *backlog)
        # It listens already, and its queue stays as long as the other has made it.
        print(f"listening on the socket of process {process}", file=sys.stderr, flush=True)

    socket.socket.bind, socket.socket.listen = bind_or_adopt, listen_or_say


def run(program, *arguments):
    if program == "-m":
        sys.argv = list(arguments)
        sys.path[0] = os.getcwd()
        return runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    sys.argv = [program, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(program))
    return runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    host, _, port = sys.argv[2].rpartition(":")
    adopt(int(sys.argv[1]), (host.strip("[]"), int(port)))
    run(*sys.argv[3:])
