//! Workspaces that are hosts: `{workspace}.workspaces.svc.cluster.local.` names the host of each.
//!
//! A name becomes a part of one label of the template, and never more: with a dot in it, it could name a host
//! outside of the template's domain, such as that of another namespace. The last label begins with a letter of the
//! template's own, so that no name makes a host a number, which resolvers take for an address.

use std::str::FromStr;

use thiserror::Error;

use super::{InvalidName, base};
use crate::authority::Host;

const PLACEHOLDER: &str = "{workspace}";

/// RFC 1035, section 2.3.4; a whole name has two of its 255 octets that are not written.
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;

/// A host's name with a place for that of a workspace. Whatever a client asks for, what comes of it is such a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTemplate {
    before: Box<str>,
    after: Box<str>,
    /// How long a workspace's name may be.
    room: usize,
}

/// Why a text is no template for hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidTemplate {
    /// There is no place for the name, or several.
    #[error("it must hold {PLACEHOLDER} once")]
    Place,
    /// What comes of it is no name of a host.
    #[error("it is not the name of a host")]
    Host,
    /// A workspace's name could make a number of its last label.
    #[error("its last label must begin with a letter, and not with {PLACEHOLDER}")]
    LastLabel,
    /// Its hosts are the gateway's own.
    #[error("every host below localhost is this one")]
    Loopback,
}

impl FromStr for HostTemplate {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        let text = text.to_ascii_lowercase();
        let (before, after) = text.split_once(PLACEHOLDER).ok_or(InvalidTemplate::Place)?;
        if after.contains(PLACEHOLDER) {
            return Err(InvalidTemplate::Place);
        }
        let room = check(&format!("{before}a{after}"))?;
        let last = text.trim_end_matches('.').rsplit('.').next();
        if !last.is_some_and(|label| label.starts_with(|first: char| first.is_ascii_alphabetic())) {
            return Err(InvalidTemplate::LastLabel);
        }
        let in_label = before.rsplit('.').next().map_or(0, str::len)
            + after.split('.').next().map_or(0, str::len);
        let room = room.min(MAX_LABEL.saturating_sub(in_label));
        Ok(Self { before: before.into(), after: after.into(), room })
    }
}

/// How long a name may be in place of the one letter in this host, as far as the whole host is concerned.
fn check(shortest: &str) -> Result<usize, InvalidTemplate> {
    let host: Host = shortest.parse().map_err(|_| InvalidTemplate::Host)?;
    if host.is_loopback() {
        return Err(InvalidTemplate::Loopback);
    }
    let name = shortest.strip_suffix('.').unwrap_or(shortest);
    if matches!(host, Host::Ip(_)) || !name.split('.').all(is_label) || name.len() > MAX_NAME {
        return Err(InvalidTemplate::Host);
    }
    Ok(MAX_NAME - name.len() + 1)
}

/// RFC 1123, section 2.1, but for the `_` that some networks of containers have in their names.
fn is_label(label: &str) -> bool {
    !label.starts_with('-') && !label.ends_with('-') && label.len() <= MAX_LABEL
}

