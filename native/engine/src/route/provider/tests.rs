//! Presets by table: what each makes, and which values it refuses.

use super::*;

fn preset(provider: Provider, members: &[(&str, &str)]) -> Result<String, RouteError> {
    provider.preset(|name| {
        members.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

const CMUX: [(&str, &str); 2] = [("id", "abc123"), ("scope", "base")];
const CODER: [(&str, &str); 4] = [
    ("agent", "main"),
    ("workspace", "my-work"),
    ("user", "Dean"),
    ("domain", "*.coder.example.com"),
];
const GITPOD: [(&str, &str); 2] =
    [("workspace", "moccasin-ferret-155799b3"), ("cluster", "ws-eu45")];
const DAYTONA: [(&str, &str); 2] =
    [("sandbox", "3ef16dcf-2668-4b1b"), ("domain", "proxy.daytona.work")];

/// Puts these values in the place of others.
fn with<'a>(
    members: &[(&'a str, &'a str)],
    changed: (&'a str, &'a str),
) -> Vec<(&'a str, &'a str)> {
    let kept = members.iter().filter(|(name, _)| *name != changed.0);
    kept.copied().chain([changed]).collect()
}

#[test]
fn every_provider_has_a_preset() {
    let made = |provider, members: &[_]| preset(provider, members).unwrap();
    assert_eq!(made(Provider::Cmux, &CMUX), "https://cmux-abc123-base-{port}.cmux.app");
    for id in ["abc123", "morphvm_abc123"] {
        let template = "https://port-{port}-morphvm-abc123.http.cloud.morph.so";
        assert_eq!(made(Provider::Morph, &[("id", id)]), template);
    }
    assert_eq!(
        made(Provider::Codespaces, &[("name", "octocat-space-mld5")]),
        "https://octocat-space-mld5-{port}.app.github.dev"
    );
    assert_eq!(
        made(Provider::Gitpod, &GITPOD),
        "https://{port}-moccasin-ferret-155799b3.ws-eu45.gitpod.io"
    );
    assert_eq!(
        made(Provider::Coder, &CODER),
        "https://{port}--main--my-work--dean.coder.example.com"
    );
    assert_eq!(
        made(Provider::E2b, &[("sandbox", "i62mff4ahtr-b0b684e9")]),
        "https://{port}-i62mff4ahtr-b0b684e9.e2b.app"
    );
    assert_eq!(
        made(Provider::Daytona, &DAYTONA),
        "https://{port}-3ef16dcf-2668-4b1b.proxy.daytona.work"
    );
    let elsewhere = with(&CMUX, ("domain", "Cmux.LocalHost"));
    assert_eq!(made(Provider::Cmux, &elsewhere), "https://cmux-abc123-base-{port}.cmux.localhost");
}

#[test]
fn route_field_validation() {
    let bad = ["", "a b", "a.b", "a/b", "a@b", "a\r\nb", "-a", "a-", "é", "a_b", "a:1", "{port}"];
    let fields = [
        (Provider::Cmux, &CMUX[..], "id"),
        (Provider::Cmux, &CMUX, "scope"),
        (Provider::Morph, &[], "id"),
        (Provider::Codespaces, &[], "name"),
        (Provider::Gitpod, &GITPOD, "workspace"),
        (Provider::Gitpod, &GITPOD, "cluster"),
        (Provider::Coder, &CODER, "agent"),
        (Provider::Coder, &CODER, "workspace"),
        (Provider::Coder, &CODER, "user"),
        (Provider::E2b, &[], "sandbox"),
        (Provider::Daytona, &DAYTONA, "sandbox"),
    ];
    for (provider, members, field) in fields {
        for value in bad {
            let error = preset(provider, &with(members, (field, value))).unwrap_err();
            assert_eq!(error.field, field, "{provider:?} {value:?}");
        }
        let left: Vec<_> = members.iter().copied().filter(|(name, _)| *name != field).collect();
        let missing = preset(provider, &left).unwrap_err();
        assert_eq!((missing.field, &*missing.reason), (field, "is missing"), "{provider:?}");
    }
    for value in
        ["", ".", "a b.c", "a..b", ".a.b", "a.b.", "a/b", "a.b:1", "127.0.0.1", "*", "*.*.a"]
    {
        let error = preset(Provider::Coder, &with(&CODER, ("domain", value))).unwrap_err();
        assert_eq!(error.field, "domain", "{value:?}");
    }
    for (provider, members) in [(Provider::Coder, &CODER[..3]), (Provider::Daytona, &DAYTONA[..1])]
    {
        assert_eq!(preset(provider, members).unwrap_err().field, "domain");
    }
}

#[test]
fn what_could_be_read_otherwise_is_not_made() {
    for (field, value) in [("id", "a-b"), ("scope", "b-base")] {
        let error = preset(Provider::Cmux, &with(&CMUX, (field, value))).unwrap_err();
        assert_eq!(error.field, "options");
        assert!(error.reason.starts_with("can be read in two ways"), "{error}");
    }
    let error = preset(Provider::Coder, &with(&CODER, ("agent", "a--b"))).unwrap_err();
    assert_eq!(error.field, "agent");
}

#[test]
fn a_label_has_room_for_every_port() {
    let made = |provider, field, length: usize| {
        let value = "a".repeat(length);
        preset(provider, &[(field, value.as_str())]).map_err(|error| error.reason)
    };
    let long = Err("has a label of more than 63 characters".into());
    for (provider, field, room) in [
        (Provider::E2b, "sandbox", 57),
        (Provider::Codespaces, "name", 57),
        (Provider::Morph, "id", 44),
    ] {
        assert!(made(provider, field, room).is_ok(), "{provider:?}");
        assert_eq!(made(provider, field, room + 1), long, "{provider:?}");
        assert!(made(provider, field, 1 << 20).is_err(), "{provider:?}");
    }
}
