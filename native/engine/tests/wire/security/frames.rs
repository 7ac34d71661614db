//! HTTP/2 in literal frames (RFC 9113, section 4.1): a client that sends what no library would.

use tokio::time::timeout;

use super::support::LOCAL;
use crate::harness::{Context, DEADLINE, Peer, Proxy};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// `:status: 200`, by its index in the static table (RFC 7541, appendix A).
pub(crate) const OK: u8 = 0x88;

/// The error code of one who asks for too much.
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = [&length[1..], &[kind, flags]].concat();
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A client that has said its preface, with these settings.
pub(crate) async fn greet(proxy: &Proxy, settings: &[u8]) -> Peer {
    let mut client = proxy.connect().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    client.send([preface, &frame(SETTINGS, 0, 0, settings)].concat()).await;
    client
}

/// The field block of a request for the context's upstream: no field of it is kept by the decoder.
pub(crate) fn block(context: &Context, method: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let credentials = format!("Basic {}", context.credentials);
    let own = [
        (":method", method),
        (":scheme", "http"),
        (":authority", LOCAL),
        (":path", "/"),
        ("proxy-authorization", credentials.as_str()),
    ];
    own.iter()
        .chain(fields)
        .flat_map(|(name, value)| [b"\0", &*string(name), &string(value)].concat())
        .collect()
}

/// A string literal without Huffman's coding (RFC 7541, section 5.2), of less than 127 octets.
fn string(text: &str) -> Vec<u8> {
    assert!(text.len() < 127, "its length takes more than an octet");
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// HEADERS of a GET.
pub(crate) fn get(context: &Context, stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(context, "GET", &[]))
}

/// HEADERS of a POST whose body is to come.
pub(crate) fn post(context: &Context, stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &block(context, "POST", fields))
}

/// One frame that the proxy has sent.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of `RST_STREAM` and GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// The frames in these bytes, but for one that was cut off.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let Some((payload, rest)) = rest.split_at_checked(length.try_into().unwrap()) else {
            break;
        };
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
        frames.push(Frame { kind: head[3], stream, payload: payload.to_vec() });
        bytes = rest;
    }
    frames
}

/// The next frame of these kinds; what comes before is passed over.
pub(crate) async fn next(client: &mut Peer, kinds: &[u8]) -> Frame {
    let search = async {
        loop {
            let head = client.take(9).await;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let payload = client.take(length.try_into().unwrap()).await;
            if let Some(found) =
                frames(&[head, payload].concat()).pop().filter(|it| kinds.contains(&it.kind))
            {
                return found;
            }
        }
    };
    timeout(DEADLINE, search).await.unwrap_or_else(|_| panic!("no frame of {kinds:?}"))
}

/// That the connection was ended with this code, as the last frame says.
pub(crate) fn ended_with(frames: &[Frame], code: u32) -> bool {
    frames.last().is_some_and(|last| last.kind == GOAWAY && last.code() == code)
}
