//! Credentials: only the context's own, said in the one way that is valid, pass, and only once in a request.
//!
//! Input: one value of `Proxy-Authorization` a line. `{id}` and `{key}` stand for the context's user name and
//! password, `{basic …}` for Base64 of what it holds: without help no fuzzer finds 128 random bits.

#![no_main]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use libfuzzer_sys::fuzz_target;
use tabport_engine::fields::Fields;
use tabport_engine::fuzzing::Gate;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut gate = Gate::new().expect("a context");
    let (id, key) = (gate.info.username.clone(), gate.info.password.to_string());
    let own = BASE64_STANDARD.encode(format!("{id}:{key}"));
    let values: Vec<_> = text
        .lines()
        .map(|line| encoded(&line.replace("{id}", &id).replace("{key}", &key)))
        .collect();

    let mut fields = Fields::default();
    for value in &values {
        fields.push("Proxy-Authorization", value.as_bytes());
    }
    let right = matches!(&values[..], [value] if is_right(value, &own));
    assert_eq!(gate.lets_in(&fields), [right; 2]);

    let mut known = Fields::default();
    known.push("proxy-authorization", format!("Basic {own}").as_bytes());
    assert_eq!(gate.lets_in(&known), [true; 2], "valid credentials are never refused");
    assert_eq!(gate.lets_in(&fields), [right; 2], "what passed before changes nothing");
    gate.release();
    assert_eq!(gate.lets_in(&known), [false; 2]);
    assert_eq!(gate.lets_in(&fields), [false; 2]);
});

/// RFC 7617, section 2: the scheme in any case, then the credentials, of which padding may be left out.
fn is_right(value: &str, own: &str) -> bool {
    let Some((scheme, token)) = value.trim().split_once(' ') else { return false };
    let token = token.trim_start();
    let bare = own.trim_end_matches('=');
    scheme.eq_ignore_ascii_case("basic")
        && token.strip_prefix(bare).is_some_and(|padding| own[bare.len()..].starts_with(padding))
}

fn encoded(line: &str) -> String {
    let Some((before, rest)) = line.split_once("{basic ") else { return line.to_owned() };
    let Some((inside, after)) = rest.split_once('}') else { return line.to_owned() };
    format!("{before}{}{after}", BASE64_STANDARD.encode(inside))
}
