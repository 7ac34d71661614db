//! From a provider's preview URL to a route, and from a route to the URL of a port.
//!
//! Both ways go by one grammar, so what comes back is the URL that was given, or it is refused: a host that no
//! known provider makes, and one that can be read in two ways.

use super::pattern::Reading;
use super::provider::{Provider, ambiguous, given_domain};
use super::template::{Template, with_short_labels};
use super::{Route, RouteError, refuse};
use crate::authority::{Authority, Host, Scheme};

const FIELD: &str = "url";

/// What a provider's preview URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewUrl {
    /// Whose it is.
    pub provider: Provider,
    /// The port that the URL leads to.
    pub port: u16,
    /// The route that leads to the same workspace, by template.
    pub upstream: String,
}

impl PreviewUrl {
    /// Reads a URL. `more` are domains of a provider's hosts besides those that are known.
    pub fn parse(url: &str, more: &[(Provider, String)]) -> Result<Self, RouteError> {
        let (scheme, authority) = origin(url)?;
        let known = known_domains(more)?;
        // An address is under no domain.
        let host = authority.host.to_string();
        let places: Vec<_> = known.iter().filter_map(|known| Place::of(&host, known)).collect();
        let readings: Vec<_> = places.iter().flat_map(Place::read).collect();
        let (place, reading, port) = match &*readings {
            [only] => only,
            [] => return Err(unread(&places)),
            [(place, one, _), (elsewhere, other, _), ..] => {
                let why = ambiguous((place.provider, one), (elsewhere.provider, other));
                return Err(refuse(FIELD, why));
            }
        };
        let origin_port = match authority.port {
            port if port == scheme.default_port() => String::new(),
            port => format!(":{port}"),
        };
        let (scheme, host) = (scheme.as_str(), reading.template());
        let upstream = format!("{scheme}://{host}{}{origin_port}", place.domain);
        // The host of the longest port has to be one too.
        Template::parse(FIELD, &upstream)?;
        Ok(Self { provider: place.provider, port: *port, upstream })
    }
}

impl Route {
    /// The origin that leads to this port by the route.
    pub fn url(&self, port: u16) -> Result<String, RouteError> {
        if port == 0 {
            return Err(refuse("port", "is not a port from 1 to 65535"));
        }
        let upstream = self.lead(&Authority { host: Host::Name("localhost".into()), port });
        if upstream.routing.is_some() {
            return Err(refuse(
                "cmuxProxyOrigin",
                "has one origin for every port: none leads to this one",
            ));
        }
        Ok(format!("{}://{}", upstream.scheme.as_str(), upstream.authority.field(upstream.scheme)))
    }
}

/// Only what stands before the path counts: the rest may well be secret.
fn origin(url: &str) -> Result<(Scheme, Authority), RouteError> {
    let none = || refuse(FIELD, "is not an http or https URL with a host");
    let (scheme, rest) = url.split_once("://").ok_or_else(none)?;
    let scheme = [Scheme::Http, Scheme::Https]
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known.as_str()))
        .ok_or_else(none)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = Authority::parse(authority, Some(scheme.default_port())).map_err(|_| none())?;
    Ok((scheme, with_short_labels(FIELD, authority)?))
}

fn known_domains(more: &[(Provider, String)]) -> Result<Vec<(Provider, String)>, RouteError> {
    let own = Provider::ALL.iter().flat_map(|provider| {
        provider.domains().iter().map(|domain| (*provider, (*domain).to_owned()))
    });
    let mut known: Vec<_> = own.collect();
    for (provider, domain) in more {
        let domain = (*provider, given_domain("domains", domain)?);
        if !known.contains(&domain) {
            known.push(domain);
        }
    }
    Ok(known)
}

/// A host that is under a domain of a provider's.
struct Place<'a> {
    provider: Provider,
    /// What stands before the domain, which is what a grammar is about.
    name: &'a str,
    /// The rest of the host, from its dot on.
    domain: &'a str,
}

impl<'a> Place<'a> {
    fn of(host: &'a str, (provider, domain): &(Provider, String)) -> Option<Self> {
        let name = host.strip_suffix('.').unwrap_or(host);
        let name = name.strip_suffix(domain.as_str())?.strip_suffix('.')?;
        Some(Self { provider: *provider, name, domain: host.strip_prefix(name)? })
    }

    fn read(&self) -> impl Iterator<Item = (&Self, Reading<'a>, u16)> {
        let readings = self.provider.read(self.name).into_iter();
        readings.filter_map(move |reading| reading.port().map(|port| (self, reading, port)))
    }
}

/// Says what was expected, of the providers that it could have been or else of all.
fn unread(places: &[Place<'_>]) -> RouteError {
    let expected = |provider: Provider, domain: &str| format!("{}{domain}", provider.grammar());
    let of_places = places.iter().map(|place| expected(place.provider, place.domain));
    let of_all = Provider::ALL.into_iter().map(|provider| {
        provider.domains().first().map_or_else(
            || expected(provider, ".DOMAIN"),
            |domain| expected(provider, &format!(".{domain}")),
        )
    });
    let (what, expected): (_, Vec<_>) = if places.is_empty() {
        ("is of no known provider and domain", of_all.collect())
    } else {
        ("does not name a port as its provider would", of_places.collect())
    };
    refuse(FIELD, format!("{what}: expected the host {}", expected.join(" or ")))
}

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;
