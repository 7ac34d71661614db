"""Whole exchanges with a client that keeps to RFC 9113, and lets nothing pass that does not: the library h2."""

import h2.config
import h2.connection
import h2.events

from client import Ended, check
from registry import case


#: Of what the origin calls large: several windows that nobody has said anything about.
SIZE = 300_000


class Strict:
    """Raises what h2 raises when the server breaks a rule."""

    def __init__(self, client):
        self.socket = client.socket
        self.client = client
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding='utf-8'))
        self.connection.initiate_connection()
        self.answers = {}
        self.flush()

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def ask(self, stream, fields, body=b''):
        self.connection.send_headers(stream, fields, end_stream=not body)
        while body:
            room = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
            piece, body = body[:room], body[room:]
            if piece:
                self.connection.send_data(stream, piece, end_stream=not body)
            else:
                self.receive()
            self.flush()
        self.flush()

    def receive(self):
        read = self.socket.recv(65_536)
        if not read:
            raise Ended('the connection ended')
        for event in self.connection.receive_data(read):
            self.note(event)
        self.flush()

    def note(self, event):
        if isinstance(event, h2.events.ResponseReceived):
            self.answers[event.stream_id] = [dict(event.headers)[':status'], b'', False]
        elif isinstance(event, h2.events.DataReceived):
            self.answers[event.stream_id][1] += event.data
            self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.answers[event.stream_id][2] = True
        check(not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), f'{event}')

    def answer(self, stream):
        while stream not in self.answers or not self.answers[stream][2]:
            self.receive()
        return self.answers[stream][:2]


@case('8.8', 'a simple exchange', greeted=False)
def _(client):
    strict = Strict(client)
    strict.ask(1, client.fields())
    check(strict.answer(1) == ['200', b'ok'], f'{strict.answers}')


@case('6.9', 'the windows of the server open again as its origin reads', greeted=False)
def _(client):
    strict = Strict(client)
    strict.ask(1, client.fields())
    strict.answer(1)
    size = strict.connection.remote_settings.initial_window_size + SIZE
    strict.ask(3, client.fields('POST', '/length'), bytes(size))
    check(strict.answer(3) == ['200', b'%d' % size], f'{strict.answers}')


@case('6.9', 'content of several windows of the client', greeted=False)
def _(client):
    strict = Strict(client)
    strict.ask(1, client.fields('GET', '/large'))
    found, body = strict.answer(1)
    check(found == '200' and body == b'x' * SIZE, f'{found}, {len(body)} octets')


@case('8.8', 'a hundred exchanges at once', greeted=False)
def _(client):
    strict = Strict(client)
    for stream in range(1, 201, 2):
        strict.ask(stream, client.fields())
    for stream in range(1, 201, 2):
        check(strict.answer(stream) == ['200', b'ok'], f'{strict.answers[stream]}')
