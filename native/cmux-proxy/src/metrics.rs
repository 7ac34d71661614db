//! The engine's counters in the text that Prometheus reads (`OpenMetrics` 1.0).

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tabport_engine::Server;

/// What there is to read.
pub(crate) struct Metrics(Registry);

impl Metrics {
    pub(crate) const CONTENT_TYPE: &str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    pub(crate) fn of(server: &Server) -> Self {
        let mut registry = Registry::with_prefix("cmux_proxy");
        registry.register_collector(Box::new(Counters(server.clone())));
        Self(registry)
    }

    /// The numbers as they are now.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if text::encode(&mut text, &self.0).is_err() {
            tracing::error!("the metrics could not be written");
        }
        text
    }
}

/// Read when somebody asks, so that no request pays for it.
struct Counters(Server);

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counters")
    }
}

impl Collector for Counters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.0.stats();
        for (name, help, now) in [
            ("connections", "Downstream connections that carry requests", stats.connections),
            ("requests_in_flight", "Requests in flight", stats.requests),
            ("tunnels", "Open tunnels, those of upgrades included", stats.tunnels),
            (
                "upstream_connections",
                "Upstream connections that carry requests, idle ones included",
                stats.upstream_connections,
            ),
        ] {
            let now = i64::try_from(now).unwrap_or(i64::MAX);
            write(&mut encoder, name, help, &ConstGauge::new(now))?;
        }
        for (name, help, total) in [
            ("accepted_connections", "Downstream connections accepted", stats.total.connections),
            ("requests", "Requests let in", stats.total.requests),
            ("opened_tunnels", "Tunnels opened", stats.total.tunnels),
            (
                "sent_upstream_bytes",
                "Bytes of bodies and tunnels sent upstream",
                stats.total.bytes_up,
            ),
            (
                "sent_downstream_bytes",
                "Bytes of bodies and tunnels sent downstream",
                stats.total.bytes_down,
            ),
        ] {
            write(&mut encoder, name, help, &ConstCounter::new(total))?;
        }
        Ok(())
    }
}

fn write(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
