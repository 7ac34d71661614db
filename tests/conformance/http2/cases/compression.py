"""Field blocks: RFC 7541. What cannot be decoded is COMPRESSION_ERROR (RFC 9113, section 4.3)."""

from h2.errors import ErrorCodes

from frames import END_HEADERS, END_STREAM, HEADERS, frame
from registry import case


def undecodable(section, what, appended=b'', before=b''):
    @case(f'RFC 7541, {section}', f'{what} is COMPRESSION_ERROR')
    def _(client):
        block = before + client.encoder.encode(client.fields()) + appended
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
        client.expect_connection_error(ErrorCodes.COMPRESSION_ERROR)


undecodable('2.3.3', 'an index beyond the tables', b'\xff\x7f')
undecodable('2.3.3', 'the index of a name beyond the tables', b'\x7f\x7f\x01a')
undecodable('4.2', 'a change of the size of the table after a field', b'\x20')
undecodable('5.1', 'an integer beyond every limit', b'\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01')
undecodable('5.2', 'a string beyond the block', b'\x00\x05abc')
undecodable('5.2', 'padding of more than 7 bits', b'\x00\x01x\x82\x1f\xff')
undecodable('5.2', 'padding with zeros', b'\x00\x01x\x81\x18')
undecodable('5.2', 'EOS in a string', b'\x00\x01x\x84\xff\xff\xff\xff')
undecodable('6.1', 'index 0', b'\x80')
undecodable('6.3', 'a table beyond SETTINGS_HEADER_TABLE_SIZE', before=b'\x3f\xff\xff\x03')


@case('RFC 7541, 2.3.2', 'fields of earlier requests may be named by their index')
def _(client):
    first = client.encoder.encode(client.fields())
    second = client.encoder.encode(client.fields())
    assert len(second) < len(first) / 2
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, first))
    client.expect_served()
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, second))
    client.expect_served(3)


@case('RFC 7541, 4.4', 'fields that leave the table make room for others')
def _(client):
    for number in range(8):
        stream = 2 * number + 1
        client.request(stream, client.fields('GET', '/', ('x-long', str(number) * 1500)))
        client.expect_served(stream)


@case('RFC 7541, 6.3', 'the table may be emptied before a field')
def _(client):
    client.request()
    client.expect_served()
    client.encoder.header_table_size = 0
    client.encoder.header_table_size = 4096
    client.request(3)
    client.expect_served(3)
