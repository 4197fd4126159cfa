//! Where spans and metrics go: `--otlp`, `--otlp-metrics`, and the variables that all OpenTelemetry exporters read
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

/// Where a collector is unless told otherwise.
const GRPC: &str = "http://127.0.0.1:4317";
const HTTP: &str = "http://127.0.0.1:4318";
/// How often metrics are pushed unless told otherwise, and at most: the numbers are new once a second. The specification's
/// minute is too long for a test.
const INTERVAL: Duration = Duration::from_secs(5);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// How long a batch may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// `service.name` unless told otherwise.
const SERVICE: &str = "loadgen";

/// What keeps spans from being exported at all.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The endpoint is none.
    #[error("{from}: {url}: {why}; write it as http://HOST:4317 (gRPC) or http://HOST:4318 (HTTP)")]
    Endpoint {
        /// Flag or variable.
        from: &'static str,
        /// What it says.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A variable with a value that cannot be.
    #[error("{name}: {why}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What is wrong with it, without its value: it may be a secret.
        why: String,
    },
    /// TLS, or the system's threads.
    #[error("nothing can be exported over OTLP: {0}")]
    Setup(String),
}

/// How to speak to the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    Http,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
}

/// What a signal's own settings are called; each variable wins over the one for all signals.
struct Names {
    flag: &'static str,
    /// What an HTTP collector calls it.
    path: &'static str,
    endpoint: &'static str,
    protocol: &'static str,
    headers: &'static str,
    timeout: &'static str,
    compression: &'static str,
}

impl Signal {
    fn names(self) -> &'static Names {
        match self {
            Signal::Traces => &Names {
                flag: "--otlp",
                path: "v1/traces",
                endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                headers: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                timeout: "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
                compression: "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
            },
            Signal::Metrics => &Names {
                flag: "--otlp-metrics",
                path: "v1/metrics",
                endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
                protocol: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
                headers: "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
                timeout: "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
                compression: "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION",
            },
        }
    }
}

/// Where spans or metrics go, and what is said with them.
#[derive(Clone, PartialEq, Eq)]
pub struct OtlpSpec {
    pub(super) signal: Signal,
    pub(super) protocol: Protocol,
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    /// Of the resource, `service.name` among them.
    pub(in crate::output) attributes: Vec<(String, String)>,
}

// Headers are where tokens are.
impl fmt::Debug for OtlpSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OtlpSpec({:?} {})", self.protocol, self.url)
    }
}

impl OtlpSpec {
    /// `endpoint` is the flag's; the variables say the rest, and the endpoint too without it.
    ///
    /// # Errors
    /// An endpoint or a variable that makes no sense.
    pub fn new(endpoint: Option<&str>, variables: &[(String, String)]) -> Result<OtlpSpec, OtlpError> {
        OtlpSpec::of(
            Signal::Traces,
            endpoint,
            &Variables::of(Signal::Traces, variables),
        )
    }

    fn of(signal: Signal, endpoint: Option<&str>, variables: &Variables) -> Result<OtlpSpec, OtlpError> {
        let names = signal.names();
        let asked = variables.protocol()?;
        let (from, text) = variables.endpoint(endpoint, asked);
        let mut url = parse(from, text)?;
        let protocol = asked.unwrap_or(match url.port() {
            Some(4317) => Protocol::Grpc,
            _ => Protocol::Http,
        });
        // The variable for this signal alone is the whole address; the others are where all signals start from.
        if protocol == Protocol::Http && from != names.endpoint && !url.path().ends_with(names.path) {
            let path = format!("{}/{}", url.path().trim_end_matches('/'), names.path);
            url.set_path(&path);
        }
        let attributes = variables.attributes()?;
        let (name, headers) = variables.either(names.headers, "OTEL_EXPORTER_OTLP_HEADERS");
        let headers = pairs(name, headers.unwrap_or_default())?;
        for (key, value) in &headers {
            let valid = http::HeaderName::try_from(key).is_ok() && http::HeaderValue::try_from(value).is_ok();
            if !valid {
                let why = format!("`{key}` cannot be sent as a header");
                return Err(OtlpError::Variable { name, why });
            }
        }
        Ok(OtlpSpec {
            signal,
            protocol,
            url,
            headers,
            timeout: variables.timeout()?,
            gzip: variables.gzip()?,
            attributes,
        })
    }

