//! HTTP proxies as the usual variables name them: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`.
//!
//! The rules are those of Go's `golang.org/x/net/http/httpproxy`, which k6 follows: loopback is never proxied; an
//! entry of `NO_PROXY` is `*`, an address, a range, or a name that covers itself and everything below it (with a
//! leading dot or `*.` only what is below), each with an optional port.

use std::net::IpAddr;

use http::HeaderValue;

use super::options::SetupError;
use super::target::{Hostname, Origin, Target};
use crate::address::Cidr;

/// Which requests go through which proxy. The default is none.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    http: Option<Target>,
    https: Option<Target>,
    exempt: Vec<Exempt>,
}

#[derive(Debug, Clone)]
struct Exempt {
    what: Which,
    port: Option<u16>,
}

#[derive(Debug, Clone)]
enum Which {
    All,
    Range(Cidr),
    /// Without leading dot; `itself` tells whether the name is meant too.
    Domain {
        name: String,
        itself: bool,
    },
}

impl Proxies {
    /// From the process's environment; lower-case variables count if the upper-case ones are unset or empty.
    pub fn from_env() -> Result<Proxies, SetupError> {
        let var = |name: &str| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.is_empty())
                .or_else(|| std::env::var(name.to_lowercase()).ok())
                .unwrap_or_default()
        };
        Proxies::new(&var("HTTP_PROXY"), &var("HTTPS_PROXY"), &var("NO_PROXY"))
    }

    /// From the values of the three variables, empty for unset.
    pub fn new(http: &str, https: &str, none: &str) -> Result<Proxies, SetupError> {
        Ok(Proxies {
            http: proxy("HTTP_PROXY", http)?,
            https: proxy("HTTPS_PROXY", https)?,
            exempt: none.split(',').filter_map(exempt).collect(),
        })
    }

    /// The proxy that requests to an origin go through.
    pub(super) fn proxy_for(&self, origin: &Origin) -> Option<&Target> {
        let proxy = if origin.https {
            self.https.as_ref()
        } else {
            self.http.as_ref()
        }?;
        let loopback = match &origin.host {
            Hostname::Name(name) => &**name == "localhost",
            Hostname::Ip(ip) => ip.is_loopback(),
        };
        let exempt = loopback || self.exempt.iter().any(|rule| rule.applies(origin));
        (!exempt).then_some(proxy)
    }

    /// Proxy-Authorization for a request to an origin that is not tunnelled.
    pub(super) fn authorization(proxy: &Target) -> Option<&HeaderValue> {
        proxy.authorization()
    }
}

impl Exempt {
    fn applies(&self, origin: &Origin) -> bool {
        self.port.is_none_or(|port| port == origin.port)
            && match (&self.what, &origin.host) {
                (Which::All, _) => true,
                (Which::Range(range), Hostname::Ip(ip)) => range.contains(*ip),
                (Which::Domain { name, itself }, Hostname::Name(host)) => {
                    let host = host.strip_suffix('.').unwrap_or(host);
                    match host.strip_suffix(name.as_str()) {
                        Some("") => *itself,
                        Some(below) => below.ends_with('.'),
                        None => false,
                    }
                }
                _ => false,
            }
    }
}

fn proxy(variable: &str, value: &str) -> Result<Option<Target>, SetupError> {
    let value = value.trim();
    if value.is_empty() {
        return Ok(None);
    }
    let url = if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    };
    // The value may hold a password: it is not repeated in the message.
    match Target::parse(&url) {
        Ok(target) if !target.is_https() => Ok(Some(target)),
        _ => Err(SetupError(format!(
            "{variable} is no http:// proxy address; use http://host:port (https and socks proxies are not supported)"
        ))),
    }
}

fn exempt(entry: &str) -> Option<Exempt> {
    let entry = entry.trim().to_ascii_lowercase();
    if entry.is_empty() {
        return None;
    }
    if entry == "*" {
        return Some(Exempt {
            what: Which::All,
            port: None,
        });
    }
    if let Ok(range) = entry.parse() {
        return Some(Exempt {
            what: Which::Range(range),
            port: None,
        });
    }
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok()?)),
        None => (entry.as_str(), None),
    };
    if let Ok(ip) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some(Exempt {
            what: Which::Range(ip.into()),
            port,
        });
    }
    let (name, itself) = match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        Some(below) => (below, false),
        None => (name, true),
    };
    Some(Exempt {
        what: Which::Domain {
            name: name.to_owned(),
            itself,
        },
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exemptions_follow_go() {
        let proxies = Proxies::new(
            "proxy.test:3128",
            "http://u:p@proxy.test",
            "a.test, .b.test,10.0.0.0/8,c.test:81",
        )
        .unwrap();
        let through = |url: &str| proxies.proxy_for(Target::parse(url).unwrap().origin()).is_some();
        assert!(through("http://other.test/"));
        assert!(through("https://other.test/"));
        assert!(!through("http://localhost/"));
        assert!(!through("http://127.0.0.9/"));
        assert!(!through("http://[::1]/"));
        assert!(!through("http://a.test/") && !through("http://x.a.test/"));
        assert!(through("http://xa.test/"));
        assert!(through("http://b.test/") && !through("http://x.b.test/"));
        assert!(!through("http://10.1.2.3/") && through("http://11.1.2.3/"));
        assert!(!through("http://c.test:81/") && through("http://c.test/"));
    }

    #[test]
    fn refuses_other_kinds_of_proxies() {
        assert!(Proxies::new("socks5://x:1", "", "").is_err());
        assert!(Proxies::new("", "https://x:1", "").is_err());
        assert!(Proxies::new("", "", "*").unwrap().http.is_none());
    }
}
