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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tabport_engine::BufferLimits;

    use super::*;

    fn options(more: &[&str]) -> (ServerOptions, ReverseProxyOptions) {
        let fixed = ["headroom-proxy", "--listen", "127.0.0.1:0", "--upstream", "http://a.test"];
        let options = of(&Arguments::of(&[&fixed[..], more].concat())).unwrap();
        let Face::ReverseProxy(face) = options.face.clone() else { panic!("it has another face") };
        (options, face)
    }

    #[test]
    fn row_7_times_are_those_of_the_flags() {
        let second = Duration::from_secs;
        for (more, connect, upstream, websocket) in [
            (&[][..], second(10), second(600), None),
            (&["--upstream-connect-timeout", "3s"], second(3), second(600), None),
            (&["--upstream-timeout", "1m 30s"], second(10), second(90), None),
            (&["--websocket-idle-timeout", "2h"], second(10), second(600), Some(second(7200))),
        ] {
            let (ServerOptions { timeouts, .. }, face) = options(more);
            assert_eq!((timeouts.connect, timeouts.tls_handshake), (connect, connect), "{more:?}");
            assert_eq!((timeouts.response_head, timeouts.idle), (upstream, Some(upstream)));
            assert_eq!(face.upgraded_idle, websocket, "{more:?}");
        }
        let end = |more: &[&str]| {
            let fixed = ["headroom-proxy", "--upstream", "http://a.test"];
            Arguments::of(&[&fixed, more].concat()).flags.graceful_shutdown_timeout
        };
        assert_eq!(end(&[]), second(30));
        assert_eq!(end(&["--graceful-shutdown-timeout", "5s"]), second(5));
    }

    #[test]
    fn row_8_and_9_what_may_be_held_is_what_the_flags_say() {
        const MB: u64 = 1_000_000;
        for (more, limits) in [
            (&[][..], None),
            (&["--buffer-requests"], Some((100 * MB, 512 * MB))),
            (&["--buffer-requests", "--max-body-bytes", "1GB"], Some((1000 * MB, 1000 * MB))),
            (&["--buffer-requests", "--max-buffered-bytes", "100MB"], Some((100 * MB, 100 * MB))),
            (&["--buffer-requests", "--max-buffered-bytes", "1GiB"], Some((100 * MB, 1 << 30))),
        ] {
            let limits = limits.map(|(body, all)| BufferLimits { body, all });
            assert_eq!(options(more).1.buffer_requests, limits, "{more:?}");
        }
    }

    #[test]
    fn what_else_there_is_to_say_is_heard() {
        let (server, face) = options(&[]);
        assert!(face.upstream_http2 && face.rewrite_host && face.trusted.is_empty());
        assert_eq!((&*face.upstream_health, &*face.service), ("/healthz", "headroom-proxy"));
        assert!(server.on_event.is_some() && server.upstream_proxy.is_none());
        let more = "--upstream-http1 --upstream-health-path /well --workers 7 --log-level off \
            --trusted-proxies 10.0.0.0/8,fd00::/8 --upstream-proxy socks5://a.test:1";
        let (server, face) = options(&more.split_whitespace().collect::<Vec<_>>());
        assert!(!face.upstream_http2 && server.on_event.is_none());
        assert!(server.upstream_proxy.is_some());
        assert_eq!((&*face.upstream_health, server.workers), ("/well", 7));
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap());
        assert_eq!(face.trusted, networks);
    }
}
