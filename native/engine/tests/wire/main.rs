//! The proxy through real sockets, in literal bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in what it calls too"
)]

mod authentication;
mod bait;
mod body;
mod breaker;
mod connect;
mod error_page;
mod events;
mod forward;
mod framing;
mod gateway;
mod gateway_access;
mod gateway_drain;
mod gateway_farewell;
mod gateway_hosts;
mod gateway_limits;
mod gateway_loops;
mod gateway_page;
mod gateway_protocols;
mod gateway_token;
mod harness;
mod http2;
mod http2_going_away;
mod http2_idle;
mod http2_places;
mod http2_streams;
mod http2_uploads;
mod http2_upstream;
mod http2_windows;
mod intercept;
mod interim;
mod limits;
mod limits_connections;
mod limits_tunnels;
mod listen;
mod local;
mod log;
mod loopback;
mod malformed;
mod next_proxy;
mod next_proxy_choice;
mod next_proxy_secrets;
mod next_proxy_socks;
mod next_proxy_tls;
mod panics;
mod panics_ways;
mod pool;
mod release;
mod reverse_proxy;
mod route;
mod secrets;
mod secure;
mod secure_listener;
mod security;
mod stop;
mod stream;
mod target;
mod tidy;
mod timeout;
mod tls;
mod tls_client;
mod tls_ends;
mod tunnel;
mod upgrade;
mod uploads_given_up;
mod websocket_http2;
