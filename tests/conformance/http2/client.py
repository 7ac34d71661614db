"""One HTTP/2 connection of a client that may break any rule, and what it makes of the server's reactions.

Every frame that is read is parsed by hyperframe, and every field block decoded, so that no case passes with a server
whose own frames are wrong. Every wait has a deadline.
"""

import hpack
from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame,
    WindowUpdateFrame)

from frames import (
    ACK, END_HEADERS, END_STREAM, HEADERS, LARGEST, PREFACE, SETTINGS, frame, ping, settings)


#: A path whose answer does not come.
HELD = '/held'


class Failure(Exception):
    """The server did what the section does not allow."""


class Ended(Failure):
    """The connection ended, or was reset, before what was waited for."""


class Client:
    """Requests are for a path of the case's own, so that what the origin has seen can be told apart."""

    def __init__(self, way, number):
        self.way = way
        self.number = number
        self.socket = way.connect()
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.settings = {}
        self.block = b''

    def greet(self, *own):
        """Exchanges prefaces and acknowledgements; `own` are settings of the client's."""
        self.send(PREFACE, settings(*own))
        self.settings = self.wait_for(SettingsFrame).settings
        self.send(frame(SETTINGS, ACK))
        acknowledged = self.wait_for(SettingsFrame)
        check('ACK' in acknowledged.flags, f'{acknowledged} instead of an acknowledgement')

    def fields(self, method='GET', path='/', *further):
        """A request's fields, as the server takes them."""
        pseudo = [(':method', method), (':scheme', self.way.scheme), (':authority', self.way.authority)]
        return pseudo + [(':path', self.path(path))] + self.way.credentials + list(further)

    def path(self, path='/'):
        return f'/{self.number}{path}'

    def send(self, *pieces):
        """A server that has closed the connection is told by what is read."""
        try:
            self.socket.sendall(b''.join(pieces))
        except TimeoutError as error:
            raise Failure('the server reads no more') from error
        except OSError:
            pass

    def request(self, stream=1, fields=None, flags=END_STREAM):
        """Sends HEADERS, a GET's unless told otherwise."""
        block = self.encoder.encode(self.fields() if fields is None else fields)
        self.send(frame(HEADERS, flags | END_HEADERS, stream, block))

    def hold(self, stream=1):
        """Leaves a stream half-closed (remote): its answer does not come."""
        self.request(stream, self.fields('GET', HELD))

    def hold_open(self):
        """Leaves stream 1 open, for content that is yet to be sent."""
        self.request(fields=self.fields('POST', HELD), flags=0)

    def take(self, count):
        read = b''
        while len(read) < count:
            try:
                piece = self.socket.recv(count - len(read))
            except TimeoutError as error:
                raise Failure('the server does nothing') from error
            except OSError:
                piece = b''
            if not piece:
                raise Ended('the connection ended')
            read += piece
        return read

    def read(self):
        """The next frame. One that ends a field block has its `fields`."""
        head = memoryview(self.take(9))
        parsed, length = Frame.parse_frame_header(head, strict=True)
        check(length <= LARGEST, f'the server sent a frame of {length} octets')
        parsed.parse_body(memoryview(self.take(length)))
        if isinstance(parsed, (HeadersFrame, ContinuationFrame)):
            self.block += parsed.data
            if 'END_HEADERS' in parsed.flags:
                parsed.fields = self.decoder.decode(self.block)
                self.block = b''
        return parsed

    def wait_for(self, *kinds, stream=None):
        """The next frame of these kinds; what comes before is passed over."""
        while True:
            found = self.read()
            if isinstance(found, kinds) and stream in (None, found.stream_id):
                return found

    def answer(self, stream=1):
        """The status and the body of an answer that ends as it should."""
        head = self.wait_for(HeadersFrame, GoAwayFrame, RstStreamFrame)
        check(isinstance(head, HeadersFrame) and head.stream_id == stream, f'{head} instead of an answer')
        ended, body = 'END_STREAM' in head.flags, b''
        while not ended:
            piece = self.wait_for(DataFrame, HeadersFrame, RstStreamFrame, stream=stream)
            check(not isinstance(piece, RstStreamFrame), f'{piece} in an answer')
            body += piece.data if isinstance(piece, DataFrame) else b''
            ended = 'END_STREAM' in piece.flags
        return status(head), body

    def expect_served(self, stream=1, expected=b'ok'):
        found = self.answer(stream)
        check(found == (200, expected), f'{found}')

    def expect_alive(self):
        """The connection still does its work; returns what came before the proof, but for windows that open."""
        self.send(ping(b'is alive'))
        passed = []
        while True:
            found = self.read()
            if isinstance(found, PingFrame) and found.opaque_data == b'is alive' and 'ACK' in found.flags:
                return passed
            check(not isinstance(found, GoAwayFrame), f'{found} on a connection that is to go on')
            if not isinstance(found, WindowUpdateFrame):
                passed.append(found)

    def expect_unanswered(self):
        passed = self.expect_alive()
        check(not passed, f'answered with {passed}')

    def expect_connection_error(self, *codes):
        """Section 5.4.1: GOAWAY, and then the connection is closed."""
        expect_code(self.wait_for(GoAwayFrame), codes)
        self.expect_close()

    def expect_stream_error(self, *codes, stream=1, or_nothing=False):
        """Section 5.4.2: RST_STREAM, and the connection goes on. It may be treated as a connection error."""
        told = self.reaction()
        if or_nothing and isinstance(told, PingFrame):
            return
        expect_code(told, codes)
        if isinstance(told, GoAwayFrame):
            self.expect_close()
        else:
            check(told.stream_id == stream, f'{told} is for another stream')
            self.expect_alive()

    def reaction(self):
        """What the server does about a stream. PING may overtake it, but not twice."""
        for payload in (b'one more', b'too late'):
            self.send(ping(payload))
            told = self.wait_for(RstStreamFrame, GoAwayFrame, HeadersFrame, PingFrame)
            if not isinstance(told, PingFrame):
                break
        return told

    def expect_malformed(self, stream=1):
        """Section 8.1.1: a stream error, before which a server may answer; the origin is not to know of it."""
        told = self.wait_for(HeadersFrame, RstStreamFrame, GoAwayFrame)
        if isinstance(told, HeadersFrame):
            check(400 <= status(told) < 500, f'a malformed request was answered {status(told)}')
        else:
            expect_code(told, [ErrorCodes.PROTOCOL_ERROR])
        seen = [path for path in self.way.seen() if path.startswith(self.path())]
        check(not seen, f'the origin was asked for {seen}')

    def expect_close(self):
        """Only what was under way may still come."""
        try:
            while True:
                self.read()
        except Ended:
            pass

    def close(self):
        self.socket.close()


def status(head):
    return int(dict(head.fields)[':status'])


def expect_code(told, codes):
    """Codes rather than frames are named, so that a failure reads alike wherever it is seen."""
    said = ErrorCodes(told.error_code).name if hasattr(told, 'error_code') else 'no error'
    check(said in [code.name for code in codes], f'{said} instead of {" or ".join(code.name for code in codes)}')


def check(holds, why):
    if not holds:
        raise Failure(why)
