"""How a connection begins: RFC 9113, section 3."""

from h2.errors import ErrorCodes
from hyperframe.frame import GoAwayFrame, SettingsFrame

from client import Ended, check, expect_code
from frames import ACK, PREFACE, SETTINGS, frame, ping, settings
from registry import ENCRYPTED, case


@case('3.2', 'h2 is what ALPN agrees on', ways=ENCRYPTED, greeted=False)
def _(client):
    check(client.socket.selected_alpn_protocol() == 'h2', client.socket.selected_alpn_protocol())


@case('3.4', 'the first frame of the server is SETTINGS', greeted=False)
def _(client):
    client.send(PREFACE, settings())
    first = client.read()
    check(isinstance(first, SettingsFrame) and 'ACK' not in first.flags, f'{first}')


@case('3.4', 'the client need not wait for the preface of the server', greeted=False)
def _(client):
    client.send(PREFACE, settings())
    client.request()
    client.send(frame(SETTINGS, ACK))
    client.expect_served()


@case('3.4', 'a preface in single octets is one', greeted=False)
def _(client):
    for octet in PREFACE + settings():
        client.send(bytes([octet]))
    client.request()
    client.expect_served()


@case('3.4', 'an invalid preface closes the connection', greeted=False)
def _(client):
    client.send(PREFACE.replace(b'SM', b'MS'))
    expect_refusal(client)


@case('3.4', 'a preface that is cut short closes the connection', greeted=False)
def _(client):
    client.send(PREFACE[:-4], ping(), ping())
    expect_refusal(client)


@case('3.4', 'a preface without SETTINGS is PROTOCOL_ERROR', greeted=False)
def _(client):
    client.send(PREFACE, ping())
    expect_refusal(client)


@case('3.4', 'a preface with an acknowledgement for SETTINGS is PROTOCOL_ERROR', greeted=False)
def _(client):
    client.send(PREFACE, frame(SETTINGS, ACK))
    expect_refusal(client)


def expect_refusal(client):
    """GOAWAY may be left out. What is no preface, the plain listener refuses as HTTP/1.1."""
    read = b''
    try:
        while len(read) < 9:
            read += client.take(1)
    except Ended:
        check(not read, f'{read} before the end')
        return
    if client.way.name == 'plain' and read == b'HTTP/1.1 ':
        check(client.take(1) == b'4', 'not refused')
        return
    expect_goaway(client, read)


def expect_goaway(client, head):
    """What the server says first is its own preface; these are the first octets of it."""
    check(head[3] == SETTINGS, f'{head} instead of SETTINGS')
    client.take(int.from_bytes(head[:3]))
    try:
        told = client.wait_for(GoAwayFrame)
        expect_code(told, [ErrorCodes.PROTOCOL_ERROR])
    except Ended:
        return
    client.expect_close()
