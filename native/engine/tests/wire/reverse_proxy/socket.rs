//! Sockets that are shared, or handed over.

use std::net::TcpListener;
use std::sync::Arc;

use tabport_engine::{Bind, Face, Server, ServerOptions, StartError};

use super::options;
use crate::harness::{Peer, status};

fn start(bind: Bind) -> Result<Server, StartError> {
    let face = Face::ReverseProxy(options("http://upstream.invalid"));
    Server::start(ServerOptions { bind, face, ..ServerOptions::default() })
}

async fn answers(server: &Server) {
    let mut client = Peer::connect(server.local_addr()).await;
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&client.response().await.0), 200);
}

#[tokio::test]
async fn row_44_an_address_is_shared_only_by_those_who_say_so() {
    let one = start(Bind::Shared(vec!["127.0.0.1:0".parse().unwrap()])).unwrap();
    let address = one.local_addr();
    let Err(StartError::Bind { .. }) = start(Bind::Address(address)) else {
        panic!("a port that is taken was bound");
    };
    let other = start(Bind::Shared(vec![address])).unwrap();
    one.stop();
    answers(&other).await;
    other.stop();
}

#[tokio::test]
async fn row_44_a_socket_outlives_the_server_that_it_was_given_to() {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    for _ in 0..2 {
        let server = start(Bind::Sockets(vec![Arc::clone(&listener)])).unwrap();
        assert_eq!(server.local_addr(), listener.local_addr().unwrap());
        answers(&server).await;
        server.stop();
        // Whoever connects now waits for the next server.
        Peer::connect(listener.local_addr().unwrap()).await;
    }
    let Err(StartError::NoAddress) = start(Bind::Sockets(Vec::new())) else {
        panic!("it listens nowhere");
    };
    let elsewhere = Arc::new(TcpListener::bind("0.0.0.0:0").unwrap());
    let Err(StartError::NonLoopback(_)) = start(Bind::Sockets(vec![elsewhere])) else {
        panic!("it listens on more than loopback");
    };
}
