//! What a rustls client with the authority as its only root makes of a server with these settings.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Error, HandshakeKind, RootCertStore,
    ServerConfig, ServerConnection,
};

use super::super::{Certificate, leaf, validity};
use super::{certificates, host};

fn client(authority: &Certificate) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Moves what either side has to say to the other, until both are silent.
fn shake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    name: &str,
) -> Result<ClientConnection, Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut bytes.as_slice()).unwrap();
        server.process_new_packets()?;
        bytes.clear();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut bytes.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(client)
}

#[test]
fn a_client_that_trusts_the_authority_gets_a_chain_and_http2() {
    let certificates = certificates(&[]);
    let client = client(certificates.authority());
    for name in ["localhost", "app.localhost", "127.0.0.1"] {
        let server = certificates.for_host(&host(name), true).unwrap();
        let connection = shake(&client, &server, name).unwrap();
        assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
        let chain = connection.peer_certificates().unwrap();
        assert_eq!((chain.len(), &chain[1]), (2, &certificates.authority.der));
    }
    let http1 = certificates.for_host(&host("localhost"), false).unwrap();
    let connection = shake(&client, &http1, "localhost").unwrap();
    assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[test]
fn a_client_refuses_another_name_and_another_authority() {
    let certificates = certificates(&[]);
    let authority = certificates.authority();
    let leaf = leaf::issue(&certificates.authority, &[host("example.com")], validity::now());
    let server = leaf.unwrap().serve(&certificates.authority, true).unwrap();
    let refused = shake(&client(authority), &server, "example.com").unwrap_err();
    let Error::InvalidCertificate(CertificateError::Other(reason)) = refused else {
        panic!("refused for another reason: {refused}");
    };
    assert!(format!("{reason:?}").contains("NameConstraintViolation"), "{reason:?}");

    let server = certificates.for_host(&host("localhost"), true).unwrap();
    let stranger = super::certificates(&[]);
    let refused = shake(&client(stranger.authority()), &server, "localhost").unwrap_err();
    assert_eq!(refused, Error::InvalidCertificate(CertificateError::UnknownIssuer));
}

#[test]
fn a_session_is_resumed_with_the_same_host_and_http_alone() {
    let certificates = certificates(&[]);
    let client = client(certificates.authority());
    let kind = |name: &str, http2| {
        let server = certificates.for_host(&host(name), http2).unwrap();
        shake(&client, &server, "localhost").unwrap().handshake_kind().unwrap()
    };
    assert_eq!(kind("localhost", true), HandshakeKind::Full);
    assert_eq!(kind("localhost", true), HandshakeKind::Resumed);
    assert_eq!(kind("localhost", false), HandshakeKind::Full);
}
