//! The way to the upstream: directly unless it is said otherwise, and with whose certificates.

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::harness::{Origin, status};
use crate::program::{Program, program};

/// A name that is not on this machine, so that a proxy would be asked for it.
const ELSEWHERE: &str = "http://upstream.invalid:1";

#[tokio::test]
async fn row_41_the_environment_is_obeyed_only_when_it_is_asked_for() {
    let next = Origin::start().await;
    let url = next.url();
    for (arguments, through) in [
        (&[][..], false),
        (&["--upstream-proxy", "env"], true),
        (&["--upstream-proxy", &url], true),
    ] {
        let fixed = ["--listen", "127.0.0.1:0", "--upstream", ELSEWHERE];
        let mut command = program(&[&fixed, arguments].concat());
        for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env(variable, &url);
        }
        command.env_remove("NO_PROXY").env_remove("no_proxy");
        let proxy = Program::run(&mut command).await;
        let mut client = proxy.connect().await;
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
        if through {
            let mut tunnel = next.accept().await;
            let head = tunnel.head().await;
            assert!(head.starts_with("CONNECT upstream.invalid:1 HTTP/1.1\r\n"), "{head}");
            tunnel.send("HTTP/1.1 200 OK\r\n\r\n").await;
            assert!(tunnel.head().await.starts_with("GET /x HTTP/1.1\r\n"));
            tunnel.answer("ok").await;
            assert_eq!(client.response().await.1, "ok");
        } else {
            assert_eq!(status(&client.response().await.0), 502);
            next.was_never_dialled().await;
        }
    }
}

/// A server that speaks TLS with a certificate for 127.0.0.1, signed by itself; the file of that.
async fn tls_server(folder: &TempDir) -> (std::net::SocketAddr, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(tls) = acceptor.accept(socket).await {
                let mut peer = crate::harness::Peer(tls);
                peer.head().await;
                peer.answer("secure").await;
            }
        }
    });
    (address, file.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn other_authorities_are_added_by_a_flag_or_put_in_place_by_the_environment() {
    let folder = TempDir::new().unwrap();
    let (address, file) = tls_server(&folder).await;
    let url = format!("https://{address}");
    let fixed = ["--listen", "127.0.0.1:0", "--upstream", &url];
    let plain = program(&fixed);
    let flag = program(&[&fixed[..], &["--extra-ca", &file]].concat());
    let mut environment = program(&fixed);
    environment.env("SSL_CERT_FILE", &file);
    for (mut command, expected) in [(plain, 502), (flag, 200), (environment, 200)] {
        let proxy = Program::run(&mut command).await;
        let mut client = proxy.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(status(&client.response().await.0), expected);
    }
}
