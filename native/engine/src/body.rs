//! Bodies on their way through: frames pass as they come, and are counted.
//!
//! Back-pressure is hyper's: a frame is only asked for when the other side can take it, so the memory of a
//! transfer does not grow with its size.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::exchange::Exchange;
use crate::headers;
use crate::upstream::Lease;

/// A request's body on its way upstream.
pub(crate) struct RequestBody(Option<(Incoming, Arc<Exchange>)>);

impl RequestBody {
    pub(crate) fn relayed(body: Incoming, exchange: &Arc<Exchange>) -> Self {
        Self(Some((body, Arc::clone(exchange))))
    }

    pub(crate) fn empty() -> Self {
        Self(None)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some((body, exchange)) = &mut self.0 else { return Poll::Ready(None) };
        let mut frame = ready!(Pin::new(body).poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame {
            exchange.moved_up(frame.data_ref().map_or(0, Bytes::len));
            frame.trailers_mut().map(headers::strip_trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(body, _)| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |(body, _)| body.size_hint())
    }
}

/// A response's body on its way downstream, and the exchange that ends with it.
pub(crate) struct ResponseBody {
    source: Source,
    exchange: Option<Arc<Exchange>>,
}

enum Source {
    /// From the upstream; the lease gives its connection back once the body has been read.
    Upstream { body: Incoming, lease: Option<Lease>, idle: Option<Idle> },
    /// The proxy's own text.
    Own(Option<Bytes>),
}

impl ResponseBody {
    pub(crate) fn relayed(body: Incoming, lease: Option<Lease>, idle: Option<Duration>) -> Self {
        let source = Source::Upstream { body, lease, idle: idle.map(Idle::new) };
        Self { source, exchange: None }
    }

    pub(crate) fn own(text: String) -> Self {
        let text = Some(Bytes::from(text)).filter(|text| !text.is_empty());
        Self { source: Source::Own(text), exchange: None }
    }

    /// Keeps the exchange going for as long as the body moves.
    pub(crate) fn of(mut self, exchange: Arc<Exchange>) -> Self {
        self.exchange = Some(exchange);
        self
    }

    fn finish(&mut self) {
        if let Source::Upstream { lease, .. } = &mut self.source
            && let Some(lease) = lease.take()
        {
            lease.give_back();
        }
        if let Some(exchange) = &self.exchange {
            exchange.completed();
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut frame = match &mut self.source {
            Source::Own(text) => text.take().map(|text| Ok(Frame::data(text))),
            Source::Upstream { body, idle, .. } => match Pin::new(body).poll_frame(cx) {
                Poll::Ready(frame) => {
                    idle.as_mut().map(Idle::moved);
                    frame.map(|frame| frame.map_err(Into::into))
                }
                Poll::Pending => Some(Err(ready!(idle_for_too_long(idle.as_mut(), cx)).into())),
            },
        };
        match &mut frame {
            Some(Ok(frame)) => {
                frame.trailers_mut().map(headers::strip_trailers);
                if let (Some(exchange), Some(data)) = (&self.exchange, frame.data_ref()) {
                    exchange.moved_down(data.len());
                }
            }
            Some(Err(_)) => {}
            None => self.finish(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(text) => text.is_none(),
            Source::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Source::Upstream { body, .. } => body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    /// hyper stops asking once it has written as many bytes as `Content-Length` says.
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.finish();
        }
    }
}

/// A limit on the time in which a body moves no byte.
struct Idle {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: Box::pin(sleep_until(Instant::now() + limit)) }
    }

    fn moved(&mut self) {
        self.timer.as_mut().reset(Instant::now() + self.limit);
    }
}

fn idle_for_too_long(idle: Option<&mut Idle>, cx: &mut Context<'_>) -> Poll<io::Error> {
    let Some(idle) = idle else { return Poll::Pending };
    idle.timer.as_mut().poll(cx).map(|()| io::ErrorKind::TimedOut.into())
}
