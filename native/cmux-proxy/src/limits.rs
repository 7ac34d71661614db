//! The flags that say how much there may be at once, how fast, and how long things may take.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::{Args, value_parser};
use tabport_engine::{BreakerLimits, ContextLimits, Limits, Rate, Timeouts};

#[derive(Debug, Args)]
pub(crate) struct LimitArguments {
    /// The most connections at once [default: no limit]
    #[arg(long, value_name = "COUNT")]
    max_connections: Option<NonZeroU32>,
    /// The most requests in flight at once to each workspace [default: no limit]
    #[arg(long, value_name = "COUNT")]
    max_requests: Option<NonZeroU32>,
    /// The most tunnels at once to each workspace, those of upgrades included [default: no limit]
    #[arg(long, value_name = "COUNT")]
    max_tunnels: Option<NonZeroU32>,
    /// The most requests a second to each workspace [default: no limit]
    #[arg(long, value_name = "COUNT")]
    max_rate: Option<NonZeroU32>,
    /// How many of those may come at once, after a time with none [default: those of a second]
    #[arg(long, value_name = "COUNT", requires = "max_rate")]
    max_burst: Option<NonZeroU32>,
    /// The most bytes of a request's line and fields, from 1024 to 1048576
    #[arg(
        long,
        value_name = "COUNT",
        value_parser = value_parser!(u32).range(1024..=1 << 20),
        default_value = "65536"
    )]
    max_head_bytes: u32,
    /// The most fields of a request, up to 32768
    #[arg(
        long,
        value_name = "COUNT",
        value_parser = value_parser!(u32).range(1..=1 << 15),
        default_value = "128"
    )]
    max_head_fields: u32,
    /// After how many attempts to connect that fail in a row a server is left alone [default: never]
    #[arg(long, value_name = "COUNT")]
    breaker_failures: Option<NonZeroU32>,
    /// How long it is left alone then
    #[arg(
        long,
        value_name = "TIME",
        value_parser = humantime::parse_duration,
        default_value = "5s",
        requires = "breaker_failures"
    )]
    breaker_open: Duration,
    /// How long connecting to an upstream may take, its name's resolution included
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    connect_timeout: Duration,
    /// How long a TLS handshake with a client may take
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    tls_handshake_timeout: Duration,
    /// How long a request's head may take, and a connection may wait for the next
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "60s")]
    request_head_timeout: Duration,
    /// How long an upstream may take to answer
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5m")]
    response_head_timeout: Duration,
    /// How long a body or a tunnel may move no byte [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    idle_timeout: Option<Duration>,
    /// How long a tunnel that one side has ended may move no byte
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s")]
    half_close_timeout: Duration,
}

impl LimitArguments {
    pub(crate) fn timeouts(&self) -> Timeouts {
        Timeouts {
            connect: self.connect_timeout,
            tls_handshake: self.tls_handshake_timeout,
            request_head: self.request_head_timeout,
            response_head: self.response_head_timeout,
            idle: self.idle_timeout,
            half_close: self.half_close_timeout,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            head_bytes: self.max_head_bytes,
            head_fields: self.max_head_fields,
            connections: self.max_connections,
            context: ContextLimits {
                concurrent_requests: self.max_requests,
                tunnels: self.max_tunnels,
                rate: self.rate(),
                breaker: self.breaker(),
            },
        }
    }

    fn rate(&self) -> Option<Rate> {
        let rate = |per_second| Rate { per_second, burst: self.max_burst.unwrap_or(per_second) };
        self.max_rate.map(rate)
    }

    fn breaker(&self) -> Option<BreakerLimits> {
        let limits = |failures| BreakerLimits { failures, open: self.breaker_open };
        self.breaker_failures.map(limits)
    }
}
