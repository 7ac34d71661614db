//! The providers whose preview hosts are known, each with its grammar as its own documentation has it.
//!
//! Nothing else in the engine knows of them: a preset makes a template, like any other that is written by hand.
//! `docs/routes.md` says where each grammar is from.

use std::iter;

use super::pattern::{Part, Pattern, Reading};
use super::shape::{self, Shape};
use super::template::Template;
use super::{RouteError, refuse};

/// Whose preview URLs are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// cmux.
    Cmux,
    /// Morph Cloud, with each port exposed as a service named `port-{port}`.
    Morph,
    /// GitHub Codespaces.
    Codespaces,
    /// Gitpod Classic.
    Gitpod,
    /// Coder, which has no domain of its own.
    Coder,
    /// E2B.
    E2b,
    /// Daytona.
    Daytona,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Cmux,
        Self::Morph,
        Self::Codespaces,
        Self::Gitpod,
        Self::Coder,
        Self::E2b,
        Self::Daytona,
    ];

    /// What it is called in JavaScript.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cmux => "cmux",
            Self::Morph => "morph",
            Self::Codespaces => "codespaces",
            Self::Gitpod => "gitpod",
            Self::Coder => "coder",
            Self::E2b => "e2b",
            Self::Daytona => "daytona",
        }
    }

    /// What its hosts look like before the domain: the form that a preset makes, and others that are read too.
    fn patterns(self) -> (Pattern, &'static [Pattern]) {
        let (preset, others): (_, &[_]) = match self {
            // Two hyphens in a row would be read in one way here, and in others by cmux's own two sides. Without
            // a scope, the id is all there is, and has no hyphen.
            Self::Cmux => (
                "cmux-{id:name}-{scope:name}-{port}",
                &[
                    Pattern("cmux-{id:word}-{port}"),
                    Pattern("manaflow-{id:name}-{scope:name}-{port}"),
                ],
            ),
            Self::Morph => ("port-{port}-morphvm-{id:word}", &[]),
            Self::Codespaces => ("{name}-{port}", &[]),
            Self::Gitpod => ("{port}-{workspace:workspace}.{cluster}", &[]),
            // The other is for servers that speak TLS inside the workspace.
            Self::Coder => (
                "{port}--{agent:name}--{workspace:name}--{user:name}",
                &[Pattern("{port}s--{agent:name}--{workspace:name}--{user:name}")],
            ),
            Self::E2b | Self::Daytona => ("{port}-{sandbox}", &[]),
        };
        (Pattern(preset), others)
    }

    /// The form of a host that a preset makes.
    pub(super) fn grammar(self) -> Pattern {
        self.patterns().0
    }

    /// The domains that are known to be its own. No name of the user's own machine or network is among them, so
    /// that a URL alone never leads a tab there.
    pub(super) fn domains(self) -> &'static [&'static str] {
        match self {
            Self::Cmux => {
                &["cmux.app", "cmux.sh", "cmux.dev", "cmux.com", "manaflow.com", "autobuild.app"]
            }
            Self::Morph => &["http.cloud.morph.so"],
            Self::Codespaces => &["app.github.dev"],
            Self::Gitpod => &["gitpod.io"],
            Self::Coder => &[],
            Self::E2b => &["e2b.app", "e2b.dev"],
            Self::Daytona => &["proxy.daytona.work", "proxy.daytona.works"],
        }
    }

    /// Every way to read the part of a host that stands before its domain.
    pub(super) fn read(self, text: &str) -> Vec<Reading<'_>> {
        let (preset, others) = self.patterns();
        iter::once(&preset).chain(others).flat_map(|pattern| pattern.read(text)).collect()
    }

    /// The template for one of its workspaces. `member` gives what a preset was given: a value for each field of
    /// the provider's grammar, and `domain`, without which it is the provider's usual one.
    pub fn preset(self, member: impl Fn(&str) -> Option<String>) -> Result<String, RouteError> {
        let value = |name| member(name).ok_or(refuse(name, "is missing"));
        let parts = self.grammar().parts().into_iter();
        let host: String = parts
            .map(|part| match part {
                Part::Text(text) => Ok(text.to_owned()),
                Part::Port => Ok("{port}".to_owned()),
                Part::Field(name, shape) => filled(name, shape, &value(name)?),
            })
            .collect::<Result<_, _>>()?;
        let given = member("domain").or(self.usual_domain().map(str::to_owned));
        let domain = given_domain("domain", &given.ok_or(refuse("domain", "is missing"))?)?;
        let template = format!("https://{host}.{domain}");
        Template::parse("options", &template)?;
        match &*self.read(&host.replace("{port}", "65535")) {
            [one, other, ..] => Err(refuse("options", ambiguous((self, one), (self, other)))),
            _ => Ok(template),
        }
    }

    /// Coder has none; Daytona has several, and its API says which.
    fn usual_domain(self) -> Option<&'static str> {
        match self {
            Self::Coder | Self::Daytona => None,
            _ => self.domains().first().copied(),
        }
    }
}

fn filled(name: &'static str, shape: Shape, value: &str) -> Result<String, RouteError> {
    // A machine's id is `morphvm_ID` in Morph's own API.
    let id = value.strip_prefix("morphvm_").filter(|_| name == "id");
    let value = id.unwrap_or(value);
    if shape.fits(value) {
        Ok(value.to_ascii_lowercase())
    } else {
        Err(refuse(name, shape.unfit()))
    }
}

/// A domain as somebody gave it, perhaps as the wildcard that Coder is configured with.
pub(super) fn given_domain(field: &'static str, text: &str) -> Result<String, RouteError> {
    shape::domain(field, text.strip_prefix("*.").unwrap_or(text)).map(str::to_ascii_lowercase)
}

/// Why a host is refused that has two readings.
pub(super) fn ambiguous(
    (provider, reading): (Provider, &Reading<'_>),
    (other_provider, other): (Provider, &Reading<'_>),
) -> String {
    let (name, other_name) = (provider.name(), other_provider.name());
    format!(
        "can be read in two ways, as {name} with {reading} and as {other_name} with {other}: \
         say which is meant by a template"
    )
}

#[cfg(test)]
mod tests;
