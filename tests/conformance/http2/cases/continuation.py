"""CONTINUATION: RFC 9113, section 6.10."""

from h2.errors import ErrorCodes

from client import HELD
from frames import CONTINUATION, END_HEADERS, END_STREAM, HEADERS, data, frame
from registry import case


@case('6.10', 'a field block may be in several frames')
def _(client):
    block = client.encoder.encode(client.fields())
    pieces = [frame(CONTINUATION, 0, 1, piece) for piece in (block[1:2], b'', block[2:9], block[9:])]
    client.send(frame(HEADERS, END_STREAM, 1, block[:1]), *pieces, frame(CONTINUATION, END_HEADERS, 1))
    client.expect_served()


@case('6.10', 'CONTINUATION on stream 0 is PROTOCOL_ERROR')
def _(client):
    block = client.encoder.encode(client.fields())
    client.send(frame(HEADERS, END_STREAM, 1, block), frame(CONTINUATION, END_HEADERS, 0))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.10', 'DATA in place of CONTINUATION is PROTOCOL_ERROR')
def _(client):
    client.send(frame(HEADERS, 0, 1, client.encoder.encode(client.fields('POST'))), data(1, b'1'))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.10', 'CONTINUATION after END_HEADERS is PROTOCOL_ERROR')
def _(client):
    client.hold_open()
    client.send(frame(CONTINUATION, END_HEADERS, 1, b'\x82'))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.10', 'CONTINUATION after the last one is PROTOCOL_ERROR')
def _(client):
    block = client.encoder.encode(client.fields('POST', HELD))
    client.send(frame(HEADERS, 0, 1, block[:8]), frame(CONTINUATION, END_HEADERS, 1, block[8:]))
    client.send(frame(CONTINUATION, END_HEADERS, 1, b'\x82'))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.10', 'CONTINUATION after DATA is PROTOCOL_ERROR')
def _(client):
    client.hold_open()
    client.send(data(1, b'1', 0), frame(CONTINUATION, END_HEADERS, 1, b'\x82'))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)
