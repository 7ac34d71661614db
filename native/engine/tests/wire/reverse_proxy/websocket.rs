//! WebSocket by bytes: the upstream's own answer, its subprotocol and its extensions, and frames that nobody reads.

use bytes::Bytes;
use h2::ext::Protocol;
use http::{Method, Request};
use tabport_engine::{Face, ServerOptions};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{options, passed, set_up, start};
use crate::harness::{DEADLINE, Origin, Peer, Proxy, field, pattern, status};
use crate::stream::{answered, speak};
use crate::tls::CertificateAuthority;
use crate::websocket_http2::accepts;

const ASK: &str = "GET /ws?t=1 HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: vite-hmr, other\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nX-Request-Id: 1\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: vite-hmr\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n";

async fn open(proxy: &Proxy, origin: &Origin) -> (Peer, Peer) {
    let mut client = proxy.connect().await;
    client.send(ASK).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send(format!("{SWITCH}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")).await;
    client.expect(format!("{SWITCH}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")).await;
    (client, upstream)
}

#[tokio::test]
async fn row_36_the_upstreams_subprotocol_is_what_the_client_hears() {
    let (proxy, origin) = set_up().await;
    let mut client = proxy.connect().await;
    client.send(ASK).await;
    let mut upstream = origin.accept().await;
    let head = passed(&mut upstream).await;
    assert_eq!(head.first, "GET /ws?t=1 HTTP/1.1");
    let host = format!("Host: {}", origin.address());
    let expected = [
        &*host,
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: vite-hmr, other",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Connection: Upgrade",
        "Upgrade: WebSocket",
    ];
    assert_eq!(head.others, expected);
    upstream.send(format!("{SWITCH}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")).await;
    client.expect(format!("{SWITCH}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")).await;
}

/// A frame of so many bytes, as a client masks it.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, 0x80 | 127];
    frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

async fn cross<S: AsyncRead + AsyncWrite + Unpin>(from: &mut Peer<S>, to: &mut Peer, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    let both = async { tokio::join!(from.0.write_all(bytes), to.0.read_exact(&mut read)) };
    let (sent, received) = timeout(DEADLINE, both).await.expect("it stands still");
    sent.unwrap();
    received.unwrap();
    assert!(read == bytes, "the bytes are others");
}

#[tokio::test]
async fn row_34_frames_of_every_kind_and_size_cross_unread() {
    let (proxy, origin) = set_up().await;
    let (mut client, mut upstream) = open(&proxy, &origin).await;
    for (opcode, payload) in [(1, &b"text"[..]), (2, b"\x00\xff"), (9, b"ping"), (10, b"pong")] {
        let frame = frame(opcode, payload);
        cross(&mut client, &mut upstream, &frame).await;
        cross(&mut upstream, &mut client, &frame).await;
    }
    let large = frame(2, &pattern(16 << 20, 3));
    cross(&mut client, &mut upstream, &large).await;
    cross(&mut upstream, &mut client, &large).await;
    let many: Vec<u8> =
        (0..10_000_u32).flat_map(|number| frame(1, &number.to_be_bytes())).collect();
    cross(&mut client, &mut upstream, &many).await;
    cross(&mut upstream, &mut client, &many).await;
    // Code 1001 and a reason, and then the end of either side.
    cross(&mut upstream, &mut client, b"\x88\x05\x03\xe9bye").await;
    upstream.finish().await;
    assert_eq!(client.rest().await, b"");
    client.send(frame(8, b"\x03\xe9bye")).await;
    client.finish().await;
    assert_eq!(upstream.rest().await, frame(8, b"\x03\xe9bye"));
}

#[tokio::test]
async fn row_35_a_refusal_is_what_the_client_hears_and_never_a_101() {
    let (proxy, origin) = set_up().await;
    for refusal in ["401 Unauthorized", "404 Not Found", "200 OK", "426 Upgrade Required"] {
        let mut client = proxy.connect().await;
        client.send(ASK).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        let response = format!(
            "HTTP/1.1 {refusal}\r\nX-Request-Id: 1\r\nWWW-Authenticate: Bearer\r\n\
             Content-Length: 2\r\n\r\nno"
        );
        upstream.send(&response).await;
        client.expect(&response).await;
    }
    let dead = start(options(&Origin::start().await.url()));
    let mut client = dead.connect().await;
    client.send(ASK).await;
    assert_eq!(status(&client.response().await.0), 502);
}

#[tokio::test]
async fn row_38_an_upstream_with_https_is_asked_inside_tls() {
    let ca = CertificateAuthority::new();
    let origin = ca.origin("origin.test", &["h2", "http/1.1"]).await;
    let face = Face::ReverseProxy(options("https://origin.test"));
    let proxy = Proxy::with(ServerOptions { face, ..ca.options(&[("origin.test:443", &origin)]) });
    let mut client = proxy.connect().await;
    client.send(ASK).await;
    let mut upstream = origin.accept().await;
    assert_eq!(upstream.alpn(), Some(&b"http/1.1"[..]));
    let head = upstream.head().await;
    assert_eq!(field(&head, "host"), Some("origin.test"), "{head}");
    upstream.send(format!("{SWITCH}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")).await;
    assert_eq!(status(&client.head().await), 101);
    client.send("ping").await;
    upstream.expect("ping").await;
}

#[tokio::test]
async fn row_37_compressed_frames_cross_as_they_are() {
    let (proxy, origin) = set_up().await;
    let (mut client, mut upstream) = open(&proxy, &origin).await;
    // The bit that says "compressed" (RFC 7692), and "Hello" as section 7.2.3.1 has it.
    let compressed = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    cross(&mut client, &mut upstream, compressed).await;
    cross(&mut upstream, &mut client, compressed).await;
}

/// RFC 8441.
#[tokio::test]
async fn row_35_and_36_over_http_2_it_is_the_same() {
    let (proxy, origin) = set_up().await;
    let mut sender = speak(TcpStream::connect(proxy.server.local_addr()).await.unwrap()).await;
    let ask = || {
        Request::builder()
            .method(Method::CONNECT)
            .uri("http://a.test/ws?t=1")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "vite-hmr")
            .extension(Protocol::from_static("websocket"))
            .body(())
            .unwrap()
    };
    let (response, mut up) = sender.send_request(ask(), false).unwrap();
    let mut upstream = origin.accept().await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET /ws?t=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "x-forwarded-host"), Some("a.test"), "{head}");
    let accept = accepts(&head);
    upstream
        .send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: vite-hmr\r\n\r\n"
        ))
        .await;
    let response = answered(response).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], "vite-hmr");
    up.send_data(Bytes::from_static(b"ping"), false).unwrap();
    upstream.expect("ping").await;

    let (response, _up) = sender.send_request(ask(), false).unwrap();
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(answered(response).await.status(), 401);
}
