//! The page that a failed navigation shows: which way the request took, what failed there, and what to do.
//!
//! It is for people, so only navigations get it; everything else gets the short text. It needs nothing from
//! anywhere, and shows hosts but never a path or a query. Its script waits by asking for the page's own address
//! with HEAD, and loads that again only once somebody other than this proxy answers. What a form has sent is
//! never sent again.

mod reason;

use std::fmt::{self, Write as _};

use http::Method;

use crate::authority::{Authority, Scheme};
use crate::decide::{Scope, forward_proxy, gateway};
use crate::error::ProxyError;
use crate::fields::Fields;
use crate::head::RequestHead;
use crate::options::Timeouts;
use crate::route::{Routing, Upstream};
use crate::target::Target;
use reason::Reason;

/// Allows the page its own style, its own script and its own address, and nothing else. Frames may show it.
/// The hashes are those of `style.css` and `script.js`, which a test checks.
pub(crate) const SECURITY_POLICY: &str = "default-src 'none'; \
    style-src 'sha256-uqK3Tsk39IfVqyscOEeBRfdnJXirBc1+5PiRDjV2pMI='; \
    script-src 'sha256-EeTC0NLAXJMjPiebDjQ2aFNB46HpYgUJSwhecVl/2Ho='; \
    connect-src 'self'; base-uri 'none'; form-action 'none'";

/// A request whose answer a person will look at, and where it leads.
pub(crate) struct Navigation {
    asked: String,
    upstream: Upstream,
    repeatable: bool,
    timeouts: Timeouts,
}

impl Navigation {
    /// `None` for what is no navigation, and for what asks for nothing.
    pub(crate) fn of(
        head: &RequestHead,
        scope: &Scope<'_>,
        timeouts: &Timeouts,
    ) -> Option<Box<Self>> {
        if !wants_page(&head.method, &head.fields) {
            return None;
        }
        let target = Target::of(head, scope.tunnel).ok()?;
        Some(Box::new(Self {
            asked: origin(target.scheme, &target.authority),
            upstream: forward_proxy::upstream_for(&target, scope),
            repeatable: is_repeatable(&head.method),
            timeouts: *timeouts,
        }))
    }

    /// The same for a gateway, which is told a host and no scheme: whoever it is told by may speak TLS to the person.
    pub(crate) fn at_gateway(
        head: &RequestHead,
        rules: &gateway::Rules,
        timeouts: &Timeouts,
    ) -> Option<Box<Self>> {
        if !wants_page(&head.method, &head.fields) {
            return None;
        }
        let upstream = gateway::decide(head, rules).ok()?.upstream()?.clone();
        Some(Box::new(Self {
            asked: upstream.host_field().into_owned(),
            upstream,
            repeatable: is_repeatable(&head.method),
            timeouts: *timeouts,
        }))
    }

    /// The page for this error.
    pub(crate) fn page(&self, error: &ProxyError) -> String {
        let Reason { what, next } = Reason::of(error, &self.upstream, &self.timeouts);
        let ending = if self.repeatable { &BY_ITSELF } else { &BY_HAND };
        let host = self.asked.split_once("://").map_or(&*self.asked, |(_, host)| host);
        format!(
            include_str!("page.html"),
            title = Escaped(format_args!("{host} cannot be reached")),
            style = concat!("<style>", include_str!("style.css"), "</style>"),
            refresh = ending.refresh,
            what = Escaped(what),
            next = Escaped(next),
            asked = Escaped(&self.asked),
            upstream = Escaped(self.way()),
            button = ending.button,
            state = ending.state,
            script = ending.script,
        )
    }

    fn way(&self) -> String {
        let origin = origin(self.upstream.scheme, &self.upstream.authority);
        match &self.upstream.routing {
            Some(Routing { workspace: Some(name), .. }) => {
                format!("the workspace gateway {origin} (workspace {name})")
            }
            Some(_) => format!("the workspace gateway {origin}"),
            None if self.upstream.told.is_some() => format!("{origin}, by the workspace gateway"),
            None if origin == self.asked => format!("{origin}, directly"),
            None => format!("{origin}, by this tab's route"),
        }
    }
}

/// Fetch Metadata says what a request is for. Chromium sends none to untrustworthy origins, nor does any client
/// that is no browser; then it takes what only navigations send.
fn wants_page(method: &Method, fields: &Fields) -> bool {
    let get =
        |name: &str| fields.get(name).map_or("", |value| str::from_utf8(value).unwrap_or_default());
    match get("sec-fetch-mode") {
        "" => {
            get("upgrade-insecure-requests") == "1"
                && get("accept").contains("text/html")
                && is_repeatable(method)
        }
        mode => {
            mode == "navigate" && matches!(get("sec-fetch-dest"), "document" | "iframe" | "frame")
        }
    }
}

fn is_repeatable(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// As an address bar shows it: without the scheme's own port.
fn origin(scheme: Scheme, authority: &Authority) -> String {
    let (name, host) = (scheme.as_str(), &authority.host);
    if authority.port == scheme.default_port() {
        format!("{name}://{host}")
    } else {
        format!("{name}://{authority}")
    }
}

/// How a page gives way to what was asked for. The button is a link to the page's own address, so it asks with
/// GET, whatever the page was asked for with.
struct Ending {
    refresh: &'static str,
    button: &'static str,
    state: &'static str,
    script: &'static str,
}

const BY_ITSELF: Ending = Ending {
    refresh: "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>",
    button: "<a id=\"now\" href=\"\">Try now</a>",
    state: "Tries again by itself.",
    script: concat!("<script>", include_str!("script.js"), "</script>"),
};

const BY_HAND: Ending = Ending {
    refresh: "",
    button: "<a href=\"\">Open the address</a>",
    state: "A form was being sent. It is not sent again: the button opens the address without it.",
    script: "",
};

/// Text as it must stand in HTML, in an attribute too.
struct Escaped<T>(T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let text = Escaped("<script>\"a\" & 'b'</script>").to_string();
        assert_eq!(text, "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;");
    }
}
