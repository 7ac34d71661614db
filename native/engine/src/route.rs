//! Where a context's loopback names lead.
//!
//! A [`Route`] is parsed once, when its context is made: a route that exists can be followed for every port,
//! and no request can bend it. It answers one question, [`Route::lead`]: to which upstream does this
//! loopback authority go?

use std::fmt;

use hyper::header::HeaderValue;
use thiserror::Error;

use crate::authority::{Authority, Host, Scheme};

/// The fields of a route as a door received them, none of them checked.
#[derive(Debug, Clone, Default)]
pub struct RouteFields {
    /// With `scope` and `domain_suffix`: the machine's id.
    pub morph_id: Option<String>,
    /// The scope within the machine.
    pub scope: Option<String>,
    /// The provider's domain, without a leading dot.
    pub domain_suffix: Option<String>,
    /// A workspace gateway's origin.
    pub cmux_proxy_origin: Option<String>,
    /// The workspace, for the gateway to find its address.
    pub workspace: Option<String>,
    /// An origin with `{port}` where the port asked for goes.
    pub upstream: Option<String>,
}

/// Where a context's loopback names lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// An origin by template, `{port}` replaced. The three-field form is such a template too.
    Template(Template),
    /// A gateway that is told port and workspace in routing fields.
    Gateway { scheme: Scheme, authority: Authority, workspace: Option<HeaderValue> },
}

/// Why a route is refused: which field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {reason}")]
pub struct RouteError {
    /// The field, in its JavaScript spelling, or `route` for the whole.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The peer a request really goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Whether it speaks TLS.
    pub scheme: Scheme,
    /// Where it is.
    pub authority: Authority,
    /// What a gateway must be told.
    pub routing: Option<Routing>,
    /// Whether the address dialled may be this machine's loopback.
    pub loopback: Loopback,
}

/// What a gateway is told in `X-Cmux-*` fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// The loopback authority that was asked for.
    pub asked: Authority,
    /// The workspace to look in.
    pub workspace: Option<HeaderValue>,
}

/// Whether an upstream may turn out to be this machine's loopback, once its name is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// The context has no route, or its route names a loopback host.
    Allowed,
    /// A name that resolves to loopback is an attempt to get past the route.
    Refused,
}

impl Route {
    /// Parses a route. Exactly one kind of route must be given, complete.
    pub fn parse(fields: &RouteFields) -> Result<Self, RouteError> {
        let morph =
            fields.morph_id.is_some() || fields.scope.is_some() || fields.domain_suffix.is_some();
        let gateway = fields.cmux_proxy_origin.is_some() || fields.workspace.is_some();
        let kind = match (morph, gateway, &fields.upstream) {
            (true, false, None) => Kind::Template(Template::morph(fields)?),
            (false, true, None) => Self::gateway(fields)?,
            (false, false, Some(upstream)) => {
                Kind::Template(Template::parse("upstream", upstream)?)
            }
            (false, false, None) => {
                return Err(refuse(
                    "route",
                    "is empty: give upstream, cmuxProxyOrigin, or morphId",
                ));
            }
            _ => return Err(refuse("route", "mixes the fields of different kinds of route")),
        };
        Ok(Self(kind))
    }

    fn gateway(fields: &RouteFields) -> Result<Kind, RouteError> {
        let origin = required("cmuxProxyOrigin", fields.cmux_proxy_origin.as_ref())?;
        let template = Template::parse("cmuxProxyOrigin", origin)?;
        if template.0.contains(PLACEHOLDER) {
            return Err(refuse("cmuxProxyOrigin", "is one origin for every port, without {port}"));
        }
        let (scheme, authority) =
            template.expand(0).map_err(|_| not_an_origin("cmuxProxyOrigin"))?;
        let workspace = fields.workspace.as_deref().map(parse_workspace).transpose()?;
        Ok(Kind::Gateway { scheme, authority, workspace })
    }

