//! Where a context's loopback names lead.
//!
//! A [`Route`] is parsed once, when its context is made: a route that exists can be followed for every port,
//! and no request can bend it. It answers one question: to which upstream does this loopback authority go?

mod local;
mod pattern;
mod provider;
mod shape;
mod template;
mod upstream;
mod url;

use std::borrow::Cow;

use thiserror::Error;

use crate::authenticate::Token;
use crate::authority::{Authority, Scheme};
use crate::workspace;
pub use provider::Provider;
use shape::Shape;
use template::Template;
pub use upstream::{Loopback, Routing, Told, Upstream};
pub use url::PreviewUrl;

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
    /// The gateway's token, where it asks for one.
    pub cmux_proxy_token: Option<Token>,
    /// An origin with `{port}` where the port asked for goes.
    pub upstream: Option<String>,
    /// With any kind of route: the loopback authorities, `host:port`, that it leaves to the user's own machine.
    pub local: Option<Vec<String>>,
}

/// Where a context's loopback names lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    kind: Kind,
    local: Box<[Authority]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// An origin by template, `{port}` replaced. The three-field form is such a template too.
    Template(Template),
    /// A gateway that is told port and workspace in routing fields.
    Gateway {
        scheme: Scheme,
        authority: Authority,
        workspace: Option<Box<str>>,
        token: Option<Token>,
    },
}

/// Why a route is refused: which field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {reason}")]
pub struct RouteError {
    /// The field, in its JavaScript spelling, or `route` for the whole.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

impl Route {
    /// Parses a route. Exactly one kind of route must be given, complete.
    pub fn parse(fields: &RouteFields) -> Result<Self, RouteError> {
        let kind = Kind::parse(fields)?;
        let local = local::parse(fields.local.as_deref().unwrap_or_default())?;
        Ok(Self { kind, local })
    }

    /// Whether this loopback authority follows the route. One that it leaves local does not, and what is not
    /// loopback never does.
    pub(crate) fn takes(&self, asked: &Authority) -> bool {
        asked.host.is_loopback() && !self.local.contains(asked)
    }

    /// The upstream that a loopback authority leads to.
    pub(crate) fn lead(&self, asked: &Authority) -> Upstream {
        let (scheme, authority, routing) = match &self.kind {
            Kind::Template(template) => {
                let (scheme, authority) = template.expand(asked.port);
                (scheme, authority, None)
            }
            Kind::Gateway { scheme, authority, workspace, token } => {
                let (workspace, token) = (workspace.clone(), token.clone());
                let routing = Routing { asked: asked.clone(), workspace, token };
                (*scheme, authority.clone(), Some(routing))
            }
        };
        let named = authority.host.is_loopback();
        let loopback = if named { Loopback::Allowed } else { Loopback::Refused };
        Upstream { scheme, authority, routing, told: None, loopback }
    }
}

impl Kind {
    fn parse(fields: &RouteFields) -> Result<Self, RouteError> {
        let morph =
            fields.morph_id.is_some() || fields.scope.is_some() || fields.domain_suffix.is_some();
        let gateway = fields.cmux_proxy_origin.is_some()
            || fields.workspace.is_some()
            || fields.cmux_proxy_token.is_some();
        match (morph, gateway, &fields.upstream) {
            (true, false, None) => Self::morph(fields),
            (false, true, None) => Self::gateway(fields),
            (false, false, Some(upstream)) => {
                Template::parse("upstream", upstream).map(Self::Template)
            }
            (false, false, None) if fields.local.is_some() => {
                Err(refuse("route", "has nothing but local: there is no route to except it from"))
            }
            (false, false, None) => {
                Err(refuse("route", "is empty: give upstream, cmuxProxyOrigin, or morphId"))
            }
            _ => Err(refuse("route", "mixes the fields of different kinds of route")),
        }
    }

    fn morph(fields: &RouteFields) -> Result<Self, RouteError> {
        let id = label("morphId", fields.morph_id.as_ref())?;
        let scope = label("scope", fields.scope.as_ref())?;
        let suffix = required("domainSuffix", fields.domain_suffix.as_ref())?;
        let suffix = shape::domain("domainSuffix", suffix)?;
        let origin = format!("https://cmux-{id}-{scope}-{{port}}.{suffix}");
        Template::parse("route", &origin).map(Self::Template)
    }

    fn gateway(fields: &RouteFields) -> Result<Self, RouteError> {
        const FIELD: &str = "cmuxProxyOrigin";
        let origin = required(FIELD, fields.cmux_proxy_origin.as_ref())?;
        let (scheme, authority) = Template::parse(FIELD, origin)?
            .fixed()
            .ok_or(refuse(FIELD, "is one origin for every port, without {port}"))?;
        let workspace = fields.workspace.as_deref().map(parse_workspace).transpose()?;
        let token = fields.cmux_proxy_token.clone();
        Ok(Self::Gateway { scheme, authority, workspace, token })
    }
}

fn label<'a>(field: &'static str, value: Option<&'a String>) -> Result<&'a str, RouteError> {
    let value = required(field, value)?;
    if !Shape::Label.fits(value) {
        return Err(refuse(field, Shape::Label.unfit()));
    }
    Ok(value)
}

fn parse_workspace(value: &str) -> Result<Box<str>, RouteError> {
    const REASON: &str = "is not a workspace name: letters, digits, '.', '_', '-' and '/'";
    if !workspace::is_name(value) {
        return Err(refuse("workspace", REASON));
    }
    Ok(value.into())
}

fn required<'a>(field: &'static str, value: Option<&'a String>) -> Result<&'a str, RouteError> {
    value.map(String::as_str).ok_or(refuse(field, "is missing"))
}

fn refuse(field: &'static str, reason: impl Into<Cow<'static, str>>) -> RouteError {
    RouteError { field, reason: reason.into() }
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
        route.lead(&asked.parse().unwrap())
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
        assert_eq!(routing.workspace.as_deref(), Some("/root/workspace-1"));
    }

    #[test]
    fn bad_fields_are_refused_by_name() {
        let bad = ["", "a b", "a.b", "a/b", "a@b", "a\r\nb", "-a", "a-", "é"];
        for value in bad {
            assert_eq!(morph(value, "base", "cmux.app").unwrap_err().field, "morphId", "{value:?}");
            assert_eq!(morph("abc", value, "cmux.app").unwrap_err().field, "scope", "{value:?}");
        }
        for value in
            ["", ".cmux.app", "cmux..app", "a/b", "a@b", "a\r\nb", "127.0.0.1", "cmux.app.", "-a"]
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
