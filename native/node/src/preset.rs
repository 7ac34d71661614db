//! `presets`: one function for each provider, from the names of a workspace to a route.
//!
//! The structures declare what TypeScript sees. No value has their type: the members are read one by one, so that
//! each can be refused by its name.

use napi::Env;
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use tabport_engine::{Provider, RouteError};

use crate::argument::Argument;
use crate::error::{Failure, INVALID_ROUTE, throwing};
use crate::route::UpstreamRoute;

/// Names a cmux machine.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct CmuxPreset {
    /// The machine's id, without `morphvm_`.
    pub id: String,
    /// The scope within the machine, such as `base`.
    pub scope: String,
    /// The domain.
    ///
    /// @defaultValue `cmux.app`
    pub domain: Option<String>,
}

/// A cmux machine: `https://cmux-{id}-{scope}-{port}.cmux.app`. An id or scope with a hyphen is refused, because
/// such a host can be read in two ways.
///
/// @throws `ERR_TABPORT_INVALID_ROUTE`: the message names the member.
#[napi(namespace = "presets", ts_args_type = "options: CmuxPreset")]
pub fn cmux(env: Env, options: Unknown<'_>) -> napi::Result<UpstreamRoute> {
    make(env, Provider::Cmux, options, &["id", "scope", "domain"])
}

/// Names a Morph Cloud instance.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct MorphPreset {
    /// The instance's id, with or without `morphvm_`.
    pub id: String,
    /// The domain.
    ///
    /// @defaultValue `http.cloud.morph.so`
    pub domain: Option<String>,
}

/// A Morph Cloud instance: `https://port-{port}-morphvm-{id}.http.cloud.morph.so`. Expose each port under the name
/// `port-{port}`: `instance.exposeHttpService('port-3000', 3000)`.
///
/// @throws `ERR_TABPORT_INVALID_ROUTE`: the message names the member.
#[napi(namespace = "presets", ts_args_type = "options: MorphPreset")]
pub fn morph(env: Env, options: Unknown<'_>) -> napi::Result<UpstreamRoute> {
    make(env, Provider::Morph, options, &["id", "domain"])
}

/// Names a codespace.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct CodespacesPreset {
    /// The codespace's name: `CODESPACE_NAME` inside it.
    pub name: String,
    /// The domain: `GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN` inside it.
    ///
    /// @defaultValue `app.github.dev`
    pub domain: Option<String>,
}

/// A GitHub codespace: `https://{name}-{port}.app.github.dev`.
///
/// @throws `ERR_TABPORT_INVALID_ROUTE`: the message names the member.
#[napi(namespace = "presets", ts_args_type = "options: CodespacesPreset")]
pub fn codespaces(env: Env, options: Unknown<'_>) -> napi::Result<UpstreamRoute> {
    make(env, Provider::Codespaces, options, &["name", "domain"])
}

/// Names a workspace of Gitpod Classic.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct GitpodPreset {
    /// The workspace's id, such as `moccasin-ferret-155799b3`.
    pub workspace: String,
    /// The cluster it runs in, such as `ws-eu45`.
    pub cluster: String,
    /// The domain.
    ///
    /// @defaultValue `gitpod.io`
    pub domain: Option<String>,
}

/// A workspace of Gitpod Classic: `https://{port}-{workspace}.{cluster}.gitpod.io`.
///
/// @throws `ERR_TABPORT_INVALID_ROUTE`: the message names the member.
#[napi(namespace = "presets", ts_args_type = "options: GitpodPreset")]
pub fn gitpod(env: Env, options: Unknown<'_>) -> napi::Result<UpstreamRoute> {
    make(env, Provider::Gitpod, options, &["workspace", "cluster", "domain"])
}

/// Names an agent of a Coder workspace.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct CoderPreset {
    /// The agent's name, such as `main`.
    pub agent: String,
    /// The workspace's name.
    pub workspace: String,
    /// The name of the user whose workspace it is.
    pub user: String,
    /// The domain of the wildcard access URL, such as `coder.example.com` or `*.coder.example.com`.
    pub domain: String,
}

/// A Coder workspace: `https://{port}--{agent}--{workspace}--{user}.{domain}`.
///
/// @throws `ERR_TABPORT_INVALID_ROUTE`: the message names the member.
#[napi(namespace = "presets", ts_args_type = "options: CoderPreset")]
pub fn coder(env: Env, options: Unknown<'_>) -> napi::Result<UpstreamRoute> {
    make(env, Provider::Coder, options, &["agent", "workspace", "user", "domain"])
}

/// Names an E2B sandbox.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct E2BPreset {
    /// The sandbox's id.
    pub sandbox: String,
    /// The domain: `E2B_DOMAIN`.
    ///
    /// @defaultValue `e2b.app`
    pub domain: Option<String>,
}

/// An E2B sandbox: `https://{port}-{sandbox}.e2b.app`.
///
/// @throws `ERR_TABPORT_INVALID_ROUTE`: the message names the member.
#[napi(namespace = "presets", js_name = "e2b", ts_args_type = "options: E2BPreset")]
pub fn e2b(env: Env, options: Unknown<'_>) -> napi::Result<UpstreamRoute> {
    make(env, Provider::E2b, options, &["sandbox", "domain"])
}

/// Names a Daytona sandbox.
#[napi(object, object_from_js = false, object_to_js = false)]
pub struct DaytonaPreset {
    /// The sandbox's id.
    pub sandbox: String,
    /// The domain of its preview links, such as `proxy.daytona.work`.
    pub domain: String,
}

/// A Daytona sandbox: `https://{port}-{sandbox}.{domain}`.
///
/// @throws `ERR_TABPORT_INVALID_ROUTE`: the message names the member.
#[napi(namespace = "presets", ts_args_type = "options: DaytonaPreset")]
pub fn daytona(env: Env, options: Unknown<'_>) -> napi::Result<UpstreamRoute> {
    make(env, Provider::Daytona, options, &["sandbox", "domain"])
}

fn make(
    env: Env,
    provider: Provider,
    options: Unknown<'_>,
    members: &[&'static str],
) -> napi::Result<UpstreamRoute> {
    throwing(env, || {
        let options = Argument::new("options", options).with_code(INVALID_ROUTE).object(members)?;
        let mut given = Vec::new();
        for &name in members {
            if let Some(value) = options.get(name)? {
                given.push((name, value.string()?));
            }
        }
        let member = |name: &str| {
            given.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        let upstream = provider.preset(member).map_err(refused_member)?;
        Ok(UpstreamRoute { upstream, local: None, limits: None })
    })
}

fn refused_member(RouteError { field, reason }: RouteError) -> Failure {
    let path = match field {
        "options" => "options".to_owned(),
        field => format!("options.{field}"),
    };
    Failure::new(INVALID_ROUTE, format!("{path} {reason}"))
}
