//! The proxy behind every door of tabport.
//!
//! A [`Server`] listens on loopback and speaks HTTP/1.1 and HTTP/2 (prior knowledge) as a forward proxy.
//! Every tab of the embedding application has a *context*: Basic credentials, and a [`Route`] that says
//! where the tab's loopback names lead. Two tabs may both ask for `http://localhost:3000` and reach
//! different worlds.
//!
//! # Terminology
//!
//! Words are those of RFC 9110, 9112 and 9113. *Downstream* is the peer that dialled us, *upstream* the
//! peer we dial. A *context* is one tab's identity. A *route* is where a context's loopback names lead.
//! To *intercept* is to serve what is inside a tunnel as requests of the context that opened it. A
//! *door* is a thin program or binding over this crate.
//!
//! # Reading order
//!
//! The path of one request is the order in which to read: [`server`] accepts, `connection` tells h1 from
//! h2, `request` is the page to read first, then `authenticate`, [`decide`] and [`target`], `limits`,
//! `forward` or `upgrade` or `connect`, `tunnel` or `intercept`, and `respond`, the one table from error to
//! status.

#![forbid(unsafe_code)]

mod accept;
mod authenticate;
pub mod authority;
mod base_url;
mod body;
mod buffer;
mod certificate;
mod client;
mod connect;
mod connection;
mod context;
mod counters;
pub mod decide;
mod error;
mod event;
mod exchange;
mod face;
pub mod fields;
mod forward;
pub mod forwarded;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gateway;
pub mod head;
pub mod headers;
mod health;
mod http1;
mod http2;
mod intercept;
mod limits;
mod listen;
mod options;
mod page;
mod relay;
mod request;
mod request_id;
mod respond;
mod response;
mod reverse_proxy;
pub mod route;
pub mod server;
mod share;
mod spare;
mod stream;
pub mod target;
mod tls;
mod tunnel;
mod upgrade;
mod upstream;
mod websocket;
mod workers;
pub mod workspace;

pub use authenticate::{Access, AllowedHost, InvalidToken, Token};
pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use buffer::BufferLimits;
pub use certificate::{Certificate, InvalidCertificate, ServerCertificate};
pub use context::ContextInfo;
pub use counters::{Stats, Totals};
pub use error::{ContextError, LeafError, ProxyError, StartError};
pub use event::{Event, EventSink, Outcome, Phase, TunnelKind};
pub use face::Face;
pub use gateway::GatewayOptions;
pub use limits::{BreakerLimits, ContextLimits, Limits, Rate};
pub use options::{Bind, CertificateOptions, ServerOptions, Timeouts};
pub use reverse_proxy::ReverseProxyOptions;
pub use route::{PreviewUrl, Provider, Route, RouteError, RouteFields};
pub use server::Server;
pub use upstream::{
    InvalidProxy, NextProxy, NextProxyError, ProxyAnswer, ProxyList, ProxyResolver, UpstreamProxy,
};
