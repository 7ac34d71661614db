//! Where the token comes from: a file or the environment, and never a flag, which every process could read.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tabport_engine::{InvalidToken, Token};
use thiserror::Error;
use zeroize::Zeroizing;

const VARIABLE: &str = "CMUX_AUTH_TOKEN";

/// Where to look for the token.
pub(crate) enum Source {
    File(PathBuf),
    Environment,
}

/// Why there is no token though there should be one. None of these shows it.
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

    /// Reads the token as it is now; `None` where nobody has set one.
    pub(crate) fn read(&self) -> Result<Option<Token>, TokenError> {
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
        let token = Token::new(text.trim_end_matches(['\r', '\n']));
        token.map(Some).map_err(|error| TokenError::Invalid { place, error })
    }
}
