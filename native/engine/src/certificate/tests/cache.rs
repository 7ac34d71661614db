//! Which certificates are made anew, and which are given again.

use std::sync::Arc;

use super::super::{cache, leaf, validity};
use super::{certificates, host};

#[test]
fn one_host_has_one_certificate() {
    let certificates = certificates(&[]);
    let config = |name: &str, http2| certificates.for_host(&host(name), http2).unwrap();
    let first = config("app.localhost", true);
    assert!(Arc::ptr_eq(&first, &config("APP.localhost.", true)));
    assert!(!Arc::ptr_eq(&first, &config("app.localhost", false)));
    assert!(!Arc::ptr_eq(&first, &config("b.localhost", true)));
    assert!(!Arc::ptr_eq(&config("127.0.0.1", true), &config("[::1]", true)));
}

#[test]
fn as_many_are_kept_as_were_asked_for_last() {
    let certificates = certificates(&[]);
    let config = |name: &str| certificates.for_host(&host(name), true).unwrap();
    let [often, once] = ["often.localhost", "once.localhost"].map(config);
    for number in 0..cache::CAPACITY {
        config(&format!("app{number}.localhost"));
        assert!(Arc::ptr_eq(&often, &config("often.localhost")));
    }
    assert_eq!(certificates.cache.len(), cache::CAPACITY);
    assert!(!Arc::ptr_eq(&once, &config("once.localhost")));
}

#[test]
fn none_is_kept_until_it_expires() {
    let certificates = certificates(&[]);
    let (now, name) = (validity::now(), host("localhost"));
    let leaf = leaf::issue(&certificates.authority, std::slice::from_ref(&name), now).unwrap();
    let config = leaf.serve(&certificates.authority, true).unwrap();
    let kept = |at| {
        certificates.cache.put(name.clone(), true, leaf.validity, Arc::clone(&config));
        certificates.cache.get(&name, true, at).is_some()
    };
    assert!(kept(now));
    assert!(kept(leaf.validity.until - validity::DAY - 1));
    assert!(!kept(leaf.validity.until - validity::DAY));
    // The clock was ahead when it was made.
    assert!(!kept(leaf.validity.from - 1));
    assert_eq!(certificates.cache.len(), 0);
}
