//! Where the proxy listens, and what stands in its way.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use tabport_engine::{Bind, Server, ServerOptions, StartError};

use crate::harness::{Origin, Proxy};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn start(bind: Bind) -> Result<u16, StartError> {
    port_of(ServerOptions { bind, ..ServerOptions::default() })
}

/// Starts and stops; the port it had.
fn port_of(options: ServerOptions) -> Result<u16, StartError> {
    let server = Server::start(options)?;
    server.stop();
    Ok(server.local_addr().port())
}

/// Takes two ports in a row, the third being free.
fn two_taken() -> (TcpListener, TcpListener) {
    loop {
        let first = TcpListener::bind((HOST, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let Some(third) = port.checked_add(2) else { continue };
        let (second, third) =
            (TcpListener::bind((HOST, port + 1)), TcpListener::bind((HOST, third)));
        if let (Ok(second), Ok(_)) = (second, third) {
            return (first, second);
        }
    }
}

#[test]
fn a_busy_port_is_the_systems_own_error() {
    let taken = TcpListener::bind((HOST, 0)).unwrap();
    let asked = taken.local_addr().unwrap();
    match start(Bind::Address(asked)) {
        Err(StartError::Bind { address, source }) => {
            assert_eq!((address, source.kind()), (asked, ErrorKind::AddrInUse));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn auto_port_moves_on_past_ports_in_use() {
    let (first, _second) = two_taken();
    let from = first.local_addr().unwrap().port();
    let auto = |attempts| Bind::AutoPort { host: HOST, start: from, attempts };
    assert_eq!(start(auto(3)).unwrap(), from + 2);
    for attempts in [0, 1, 2] {
        let last = if attempts == 2 { from + 1 } else { from };
        match start(auto(attempts)) {
            Err(StartError::NoFreePort { host, first, last: tried }) => {
                assert_eq!((host, first, tried), (HOST, from, last), "{attempts} attempts");
            }
            other => panic!("{attempts} attempts: {other:?}"),
        }
    }
}

#[test]
fn auto_port_never_runs_past_the_last_port() {
    let Ok(_taken) = TcpListener::bind((HOST, 65535)) else { return };
    for attempts in [1, 50, u32::MAX] {
        match start(Bind::AutoPort { host: HOST, start: 65535, attempts }) {
            Err(StartError::NoFreePort { first: 65535, last: 65535, .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn auto_port_moves_on_for_no_other_reason() {
    // An address of documentation (RFC 5737), which no machine has.
    let host = "192.0.2.1".parse().unwrap();
    let bind = Bind::AutoPort { host, start: 20000, attempts: 50 };
    let options = ServerOptions { bind, allow_non_loopback: true, ..ServerOptions::default() };
    match port_of(options) {
        Err(StartError::Bind { address, source }) => {
            assert_eq!((address.port(), source.kind()), (20000, ErrorKind::AddrNotAvailable));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_loopback_is_listened_on_unless_allowed() {
    for host in ["0.0.0.0", "192.0.2.1", "::", "::ffff:0.0.0.0", "2001:db8::1"] {
        let host = host.parse().unwrap();
        let binds =
            [Bind::Address((host, 0).into()), Bind::AutoPort { host, start: 20000, attempts: 5 }];
        for bind in binds {
            match start(bind) {
                Err(StartError::NonLoopback(refused)) => assert_eq!(refused, host),
                other => panic!("{host}: {other:?}"),
            }
        }
    }
}

#[test]
fn bad_certificates_are_refused_at_the_start() {
    let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    let broken = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n";
    let empty = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    for pem in ["", "not PEM", key, broken, empty] {
        let options = ServerOptions { extra_ca: Some(pem.to_owned()), ..ServerOptions::default() };
        match port_of(options) {
            Err(StartError::ExtraCa(_)) => {}
            other => panic!("{pem:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn it_listens_on_ipv6_loopback_too() {
    let bind = Bind::Address("[::1]:0".parse().unwrap());
    let proxy = Proxy::with(ServerOptions { bind, ..ServerOptions::default() });
    let origin = Origin::start().await;
    let context = proxy.context();
    let mut client = proxy.connect().await;
    client.send(context.get(&origin.url())).await;
    origin.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
}

#[tokio::test]
async fn servers_in_one_process_know_nothing_of_each_other() {
    let (a, b, origin) = (Proxy::start(), Proxy::start(), Origin::start().await);
    let (of_a, of_b) = (a.context(), b.context());
    let mut client = a.connect().await;
    client.send(of_b.get(&origin.url())).await;
    assert!(client.response().await.0.starts_with("HTTP/1.1 407 "));
    drop(b);
    client.send(of_a.get(&origin.url())).await;
    origin.answer("ok").await;
    assert_eq!(client.response().await.1, "ok");
}

#[test]
fn one_of_several_addresses_that_cannot_be_bound_is_an_error_unless_allowed() {
    let taken = TcpListener::bind((HOST, 0)).unwrap();
    let (taken, free) = (taken.local_addr().unwrap(), "127.0.0.2:0".parse().unwrap());
    let listen = |addresses: &[SocketAddr], allow_partial| {
        let bind = Bind::Addresses { addresses: addresses.to_vec(), allow_partial };
        let server = Server::start(ServerOptions { bind, ..ServerOptions::default() })?;
        server.stop();
        Ok(server.local_addrs().to_vec())
    };
    let in_use = |outcome: Result<_, StartError>| match outcome {
        Err(StartError::Bind { address, source }) => {
            assert_eq!((address, source.kind()), (taken, ErrorKind::AddrInUse));
        }
        other => panic!("{other:?}"),
    };
    in_use(listen(&[free, taken], false));
    in_use(listen(&[taken], true));
    let bound = listen(&[taken, free], true).unwrap();
    assert!(matches!(bound[..], [one] if one.ip() == free.ip() && one.port() != 0), "{bound:?}");
    assert!(matches!(listen(&[], true), Err(StartError::NoAddress)));
    let public = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(listen(&[free, public], true), Err(StartError::NonLoopback(_))));
}
