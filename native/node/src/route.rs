//! The three forms of a route, as the engine's.
//!
//! The structures declare what TypeScript sees. No value has their type: [`parse`] reads the members one by
//! one, so that each can be refused by its name.

use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use tabport_engine::{Route, RouteFields};

use crate::argument::Argument;
use crate::error::{Failure, INVALID_ROUTE};

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
}

/// Leads to a workspace gateway, which is told the port that was asked for in `X-Cmux-*` fields.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct GatewayRoute {
    /// The gateway's origin, such as `http://127.0.0.1:39379`, the same for every port.
    pub cmux_proxy_origin: String,
    /// The workspace the gateway is to look in.
    pub workspace: Option<String>,
    /// Loopback authorities that stay on the user's own machine, such as `localhost:5173`; all others follow the
    /// route. A host and a port, compared as they are parsed: `127.0.0.1:5173` is another.
    #[napi(ts_type = "string[]")]
    pub local: Option<Vec<String>>,
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
}

/// The `route` argument; `undefined` is no route.
pub(crate) fn parse(route: Unknown<'_>) -> Result<Option<Route>, Failure> {
    const MEMBERS: &[&str] =
        &["upstream", "cmuxProxyOrigin", "workspace", "morphId", "scope", "domainSuffix", "local"];
    let Some(route) = Argument::new("route", route).with_code(INVALID_ROUTE).present() else {
        return Ok(None);
    };
    let fields = route.object(MEMBERS)?;
    let text = |name| fields.get(name)?.map(|field| field.string()).transpose();
    let fields = RouteFields {
        morph_id: text("morphId")?,
        scope: text("scope")?,
        domain_suffix: text("domainSuffix")?,
        cmux_proxy_origin: text("cmuxProxyOrigin")?,
        workspace: text("workspace")?,
        upstream: text("upstream")?,
        local: fields.get("local")?.map(Argument::strings).transpose()?,
    };
    Ok(Some(Route::parse(&fields)?))
}
