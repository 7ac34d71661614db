//! What an experienced author writes first: hyper's server before hyper-util's pooled client, with Basic
//! credentials, HTTP/1.1 and HTTP/2 by its preface, and CONNECT by `copy_bidirectional`.
//!
//! `--multi` runs it on one runtime with two threads; without it, on two runtimes of one thread each that
//! share their port by `SO_REUSEPORT`.

use std::net::{Ipv4Addr, SocketAddr};

use http_body_util::{Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};

use tabport_bench::{args::Args, process::end_with_parent};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Pool = Client<HttpConnector, Incoming>;
type Answer = Response<Either<Incoming, Empty<Bytes>>>;

fn main() -> Result<(), Error> {
    end_with_parent();
    let first = listen((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = first.local_addr()?;
    println!(r#"{{"port":{}}}"#, address.port());
    if Args::of_process().has("--multi") {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        return builder.worker_threads(2).enable_all().build()?.block_on(serve(first));
    }
    let second = listen(address)?;
    std::thread::spawn(|| run_alone(second));
    run_alone(first)
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, Error> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

fn run_alone(listener: std::net::TcpListener) -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(listener))
}

async fn serve(listener: std::net::TcpListener) -> Result<(), Error> {
    let listener = TcpListener::from_std(listener)?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let pool: Pool = Client::builder(TokioExecutor::new()).build(connector);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pool = pool.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(request, pool.clone()));
            let server = auto::Builder::new(TokioExecutor::new());
            server.serve_connection_with_upgrades(TokioIo::new(stream), service).await
        });
    }
}

async fn handle(mut request: Request<Incoming>, pool: Pool) -> Result<Answer, Error> {
    let credentials = request.headers_mut().remove(PROXY_AUTHORIZATION);
    if credentials.is_none_or(|value| value != "Basic YmVuY2g6YmVuY2g=") {
        let mut answer = empty(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        answer
            .headers_mut()
            .insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=bench"));
        return Ok(answer);
    }
    if request.method() == Method::CONNECT {
        return tunnel(request).await;
    }
    request.headers_mut().remove(CONNECTION);
    *request.version_mut() = Version::HTTP_11;
    Ok(pool.request(request).await?.map(Either::Left))
}

async fn tunnel(request: Request<Incoming>) -> Result<Answer, Error> {
    let authority = request.uri().authority().ok_or("CONNECT without an authority")?;
    let mut upstream = TcpStream::connect(authority.as_str()).await?;
    upstream.set_nodelay(true)?;
    tokio::spawn(async move {
        let mut client = TokioIo::new(hyper::upgrade::on(request).await?);
        tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
        Ok::<_, Error>(())
    });
    Ok(empty(StatusCode::OK))
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Either::Right(Empty::new()));
    *answer.status_mut() = status;
    answer
}
