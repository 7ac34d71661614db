//! Whether there is another proxy on the way to the upstream. What the environment says of that counts only where it is
//! asked for: a proxy that obeyed it unasked could lead into itself, or past what it was started for.

use std::env;

use ipnet::IpNet;
use tabport_engine::authority::{Host, Scheme};
use tabport_engine::{BaseUrl, InvalidProxy, NextProxy, UpstreamProxy};

/// Reads `env`, or a proxy's URL. An error does not repeat it: there may be credentials in it.
pub(crate) fn read(text: &str, upstream: &BaseUrl) -> Result<Option<UpstreamProxy>, InvalidProxy> {
    let url = if text == "env" { of_environment(upstream) } else { Some(text.to_owned()) };
    let proxy = url.map(|url| url.parse::<NextProxy>()).transpose()?;
    Ok(proxy.map(UpstreamProxy::Fixed))
}

/// What curl would take.
fn of_environment(upstream: &BaseUrl) -> Option<String> {
    let variable = |name: &str| {
        let either = env::var(name.to_ascii_lowercase()).or_else(|_| env::var(name));
        either.ok().filter(|value| !value.is_empty())
    };
    if variable("NO_PROXY").is_some_and(|list| is_among(&upstream.authority.host, &list)) {
        return None;
    }
    let name = match upstream.scheme {
        Scheme::Http => "HTTP_PROXY",
        Scheme::Https => "HTTPS_PROXY",
    };
    variable(name).or_else(|| variable("ALL_PROXY"))
}

/// Whether a host is on a list of hosts, domains and networks.
fn is_among(host: &Host, list: &str) -> bool {
    list.split(',').map(str::trim).any(|entry| match host {
        _ if entry == "*" => true,
        Host::Ip(ip) => {
            let network = entry.parse::<IpNet>().is_ok_and(|network| network.contains(ip));
            network || entry.parse::<Host>().is_ok_and(|other| other == *host)
        }
        Host::Name(name) => {
            let entry = entry.trim_start_matches('.').to_ascii_lowercase();
            let name = name.trim_end_matches('.');
            let before = name.strip_suffix(&*entry).filter(|_| !entry.is_empty());
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_domains_and_networks_are_left_alone() {
        for (host, list, expected) in [
            ("api.test", "api.test", true),
            ("a.api.test", "x, .API.test", true),
            ("api.test", ".api.test", true),
            ("notapi.test", "api.test", false),
            ("api.test", "", false),
            ("api.test", "*", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4,.3", false),
        ] {
            assert_eq!(is_among(&host.parse().unwrap(), list), expected, "{host} {list}");
        }
    }
}