    /// The upstream that a loopback authority leads to.
    pub(crate) fn lead(&self, asked: &Authority) -> Result<Upstream, RouteError> {
        let (scheme, authority, routing) = match &self.0 {
            Kind::Template(template) => {
                let (scheme, authority) = template.expand(asked.port)?;
                (scheme, authority, None)
            }
            Kind::Gateway { scheme, authority, workspace } => {
                let routing = Routing { asked: asked.clone(), workspace: workspace.clone() };
                (*scheme, authority.clone(), Some(routing))
            }
        };
        let named = authority.host.is_loopback();
        let loopback = if named { Loopback::Allowed } else { Loopback::Refused };
        Ok(Upstream { scheme, authority, routing, loopback })
    }
}

const PLACEHOLDER: &str = "{port}";

/// An origin with `{port}` in its host or as its port; known to expand for every port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Template(Box<str>);

impl Template {
    fn morph(fields: &RouteFields) -> Result<Self, RouteError> {
        let id = label("morphId", fields.morph_id.as_ref())?;
        let scope = label("scope", fields.scope.as_ref())?;
        let suffix = required("domainSuffix", fields.domain_suffix.as_ref())?;
        match suffix.parse() {
            Ok(Host::Name(_)) if !suffix.ends_with('.') => {}
            _ => return Err(refuse("domainSuffix", "is not a domain name")),
        }
        Self::parse("route", &format!("https://cmux-{id}-{scope}-{PLACEHOLDER}.{suffix}"))
    }

    fn parse(field: &'static str, text: &str) -> Result<Self, RouteError> {
        if text.matches(PLACEHOLDER).count() > 1 {
            return Err(refuse(field, "has {port} more than once"));
        }
        let template = Self(text.strip_suffix('/').unwrap_or(text).into());
        // The longest port makes the longest label: what expands for it expands for all.
        let (_, authority) = template.expand(u16::MAX).map_err(|_| not_an_origin(field))?;
        match &authority.host {
            Host::Name(name) if name.split('.').any(|label| label.len() > MAX_LABEL) => {
                Err(refuse(field, "makes a label of more than 63 characters"))
            }
            _ => Ok(template),
        }
    }

    fn expand(&self, port: u16) -> Result<(Scheme, Authority), RouteError> {
        let text = self.0.replacen(PLACEHOLDER, &port.to_string(), 1);
        let (scheme, authority) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return Err(not_an_origin("route")),
        };
        let authority = Authority::parse(authority, Some(scheme.default_port()));
        Ok((scheme, authority.map_err(|_| not_an_origin("route"))?))
    }
}

/// RFC 1035, section 2.3.4.
const MAX_LABEL: usize = 63;

fn label<'a>(field: &'static str, value: Option<&'a String>) -> Result<&'a str, RouteError> {
    let value = required(field, value)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let hyphen_ends = value.starts_with('-') || value.ends_with('-');
    if value.is_empty() || hyphen_ends || !value.bytes().all(allowed) {
        return Err(refuse(field, "is not a DNS label: letters, digits and inner hyphens"));
    }
    Ok(value)
}

fn parse_workspace(value: &str) -> Result<HeaderValue, RouteError> {
    const REASON: &str = "is not a workspace name: letters, digits, '.', '_', '-' and '/'";
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/');
    if value.is_empty() || !value.bytes().all(allowed) || value.split('/').any(|part| part == "..")
    {
        return Err(refuse("workspace", REASON));
    }
    HeaderValue::from_str(value).map_err(|_| refuse("workspace", REASON))
}

fn required<'a>(field: &'static str, value: Option<&'a String>) -> Result<&'a str, RouteError> {
    value.map(String::as_str).ok_or(refuse(field, "is missing"))
}

fn not_an_origin(field: &'static str) -> RouteError {
    refuse(field, "is not an origin: http:// or https://, a host, and perhaps a port")
}

fn refuse(field: &'static str, reason: &'static str) -> RouteError {
    RouteError { field, reason }
}

