//! One context's upstream connections: none is shared with another context, and all close with it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::http1::Http1;
use super::http2::Failure;
use super::incoming::Relay;
use super::origin::{Origin, Sender, Taken};
use super::{Tls, http1, http2, send_alone};
use crate::authority::{Authority, Scheme};
use crate::client::Client;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::head::RequestHead;
use crate::http1::Framing;
use crate::response::Response;
use crate::route::Upstream;

/// The upstream connections of one context.
#[derive(Default)]
pub(crate) struct Pool {
    state: Mutex<State>,
    tls: Tls,
}

#[derive(Default)]
struct State {
    http: HashMap<Authority, Arc<Origin>>,
    https: HashMap<Authority, Arc<Origin>>,
    closed: bool,
}

impl Pool {
    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Sends a request over a connection that is ready, or a new one. A request that its connection has not
    /// taken is sent over the next; so is one that may be sent twice (RFC 9110, section 9.2.2), when a
    /// connection that was kept turns out to be closed. One whose body has been read from never is: what has been
    /// read of that cannot be had again.
    pub(crate) async fn send(
        &self,
        exchange: &Arc<Exchange>,
        upstream: &Upstream,
        head: &RequestHead,
        client: &mut Client<'_>,
    ) -> Result<Response, ProxyError> {
        let origin = self.origin(upstream);
        let bodiless = client.framing() == Framing::None;
        let repeatable = bodiless && head.method.is_idempotent();
        loop {
            let taken = match origin.take() {
                Some(kept) => Taken::Kept(kept),
                None => client.while_waiting(Box::pin(origin.connect(exchange, upstream))).await?,
            };
            let kept = match taken {
                Taken::Kept(kept) => kept,
                Taken::New(new) => {
                    let outcome = attempt(new, &origin, exchange, upstream, head, client).await;
                    return outcome.map_err(|failure| failure.error);
                }
            };
            if let Sender::Http1(connection) = &kept
                && !repeatable
                && !connection.is_surely_usable()
            {
                continue;
            }
            match attempt(kept, &origin, exchange, upstream, head, client).await {
                Ok(response) => return Ok(response),
                Err(failure) if failure.unsent || (failure.unanswered && repeatable) => {}
                Err(failure) => return Err(failure.error),
            }
        }
    }

    /// Sends a request over a connection of its own, of whichever version, to learn whether one can be had.
    pub(crate) async fn send_anew(
        exchange: &Arc<Exchange>,
        upstream: &Upstream,
        head: &RequestHead,
        client: &mut Client<'_>,
    ) -> Result<Response, ProxyError> {
        let origin = Arc::new(Origin::closed());
        let (Taken::New(sender) | Taken::Kept(sender)) = origin.connect(exchange, upstream).await?;
        let outcome = attempt(sender, &origin, exchange, upstream, head, client).await;
        outcome.map_err(|failure| failure.error)
    }

    /// Closes connections that have waited too long, and forgets origins without any.
    pub(crate) fn close_idle(&self) {
        let State { http, https, .. } = &mut *self.state.lock();
        for origins in [http, https] {
            origins.retain(|_, origin| origin.close_idle() || Arc::strong_count(origin) > 1);
        }
    }

    /// Closes every connection that is not in use; none is kept from now on.
    pub(crate) fn close(&self) {
        let State { http, https, .. } =
            std::mem::replace(&mut *self.state.lock(), State { closed: true, ..State::default() });
        for origin in http.values().chain(https.values()) {
            origin.close();
        }
    }

    fn origin(&self, upstream: &Upstream) -> Arc<Origin> {
        let State { http, https, closed } = &mut *self.state.lock();
        if *closed {
            return Arc::new(Origin::closed());
        }
        let origins = if upstream.scheme == Scheme::Http { http } else { https };
        // The key is only cloned for an origin that is new.
        if let Some(origin) = origins.get(&upstream.authority) {
            return Arc::clone(origin);
        }
        Arc::clone(origins.entry(upstream.authority.clone()).or_default())
    }
}

impl From<http1::Failure> for Failure {
    fn from(http1::Failure { error, unanswered }: http1::Failure) -> Self {
        Self { error, unsent: false, unanswered }
    }
}

async fn attempt(
    sender: Sender,
    origin: &Arc<Origin>,
    exchange: &Arc<Exchange>,
    upstream: &Upstream,
    head: &RequestHead,
    client: &mut Client<'_>,
) -> Result<Response, Failure> {
    let mut connection = match sender {
        Sender::Http1(connection) => connection,
        Sender::Http2(connection) => {
            let Some(request) = http2::request(head, upstream) else {
                return Box::pin(in_http1(exchange, upstream, head, client)).await;
            };
            // Boxed, like what is rare: all that waits for an HTTP/1.1 upstream would be as large.
            let sent = Box::pin(http2::send(&connection, exchange, upstream, request, client));
            return sent.await.inspect_err(|failure| {
                if failure.unsent || failure.unanswered {
                    origin.forget(&connection);
                }
            });
        }
    };
    let answer = send(&mut connection, exchange, head, client).await?;
    let relay = Relay::new(connection, &answer, &head.method, Some(origin), exchange);
    Ok(relay.map_err(http1::Failure::from)?.into_response(answer))
}

/// Sends a request whose target passes byte for byte in HTTP/1.1 alone, over a connection that nothing else needs.
async fn in_http1(
    exchange: &Arc<Exchange>,
    upstream: &Upstream,
    head: &RequestHead,
    client: &mut Client<'_>,
) -> Result<Response, Failure> {
    let sent = send_alone(exchange, upstream, head, client).await.map_err(http1::Failure::from);
    let (answer, relay) = sent?;
    Ok(relay.into_response(answer))
}

async fn send(
    connection: &mut Http1,
    exchange: &Exchange,
    head: &RequestHead,
    client: &mut Client<'_>,
) -> Result<crate::head::ResponseHead, http1::Failure> {
    let timeouts = &exchange.connection.proxy.timeouts;
    connection.send(head, client, timeouts, |bytes| exchange.moved_up(bytes)).await
}
