//! A provider's host grammar: fixed text, one port, and named fields, told apart by their shapes.
//!
//! Reading gives every way in which a host fits, not the first one: where ids may have hyphens, some hosts fit
//! twice, and whoever picks one of the two leads a tab to a machine that was not meant.

use std::fmt;

use super::shape::{Shape, port};

/// A grammar as text: `{port}`, and fields as `{name}` or, where not every label will do, `{name:shape}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pattern(pub(super) &'static str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Text(&'static str),
    Port,
    Field(&'static str, Shape),
}

/// One way to read a host: what stands for each part of the pattern.
#[derive(Debug, Clone)]
pub(super) struct Reading<'a>(Vec<(Part, &'a str)>);

impl Pattern {
    /// Every way to read all of this text.
    pub(super) fn read(self, text: &str) -> Vec<Reading<'_>> {
        readings(&self.parts(), text).into_iter().map(Reading).collect()
    }

    pub(super) fn parts(self) -> Vec<Part> {
        let pieces = self.0.split_inclusive('}');
        let parts = pieces.flat_map(|piece| match piece.split_once('{') {
            None => [Some(Part::Text(piece)), None],
            Some((text, hole)) => [Some(Part::Text(text)), Some(Part::of(hole))],
        });
        parts.flatten().filter(|part| *part != Part::Text("")).collect()
    }
}

/// As a template would be written: without the shapes.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().into_iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Port => f.write_str("{port}"),
            Part::Field(name, _) => write!(f, "{{{name}}}"),
        })
    }
}

impl Part {
    fn of(hole: &'static str) -> Self {
        let hole = hole.trim_end_matches('}');
        match hole.split_once(':') {
            None if hole == "port" => Self::Port,
            None => Self::Field(hole, Shape::Label),
            Some((name, "word")) => Self::Field(name, Shape::Word),
            Some((name, "workspace")) => Self::Field(name, Shape::Workspace),
            Some((name, _)) => Self::Field(name, Shape::Name),
        }
    }

    fn fits(self, text: &str) -> bool {
        match self {
            Self::Text(fixed) => text == fixed,
            Self::Port => port(text).is_some(),
            Self::Field(_, shape) => shape.fits(text),
        }
    }
}

fn readings<'a>(parts: &[Part], text: &'a str) -> Vec<Vec<(Part, &'a str)>> {
    let Some((&part, parts)) = parts.split_first() else {
        return if text.is_empty() { vec![Vec::new()] } else { Vec::new() };
    };
    let heads = (1..=text.len()).filter_map(|end| text.split_at_checked(end));
    let fitting = heads.filter(|(head, _)| part.fits(head));
    fitting
        .flat_map(|(head, rest)| {
            let others = readings(parts, rest).into_iter();
            others.map(move |others| [vec![(part, head)], others].concat())
        })
        .collect()
}

impl Reading<'_> {
    pub(super) fn port(&self) -> Option<u16> {
        self.0.iter().find(|(part, _)| *part == Part::Port).and_then(|(_, piece)| port(piece))
    }

    /// The text that was read, with `{port}` where the port stands.
    pub(super) fn template(&self) -> String {
        let pieces = self.0.iter();
        pieces.map(|(part, piece)| if *part == Part::Port { "{port}" } else { piece }).collect()
    }
}

/// What the fields were read as: `id "a", scope "b"`.
impl fmt::Display for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (part, piece) in &self.0 {
            if let Part::Field(name, _) = part {
                write!(f, "{between}{name} {piece:?}")?;
                between = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &'static str, text: &str) -> Vec<String> {
        let readings = Pattern(pattern).read(text);
        readings.iter().map(|it| format!("{it} port {}", it.port().unwrap())).collect()
    }

    #[test]
    fn all_readings_are_found() {
        let labels = "x-{id}-{scope}-{port}";
        assert_eq!(read(labels, "x-a-b-80"), [r#"id "a", scope "b" port 80"#]);
        assert_eq!(
            read(labels, "x-a-b-c-80"),
            [r#"id "a", scope "b-c" port 80"#, r#"id "a-b", scope "c" port 80"#]
        );
        assert_eq!(read(labels, "x-1-2-3"), [r#"id "1", scope "2" port 3"#]);
        assert_eq!(read("x-{id:word}-{port}", "x-a-80"), [r#"id "a" port 80"#]);
        for text in ["x-a-80", "x-a--80", "x--a-80", "x-a-b-", "x-a-b-80-", "y-a-b-80", ""] {
            assert_eq!(read(labels, text).len(), 0, "{text:?}");
        }
        assert_eq!(read("x-{id:word}-{port}", "x-a-b-80").len(), 0);
    }

    #[test]
    fn names_are_parted_by_two_hyphens() {
        let names = "{port}--{one:name}--{two:name}";
        assert_eq!(read(names, "80--a-b--c-1"), [r#"one "a-b", two "c-1" port 80"#]);
        for text in ["80--a---b", "80--a--b--c", "80---a--b", "p---80--a--b", "80-a--b"] {
            assert_eq!(read(names, text).len(), 0, "{text:?}");
        }
    }

    #[test]
    fn a_template_has_the_port_where_it_stood() {
        let pattern = Pattern("port-{port}-vm-{id:word}");
        let readings = pattern.read("port-80-vm-80");
        assert_eq!(
            readings.iter().map(Reading::template).collect::<Vec<_>>(),
            ["port-{port}-vm-80"]
        );
        assert_eq!(pattern.to_string(), "port-{port}-vm-{id}");
    }
}
