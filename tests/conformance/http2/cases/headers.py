"""HEADERS, PRIORITY and PUSH_PROMISE: RFC 9113, sections 6.2, 6.3 and 6.6."""

import struct

from h2.errors import ErrorCodes

from frames import (
    END_HEADERS, END_STREAM, HEADERS, PADDED, PRIORITISED, PRIORITY, PUSH_PROMISE, frame, padded, priority)
from registry import case


ALONE = END_HEADERS | END_STREAM


@case('6.2', 'HEADERS on stream 0 are PROTOCOL_ERROR')
def _(client):
    client.request(0)
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.2', 'HEADERS may be padded')
def _(client):
    block = client.encoder.encode(client.fields())
    client.send(frame(HEADERS, ALONE | PADDED, 1, padded(block, 100)))
    client.expect_served()


@case('6.2', 'HEADERS may be padded and have a priority')
def _(client):
    block = struct.pack('>IB', 0, 7) + client.encoder.encode(client.fields())
    client.send(frame(HEADERS, ALONE | PADDED | PRIORITISED, 1, padded(block, 100)))
    client.expect_served()


@case('6.2', 'padding beyond the field block is PROTOCOL_ERROR')
def _(client):
    block = client.encoder.encode(client.fields())
    client.send(frame(HEADERS, ALONE | PADDED, 1, padded(block, 0, told=len(block) + 1)))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.2', 'HEADERS without room for their priority are an error')
def _(client):
    client.send(frame(HEADERS, ALONE | PRIORITISED, 1, b'\0\0'))
    client.expect_connection_error(ErrorCodes.FRAME_SIZE_ERROR, ErrorCodes.PROTOCOL_ERROR)


@case('6.3', 'PRIORITY on stream 0 is PROTOCOL_ERROR')
def _(client):
    client.send(priority(0))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.3', 'PRIORITY of another length than 5 octets is FRAME_SIZE_ERROR')
def _(client):
    client.hold()
    client.send(frame(PRIORITY, 0, 1, b'\0\0\0\0'))
    client.expect_stream_error(ErrorCodes.FRAME_SIZE_ERROR)


@case('6.6', 'PUSH_PROMISE of a client is PROTOCOL_ERROR')
def _(client):
    client.hold()
    block = client.encoder.encode(client.fields())
    client.send(frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack('>I', 2) + block))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)
