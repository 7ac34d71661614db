"""Pseudo-fields of requests: RFC 9113, section 8.3."""

from h2.errors import ErrorCodes

from client import check
from frames import END_STREAM, data
from registry import case


def without(fields, *names):
    return [field for field in fields if field[0] not in names]


def malformed(section, what, change):
    @case(section, f'{what} is malformed')
    def _(client):
        client.request(fields=change(client.fields()))
        client.expect_malformed()


malformed('8.3', 'an unknown pseudo-field', lambda own: [(':unknown', '1')] + own)
malformed('8.3', 'a pseudo-field of answers', lambda own: [(':status', '200')] + own)
malformed('8.3', 'a pseudo-field after a field', lambda own: [('x-field', '1')] + own)
for _name in (':method', ':scheme', ':path', ':authority'):
    malformed('8.3', f'a second {_name}', lambda own, name=_name: [f for f in own if f[0] == name] + own)
for _name in (':method', ':scheme', ':path'):
    malformed('8.3.1', f'a request without {_name}', lambda own, name=_name: without(own, name))
for _name, _path in {'nothing': '', 'no slash': 'x', 'a space': '/a b'}.items():
    malformed('8.3.1', f'a :path with {_name}', lambda own, path=_path: without(own, ':path')[:3] + [(':path', path)]
              + without(own, ':path')[3:])
malformed('8.3.1', 'a :scheme that is none', lambda own: [(':scheme', 'a b')] + without(own, ':scheme'))
malformed('8.3.1', 'a :method that is none', lambda own: [(':method', 'G ET')] + without(own, ':method'))
malformed('8.3.1', 'an :authority with user information',
          lambda own: [(':authority', 'user@localhost:3000')] + without(own, ':authority'))


@case('8.3', 'a pseudo-field in the trailers is malformed')
def _(client):
    client.hold_open()
    client.send(data(1, b'1', 0))
    client.request(fields=[(':method', 'GET')], flags=END_STREAM)
    client.expect_stream_error(ErrorCodes.PROTOCOL_ERROR)


@case('8.3.1', 'Host may say what :authority says')
def _(client):
    client.request(fields=client.fields('GET', '/', ('host', client.way.authority)))
    client.expect_served()


@case('8.3.1', 'Host may stand for :authority')
def _(client):
    client.request(fields=without(client.fields(), ':authority') + [('host', client.way.authority)])
    client.expect_served()


@case('8.3.1', 'OPTIONS may ask for *')
def _(client):
    own = without(client.fields('OPTIONS'), ':path')
    client.request(fields=own[:3] + [(':path', '*')] + own[3:])
    check(client.answer()[0] == 200 and '*' in client.way.seen(), 'not answered by the origin')
