//! The command that asks a running one how it is.

use crate::harness::Origin;
use crate::program::{Program, outcome, program};

#[tokio::test]
async fn a_command_asks_for_health() {
    let origin = Origin::start().await;
    let mut proxy = Program::to(&origin, &[]).await;
    let address = proxy.address.to_string();
    let health = async || outcome(&mut program(&["health", &address])).await;
    assert_eq!(health().await, (Some(0), String::new()));
    // Where it listens is told to both by the same variable; nobody is reached at a wildcard itself.
    let anywhere = format!("0.0.0.0:{}", proxy.address.port());
    let mut by_environment = program(&["health"]);
    by_environment.env("HEADROOM_PROXY_LISTEN", anywhere);
    by_environment.env("HEADROOM_PROXY_UPSTREAM", "http://a.test");
    assert_eq!(outcome(&mut by_environment).await, (Some(0), String::new()));
    origin.was_never_dialled().await;

    proxy.signal("TERM").await;
    proxy.ended().await;
    let (code, said) = health().await;
    assert_eq!(code, Some(1));
    assert!(said.contains("does not answer"), "{said}");
    let stranger = origin.address().to_string();
    let mut program = program(&["health", &stranger]);
    let asked = outcome(&mut program);
    let answer = async {
        let mut peer = origin.accept().await;
        peer.head().await;
        peer.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
    };
    let ((code, said), ()) = tokio::join!(asked, answer);
    assert_eq!((code, said.contains("answers 503")), (Some(1), true), "{said}");
}

#[tokio::test]
async fn what_has_no_address_cannot_be_asked() {
    for listen in ["systemd", "fd:3"] {
        let (code, said) = outcome(&mut program(&["health", listen])).await;
        assert_eq!((code, said.contains("address")), (Some(2), true), "{said}");
    }
    let (code, _) = outcome(&mut program(&["--upstream", "http://a.test", "health"])).await;
    assert_eq!(code, Some(2));
}
