"""Frames as a client may write them, right or wrong (RFC 9113, sections 4.1 and 6).

hyperframe reads what the server sends, and holds it to the letter. What is sent is written here, because half of
the cases send what hyperframe would refuse to write.
"""

import struct


DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
#: A type that no specification has.
UNKNOWN = 0xFB

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
#: The largest payload that every endpoint takes (section 4.2).
LARGEST = 2**14
LARGEST_WINDOW = 2**31 - 1


def frame(kind, flags=0, stream=0, payload=b''):
    length = struct.pack('>I', len(payload))[1:]
    return length + struct.pack('>BBI', kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, payload=b''.join(struct.pack('>HI', name, value) for name, value in pairs))


def data(stream, payload, flags=END_STREAM):
    return frame(DATA, flags, stream, payload)


def ping(payload=b'12345678', flags=0, stream=0):
    return frame(PING, flags, stream, payload)


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack('>I', increment))


def rst_stream(stream, code=8):
    return frame(RST_STREAM, 0, stream, struct.pack('>I', code))


def goaway(last=0, code=0, stream=0):
    return frame(GOAWAY, 0, stream, struct.pack('>II', last, code))


def priority(stream, dependency=0, weight=15):
    return frame(PRIORITY, 0, stream, struct.pack('>IB', dependency, weight))


def padded(payload, padding, told=None):
    """A payload with so much padding, or with another length of it told."""
    return bytes([padding if told is None else told]) + payload + bytes(padding)
