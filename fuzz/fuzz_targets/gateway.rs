//! The gateway's decision: a request leads to the workspace that its fields name, or else its authority, or to the
//! default upstream, and to nobody if there are two ways to read it; what it passes on tells nobody else's story.
//!
//! Input: a line with a workspace network and, after a space, a default upstream or none, and a request's head.

#![no_main]

use http::Method;
use ipnet::Ipv4Net;
use libfuzzer_sys::fuzz_target;
use tabport_engine::authority::{Authority, Host};
use tabport_engine::decide::Action;
use tabport_engine::decide::gateway::{Rules, decide};
use tabport_engine::fuzzing;
use tabport_engine::head::RequestHead;
use tabport_engine::route::Upstream;
use tabport_engine::target::Target;
use tabport_engine::workspace::Workspaces;
use tabport_fuzz::{input, rules};

const ID: &str = "0123456789abcdef";

fuzz_target!(|data: &[u8]| {
    let _ = run(data);
});

fn run(mut data: &[u8]) -> Option<()> {
    let line = input::line(&mut data)?;
    let (net, default) = line.split_once(' ').unwrap_or((line, ""));
    let net: Ipv4Net = net.parse().ok()?;
    let default_upstream = if default.is_empty() { None } else { Some(default.parse().ok()?) };
    let workspaces = Workspaces::Net(net.try_into().ok()?);
    let rules = Rules { workspaces, default_upstream, id: ID.into() };
    let head = input::head(data)?;
    let action = decide(&head, &rules).ok()?;
    let connects = head.method == Method::CONNECT && head.protocol.is_none();
    let upstream = check_kind(&action, connects);

    let sent = rules::lines(&head.fields);
    let asked = Target::of(&head, None).expect("what was decided has a target").authority;
    let told = rules::routing(&sent).expect("a routing field can be read in two ways");
    let named = if connects { None } else { rules::named(&asked) };
    let port = told.port.or(named.as_ref().map(|(_, port)| *port));
    assert_eq!(Some(upstream.authority.port), port, "another port than was asked for");
    let workspace = told.workspace.or(named.map(|(workspace, _)| workspace));
    let host = match workspace {
        Some(name) => rules::address(net, &name).map(|ip| Host::Ip(ip.into())),
        None => rules.default_upstream,
    };
    assert_eq!(Some(&upstream.authority.host), host.as_ref(), "another host than was asked for");
    if let Action::Forward(upstream) = &action {
        check_passed_on(head, upstream, told.host, &asked);
    }
    Some(())
}

/// A CONNECT leads through a tunnel, unread, and nothing else does; nothing is answered without an upstream.
fn check_kind(action: &Action, connects: bool) -> &Upstream {
    match action {
        Action::Tunnel { upstream, .. } if connects => upstream,
        Action::Forward(upstream) | Action::Upgrade(upstream) if !connects => upstream,
        other => panic!("a gateway came to {other:?}"),
    }
}

/// Room for what the engine adds to a head must be left.
const MOST_FIELDS: usize = 128;

fn check_passed_on(
    head: RequestHead,
    upstream: &Upstream,
    told: Option<String>,
    asked: &Authority,
) {
    let sent = rules::lines(&head.fields);
    if sent.len() > MOST_FIELDS {
        return;
    }
    let origin_form = matches!(head.target.first(), Some(b'/' | b'*'));
    let bytes = fuzzing::forwarded(head, upstream);
    let next = input::head(&bytes).expect("what is passed on is a request");
    let lines = rules::lines(&next.fields);
    assert!(!lines.iter().any(|(name, _)| name == "proxy-authorization"), "the token is told");

    let host = rules::only(&lines, "host").flatten().expect("one Host");
    match (told, rules::only(&sent, "host").flatten().filter(|_| origin_form)) {
        (Some(told), _) => assert_eq!(host, told, "another Host than the override"),
        (None, Some(sent)) => assert_eq!(host, sent, "another Host than was sent"),
        (None, None) => assert_eq!(
            Authority::parse(&host, Some(443)).map(|it| it.host).as_ref(),
            Ok(&asked.host)
        ),
    }
    let own: Vec<_> =
        lines.iter().filter(|(name, _)| name.replace('_', "-").starts_with("x-cmux-")).collect();
    let [(name, _)] = own[..] else { panic!("{} routing fields", own.len()) };
    assert_eq!(name, "x-cmux-proxied");
    let passed = rules::list(&lines, "x-cmux-proxied");
    let (last, before) = passed.split_last().expect("this gateway is named");
    assert!(last == ID && before.len() < 8 && !before.contains(last), "{passed:?}");
}
