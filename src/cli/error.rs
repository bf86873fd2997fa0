//! Why a command could not run, and with which code it exits.

use std::path::{Path, PathBuf};

/// What went wrong, in one sentence, with what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The arguments do not fit together: the caller's fault.
    #[error("{0}")]
    Usage(String),
    /// `policyc.toml`, a stack description or a coverage file is wrong.
    #[error("`{path}`: {problem}")]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file that was given cannot be read or understood.
    #[error("`{path}`: {problem}")]
    Input {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Records cannot be read; the message names file and record.
    #[error("{0}")]
    Trail(String),
    /// AWS refuses or does not answer; the message says what is needed.
    #[error("{0}")]
    #[cfg(feature = "aws")]
    Aws(String),
    /// A result cannot be written; what was there before is still there.
    #[error("`{path}` was not written: {problem}")]
    Output {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl CliError {
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(super) fn configuration(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Configuration { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(super) fn input(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Input { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(super) fn output(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Output { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Configuration { .. } => 2,
            Self::Input { .. } | Self::Trail(_) | Self::Output { .. } => 3,
            #[cfg(feature = "aws")]
            Self::Aws(_) => 4,
        }
    }
}
