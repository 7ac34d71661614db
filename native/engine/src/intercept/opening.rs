//! What the first bytes in a tunnel are, told without losing any.

use rustls::server::Acceptor;

/// How a client begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// With what some server could take for an HTTP request, well-formed or not: what is relayed unread must
    /// not mean one to a server that is less strict.
    Text,
    /// With a whole TLS `ClientHello` (RFC 8446, section 4.1.2), in however many records.
    ClientHello,
    /// With anything else.
    Other,
}

/// Looks at bytes as they come.
#[derive(Default)]
pub(crate) struct Look {
    tls: Option<Acceptor>,
}

impl Look {
    /// Takes the bytes that follow those it was given before; `None` as long as they could still be a
    /// `ClientHello`. rustls bounds how long one may be.
    pub(crate) fn at(&mut self, mut bytes: &[u8]) -> Option<Opening> {
        let first = *bytes.first()?;
        if self.tls.is_none() && may_begin_text(first) {
            return Some(Opening::Text);
        }
        let tls = self.tls.get_or_insert_default();
        while !bytes.is_empty() {
            if tls.read_tls(&mut bytes).is_err() {
                return Some(Opening::Other);
            }
            match tls.accept() {
                Ok(None) => {}
                Ok(Some(_)) => return Some(Opening::ClientHello),
                Err(_) => return Some(Opening::Other),
            }
        }
        None
    }
}

/// What is printed, and what is skipped as white space by some server or other: Python's `http.server` takes
/// Latin-1's for that, of which there is more than ASCII's.
fn may_begin_text(octet: u8) -> bool {
    matches!(octet, b'\t'..=b'\r' | 0x1c..=b'~' | 0x85 | 0xa0)
}
