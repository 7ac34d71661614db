//! A response's body as hyper asks an HTTP/2 stream for it: frames pass as they come, and are counted.
//!
//! Back-pressure is hyper's: a frame is only asked for when the client can take it, so the memory of a
//! transfer does not grow with its size.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::client::Upload;
use crate::exchange::Exchange;
use crate::headers;
use crate::respond::INCOMPLETE;
use crate::response;
use crate::upstream::{Relay, strip_trailers};
use crate::{http1, http2};

/// A response's body, and the exchange that ends with it.
pub(crate) struct ResponseBody {
    source: Source,
    exchange: Option<Arc<Exchange>>,
}

enum Source {
    Own(Option<Bytes>),
    /// With what is left of the client's upload.
    Http1(Option<Relay>, Option<Upload>),
    Http2(Option<Incoming>),
}

impl ResponseBody {
    pub(crate) fn new(
        body: response::Body,
        upload: Option<Upload>,
        exchange: Option<Arc<Exchange>>,
    ) -> Self {
        let source = match body {
            response::Body::Own(text) => Source::Own(Some(text).filter(|text| !text.is_empty())),
            response::Body::Http1(relay) => Source::Http1(Some(relay), upload),
            response::Body::Http2(body, _) => Source::Http2(body),
        };
        Self { source, exchange }
    }

    fn finish(&mut self) {
        if let Source::Http1(relay, _) = &mut self.source
            && let Some(relay) = relay.take()
        {
            relay.finish();
        }
        if let Some(exchange) = &self.exchange {
            exchange.completed();
        }
    }
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Http1(None, _) | Self::Http2(None) => Poll::Ready(None),
            Self::Http1(Some(relay), upload) => {
                let frame = ready!(relay.poll_frame(cx, upload)).transpose();
                Poll::Ready(frame.map(|frame| frame.map(to_hyper).map_err(Into::into)))
            }
            Self::Http2(Some(body)) => {
                let mut frame = ready!(Pin::new(body).poll_frame(cx));
                if let Some(Ok(frame)) = &mut frame {
                    frame.trailers_mut().map(strip_trailers);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

fn to_hyper(frame: http1::Frame) -> Frame<Bytes> {
    match frame {
        http1::Frame::Data(data) => Frame::data(data),
        http1::Frame::Trailers(mut fields) => {
            headers::strip_trailers(&mut fields);
            Frame::trailers(HeaderMap::from(&fields))
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.source.poll_frame(cx));
        http2::has_answered();
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(exchange), Some(data)) = (&self.exchange, frame.data_ref()) {
                    exchange.moved_down(data.len());
                }
            }
            Some(Err(_)) if matches!(self.source, Source::Http2(_)) => {
                self.exchange.iter().for_each(|exchange| exchange.failed(INCOMPLETE));
            }
            Some(Err(_)) => {}
            None => self.finish(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(text) => text.is_none(),
            Source::Http1(relay, _) => relay.as_ref().is_none_or(Relay::is_complete),
            Source::Http2(body) => body.as_ref().is_none_or(Body::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Source::Http1(..) | Source::Http2(_) => SizeHint::default(),
        }
    }
}

impl Drop for ResponseBody {
    /// hyper stops asking once the body has said that it is at its end.
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.finish();
        }
    }
}
