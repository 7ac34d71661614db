//! Who may use a gateway: whoever has one of its tokens, and peers at addresses that are trusted.
//!
//! A token is looked for in `Proxy-Authorization` on every request, as a bearer token (RFC 6750) or as the
//! second half of Basic credentials (RFC 7617), whatever the first. One that is sent must be right, wherever it
//! comes from. Without one, what counts is where the connection comes from. Whoever a token could help is told
//! so by a 407, since a browser only sends one when it is asked; to anyone else the gateway is closed: 403. So it is
//! to a browser at a trusted address that asks for a host of somebody else's (`rebinding`).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::RwLock;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

use super::decode;
use super::rebinding::{self, AllowedHost};
use crate::error::ProxyError;
use crate::head::RequestHead;

/// Who may use a gateway.
#[derive(Debug, Clone)]
pub enum Access {
    /// Whoever reaches it: every port of the host is open to them.
    Anyone,
    /// Who has a token, and who comes from a trusted network.
    Restricted {
        /// The networks whose peers need no token.
        trusted: Vec<IpNet>,
        /// The tokens, any of which will do: more than one while clients go over to another. None lets in trusted
        /// peers alone.
        tokens: Vec<Token>,
    },
}

/// A secret that clients of a gateway prove to know.
#[derive(Clone)]
pub struct Token(Arc<Zeroizing<String>>);

/// The token cannot be sent in a field: it is empty, or has other than visible ASCII characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a token is one word of visible ASCII characters")]
pub struct InvalidToken;

impl Token {
    /// Takes a token.
    pub fn new(text: &str) -> Result<Self, InvalidToken> {
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(Arc::new(Zeroizing::new(text.to_owned())))).ok_or(InvalidToken)
    }

    /// The value of `Proxy-Authorization` that proves it.
    pub(crate) fn bearer(&self) -> Zeroizing<String> {
        Zeroizing::new(["Bearer ", &self.0].concat())
    }

    /// Compares in time that does not depend on where they differ.
    fn is(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

/// Whether the field proves one of them, in time that does not tell which.
fn proves_one_of(tokens: &[Token], field: &[u8]) -> bool {
    let is_one = |sent: &[u8]| tokens.iter().fold(false, |found, token| found | token.is(sent));
    let Ok(field) = std::str::from_utf8(field) else { return false };
    match field.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            is_one(token.trim().as_bytes())
        }
        _ => decode(field).is_some_and(|credentials| {
            let colon = credentials.iter().position(|byte| *byte == b':');
            let token = colon.and_then(|colon| credentials.get(colon + 1..));
            token.is_some_and(is_one)
        }),
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Whether an address is in one of these networks, an IPv4 one of a dual-stack socket included.
pub(crate) fn is_in(peer: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&peer.to_canonical()))
}

/// What a running gateway asks of its clients; the tokens may be exchanged.
pub(crate) struct Gate {
    access: RwLock<Access>,
    allowed_hosts: Vec<AllowedHost>,
}

impl Gate {
    pub(crate) fn new(access: Access, allowed_hosts: Vec<AllowedHost>) -> Self {
        Self { access: RwLock::new(access), allowed_hosts }
    }

    /// Takes other tokens from the next request on. One that lets in anyone keeps doing so.
    pub(crate) fn replace_tokens(&self, new: Vec<Token>) {
        if let Access::Restricted { tokens, .. } = &mut *self.access.write() {
            *tokens = new;
        }
    }

    /// Whether a peer at this address needs no token.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        match &*self.access.read() {
            Access::Anyone => true,
            Access::Restricted { trusted, .. } => is_in(peer, trusted),
        }
    }

    /// Lets in the sender of a request, or says why not.
    pub(crate) fn let_in(&self, is_trusted: bool, head: &RequestHead) -> Result<(), ProxyError> {
        let access = self.access.read();
        let Access::Restricted { tokens, .. } = &*access else { return Ok(()) };
        let field = head.fields.only("proxy-authorization");
        match tokens.as_slice() {
            [] if !is_trusted => Err(ProxyError::Untrusted),
            [] => rebinding::check(head, &self.allowed_hosts),
            tokens if field.is_some_and(|field| proves_one_of(tokens, field)) => Ok(()),
            _ if !is_trusted || head.fields.contains("proxy-authorization") => {
                Err(ProxyError::Unauthenticated)
            }
            _ => rebinding::check(head, &self.allowed_hosts),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use http::{Method, Version};

    use super::*;
    use crate::fields::Fields;

    /// 0 for let in, or the status that the error stands for.
    fn answer(tokens: &[&str], is_trusted: bool, sent: &[&str]) -> u16 {
        let tokens = tokens.iter().map(|token| Token::new(token).unwrap()).collect();
        let gate = Gate::new(Access::Restricted { trusted: Vec::new(), tokens }, Vec::new());
        let mut fields = Fields::default();
        for value in sent {
            fields.push("Proxy-Authorization", value.as_bytes());
        }
        let (method, target, version) = (Method::GET, b"/".into(), Version::HTTP_11);
        let head = RequestHead { method, target, version, protocol: None, fields };
        match gate.let_in(is_trusted, &head) {
            Ok(()) => 0,
            Err(ProxyError::Unauthenticated) => 407,
            Err(ProxyError::Untrusted) => 403,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_token_or_a_trusted_address_lets_in() {
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        let (right, wrong) = (basic("any:s3cret"), basic("s3cret:x"));
        for (tokens, is_trusted, sent, expected) in [
            (&[][..], true, &[][..], 0),
            (&[], false, &[], 403),
            (&[], false, &["Bearer s3cret"], 403),
            (&["s3cret"], false, &["Bearer s3cret"], 0),
            (&["s3cret"], false, &["bEARER  s3cret"], 0),
            (&["s3cret"], false, &[&right], 0),
            (&["s3cret"], true, &[], 0),
            (&["s3cret"], false, &[], 407),
            (&["s3cret"], true, &["Bearer s3cre"], 407),
            (&["s3cret"], true, &["Bearer s3cretx"], 407),
            (&["s3cret"], true, &["Bearer s3cret", "Bearer s3cret"], 407),
            (&["s3cret"], false, &[&wrong], 407),
            (&["s3cret"], false, &["s3cret"], 407),
            (&["s3cret"], false, &["Basic !"], 407),
            (&["old", "s3cret"], false, &["Bearer old"], 0),
            (&["old", "s3cret"], false, &[&right], 0),
            (&["old", "s3cret"], false, &["Bearer olds3cret"], 407),
            (&["old", "s3cret"], false, &["Bearer old", "Bearer s3cret"], 407),
        ] {
            assert_eq!(
                answer(tokens, is_trusted, sent),
                expected,
                "{tokens:?} {is_trusted} {sent:?}"
            );
        }
    }

    #[test]
    fn an_ipv4_peer_of_a_dual_stack_socket_is_the_same_peer() {
        let trusted = vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let gate = Gate::new(Access::Restricted { trusted, tokens: Vec::new() }, Vec::new());
        for (peer, expected) in [
            ("127.9.9.9", true),
            ("::ffff:127.0.0.1", true),
            ("fd00::1", true),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(gate.trusts(peer.parse().unwrap()), expected, "{peer}");
        }
    }

    #[test]
    fn a_token_is_one_word_and_shows_nowhere() {
        for text in ["", "a b", "a\n", "é"] {
            assert_eq!(Token::new(text).err(), Some(InvalidToken), "{text:?}");
        }
        let tokens = vec![Token::new("s3cret").unwrap()];
        let shown = format!("{:?}", Access::Restricted { trusted: Vec::new(), tokens });
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
