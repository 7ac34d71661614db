//! A change of protocol, above all to WebSocket: the upstream's own answer decides.
//!
//! Only once the upstream has answered 101 is the client told so, in the upstream's words; from then on
//! bytes are relayed unread. Any other answer is relayed like every response.

use std::sync::Arc;

use http::{StatusCode, Version};

use crate::client::Client;
use crate::error::ProxyError;
use crate::event::TunnelKind;
use crate::exchange::Exchange;
use crate::fields::Fields;
use crate::forward::{check, readdress, strip};
use crate::head::{RequestHead, ResponseHead, WEBSOCKET};
use crate::headers;
use crate::response::{Response, Switch};
use crate::route::Upstream;
use crate::stream::Stream;
use crate::tunnel::Tunnel;
use crate::upstream::{self, Relay};
use crate::websocket::{self, Key};

/// Sends the request over a connection of its own, and relays bytes if the upstream switches protocols.
pub(crate) async fn upgrade(
    exchange: &Arc<Exchange>,
    mut head: RequestHead,
    mut client: Client<'_>,
    upstream: &Upstream,
) -> Result<Response, ProxyError> {
    let asked = headers::upgrade_protocols(&head.fields, head.version);
    let asked = head.protocol.as_deref().map(str::to_owned).or(asked).unwrap_or_default();
    readdress(&mut head, upstream);
    head.fields.remove("te");
    name_protocol(&mut head.fields, &asked);
    let key = head.protocol.is_some().then(|| Key::ask(&mut head)).transpose()?;
    let (answer, relay) = upstream::send_alone(exchange, upstream, &head, &mut client).await?;
    if answer.status == StatusCode::SWITCHING_PROTOCOLS {
        return switch(exchange, answer, &asked, key.as_ref(), relay);
    }
    check(&answer, upstream)?;
    if key.is_some() {
        websocket::check_refusal(answer.status)?;
    }
    let mut response = relay.into_response(answer);
    strip(&mut response.head);
    Ok(response)
}

fn switch(
    exchange: &Arc<Exchange>,
    mut head: ResponseHead,
    asked: &str,
    key: Option<&Key>,
    relay: Relay,
) -> Result<Response, ProxyError> {
    let switched = head.fields.members("upgrade").collect::<Vec<_>>().join(", ");
    // RFC 9110, section 15.2: HTTP/1.0 knows no such status.
    if head.version == Version::HTTP_10 || !is_among(&switched, asked) {
        return Err(ProxyError::UpstreamProtocol("it switches to a protocol nobody asked for"));
    }
    strip(&mut head);
    match key {
        Some(key) => key.answer(&mut head)?,
        None => name_protocol(&mut head.fields, &switched),
    }
    let (proxy, context) = (&exchange.connection.proxy, exchange.context());
    let authority = exchange.authority.clone();
    let tunnel = Tunnel::open(proxy, context, TunnelKind::Upgrade, authority)
        .of_websocket(switched.eq_ignore_ascii_case(WEBSOCKET))
        .holding(exchange.tunnel_slot())
        .of(exchange);
    let upstream: Stream = relay.into_stream();
    let switch = Some(Box::new(Switch::Tunnel(tunnel, upstream)));
    Ok(Response { switch, ..Response::empty(head) })
}

fn name_protocol(fields: &mut Fields, protocol: &str) {
    fields.push("Connection", b"Upgrade");
    fields.push("Upgrade", protocol.as_bytes());
}

/// RFC 9110, section 7.8: a server must not switch to a protocol that the client did not name.
fn is_among(switched: &str, asked: &str) -> bool {
    let mut asked = asked.split(',').map(str::trim);
    !switched.is_empty() && asked.any(|protocol| protocol.eq_ignore_ascii_case(switched))
}
