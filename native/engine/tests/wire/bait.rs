//! What a routed context must not reach, and the forms in which it could ask for it.

use std::io::ErrorKind;

use tokio::net::TcpListener;

use crate::harness::{Context, Origin};

/// Servers of the user's own, on one port of several loopback addresses.
pub(crate) struct Bait(Vec<Origin>);

impl Bait {
    pub(crate) async fn set() -> Self {
        loop {
            if let Some(bait) = Self::on_one_port().await {
                return bait;
            }
        }
    }

    /// `None` if the port that the system has chosen is in use at another address.
    async fn on_one_port() -> Option<Self> {
        let mut all = vec![Origin::start().await];
        for host in ["[::1]", "127.0.255.255", "127.1.2.3", "127.255.255.254", "127.255.255.255"] {
            match TcpListener::bind(format!("{host}:{}", all[0].port())).await {
                Ok(listener) => all.push(Origin::of(listener)),
                Err(error) if error.kind() == ErrorKind::AddrInUse => return None,
                // A broadcast address cannot be bound everywhere.
                Err(_) => {}
            }
        }
        assert!(all.len() > 1, "this machine has no other loopback address");
        Some(Self(all))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0[0].port()
    }

    pub(crate) async fn was_never_taken(&self) {
        for origin in &self.0 {
            origin.was_never_dialled().await;
        }
    }
}

pub(crate) fn in_absolute_form(context: &Context, authority: &str) -> String {
    context.get(&format!("http://{authority}/"))
}

pub(crate) fn in_origin_form(context: &Context, authority: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {authority}\r\n{}\r\n", context.field())
}

pub(crate) fn as_an_upgrade(context: &Context, authority: &str) -> String {
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    context.ask(&format!("GET ws://{authority}/"), fields)
}
