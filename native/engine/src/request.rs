//! One request, from its head to its answer. Read this page first.
//!
//! Authenticate, decide, admit, execute, respond: whatever fails on the way is answered by `respond`, the one
//! table from error to status.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use http::Version;

use crate::authority::Scheme;
use crate::buffer;
use crate::client::Client;
use crate::connect;
use crate::connection::{Connection, Identity};
use crate::context::{Carrier, Context};
use crate::decide::reverse_proxy::Sender;
use crate::decide::{Action, Scope, forward_proxy, gateway, reverse_proxy};
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::face::Acting;
use crate::fields::Fields;
use crate::forward::forward;
use crate::head::RequestHead;
use crate::limits;
use crate::page::Navigation;
use crate::respond;
use crate::response::Response;
use crate::upgrade::upgrade;

/// Serves one request of a downstream connection; there is no response for a client that has gone away.
pub(crate) async fn serve(
    connection: &Arc<Connection>,
    head: RequestHead,
    client: Client<'_>,
) -> Option<Response> {
    match begin(connection, &head) {
        Ok(exchange) => carry_out(&exchange, head, client).await,
        Err(error) => Some(refuse(connection, &error)),
    }
}

/// Finds out whose request it is.
pub(crate) fn begin(
    connection: &Arc<Connection>,
    head: &RequestHead,
) -> Result<Arc<Exchange>, ProxyError> {
    let carrier = who_asks(connection, head)?;
    Ok(Exchange::begin(connection, carrier, head))
}

/// Does what is asked.
pub(crate) async fn carry_out(
    exchange: &Arc<Exchange>,
    head: RequestHead,
    client: Client<'_>,
) -> Option<Response> {
    let navigation = navigation(exchange, &head);
    let outcome = {
        // Pinned here: handed over, it would be copied, and kept twice.
        let execution = pin!(execute(exchange, head, client));
        unless_panicked(execution).await
    };
    let mut response = match outcome {
        Ok(response) => response,
        Err(ProxyError::ClientGone) => return None,
        Err(error) => {
            respond::report_of(exchange, &error);
            respond::with_error(&error, navigation.as_deref())
        }
    };
    if let Some(id) = &exchange.request_id {
        response.head.name(id);
    }
    exchange.answered(response.head.status.as_u16());
    response.exchange = Some(Arc::clone(exchange));
    Some(response)
}

fn who_asks(connection: &Connection, head: &RequestHead) -> Result<Arc<Carrier>, ProxyError> {
    let is_stream = head.version == Version::HTTP_2;
    let carry = |context: &Arc<Context>| connection.carry(context, is_stream);
    let mut memory = connection.memory.lock();
    match &connection.identity {
        Identity::PerRequest => {
            memory.authenticate(&head.fields, &connection.proxy.contexts, carry)
        }
        Identity::Tunnel { context, .. } => Ok(memory.of(context, carry)),
        Identity::Peer(peer) => Ok(memory.of(connection.proxy.face.let_in(peer, head)?, carry)),
    }
}

/// Answers a request of nobody in particular that cannot be served.
pub(crate) fn refuse(connection: &Connection, error: &ProxyError) -> Response {
    let name = connection.proxy.face.name(&Fields::default());
    respond::report(&connection.proxy, None, name.as_deref(), error);
    let mut response = respond::with_error(error, None);
    if let Some(name) = name {
        response.head.name(&name);
    }
    response
}

fn decide(exchange: &Exchange, head: &RequestHead) -> Result<Action, ProxyError> {
    match &exchange.connection.proxy.face {
        Acting::ForwardProxy => forward_proxy::decide(head, &scope_of(exchange)),
        Acting::Gateway(gateway) => gateway::decide(head, &gateway.rules),
        Acting::ReverseProxy(proxy) => {
            reverse_proxy::decide(head, &proxy.rules, &sender_of(exchange))
        }
    }
}

async fn execute(
    exchange: &Arc<Exchange>,
    mut head: RequestHead,
    mut client: Client<'_>,
) -> Result<Response, ProxyError> {
    let action = decide(exchange, &head)?;
    limits::admit(exchange, &action)?;
    match action {
        Action::Forward(upstream) => {
            buffer::hold(exchange, &mut head, &mut client).await?;
            forward(exchange, head, client, &upstream).await
        }
        Action::Upgrade(upstream) => upgrade(exchange, head, client, &upstream).await,
        Action::Tunnel { asked, upstream } => connect::tunnel(exchange, &asked, &upstream).await,
        Action::Intercept { asked, upstream } => Ok(connect::intercept(exchange, asked, upstream)),
        Action::Probe => respond::with_upstream_health(exchange).await,
        Action::Respond(answer) => Ok(respond::with_answer(answer, exchange)),
    }
}

fn navigation(exchange: &Exchange, head: &RequestHead) -> Option<Box<Navigation>> {
    let proxy = &exchange.connection.proxy;
    match &proxy.face {
        Acting::ForwardProxy => Navigation::of(head, &scope_of(exchange), &proxy.timeouts),
        Acting::Gateway(gateway) => Navigation::at_gateway(head, &gateway.rules, &proxy.timeouts),
        // Its failures look like its upstream's own.
        Acting::ReverseProxy(_) => None,
    }
}

fn sender_of(exchange: &Exchange) -> Sender<'_> {
    let connection = &exchange.connection;
    let peer = connection.peer();
    Sender {
        address: peer.and_then(|peer| peer.address.as_ref()),
        is_trusted: peer.is_some_and(|peer| peer.is_trusted),
        scheme: if connection.proxy.tls.is_plain() { Scheme::Http } else { Scheme::Https },
        request_id: exchange.request_id.as_ref(),
    }
}

fn scope_of(exchange: &Exchange) -> Scope<'_> {
    Scope { route: exchange.context().route.as_ref(), tunnel: exchange.connection.tunnel() }
}

/// A panic costs the request that ran into it, and nothing else.
async fn unless_panicked<T>(
    mut execution: Pin<&mut impl Future<Output = Result<T, ProxyError>>>,
) -> Result<T, ProxyError> {
    std::future::poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| execution.as_mut().poll(cx)))
            .unwrap_or(Poll::Ready(Err(ProxyError::Internal)))
    })
    .await
}
