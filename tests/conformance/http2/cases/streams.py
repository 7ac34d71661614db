"""The numbers of streams, how many there may be, their priorities and their errors: RFC 9113, sections 5.1.1 to 5.4."""

import struct

from h2.errors import ErrorCodes

from client import check
from frames import (
    END_HEADERS, END_STREAM, HEADERS, LARGEST_WINDOW, PRIORITISED, data, frame, goaway, ping, priority, rst_stream,
    window_update)
from registry import case


#: SETTINGS_MAX_CONCURRENT_STREAMS.
CONCURRENT = 3


@case('5.1.1', 'a stream with an even number is PROTOCOL_ERROR')
def _(client):
    client.request(2)
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('5.1.1', 'a new stream with a smaller number is PROTOCOL_ERROR')
def _(client):
    client.request(5)
    client.expect_served(5)
    client.request(3)
    # Skipping it has closed it, so that STREAM_CLOSED is as right.
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR, ErrorCodes.STREAM_CLOSED)


@case('5.1.1', 'a number is not used twice')
def _(client):
    client.request()
    client.expect_served()
    client.request()
    client.expect_stream_error(ErrorCodes.PROTOCOL_ERROR, ErrorCodes.STREAM_CLOSED)


@case('5.1.1', 'numbers may be left out, up to the last one')
def _(client):
    for stream in (1, 7, 2**31 - 1):
        client.request(stream)
        client.expect_served(stream)


@case('5.1.2', 'SETTINGS_MAX_CONCURRENT_STREAMS is at least 1,000')
def _(client):
    check(client.settings.get(CONCURRENT, 1000) >= 1000, f'{client.settings}')


@case('5.1.2', 'a stream beyond SETTINGS_MAX_CONCURRENT_STREAMS is refused')
def _(client):
    allowed = client.settings[CONCURRENT]
    for stream in range(1, 2 * allowed + 2, 2):
        client.hold(stream)
    client.expect_stream_error(ErrorCodes.PROTOCOL_ERROR, ErrorCodes.REFUSED_STREAM, stream=2 * allowed + 1)


@case('5.1.2', 'streams that have ended make room for others')
def _(client):
    allowed = client.settings[CONCURRENT]
    for stream in range(1, 2 * allowed + 1, 2):
        client.request(stream, client.fields('POST', '/length'), flags=0)
    client.send(data(1, b'12'))
    client.expect_served(1, b'2')
    client.request(2 * allowed + 1)
    client.expect_served(2 * allowed + 1)


@case('5.3.2', 'priorities are taken, whatever they say')
def _(client):
    client.send(priority(9, 1 << 31 | 5), priority(5, 9))
    block = struct.pack('>IB', 1 << 31 | 9, 255) + client.encoder.encode(client.fields())
    client.send(frame(HEADERS, END_HEADERS | END_STREAM | PRIORITISED, 1, block))
    client.expect_served()


@case('5.4.1', 'after a connection error nothing is served')
def _(client):
    client.hold()
    client.send(ping(stream=1))
    client.request(3)
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('5.4.1', 'GOAWAY names the last stream that was taken on')
def _(client):
    client.request(7)
    client.expect_served(7)
    client.send(rst_stream(9))
    told = client.read()
    check(getattr(told, 'last_stream_id', None) == 7, f'{told}')


@case('5.4.2', 'a stream error leaves the other streams alone')
def _(client):
    client.request(1, client.fields('POST', '/length'), flags=0)
    client.hold(3)
    client.send(window_update(3, LARGEST_WINDOW), window_update(3, LARGEST_WINDOW))
    client.expect_stream_error(ErrorCodes.FLOW_CONTROL_ERROR, stream=3)
    client.send(data(1, b'1'))
    client.expect_served(1, b'1')


@case('5.4.2', 'RST_STREAM is not answered with RST_STREAM')
def _(client):
    client.hold_open()
    client.send(rst_stream(1), rst_stream(1))
    client.expect_unanswered()


@case('6.8', 'GOAWAY on a stream is PROTOCOL_ERROR')
def _(client):
    client.send(goaway(stream=1))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.8', 'what is under way when the client says GOAWAY is finished')
def _(client):
    client.request(fields=client.fields('POST', '/length'), flags=0)
    client.send(goaway(), data(1, b'123'))
    client.expect_served(expected=b'3')


@case('7', 'an unknown error code is one like others')
def _(client):
    client.hold_open()
    client.send(rst_stream(1, 0xDEAD))
    client.request(3)
    client.expect_served(3)
