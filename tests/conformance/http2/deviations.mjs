/**
 * The cases in which the server, that is the crate h2, does otherwise than its section says, and what exactly it does.
 * A case that begins to hold fails, too, until it is taken off this list.
 */

/**
 * The connection ends as it must, but GOAWAY tells a less specific code. No client does anything else for that: the
 * code is for whoever debugs it. The public suite h2spec takes the closed connection for right, whatever the code.
 */
const unspecific = (code, names) => names.map((name) => [name, `PROTOCOL_ERROR instead of ${code}`])

/** The crate drops them before anybody sees them. Nothing of them goes further. */
const ignored = (names) => names.map((name) => [name, 'no error instead of PROTOCOL_ERROR'])

export const DEVIATIONS = new Map([
  ...unspecific('STREAM_CLOSED', [
    '5.1 half-closed (remote): DATA is STREAM_CLOSED',
    '5.1 half-closed (remote): HEADERS are STREAM_CLOSED',
    '8.1 DATA after the trailers is an error',
  ]),
  ...unspecific('FRAME_SIZE_ERROR', [
    '6.3 PRIORITY of another length than 5 octets is FRAME_SIZE_ERROR',
    '6.4 RST_STREAM of another length than 4 octets is FRAME_SIZE_ERROR',
    '6.5 an acknowledgement with a payload is FRAME_SIZE_ERROR',
    '6.5 SETTINGS that end in the middle of one are FRAME_SIZE_ERROR',
    '6.7 PING of another length than 8 octets is FRAME_SIZE_ERROR',
    '6.9 WINDOW_UPDATE of another length than 4 octets is FRAME_SIZE_ERROR',
  ]),
  ...unspecific('FLOW_CONTROL_ERROR', ['6.5.2 SETTINGS_INITIAL_WINDOW_SIZE beyond 2^31-1 is FLOW_CONTROL_ERROR']),
  ...unspecific('COMPRESSION_ERROR', [
    '4.3 a field block that cannot be decoded is COMPRESSION_ERROR',
    'RFC 7541, 2.3.3 an index beyond the tables is COMPRESSION_ERROR',
    'RFC 7541, 2.3.3 the index of a name beyond the tables is COMPRESSION_ERROR',
    'RFC 7541, 4.2 a change of the size of the table after a field is COMPRESSION_ERROR',
    'RFC 7541, 5.1 an integer beyond every limit is COMPRESSION_ERROR',
    'RFC 7541, 5.2 a string beyond the block is COMPRESSION_ERROR',
    'RFC 7541, 5.2 padding of more than 7 bits is COMPRESSION_ERROR',
    'RFC 7541, 5.2 padding with zeros is COMPRESSION_ERROR',
    'RFC 7541, 5.2 EOS in a string is COMPRESSION_ERROR',
    'RFC 7541, 6.1 index 0 is COMPRESSION_ERROR',
    'RFC 7541, 6.3 a table beyond SETTINGS_HEADER_TABLE_SIZE is COMPRESSION_ERROR',
  ]),
  ...ignored(['8.3 a pseudo-field in the trailers is malformed']),
])
