//! What a reverse proxy tells its upstream of the client: the only fields that it adds to a request.
//!
//! `X-Forwarded-For` grows by whoever has connected, whatever stood there. The host and the scheme that were asked for
//! are those that a trusted peer names, being a proxy itself; anyone else is not asked. `X-Request-Id` is the
//! client's, or one of our own.

use std::sync::Arc;

use crate::authority::Scheme;
use crate::fields::Fields;

const FOR: &str = "X-Forwarded-For";
const PROTO: &str = "X-Forwarded-Proto";
const HOST: &str = "X-Forwarded-Host";
/// Names an exchange, to whoever has to do with it.
pub const REQUEST_ID: &str = "X-Request-Id";

/// All that is added.
const ADDED: [&str; 4] = [FOR, PROTO, HOST, REQUEST_ID];

/// Longer ones are not kept: they are repeated in every log on the way.
const LONGEST_ID: usize = 128;

/// How a request came, and what it is to be sent as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// What is sent as Host, or `:authority`.
    pub host: Arc<str>,
    /// What stands before the request's own path.
    pub base: Arc<str>,
    /// Who has connected: an address.
    pub peer: Option<Arc<str>>,
    /// Whether that is a proxy whose word counts.
    pub is_trusted: bool,
    /// How it has connected.
    pub scheme: Scheme,
    /// Whom the request was sent to.
    pub asked: Option<Arc<str>>,
    /// Names the exchange.
    pub request_id: Arc<str>,
}

impl Forwarded {
    /// Adds the fields to a request's, less those that end at this hop: a `Connection` option must not reach them.
    pub(crate) fn tell(&self, fields: &mut Fields) {
        fields.retain(|name, _| !passes_for_ours(name));
        fields.append(FOR, self.peer.as_deref().unwrap_or("unknown").as_bytes());
        self.tell_unless_told(fields, PROTO, Some(self.scheme.as_str()));
        self.tell_unless_told(fields, HOST, self.asked.as_deref());
        fields.set(REQUEST_ID, self.request_id.as_bytes());
    }

    fn tell_unless_told(&self, fields: &mut Fields, name: &str, value: Option<&str>) {
        match value {
            _ if self.is_trusted && fields.contains(name) => {}
            Some(value) => fields.set(name, value.as_bytes()),
            None => fields.remove(name),
        }
    }
}

/// Whether a name differs from one of ours by underscores alone. Servers that make variables of names (RFC 3875, section
/// 4.1.18) take the two for one field, and what a client has put there for what this proxy says.
fn passes_for_ours(name: &[u8]) -> bool {
    name.contains(&b'_') && is_ours(name)
}

/// Whether a name is one of those that are added, underscores being as good as hyphens.
pub(crate) fn is_ours(name: &[u8]) -> bool {
    let hyphen = |byte: u8| if byte == b'_' { b'-' } else { byte };
    let alike = |own: &str| {
        own.len() == name.len()
            && own.bytes().zip(name).all(|(own, byte)| own.eq_ignore_ascii_case(&hyphen(*byte)))
    };
    ADDED.iter().any(|own| alike(own))
}

/// The id that a client has given its request: one word of visible ASCII characters, of a bounded length.
pub(crate) fn request_id(fields: &Fields) -> Option<&str> {
    let id = std::str::from_utf8(fields.only(REQUEST_ID)?).ok()?;
    let fits =
        (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(is_trusted: bool, sent: &[(&str, &str)]) -> Vec<String> {
        let forwarded = Forwarded {
            host: "up.test".into(),
            base: "".into(),
            peer: Some("10.0.0.9".into()),
            is_trusted,
            scheme: Scheme::Https,
            asked: Some("asked.test".into()),
            request_id: "id-1".into(),
        };
        let mut fields = Fields::default();
        for (name, value) in sent {
            fields.push(name, value.as_bytes());
        }
        forwarded.tell(&mut fields);
        let text = String::from_utf8_lossy;
        let line = |(name, value)| format!("{}: {}", text(name), text(value));
        fields.iter().map(line).collect()
    }

    #[test]
    fn a_trusted_peer_is_believed_and_nobody_else() {
        let sent = [
            ("x-forwarded-for", "1.1.1.1"),
            ("X-FORWARDED-FOR", "2.2.2.2, 3.3.3.3"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "front.test"),
        ];
        let chain = ["x-forwarded-for: 1.1.1.1", "X-FORWARDED-FOR: 2.2.2.2, 3.3.3.3, 10.0.0.9"];
        for (is_trusted, proto, host) in
            [(true, "http", "front.test"), (false, "https", "asked.test")]
        {
            let told = told(is_trusted, &sent);
            assert_eq!(told[..2], chain);
            let rest = [
                format!("X-Forwarded-Proto: {proto}"),
                format!("X-Forwarded-Host: {host}"),
                "X-Request-Id: id-1".to_owned(),
            ];
            assert_eq!(told[2..], rest);
        }
        for is_trusted in [true, false] {
            let own = [
                "X-Forwarded-For: 10.0.0.9",
                "X-Forwarded-Proto: https",
                "X-Forwarded-Host: asked.test",
                "X-Request-Id: id-1",
            ];
            assert_eq!(told(is_trusted, &[]), own);
        }
    }

    #[test]
    fn what_would_pass_for_ours_is_left_out() {
        let sent = [
            ("X-Forwarded-For", "1.1.1.1"),
            ("x_forwarded_for", "6.6.6.6"),
            ("X_Forwarded-Proto", "ftp"),
            ("X-FORWARDED_HOST", "6.test"),
            ("X_Request_Id", "6"),
            ("X_Forwarded_Port", "1"),
        ];
        for is_trusted in [true, false] {
            let expected = [
                "X-Forwarded-For: 1.1.1.1, 10.0.0.9",
                "X_Forwarded_Port: 1",
                "X-Forwarded-Proto: https",
                "X-Forwarded-Host: asked.test",
                "X-Request-Id: id-1",
            ];
            assert_eq!(told(is_trusted, &sent), expected);
        }
    }

    #[test]
    fn an_id_is_one_word_of_bounded_length() {
        let longest = "x".repeat(LONGEST_ID);
        for (sent, kept) in [
            (&["a-1"][..], Some("a-1")),
            (&[&longest], Some(&*longest)),
            (&[], None),
            (&[""], None),
            (&["a b"], None),
            (&["é"], None),
            (&[&format!("{longest}x")], None),
            (&["a", "a"], None),
        ] {
            let mut fields = Fields::default();
            for id in sent {
                fields.push("x-request-id", id.as_bytes());
            }
            assert_eq!(request_id(&fields), kept, "{sent:?}");
        }
    }
}
