"""What may be sent in which state of a stream: RFC 9113, section 5.1."""

from h2.errors import ErrorCodes

from frames import CONTINUATION, END_HEADERS, data, frame, priority, rst_stream, window_update
from registry import case


def leave(client):
    """Leaves stream 1 closed by END_STREAM from both sides."""
    client.request()
    client.expect_served()


def reset(client):
    """Leaves stream 1 closed by a reset of the client's."""
    client.hold_open()
    client.send(rst_stream(1))


@case('5.1', 'idle: DATA is PROTOCOL_ERROR')
def _(client):
    client.send(data(1, b'1'))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('5.1', 'idle: RST_STREAM is PROTOCOL_ERROR')
def _(client):
    client.send(rst_stream(1))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('5.1', 'idle: WINDOW_UPDATE is PROTOCOL_ERROR')
def _(client):
    client.send(window_update(1, 1))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('5.1', 'idle: CONTINUATION is PROTOCOL_ERROR')
def _(client):
    client.send(frame(CONTINUATION, END_HEADERS, 1, b'\x82'))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('5.1', 'idle: PRIORITY is taken, and opens nothing')
def _(client):
    client.send(priority(7))
    client.request()
    client.expect_served()


@case('5.1', 'half-closed (remote): DATA is STREAM_CLOSED')
def _(client):
    client.hold()
    client.send(data(1, b'1'))
    client.expect_stream_error(ErrorCodes.STREAM_CLOSED)


@case('5.1', 'half-closed (remote): HEADERS are STREAM_CLOSED')
def _(client):
    client.hold()
    client.request()
    client.expect_stream_error(ErrorCodes.STREAM_CLOSED)


@case('5.1', 'half-closed (remote): CONTINUATION is an error')
def _(client):
    client.hold()
    client.send(frame(CONTINUATION, END_HEADERS, 1, b'\x82'))
    client.expect_stream_error(ErrorCodes.PROTOCOL_ERROR, ErrorCodes.STREAM_CLOSED)


@case('5.1', 'half-closed (remote): WINDOW_UPDATE, PRIORITY and RST_STREAM are taken')
def _(client):
    client.hold()
    client.send(window_update(1, 100), priority(1), rst_stream(1))
    client.expect_unanswered()


@case('5.1', 'closed: DATA changes nothing, or is STREAM_CLOSED')
def _(client):
    leave(client)
    client.send(data(1, b'1'))
    client.expect_stream_error(ErrorCodes.STREAM_CLOSED, or_nothing=True)


@case('5.1', 'closed: HEADERS are an error')
def _(client):
    leave(client)
    client.request()
    client.expect_stream_error(ErrorCodes.STREAM_CLOSED, ErrorCodes.PROTOCOL_ERROR)


@case('5.1', 'closed: CONTINUATION is an error')
def _(client):
    leave(client)
    client.send(frame(CONTINUATION, END_HEADERS, 1, b'\x82'))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR, ErrorCodes.STREAM_CLOSED)


@case('5.1', 'closed: WINDOW_UPDATE, PRIORITY and RST_STREAM are taken after END_STREAM')
def _(client):
    leave(client)
    client.send(window_update(1, 100), priority(1), rst_stream(1))
    client.expect_unanswered()


@case('5.1', 'closed by a reset of the client: DATA changes nothing, or is STREAM_CLOSED')
def _(client):
    reset(client)
    client.send(data(1, b'1'))
    client.expect_stream_error(ErrorCodes.STREAM_CLOSED, or_nothing=True)


@case('5.1', 'closed by a reset of the client: HEADERS change nothing, or are an error')
def _(client):
    reset(client)
    client.request()
    client.expect_stream_error(ErrorCodes.STREAM_CLOSED, ErrorCodes.PROTOCOL_ERROR, or_nothing=True)


@case('5.1', 'closed by a reset of the server: DATA that is on its way is discarded')
def _(client):
    client.hold_open()
    client.send(window_update(1, 0))
    client.send(data(1, b'1', 0), data(1, b'2'))
    client.expect_stream_error(ErrorCodes.PROTOCOL_ERROR)
