//! Where to: `[user@]host[:port]`, as typed.

use std::fmt;
use std::str::FromStr;

use super::SshError;

/// A server as the user calls it. The host may be an alias of `~/.ssh/config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Whom to log in as, if typed.
    pub user: Option<String>,
    /// The name or address, without brackets.
    pub host: String,
    /// The port, if typed.
    pub port: Option<u16>,
}

impl FromStr for Destination {
    type Err = SshError;

    fn from_str(text: &str) -> Result<Destination, SshError> {
        let wrong = |reason| SshError::Destination {
            text: text.to_owned(),
            reason,
        };
        let rest = text.strip_prefix("ssh://").unwrap_or(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // A user's name may have an @ in it, a host's may not.
        let (user, host) = match rest.rsplit_once('@') {
            Some(("", _)) => return Err(wrong("there is no user before the @")),
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, rest),
        };
        let (host, port) = split_port(host).ok_or_else(|| wrong("the port is a number from 1 to 65535"))?;
        if host.is_empty() {
            return Err(wrong("there is no host"));
        }
        // A name that starts with a dash would be read as an option by programs that get it from us.
        let plain = |text: &str| {
            !text.starts_with('-') && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if !plain(&host) || !plain(user.as_deref().unwrap_or_default()) || host.contains('/') {
            return Err(wrong(
                "a host or user has no spaces or slashes and does not start with a dash",
            ));
        }
        Ok(Destination { user, host, port })
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`, or a bare IPv6 address, which has more than one colon.
pub fn split_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return None,
        }
    } else {
        match text.split_once(':') {
            Some((_, more)) if more.contains(':') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        None => None,
        Some(port) => Some(port_number(port)?),
    };
    Some((host.to_owned(), port))
}

/// A port in digits; not 0.
pub fn port_number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// A host for a message or a `Host` header: IPv6 addresses in brackets.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            Some(port) => write!(f, "{}:{port}", bracketed(&self.host)),
            None => f.write_str(&self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<String>, String, Option<u16>) {
        let destination: Destination = text.parse().expect(text);
        (destination.user, destination.host, destination.port)
    }

    #[test]
    fn all_forms() {
        let root = || Some("root".to_owned());
        assert_eq!(parsed("vps"), (None, "vps".into(), None));
        assert_eq!(parsed("root@vps:2222"), (root(), "vps".into(), Some(2222)));
        assert_eq!(parsed("ssh://root@vps:2222/"), (root(), "vps".into(), Some(2222)));
        assert_eq!(parsed("a@b@vps"), (Some("a@b".into()), "vps".into(), None));
        assert_eq!(parsed("::1"), (None, "::1".into(), None));
        assert_eq!(
            parsed("root@[fe80::1%eth0]:22"),
            (root(), "fe80::1%eth0".into(), Some(22))
        );
        assert_eq!(parsed("[::1]"), (None, "::1".into(), None));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "@vps",
            "root@",
            "vps:",
            "vps:0",
            "vps:65536",
            "vps:+22",
            "vps:ssh",
            "[::1",
            "[::1]22",
            "-oProxyCommand=x",
            "root@-x",
            "-x@vps",
            "a b",
            "vps\n",
            "vps/path",
        ] {
            let error = text.parse::<Destination>().expect_err(text).to_string();
            assert!(error.contains("[user@]host[:port]"), "{error}");
        }
    }

    #[test]
    fn what_is_shown_can_be_typed() {
        for text in ["vps", "root@vps:2222", "[::1]:2222", "root@::1"] {
            assert_eq!(text.parse::<Destination>().expect(text).to_string(), text);
        }
    }
}