impl HostTemplate {
    /// The host of the workspace of this name, whose case does not count.
    pub(super) fn host_of(&self, name: &str) -> Result<Host, InvalidName> {
        let name = base(name)?;
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let fits = !name.is_empty() && name.len() <= self.room && name.bytes().all(letters);
        if !fits || !is_label(name) {
            return Err(InvalidName::Label);
        }
        let (before, after) = (&self.before, &self.after);
        Ok(Host::Name(format!("{before}{}{after}", name.to_ascii_lowercase()).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(template: &str, name: &str) -> Result<String, InvalidName> {
        let template: HostTemplate = template.parse().unwrap();
        template.host_of(name).map(|host| host.to_string())
    }

    #[test]
    fn a_name_stands_where_its_place_is() {
        for (template, name, expected) in [
            ("{workspace}.ws.svc.cluster.local", "workspace-1", "workspace-1.ws.svc.cluster.local"),
            ("{workspace}.ws.svc.cluster.local.", "a", "a.ws.svc.cluster.local."),
            ("{workspace}.WS.test", "/root/Workspace-7", "workspace-7.ws.test"),
            ("vm-{workspace}-eu.ws.test", "0x7f", "vm-0x7f-eu.ws.test"),
            ("pod-0.{workspace}.ws.test", "1", "pod-0.1.ws.test"),
            ("my_project-{workspace}-1", "2130706433", "my_project-2130706433-1"),
            ("{WORKSPACE}.test", "a", "a.test"),
        ] {
            assert_eq!(host(template, name).as_deref(), Ok(expected), "{template}, {name}");
        }
    }

    #[test]
    fn nothing_leaves_the_template() {
        for (name, expected) in [
            ("", InvalidName::Shape),
            ("a/", InvalidName::Label),
            ("..", InvalidName::Shape),
            ("/root/../a", InvalidName::Shape),
            ("a.b", InvalidName::Label),
            ("evil.example.", InvalidName::Label),
            (".", InvalidName::Label),
            ("127.0.0.1", InvalidName::Label),
            ("a_b", InvalidName::Label),
            ("-a", InvalidName::Label),
            ("a-", InvalidName::Label),
            ("a:80", InvalidName::Shape),
            ("a@b", InvalidName::Shape),
            ("a%2eb", InvalidName::Shape),
            ("a\0", InvalidName::Shape),
            ("a\r\nb", InvalidName::Shape),
            ("é", InvalidName::Shape),
            ("{workspace}", InvalidName::Shape),
            ("*", InvalidName::Shape),
        ] {
            assert_eq!(host("{workspace}.ws.test", name), Err(expected), "{name:?}");
        }
    }

    #[test]
    fn a_label_and_a_host_are_never_too_long() {
        let name = |length| "a".repeat(length);
        for (template, most) in [
            ("{workspace}.test".to_owned(), 63),
            ("vm-{workspace}-eu.test".to_owned(), 57),
            (format!("{{workspace}}.{0}.{0}.{0}", "b".repeat(63)), 61),
            (format!("{{workspace}}.{0}.{0}.{0}.", "b".repeat(63)), 61),
        ] {
            let longest = host(&template, &name(most)).unwrap();
            assert!(longest.trim_end_matches('.').len() <= MAX_NAME, "{template}");
            assert_eq!(host(&template, &name(most + 1)), Err(InvalidName::Label), "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (template, expected) in [
            ("", InvalidTemplate::Place),
            ("ws.test", InvalidTemplate::Place),
            ("{workspace}.{workspace}.test", InvalidTemplate::Place),
            ("{port}.test", InvalidTemplate::Place),
            ("{workspace}.a b", InvalidTemplate::Host),
            ("{workspace}..test", InvalidTemplate::Host),
            (".{workspace}.test", InvalidTemplate::Host),
            ("{workspace}.test:80", InvalidTemplate::Host),
            ("http://{workspace}.test", InvalidTemplate::Host),
            ("{workspace}.test/", InvalidTemplate::Host),
            ("u@{workspace}.test", InvalidTemplate::Host),
            ("[{workspace}::1]", InvalidTemplate::Host),
            ("-{workspace}.test", InvalidTemplate::Host),
            ("{workspace}-.test", InvalidTemplate::Host),
            ("{workspace}.-a.test", InvalidTemplate::Host),
            ("{workspace}", InvalidTemplate::LastLabel),
            ("{workspace}.", InvalidTemplate::LastLabel),
            ("a.{workspace}", InvalidTemplate::LastLabel),
            ("{workspace}.10", InvalidTemplate::LastLabel),
            ("{workspace}.0x7f", InvalidTemplate::LastLabel),
            ("0x{workspace}", InvalidTemplate::LastLabel),
            ("{workspace}.localhost", InvalidTemplate::Loopback),
            ("{workspace}.LocalHost.", InvalidTemplate::Loopback),
        ] {
            assert_eq!(template.parse::<HostTemplate>(), Err(expected), "{template:?}");
        }
        let long = format!("{{workspace}}.{}.test", "a".repeat(64));
        assert_eq!(long.parse::<HostTemplate>(), Err(InvalidTemplate::Host));
        let longer = format!("{{workspace}}.{0}.{0}.{0}.{0}", "a".repeat(63));
        assert_eq!(longer.parse::<HostTemplate>(), Err(InvalidTemplate::Host));
    }
}
