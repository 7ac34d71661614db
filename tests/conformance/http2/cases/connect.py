"""CONNECT: RFC 9113, section 8.5, and what extends it, RFC 8441."""

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, HeadersFrame

from client import check, status
from frames import END_STREAM, data, window_update
from registry import OUTSIDE, case


ENABLE_CONNECT_PROTOCOL = 8


def connect_fields(client, *between):
    return [(':method', 'CONNECT'), *between, (':authority', client.way.authority)] + client.way.credentials


def open_tunnel(client):
    """A tunnel to the origin; whatever is said in it first decides what is made of it."""
    client.request(fields=connect_fields(client), flags=0)
    head = client.wait_for(HeadersFrame)
    check(status(head) == 200 and 'END_STREAM' not in head.flags, f'{head.fields}')
    return head


@case('8.5', 'CONNECT opens a tunnel', ways=OUTSIDE)
def _(client):
    names = [name for name, _ in open_tunnel(client).fields]
    check('content-length' not in names and 'transfer-encoding' not in names, f'{names}')
    request = f'GET {client.path()} HTTP/1.1\r\nHost: {client.way.authority}\r\n\r\n'.encode()
    client.send(data(1, request[:9], 0), data(1, request[9:], 0))
    received = b''
    while not received.endswith(b'\r\n\r\nok'):
        received += client.wait_for(DataFrame).data
    check(received.startswith(b'HTTP/1.1 200 OK'), f'{received}')


@case('8.5', 'the end of either side of a tunnel is END_STREAM', ways=OUTSIDE)
def _(client):
    open_tunnel(client)
    client.send(data(1, b'\x00', END_STREAM))
    while 'END_STREAM' not in client.wait_for(DataFrame).flags:
        pass
    client.expect_alive()


@case('8.5', 'WINDOW_UPDATE is taken on the stream of a tunnel', ways=OUTSIDE)
def _(client):
    open_tunnel(client)
    client.send(window_update(1, 1))
    client.expect_alive()


@case('8.5', 'HEADERS on the stream of a tunnel are a stream error', ways=OUTSIDE)
def _(client):
    open_tunnel(client)
    client.request(fields=[('x-field', '1')], flags=0)
    client.expect_stream_error(ErrorCodes.PROTOCOL_ERROR)


@case('8.5', 'trailers on the stream of a tunnel are a stream error', ways=OUTSIDE)
def _(client):
    open_tunnel(client)
    client.request(fields=[('x-field', '1')], flags=END_STREAM)
    client.expect_stream_error(ErrorCodes.PROTOCOL_ERROR)


def malformed(section, what, *between):
    @case(section, f'{what} is malformed')
    def _(client):
        client.request(fields=connect_fields(client, *between), flags=0)
        client.expect_malformed()


malformed('8.5', 'CONNECT with :scheme', (':scheme', 'https'))
malformed('8.5', 'CONNECT with :path', (':path', '/'))
malformed('8.5', 'CONNECT with :scheme and :path', (':scheme', 'https'), (':path', '/'))


@case('8.5', 'CONNECT without :authority is malformed')
def _(client):
    client.request(fields=[(':method', 'CONNECT')] + client.way.credentials, flags=0)
    client.expect_malformed()


@case('RFC 8441, 3', 'SETTINGS_ENABLE_CONNECT_PROTOCOL is 1')
def _(client):
    check(client.settings.get(ENABLE_CONNECT_PROTOCOL) == 1, f'{client.settings}')


@case('RFC 8441, 4', ':protocol without CONNECT is malformed')
def _(client):
    client.request(fields=[(':protocol', 'websocket')] + client.fields())
    client.expect_malformed()


WEBSOCKET = (':protocol', 'websocket')
malformed('RFC 8441, 4', ':protocol without :scheme and :path', WEBSOCKET)
malformed('RFC 8441, 4', ':protocol without :path', WEBSOCKET, (':scheme', 'https'))
malformed('RFC 8441, 4', ':protocol without :scheme', WEBSOCKET, (':path', '/'))
