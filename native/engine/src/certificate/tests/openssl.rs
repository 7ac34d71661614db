//! `openssl verify` and `openssl x509`: what another implementation reads in the certificates.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};

use super::super::{Certificate, Certificates, ListenerLeaf, leaf, listener_hosts, validity};
use super::{Folder, certificates, host};

fn openssl(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().expect("there is an openssl")
}

/// What `openssl x509` shows of a certificate.
fn shown(certificate: &Certificate, options: &[&str]) -> String {
    let folder = Folder::new();
    let file = folder.write("certificate.pem", &certificate.pem);
    let output = openssl(&[&["x509", "-noout", "-in", file.to_str().unwrap()], options].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Verifies with this authority alone; says what `openssl` says against it.
fn verify(authority: &Certificate, leaf: &str, options: &[&str]) -> Result<(), String> {
    let folder = Folder::new();
    let files = [folder.write("authority.pem", &authority.pem), folder.write("leaf.pem", leaf)];
    let [authority, leaf] = files.each_ref().map(|file: &PathBuf| file.to_str().unwrap());
    let fixed = ["verify", "-x509_strict", "-purpose", "sslserver", "-no-CApath", "-no-CAstore"];
    let output = openssl(&[&fixed[..], &["-CAfile", authority], options, &[leaf]].concat());
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8(output.stderr).unwrap())
}

fn leaf_pem(certificates: &Certificates, name: &str) -> String {
    let leaf = leaf::issue(&certificates.authority, &[host(name)], validity::now()).unwrap();
    leaf.certificate.pem
}

#[test]
fn a_leaf_is_for_its_own_host_alone() {
    let certificates = certificates(&["dev.test", "192.0.2.7", "2001:db8::7"]);
    let hosts = [
        ("localhost", "-verify_hostname", "localhost"),
        ("LocalHost.", "-verify_hostname", "localhost"),
        ("app.localhost", "-verify_hostname", "app.localhost"),
        ("a.b.localhost", "-verify_hostname", "a.b.localhost"),
        ("127.0.0.1", "-verify_ip", "127.0.0.1"),
        ("127.1.2.3", "-verify_ip", "127.1.2.3"),
        ("[::1]", "-verify_ip", "::1"),
        ("dev.test", "-verify_hostname", "dev.test"),
        ("below.dev.test", "-verify_hostname", "below.dev.test"),
        ("192.0.2.7", "-verify_ip", "192.0.2.7"),
        ("[2001:db8:0::7]", "-verify_ip", "2001:db8::7"),
    ];
    for (name, option, subject) in hosts {
        let leaf = leaf_pem(&certificates, name);
        assert_eq!(verify(certificates.authority(), &leaf, &[option, subject]), Ok(()), "{name}");
        for other in [["-verify_hostname", "other.localhost"], ["-verify_ip", "127.9.9.9"]] {
            let refused = verify(certificates.authority(), &leaf, &other).unwrap_err();
            assert!(refused.contains("mismatch"), "{name} as {other:?}: {refused}");
        }
    }
}

#[test]
fn a_long_name_is_in_the_leaf_as_a_whole() {
    let certificates = certificates(&[]);
    let name = format!("{}.{}.localhost", "a".repeat(63), "b".repeat(63));
    let leaf = leaf_pem(&certificates, &name);
    assert_eq!(verify(certificates.authority(), &leaf, &["-verify_hostname", &name]), Ok(()));
}

#[test]
fn what_the_key_signs_for_another_host_is_refused() {
    let certificates = certificates(&["dev.test"]);
    let others =
        ["example.com", "localhost.example.com", "test", "128.0.0.1", "10.0.0.1", "[::2]", "[::]"];
    for name in others {
        let leaf = leaf_pem(&certificates, name);
        let refused = verify(certificates.authority(), &leaf, &[]).unwrap_err();
        assert!(refused.contains("permitted subtree violation"), "{name}: {refused}");
    }
}

#[test]
fn a_forged_authority_of_the_same_name_is_refused() {
    let certificates = certificates(&[]);
    let subject = shown(certificates.authority(), &["-subject", "-nameopt", "RFC2253"]);
    let name = subject.trim().strip_prefix("subject=CN=").unwrap();
    let mut forged = CertificateParams::default();
    forged.distinguished_name = DistinguishedName::new();
    forged.distinguished_name.push(DnType::CommonName, name);
    forged.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let forged = Issuer::new(forged, KeyPair::generate().unwrap());
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &forged).unwrap().pem();
    // Not so strict that the forger's extensions are what is in the way.
    let refused = verify(certificates.authority(), &leaf, &["-partial_chain"]).unwrap_err();
    assert!(refused.contains("certificate signature failure"), "{refused}");
}

