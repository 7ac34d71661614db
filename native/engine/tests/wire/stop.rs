//! Stopping ends all traffic, joins the threads and frees the port.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tabport_engine::{Bind, ContextError, Server, ServerOptions, Stats};
use tokio::time::Instant;

use crate::harness::{Origin, Proxy};
use crate::stream::{answered, begin, speak};

/// How many threads of this process have the name of a proxy's worker.
#[cfg(target_os = "linux")]
fn workers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim_end().starts_with("tabport-")).count()
}

async fn stop(server: &Server) {
    let server = server.clone();
    let begun = Instant::now();
    tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1500), "stopping took {:?}", begun.elapsed());
}

#[tokio::test]
async fn everything_ends_and_the_port_is_free_at_once() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let routed = proxy.routed(origin.url());
    let mut peers = Vec::new();

    for answer in ["", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"] {
        let mut client = proxy.connect().await;
        client.send(context.get(&origin.url())).await;
        let mut upstream = origin.accept().await;
        upstream.head().await;
        upstream.send(answer).await;
        if !answer.is_empty() {
            client.head().await;
        }
        peers.extend([client, upstream]);
    }
    let tunnel = proxy.tunnel(&context, &origin.address().to_string()).await;
    peers.extend([tunnel, origin.accept().await]);
    peers.push(proxy.tunnel(&routed, "localhost:3000").await);
    peers.push(proxy.connect().await);
    let mut stalled = proxy.connect().await;
    stalled.send(context.get(&origin.url())).await;
    let mut upstream = origin.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\n\r\n").await;
    upstream.fill().await;
    let mut sender = speak(proxy.connect().await.0).await;
    let (response, mut body) = begin(&mut sender, Some(&context), Method::GET, &origin.url());
    body.send_data(Bytes::new(), true).unwrap();
    let mut unread = origin.accept().await;
    unread.head().await;
    unread.send("HTTP/1.1 200 OK\r\n\r\n").await;
    let _unread = answered(response).await;
    unread.fill().await;

    let address = proxy.server.local_addr();
    stop(&proxy.server).await;
    let stats = proxy.server.stats();
    assert_eq!(stats, Stats { total: stats.total, ..Stats::default() });
    drop(std::net::TcpListener::bind(address).unwrap());
    for peer in &mut peers {
        let told = String::from_utf8(peer.ends_soon().await).unwrap();
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 407 "), "{told}");
    }
    for peer in [&mut upstream, &mut unread, &mut stalled] {
        peer.ends_soon().await;
    }
    assert_eq!(proxy.server.local_addr(), address, "still known");
}

#[tokio::test]
async fn a_stopped_server_makes_no_context_and_has_none_to_release() {
    let proxy = Proxy::start();
    let context = proxy.context();
    stop(&proxy.server).await;
    assert_eq!(proxy.server.create_context(1, None).unwrap_err(), ContextError::Stopped);
    assert_eq!(proxy.server.release_context(&context.id), Ok(()));
    assert_eq!(proxy.server.release_context("never was"), Ok(()));
    assert!(tokio::net::TcpStream::connect(proxy.server.local_addr()).await.is_err());
}

#[tokio::test]
async fn every_concurrent_stop_waits_for_the_end() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let mut client = proxy.tunnel(&context, &origin.address().to_string()).await;
    let _upstream = origin.accept().await;
    let address = proxy.server.local_addr();
    let stops: Vec<_> = (0..8)
        .map(|_| {
            let server = proxy.server.clone();
            tokio::task::spawn_blocking(move || {
                server.stop();
                let stats = server.stats();
                assert_eq!(stats, Stats { total: stats.total, ..Stats::default() });
                drop(std::net::TcpListener::bind(address));
            })
        })
        .collect();
    for stop in stops {
        stop.await.unwrap();
    }
    assert_eq!(client.rest().await, b"");
    stop(&proxy.server).await;
}

#[tokio::test]
async fn a_server_may_be_started_on_the_port_of_the_one_before() {
    let origin = Origin::start().await;
    let mut address = "127.0.0.1:0".parse().unwrap();
    for _ in 0..5 {
        let bind = Bind::Address(address);
        let proxy = Proxy::with(ServerOptions { bind, ..ServerOptions::default() });
        address = proxy.server.local_addr();
        let context = proxy.context();
        let mut client = proxy.connect().await;
        client.send(context.get(&origin.url())).await;
        origin.answer("ok").await;
        assert_eq!(client.response().await.1, "ok");
        stop(&proxy.server).await;
    }
}

#[tokio::test]
async fn stopping_while_clients_keep_coming_ends() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.context();
    let (address, request) = (proxy.server.local_addr(), context.get(&origin.url()));
    let storm = tokio::spawn(async move {
        let mut peers = Vec::new();
        while let Ok(socket) = tokio::net::TcpStream::connect(address).await {
            let mut peer = crate::harness::Peer(socket);
            let _ = tokio::io::AsyncWriteExt::write_all(&mut peer.0, request.as_bytes()).await;
            peers.push(peer);
            if peers.len() > 200 {
                peers.clear();
            }
        }
    });
    proxy.until("the storm is on", |stats| stats.total.requests > 20).await;
    stop(&proxy.server).await;
    tokio::time::timeout(Duration::from_secs(5), storm).await.unwrap().unwrap();
}

/// In a process of its own, since the other tests of this one run workers too.
#[cfg(target_os = "linux")]
#[test]
fn the_threads_are_joined() {
    const CHILD: &str = "TABPORT_TEST_THREADS";
    if std::env::var_os(CHILD).is_some() {
        let before = workers();
        let server =
            Server::start(ServerOptions { workers: 3, ..ServerOptions::default() }).unwrap();
        while workers() < before + 3 {
            std::thread::yield_now();
        }
        server.stop();
        assert_eq!(workers(), before);
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stop::the_threads_are_joined"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}
