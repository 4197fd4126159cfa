//! Which processes a sampler watches, as the user says it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What tells a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Its id. It is never found again when it has ended.
    Pid(u32),
    /// The TCP port that it listens on.
    Port(u16),
    /// What it is called; all processes of that name together.
    Name(String),
    /// A number as typed: the port if somebody listens on it, else the process id.
    Number(u32),
}

/// A process to sample, with its children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    pub wanted: Wanted,
    /// How it is called in outputs; otherwise it is named after what it turns out to be.
    pub name: Option<Arc<str>>,
    /// Whether it is an error that it is not there when sampling starts. If not, it is looked for later too.
    pub required: bool,
}

impl Watch {
    /// A process that has to be there.
    pub fn new(wanted: Wanted) -> Watch {
        Watch {
            wanted,
            name: None,
            required: true,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Pid(pid) => write!(f, "pid {pid}"),
            Wanted::Port(port) => write!(f, "port {port}"),
            Wanted::Name(name) => f.write_str(name),
            Wanted::Number(number) => number.fmt(f),
        }
    }
}

/// Why a text says no process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    #[error("--watch needs a process: its name, its process id, or the port that it listens on")]
    Empty,
    #[error("--watch {text}: a process id is a number from 1 to 4194304")]
    Pid { text: String },
    #[error("--watch {text}: a port is a number from 1 to 65535")]
    Port { text: String },
    #[error("--watch {text}: a process's name has no `/`; write the last part of its path")]
    Name { text: String },
}

/// Linux gives no greater process id (`PID_MAX_LIMIT`).
const LAST_PID: u32 = 1 << 22;

impl FromStr for Watch {
    type Err = WatchError;

    /// `NAME`, `PID` or `PORT`; `pid:`, `port:` and `name:` say which it is.
    fn from_str(text: &str) -> Result<Watch, WatchError> {
        let text = text.trim();
        let owned = || text.to_owned();
        let pid = |digits: &str| digits.parse().ok().filter(|pid| (1..=LAST_PID).contains(pid));
        let wanted = if let Some(digits) = text.strip_prefix("pid:") {
            Wanted::Pid(pid(digits).ok_or_else(|| WatchError::Pid { text: owned() })?)
        } else if let Some(digits) = text.strip_prefix("port:").or_else(|| text.strip_prefix(':')) {
            let port = digits.parse().ok().filter(|port| *port > 0);
            Wanted::Port(port.ok_or_else(|| WatchError::Port { text: owned() })?)
        } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Wanted::Number(pid(text).ok_or_else(|| WatchError::Pid { text: owned() })?)
        } else {
            let name = text.strip_prefix("name:").unwrap_or(text);
            if name.is_empty() {
                return Err(WatchError::Empty);
            }
            // Kernel threads have slashes in their names, programs have not.
            if name.contains('/') && !name.starts_with("kworker/") {
                return Err(WatchError::Name { text: owned() });
            }
            Wanted::Name(name.to_owned())
        };
        Ok(Watch::new(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ids_and_ports() {
        let table = [
            ("redis-server", Wanted::Name("redis-server".to_owned())),
            ("name:3001", Wanted::Name("3001".to_owned())),
            ("3001", Wanted::Number(3001)),
            ("pid:3001", Wanted::Pid(3001)),
            (":3001", Wanted::Port(3001)),
            (" port:3001 ", Wanted::Port(3001)),
        ];
        for (text, wanted) in table {
            assert_eq!(text.parse(), Ok(Watch::new(wanted)), "{text}");
        }
        for wrong in [
            "",
            "name:",
            "0",
            "4194305",
            "99999999999",
            "pid:x",
            "pid:0",
            "port:0",
            ":70000",
            "a/b",
        ] {
            let error = wrong.parse::<Watch>().expect_err(wrong).to_string();
            assert!(error.starts_with("--watch"), "{error}");
        }
    }
}
