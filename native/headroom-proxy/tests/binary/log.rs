//! One line of JSON for each exchange, at its end.

use serde_json::Value;

use crate::harness::{Origin, status};
use crate::program::Program;

/// What every line of an exchange has.
fn has_all(line: &Value) {
    let fields = &line["fields"];
    for name in ["request_id", "method", "path", "protocol", "outcome"] {
        assert!(fields[name].is_string(), "{name}: {line}");
    }
    for name in ["status", "bytes_up", "bytes_down", "first_byte_ms", "duration_ms"] {
        assert!(fields[name].is_number(), "{name}: {line}");
    }
    assert!(line["timestamp"].is_string() && line["target"] == "headroom_proxy", "{line}");
    assert!(fields["duration_ms"].as_f64() >= fields["first_byte_ms"].as_f64(), "{line}");
}

#[tokio::test]
async fn row_43_a_line_says_what_has_become_of_an_exchange() {
    let origin = Origin::start().await;
    let mut proxy = Program::to(&origin, &[]).await;
    let mut client = proxy.connect().await;
    client
        .send("POST /v1/x?q=1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-1\r\nContent-Length: 4\r\n\r\nbody")
        .await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.expect("body").await;
    upstream.send("HTTP/1.1 201 Created\r\nContent-Length: 6\r\n\r\nanswer").await;
    assert_eq!(status(&client.response().await.0), 201);
    let line = proxy.next("forwarded").await;
    has_all(&line);
    let fields = &line["fields"];
    for (name, expected) in [
        ("request_id", Value::from("id-1")),
        ("method", "POST".into()),
        ("path", "/v1/x".into()),
        ("status", 201.into()),
        ("bytes_up", 4.into()),
        ("bytes_down", 6.into()),
        ("protocol", "http".into()),
        ("outcome", "complete".into()),
    ] {
        assert_eq!(fields[name], expected, "{line}");
    }
    assert_eq!((&line["level"], &fields["error"]), (&"INFO".into(), &Value::Null));
}

#[tokio::test]
async fn row_43_what_goes_wrong_is_told_with_its_name() {
    let origin = Origin::start().await;
    let mut proxy = Program::to(&origin, &[]).await;
    let mut client = proxy.connect().await;
    client.send("GET /cut HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-1\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nans").await;
    client.head().await;
    client.expect("ans").await;
    drop(upstream);
    let line = proxy.next("forwarded").await;
    has_all(&line);
    let fields = &line["fields"];
    assert_eq!((&line["level"], &fields["outcome"]), (&"WARN".into(), &"aborted".into()));
    assert_eq!((&fields["request_id"], &fields["bytes_down"]), (&"id-1".into(), &3.into()));
    assert_eq!(fields["error"], "http_response_incomplete");

    let mut client = proxy.connect().await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-2\r\n\r\n").await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    drop(client);
    let line = proxy.next("forwarded").await;
    has_all(&line);
    assert_eq!((&line["level"], &line["fields"]["outcome"]), (&"INFO".into(), &"aborted".into()));

    let mut client = proxy.connect().await;
    client.send("nonsense\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 400);
    let line = proxy.next("refused").await;
    assert!(line["fields"]["request_id"].is_string(), "{line}");
}

#[tokio::test]
async fn row_43_a_websocket_is_one_line_at_its_end() {
    let origin = Origin::start().await;
    let mut proxy = Program::to(&origin, &[]).await;
    let mut client = proxy.connect().await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    client.send(format!("GET /ws?k=1 HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n")).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send(format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\n")).await;
    assert_eq!(status(&client.head().await), 101);
    client.send("ping!").await;
    upstream.expect("ping!").await;
    upstream.send("pong").await;
    client.expect("pong").await;
    drop(client);
    drop(upstream);
    let line = proxy.next("forwarded").await;
    has_all(&line);
    let fields = &line["fields"];
    assert_eq!((&fields["protocol"], &fields["status"]), (&"ws".into(), &101.into()));
    assert_eq!((&fields["bytes_up"], &fields["bytes_down"]), (&5.into(), &4.into()));
    assert_eq!((&fields["path"], &fields["outcome"]), (&"/ws".into(), &"complete".into()));
    proxy.signal("TERM").await;
    assert_eq!(proxy.ended().await.0, Some(0));
    let lines = proxy.printed.iter().filter(|line| line.contains("\"forwarded\"")).count();
    assert_eq!(lines, 1, "{:?}", proxy.printed);
}
