//! The field lines of a message: in order, in the case they were sent in, duplicates and all.
//!
//! A proxy mostly passes fields on, so they are kept as the bytes they came in and looked up by scanning: a
//! head has few lines. Names are shown as bytes, too: to be a string, each would be proved text at every look.
//! The type is not `Debug`, for fields hold credentials and cookies.

use std::cell::RefCell;
use std::mem::take;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::spare::{self, Spares};

thread_local! {
    static SPARE: Spares<(Vec<u8>, Vec<Line>)> = const { RefCell::new(Vec::new()) };
}

/// Field lines in order.
#[derive(Clone, Default)]
pub struct Fields {
    /// Names and values, one after the other. Bytes of lines that were removed stay until the end.
    bytes: Vec<u8>,
    lines: Vec<Line>,
}

#[derive(Clone, Copy)]
struct Line {
    name: Span,
    value: Span,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

impl Fields {
    /// No lines yet, and room for some.
    #[must_use]
    pub fn with_capacity(lines: usize, bytes: usize) -> Self {
        let (mut bytes_kept, mut lines_kept) = spare::take(&SPARE);
        bytes_kept.reserve(bytes);
        lines_kept.reserve(lines);
        Self { bytes: bytes_kept, lines: lines_kept }
    }

    /// Adds a line at the end. Name and value must be valid already (RFC 9110, section 5).
    pub fn push(&mut self, name: &str, value: &[u8]) {
        let line = Line { name: self.keep(name.as_bytes()), value: self.keep(value) };
        self.lines.push(line);
    }

    /// Gives a field one value: where its first line stands, or at the end.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        let Some(first) = self.lines.iter().position(|line| self.is(line, name)) else {
            return self.push(name, value);
        };
        let value = self.keep(value);
        if let Some(line) = self.lines.get_mut(first) {
            line.value = value;
        }
        let mut seen = false;
        self.retain(|other, _| {
            !other.eq_ignore_ascii_case(name.as_bytes()) || !std::mem::replace(&mut seen, true)
        });
    }

    /// Adds a member to a field that is a list: to its last line, or as the first.
    pub fn append(&mut self, name: &str, member: &[u8]) {
        let Some(last) = self.lines.iter().rposition(|line| self.is(line, name)) else {
            return self.push(name, member);
        };
        let Some(Line { value, .. }) = self.lines.get(last).copied() else { return };
        let separator: &[u8] = if value.start == value.end { b"" } else { b", " };
        let joined = [slice(&self.bytes, value), separator, member].concat();
        let value = self.keep(&joined);
        if let Some(line) = self.lines.get_mut(last) {
            line.value = value;
        }
    }

    /// Removes every line of a field.
    pub fn remove(&mut self, name: &str) {
        self.retain(|other, _| !other.eq_ignore_ascii_case(name.as_bytes()));
    }

    /// Keeps the lines whose name and value are to be kept.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let bytes = &self.bytes;
        self.lines.retain(|line| keep(slice(bytes, line.name), slice(bytes, line.value)));
    }

    /// The value of a field's first line.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// The values of all lines of a field, in order.
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.lines.iter().filter(move |line| self.is(line, name));
        lines.map(|line| slice(&self.bytes, line.value))
    }

    /// The value of a field that has exactly one line.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.get_all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether there is such a field.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.lines.iter().any(|line| self.is(line, name))
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let bytes = &self.bytes;
        self.lines.iter().map(|line| (slice(bytes, line.name), slice(bytes, line.value)))
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The members of a field that is a list (RFC 9110, section 5.6.1).
    pub fn members<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let members = self.get_all(name).flat_map(|value| value.split(|byte| *byte == b','));
        let members = members.filter_map(|member| std::str::from_utf8(member).ok());
        members.map(str::trim).filter(|member| !member.is_empty())
    }

    /// Whether a field that is a list has this member, in whatever case.
    #[must_use]
    pub fn lists(&self, name: &str, member: &str) -> bool {
        self.members(name).any(|other| other.eq_ignore_ascii_case(member))
    }

    /// About how many bytes the lines take on the wire.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + 4 * self.lines.len()
    }

    fn is(&self, line: &Line, name: &str) -> bool {
        slice(&self.bytes, line.name).eq_ignore_ascii_case(name.as_bytes())
    }

    fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span { start, end: self.bytes.len() }
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        if (1..=spare::LARGEST).contains(&self.bytes.capacity()) {
            let (mut bytes, mut lines) = (take(&mut self.bytes), take(&mut self.lines));
            bytes.clear();
            lines.clear();
            spare::keep(&SPARE, (bytes, lines));
        }
    }
}

fn slice(bytes: &[u8], span: Span) -> &[u8] {
    bytes.get(span.start..span.end).unwrap_or_default()
}

impl From<&HeaderMap> for Fields {
    fn from(map: &HeaderMap) -> Self {
        let bytes = map.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let mut fields = Self::with_capacity(map.len(), bytes);
        for (name, value) in map {
            fields.push(name.as_str(), value.as_bytes());
        }
        fields
    }
}

impl From<&Fields> for HeaderMap {
    fn from(fields: &Fields) -> Self {
        let mut map = Self::with_capacity(fields.lines.len());
        // The values share one buffer.
        let bytes = Bytes::copy_from_slice(&fields.bytes);
        for Line { name, value } in &fields.lines {
            let name = HeaderName::from_bytes(slice(&bytes, *name));
            let value = HeaderValue::from_maybe_shared(bytes.slice(value.start..value.end));
            if let (Ok(name), Ok(value)) = (name, value) {
                map.append(name, value);
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(fields: &Fields) -> Vec<String> {
        let line = |(name, value): (&[u8], &[u8])| [name, b"=", value].concat();
        fields.iter().map(line).map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn order_case_and_duplicates_stay() {
        let mut fields = Fields::default();
        for (name, value) in [("B", "1"), ("a", "2"), ("b", "3"), ("C", "4")] {
            fields.push(name, value.as_bytes());
        }
        assert_eq!(fields.get_all("b").collect::<Vec<_>>(), [b"1", b"3"]);
        assert_eq!((fields.only("b"), fields.only("A")), (None, Some(&b"2"[..])));
        fields.set("b", b"5");
        assert_eq!(lines(&fields), ["B=5", "a=2", "C=4"]);
        fields.set("D", b"6");
        fields.append("d", b"7");
        fields.remove("A");
        assert_eq!(lines(&fields), ["B=5", "C=4", "D=6, 7"]);
    }

    #[test]
    fn members_of_all_lines_are_one_list() {
        let mut fields = Fields::default();
        fields.push("connection", b"a, ,b");
        fields.push("Connection", b"c");
        assert_eq!(fields.members("Connection").collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
