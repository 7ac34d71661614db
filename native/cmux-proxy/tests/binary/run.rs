//! `cmux-proxy run` as a command that starts another: what that is given, and what comes back.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use crate::workspace::{Inside, inside, outcome, output, run};

#[tokio::test]
async fn the_command_takes_its_place() {
    let mut server = Inside::start(50, &["sh", "-c", "echo 1; echo $$; exec sleep 60"]).await;
    let id = server.child.id().unwrap();
    assert_eq!(server.next_line().await, id.to_string());
    output(tokio::process::Command::new("kill").args(["-s", "TERM", &id.to_string()])).await;
    assert_eq!(server.child.wait().await.unwrap().signal(), Some(15));
}

#[tokio::test]
async fn its_exit_code_is_the_command_s() {
    for code in [0, 1, 7, 255] {
        let exit = format!("exit {code}");
        assert_eq!(outcome(&mut inside(50, &["sh", "-c", &exit])).await.code, Some(code));
    }
}

#[tokio::test]
async fn a_command_that_is_none_is_127_or_126() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    for (name, code) in [
        ("no-such-command", 127),
        ("/no/such/command", 127),
        ("", 127),
        (plain.to_str().unwrap(), 126),
        (folder.path().to_str().unwrap(), 126),
    ] {
        let ended = outcome(&mut inside(50, &[name])).await;
        assert_eq!(ended.code, Some(code), "{name}: {}", ended.log);
    }
    let mut found = inside(50, &["plain"]);
    let ended = outcome(found.env("PATH", folder.path())).await;
    assert_eq!((ended.code, &*ended.log), (Some(126), "cmux-proxy: plain: it is not executable\n"));
}

#[tokio::test]
async fn what_makes_no_sense_is_2_and_a_workspace_without_an_address_1() {
    for arguments in [
        &["true"][..],
        &["--workspace", "workspace-1"],
        &["--workspace", "workspace-1", "--share", "0", "true"],
        &["--workspace", "workspace-1", "--workspace-net", "10.0.0.0/25", "true"],
    ] {
        assert_eq!(outcome(&mut run(arguments)).await.code, Some(2), "{arguments:?}");
    }
    let ended = outcome(&mut run(&["--workspace", "workspace-65536", "true"])).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.contains("outside the workspace network"), "{}", ended.log);
}

#[tokio::test]
async fn the_command_keeps_its_arguments_and_its_name() {
    let command = ["sh", "-c", r#"echo "$0|$1|$2""#, "a b", "--workspace", "-x"];
    assert_eq!(output(&mut inside(50, &command)).await, "a b|--workspace|-x");
    let named = ["--workspace", "workspace-50", "cat", "/proc/self/cmdline", "--", "/dev/null"];
    assert_eq!(output(&mut run(&named)).await, "cat\0/proc/self/cmdline\0--\0/dev/null\0");
}

#[tokio::test]
async fn the_environment_says_which_workspace_it_is() {
    let said = "echo $CMUX_WORKSPACE_INTERNAL $CMUX_WORKSPACE_ADDRESS";
    for (arguments, expected) in [
        (&["--workspace", "/root/workspace-7"][..], "/root/workspace-7 127.18.0.7"),
        (&["--workspace", "main"], "main 127.18.226.8"),
        (&["--workspace-net", "127.20.0.0/16", "--workspace", "w-1"], "w-1 127.20.0.1"),
        (&["--workspace", "w-1", "--workspace-net", "127.20.0.0/16"], "w-1 127.20.0.1"),
    ] {
        let command = [arguments, &["--", "sh", "-c", said]].concat();
        assert_eq!(output(&mut run(&command)).await, expected);
    }
}

#[tokio::test]
async fn what_is_preloaded_anyway_still_is() {
    let mut command = inside(50, &["sh", "-c", "echo $LD_PRELOAD; grep -o libm.so /proc/$$/maps"]);
    let out = output(command.env("LD_PRELOAD", "libm.so.6")).await;
    let (variable, mapped) = out.split_once('\n').unwrap();
    assert!(variable.ends_with("/libtabport_workspace.so:libm.so.6"), "{variable}");
    assert!(mapped.starts_with("libm.so"), "{mapped}");
}

#[tokio::test]
async fn the_library_is_looked_for_beside_the_program_and_in_lib_or_where_it_is_told() {
    let binary = Path::new(env!("CARGO_BIN_EXE_cmux-proxy"));
    let library = binary.with_file_name("libtabport_workspace.so");
    let prefix = tempfile::tempdir().unwrap();
    let [bin, lib] = ["bin", "lib"].map(|name| prefix.path().join(name));
    output(&mut inside(50, &["true"])).await;
    for folder in [&bin, &lib] {
        std::fs::create_dir(folder).unwrap();
    }
    let installed = bin.join("cmux-proxy");
    std::fs::copy(binary, &installed).unwrap();
    let command = || {
        let mut command = tokio::process::Command::new(&installed);
        command.args(["run", "--workspace", "workspace-50", "true"]);
        command
    };
    let ended = outcome(&mut command()).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.contains("--preload-library"), "{}", ended.log);
    output(command().env("CMUX_PRELOAD_LIBRARY", &library)).await;
    std::fs::copy(&library, lib.join("libtabport_workspace.so")).unwrap();
    output(&mut command()).await;
}

#[tokio::test]
async fn a_library_that_cannot_be_named_or_read_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let spaced = folder.path().join("a b.so");
    std::fs::write(&spaced, "").unwrap();
    for (path, reason) in [("/no/such.so", "No such file"), (spaced.to_str().unwrap(), "a space")] {
        let library = ["--workspace", "workspace-50", "--preload-library", path, "true"];
        let ended = outcome(&mut run(&library)).await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.log.contains(reason), "{}", ended.log);
    }
}
