//! Which ports: `3001`, `13002:localhost:3002`, `auto`, as typed.

use std::fmt;

use crate::remote::ssh::SshError;
use crate::remote::ssh::destination::{bracketed, port_number};

/// The ports of the wallet and the store, which a tunnel without `--forward` is for.
const USUAL: [u16; 2] = [3001, 3002];

/// A port of this machine that leads to one of the server's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The port to listen on; 0 for any that is free.
    pub local: u16,
    /// Where the server connects to, as the server resolves it.
    pub host: String,
    /// The port there.
    pub port: u16,
}

impl Forward {
    fn same_port(port: u16) -> Forward {
        Forward {
            local: port,
            host: "localhost".to_owned(),
            port,
        }
    }

    /// Whether it leads to the server itself, and not to a host beyond it.
    pub fn is_of_the_server(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }

    /// Where it leads, as `host:port`.
    pub fn target(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local {
            0 => write!(f, "auto:{}", self.target()),
            local => write!(f, "{local}:{}", self.target()),
        }
    }
}

/// All ports of a tunnel, no local one twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwards(Vec<Forward>);

impl Default for Forwards {
    fn default() -> Forwards {
        Forwards(USUAL.map(Forward::same_port).to_vec())
    }
}

impl Forwards {
    /// From what was typed after each `--forward`; nothing typed means 3001 and 3002. The word `auto` takes a free local
    /// port for each of them.
    pub fn parse(typed: &[String]) -> Result<Forwards, SshError> {
        let mut forwards = Vec::new();
        let mut auto = false;
        for text in typed.iter().flat_map(|text| text.split(',')).map(str::trim) {
            if text == "auto" {
                auto = true;
            } else {
                forwards.push(one(text)?);
            }
        }
        if forwards.is_empty() {
            forwards = Forwards::default().0;
        }
        if auto {
            for forward in &mut forwards {
                forward.local = 0;
            }
        }
        for (at, forward) in forwards.iter().enumerate() {
            if forward.local != 0 && forwards[..at].iter().any(|other| other.local == forward.local) {
                return Err(SshError::Forward {
                    text: forward.to_string(),
                    reason: "its local port is given twice",
                });
            }
        }
        Ok(Forwards(forwards))
    }

    /// No port at all, for a host that is only looked at.
    pub fn none() -> Forwards {
        Forwards(Vec::new())
    }

    /// In the order in which they were typed.
    pub fn as_slice(&self) -> &[Forward] {
        &self.0
    }
}

/// `PORT`, `LOCAL:PORT` or `LOCAL:HOST:PORT`.
fn one(text: &str) -> Result<Forward, SshError> {
    let wrong = |reason| SshError::Forward {
        text: text.to_owned(),
        reason,
    };
    let port = |text: &str| port_number(text).ok_or_else(|| wrong("a port is a number from 1 to 65535"));
    let Some((local, target)) = text.split_once(':') else {
        return Ok(Forward::same_port(port(text)?));
    };
    let local = match local {
        "auto" | "0" => 0,
        local => port(local)?,
    };
    let (host, remote) = match target.rsplit_once(':') {
        None => ("localhost", target),
        Some((host, remote)) => (host, remote),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bare {
        Some(address) => address,
        None if host.contains(':') => return Err(wrong("an IPv6 address is written in brackets")),
        None => host,
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err(wrong("there is no host in it, or one that cannot be"));
    }
    Ok(Forward {
        local,
        host: host.to_owned(),
        port: port(remote)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(typed: &[&str]) -> Result<Vec<String>, String> {
        let typed: Vec<String> = typed.iter().map(|text| (*text).to_owned()).collect();
        let forwards = Forwards::parse(&typed).map_err(|error| error.to_string())?;
        Ok(forwards.as_slice().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn all_forms() {
        for (typed, forwards) in [
            (&[][..], &["3001:localhost:3001", "3002:localhost:3002"][..]),
            (&["8080"], &["8080:localhost:8080"]),
            (&["13002:localhost:3002"], &["13002:localhost:3002"]),
            (&["13002:3002"], &["13002:localhost:3002"]),
            (&["9000:[::1]:80"], &["9000:[::1]:80"]),
            (
                &["9000:10.0.0.7:80", "3001"],
                &["9000:10.0.0.7:80", "3001:localhost:3001"],
            ),
            (&["3001,3002"], &["3001:localhost:3001", "3002:localhost:3002"]),
            (&["auto"], &["auto:localhost:3001", "auto:localhost:3002"]),
            (&["8080", "auto"], &["auto:localhost:8080"]),
            (&["auto:db:5432"], &["auto:db:5432"]),
        ] {
            let expected: Vec<String> = forwards.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(parsed(typed), Ok(expected), "{typed:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (typed, part) in [
            (&["0"][..], "1 to 65535"),
            (&["70000"], "1 to 65535"),
            (&["x"], "1 to 65535"),
            (&["localhost:3002"], "1 to 65535"),
            (&["1:localhost:"], "1 to 65535"),
            (&["1::2"], "no host"),
            (&["1:::1:80"], "brackets"),
            (&["3001", "3001:other:80"], "twice"),
            (&[""], "1 to 65535"),
        ] {
            let error = parsed(typed).expect_err(&format!("{typed:?}"));
            assert!(error.contains(part) && error.contains("--forward"), "{error}");
        }
    }
}
