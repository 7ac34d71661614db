//! How many streams a client may have open at once. Their upstream speaks HTTP/2, too: a connection for each
//! would be more descriptors than a process may have by default.

use bytes::Bytes;
use http::Method;
use tabport_engine::Timeouts;

use crate::http2_upstream::{URL, accept, answer, next, set_up_with};
use crate::stream::{answered, begin, speak, text};

const STREAMS: usize = 1000;

#[tokio::test]
async fn a_thousand_go_at_once() {
    let (proxy, context, origin) = set_up_with(Timeouts::default()).await;
    let mut sender = speak(proxy.connect().await.0).await;
    let (mut upstream, mut responses, mut open) = (None, Vec::new(), Vec::new());
    for number in 0..STREAMS {
        sender = sender.ready().await.unwrap();
        let (response, mut body) = begin(&mut sender, Some(&context), Method::GET, URL);
        body.send_data(Bytes::new(), true).unwrap();
        responses.push(response);
        if number == 0 {
            upstream = Some(accept(&origin).await);
        }
        open.push(next(upstream.as_mut().unwrap()).await);
    }
    assert_eq!(proxy.server.stats().requests, STREAMS as u64);
    for (_, respond) in &mut open {
        answer(respond, "ok");
    }
    tokio::spawn(async move { upstream.unwrap().accept().await });
    for response in responses {
        assert_eq!(text(answered(response).await).await.0, "ok");
    }
    proxy.until("all end", |stats| stats.requests == 0).await;
}
