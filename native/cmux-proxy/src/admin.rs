//! A listener of its own for those who run the gateway: `/healthz` and `/metrics`.
//!
//! It is never on the data port, where every path belongs to a workspace's server.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::metrics::Metrics;

/// Few ask, and whoever holds connections open keeps nobody waiting but its like.
const CONNECTIONS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the gateway takes requests, as `/healthz` tells.
#[derive(Clone, Default)]
pub(crate) struct Health(Arc<AtomicBool>);

impl Health {
    /// From now on nothing new is to be sent here.
    pub(crate) fn drains(&self) {
        self.0.store(true, Relaxed);
    }
}

/// The listener.
pub(crate) struct Admin {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Admin {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Answers until the process ends.
    pub(crate) async fn serve(self, health: Health, metrics: Metrics) {
        let (places, metrics) = (Arc::new(Semaphore::new(CONNECTIONS)), Arc::new(metrics));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((socket, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (health, metrics) = (health.clone(), Arc::clone(&metrics));
            tokio::spawn(async move {
                let served = tokio::time::timeout(PATIENCE, connection(socket, health, metrics));
                if let Ok(Err(error)) = served.await {
                    tracing::debug!(%error, "an admin connection ended early");
                }
                drop(place);
            });
        }
    }
}

async fn connection(socket: TcpStream, health: Health, metrics: Arc<Metrics>) -> hyper::Result<()> {
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let response = answer(request.method(), request.uri().path(), &health, &metrics);
        async { Ok::<_, Infallible>(response) }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service)
        .await
}

fn answer(method: &Method, path: &str, health: &Health, metrics: &Metrics) -> Response<String> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let (status, content, body) = match (path, health.0.load(Relaxed)) {
        _ if !matches!(*method, Method::GET | Method::HEAD) => {
            (StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD\n".to_owned())
        }
        ("/healthz", false) => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        ("/healthz", true) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, "draining\n".to_owned()),
        ("/metrics", _) => (StatusCode::OK, Metrics::CONTENT_TYPE, metrics.text()),
        _ => (StatusCode::NOT_FOUND, TEXT, "/healthz or /metrics\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
    response
}
