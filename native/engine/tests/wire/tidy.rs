//! What the engine's sources promise, checked by machine.

use std::path::{Path, PathBuf};
use std::process::Command;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    folders.iter().flat_map(|folder| sources(folder)).chain(files).collect()
}

#[test]
fn every_source_file_is_short_and_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in sources(&root.join("src")).into_iter().chain(sources(&root.join("tests"))) {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines <= 300, "{} has {lines} lines", path.display());
        let opening = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => "//! ",
            Some("html") => "<!doctype html>",
            _ => "/* ",
        };
        assert!(text.starts_with(opening), "{} does not open with what it is for", path.display());
    }
}

#[test]
fn the_engine_depends_on_no_host() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-p", "tabport-engine", "-e", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("h2 "), "{tree}");
    for host in ["napi", "clap", "pyo3", "aws-lc", "openssl-sys", "native-tls"] {
        let found = tree.lines().find(|line| line.starts_with(host));
        assert_eq!(found, None, "the engine depends on {host}");
    }
}

#[test]
fn the_engine_installs_nothing_for_the_whole_process() {
    for path in engine_sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        // These are local to a thread.
        let local = |line: &&str| {
            ["BUFFER:", "BUFFERS:", "RANDOM:", "SPARE:"].iter().any(|it| line.contains(it))
        };
        let mut statics = text.lines().filter(|line| line.trim_start().starts_with("static "));
        assert_eq!(statics.find(|line| !local(line)), None, "{}", path.display());
        for global in [
            "install_default",
            "set_global_default",
            "set_hook",
            "ctrl_c",
            "process::exit",
            "set_var",
        ] {
            assert!(!text.contains(global), "{} has {global}", path.display());
        }
    }
}

#[test]
fn the_decision_does_no_io() {
    for path in engine_sources() {
        let name = path.to_str().unwrap();
        let pure =
            ["/decide/", "/route/", "/target.rs", "/authority.rs", "/headers.rs", "/workspace"];
        if !pure.iter().any(|part| name.contains(part)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for io in ["async fn", "async move", "tokio::", "Tcp", "std::fs", "std::io", "lookup_host"]
        {
            assert!(!text.contains(io), "{name} has {io}");
        }
    }
}

#[test]
fn one_file_picks_statuses_and_few_see_passwords() {
    let allowed = |name: &str, files: &[&str]| files.iter().any(|file| name.ends_with(file));
    for path in engine_sources() {
        let (name, text) = (path.to_str().unwrap(), std::fs::read_to_string(&path).unwrap());
        if !allowed(name, &["/respond.rs", "/head.rs"]) {
            assert!(!text.contains("ResponseHead::new"), "{name} picks a status");
        }
        // The last one sees the next proxy's, not a context's.
        if !allowed(name, &["/authenticate.rs", "/context.rs", "/next_proxy/credentials.rs"]) {
            assert!(!text.contains("password"), "{name} sees a password");
        }
    }
}

fn engine_sources() -> Vec<PathBuf> {
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}
