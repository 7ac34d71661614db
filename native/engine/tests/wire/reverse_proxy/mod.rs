//! The reverse proxy. Tests are named after the rows of its table of features.

mod abort;
mod buffer;
mod errors;
mod events;
mod fields;
mod health;
mod http2;
mod messages;
mod shutdown;
mod shutdown_http2;
mod socket;
mod stream;
mod target;
mod timeout;
mod websocket;

use std::time::Duration;

use tabport_engine::{Face, ReverseProxyOptions, ServerOptions, Timeouts};

use crate::harness::{Origin, Peer, Proxy};

/// Leads to this URL, trusts nobody and streams everything.
fn options(upstream: &str) -> ReverseProxyOptions {
    ReverseProxyOptions {
        upstream: upstream.parse().unwrap(),
        rewrite_host: true,
        upstream_http2: true,
        trusted: Vec::new(),
        buffer_requests: None,
        upgraded_idle: None,
        service: "test-proxy".to_owned(),
        upstream_health: "/healthz".to_owned(),
    }
}

fn start(options: ReverseProxyOptions) -> Proxy {
    Proxy::with(ServerOptions { face: Face::ReverseProxy(options), ..ServerOptions::default() })
}

/// With this limit on time in which nothing moves.
fn start_impatient(options: ReverseProxyOptions, limit: Duration) -> Proxy {
    let timeouts = Timeouts { response_head: limit, idle: Some(limit), ..Timeouts::default() };
    let face = Face::ReverseProxy(options);
    Proxy::with(ServerOptions { face, timeouts, ..ServerOptions::default() })
}

/// A proxy, and the upstream that it leads to.
async fn set_up() -> (Proxy, Origin) {
    let origin = Origin::start().await;
    (start(options(&origin.url())), origin)
}

/// What a request has become on its way to the upstream, whole: its fields below the first line are the client's less
/// those that are expected of this proxy.
struct Passed {
    first: String,
    own: Vec<String>,
    others: Vec<String>,
}

/// The fields that this proxy adds.
const OWN: [&str; 4] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id"];

/// Reads a head byte for byte, Latin-1 as such.
async fn raw_head(peer: &mut Peer) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(peer.take(1).await);
    }
    head.iter().map(|byte| char::from(*byte)).collect()
}

/// The next request's head at the upstream.
async fn passed(upstream: &mut Peer) -> Passed {
    let head = raw_head(upstream).await;
    let mut lines = head.trim_end().split("\r\n").map(str::to_owned);
    let first = lines.next().unwrap();
    let is_own = |line: &String| {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        OWN.contains(&&*name)
    };
    let (own, others) = lines.partition(is_own);
    Passed { first, own, others }
}
