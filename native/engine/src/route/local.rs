//! The exceptions to a route: loopback authorities that stay on the user's own machine.
//!
//! Only loopback may be listed. Any other host is dialled where it says anyway, so naming one here is a
//! mistake about what the list does.

use super::{RouteError, refuse};
use crate::authority::Authority;

const FIELD: &str = "local";

pub(super) fn parse(list: &[String]) -> Result<Box<[Authority]>, RouteError> {
    list.iter().map(|entry| authority(entry)).collect()
}

fn authority(entry: &str) -> Result<Authority, RouteError> {
    let authority: Authority = entry.parse().map_err(|_| {
        refuse(FIELD, "has an entry that is not a host and a port, such as localhost:5173")
    })?;
    if !authority.host.is_loopback() {
        return Err(refuse(FIELD, "has a host that is not loopback: others are never routed"));
    }
    Ok(authority)
}

#[cfg(test)]
mod tests {
    use crate::route::{Loopback, Route, RouteFields};

    fn with_local(local: &[&str]) -> RouteFields {
        RouteFields {
            upstream: Some("https://{port}-abc.preview.example".into()),
            local: Some(local.iter().map(|&entry| entry.into()).collect()),
            ..RouteFields::default()
        }
    }

    #[test]
    fn what_is_listed_is_not_taken() {
        let listed = ["localhost:5173", "[::1]:1", "127.0.0.1:2", "App.LocalHost.:3"];
        let route = Route::parse(&with_local(&listed)).unwrap();
        for authority in
            ["localhost:5173", "LOCALHOST.:5173", "[0:0::1]:1", "127.0.0.1:2", "app.localhost:3"]
        {
            assert!(!route.takes(&authority.parse().unwrap()), "{authority} is taken");
        }
        for authority in ["localhost:5174", "127.0.0.1:5173", "[::1]:5173", "x.localhost:5173"] {
            assert!(route.takes(&authority.parse().unwrap()), "{authority} is not taken");
        }
        assert!(!route.takes(&"elsewhere.example:5173".parse().unwrap()));
    }

    #[test]
    fn an_empty_list_excepts_nothing() {
        let route = Route::parse(&with_local(&[])).unwrap();
        let asked = "localhost:5173".parse().unwrap();
        assert!(route.takes(&asked));
        assert_eq!(route.lead(&asked).loopback, Loopback::Refused);
    }

    #[test]
    fn only_loopback_with_a_port_may_be_listed() {
        for bad in [
            "",
            "localhost",
            "localhost:",
            "localhost:0",
            "localhost:65536",
            "http://localhost:80",
            "localhost:80/",
            "user@localhost:80",
            "localhost:80\r\n",
            "::1:80",
            "localhost.evil.test:80",
            "127.evil.test:80",
            "example.com:80",
            "10.0.0.1:80",
        ] {
            let error = Route::parse(&with_local(&["localhost:1", bad])).unwrap_err();
            assert_eq!(error.field, "local", "{bad:?}");
        }
    }

    #[test]
    fn a_list_alone_is_no_route() {
        for local in [vec![], vec!["localhost:5173".into()]] {
            let alone = RouteFields { local: Some(local), ..RouteFields::default() };
            assert_eq!(Route::parse(&alone).unwrap_err().field, "route");
        }
    }
}
