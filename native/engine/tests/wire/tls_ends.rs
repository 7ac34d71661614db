//! The end of a tunnel whose client is inside TLS: one that was said, by a `close_notify`, is told from one that
//! was not (RFC 8446, section 6.1), on both sides.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::harness::{DEADLINE, Origin, Peer, Proxy, status};

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: localhost:3000\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A client inside TLS, and the upstream that has switched to its protocol.
async fn open(proxy: &Proxy) -> (Peer<TlsStream<TcpStream>>, Peer) {
    let origin = Origin::start().await;
    let context = proxy.routed(origin.url());
    let mut client = proxy.inside(&context, "localhost:3000", &["http/1.1"]).await;
    client.send(UPGRADE).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send(SWITCHED).await;
    assert_eq!(status(&client.head().await), 101);
    client.send("up").await;
    upstream.expect("up").await;
    (client, upstream)
}

/// What is still to come, or why that cannot be known.
async fn end<S: AsyncRead + Unpin>(peer: &mut Peer<S>) -> io::Result<String> {
    let mut rest = String::new();
    let read = timeout(DEADLINE, peer.0.read_to_string(&mut rest)).await.expect("an end");
    read.map(|_| rest)
}

#[tokio::test]
async fn a_client_that_says_it_ends_may_still_listen() {
    let proxy = Proxy::start();
    let (mut client, mut upstream) = open(&proxy).await;
    client.finish().await;
    assert_eq!(end(&mut upstream).await.unwrap(), "");
    upstream.send("late").await;
    upstream.finish().await;
    assert_eq!(end(&mut client).await.unwrap(), "late");
}

#[tokio::test]
async fn a_client_cut_off_resets_the_upstream() {
    let proxy = Proxy::start();
    let (mut client, mut upstream) = open(&proxy).await;
    client.0.get_mut().0.shutdown().await.unwrap();
    assert_eq!(end(&mut upstream).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_upstream_that_ends_is_said_to_have_ended() {
    let proxy = Proxy::start();
    let (mut client, mut upstream) = open(&proxy).await;
    upstream.send("last").await;
    upstream.finish().await;
    assert_eq!(end(&mut client).await.unwrap(), "last");
    client.send("on").await;
    upstream.expect("on").await;
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_not() {
    let proxy = Proxy::start();
    let (mut client, upstream) = open(&proxy).await;
    upstream.reset();
    let kind = end(&mut client).await.unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof), "{kind}");
}
