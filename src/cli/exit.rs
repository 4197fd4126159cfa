//! Exit codes: the dialect's, and ours.

use std::fmt::{self, Display};

use crate::run::{Ending, RunError};

/// What the process says when it ends. The numbers up to 110 are the dialect's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// The run ended as planned and every threshold held.
    Passed = 0,
    /// A threshold failed.
    Thresholds = 99,
    /// `setup()` took longer than its timeout.
    SetupTimeout = 100,
    /// `teardown()` took longer than its timeout.
    TeardownTimeout = 101,
    /// Something else took too long.
    Timeout = 102,
    /// The run was stopped over the REST API.
    RestStop = 103,
    /// Wrong options, a missing file, a port in use: nothing was sent.
    Config = 104,
    /// Ctrl-C or a terminate signal.
    Signal = 105,
    /// The REST API's port could not be bound.
    RestBind = 106,
    /// The script threw where that ends the test: on loading, in `setup()` or `teardown()`.
    Exception = 107,
    /// The script called `test.abort()`.
    Aborted = 108,
    /// A bug in loadgen.
    Panic = 109,
    /// The script called `test.fail()`.
    Failed = 110,
    /// The generator could not keep up, and `--strict` does not let such numbers pass.
    Invalid = 111,
    /// What the script's `verify()` asserts does not hold.
    Verify = 112,
    /// `compare` found a regression.
    Regression = 113,
    /// The tunnel to the server was lost for good.
    Tunnel = 114,
    /// The target died while its breaking point was sought.
    Dead = 115,
    /// `lint` found mistakes.
    Lint = 116,
}

impl ExitCode {
    /// The number.
    pub fn code(self) -> i32 {
        i32::from(self as u8)
    }
}

impl From<&Ending> for ExitCode {
    fn from(ending: &Ending) -> ExitCode {
        match ending {
            Ending::Passed => ExitCode::Passed,
            Ending::Thresholds => ExitCode::Thresholds,
            Ending::SetupTimeout => ExitCode::SetupTimeout,
            Ending::TeardownTimeout => ExitCode::TeardownTimeout,
            Ending::Signal => ExitCode::Signal,
            Ending::Api => ExitCode::RestStop,
            Ending::Exception(_) => ExitCode::Exception,
            Ending::Aborted(_) => ExitCode::Aborted,
            Ending::Verify(_) => ExitCode::Verify,
            Ending::Failed(_) => ExitCode::Failed,
            Ending::Invalid(_) => ExitCode::Invalid,
            Ending::Panic(_) => ExitCode::Panic,
            Ending::Tunnel(_) => ExitCode::Tunnel,
            Ending::Dead(_) => ExitCode::Dead,
            Ending::TimeUp(_) => ExitCode::Timeout,
        }
    }
}

impl From<&RunError> for ExitCode {
    fn from(error: &RunError) -> ExitCode {
        match error {
            RunError::Script(error) if error.aborted => ExitCode::Aborted,
            RunError::Script(_) => ExitCode::Exception,
            RunError::Api(_) => ExitCode::RestBind,
            _ => ExitCode::Config,
        }
    }
}

/// Says what went wrong, and which code that is.
pub fn fail(error: &impl Display, code: ExitCode) -> ExitCode {
    eprintln!("{}", Red(format_args!("error: {error}")));
    code
}

/// Red on a terminal.
struct Red<T>(T);

impl<T: Display> Display for Red<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if super::log::colour(std::io::IsTerminal::is_terminal(&std::io::stderr())) {
            write!(f, "\x1b[31m{}\x1b[0m", self.0)
        } else {
            self.0.fmt(f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_dialects() {
        for (ending, code) in [
            (Ending::Passed, 0),
            (Ending::Thresholds, 99),
            (Ending::SetupTimeout, 100),
            (Ending::TeardownTimeout, 101),
            (Ending::Api, 103),
            (Ending::Signal, 105),
            (Ending::Exception(String::new()), 107),
            (Ending::Aborted(String::new()), 108),
            (Ending::Panic(String::new()), 109),
            (Ending::Verify(String::new()), 112),
            (Ending::Failed(String::new()), 110),
            (Ending::Invalid(String::new()), 111),
            (Ending::Tunnel(String::new()), 114),
            (Ending::Dead(String::new()), 115),
            (Ending::TimeUp(String::new()), 102),
        ] {
            assert_eq!(ExitCode::from(&ending).code(), code, "{ending:?}");
            assert_eq!(ending.code(), code, "{ending:?}, in a saved run");
        }
    }
}
