//! The reverse proxy's decision: everything leads to the one upstream, but for the paths that it answers itself.
//!
//! What the client has asked for is not interpreted: the bytes of path and query are the upstream's business, so only
//! a path that is spelled exactly like a reserved one is one. The query of such a path does not count.

use std::sync::Arc;

use http::Method;

use super::{Action, Answer, asks_to_upgrade};
use crate::authority::Scheme;
use crate::base_url::BaseUrl;
use crate::error::ProxyError;
use crate::forwarded::Forwarded;
use crate::head::RequestHead;
use crate::headers;
use crate::route::{Loopback, Told, Upstream};
use crate::target::Target;

/// Whether this proxy is well.
const HEALTH: &[u8] = b"/healthz";
/// Whether its upstream is.
const UPSTREAM_HEALTH: &[u8] = b"/healthz/upstream";

/// What a reverse proxy decides by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Where everything leads.
    pub upstream: BaseUrl,
    /// Whether the upstream is told its own authority as Host, and not the one that the client has asked for.
    pub rewrite_host: bool,
}

/// What is known of whoever has sent a request.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// Where the connection comes from.
    pub address: Option<&'a Arc<str>>,
    /// Whether that is a proxy whose word counts.
    pub is_trusted: bool,
    /// How it has connected.
    pub scheme: Scheme,
    /// The id of the request: the client's, or one of our own.
    pub request_id: Option<&'a Arc<str>>,
}

/// Decides what to do with a request.
pub fn decide(
    head: &RequestHead,
    rules: &Rules,
    sender: &Sender<'_>,
) -> Result<Action, ProxyError> {
    headers::check_options(&head.fields)?;
    let upgrades = asks_to_upgrade(head)?;
    Target::check(head)?;
    if head.is_plain_connect() {
        return Err(ProxyError::NoTunnels);
    }
    if let Some(action) = reserved(head) {
        return action;
    }
    let upstream = upstream(head, rules, sender);
    Ok(if upgrades { Action::Upgrade(upstream) } else { Action::Forward(upstream) })
}

fn reserved(head: &RequestHead) -> Option<Result<Action, ProxyError>> {
    let target = head.origin_form();
    let action = match target.split(|byte| *byte == b'?').next() {
        Some(HEALTH) => Action::Respond(Answer::Health),
        Some(UPSTREAM_HEALTH) => Action::Probe,
        _ => return None,
    };
    let reads = matches!(head.method, Method::GET | Method::HEAD);
    Some(if reads { Ok(action) } else { Err(ProxyError::MethodNotAllowed) })
}

fn upstream(head: &RequestHead, rules: &Rules, sender: &Sender<'_>) -> Upstream {
    let own = &rules.upstream;
    let asked: Option<Arc<str>> = head.asked_host().map(Into::into);
    let kept = asked.as_ref().filter(|_| !rules.rewrite_host);
    let forwarded = Forwarded {
        host: Arc::clone(kept.unwrap_or(own.host())),
        base: Arc::clone(own.path()),
        peer: sender.address.cloned(),
        is_trusted: sender.is_trusted,
        scheme: sender.scheme,
        asked,
        request_id: sender.request_id.cloned().unwrap_or_default(),
    };
    let told = Some(Told::Forwarded(Box::new(forwarded)));
    Upstream {
        scheme: own.scheme,
        authority: own.authority.clone(),
        routing: None,
        told,
        loopback: Loopback::Allowed,
    }
}

#[cfg(test)]
mod tests {
    use http::Version;

    use super::*;
    use crate::fields::Fields;

    fn decided(method: &str, target: &str, base: &str) -> Result<String, String> {
        let mut fields = Fields::default();
        fields.push("Host", b"front.test");
        let mut head = RequestHead {
            method: method.parse().unwrap(),
            target: target.into(),
            version: Version::HTTP_11,
            protocol: None,
            fields,
        };
        let rules = Rules {
            upstream: format!("http://up.test{base}").parse().unwrap(),
            rewrite_host: true,
        };
        let sender =
            Sender { address: None, is_trusted: false, scheme: Scheme::Http, request_id: None };
        match decide(&head, &rules, &sender).map_err(|error| error.to_string())? {
            Action::Forward(upstream) => {
                upstream.join_base(&mut head);
                Ok(String::from_utf8(head.origin_form().into_owned()).unwrap())
            }
            other => Ok(format!("{other:?}")),
        }
    }

    #[test]
    fn row_18_the_base_path_is_put_before_the_target_as_sent() {
        for (base, target, sent) in [
            ("", "/", "/"),
            ("/", "/", "/"),
            ("/base", "/", "/base/"),
            ("/base/", "/", "/base/"),
            ("/base/", "/v1/models", "/base/v1/models"),
            ("/base", "//x", "/base//x"),
            ("/base", "/../x?", "/base/../x?"),
            ("/base", "/?a=/b", "/base/?a=/b"),
            ("/base", "http://any.test/x", "/base/x"),
            ("/base", "http://any.test", "/base/"),
            ("/base", "http://any.test?q", "/base/?q"),
            ("/a%2Fb/c", "/d;e", "/a%2Fb/c/d;e"),
        ] {
            assert_eq!(decided("GET", target, base), Ok(sent.to_owned()), "{base} and {target}");
        }
        assert_eq!(decided("OPTIONS", "*", "/base"), Ok("*".to_owned()));
    }

    #[test]
    fn row_14_reserved_paths_are_told_by_their_bytes() {
        for target in ["/healthz", "/healthz?x", "http://a.test/healthz"] {
            assert_eq!(decided("GET", target, "/b"), Ok("Respond(Health)".to_owned()), "{target}");
            assert!(decided("POST", target, "").is_err(), "{target}");
        }
        assert_eq!(decided("HEAD", "/healthz/upstream", ""), Ok("Probe".to_owned()));
        for target in
            ["/healthz/", "/Healthz", "/%68ealthz", "//healthz", "/healthz/upstream/", "/healthz;"]
        {
            assert_eq!(decided("POST", target, ""), Ok(target.to_owned()));
        }
    }
}
