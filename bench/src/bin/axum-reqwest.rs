//! `axum-reqwest --upstream URL`: a reverse proxy as it is written first with these two: a catch-all route, reqwest's
//! pooled client, bodies as streams both ways, the fields of this hop left out.
//!
//! It takes HTTP/1.1 alone and trusts what it is sent: a bound for what the two crates cost, and no more.

use std::error::Error;
use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::{Response, StatusCode};
use axum::serve::ListenerExt as _;
use reqwest::Client;

use tabport_bench::{args::Args, process::end_with_parent};

/// RFC 9110, section 7.6.1; reqwest writes Host itself.
const OF_THIS_HOP: [HeaderName; 5] =
    [header::CONNECTION, header::TE, header::TRANSFER_ENCODING, header::UPGRADE, header::HOST];

#[derive(Clone)]
struct Proxy {
    client: Client,
    upstream: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    end_with_parent();
    let client = Client::builder().no_proxy().build()?;
    let proxy = Proxy { client, upstream: Args::of_process().need("--upstream") };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!(r#"{{"port":{}}}"#, listener.local_addr()?.port());
    let app = Router::new().fallback(forward).with_state(proxy);
    let undelayed = listener.tap_io(|stream| stream.set_nodelay(true).expect("a TCP option"));
    Ok(axum::serve(undelayed, app).await?)
}

async fn forward(
    State(proxy): State<Proxy>,
    request: Request,
) -> Result<Response<Body>, (StatusCode, String)> {
    let (mut head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let has_body = head.headers.contains_key(header::CONTENT_LENGTH)
        || head.headers.contains_key(header::TRANSFER_ENCODING);
    strip(&mut head.headers);
    let url = format!("{}{target}", proxy.upstream);
    let mut onward = proxy.client.request(head.method, url).headers(head.headers);
    if has_body {
        onward = onward.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    let answer =
        onward.send().await.map_err(|error| (StatusCode::BAD_GATEWAY, error.to_string()))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    strip(response.headers_mut());
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    Ok(response)
}

fn strip(fields: &mut HeaderMap) {
    for name in OF_THIS_HOP {
        fields.remove(name);
    }
}
