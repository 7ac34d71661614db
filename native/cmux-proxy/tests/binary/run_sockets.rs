//! What a program in a workspace sees of its own sockets: the `localhost` that it has asked for.

use crate::workspace::{inside, output};

/// What every script below begins with.
const PRELUDE: &str = r"
import asyncio, errno, socket
V4, V6, TCP, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
def bound(family, type, host, port=0):
    s = socket.socket(family, type)
    s.settimeout(10)
    s.bind((host, port))
    return s
";

async fn holds(workspace: u8, script: &str) {
    let script = format!("{PRELUDE}{script}\nprint('held')");
    assert_eq!(output(&mut inside(workspace, &["python3", "-c", &script])).await, "held");
}

async fn node_says(workspace: u8, script: &str, expected: &str) {
    assert_eq!(output(&mut inside(workspace, &["node", "-e", script])).await, expected);
}

#[tokio::test]
async fn a_connection_is_between_localhost_and_localhost() {
    let script = r"
for family, hosts in ((V4, ('127.0.0.1', '0.0.0.0')), (V6, ('::1', '::'))):
    for host in hosts:
        server = bound(family, TCP, host)
        server.listen()
        name = server.getsockname()
        assert name[0] == hosts[0] and name[1] > 0, name
        client = bound(family, TCP, hosts[0])
        client.connect((host, name[1]))
        assert client.getpeername()[:2] == name[:2], client.getpeername()
        accepted, peer = server.accept()
        assert peer == client.getsockname() == accepted.getpeername(), peer
        assert peer[0] == hosts[0] and accepted.getsockname() == name
        client.send(b'ping')
        assert accepted.recv(4) == b'ping'
";
    holds(70, script).await;
}

#[tokio::test]
async fn both_families_have_the_same_port_in_one_program() {
    let script = r"
async def main():
    async def answer(reader, writer):
        writer.write(b'pong')
        writer.close()
    hosts = ['127.0.0.1', '::1']
    first = await asyncio.start_server(answer, '127.0.0.1', 0)
    port = first.sockets[0].getsockname()[1]
    first.close()
    await first.wait_closed()
    for order in (hosts, hosts[::-1], ['0.0.0.0', '::']):
        server = await asyncio.start_server(answer, order, port)
        assert [s.getsockname()[1] for s in server.sockets] == [port, port]
        for host in hosts:
            reader, writer = await asyncio.open_connection(host, port)
            assert await reader.read() == b'pong', host
            writer.close()
        for family, host in ((V4, '127.0.0.1'), (V6, '::1')):
            try:
                bound(family, TCP, host, port)
                raise AssertionError('a third socket has the port')
            except OSError as error:
                assert error.errno == errno.EADDRINUSE, error
        server.close()
        await server.wait_closed()
asyncio.run(main())
for hosts in (('127.0.0.1', '::1'), ('::1', '127.0.0.1')):
    families = [V6 if ':' in host else V4 for host in hosts]
    one = bound(families[0], UDP, hosts[0])
    bound(families[1], UDP, hosts[1], one.getsockname()[1])
";
    holds(71, script).await;
}

#[tokio::test]
async fn a_port_that_another_program_has_is_in_use() {
    let script = r"
import subprocess, sys
server = bound(V4, TCP, '127.0.0.1')
server.listen()
port = server.getsockname()[1]
for family, host in ((V4, '0.0.0.0'), (V6, '::1'), (V6, '::')):
    code = f'import socket; socket.socket({int(family)}).bind((\'{host}\', {port}))'
    other = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert f'[Errno {errno.EADDRINUSE}]' in other.stderr, other
";
    holds(72, script).await;
}

#[tokio::test]
async fn datagrams_come_from_where_they_were_sent_to() {
    let script = r"
for family, host, wildcard in ((V4, '127.0.0.1', '0.0.0.0'), (V6, '::1', '::')):
    server = bound(family, UDP, host)
    name = server.getsockname()
    assert name[0] == host, name
    client = bound(family, UDP, host)
    client.sendto(b'one', name)
    client.sendmsg([b'two'], [], 0, name)
    client.connect(name)
    assert client.getpeername() == name
    client.send(b'three')
    assert server.recvfrom(9) == (b'one', client.getsockname())
    data, _, _, peer = server.recvmsg(9)
    assert (data, peer) == (b'two', client.getsockname()), peer
    assert server.recv(9) == b'three'
    server.sendto(b'back', peer)
    assert client.recvfrom(9) == (b'back', name)
    unbound = socket.socket(family, UDP)
    unbound.settimeout(10)
    unbound.sendto(b'four', name)
    data, peer = server.recvfrom(9)
    server.sendto(b'back', peer)
    assert unbound.recvfrom(9) == (b'back', name)
";
    holds(73, script).await;
}

#[tokio::test]
async fn a_client_s_udp_socket_may_speak_to_any_network() {
    let script = r"
client = bound(V4, UDP, '0.0.0.0')
assert client.getsockname()[0] == '0.0.0.0', client.getsockname()
server = bound(V4, UDP, '0.0.0.0', client.getsockname()[1] + 1 & 65535 or 1)
assert server.getsockname()[0] == '127.0.0.1', server.getsockname()
";
    holds(74, script).await;
}

