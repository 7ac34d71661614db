"""The ways in to the server's HTTP/2: each gives a socket on which the preface is the first thing to be said."""

import http.client
import json
import socket
import ssl


#: Seconds; far longer than anything here takes.
DEADLINE = 10


class Way:
    """What the Node side has started: `name`, `port`, `authority`, `authorization`, `origin` and, for TLS, `ca`."""

    def __init__(self, told):
        self.name = told['name']
        self.port = told['port']
        self.authority = told['authority']
        self.authorization = told['authorization']
        self.origin = told['origin']
        self.ca = told.get('ca')
        self.connect = {'plain': self.plain, 'secure': self.secure, 'inside': self.inside}[self.name]
        self.scheme = 'https' if self.name == 'inside' else 'http'
        # The tunnel's CONNECT has said already who asks.
        self.credentials = [] if self.name == 'inside' else [('proxy-authorization', self.authorization)]

    def plain(self):
        """Prior knowledge (section 3.3)."""
        return socket.create_connection(('127.0.0.1', self.port), DEADLINE)

    def secure(self):
        """TLS to the proxy itself."""
        return self.encrypt(self.plain(), '127.0.0.1')

    def inside(self):
        """TLS in a tunnel, which the proxy ends itself."""
        tunnel = self.plain()
        head = f'CONNECT {self.authority} HTTP/1.1\r\nHost: {self.authority}\r\n'
        tunnel.sendall(f'{head}Proxy-Authorization: {self.authorization}\r\n\r\n'.encode())
        answer = b''
        while not answer.endswith(b'\r\n\r\n'):
            answer += tunnel.recv(1)
        if not answer.startswith(b'HTTP/1.1 200 '):
            raise ConnectionError(answer.decode())
        return self.encrypt(tunnel, self.authority.split(':')[0])

    def encrypt(self, connection, name):
        context = ssl.create_default_context(cadata=self.ca)
        context.set_alpn_protocols(['h2'])
        return context.wrap_socket(connection, server_hostname=name)

    def seen(self):
        """The paths that the origin has been asked for so far."""
        return self.ask('/seen')

    def completed(self):
        """The paths of the requests that have reached the origin to their end."""
        return self.ask('/completed')

    def ask(self, path):
        """The origin tells whoever asks it directly."""
        origin = http.client.HTTPConnection('127.0.0.1', self.origin, timeout=DEADLINE)
        origin.request('GET', path)
        told = json.loads(origin.getresponse().read())
        origin.close()
        return told
