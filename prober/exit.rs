//! Exit codes, and the errors that carry them.

use std::fmt;

/// Why a command ended other than well; the numbers are public.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything good.
    Good = 0,
    /// At least one scenario failed: the target is bad.
    Bad = 1,
    /// A usage or file error: the file is bad.
    File = 2,
    /// The environment lacks something: a secret, a region, a port, a directory.
    Environment = 3,
    /// The prober could not judge.
    Ineligible = 4,
    /// A signal ended it.
    Interrupted = 130,
}

/// An error with the exit code that it asks for.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Stop {
    /// A usage or file error.
    pub(crate) fn file(message: impl Into<String>) -> Self {
        Self { exit: Exit::File, message: message.into() }
    }

    /// Something that the environment lacks.
    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self { exit: Exit::Environment, message: message.into() }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Stop {}