#[tokio::test]
async fn node_s_datagrams_of_either_family() {
    let script = r"
const dgram = require('node:dgram')
const hosts = { udp4: '127.0.0.1', udp6: '::1' }
for (const [type, host] of Object.entries(hosts)) {
  const server = dgram.createSocket(type)
  server.on('message', (text, peer) => server.send(text, peer.port, peer.address))
  server.bind(0, host, () => {
    const client = dgram.createSocket(type)
    client.on('message', (text, peer) => {
      const same = peer.port === server.address().port
      console.log(`${text}`, server.address().address, peer.address, same)
      server.close()
      client.close()
    })
    client.send(`${type}`, server.address().port, host)
  })
}
";
    let both = "udp4 127.0.0.1 127.0.0.1 true\nudp6 ::1 ::1 true";
    let ordered = script.replace("Object.entries(hosts)", "[Object.entries(hosts)[0]]");
    node_says(75, &ordered, both.lines().next().unwrap()).await;
    let ordered = script.replace("Object.entries(hosts)", "[Object.entries(hosts)[1]]");
    node_says(75, &ordered, both.lines().last().unwrap()).await;
}

#[tokio::test]
async fn several_datagrams_at_once() {
    let script = r"
import ctypes
class Iovec(ctypes.Structure):
    _fields_ = [('base', ctypes.c_char_p), ('length', ctypes.c_size_t)]
class Message(ctypes.Structure):
    _fields_ = [('name', ctypes.c_void_p), ('namelen', ctypes.c_uint32),
                ('iov', ctypes.POINTER(Iovec)), ('iovlen', ctypes.c_size_t),
                ('control', ctypes.c_void_p), ('controllen', ctypes.c_size_t),
                ('flags', ctypes.c_size_t), ('count', ctypes.c_size_t)]
libc = ctypes.CDLL(None, use_errno=True)
def messages(address, texts):
    made = (Message * len(texts))()
    for message, text in zip(made, texts):
        message.name, message.namelen = ctypes.addressof(address), len(address)
        message.iov, message.iovlen = ctypes.pointer(Iovec(text, len(text))), 1
    return made
server = bound(V4, UDP, '127.0.0.1')
port = server.getsockname()[1]
address = ctypes.create_string_buffer(
    int(V4).to_bytes(2, 'little') + port.to_bytes(2, 'big') + bytes([127, 0, 0, 1]) + bytes(8), 16)
texts = [b'%02d' % n for n in range(40)]
client = bound(V4, UDP, '127.0.0.1')
made = messages(address, texts)
sent = libc.sendmmsg(client.fileno(), made, 40, 0)
assert sent == 32 and all(message.count == 2 for message in made[:32]), sent
rooms = [ctypes.create_string_buffer(16) for _ in range(40)]
got = messages(address, [bytes([n, n]) for n in range(40)])
for message, room in zip(got, rooms):
    message.name = ctypes.addressof(room)
received = libc.recvmmsg(server.fileno(), got, 40, socket.MSG_DONTWAIT, None)
assert received == 32, received
assert all(room.raw[4:8] == bytes([127, 0, 0, 1]) for room in rooms[:32]), rooms[0].raw
assert libc.recvmmsg(server.fileno(), got, 40, socket.MSG_DONTWAIT, None) == -1
assert ctypes.get_errno() == errno.EAGAIN
";
    holds(76, script).await;
}

#[tokio::test]
async fn what_is_not_localhost_is_left_alone() {
    let script = r"
for host in ('127.0.0.2', '127.18.0.78', '127.18.0.77'):
    s = bound(V4, TCP, host)
    s.listen()
    kept = host if host != '127.18.0.77' else '127.0.0.1'
    assert s.getsockname()[0] == kept, s.getsockname()
    c = socket.create_connection((host, s.getsockname()[1]))
    assert c.getpeername()[0] == kept
one, other = socket.socketpair()
assert one.getsockname() == ''
raw = socket.socket(V6, TCP)
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
raw.bind(('::1', 0))
raw.listen()
socket.create_connection(('127.0.0.1', raw.getsockname()[1]))
";
    holds(77, script).await;
}

/// The kernel takes it for 0.0.0.0 where it is bound.
#[tokio::test]
async fn a_wildcard_of_no_family_is_one() {
    let script = r"
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def bind(family, host):
    s = socket.socket(V4, TCP)
    name = int(family).to_bytes(2, 'little') + bytes(2) + bytes(host) + bytes(8)
    return s, libc.bind(s.fileno(), name, len(name)), ctypes.get_errno()
server, bound, _ = bind(socket.AF_UNSPEC, [0, 0, 0, 0])
assert bound == 0 and server.getsockname()[0] == '127.0.0.1', server.getsockname()
_, bound, error = bind(socket.AF_UNSPEC, [127, 0, 0, 1])
assert bound == -1 and error == errno.EAFNOSUPPORT, error
client = socket.create_connection(('127.0.0.1', (server.listen(), server.getsockname()[1])[1]))
assert libc.connect(client.fileno(), bytes(16), 16) == 0
try:
    client.getpeername()
    raise AssertionError('it is still connected')
except OSError as error:
    assert error.errno == errno.ENOTCONN, error
";
    holds(80, script).await;
}

#[tokio::test]
async fn the_library_can_be_told_to_do_nothing() {
    let script = format!("{PRELUDE}print(bound(V4, TCP, '').getsockname()[0])");
    let mut command = inside(78, &["python3", "-c", &script]);
    assert_eq!(output(&mut command).await, "127.0.0.1");
    assert_eq!(output(command.env("CMUX_PRELOAD_DISABLE", "1")).await, "0.0.0.0");
}