impl Upstream {
    /// The authority as `Host` or `:authority` has it: without the scheme's own port.
    pub(crate) fn authority_field(&self) -> String {
        let Authority { host, port } = &self.authority;
        if *port == self.scheme.default_port() {
            host.to_string()
        } else {
            self.authority.to_string()
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(template: &str) -> Result<Route, RouteError> {
        Route::parse(&RouteFields { upstream: Some(template.into()), ..RouteFields::default() })
    }

    fn morph(id: &str, scope: &str, suffix: &str) -> Result<Route, RouteError> {
        Route::parse(&RouteFields {
            morph_id: Some(id.into()),
            scope: Some(scope.into()),
            domain_suffix: Some(suffix.into()),
            ..RouteFields::default()
        })
    }

    fn lead(route: &Route, asked: &str) -> Upstream {
        route.lead(&asked.parse().unwrap()).unwrap()
    }

    #[test]
    fn each_kind_leads_where_it_says() {
        let route = morph("abc123", "base", "cmux.app").unwrap();
        assert_eq!(
            lead(&route, "localhost:3000").to_string(),
            "https://cmux-abc123-base-3000.cmux.app:443"
        );

        let route = upstream("https://{port}-abc.preview.example").unwrap();
        assert_eq!(
            lead(&route, "127.0.0.1:8080").to_string(),
            "https://8080-abc.preview.example:443"
        );
        assert_eq!(lead(&route, "localhost:1").loopback, Loopback::Refused);

        let route = upstream("http://127.18.0.1:{port}/").unwrap();
        assert_eq!(lead(&route, "localhost:3000").to_string(), "http://127.18.0.1:3000");
        assert_eq!(lead(&route, "localhost:3000").loopback, Loopback::Allowed);

        let route = upstream("http://[::1]:4000").unwrap();
        assert_eq!(lead(&route, "localhost:3000").to_string(), "http://[::1]:4000");
    }

    #[test]
    fn a_gateway_is_told_what_was_asked() {
        let route = Route::parse(&RouteFields {
            cmux_proxy_origin: Some("http://127.0.0.1:39379".into()),
            workspace: Some("/root/workspace-1".into()),
            ..RouteFields::default()
        });
        let upstream = lead(&route.unwrap(), "[::1]:3000");
        assert_eq!(upstream.to_string(), "http://127.0.0.1:39379");
        let routing = upstream.routing.unwrap();
        assert_eq!(routing.asked.to_string(), "[::1]:3000");
        assert_eq!(routing.workspace.unwrap(), "/root/workspace-1");
    }

    #[test]
    fn bad_templates_are_refused() {
        let refused = [
            "",
            "localhost",
            "ftp://x:{port}",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://u@a",
            "https://{port}-{port}.test",
            "https://a:{port}0",
            "https://a b",
            "https://a\r\nx: y",
            "HTTPS://a",
            "https://a:0",
            "https://a..b",
        ];
        for template in refused {
            assert!(upstream(template).is_err(), "{template:?}");
        }
        let long = format!("https://{{port}}-{}.test", "a".repeat(58));
        assert_eq!(upstream(&long).unwrap_err().reason, "makes a label of more than 63 characters");
        assert!(upstream(&long.replacen('a', "", 1)).is_ok());
    }

    #[test]
    fn bad_fields_are_refused_by_name() {
        let bad = ["", "a b", "a.b", "a/b", "a@b", "a\r\nb", "-a", "a-", "é"];
        for value in bad {
            assert_eq!(morph(value, "base", "cmux.app").unwrap_err().field, "morphId", "{value:?}");
            assert_eq!(morph("abc", value, "cmux.app").unwrap_err().field, "scope", "{value:?}");
        }
        for value in
            ["", ".cmux.app", "cmux..app", "a/b", "a@b", "a\r\nb", "127.0.0.1", "cmux.app."]
        {
            assert_eq!(morph("abc", "base", value).unwrap_err().field, "domainSuffix", "{value:?}");
        }
        assert!(morph(&"a".repeat(52), "base", "cmux.app").is_err());
        assert_eq!(Route::parse(&RouteFields::default()).unwrap_err().field, "route");
        let mixed = RouteFields {
            upstream: Some("http://a".into()),
            workspace: Some("w".into()),
            ..RouteFields::default()
        };
        assert!(Route::parse(&mixed).unwrap_err().reason.starts_with("mixes"));
        let half = RouteFields { morph_id: Some("a".into()), ..RouteFields::default() };
        assert_eq!(Route::parse(&half).unwrap_err().field, "scope");
    }
}
