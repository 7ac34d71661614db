//! When the listening sockets show another certificate.

use std::sync::Arc;

use super::super::{ListenerLeaf, leaf, validity};
use super::certificates;

#[test]
fn a_listeners_certificate_is_made_anew_before_it_ends() {
    let certificates = certificates(&[]);
    let listener =
        ListenerLeaf::new(&certificates, &["127.0.0.1:1".parse().unwrap()], true).unwrap();
    let (now, first) = (validity::now(), listener.certificate());
    let config = listener.config(&certificates);
    // One that is made now ends when the first does, give or take the seconds of this test.
    let hosts = ["localhost".parse().unwrap()];
    let until = leaf::issue(&certificates.authority, &hosts, now).unwrap().validity.until;
    let late = until - 2 * validity::DAY;
    assert!(Arc::ptr_eq(&config, &listener.config_at(&certificates, late)));
    assert_eq!(listener.certificate().fingerprint, first.fingerprint);
    let renewed = listener.config_at(&certificates, until);
    assert!(!Arc::ptr_eq(&config, &renewed));
    assert_ne!(listener.certificate().fingerprint, first.fingerprint);
    assert!(Arc::ptr_eq(&renewed, &listener.config_at(&certificates, until + validity::DAY)));
}
