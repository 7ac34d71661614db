//! What a server does with requests, and what follows from that for everything that it shares.
//!
//! A forward proxy knows its clients apart by their credentials, and gives each a context. The other faces do not:
//! they have one context of their own for everybody, and so can drain, since nobody else will end what is in it.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::connection::{Identity, Peer};
use crate::context::{Context, Contexts};
use crate::counters::Gauge;
use crate::error::{ContextError, ProxyError, StartError};
use crate::fields::Fields;
use crate::gateway::{Gateway, GatewayOptions};
use crate::head::RequestHead;
use crate::limits::ContextLimits;
use crate::request_id;
use crate::reverse_proxy::{ReverseProxy, ReverseProxyOptions};

/// What a server does with requests.
#[derive(Debug, Clone, Default)]
pub enum Face {
    /// It goes where its clients ask it to, by the route of the context whose credentials they have.
    #[default]
    ForwardProxy,
    /// It leads to the servers of workspaces, of this machine or of others. It has no contexts but its own.
    Gateway(GatewayOptions),
    /// It leads to one upstream, and changes as little as it can. It has no contexts but its own.
    ReverseProxy(ReverseProxyOptions),
}

/// A server's face while it runs.
pub(crate) enum Acting {
    ForwardProxy,
    Gateway(Gateway),
    ReverseProxy(ReverseProxy),
}

/// What serves everybody who asks a server that does not know its clients apart.
pub(crate) struct Shared {
    /// Its upstream connections are everybody's.
    pub(crate) context: Arc<Context>,
    /// Its clients' HTTP/2 connections: each ends by itself once it has been told to.
    pub(crate) http2: Gauge,
}

impl Acting {
    pub(crate) fn new(
        face: Face,
        contexts: &Contexts,
        limits: &ContextLimits,
        stopping: &CancellationToken,
    ) -> Result<Self, StartError> {
        Ok(match face {
            Face::ForwardProxy => Self::ForwardProxy,
            Face::Gateway(options) => {
                Self::Gateway(Gateway::new(options, contexts, limits, stopping)?)
            }
            Face::ReverseProxy(options) => {
                let shared = Shared::new(contexts, limits, stopping)?;
                Self::ReverseProxy(ReverseProxy::new(options, shared))
            }
        })
    }

    /// `None` for a forward proxy.
    pub(crate) fn shared(&self) -> Option<&Shared> {
        match self {
            Self::ForwardProxy => None,
            Self::Gateway(gateway) => Some(&gateway.shared),
            Self::ReverseProxy(proxy) => Some(&proxy.shared),
        }
    }

    /// Whose requests a connection carries, by where it comes from.
    pub(crate) fn identify(&self, socket: &TcpStream) -> Identity {
        let address = socket.peer_addr().ok().map(|peer| peer.ip().to_canonical());
        let is_trusted = match self {
            Self::ForwardProxy => return Identity::PerRequest,
            Self::Gateway(gateway) => address.is_some_and(|peer| gateway.gate.trusts(peer)),
            Self::ReverseProxy(proxy) => address.is_some_and(|peer| proxy.trusts(peer)),
        };
        let address = address.map(|peer| peer.to_string().into());
        Identity::Peer(Peer { address, is_trusted })
    }

    /// What an exchange is called, where exchanges have names.
    pub(crate) fn name(&self, request: &Fields) -> Option<Arc<str>> {
        matches!(self, Self::ReverseProxy(_)).then(|| request_id::of(request))
    }

    /// Whose context serves a request of this peer.
    pub(crate) fn let_in(
        &self,
        peer: &Peer,
        head: &RequestHead,
    ) -> Result<&Arc<Context>, ProxyError> {
        if let Self::Gateway(gateway) = self {
            gateway.gate.let_in(peer.is_trusted, head)?;
        }
        self.shared().map(|shared| &shared.context).ok_or(ProxyError::Unauthenticated)
    }
}

impl Shared {
    pub(crate) fn new(
        contexts: &Contexts,
        limits: &ContextLimits,
        stopping: &CancellationToken,
    ) -> Result<Self, ContextError> {
        let info = contexts.create(0, None, limits, stopping)?;
        let context = contexts.by_username(&info.id).ok_or(ContextError::Unknown(info.id))?;
        Ok(Self { context, http2: Gauge::default() })
    }
}
