//! Where the tokens come from: a file or the environment, and never a flag, which every process could read. Each is a
//! line: usually there is one, and two while clients go over from the old one to the new.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tabport_engine::{InvalidToken, Token};
use thiserror::Error;
use zeroize::Zeroizing;

const VARIABLE: &str = "CMUX_AUTH_TOKEN";

/// Where to look for the tokens.
pub(crate) enum Source {
    File(PathBuf),
    Environment,
}

/// Why there is no token though there should be one. None of these shows any.
#[derive(Debug, Error)]
pub(crate) enum TokenError {
    #[error("the token cannot be read from {}: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{place}: {error}")]
    Invalid { place: String, error: InvalidToken },
}

impl Source {
    /// The file goes before the environment.
    pub(crate) fn of(file: Option<&Path>) -> Self {
        file.map_or(Self::Environment, |path| Self::File(path.to_owned()))
    }

    /// Reads the tokens as they are now; `None` where nobody has set any.
    pub(crate) fn read(&self) -> Result<Option<Vec<Token>>, TokenError> {
        let (text, place) = match self {
            Self::File(path) => {
                let unreadable = |source| TokenError::Unreadable { path: path.clone(), source };
                let text = fs::read_to_string(path).map_err(unreadable)?;
                (Zeroizing::new(text), path.display().to_string())
            }
            Self::Environment => match env::var_os(VARIABLE) {
                // What is no text is no word of ASCII either.
                Some(text) => {
                    (Zeroizing::new(text.to_string_lossy().into_owned()), VARIABLE.to_owned())
                }
                None => return Ok(None),
            },
        };
        let tokens = tokens_in(&text).map_err(|error| TokenError::Invalid { place, error })?;
        Ok(Some(tokens))
    }
}

/// A token a line, at least one; empty lines do not count.
fn tokens_in(text: &str) -> Result<Vec<Token>, InvalidToken> {
    let lines = text.split(['\r', '\n']).filter(|line| !line.is_empty());
    let tokens = lines.map(Token::new).collect::<Result<Vec<_>, _>>()?;
    if tokens.is_empty() { Err(InvalidToken) } else { Ok(tokens) }
}
