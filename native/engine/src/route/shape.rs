//! What the parts of a host may look like: labels, the narrower forms that providers give them, ports, domains.

use super::{RouteError, refuse};
use crate::authority::Host;

/// What a field may look like, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Letters and digits.
    Word,
    /// Letters, digits and inner hyphens: RFC 1123, section 2.1.
    Label,
    /// A label without two hyphens in a row: those part the names of Coder, and are unclear in those of cmux.
    Name,
    /// Gitpod's id of a workspace.
    Workspace,
}

impl Shape {
    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Self::Word => is_word(text),
            Self::Label => is_label(text),
            Self::Name => is_label(text) && !text.contains("--"),
            Self::Workspace => is_workspace(text),
        }
    }

    /// What is wrong with a text that does not fit.
    pub(super) fn unfit(self) -> &'static str {
        match self {
            Self::Word => "is not letters and digits",
            Self::Label => "is not a DNS label: letters, digits and inner hyphens",
            Self::Name => "is not letters, digits and single inner hyphens",
            Self::Workspace => "is neither WORD-WORD-ID, the id of 8 to 11 characters, nor a UUID",
        }
    }
}

fn is_label(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let hyphen_ends = text.starts_with('-') || text.ends_with('-');
    !text.is_empty() && !hyphen_ends && text.bytes().all(allowed)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A workspace has a URL without a port too: the first word of its id must not pass for one.
fn is_workspace(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    let named = matches!(*lengths, [2..=16, 2..=16, 8..=11]);
    let hexadecimal = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    let uuid = matches!(*lengths, [8, 4, 4, 4, 12]) && hexadecimal;
    (named || uuid) && text.split('-').all(is_word)
}

/// As decimal digits, in the only way to write them.
pub(super) fn port(text: &str) -> Option<u16> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// A domain name, which an address is not.
pub(super) fn domain<'a>(field: &'static str, text: &'a str) -> Result<&'a str, RouteError> {
    if !text.split('.').all(is_label) || matches!(text.parse(), Ok(Host::Ip(_))) {
        return Err(refuse(field, "is not a domain name"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_written_in_one_way() {
        for (text, expected) in [("1", 1), ("80", 80), ("65535", 65535)] {
            assert_eq!(port(text), Some(expected));
        }
        for text in ["", "0", "080", "00080", "65536", "123456", "+80", "-1", "8o", "８０"] {
            assert_eq!(port(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_workspace_is_told_from_a_port_and_a_rest() {
        for id in ["moccasin-ferret-155799b3", "a0-b1-0123456789a"] {
            assert!(Shape::Workspace.fits(id), "{id}");
        }
        assert!(Shape::Workspace.fits("abcdef01-2345-6789-81e5-e7f1005fb9c8"));
        for id in [
            "ferret-155799b3",
            "1234-moccasin-ferret-155799b3",
            "moccasin-ferret-155799",
            "moccasin--155799b3",
            "gbcdef01-2345-6789-81e5-e7f1005fb9c8",
        ] {
            assert!(!Shape::Workspace.fits(id), "{id}");
        }
    }
}
