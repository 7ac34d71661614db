//! One context's upstream connections, kept for its next request.
//!
//! Each context has a pool of its own, so no connection is ever shared between tabs, and all of them end
//! with it.

use std::collections::HashMap;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::origin::Origin;
use super::sender::Sender;
use super::{Tls, failed, while_moving};
use crate::authority::{Authority, Scheme};
use crate::body::RequestBody;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::route::Upstream;

/// The upstream connections of one context.
#[derive(Default)]
pub(crate) struct Pool {
    origins: Mutex<HashMap<(Scheme, Authority), Arc<Origin>>>,
    tls: Tls,
}

impl Pool {
    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Sends a request over a connection that is ready, or a new one. A request that its connection has not
    /// taken is sent over the next; so is one that may be sent twice, when a connection that was kept turns
    /// out to be closed.
    pub(crate) async fn send(
        &self,
        exchange: &Exchange,
        upstream: &Upstream,
        mut request: Request<RequestBody>,
    ) -> Result<Answer, ProxyError> {
        let origin = self.origin(upstream);
        while let Some(kept) = origin.take() {
            let spare = kept.spare(&request);
            match attempt(kept, &origin, exchange, upstream, request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => {
                    let closed = matches!(failure.error, ProxyError::UpstreamClosed(_));
                    let again = failure.unsent.or(spare.filter(|_| closed));
                    request = again.ok_or(failure.error)?;
                    origin.forget_shared();
                }
            }
        }
        let new = origin.connect(exchange, upstream).await?;
        attempt(new, &origin, exchange, upstream, request).await.map_err(|failure| failure.error)
    }

    /// Closes connections that have waited too long, and forgets origins without any.
    pub(crate) fn close_idle(&self) {
        let mut origins = self.origins.lock();
        origins.retain(|_, origin| origin.close_idle() || Arc::strong_count(origin) > 1);
    }

    fn origin(&self, upstream: &Upstream) -> Arc<Origin> {
        let key = (upstream.scheme, upstream.authority.clone());
        Arc::clone(self.origins.lock().entry(key).or_default())
    }
}

/// A response, and the connection to give back once it has been read.
type Answer = (Response<Incoming>, Option<Lease>);

struct Failure {
    error: ProxyError,
    /// The request, if none of it was sent.
    unsent: Option<Request<RequestBody>>,
}

async fn attempt(
    mut sender: Sender,
    origin: &Arc<Origin>,
    exchange: &Exchange,
    upstream: &Upstream,
    mut request: Request<RequestBody>,
) -> Result<Answer, Failure> {
    sender.prepare(&mut request, upstream);
    let limit = exchange.connection.proxy.timeouts.response_head;
    match while_moving(limit, || exchange.bytes_up(), sender.send(request)).await {
        Some(Ok(response)) => Ok((response, Lease::of(sender, origin))),
        Some(Err(mut failure)) => {
            let unsent = failure.take_message();
            Err(Failure { error: failed(&exchange.context, failure.into_error()), unsent })
        }
        None => Err(Failure { error: ProxyError::ResponseTimeout, unsent: None }),
    }
}

/// An HTTP/1.1 connection in use; given back once its response has been read.
pub(crate) struct Lease {
    sender: http1::SendRequest<RequestBody>,
    origin: Arc<Origin>,
}

impl Lease {
    fn of(sender: Sender, origin: &Arc<Origin>) -> Option<Self> {
        match sender {
            Sender::Http1(sender) => Some(Self { sender, origin: Arc::clone(origin) }),
            Sender::Http2(_) => None,
        }
    }

    /// Keeps the connection for the next request, as soon as it can take one.
    pub(crate) fn give_back(mut self) {
        if self.sender.is_ready() {
            self.origin.keep(self.sender);
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if self.sender.ready().await.is_ok() {
                    self.origin.keep(self.sender);
                }
            });
        }
    }
}
