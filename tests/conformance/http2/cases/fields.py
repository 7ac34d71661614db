"""Fields: RFC 9113, section 8.2."""

import json

from client import check
from registry import case


NAMES = {
    'upper case': b'X-Upper', 'a space': b'x upper', 'a control': b'x\x01y', 'DEL': b'x\x7f', 'a colon': b'x:y',
    'an octet beyond ASCII': b'x\xe9', 'nothing': b'',
}
VALUES = {
    'NUL': b'a\0b', 'CR': b'a\rb', 'LF': b'a\nb', 'CR LF and a field': b'a\r\nx-smuggled: 1',
    'a space before it': b' a', 'a space after it': b'a ', 'a tab before it': b'\ta', 'a tab after it': b'a\t',
}
OF_A_CONNECTION = {
    'connection': 'keep-alive', 'proxy-connection': 'keep-alive', 'keep-alive': 'timeout=5',
    'transfer-encoding': 'chunked', 'upgrade': 'websocket',
}


def malformed(section, what, name, value):
    @case(section, f'{what} is malformed')
    def _(client):
        client.request(fields=client.fields('GET', '/', (name, value)))
        client.expect_malformed()


for what, name in NAMES.items():
    malformed('8.2.1', f'a field name with {what}', name, b'1')
for what, value in VALUES.items():
    malformed('8.2.1', f'a field value with {what}', b'x-value', value)
for name, value in OF_A_CONNECTION.items():
    malformed('8.2.2', f'the field {name}', name, value)
malformed('8.2.2', 'te with anything but trailers', 'te', 'trailers, deflate')


@case('8.2.2', 'te: trailers passes')
def _(client):
    client.request(fields=client.fields('GET', '/', ('te', 'trailers')))
    client.expect_served()


@case('8.2.3', 'the pieces of a cookie are joined for an origin that speaks HTTP/1.1')
def _(client):
    client.request(fields=client.fields('GET', '/fields', ('cookie', 'a=b'), ('cookie', 'c=d; e=f')))
    status, body = client.answer()
    check(status == 200 and json.loads(body)['cookie'] == ['a=b; c=d; e=f'], f'{status} {body}')