    /// The address, for messages.
    pub fn shown(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }
}

/// How metrics are pushed over OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpMetrics {
    pub(in crate::output) spec: OtlpSpec,
    /// Between two pages.
    pub(in crate::output) interval: Duration,
    /// Whether histograms go with fixed bounds.
    pub(in crate::output) explicit: bool,
}

impl OtlpMetrics {
    /// `endpoint` is the flag's. Without it metrics go where their own variable says, else where spans go (`traces`), else
    /// where the variable for all signals says.
    ///
    /// # Errors
    /// An endpoint or a variable that makes no sense.
    pub fn new(
        endpoint: Option<&str>,
        traces: Option<&str>,
        variables: &[(String, String)],
    ) -> Result<OtlpMetrics, OtlpError> {
        let signal = Signal::Metrics;
        let variables = Variables::of(signal, variables);
        let own = endpoint.is_some() || variables.get(signal.names().endpoint).is_some();
        let shared = traces.filter(|_| !own).map(|text| {
            let text = text.trim_end_matches('/');
            text.strip_suffix(Signal::Traces.names().path).unwrap_or(text)
        });
        let spec = OtlpSpec::of(signal, endpoint.or(shared), &variables)?;
        variables.cumulative()?;
        Ok(OtlpMetrics {
            spec,
            interval: variables.interval()?,
            explicit: variables.explicit()?,
        })
    }
}

struct Variables<'a> {
    known: HashMap<&'a str, &'a str>,
    signal: Signal,
}

impl<'a> Variables<'a> {
    fn of(signal: Signal, variables: &'a [(String, String)]) -> Variables<'a> {
        let known = variables.iter().map(|(name, text)| (name.as_str(), text.trim()));
        Variables {
            known: known.collect(),
            signal,
        }
    }

    /// An empty variable is as good as none.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.known.get(name).copied().filter(|text| !text.is_empty())
    }

    /// The variable for this signal alone, or else the one for all signals.
    fn either(&self, own: &'static str, all: &'static str) -> (&'static str, Option<&'a str>) {
        match self.get(own) {
            Some(text) => (own, Some(text)),
            None => (all, self.get(all)),
        }
    }

