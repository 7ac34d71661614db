"""The sequence of frames that a message is, and its length: RFC 9113, sections 8.1 and 8.1.1."""

import json

from h2.errors import ErrorCodes
from hyperframe.frame import HeadersFrame

from client import check
from frames import END_STREAM, data
from registry import case


def upload(client, *fields):
    client.request(fields=client.fields('POST', '/length', *fields), flags=0)


@case('8.1', 'a request may have trailers')
def _(client):
    client.request(fields=client.fields('POST', '/fields'), flags=0)
    client.send(data(1, b'12', 0))
    client.request(fields=[('x-sum', '42')])
    status, body = client.answer()
    check(status == 200 and json.loads(body)['trailers'] == {'x-sum': '42'}, f'{status} {body}')


@case('8.1', 'a second HEADERS without END_STREAM is malformed')
def _(client):
    client.hold_open()
    client.request(fields=[('x-sum', '42')], flags=0)
    client.expect_stream_error(ErrorCodes.PROTOCOL_ERROR)


@case('8.1', 'DATA after the trailers is an error')
def _(client):
    client.hold_open()
    client.request(fields=[('x-sum', '42')])
    client.send(data(1, b'1'))
    client.expect_stream_error(ErrorCodes.STREAM_CLOSED)


@case('8.1', 'an answer begins with HEADERS that have one :status, and before all other fields')
def _(client):
    client.request()
    names = [name for name, _ in client.wait_for(HeadersFrame).fields]
    check(names[0] == ':status' and not any(name.startswith(':') for name in names[1:]), f'{names}')
    check(names == [name.lower() for name in names], f'{names}')


@case('8.1', 'an answer has no fields of a connection')
def _(client):
    client.request()
    names = {name for name, _ in client.wait_for(HeadersFrame).fields}
    wrong = names & {'connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'}
    check(not wrong, f'{wrong}')


@case('8.1.1', 'content of the length that was told passes')
def _(client):
    upload(client, ('content-length', '5'))
    client.send(data(1, b'12', 0), data(1, b'345'))
    client.expect_served(expected=b'5')


@case('8.1.1', 'content-length without content is malformed')
def _(client):
    client.request(fields=client.fields('POST', '/length', ('content-length', '1')), flags=END_STREAM)
    client.expect_malformed()


@case('8.1.1', 'less content than told is malformed')
def _(client):
    upload(client, ('content-length', '3'))
    client.send(data(1, b'12'))
    expect_broken(client)


@case('8.1.1', 'more content than told is malformed')
def _(client):
    upload(client, ('content-length', '1'))
    client.send(data(1, b'12'))
    expect_broken(client)


@case('8.1.1', 'more content than told is malformed, in several frames')
def _(client):
    upload(client, ('content-length', '3'))
    client.send(data(1, b'12', 0), data(1, b'34'))
    expect_broken(client)


@case('8.1.1', 'less content than told is malformed with trailers, too')
def _(client):
    upload(client, ('content-length', '3'))
    client.send(data(1, b'12', 0))
    client.request(fields=[('x-sum', '42')])
    expect_broken(client)


@case('8.1.1', 'two lengths are malformed')
def _(client):
    client.request(fields=client.fields('POST', '/length', ('content-length', '1'), ('content-length', '2')), flags=0)
    client.expect_malformed()


@case('8.1.1', 'a length that is no number is malformed')
def _(client):
    client.request(fields=client.fields('POST', '/length', ('content-length', '+1')), flags=0)
    client.expect_malformed()


def expect_broken(client):
    """Its head may be at the origin before its length is known to be wrong; a whole request is not."""
    client.expect_stream_error(ErrorCodes.PROTOCOL_ERROR)
    path = client.path('/length')
    check(path not in client.way.completed(), 'the origin has got a whole request')
