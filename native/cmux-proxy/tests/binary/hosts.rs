//! Workspaces that are hosts named by a template.

use crate::gateway::{Gateway, outcome, program};
use crate::harness::{Origin, status};

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];
const TEMPLATE: [&str; 2] = ["--workspace-host", "{workspace}.ws.test"];

async fn ask(gateway: &Gateway, port: u16, fields: &str) -> (u16, String) {
    let mut client = gateway.connect().await;
    let port = format!("X-Cmux-Port-Internal: {port}\r\n");
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{port}{fields}\r\n")).await;
    let (head, text) = client.response().await;
    (status(&head), text)
}

#[tokio::test]
async fn a_name_that_is_no_label_is_400() {
    let by_environment = |command: &mut tokio::process::Command| {
        command.env("CMUX_WORKSPACE_HOST", "{workspace}.ws.test");
    };
    let mut environment = program(&LISTEN);
    by_environment(&mut environment);
    for command in [&mut environment, &mut program(&[LISTEN, TEMPLATE].concat())] {
        let gateway = Gateway::run(command).await;
        let fields = "X-Cmux-Workspace-Internal: other.namespace\r\n";
        let (code, text) = ask(&gateway, 80, fields).await;
        assert_eq!(code, 400);
        assert!(text.starts_with("invalid workspace name: a host's name takes"), "{text}");
    }
}

#[tokio::test]
async fn a_host_that_is_the_gateways_own_is_403() {
    let origin = Origin::start().await;
    let gateway = Gateway::start(&["--workspace-host", "local{workspace}"]).await;
    let fields = "X-Cmux-Workspace-Internal: host\r\n";
    assert_eq!(ask(&gateway, origin.port(), fields).await.0, 403);
    origin.was_never_dialled().await;
}

#[tokio::test]
async fn there_is_a_default_upstream_only_if_it_is_named_or_asked_for() {
    let origin = Origin::start().await;
    for (flags, expected) in [
        (&[][..], 400),
        (&["--upstream-host", "127.0.0.1", "--allow-default-upstream=false"], 400),
        (&["--upstream-host", "127.0.0.1"], 200),
        (&["--allow-default-upstream"], 200),
    ] {
        let gateway = Gateway::start(&[&TEMPLATE, flags].concat()).await;
        let code = tokio::select! {
            (code, _) = ask(&gateway, origin.port(), "") => code,
            _peer = async { origin.answer("ok").await; std::future::pending::<()>().await } => 0,
        };
        assert_eq!(code, expected, "{flags:?}");
    }
}

#[tokio::test]
async fn what_is_no_template_and_a_network_beside_one_are_2() {
    for (flags, expected) in [
        (&["--workspace-host", "ws.test"][..], "it must hold {workspace} once"),
        (&["--workspace-host", "{workspace}.a b"], "it is not the name of a host"),
        (&["--workspace-host", "{workspace}"], "its last label must begin with a letter"),
        (&["--workspace-host", "{workspace}.localhost"], "every host below localhost is this one"),
        (&[TEMPLATE[0], TEMPLATE[1], "--workspace-net", "127.18.0.0/16"], "cannot be used with"),
    ] {
        let (code, log) = outcome(&mut program(&[&LISTEN, flags].concat())).await;
        assert_eq!(code, Some(2), "{flags:?}");
        assert!(log.contains(expected), "{log}");
    }
}
