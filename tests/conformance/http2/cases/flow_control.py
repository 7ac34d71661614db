"""Flow control: RFC 9113, sections 5.2 and 6.9."""

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame

from client import check
from frames import LARGEST, LARGEST_WINDOW, WINDOW_UPDATE, data, frame, settings, window_update
from registry import case


INITIAL_WINDOW_SIZE = 4
#: A window nobody has said anything about (section 6.9.2).
DEFAULT = 65_535


def expect_data(client, count, stream=1):
    """So many octets, and then no more."""
    received = 0
    while received < count:
        received += len(client.wait_for(DataFrame, stream=stream).data)
    check(received == count, f'{received} octets instead of {count}')
    more = [piece for piece in client.expect_alive() if isinstance(piece, DataFrame) and piece.data]
    check(not more, f'{more} beyond the window')


@case('6.9', 'WINDOW_UPDATE by 0 on the connection is PROTOCOL_ERROR')
def _(client):
    client.send(window_update(0, 0))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.9', 'WINDOW_UPDATE by 0 on a stream is PROTOCOL_ERROR')
def _(client):
    client.hold()
    client.send(window_update(1, 0))
    client.expect_stream_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.9', 'WINDOW_UPDATE of another length than 4 octets is FRAME_SIZE_ERROR')
def _(client):
    client.send(frame(WINDOW_UPDATE, 0, 0, b'\0\0\1'))
    client.expect_connection_error(ErrorCodes.FRAME_SIZE_ERROR)


@case('6.9.1', 'the server keeps to the window of a stream', greeted=False)
def _(client):
    client.greet((INITIAL_WINDOW_SIZE, 1))
    client.request(fields=client.fields('GET', '/large'))
    expect_data(client, 1)
    client.send(window_update(1, 3))
    expect_data(client, 3)


@case('6.9.1', 'the server keeps to the window of the connection', greeted=False)
def _(client):
    client.greet((INITIAL_WINDOW_SIZE, 1 << 20))
    client.request(fields=client.fields('GET', '/large'))
    expect_data(client, DEFAULT)
    client.send(window_update(0, 5))
    expect_data(client, 5)


@case('6.9.1', 'frames without flow control are sent whatever the windows say', greeted=False)
def _(client):
    client.greet((INITIAL_WINDOW_SIZE, 0))
    client.request(fields=client.fields('HEAD'))
    check(client.answer() == (200, b''), 'no answer')


@case('6.9.1', 'a window of a stream beyond 2^31-1 is FLOW_CONTROL_ERROR')
def _(client):
    client.hold()
    client.send(window_update(1, LARGEST_WINDOW), window_update(1, LARGEST_WINDOW))
    client.expect_stream_error(ErrorCodes.FLOW_CONTROL_ERROR)


@case('6.9.1', 'a window of the connection beyond 2^31-1 is FLOW_CONTROL_ERROR')
def _(client):
    client.send(window_update(0, LARGEST_WINDOW), window_update(0, LARGEST_WINDOW))
    client.expect_connection_error(ErrorCodes.FLOW_CONTROL_ERROR)


@case('6.9.1', 'DATA beyond the window of the server is FLOW_CONTROL_ERROR')
def _(client):
    client.hold_open()
    # The window, and what the sockets on the way to the origin may take, at most.
    for _ in range((client.settings.get(INITIAL_WINDOW_SIZE, DEFAULT) + (24 << 20)) // LARGEST):
        client.send(data(1, bytes(LARGEST), 0))
    client.expect_stream_error(ErrorCodes.FLOW_CONTROL_ERROR)


@case('6.9.2', 'a new SETTINGS_INITIAL_WINDOW_SIZE changes the windows there are', greeted=False)
def _(client):
    client.greet((INITIAL_WINDOW_SIZE, 0))
    client.request(fields=client.fields('GET', '/large'))
    client.send(settings((INITIAL_WINDOW_SIZE, 7)))
    expect_data(client, 7)


@case('6.9.2', 'a window may be negative', greeted=False)
def _(client):
    client.greet((INITIAL_WINDOW_SIZE, 10))
    client.request(fields=client.fields('GET', '/large'))
    expect_data(client, 10)
    client.send(settings((INITIAL_WINDOW_SIZE, 0)), window_update(1, 10))
    expect_data(client, 0)
    client.send(window_update(1, 2))
    expect_data(client, 2)


@case('6.9.2', 'a new SETTINGS_INITIAL_WINDOW_SIZE leaves the window of the connection alone', greeted=False)
def _(client):
    client.greet((INITIAL_WINDOW_SIZE, 1 << 20))
    client.request(fields=client.fields('GET', '/large'))
    expect_data(client, DEFAULT)
    client.send(settings((INITIAL_WINDOW_SIZE, 1 << 21)))
    expect_data(client, 0)


@case('6.9.2', 'a SETTINGS_INITIAL_WINDOW_SIZE that makes a window too large is FLOW_CONTROL_ERROR')
def _(client):
    client.hold()
    client.send(window_update(1, LARGEST_WINDOW - DEFAULT), settings((INITIAL_WINDOW_SIZE, DEFAULT + 1)))
    client.expect_connection_error(ErrorCodes.FLOW_CONTROL_ERROR)
