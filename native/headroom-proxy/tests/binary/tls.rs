//! TLS towards clients, with a certificate from files.

use std::fs;

use http::Request;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::harness::{DEADLINE, Origin, field, status};
use crate::program::{Program, outcome, program};
use crate::stream::{answered, speak};
use crate::tls_client::config;

/// Writes a certificate for 127.0.0.1, signed by itself; its PEM.
fn renew(folder: &TempDir) -> String {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

async fn start(origin: &Origin, folder: &TempDir) -> Program {
    let [cert, key] =
        ["cert.pem", "key.pem"].map(|name| folder.path().join(name).display().to_string());
    Program::to(origin, &["--tls-cert", &cert, "--tls-key", &key]).await
}

#[tokio::test]
async fn row_39_a_browser_may_speak_http_2_or_1_1() {
    let (origin, folder) = (Origin::start().await, TempDir::new().unwrap());
    let pem = renew(&folder);
    let proxy = start(&origin, &folder).await;
    let tls = proxy.connect().await.shake_hands("127.0.0.1", config(&pem, &["http/1.1"])).await;
    let mut client = tls.unwrap();
    client.send("GET /one HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (_, head) = origin.answer("ok").await;
    assert_eq!(field(&head, "x-forwarded-proto"), Some("https"));
    assert_eq!(status(&client.response().await.0), 200);

    let both = config(&pem, &["h2", "http/1.1"]);
    let tls = proxy.connect().await.shake_hands("127.0.0.1", both).await.unwrap();
    assert_eq!(tls.0.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut sender = speak(tls.0).await;
    let request = Request::get("https://a.test/two").body(()).unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    let (_, head) = origin.answer("ok").await;
    assert!(head.starts_with("GET /two HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "x-forwarded-host"), Some("a.test"));
    assert_eq!(answered(response).await.status(), 200);
}

#[tokio::test]
async fn the_files_are_read_again_on_sighup() {
    let (origin, folder) = (Origin::start().await, TempDir::new().unwrap());
    let old = renew(&folder);
    let mut proxy = start(&origin, &folder).await;
    let new = renew(&folder);
    fs::write(folder.path().join("key.pem"), "none").unwrap();
    proxy.signal("HUP").await;
    let line = loop {
        let line = proxy.next_line().await.unwrap();
        if line["level"] == "ERROR" {
            break line;
        }
    };
    assert!(line["fields"]["message"].as_str().unwrap().contains("key.pem"), "{line}");
    let trusts = async |pem: &str| {
        let client = proxy.connect().await;
        client.shake_hands("127.0.0.1", config(pem, &[])).await.is_ok()
    };
    assert!(trusts(&old).await && !trusts(&new).await);
    let new = renew(&folder);
    proxy.signal("HUP").await;
    let shown = async { while !trusts(&new).await {} };
    timeout(DEADLINE, shown).await.expect("the new one is shown");
    assert!(!trusts(&old).await);
}

#[tokio::test]
async fn files_that_do_not_fit_are_1() {
    let folder = TempDir::new().unwrap();
    renew(&folder);
    let key = folder.path().join("key.pem").display().to_string();
    let arguments = ["--upstream", "http://a", "--tls-cert", &key, "--tls-key", &key];
    let (code, said) = outcome(&mut program(&arguments)).await;
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("key.pem") && !said.contains("PRIVATE"), "{said}");
}
