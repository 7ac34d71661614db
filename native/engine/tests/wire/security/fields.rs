//! Rows 13 to 15: fields that a client must not remove, forge or spell in another way.

use tabport_engine::RouteFields;

use super::support::{Face, Findings, LOCAL, Recorder, attempt, converse};
use crate::harness::Proxy;

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
    let seen = super::message::messages(&origin.end().await.concat())?;
    let [only] = &seen[..] else { return Err(format!("the gateway got {seen:?}")) };
    for (name, value) in ROUTING.iter().zip(["3000", "w-1", LOCAL]) {
        if only.all(name) != [value] {
            return Err(format!("the gateway got {only:?}"));
        }
    }
    Ok(())
}
