"""SETTINGS: RFC 9113, section 6.5."""

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, SettingsFrame

from client import check
from frames import ACK, LARGEST, LARGEST_WINDOW, PREFACE, SETTINGS, frame, settings
from registry import case


HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = range(1, 6)


@case('6.5', 'an acknowledgement with a payload is FRAME_SIZE_ERROR')
def _(client):
    client.send(frame(SETTINGS, ACK, 0, b'\0\x03\0\0\0\x01'))
    client.expect_connection_error(ErrorCodes.FRAME_SIZE_ERROR)


@case('6.5', 'SETTINGS on a stream are PROTOCOL_ERROR')
def _(client):
    client.send(frame(SETTINGS, 0, 1))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.5', 'SETTINGS that end in the middle of one are FRAME_SIZE_ERROR')
def _(client):
    client.send(frame(SETTINGS, 0, 0, b'\0\x03\0'))
    client.expect_connection_error(ErrorCodes.FRAME_SIZE_ERROR)


@case('6.5.2', 'SETTINGS_ENABLE_PUSH other than 0 and 1 is PROTOCOL_ERROR')
def _(client):
    client.send(settings((ENABLE_PUSH, 2)))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.5.2', 'SETTINGS_INITIAL_WINDOW_SIZE beyond 2^31-1 is FLOW_CONTROL_ERROR')
def _(client):
    client.send(settings((INITIAL_WINDOW_SIZE, LARGEST_WINDOW + 1)))
    client.expect_connection_error(ErrorCodes.FLOW_CONTROL_ERROR)


@case('6.5.2', 'SETTINGS_MAX_FRAME_SIZE below 2^14 is PROTOCOL_ERROR')
def _(client):
    client.send(settings((MAX_FRAME_SIZE, LARGEST - 1)))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.5.2', 'SETTINGS_MAX_FRAME_SIZE beyond 2^24-1 is PROTOCOL_ERROR')
def _(client):
    client.send(settings((MAX_FRAME_SIZE, 2**24)))
    client.expect_connection_error(ErrorCodes.PROTOCOL_ERROR)


@case('6.5.2', 'an unknown setting is ignored')
def _(client):
    client.send(settings((0xABCD, 0xFFFFFFFF)))
    client.expect_alive()


@case('6.5.2', 'the settings of the server are in their ranges, and offer no push')
def _(client):
    own = client.settings
    check(own.get(ENABLE_PUSH, 0) == 0, f'{own}')
    check(own.get(INITIAL_WINDOW_SIZE, 0) <= LARGEST_WINDOW, f'{own}')
    check(LARGEST <= own.get(MAX_FRAME_SIZE, LARGEST) < 2**24, f'{own}')


@case('6.5.2', 'SETTINGS_HEADER_TABLE_SIZE of the client bounds what the server keeps', greeted=False)
def _(client):
    client.greet((HEADER_TABLE_SIZE, 0))
    client.decoder.max_allowed_table_size = 0
    for stream in (1, 3, 5):
        client.request(stream)
        client.expect_served(stream)
    check(client.decoder.header_table_size == 0, 'the server keeps a table')


@case('6.5.2', 'SETTINGS_MAX_FRAME_SIZE of the client bounds what the server sends')
def _(client):
    client.send(settings((INITIAL_WINDOW_SIZE, 1 << 20)))
    client.request(fields=client.fields('GET', '/large'))
    largest = max(client.wait_for(DataFrame).flow_controlled_length for _ in range(3))
    check(largest <= LARGEST, f'a frame of {largest} octets')


@case('6.5.3', 'SETTINGS is acknowledged')
def _(client):
    client.send(settings((MAX_CONCURRENT_STREAMS, 7)))
    expect_acknowledgement(client)


@case('6.5.3', 'SETTINGS without a setting is acknowledged')
def _(client):
    client.send(settings())
    expect_acknowledgement(client)


@case('6.5.3', 'every SETTINGS is acknowledged')
def _(client):
    client.send(settings((MAX_CONCURRENT_STREAMS, 7)), settings((ENABLE_PUSH, 0)))
    expect_acknowledgement(client)
    expect_acknowledgement(client)


@case('6.5.3', 'of a setting that comes twice the last one holds')
def _(client):
    client.send(settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)))
    expect_acknowledgement(client)
    client.request()
    piece = client.wait_for(DataFrame)
    check(len(piece.data) == 1, f'{len(piece.data)} octets in a window of one')


@case('6.5.3', 'the acknowledgement stands before what the settings have changed', greeted=False)
def _(client):
    client.send(PREFACE, settings((INITIAL_WINDOW_SIZE, 1)))
    client.request()
    kinds = [client.read() for _ in range(3)]
    check(any(isinstance(it, SettingsFrame) and 'ACK' in it.flags for it in kinds), f'{kinds}')
    check(not any(isinstance(it, DataFrame) and len(it.data) > 1 for it in kinds), f'{kinds}')


def expect_acknowledgement(client):
    told = client.wait_for(SettingsFrame)
    check('ACK' in told.flags, f'{told}')
