//! Command lines: `--name value` pairs, and words that stand alone.

use std::str::FromStr;

pub struct Args(Vec<String>);

impl Args {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// The word at the given place.
    pub fn word(&self, index: usize) -> &str {
        self.0.get(index).map_or("", String::as_str)
    }

    /// Whether a word is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|word| word == name)
    }

    /// The value that follows a name, if it is there.
    pub fn get<T: FromStr>(&self, name: &str) -> Option<T> {
        let at = self.0.iter().position(|word| word == name)?;
        let value = self.0.get(at + 1).unwrap_or_else(|| panic!("{name} needs a value"));
        Some(value.parse().unwrap_or_else(|_| panic!("{name} cannot be `{value}`")))
    }

    /// The value that follows a name that must be there.
    pub fn need<T: FromStr>(&self, name: &str) -> T {
        self.get(name).unwrap_or_else(|| panic!("{name} is missing"))
    }
}
