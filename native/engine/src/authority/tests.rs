//! Which texts are hosts and ports, and which of these are loopback.

use std::collections::HashSet;

use super::*;

#[test]
fn a_field_is_the_text_without_the_schemes_own_port() {
    for (text, http, https) in [
        ("a.test:80", "a.test", "a.test:80"),
        ("a.test.:443", "a.test.:443", "a.test."),
        ("127.0.200.9:65535", "127.0.200.9:65535", "127.0.200.9:65535"),
        ("[::1]:443", "[::1]:443", "[::1]"),
    ] {
        let authority: Authority = text.parse().unwrap();
        let fields = [Scheme::Http, Scheme::Https].map(|scheme| authority.field(scheme));
        assert_eq!(fields, [http, https]);
    }
}

fn host(text: &str) -> Host {
    text.parse().unwrap_or_else(|_| panic!("{text} is a host"))
}

#[test]
fn loopback_is_told_by_the_parsed_host() {
    let loopback = [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "app.localhost",
        "a.b.LocalHost.",
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.1.2.3]",
        "[::ffff:0.0.0.0]",
        "[::127.0.0.1]",
    ];
    for text in loopback {
        assert!(host(text).is_loopback(), "{text} is loopback");
    }
    let elsewhere = [
        "localhost.evil.test",
        "127.evil.com",
        "127.0.0.1.evil.test",
        "notlocalhost",
        "128.0.0.1",
        "10.0.0.1",
        "[::2]",
        "[::ffff:10.0.0.1]",
        "xlocalhost",
        "localhost-x",
        "1.localhost.test",
    ];
    for text in elsewhere {
        assert!(!host(text).is_loopback(), "{text} is not loopback");
    }
}

#[test]
fn case_and_one_dot_make_no_other_host() {
    let same = [("localhost:80", "LocalHost.:80"), ("a.example.:1", "A.Example:1")];
    for (one, other) in same {
        let [one, other]: [Authority; 2] = [one, other].map(|text| text.parse().unwrap());
        assert_eq!(one, other);
        assert!(HashSet::from([one]).contains(&other), "{other} is not found");
    }
    let others = [("localhost:80", "localhost:81"), ("a.example:1", "b.example:1")];
    for (one, other) in others.into_iter().chain([("127.0.0.1:1", "localhost:1")]) {
        assert_ne!(one.parse::<Authority>(), other.parse(), "{one} and {other}");
    }
    assert_eq!(host("a.example.").to_string(), "a.example.");
    assert!("a..:1".parse::<Authority>().is_err());
}

#[test]
fn an_authority_round_trips_or_is_refused() {
    for text in ["localhost:3000", "[::1]:443", "127.0.0.1:1", "a-b.example:65535"] {
        assert_eq!(text.parse::<Authority>().unwrap().to_string(), text);
    }
    let refused = [
        "",
        "localhost",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:+80",
        ":80",
        "localhost:80:80",
        "user@localhost:80",
        "[::1]",
        "[::1:443",
        "::1:443",
        "local host:80",
        "localhost:80/",
        "a..b:80",
        "[fe80::1%25eth0]:80",
        "localhost:８０",
    ];
    for text in refused {
        assert_eq!(text.parse::<Authority>(), Err(InvalidAuthority), "{text}");
    }
}
