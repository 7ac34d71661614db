//! TLS with a certificate from files.

use std::fs;
use std::path::PathBuf;

use http::Request;
use tempfile::TempDir;

use crate::gateway::{Gateway, outcome, program};
use crate::harness::{Origin, status};
use crate::stream::{answered, speak};
use crate::tls_client::config;

/// Where a certificate and its key are.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a certificate for 127.0.0.1, signed by itself; its PEM.
    fn renew(&self) -> String {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(self.path("cert.pem"), made.cert.pem()).unwrap();
        fs::write(self.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        made.cert.pem()
    }

    fn flags(&self) -> [String; 4] {
        let path = |name| self.path(name).to_str().unwrap().to_owned();
        ["--tls-cert".into(), path("cert.pem"), "--tls-key".into(), path("key.pem")]
    }
}

async fn start(files: &Files) -> Gateway {
    Gateway::start(&files.flags().each_ref().map(String::as_str)).await
}

#[tokio::test]
async fn alpn_says_which_version_of_http_it_is() {
    let (files, origin) = (Files::new(), Origin::start().await);
    let pem = files.renew();
    let gateway = start(&files).await;
    for alpn in [&["http/1.1"][..], &[]] {
        let client = gateway.connect().await;
        let mut client = client.shake_hands("127.0.0.1", config(&pem, alpn)).await.unwrap();
        let fields = format!("X-Cmux-Port-Internal: {}\r\n", origin.port());
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
        origin.answer("ok").await;
        assert_eq!(status(&client.response().await.0), 200, "{alpn:?}");
    }
    let config = config(&pem, &["h2", "http/1.1"]);
    let client = gateway.connect().await.shake_hands("127.0.0.1", config).await.unwrap();
    assert_eq!(client.0.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut sender = speak(client.0).await;
    let request =
        Request::builder().uri("https://a/").header("x-cmux-port-internal", origin.port());
    let (response, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
    origin.answer("ok").await;
    assert_eq!(answered(response).await.status(), 200);
}

#[tokio::test]
async fn the_files_are_read_again_on_sighup() {
    let files = Files::new();
    let old = files.renew();
    let gateway = start(&files).await;
    let new = files.renew();
    let trusts = async |pem: &str| {
        let client = gateway.connect().await;
        client.shake_hands("127.0.0.1", config(pem, &[])).await.is_ok()
    };
    assert!(trusts(&old).await && !trusts(&new).await);
    gateway.signal("HUP").await;
    while !trusts(&new).await {}
    assert!(!trusts(&old).await);
}

#[tokio::test]
async fn files_that_do_not_fit_are_1_and_half_of_them_2() {
    let (files, others) = (Files::new(), Files::new());
    files.renew();
    others.renew();
    let [_, cert, _, key] = files.flags();
    let [_, _, _, other_key] = others.flags();
    for (cert, key) in [(&cert, &other_key), (&key, &key), (&cert, &cert)] {
        let (code, log) = outcome(&mut program(&["--tls-cert", cert, "--tls-key", key])).await;
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains(&**cert) && !log.contains("PRIVATE KEY"), "{log}");
    }
    assert_eq!(outcome(&mut program(&["--tls-cert", &cert])).await.0, Some(2));
    assert_eq!(outcome(&mut program(&["--tls-key", &key])).await.0, Some(2));
}
