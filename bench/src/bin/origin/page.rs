//! What a browser is given: a page that imports modules, each as late as its path says, as if the origin were that
//! far away; and a stream of events that stays open. And a stream that ends, for whoever measures its first event.

use std::time::Duration;

/// Where the stream of events is.
pub const EVENTS: &[u8] = b"/events";
pub const FIRST_EVENT: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n";

/// As long as modules of a development server often are.
const MODULE: usize = 1024;

/// `/page/DELAY/COUNT` or `/module/DELAY/INDEX`, the delay in milliseconds: how long its response takes, and the
/// response.
pub fn part(target: &[u8]) -> Option<(Duration, Vec<u8>)> {
    let mut segments = std::str::from_utf8(target).ok()?.strip_prefix('/')?.split('/');
    let kind = segments.next()?;
    let (delay, number) = (segments.next()?.parse().ok()?, segments.next()?.parse().ok()?);
    let response = match kind {
        "page" => response("text/html", &page(delay, number)),
        "module" => response("text/javascript", &module(number)),
        _ => return None,
    };
    Some((Duration::from_millis(delay), response))
}

/// `/stream/DELAY`: what is sent at once, and what ends it so many milliseconds later.
pub fn stream(target: &[u8]) -> Option<(Duration, &'static [u8], &'static [u8])> {
    let delay = std::str::from_utf8(target).ok()?.strip_prefix("/stream/")?.parse().ok()?;
    let first =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
        d\r\ndata: first\n\n\r\n";
    Some((Duration::from_millis(delay), first, b"c\r\ndata: last\n\n\r\n0\r\n\r\n"))
}

/// The imports stand in the page itself: the browser knows of all of them at once. The icon keeps it from asking
/// for one.
fn page(delay: u64, modules: u64) -> String {
    let imports: String =
        (0..modules).map(|index| format!("import '/module/{delay}/{index}'\n")).collect();
    format!(
        "<!doctype html>\n<link rel=\"icon\" href=\"data:,\">\n<script type=\"module\">\n{imports}</script>\n"
    )
}

/// The page counts the modules that ran.
fn module(index: u64) -> String {
    let code =
        format!("globalThis.ran = (globalThis.ran ?? 0) + 1\nexport const index = {index}\n//");
    format!("{code:.<MODULE$}\n")
}

fn response(media_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
