"""Frames: RFC 9113, sections 4 and 5.5."""

from h2.errors import ErrorCodes
from hyperframe.frame import PingFrame

from client import check
from frames import (
    CONTINUATION, END_HEADERS, END_STREAM, HEADERS, LARGEST, UNKNOWN, data, frame, ping, priority, settings)
from registry import case


@case('4.1', 'a frame of an unknown type is discarded')
def _(client):
    client.send(frame(UNKNOWN, 0xFF, 0, b'12345678'))
    client.expect_unanswered()


@case('4.1', 'flags that are not defined are ignored')
def _(client):
    client.send(ping(b'flagged!', 0xFE))
    check(client.wait_for(PingFrame).opaque_data == b'flagged!', 'another PING')


@case('4.1', 'the reserved bit of a stream identifier is ignored')
def _(client):
    client.send(ping(b'reserved', stream=1 << 31))
    check(client.wait_for(PingFrame).opaque_data == b'reserved', 'another PING')


@case('4.2', 'a frame of 2^14 octets is taken')
def _(client):
    client.request(fields=client.fields('POST', '/length'), flags=0)
    client.send(data(1, bytes(LARGEST)))
    client.expect_served(expected=b'%d' % LARGEST)


@case('4.2', 'a frame beyond SETTINGS_MAX_FRAME_SIZE is FRAME_SIZE_ERROR')
def _(client):
    client.request(fields=client.fields('POST', '/length'), flags=0)
    client.send(data(1, bytes(largest_of(client) + 1)))
    client.expect_stream_error(ErrorCodes.FRAME_SIZE_ERROR)


@case('4.2', 'HEADERS beyond SETTINGS_MAX_FRAME_SIZE are a connection error')
def _(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, bytes(largest_of(client) + 1)))
    client.expect_connection_error(ErrorCodes.FRAME_SIZE_ERROR)


@case('4.2', 'SETTINGS beyond SETTINGS_MAX_FRAME_SIZE are a connection error')
def _(client):
    client.send(settings(*[(0xABCD, 0)] * (largest_of(client) // 6 + 1)))
    client.expect_connection_error(ErrorCodes.FRAME_SIZE_ERROR)


@case('4.2', 'an unknown frame beyond SETTINGS_MAX_FRAME_SIZE is FRAME_SIZE_ERROR')
def _(client):
    client.send(frame(UNKNOWN, 0, 0, bytes(largest_of(client) + 1)))
    client.expect_connection_error(ErrorCodes.FRAME_SIZE_ERROR)


@case('4.3', 'a field block that cannot be decoded is COMPRESSION_ERROR')
def _(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b'\xff\xff\xff\xff\xff'))
    client.expect_connection_error(ErrorCodes.COMPRESSION_ERROR)


@case('4.3', 'the field blocks of refused requests count for the state of compression')
def _(client):
    client.request(fields=client.fields() + [('x-kept', 'by the decoder'), ('te', 'gzip')])
    client.expect_malformed()
    client.request(3, client.fields('GET', '/fields', ('x-kept', 'by the decoder')))
    status, body = client.answer(3)
    check(status == 200 and b'by the decoder' in body, f'{status} {body}')


def in_a_field_block(client, between):
    block = client.encoder.encode(client.fields())
    client.send(frame(HEADERS, END_STREAM, 1, block[:8]), between, frame(CONTINUATION, END_HEADERS, 1, block[8:]))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('4.3', 'PRIORITY within a field block is PROTOCOL_ERROR')
def _(client):
    in_a_field_block(client, priority(1))


@case('4.3', 'HEADERS of another stream within a field block are PROTOCOL_ERROR')
def _(client):
    in_a_field_block(client, frame(HEADERS, END_HEADERS | END_STREAM, 3, b'\x82'))


@case('4.3', 'CONTINUATION of another stream within a field block is PROTOCOL_ERROR')
def _(client):
    in_a_field_block(client, frame(CONTINUATION, END_HEADERS, 3, b'\x82'))


@case('5.5', 'a frame of an unknown type within a field block is PROTOCOL_ERROR')
def _(client):
    in_a_field_block(client, frame(UNKNOWN, 0, 1, b'1234'))


@case('5.5', 'frames of unknown types on streams are discarded')
def _(client):
    client.send(frame(UNKNOWN, 0, 5, b'idle'))
    client.request(fields=client.fields('POST', '/length'), flags=0)
    client.send(frame(UNKNOWN, 0, 1, b'open'), data(1, b'12'))
    client.expect_served(expected=b'2')


def largest_of(client):
    """The largest payload that the server takes."""
    return client.settings.get(5, LARGEST)
