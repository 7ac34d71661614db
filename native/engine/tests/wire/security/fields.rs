//! Rows 13 to 15: fields that a client must not remove, forge or spell in another way.

use tabport_engine::RouteFields;

use super::message::messages;
use super::support::{Face, Findings, LOCAL, Recorder, attempt, converse};
use crate::harness::{Origin, Proxy};

const ROUTING: [&str; 3] =
    ["X-Cmux-Port-Internal", "X-Cmux-Workspace-Internal", "X-Cmux-Host-Override"];

async fn all_are_400(lines: &[String]) {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in Face::ALL {
        for line in lines {
            let outcome = attempt(&proxy, face, |context| {
                let own = "Authorization: Bearer a\r\nCookie: a=b\r\n";
                let head = face.ask(context, "GET", "/first", &format!("{own}{line}\r\n"));
                format!("{head}{}", face.smuggled(context))
            })
            .await;
            findings.note((face, line), outcome.refused(400));
        }
    }
    findings.none();
}

#[tokio::test]
async fn row_13_connection_names_a_field_that_must_stay() {
    let mut names = vec!["Host", "Authorization", "Cookie", "X-Cmux-Proxied", "x-cmux-anything"];
    names.extend(ROUTING);
    let lines: Vec<_> = names
        .iter()
        .flat_map(|name| {
            let (lower, upper) = (name.to_lowercase(), name.to_uppercase());
            [
                format!("Connection: {name}"),
                format!("Connection: close, {lower}"),
                format!("Connection:{upper},close"),
                format!("Connection: ,,\t{name}\t,"),
                format!("Connection: close\r\nConnection: {name}"),
                format!("Connection: {name}\r\nConnection: keep-alive"),
            ]
        })
        .collect();
    all_are_400(&lines).await;
}

/// Naming anything else removes it, and nothing that frames the message.
#[tokio::test]
async fn row_13_connection_names_a_field_that_may_go() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in [Face::Absolute, Face::HostField, Face::Tunnel] {
        let outcome = attempt(&proxy, face, |context| {
            let fields = "X-Forwarded-For: 1.2.3.4\r\nX-Kept: yes\r\nProxy-Connection: close\r\n\
                          Keep-Alive: timeout=5\r\nX-Hop: a\r\nx-hop: b\r\n\
                          Connection: X-Forwarded-For, x-hop, Proxy-Authorization, close\r\n";
            face.ask(context, "GET", "/first", fields)
        })
        .await;
        let seen = outcome.passed(1);
        for gone in ["x-forwarded-for", "x-hop", "proxy-connection", "keep-alive"] {
            let gone = seen.as_ref().is_ok_and(|seen| seen[0].all(gone).is_empty());
            findings.check(face, gone, &outcome.at_origin());
        }
        let kept = seen.as_ref().is_ok_and(|seen| seen[0].all("x-kept") == ["yes"]);
        findings.check(face, kept, &outcome.at_origin());
        findings.note(face, seen);
    }
    findings.none();
}

/// An upstream may name them too; the message it has framed stays framed.
#[tokio::test]
async fn row_13_connection_names_a_field_that_frames_a_response() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    let origin = Origin::start().await;
    let context = proxy.routed(origin.url());
    for (framing, body) in
        [("Content-Length: 5", "hello"), ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")]
    {
        let request = Face::Absolute.ask(&context, "GET", "/", "Connection: close\r\n");
        let upstream = async {
            let mut upstream = origin.accept().await;
            upstream.head().await;
            let named = "Connection: close, Content-Length, Transfer-Encoding, X-Hop\r\nX-Hop: 1";
            upstream.send(format!("HTTP/1.1 200 OK\r\n{named}\r\n{framing}\r\n\r\n{body}")).await;
        };
        let client = proxy.connect().await;
        let (told, ()) = tokio::join!(converse(client.0, request.as_bytes()), upstream);
        let sound = match &messages(&told).unwrap_or_default()[..] {
            [only] => only.complete && only.body == b"hello" && only.all("x-hop").is_empty(),
            _ => false,
        };
        findings.check(framing, sound, &String::from_utf8_lossy(&told));
    }
    findings.none();
}

/// The length is what frames the body at the next hop: without it the body would be a request.
#[tokio::test]
async fn row_13_connection_names_a_field_that_frames() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in [Face::Absolute, Face::HostField, Face::Tunnel] {
        for (name, framing) in [
            ("Content-Length", "Content-Length: "),
            ("Transfer-Encoding", "Transfer-Encoding: chunked"),
        ] {
            let mut body = String::new();
            let outcome = attempt(&proxy, face, |context| {
                let inner = face.ask(context, "GET", "/smuggled", "");
                let (framing, framed) = if name == "Content-Length" {
                    (format!("{framing}{}", inner.len()), inner.clone())
                } else {
                    (framing.to_owned(), format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len()))
                };
                body = inner;
                let fields = format!("{framing}\r\nConnection: close, {name}\r\n");
                format!("{}{framed}", face.post(context, &fields))
            })
            .await;
            let sound = match outcome.passed(1) {
                Ok(seen) if seen[0].body == body.as_bytes() => Ok(()),
                Ok(seen) => Err(format!("the origin got {seen:?}")),
                Err(_) => outcome.refused(400),
            };
            findings.note((face, name), sound);
        }
    }
    findings.none();
}

