//! No secret in the log, at any level: keys are planted wherever a client or an upstream may have some, and the whole
//! output is looked through.

use http::Request;
use tokio::net::TcpStream;

use crate::harness::Origin;
use crate::program::Program;
use crate::stream::{answered, speak, text};

/// Planted in a query, in three fields, in both bodies and in a response's field.
const KEYS: [&str; 7] = [
    "key-query",
    "key-authorization",
    "key-cookie",
    "key-api",
    "key-upload",
    "key-answer",
    "key-set",
];

async fn answer(origin: &Origin) {
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream
        .send(
            "HTTP/1.1 200 OK\r\nSet-Cookie: s=key-set\r\nConnection: close\r\n\
             Content-Length: 10\r\n\r\nkey-answer",
        )
        .await;
}

#[tokio::test]
async fn row_43_none_is_logged_at_any_level() {
    let origin = Origin::start().await;
    let mut proxy = Program::to(&origin, &["--log-level", "trace"]).await;
    let head = "Host: a\r\nAuthorization: Bearer key-authorization\r\nCookie: c=key-cookie\r\n\
        x-api-key: key-api\r\n";
    let mut client = proxy.connect().await;
    client
        .send(format!("POST /x?k=key-query HTTP/1.1\r\n{head}Content-Length: 10\r\n\r\nkey-upload"))
        .await;
    answer(&origin).await;
    assert_eq!(client.response().await.1, "key-answer");

    let mut sender = speak(TcpStream::connect(proxy.address).await.unwrap()).await;
    let request = Request::post("http://a/x?k=key-query")
        .header("authorization", "Bearer key-authorization")
        .header("cookie", "c=key-cookie")
        .header("x-api-key", "key-api");
    let (response, mut body) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    body.send_data("key-upload".into(), true).unwrap();
    answer(&origin).await;
    assert_eq!(text(answered(response).await).await.0, "key-answer");

    // Those that fail, too.
    let origin_address = origin.address();
    drop(origin);
    let mut client = proxy.connect().await;
    client.send(format!("GET /x?k=key-query HTTP/1.1\r\n{head}\r\n")).await;
    let (failed, why) = client.response().await;
    assert!(
        !why.contains(&origin_address.to_string()) && !failed.contains("key-"),
        "{failed}{why}"
    );
    let mut client = proxy.connect().await;
    client.send(format!("GET /x?k=key-query HTTP/1.1\r\n{head}Bad Line\r\n\r\n")).await;
    client.response().await;

    proxy.signal("TERM").await;
    let (_, said) = proxy.ended().await;
    assert!(proxy.printed.iter().any(|line| line.contains("\"DEBUG\"")), "it logs little");
    for line in proxy.printed.iter().map(String::as_str).chain(said.lines()) {
        assert_eq!(KEYS.iter().find(|key| line.contains(**key)), None, "{line}");
    }
}
