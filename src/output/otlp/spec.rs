//! Where spans go: `--otlp`, and the variables that all OpenTelemetry exporters read
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

/// Where a collector is unless told otherwise.
const GRPC: &str = "http://127.0.0.1:4317";
const HTTP: &str = "http://127.0.0.1:4318";
/// What an HTTP collector calls its traces.
const PATH: &str = "v1/traces";
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
    #[error("traces cannot be exported: {0}")]
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

/// Where spans go, and what is said with them.
#[derive(Clone, PartialEq, Eq)]
pub struct OtlpSpec {
    pub(super) protocol: Protocol,
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    /// Of the resource, `service.name` among them.
    pub(super) attributes: Vec<(String, String)>,
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
        let variables = Variables(
            variables
                .iter()
                .map(|(name, text)| (name.as_str(), text.trim()))
                .collect(),
        );
        let asked = variables.protocol()?;
        let (from, text) = variables.endpoint(endpoint, asked);
        let mut url = parse(from, text)?;
        let protocol = asked.unwrap_or(match url.port() {
            Some(4317) => Protocol::Grpc,
            _ => Protocol::Http,
        });
        // The variable for traces alone is the whole address; the others are where all signals start from.
        if protocol == Protocol::Http && from != TRACES_ENDPOINT && !url.path().ends_with(PATH) {
            let path = format!("{}/{PATH}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        let attributes = variables.attributes()?;
        let (name, headers) =
            variables.either("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
        let headers = pairs(name, headers.unwrap_or_default())?;
        for (key, value) in &headers {
            let valid = http::HeaderName::try_from(key).is_ok() && http::HeaderValue::try_from(value).is_ok();
            if !valid {
                let why = format!("`{key}` cannot be sent as a header");
                return Err(OtlpError::Variable { name, why });
            }
        }
        Ok(OtlpSpec {
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

const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

struct Variables<'a>(HashMap<&'a str, &'a str>);

impl<'a> Variables<'a> {
    /// An empty variable is as good as none.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied().filter(|text| !text.is_empty())
    }

    /// The variable for traces alone, or else the one for all signals.
    fn either(&self, traces: &'static str, all: &'static str) -> (&'static str, Option<&'a str>) {
        match self.get(traces) {
            Some(text) => (traces, Some(text)),
            None => (all, self.get(all)),
        }
    }

    fn endpoint<'b>(&self, flag: Option<&'b str>, asked: Option<Protocol>) -> (&'static str, &'b str)
    where
        'a: 'b,
    {
        if let Some(flag) = flag {
            return ("--otlp", flag);
        }
        match self.either(TRACES_ENDPOINT, "OTEL_EXPORTER_OTLP_ENDPOINT") {
            (from, Some(text)) => (from, text),
            (_, None) if asked == Some(Protocol::Http) => ("--otlp", HTTP),
            (_, None) => ("--otlp", GRPC),
        }
    }

    fn protocol(&self) -> Result<Option<Protocol>, OtlpError> {
        let (name, text) = self.either(
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        );
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
        let (name, text) = self.either("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
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
        let (name, text) = self.either(
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
            "OTEL_EXPORTER_OTLP_COMPRESSION",
        );
        match text {
            None | Some("none") => Ok(false),
            Some("gzip") => Ok(true),
            Some(other) => Err(OtlpError::Variable {
                name,
                why: format!("`{other}` is not known; there are gzip and none"),
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
mod tests {
    use super::*;

    fn spec(endpoint: Option<&str>, variables: &[(&str, &str)]) -> Result<OtlpSpec, String> {
        let variables: Vec<(String, String)> = variables
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        OtlpSpec::new(endpoint, &variables).map_err(|error| error.to_string())
    }

    #[test]
    fn endpoints_and_protocols() {
        const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
        let grpc = |url: &str| (Protocol::Grpc, url.to_owned());
        let http = |url: &str| (Protocol::Http, url.to_owned());
        for (flag, variables, expected) in [
            (None, vec![], grpc("http://127.0.0.1:4317")),
            (
                None,
                vec![(PROTOCOL, "http/protobuf")],
                http("http://127.0.0.1:4318/v1/traces"),
            ),
            (Some("http://c:4318"), vec![], http("http://c:4318/v1/traces")),
            (
                Some("http://c:4318/v1/traces"),
                vec![],
                http("http://c:4318/v1/traces"),
            ),
            (Some("c:4317"), vec![], grpc("http://c:4317")),
            (Some(":4318"), vec![], http("http://127.0.0.1:4318/v1/traces")),
            (Some("https://c"), vec![], http("https://c/v1/traces")),
            (Some("https://c"), vec![(PROTOCOL, "grpc")], grpc("https://c")),
            (
                Some("http://c:4317"),
                vec![(PROTOCOL, "http/protobuf")],
                http("http://c:4317/v1/traces"),
            ),
            (
                None,
                vec![(ALL, "http://c:4318/base/")],
                http("http://c:4318/base/v1/traces"),
            ),
            (
                None,
                vec![(ALL, "http://c:4318"), (TRACES_ENDPOINT, "http://t:4318/own")],
                http("http://t:4318/own"),
            ),
            (
                Some("http://flag:4317"),
                vec![(ALL, "http://c:4318")],
                grpc("http://flag:4317"),
            ),
            (
                None,
                vec![
                    (PROTOCOL, "grpc"),
                    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
                ],
                http("http://127.0.0.1:4318/v1/traces"),
            ),
            (None, vec![(ALL, "  ")], grpc("http://127.0.0.1:4317")),
        ] {
            let spec = spec(flag, &variables).unwrap();
            assert_eq!((spec.protocol, spec.shown()), expected, "{flag:?} {variables:?}");
        }
    }

    #[test]
    fn headers_time_compression_and_the_resource() {
        let spec = spec(
            None,
            &[
                ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=1"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
                ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,team=b%2Cc"),
                ("OTEL_SERVICE_NAME", "mine"),
            ],
        )
        .unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(spec.headers, [pair("api-key", "a b"), pair("x", "1")]);
        assert_eq!(spec.timeout, Duration::from_millis(250));
        assert!(spec.gzip);
        assert_eq!(
            spec.attributes,
            [pair("service.name", "mine"), pair("team", "b,c")]
        );
        assert!(!format!("{spec:?}").contains("a b"), "headers are secrets");
    }

    #[test]
    fn what_is_wrong_is_named_with_the_mend() {
        for (flag, variable, said) in [
            (Some("ftp://c"), ("", ""), "over http or https"),
            (Some("http://"), ("", ""), "--otlp: http://"),
            (Some("http://u:secret@c"), ("", ""), "OTEL_EXPORTER_OTLP_HEADERS"),
            (
                None,
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
                "grpc and http/protobuf",
            ),
            (None, ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), "milliseconds"),
            (None, ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"), "gzip and none"),
            (None, ("OTEL_EXPORTER_OTLP_HEADERS", "secret"), "key=value"),
            (None, ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret"), "as a header"),
        ] {
            let error = spec(flag, &[variable]).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{error}");
        }
    }
}