#[test]
fn an_authority_says_what_it_is_for() {
    let certificates = certificates(&["dev.test"]);
    let text = shown(certificates.authority(), &["-text"]);
    let expected = [
        "ASN1 OID: prime256v1",
        "X509v3 Basic Constraints: critical",
        "CA:TRUE, pathlen:0",
        "X509v3 Key Usage: critical",
        "Certificate Sign, CRL Sign",
        "X509v3 Name Constraints: critical",
        "DNS:localhost",
        "DNS:dev.test",
        "IP:127.0.0.0/255.0.0.0",
        "IP:0:0:0:0:0:0:0:1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF",
    ];
    for line in expected {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let names = || shown(super::certificates(&[]).authority(), &["-subject", "-serial"]);
    assert_ne!(names(), names());
}

#[test]
fn a_leaf_says_what_it_is_for() {
    let certificates = certificates(&[]);
    let leaf = leaf::issue(&certificates.authority, &[host("app.localhost")], validity::now());
    let text = shown(&leaf.unwrap().certificate, &["-text", "-nameopt", "RFC2253"]);
    let expected = [
        "ASN1 OID: prime256v1",
        "Subject: CN=app.localhost",
        "Issuer: CN=tabport ",
        "CA:FALSE",
        "Digital Signature\n",
        "TLS Web Server Authentication\n",
        "DNS:app.localhost\n",
        "X509v3 Authority Key Identifier",
    ];
    for line in expected {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn a_leaf_is_valid_for_less_than_398_days_and_never_longer_than_its_authority() {
    let certificates = certificates(&[]);
    let authority = certificates.authority.validity;
    let late = authority.until - 10 * validity::DAY;
    for now in [validity::now(), late] {
        let leaf = leaf::issue(&certificates.authority, &[host("localhost")], now).unwrap();
        let found = leaf.validity;
        assert!(found.until <= authority.until && found.until - found.from < 398 * validity::DAY);
        assert!(found.from <= now - validity::DAY && found.until >= now + 10 * validity::DAY);
        let at = |time: u64| {
            let time = time.to_string();
            verify(certificates.authority(), &leaf.certificate.pem, &["-attime", &time])
        };
        assert_eq!((at(found.from + 1), at(found.until - 1)), (Ok(()), Ok(())));
        assert!(at(found.from - 1).unwrap_err().contains("not yet valid"));
        assert!(at(found.until + 1).unwrap_err().contains("expired"));
    }
}

#[test]
fn the_listener_is_known_by_its_address_and_the_names() {
    let names = ["dev.test", "192.0.2.7"];
    let certificates = certificates(&names);
    let local = ["localhost", "127.0.0.1", "::1"];
    let cases: [(&str, &[&str]); 6] = [
        ("127.0.0.1", &local),
        ("127.0.0.2", &["localhost", "127.0.0.1", "::1", "127.0.0.2"]),
        ("::ffff:127.0.0.1", &local),
        ("::", &local),
        ("192.0.2.7", &[]),
        ("127.0.0.2 127.0.0.3", &["localhost", "127.0.0.2", "127.0.0.3"]),
    ];
    for (address, expected) in cases {
        let addresses = address.split(' ').map(|ip| SocketAddr::new(ip.parse().unwrap(), 1));
        let addresses: Vec<_> = addresses.collect();
        let listener = ListenerLeaf::new(&certificates, &addresses, true).unwrap().certificate();
        for name in expected.iter().chain(&names) {
            let option = if name.parse::<std::net::IpAddr>().is_ok() {
                "-verify_ip"
            } else {
                "-verify_hostname"
            };
            let verified = verify(certificates.authority(), &listener.pem, &[option, name]);
            assert_eq!(verified, Ok(()), "{name} at {address}");
        }
    }
    let elsewhere = "192.0.2.9".parse().unwrap();
    assert_eq!(listener_hosts(elsewhere, &[]), [host("192.0.2.9")]);
    assert_eq!(listener_hosts(elsewhere, &[host("dev.test")]), [host("dev.test")]);
}

#[test]
fn a_fingerprint_is_that_of_the_certificate() {
    let certificates = certificates(&[]);
    let authority = certificates.authority();
    let fingerprint = shown(authority, &["-fingerprint", "-sha256"]);
    let hex = fingerprint.trim().split_once('=').unwrap().1;
    let bytes = hex.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap());
    let bytes: Vec<u8> = bytes.collect();
    assert_eq!(authority.fingerprint, format!("sha256/{}", STANDARD.encode(bytes)));
    assert!(!authority.pem.contains("PRIVATE"));
}
