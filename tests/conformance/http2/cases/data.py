"""DATA: RFC 9113, section 6.1."""

from h2.errors import ErrorCodes

from frames import DATA, END_STREAM, PADDED, data, frame, padded
from registry import case


def open_upload(client):
    client.request(fields=client.fields('POST', '/length'), flags=0)


@case('6.1', 'DATA on stream 0 is PROTOCOL_ERROR')
def _(client):
    client.send(data(0, b'1'))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.1', 'padding is no part of the content')
def _(client):
    open_upload(client)
    client.send(frame(DATA, PADDED, 1, padded(b'12', 255)), frame(DATA, PADDED | END_STREAM, 1, padded(b'345', 0)))
    client.expect_served(expected=b'5')


@case('6.1', 'DATA may be nothing but padding')
def _(client):
    open_upload(client)
    client.send(frame(DATA, PADDED | END_STREAM, 1, padded(b'', 16)))
    client.expect_served(expected=b'0')


@case('6.1', 'padding of the length of the payload is PROTOCOL_ERROR')
def _(client):
    open_upload(client)
    client.send(frame(DATA, PADDED | END_STREAM, 1, padded(b'12', 0, told=3)))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.1', 'padding beyond the payload is PROTOCOL_ERROR')
def _(client):
    open_upload(client)
    client.send(frame(DATA, PADDED | END_STREAM, 1, padded(b'12', 0, told=200)))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)
