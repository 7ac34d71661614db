//! The decision: a request gets to the user's own machine only where its context's route names it.
//!
//! Input: a line with a route, a line with a tunnel's authority, a request's head.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tabport_engine::decide::{Action, Scope, forward_proxy};
use tabport_engine::head::RequestHead;
use tabport_engine::headers;
use tabport_engine::route::{Loopback, Route, Upstream};
use tabport_engine::target::Target;
use tabport_fuzz::{input, rules};

fuzz_target!(|data: &[u8]| {
    let _ = run(data);
});

fn run(mut data: &[u8]) -> Option<()> {
    let mut line = data;
    let route = input::route(&mut data)?;
    let local = input::route_fields(input::line(&mut line)?).local.unwrap_or_default();
    let tunnel = input::tunnel(&mut data)?;
    let head = input::head(data)?;
    let scope = Scope { route: route.as_ref(), tunnel: tunnel.as_ref() };
    let action = forward_proxy::decide(&head, &scope).ok()?;
    let asked = Target::of(&head, tunnel.as_ref()).expect("what was decided has a target");
    if let Some(tunnel) = &tunnel {
        assert_eq!(asked, *tunnel, "a request left its tunnel");
    }
    match &action {
        Action::Forward(upstream) | Action::Upgrade(upstream) => {
            check_upstream(upstream, &asked, route.as_ref(), &local);
            check_forwarded(head);
        }
        Action::Tunnel { asked: named, upstream }
        | Action::Intercept { asked: named, upstream } => {
            assert_eq!(*named, asked.authority);
            check_upstream(upstream, &asked, route.as_ref(), &local);
        }
        Action::Respond(_) => {}
        Action::Probe => panic!("only a reverse proxy looks after its upstream"),
    }
    Some(())
}

fn check_upstream(upstream: &Upstream, asked: &Target, route: Option<&Route>, local: &[String]) {
    let own = rules::is_own_machine(&asked.authority);
    let kept = own && local.iter().any(|text| text.parse().as_ref() == Ok(&asked.authority));
    let Some(route) = route.filter(|_| !kept) else {
        assert_eq!((upstream.scheme, &upstream.authority), (asked.scheme, &asked.authority));
        assert!(upstream.routing.is_none(), "routing fields without a route");
        return;
    };
    let led = rules::lead(route, asked.authority.port);
    let by_route = (upstream.scheme, &upstream.authority) == (led.scheme, &led.authority);
    if own {
        assert!(by_route, "{asked:?} got past its route to {upstream}");
        assert_eq!(upstream.routing.is_some(), led.routing.is_some());
    } else {
        assert_eq!(upstream.authority, asked.authority);
        assert!(upstream.routing.is_none(), "routing fields for a public host");
    }
    if rules::is_own_machine(&upstream.authority) || upstream.loopback == Loopback::Allowed {
        assert!(by_route, "{upstream} is the user's own machine, and no route's");
        assert_eq!(led.loopback, Loopback::Allowed);
    }
}

/// Nothing of this hop, no routing field of the client's and no credential goes on.
fn check_forwarded(mut head: RequestHead) {
    let sent = rules::lines(&head.fields);
    headers::strip_request(&mut head.fields);
    assert!(rules::lines(&head.fields) == rules::passed_on(&sent), "other fields are passed on");
    for name in ["host", "authorization", "cookie", "content-length"] {
        let count = |lines: &[rules::Line]| lines.iter().filter(|line| line.0 == name).count();
        assert_eq!(count(&rules::lines(&head.fields)), count(&sent), "{name} was removed");
    }
}
