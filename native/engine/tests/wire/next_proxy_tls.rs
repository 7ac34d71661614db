//! Through the next proxy and TLS: to the upstream, to the proxy itself, or both.

use tabport_engine::{ServerOptions, UpstreamProxy};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;

use crate::harness::{Origin, Peer, Proxy};
use crate::next_proxy::{is_told, options};
use crate::tls::{CertificateAuthority, TlsOrigin};

/// Answers a CONNECT as a proxy does, and relays to whatever it was asked for.
async fn relay<S: AsyncRead + AsyncWrite + Unpin>(mut client: Peer<S>, origin: &TlsOrigin) {
    client.expect("CONNECT site.test:443 HTTP/1.1\r\n").await;
    client.head().await;
    client.send("HTTP/1.1 200 OK\r\n\r\n").await;
    let mut upstream = TcpStream::connect(origin.tcp.address()).await.unwrap();
    let _ = copy_bidirectional(&mut client.0, &mut upstream).await;
}

#[tokio::test]
async fn the_upstreams_tls_is_the_upstreams_own() {
    for alpn in [&["http/1.1"][..], &["h2"]] {
        let ca = CertificateAuthority::new();
        let (next, origin) = (Origin::start().await, ca.origin("site.test", alpn).await);
        let upstream_proxy = Some(UpstreamProxy::Fixed(next.url().parse().unwrap()));
        let proxy = Proxy::with(ServerOptions { upstream_proxy, ..ca.options(&[]) });
        let mut client = proxy.connect().await;
        client.send(proxy.context().get("https://site.test/")).await;
        let relayed = async { relay(next.accept().await, &origin).await };
        let seen = async {
            let mut peer = origin.accept().await;
            assert_eq!(peer.sni(), Some("site.test"));
            assert_eq!(peer.alpn(), Some(alpn[0].as_bytes()));
            if alpn == ["http/1.1"] {
                peer.head().await;
                peer.answer("ok").await;
                assert_eq!(client.response().await.1, "ok");
            } else {
                peer.expect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
            }
        };
        tokio::select! { () = relayed => panic!("the relay ended"), () = seen => {} }
    }
}

#[tokio::test]
async fn a_proxy_behind_tls_is_verified_and_spoken_to_inside() {
    let ca = CertificateAuthority::new();
    // One that would speak HTTP/2 if it were asked to.
    let next = ca.origin("proxy.test", &["h2", "http/1.1"]).await;
    let origin = ca.origin("site.test", &["http/1.1"]).await;
    let url = "https://user:pass@proxy.test:8443";
    let upstream_proxy = Some(UpstreamProxy::Fixed(url.parse().unwrap()));
    let options = ca.options(&[("proxy.test:8443", &next)]);
    let proxy = Proxy::with(ServerOptions { upstream_proxy, ..options });
    let mut client = proxy.connect().await;
    client.send(proxy.context().get("https://site.test/")).await;
    let relayed = async {
        let peer = next.accept().await;
        assert_eq!((peer.sni(), peer.alpn()), (Some("proxy.test"), Some(&b"http/1.1"[..])));
        relay(peer, &origin).await;
    };
    let seen = async {
        let _kept = origin.answer("both").await;
        assert_eq!(client.response().await.1, "both");
    };
    tokio::select! { () = relayed => panic!("the relay ended"), () = seen => {} }
}

#[tokio::test]
async fn a_proxy_that_nobody_vouches_for_is_told_nothing() {
    let ca = CertificateAuthority::new();
    let (stranger, trusted) = (
        CertificateAuthority::new().origin("proxy.test", &[]).await,
        ca.origin("a.test", &[]).await,
    );
    for next in [&stranger, &trusted] {
        let url = "https://user:pass@proxy.test:8443";
        let upstream_proxy = Some(UpstreamProxy::Fixed(url.parse().unwrap()));
        let options = ca.options(&[("proxy.test:8443", next)]);
        let proxy = Proxy::with(ServerOptions { upstream_proxy, ..options });
        let mut client = proxy.connect().await;
        client.send(proxy.context().connect("site.test:443")).await;
        next.is_refused().await;
        let text = "the next proxy's certificate is not trusted";
        is_told(&mut client, (502, "tls_certificate_error", text)).await;
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_speak_tls_is_told_as_such() {
    let next = Origin::start().await;
    let proxy = Proxy::with(options(&format!("https://{}", next.address())));
    let mut client = proxy.connect().await;
    client.send(proxy.context().connect("site.test:443")).await;
    let mut upstream = next.accept().await;
    upstream.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let text = "the TLS handshake with the next proxy failed";
    is_told(&mut client, (502, "tls_protocol_error", text)).await;
}
