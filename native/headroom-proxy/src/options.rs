//! The engine's options, from flags that make sense.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::{fs, thread};

use tabport_engine::{EventSink, Face, ReverseProxyOptions, ServerOptions, Timeouts};

use crate::arguments::Arguments;
use crate::{Failure, exchange, log};

/// Reads what files there are, and takes over the socket where one is handed over.
pub(crate) fn of(arguments: &Arguments) -> Result<ServerOptions, Failure> {
    let flags = &arguments.flags;
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Ok(ServerOptions {
        bind: flags.listen.bind(flags.reuse_port, flags.take_over)?,
        face: Face::ReverseProxy(reverse_proxy(arguments)),
        allow_non_loopback: true,
        certificate: arguments.certificate()?,
        extra_ca: extra_ca(arguments)?,
        upstream_proxy: arguments.upstream_proxy.clone(),
        timeouts: Timeouts {
            connect: flags.upstream_connect_timeout,
            tls_handshake: flags.upstream_connect_timeout,
            response_head: flags.upstream_timeout,
            idle: Some(flags.upstream_timeout),
            ..Timeouts::default()
        },
        workers: flags.workers.map_or(processors, usize::from),
        // What nobody is told need not be found out.
        on_event: log::tells_of_exchanges(&flags.log_level).then(sink),
        ..ServerOptions::default()
    })
}

fn sink() -> EventSink {
    Arc::new(|event| exchange::log(&event))
}

fn reverse_proxy(arguments: &Arguments) -> ReverseProxyOptions {
    let flags = &arguments.flags;
    ReverseProxyOptions {
        upstream: arguments.upstream.clone(),
        rewrite_host: flags.rewrite_host && !flags.no_rewrite_host,
        upstream_http2: !flags.upstream_http1,
        trusted: flags.trusted_proxies.clone(),
        buffer_requests: arguments.buffer_limits(),
        upgraded_idle: flags.websocket_idle_timeout,
        service: "headroom-proxy".to_owned(),
        upstream_health: flags.upstream_health_path.clone(),
    }
}

fn extra_ca(arguments: &Arguments) -> Result<Option<String>, Failure> {
    let read = |path: &std::path::PathBuf| {
        let failure = |source| Failure::ExtraCa { path: path.clone(), source };
        fs::read_to_string(path).map_err(failure)
    };
    arguments.flags.extra_ca.as_ref().map(read).transpose()
}
