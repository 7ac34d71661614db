//! Rows 1 to 6 by the thousand: mutated requests, each with a recognisable second request behind it.
//!
//! Whatever the proxy makes of a mutant, the origin sees messages that can be read in one way only, no more
//! of them than the proxy has authorised, and `/smuggled` only as one of these; and the client is answered
//! or let go, never left hanging.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tabport_engine::Event;
use tokio::task::JoinSet;

use super::message::{messages, statuses};
use super::mutants::{self, Mutant};
use super::support::{Face, Findings, LOCAL, Recorder, converse, impatient};
use crate::harness::{Context, Proxy};

/// How many are tried at a time.
const AT_ONCE: usize = 64;
/// How long the proxy waits for what does not come.
const LIMIT: Duration = Duration::from_millis(1500);

/// Who sends the request behind the mutant.
#[derive(Debug, Clone, Copy)]
enum Behind {
    /// Somebody with credentials.
    Authorised,
    /// Somebody without.
    Stranger,
    /// Whoever opened the tunnel that both stand in.
    Inside,
}

struct Tried {
    what: String,
    context: String,
    client: Vec<u8>,
    origin: Vec<Vec<u8>>,
    sent: Vec<u8>,
}

async fn all_are_harmless(behind: Behind) {
    let proxy = Arc::new(impatient(LIMIT));
    let (mut running, mut tried) = (JoinSet::new(), Vec::new());
    for mutant in mutants::all() {
        // In a tunnel, what no server takes for a request is for the origin, unread.
        let first = mutant.text.trim_start_matches(['\r', '\n']).as_bytes()[0];
        let opaque = !first.is_ascii_alphabetic() && !b"\t !#$%&'*+-.^_`|~".contains(&first);
        if matches!(behind, Behind::Inside) && opaque {
            continue;
        }
        if running.len() == AT_ONCE {
            tried.extend(running.join_next().await.map(Result::unwrap));
        }
        running.spawn(attempt(Arc::clone(&proxy), mutant, behind));
    }
    tried.extend(running.join_all().await);
    proxy.until("all is quiet", |stats| stats.requests + stats.connections == 0).await;

    let mut authorised = HashMap::<_, Vec<_>>::new();
    for event in proxy.events() {
        if let Event::Request { context_id, path, method, .. } = event {
            authorised.entry(context_id).or_default().push((method, path));
        }
    }
    let mut findings = Findings::default();
    for tried in &tried {
        let authorised = authorised.remove(&tried.context).unwrap_or_default();
        findings.note(&tried.what, judge(tried, &authorised, behind));
    }
    findings.none();
}

async fn attempt(proxy: Arc<Proxy>, mutant: Mutant, behind: Behind) -> Tried {
    let origin = Recorder::start().await;
    let context = proxy.routed(origin.url());
    let (client, sent) = if matches!(behind, Behind::Inside) {
        (proxy.tunnel(&context, LOCAL).await, bytes(&mutant, "", ""))
    } else {
        let (url, own) = (format!("http://{LOCAL}"), context.field());
        (proxy.connect().await, bytes(&mutant, &url, &own))
    };
    let sent = [sent, second(behind, &context).into_bytes()].concat();
    let client = converse(client.0, &sent).await;
    proxy.server.release_context(&context.id).unwrap();
    Tried { what: mutant.what, context: context.id, client, origin: origin.end().await, sent }
}

/// The mutant as bytes: its characters beyond ASCII are one byte each.
fn bytes(mutant: &Mutant, url: &str, own: &str) -> Vec<u8> {
    let text = mutant.text.replace("@URL", url).replace("@OWN", own);
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn second(behind: Behind, context: &Context) -> String {
    match behind {
        Behind::Authorised => Face::Absolute.smuggled(context),
        Behind::Stranger => Face::Absolute.smuggled(context).replace(&context.field(), ""),
        Behind::Inside => Face::Tunnel.smuggled(context),
    }
}

fn judge(tried: &Tried, authorised: &[(String, String)], behind: Behind) -> Result<(), String> {
    let texts: Vec<_> = tried.origin.iter().map(|it| String::from_utf8_lossy(it)).collect();
    let told = String::from_utf8_lossy(&tried.client).into_owned();
    let fail = |why: &str| Err(format!("{why}; the origin got {texts:?}, the client {told:?}"));
    let statuses = match statuses(&tried.client) {
        Ok(statuses) => statuses,
        Err(why) => return fail(&why),
    };
    if statuses.len() > 2 || statuses.iter().any(|it| !is_expected(*it)) {
        return fail("odd answers");
    }
    let mut seen = Vec::new();
    for bytes in &tried.origin {
        match messages(bytes) {
            Ok(messages) => seen.extend(messages),
            Err(why) => return fail(&why),
        }
    }
    let requests = authorised.iter().filter(|(method, _)| method != "CONNECT");
    if seen.len() > requests.clone().count() {
        return fail("more requests than were authorised");
    }
    let smuggled = seen.iter().filter(|it| it.start.contains("/smuggled")).count();
    let allowed = requests.filter(|(_, path)| path == "/smuggled").count();
    if smuggled > allowed || (smuggled > 0 && matches!(behind, Behind::Stranger)) {
        return fail("smuggled");
    }
    let foreign = seen.iter().filter(|it| it.complete && !is_within(&it.body, &tried.sent)).count();
    if foreign > 0 { fail("a body nobody has sent") } else { Ok(()) }
}

fn is_expected(status: u16) -> bool {
    matches!(
        status,
        200 | 400 | 403 | 407 | 408 | 413 | 414 | 421 | 426 | 431 | 501 | 502 | 504 | 505
    )
}

/// Whether a body is what the client sent in one piece, or in one chunk.
fn is_within(body: &[u8], sent: &[u8]) -> bool {
    body.is_empty() || sent.windows(body.len()).any(|part| part == body)
}

#[tokio::test]
async fn mutants_with_an_authorised_request_behind() {
    all_are_harmless(Behind::Authorised).await;
}

#[tokio::test]
async fn mutants_with_a_strangers_request_behind() {
    all_are_harmless(Behind::Stranger).await;
}

#[tokio::test]
async fn mutants_inside_a_tunnel() {
    all_are_harmless(Behind::Inside).await;
}
