//! Whether a context may have one more request, or tunnel, now.
//!
//! It is asked once the sender and the action are known, and before anything is dialled.

use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, NotUntil, Quota, RateLimiter};

use super::{ContextLimits, Places, Rate, SOON, Slot};
use crate::decide::Action;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::face::Acting;
use crate::route::Upstream;

/// What is left of one context's limits.
pub(crate) struct Admission {
    requests: Places,
    pub(super) tunnels: Places,
    rate: Option<DefaultDirectRateLimiter>,
}

/// What an exchange has been granted, for as long as it holds it.
pub(crate) struct Slots {
    _request: Slot,
    /// Outlives the exchange where that turns into a tunnel.
    pub(crate) tunnel: Slot,
}

impl Admission {
    /// `None` where there is nothing to ask for.
    pub(crate) fn new(limits: &ContextLimits) -> Option<Self> {
        let ContextLimits { concurrent_requests, tunnels, rate, breaker: _ } = *limits;
        limits.admit().then(|| Self {
            requests: Places::new(concurrent_requests),
            tunnels: Places::new(tunnels),
            rate: rate.map(|rate| RateLimiter::direct(quota(rate))),
        })
    }

    /// Whether it is as good as new: nothing of it is taken, and it remembers nothing.
    pub(super) fn is_untouched(&self) -> bool {
        self.requests.are_free() && self.tunnels.are_free() && self.rate.is_none()
    }

    /// The rate comes last: what cannot be carried now must not use it up.
    fn grant(&self, tunnel: Tunnel) -> Result<Slots, ProxyError> {
        let request = self.requests.take().ok_or(ProxyError::RequestLimit(SOON))?;
        let tunnel = match tunnel {
            Tunnel::None => Slot::default(),
            Tunnel::New => self.tunnels.take().ok_or(ProxyError::TunnelLimit(SOON))?,
            Tunnel::Around(slot) => slot,
        };
        if let Some(rate) = &self.rate {
            let wait = |refused: NotUntil<_>| refused.wait_time_from(rate.clock().now());
            rate.check().map_err(|refused| ProxyError::RateLimit(wait(refused)))?;
        }
        Ok(Slots { _request: request, tunnel })
    }
}

fn quota(Rate { per_second, burst }: Rate) -> Quota {
    Quota::per_second(per_second).allow_burst(burst)
}

/// What a request wants besides being a request.
enum Tunnel {
    None,
    New,
    /// The one it came through, which will carry the other protocol from now on.
    Around(Slot),
}

/// Grants an exchange what its action needs, or says what there is too much of.
pub(crate) fn admit(exchange: &Exchange, action: &Action) -> Result<(), ProxyError> {
    match &exchange.connection.proxy.face {
        Acting::ForwardProxy | Acting::ReverseProxy(_) => {
            ask(exchange.context().admission.as_ref(), exchange, action)
        }
        Acting::Gateway(gateway) => {
            let upstream = action.upstream();
            let of = |upstream: &Upstream| gateway.admissions.of(&upstream.authority.host);
            ask(upstream.and_then(of).as_deref(), exchange, action)
        }
    }
}

fn ask(
    admission: Option<&Admission>,
    exchange: &Exchange,
    action: &Action,
) -> Result<(), ProxyError> {
    let Some(admission) = admission else { return Ok(()) };
    let tunnel = match action {
        Action::Respond(_) | Action::Probe => return Ok(()),
        Action::Forward(_) => Tunnel::None,
        Action::Tunnel { .. } | Action::Intercept { .. } => Tunnel::New,
        // A tunnel may carry several HTTP/2 streams, and each may turn into a tunnel.
        Action::Upgrade(_) if exchange.is_stream => Tunnel::New,
        Action::Upgrade(_) => exchange.connection.tunnel_slot().map_or(Tunnel::New, Tunnel::Around),
    };
    exchange.hold(admission.grant(tunnel)?);
    Ok(())
}