#[tokio::test]
async fn row_14_names_that_differ_by_underscores() {
    let mut lines = Vec::new();
    for name in ROUTING {
        let positions: Vec<_> = name.match_indices('-').map(|(at, _)| at).collect();
        for mask in 1..1 << positions.len() {
            let mut name = name.to_owned();
            for (bit, at) in positions.iter().enumerate() {
                if mask & 1 << bit != 0 {
                    name.replace_range(at..&(at + 1), "_");
                }
            }
            lines.extend([format!("{name}: 1"), format!("{}: 1", name.to_lowercase())]);
        }
    }
    all_are_400(&lines).await;
}

#[tokio::test]
async fn row_14_other_names_may_have_underscores() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for face in [Face::Absolute, Face::HostField, Face::Tunnel] {
        let fields = "X_Other: 1\r\n_: 2\r\nConnection: close\r\n";
        let outcome = attempt(&proxy, face, |context| face.ask(context, "GET", "/", fields)).await;
        let seen = outcome.passed(1);
        let kept = seen.as_ref().is_ok_and(|seen| seen[0].all("x_other") == ["1"]);
        findings.note(face, seen);
        findings.check(face, kept, &outcome.at_origin());
    }
    findings.none();
}

/// In trailers, where they would come too late to be refused by some, they go or the request does.
#[tokio::test]
async fn row_14_routing_names_in_trailers() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for name in ["X-Cmux-Port-Internal", "X_Cmux_Port_Internal", "x-cmux_host-override"] {
        let outcome = attempt(&proxy, Face::Absolute, |context| {
            let fields = "Connection: close\r\nTransfer-Encoding: chunked\r\n";
            let head = Face::Absolute.post(context, &format!("{fields}Trailer: {name}\r\n"));
            format!("{head}2\r\nhi\r\n0\r\n{name}: 1\r\n\r\n")
        })
        .await;
        let got = String::from_utf8_lossy(&outcome.origin.concat()).to_lowercase();
        let trailers = got.split_once("\r\n\r\n").map_or("", |(_, rest)| rest).to_owned();
        findings.check(name, !trailers.contains(&name.to_lowercase()), &trailers);
    }
    findings.none();
}

/// A tunnel is looked into for the sake of these rules: what a lenient server takes for a request, whatever
/// stands before it, must not pass unread.
#[tokio::test]
async fn row_14_no_way_around_in_a_tunnel() {
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for before in ["\r\n", "\n", " ", "\t", "\r\n ", "\r", "'", "!", "_"] {
        let outcome = attempt(&proxy, Face::Tunnel, |_| {
            let fields = "X-Cmux-Port-Internal: 22\r\nX-Cmux-Workspace-Internal: other\r\n";
            format!(
                "{before}GET / HTTP/1.1\r\nHost: evil.test\r\n{fields}Connection: close\r\n\r\n"
            )
        })
        .await;
        let got = outcome.at_origin();
        let told = got.to_lowercase().contains("x-cmux") || got.contains("evil.test");
        findings.check(before, !told, &got);
    }
    findings.none();
}

/// Nor may it, once a client has sent so many empty lines that there seems to be no request.
#[tokio::test]
async fn row_14_no_way_around_by_empty_lines() {
    let (proxy, origin) = (Proxy::start(), Origin::start().await);
    let context = proxy.routed(origin.url());
    let mut client = proxy.tunnel(&context, LOCAL).await;
    client.send("\r\n".repeat(2000)).await;
    origin.was_never_dialled().await;
}

/// Whatever a client sends of these, the origin is told nothing, and the gateway what is true.
#[tokio::test]
async fn row_15_duplicate_and_odd_routing_fields() {
    let mut lines: Vec<String> =
        ["0", "65536", "+80", "80 ", "0x50", "", "80, 81", "-1", "99999999999"]
            .iter()
            .map(|port| format!("X-Cmux-Port-Internal: {port}\r\n"))
            .collect();
    for workspace in ["../", "..%2f", "127.0.0.1", "\u{fc}n\u{ef}c\u{f6}de", "a b", "", "/"] {
        lines.push(format!("X-Cmux-Workspace-Internal: {workspace}\r\n"));
    }
    lines.push("X-Cmux-Port-Internal: 22\r\nX-Cmux-Port-Internal: 23\r\n".to_owned());
    lines.push("x-CMUX-host-override: evil.test\r\nX-Cmux-Proxied: true\r\n".to_owned());
    let (proxy, mut findings) = (Proxy::start(), Findings::default());
    for line in &lines {
        let fields = format!("{line}Connection: close\r\n");
        for face in [Face::Absolute, Face::Tunnel] {
            let outcome =
                attempt(&proxy, face, |context| face.ask(context, "GET", "/", &fields)).await;
            findings.note((face, line), outcome.passed(1));
            let told = outcome.at_origin().to_lowercase();
            findings.check((face, line), !told.contains("x-cmux"), &told);
        }
        findings.note(line, the_gateway_is_told_the_truth(&proxy, &fields).await);
    }
    findings.none();
}

async fn the_gateway_is_told_the_truth(proxy: &Proxy, fields: &str) -> Result<(), String> {
    let origin = Recorder::start().await;
    let context = proxy.create(Some(RouteFields {
        cmux_proxy_origin: Some(origin.url()),
        workspace: Some("w-1".to_owned()),
        ..RouteFields::default()
    }));
    let request = Face::Absolute.ask(&context, "GET", "/", fields);
    converse(proxy.connect().await.0, request.as_bytes()).await;
    proxy.server.release_context(&context.id).unwrap();
    let seen = messages(&origin.end().await.concat())?;
    let [only] = &seen[..] else { return Err(format!("the gateway got {seen:?}")) };
    for (name, value) in ROUTING.iter().zip(["3000", "w-1", LOCAL]) {
        if only.all(name) != [value] {
            return Err(format!("the gateway got {only:?}"));
        }
    }
    Ok(())
}
