"""RST_STREAM and PING: RFC 9113, sections 6.4 and 6.7."""

from h2.errors import ErrorCodes
from hyperframe.frame import PingFrame

from client import check
from frames import ACK, PING, RST_STREAM, frame, ping, rst_stream, window_update
from registry import case


@case('6.4', 'RST_STREAM on stream 0 is PROTOCOL_ERROR')
def _(client):
    client.send(rst_stream(0))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.4', 'RST_STREAM of another length than 4 octets is FRAME_SIZE_ERROR')
def _(client):
    client.hold()
    client.send(frame(RST_STREAM, 0, 1, b'\0\0\0'))
    client.expect_connection_error(ErrorCodes.FRAME_SIZE_ERROR)


@case('6.4', 'nothing more is sent on a stream that was reset')
def _(client):
    client.send(window_update(0, 1 << 20))
    client.request(fields=client.fields('GET', '/large'))
    client.send(rst_stream(1))
    client.expect_alive()
    client.request(3)
    client.expect_served(3)


@case('6.7', 'PING is acknowledged with its own data')
def _(client):
    client.send(ping(b'\0\1\2\3\xfc\xfd\xfe\xff'))
    told = client.wait_for(PingFrame)
    check('ACK' in told.flags and told.opaque_data == b'\0\1\2\3\xfc\xfd\xfe\xff', f'{told}')


@case('6.7', 'an acknowledgement of PING is not answered')
def _(client):
    client.send(ping(b'unasked!', ACK))
    client.expect_unanswered()


@case('6.7', 'PING on a stream is PROTOCOL_ERROR')
def _(client):
    client.send(ping(stream=1))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.7', 'PING of another length than 8 octets is FRAME_SIZE_ERROR')
def _(client):
    client.send(frame(PING, 0, 0, b'1234567'))
    client.expect_connection_error(ErrorCodes.FRAME_SIZE_ERROR)
