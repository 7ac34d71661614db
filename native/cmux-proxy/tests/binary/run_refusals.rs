//! Programs that cannot be led to a workspace: refused with the reason, and never started.

use std::fs::{Permissions, set_permissions, write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::workspace::{Outcome, inside, outcome, output, run};

pub(crate) async fn compile(folder: &TempDir, name: &str, flags: &[&str], source: &str) -> PathBuf {
    let (input, program) = (folder.path().join(name).with_extension("c"), folder.path().join(name));
    write(&input, source).unwrap();
    let mut cc = tokio::process::Command::new("cc");
    output(cc.args(flags).arg(&input).arg("-o").arg(&program)).await;
    program
}

fn script(folder: &TempDir, name: &str, text: String) -> PathBuf {
    let path = folder.path().join(name);
    write(&path, text).unwrap();
    set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

async fn refused(program: &Path, reason: &str) {
    let Outcome { code, out, log } = outcome(&mut inside(51, &[program.to_str().unwrap()])).await;
    assert_eq!(code, Some(126), "{out}{log}");
    assert_eq!(out, "");
    assert!(log.contains(reason), "{log}");
    assert!(log.contains("--isolation namespace"), "{log}");
}

const STATIC: &str = "void _start(void) { for (;;); }";
const DYNAMIC: &str = "int main(void) { return 0; }";
/// The note with a build's id, and what tells of a build; every Go program has the one or the other.
const GO_NOTE: &str = r#"
__asm__(".section .note.go.buildid,\"a\",@note\n.long 4\n.long 4\n.long 4\n.ascii \"Go\\0\\0\"\n"
        ".ascii \"abcd\"\n.text");
int main(void) { return 0; }
"#;

const GO_BUILD: &str = r#"
__attribute__((section(".go.buildinfo"), used)) static const char build[] = "Go buildinf:";
int main(void) { return 0; }
"#;

#[tokio::test]
async fn a_static_program_and_a_script_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(&folder, "static", &["-static", "-nostdlib"], STATIC).await;
    refused(&program, "static cannot be led to a workspace: it is linked statically").await;
    let pie = compile(&folder, "pie", &["-static-pie", "-nostdlib"], STATIC).await;
    refused(&pie, "it is linked statically").await;
    let by_path = script(&folder, "by-path", format!("#!{} x\n", program.display()));
    refused(&by_path, "it is linked statically").await;
    let by_script = script(&folder, "by-script", format!("#! {}\n", by_path.display()));
    refused(&by_script, "it is linked statically").await;
    let by_env = script(&folder, "by-env", "#!/usr/bin/env -S A=1 static x\n".to_owned());
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let ended = outcome(inside(51, &[by_env.to_str().unwrap()]).env("PATH", path)).await;
    assert_eq!(ended.code, Some(126));
    assert!(ended.log.contains("static cannot be led to a workspace"), "{}", ended.log);
}

#[tokio::test]
async fn a_go_program_that_is_linked_dynamically() {
    let folder = tempfile::tempdir().unwrap();
    for source in [GO_NOTE, GO_BUILD] {
        refused(&compile(&folder, "go", &[], source).await, "it is a Go program").await;
    }
}

#[tokio::test]
async fn a_program_that_gains_privileges() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(&folder, "privileged", &[], DYNAMIC).await;
    output(&mut inside(51, &[program.to_str().unwrap()])).await;
    for mode in [0o4755, 0o2755] {
        set_permissions(&program, Permissions::from_mode(mode)).unwrap();
        refused(&program, "privileges of its own").await;
    }
}

#[tokio::test]
async fn a_program_whose_loader_does_not_take_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let loader = script(&folder, "loader", "#!/bin/sh\necho elsewhere >&2; exit 1\n".to_owned());
    let flag = format!("-Wl,--dynamic-linker={}", loader.display());
    let program = compile(&folder, "other", &[&flag], DYNAMIC).await;
    refused(&program, "its loader does not take the library: elsewhere").await;

    let library = folder.path().join("library.so");
    write(&library, "no library".repeat(99)).unwrap();
    let named = ["--preload-library", library.to_str().unwrap(), "--workspace", "w-51", "true"];
    let ended = outcome(&mut run(&named)).await;
    assert_eq!(ended.code, Some(126));
    assert!(ended.log.contains("invalid ELF header"), "{}", ended.log);
}

#[tokio::test]
async fn scripts_of_what_can_be_led_there_run() {
    let folder = tempfile::tempdir().unwrap();
    for line in ["#!/bin/sh", "#!/usr/bin/env sh", "#!/usr/bin/env -S sh -u", "# no interpreter"] {
        let path = script(&folder, "script", format!("{line}\necho ran\n"));
        assert_eq!(output(&mut inside(51, &[path.to_str().unwrap()])).await, "ran", "{line}");
    }
    let nothing = script(&folder, "nothing", "#!/usr/bin/env no-such-interpreter\n".to_owned());
    refused(&nothing, "what interprets it cannot be found").await;
    let itself = folder.path().join("itself");
    let itself = script(&folder, "itself", format!("#!{}\n", itself.display()));
    refused(&itself, "what interprets it cannot be found").await;
}