    fn endpoint<'b>(&self, flag: Option<&'b str>, asked: Option<Protocol>) -> (&'static str, &'b str)
    where
        'a: 'b,
    {
        let names = self.signal.names();
        if let Some(flag) = flag {
            return (names.flag, flag);
        }
        match self.either(names.endpoint, "OTEL_EXPORTER_OTLP_ENDPOINT") {
            (from, Some(text)) => (from, text),
            (_, None) if asked == Some(Protocol::Http) => (names.flag, HTTP),
            (_, None) => (names.flag, GRPC),
        }
    }

    fn protocol(&self) -> Result<Option<Protocol>, OtlpError> {
        let (name, text) = self.either(self.signal.names().protocol, "OTEL_EXPORTER_OTLP_PROTOCOL");
        match text {
            None => Ok(None),
            Some("grpc") => Ok(Some(Protocol::Grpc)),
            Some("http/protobuf") => Ok(Some(Protocol::Http)),
            Some(other) => Err(OtlpError::Variable {
                name,
                why: format!("`{other}` is not spoken here; there are grpc and http/protobuf"),
            }),
        }
    }

    fn timeout(&self) -> Result<Duration, OtlpError> {
        let (name, text) = self.either(self.signal.names().timeout, "OTEL_EXPORTER_OTLP_TIMEOUT");
        let Some(text) = text else { return Ok(TIMEOUT) };
        match text.parse() {
            Ok(millis @ 1..) => Ok(Duration::from_millis(millis)),
            _ => Err(OtlpError::Variable {
                name,
                why: format!("`{text}` is no number of milliseconds"),
            }),
        }
    }

    fn gzip(&self) -> Result<bool, OtlpError> {
        let (name, text) = self.either(self.signal.names().compression, "OTEL_EXPORTER_OTLP_COMPRESSION");
        match text {
            None | Some("none") => Ok(false),
            Some("gzip") => Ok(true),
            Some(other) => Err(OtlpError::Variable {
                name,
                why: format!("`{other}` is not known; there are gzip and none"),
            }),
        }
    }

    fn interval(&self) -> Result<Duration, OtlpError> {
        const NAME: &str = "OTEL_METRIC_EXPORT_INTERVAL";
        let Some(text) = self.get(NAME) else {
            return Ok(INTERVAL);
        };
        let interval = text.parse().map(Duration::from_millis);
        interval
            .ok()
            .filter(|it| *it >= SHORTEST_INTERVAL)
            .ok_or_else(|| {
                let why = format!(
                    "`{text}` is no number of milliseconds of at least {}",
                    SHORTEST_INTERVAL.as_millis()
                );
                OtlpError::Variable { name: NAME, why }
            })
    }

    fn explicit(&self) -> Result<bool, OtlpError> {
        const NAME: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
        match self.get(NAME).map(str::to_ascii_lowercase).as_deref() {
            None | Some("base2_exponential_bucket_histogram") => Ok(false),
            Some("explicit_bucket_histogram") => Ok(true),
            Some(other) => Err(OtlpError::Variable {
                name: NAME,
                why: format!(
                    "`{other}` is not known; there are base2_exponential_bucket_histogram and explicit_bucket_histogram"
                ),
            }),
        }
    }

    /// Sums are told since the start of the run, so that one that is lost is no loss.
    fn cumulative(&self) -> Result<(), OtlpError> {
        const NAME: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        match self.get(NAME).map(str::to_ascii_lowercase).as_deref() {
            None | Some("cumulative") => Ok(()),
            Some(other) => Err(OtlpError::Variable {
                name: NAME,
                why: format!("`{other}` is not spoken here; there is cumulative"),
            }),
        }
    }

    fn attributes(&self) -> Result<Vec<(String, String)>, OtlpError> {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let mut attributes = pairs(NAME, self.get(NAME).unwrap_or_default())?;
        let named = attributes.iter().position(|(key, _)| key == "service.name");
        match (self.get("OTEL_SERVICE_NAME"), named) {
            (Some(name), Some(at)) => name.clone_into(&mut attributes[at].1),
            (None, Some(_)) => {}
            (name, None) => {
                let name = name.unwrap_or(SERVICE).to_owned();
                attributes.insert(0, ("service.name".to_owned(), name));
            }
        }
        Ok(attributes)
    }
}

/// `key=value,key=value`, values percent-encoded (W3C Baggage).
fn pairs(name: &'static str, text: &str) -> Result<Vec<(String, String)>, OtlpError> {
    let wrong = |why: &str| OtlpError::Variable {
        name,
        why: why.to_owned(),
    };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| wrong("write it as key=value,key=value"))?;
        let value = percent_decode_str(value.trim()).decode_utf8();
        let value = value.map_err(|_| wrong("a value is no UTF-8"))?;
        match key.trim() {
            "" => Err(wrong("a key is missing")),
            key => Ok((key.to_owned(), value.into_owned())),
        }
    };
    parts.map(pair).collect()
}

fn parse(from: &'static str, text: &str) -> Result<Url, OtlpError> {
    let full = match text.strip_prefix(':') {
        Some(port) => format!("http://127.0.0.1:{port}"),
        None if text.contains("://") => text.to_owned(),
        None => format!("http://{text}"),
    };
    let wrong = |why: &str| OtlpError::Endpoint {
        from,
        url: text.to_owned(),
        why: why.to_owned(),
    };
    let url = Url::parse(&full).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("a collector is spoken to over http or https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OtlpError::Endpoint {
            from,
            url: "…".to_owned(),
            why: "credentials go into OTEL_EXPORTER_OTLP_HEADERS".to_owned(),
        });
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
