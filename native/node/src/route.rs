//! The three forms of a route, as the engine's.
//!
//! The structures declare what TypeScript sees. No value has their type: [`parse`] reads the members one by
//! one, so that each can be refused by its name.

use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use tabport_engine::{self as engine, Route, RouteFields, Token};

use crate::argument::Argument;
use crate::error::{Failure, INVALID_ROUTE};
use crate::limits::{self, ContextLimits};

/// Leads to a cmux machine: `http://localhost:3000` to `https://cmux-{morphId}-{scope}-3000.{domainSuffix}`.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct ProxyRoute {
    /// The machine's id: letters, digits and inner hyphens.
    pub morph_id: String,
    /// The scope within the machine: letters, digits and inner hyphens.
    pub scope: String,
    /// The provider's domain, such as `cmux.app`, without a leading dot.
    pub domain_suffix: String,
    /// Loopback authorities that stay on the user's own machine, such as `localhost:5173`; all others follow the
    /// route. A host and a port, compared as they are parsed: `127.0.0.1:5173` is another.
    #[napi(ts_type = "string[]")]
    pub local: Option<Vec<String>>,
    /// Limits of this context, each in place of the proxy's.
    pub limits: Option<ContextLimits>,
}

/// Leads to a workspace gateway, which is told the port that was asked for in `X-Cmux-*` fields.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct GatewayRoute {
    /// The gateway's origin, such as `http://127.0.0.1:39379`, the same for every port.
    pub cmux_proxy_origin: String,
    /// The workspace the gateway is to look in.
    pub workspace: Option<String>,
    /// The gateway's token, where it asks for one: a word of visible ASCII characters. The gateway alone is sent it, in
    /// `Proxy-Authorization`, and in clear unless its origin is `https:`; pages, servers, events and errors never see it.
    pub cmux_proxy_token: Option<String>,
    /// Loopback authorities that stay on the user's own machine, such as `localhost:5173`; all others follow the
    /// route. A host and a port, compared as they are parsed: `127.0.0.1:5173` is another.
    #[napi(ts_type = "string[]")]
    pub local: Option<Vec<String>>,
    /// Limits of this context, each in place of the proxy's.
    pub limits: Option<ContextLimits>,
}

/// Leads to an origin of any provider.
#[napi(object, object_from_js = false)]
pub struct UpstreamRoute {
    /// An origin in which `{port}` stands for the port that was asked for, such as
    /// `https://{port}-abc.preview.example` or `http://127.18.0.1:{port}`.
    pub upstream: String,
    /// Loopback authorities that stay on the user's own machine, such as `localhost:5173`; all others follow the
    /// route. A host and a port, compared as they are parsed: `127.0.0.1:5173` is another.
    #[napi(ts_type = "string[]")]
    pub local: Option<Vec<String>>,
    /// Limits of this context, each in place of the proxy's.
    pub limits: Option<ContextLimits>,
}

/// The `route` argument, and the limits it comes with, or the server's; `undefined` is no route.
pub(crate) fn parse(
    route: Unknown<'_>,
    server: &engine::ContextLimits,
) -> Result<(Option<Route>, engine::ContextLimits), Failure> {
    const MEMBERS: &[&str] = &[
        "upstream",
        "cmuxProxyOrigin",
        "workspace",
        "cmuxProxyToken",
        "morphId",
        "scope",
        "domainSuffix",
        "local",
        "limits",
    ];
    let Some(route) = Argument::new("route", route).with_code(INVALID_ROUTE).present() else {
        return Ok((None, *server));
    };
    let fields = route.object(MEMBERS)?;
    let limits = fields.get("limits")?.map(|own| limits::of_context(own, server));
    let limits = limits.transpose()?.unwrap_or(*server);
    let text = |name| fields.get(name)?.map(|field| field.string()).transpose();
    let fields = RouteFields {
        morph_id: text("morphId")?,
        scope: text("scope")?,
        domain_suffix: text("domainSuffix")?,
        cmux_proxy_origin: text("cmuxProxyOrigin")?,
        workspace: text("workspace")?,
        cmux_proxy_token: fields.get("cmuxProxyToken")?.map(|field| token(&field)).transpose()?,
        upstream: text("upstream")?,
        local: fields.get("local")?.map(Argument::strings).transpose()?,
    };
    Ok((Some(Route::parse(&fields)?), limits))
}

fn token(field: &Argument<'_>) -> Result<Token, Failure> {
    Token::new(&field.secret()?)
        .map_err(|_| field.refuse("must be one word of visible ASCII characters"))
}
