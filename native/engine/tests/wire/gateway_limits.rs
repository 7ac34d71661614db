//! A gateway's limits: each workspace has its own.

use std::num::NonZeroU32;

use tabport_engine::{ContextLimits, Face, Limits, ServerOptions};

use crate::gateway::{options, workspaces};
use crate::harness::{Origin, Peer, Proxy, field, status};

async fn ask(client: &mut Peer, workspace: u32, server: &Origin) {
    let port = server.port();
    let host = format!("workspace-{workspace}-{port}.localhost");
    client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
}

#[tokio::test]
async fn one_workspace_that_is_busy_leaves_the_other_its_places() {
    let one = NonZeroU32::new(1);
    let context =
        ContextLimits { concurrent_requests: one, tunnels: one, ..ContextLimits::default() };
    let limits = Limits { context, ..Limits::default() };
    let face = Face::Gateway(options());
    let proxy = Proxy::with(ServerOptions { limits, face, ..ServerOptions::default() });
    let (busy, free) = workspaces().await;
    let mut first = proxy.connect().await;
    ask(&mut first, 1, &busy).await;
    let mut upstream = busy.accept().await;
    upstream.head().await;

    let mut second = proxy.connect().await;
    ask(&mut second, 1, &busy).await;
    let (head, _) = second.response().await;
    assert_eq!(status(&head), 503);
    assert!(field(&head, "retry-after").is_some(), "{head}");
    ask(&mut second, 2, &free).await;
    free.answer("ok").await;
    assert_eq!(status(&second.response().await.0), 200);

    upstream.answer("ok").await;
    first.response().await;
    ask(&mut first, 1, &busy).await;
    upstream.head().await;
    upstream.answer("again").await;
    assert_eq!(first.response().await.1, "again");
}
