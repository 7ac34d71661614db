//! One request, from its head to its answer. Read this page first.
//!
//! Authenticate, decide, admit, execute, respond: whatever fails on the way is answered by `respond`, the one
//! table from error to status.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::authenticate::authenticate;
use crate::body::ResponseBody;
use crate::connect;
use crate::connection::{Connection, Identity};
use crate::context::Context;
use crate::decide::{Action, RequestHead, Scope, forward_proxy};
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::forward::forward;
use crate::limits;
use crate::respond;
use crate::upgrade::upgrade;

/// Serves one request of a downstream connection.
pub(crate) async fn serve(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let context = match who_asks(&connection, &request) {
        Ok(context) => context,
        Err(error) => {
            respond::report(&connection.proxy, None, &error);
            return respond::with_error(&error);
        }
    };
    let exchange = Exchange::begin(connection, context, &request);
    let response = execute(&exchange, request).await.unwrap_or_else(|error| {
        let asked = Some((&*exchange.context, exchange.authority.as_str()));
        respond::report(&exchange.connection.proxy, asked, &error);
        respond::with_error(&error)
    });
    exchange.answer(response)
}

fn who_asks(
    connection: &Connection,
    request: &Request<Incoming>,
) -> Result<Arc<Context>, ProxyError> {
    match &connection.identity {
        Identity::PerRequest => authenticate(request.headers(), &connection.proxy.contexts),
        Identity::Tunnel { context, .. } => Ok(Arc::clone(context)),
    }
}

async fn execute(
    exchange: &Arc<Exchange>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, ProxyError> {
    let head = RequestHead {
        method: request.method(),
        uri: request.uri(),
        version: request.version(),
        headers: request.headers(),
    };
    let scope =
        Scope { route: exchange.context.route.as_ref(), tunnel: exchange.connection.tunnel() };
    let action = forward_proxy::decide(&head, &scope)?;
    limits::admit(exchange, &action)?;
    match action {
        Action::Forward(upstream) => forward(exchange, request, &upstream).await,
        Action::Upgrade(upstream) => upgrade(exchange, request, &upstream).await,
        Action::Tunnel { asked, upstream } => {
            connect::tunnel(exchange, request, &asked, &upstream).await
        }
        Action::Intercept { asked, upstream } => {
            Ok(connect::intercept(exchange, request, asked, upstream))
        }
        Action::Respond(answer) => Ok(respond::with_answer(answer, &exchange.context)),
    }
}
