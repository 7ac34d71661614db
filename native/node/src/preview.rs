//! `routeFromUrl` and `urlFromRoute`: preview URLs, as JavaScript reads and makes them.

use napi::Env;
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use tabport_engine::{ContextLimits, PreviewUrl, Provider, RouteError};

use crate::argument::Argument;
use crate::error::{Failure, INVALID_ROUTE, throwing};
use crate::route::{self, UpstreamRoute};

/// What a provider's preview URL says.
#[napi(object, object_from_js = false)]
pub struct PreviewRoute {
    /// Whose URL it is.
    #[napi(ts_type = "'cmux' | 'morph' | 'codespaces' | 'gitpod' | 'coder' | 'e2b' | 'daytona'")]
    pub provider: &'static str,
    /// The port that the URL leads to: `http://localhost:{port}` of a tab with this route shows the same.
    pub port: u32,
    /// The route that leads to the same workspace.
    pub route: UpstreamRoute,
}

/// Options of `routeFromUrl`.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct RouteFromUrlOptions {
    /// Domains of a provider's besides those that are known, for instance `{ coder: ['coder.example.com'] }`. Each
    /// stands for what comes after the provider's own part of the host.
    #[napi(ts_type = "Partial<Record<PreviewRoute['provider'], string[]>>")]
    pub domains: Option<()>,
}

/// Reads a provider's preview URL: which workspace it leads to, and which port there.
///
/// What is read can be written again: `urlFromRoute(route, port)` is the URL's origin. A host that could be read in
/// two ways is refused. `docs/routes.md` has each provider's grammar.
///
/// @param url - An `http:` or `https:` URL; what follows the host and port does not matter.
/// @throws `ERR_TABPORT_INVALID_ROUTE`: the message says which form was expected, or which two readings there are.
///
/// @example
/// ```ts
/// const { route, port } = routeFromUrl('https://octocat-space-mld5-3000.app.github.dev/')
/// await tabport.attach(webContents, { route }) // { upstream: 'https://octocat-space-mld5-{port}.app.github.dev' }
/// await webContents.loadURL(`http://localhost:${port}`)
/// ```
#[napi(ts_args_type = "url: string, options?: RouteFromUrlOptions")]
pub fn route_from_url(
    env: Env,
    url: Unknown<'_>,
    options: Unknown<'_>,
) -> napi::Result<PreviewRoute> {
    throwing(env, || {
        let url = Argument::new("url", url).with_code(INVALID_ROUTE).string()?;
        let read = PreviewUrl::parse(&url, &domains(options)?).map_err(refused_url)?;
        Ok(PreviewRoute {
            provider: read.provider.name(),
            port: read.port.into(),
            route: UpstreamRoute { upstream: read.upstream, local: None, limits: None },
        })
    })
}

/// The URL of a port by a route: the origin that `http://localhost:{port}` of a tab with this route leads to.
///
/// @param route - Any route but a gateway's, which has one URL for every port. Its `local` does not matter.
/// @param port - From 1 to 65535.
/// @throws `ERR_TABPORT_INVALID_ROUTE`: the message names the field.
#[napi(ts_args_type = "route: ProxyRoute | UpstreamRoute, port: number")]
pub fn url_from_route(env: Env, route: Unknown<'_>, port: Unknown<'_>) -> napi::Result<String> {
    throwing(env, || {
        let missing =
            || Argument::new("route", route).with_code(INVALID_ROUTE).unexpected("a route");
        let (route, _) = route::parse(route, &ContextLimits::default())?;
        let route = route.ok_or_else(missing)?;
        let port = Argument::new("port", port).with_code(INVALID_ROUTE).port(1..=u16::MAX)?;
        Ok(route.url(port)?)
    })
}

fn domains(options: Unknown<'_>) -> Result<Vec<(Provider, String)>, Failure> {
    let Some(options) = Argument::new("options", options).with_code(INVALID_ROUTE).present() else {
        return Ok(Vec::new());
    };
    let Some(domains) = options.object(&["domains"])?.get("domains")? else {
        return Ok(Vec::new());
    };
    let domains = domains.object(&Provider::ALL.map(Provider::name))?;
    let mut all = Vec::new();
    for provider in Provider::ALL {
        if let Some(list) = domains.get(provider.name())? {
            all.extend(list.strings()?.into_iter().map(|domain| (provider, domain)));
        }
    }
    Ok(all)
}

fn refused_url(RouteError { field, reason }: RouteError) -> Failure {
    let path = if field == "domains" { "options.domains" } else { field };
    Failure::new(INVALID_ROUTE, format!("{path} {reason}"))
}
