//! From options as given (defaults, a JSON file, the script, environment variables, flags) to one checked [`Config`].
//!
//! Every source fills a [`RawOptions`]; [`RawOptions::overlay`] lays later ones over earlier ones; [`check`] then reads the
//! result once and returns either the configuration, with plans and thresholds ready to run, or every fault at once:
//!
//! ```
//! use loadgen::config::{RawOptions, Tier, check};
//! use loadgen::metrics::builtin;
//!
//! let script = serde_json::json!({ "vus": 10, "duration": "1m", "thresholds": { "http_req_duration": ["p(95)<500"] } });
//! let mut raw = RawOptions::from_json(script.as_object().unwrap(), Tier::Script);
//! raw.overlay(RawOptions::from_env([("K6_VUS".to_owned(), "20".to_owned())]));
//! let mut flags = RawOptions::new();
//! flags.set("duration", "10s".into(), Tier::Flags);
//! raw.overlay(flags);
//!
//! let known = |name: &str| builtin::ALL.iter().find(|m| m.0 == name).map(|m| m.1);
//! let config = check(&raw, &known)?;
//! assert_eq!(config.scenarios[0].describe(), "20 looping VUs for 10s (gracefulStop: 30s)");
//! # Ok::<(), loadgen::config::ConfigErrors>(())
//! ```

mod address;
mod catalog;
mod check;
mod describe;
mod error;
mod http;
mod pem;
mod raw;
mod reader;
mod scenario;
mod settings;
mod shortcuts;
mod summary;
mod thresholds;

pub use crate::address::{Cidr, Dns, DnsPolicy, DnsSelect, HostOverride, HostPattern};
pub use catalog::option_names;
pub use check::{Config, check};
pub use error::{ConfigError, ConfigErrors, nearest};
pub use http::{HttpDebug, HttpOptions, TlsAuth, TlsOptions, TlsVersion};
pub use pem::{KeyError, decrypted};
pub use raw::{Given, RawOptions, Tier, stage};
pub use scenario::Scenario;
pub use settings::{Settings, file};
pub use summary::{TimeUnit, TrendStat};
