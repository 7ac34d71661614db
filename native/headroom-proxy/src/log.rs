//! The log: lines of JSON on standard output, from a thread of its own, so that whoever reads them slowly holds up no
//! connection. Lines are lost rather than waited for.

use std::io;
use std::net::SocketAddr;

use tabport_engine::BaseUrl;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

/// The target of what is told at every level.
const ALWAYS: &str = "headroom_proxy::listening";

/// Reads a filter as `RUST_LOG` has it. A word by itself is a level: taken for a target, which it could be as well, a
/// level that is misspelled would show everything.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, String> {
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let is_word = !directive.contains(['=', '[', ':']);
        if is_word && directive.parse::<LevelFilter>().is_err() {
            return Err(format!("{directive:?} is no level; for a target, say TARGET=LEVEL"));
        }
    }
    let filter = EnvFilter::builder().parse(text).map_err(|error| error.to_string())?;
    let always: Directive = format!("{ALWAYS}=info").parse().map_err(|_| "it is no filter")?;
    Ok(filter.add_directive(always))
}

/// Whether a filter lets anything through.
pub(crate) fn tells_of_exchanges(text: &str) -> bool {
    let filter = EnvFilter::builder().parse(text).ok();
    filter.and_then(|filter| filter.max_level_hint()) != Some(LevelFilter::OFF)
}

/// Starts logging. What has been said is written when the guard is dropped.
pub(crate) fn start(filter: EnvFilter) -> WorkerGuard {
    // A line may be as long as a request's head.
    const LINES: usize = 4096;
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES);
    let (writer, guard) = builder.finish(io::stdout());
    tracing_subscriber::fmt()
        .json()
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(writer)
        .init();
    guard
}

/// One line for each address, whatever is logged besides: who has asked for port 0 must know.
pub(crate) fn listening(addresses: &[SocketAddr], upstream: &BaseUrl) {
    for address in addresses {
        tracing::info!(target: ALWAYS, %address, %upstream, "listening");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_all_is_off_nobody_is_told() {
        assert!(!tells_of_exchanges("off"));
        for heard in ["info", "error", "off,headroom_proxy=warn", "off,x[y]=debug"] {
            assert!(tells_of_exchanges(heard), "{heard}");
        }
    }

    #[test]
    fn row_10_a_filter_that_is_none_is_told() {
        for right in
            ["info", "OFF", "tabport_engine=debug,warn", "a::b=trace", "", "info,x[y]=debug"]
        {
            assert!(filter(right).is_ok(), "{right}");
        }
        for wrong in ["verbose", "inof", "info,loud", "a=verbose", "a=b=c"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
