//! Secrets that a service hands out over HTTP, one request for each: `--secret-source=url=urlTemplate=…`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use crate::{
    net::{Client, JarChoice, Request, Response, Target},
    pace::parse_duration,
};

/// The longest answer that is taken for a secret, in bytes.
const LONGEST: usize = 24 * 1024;
/// The variables that `url=env` reads begin so.
const VARIABLES: &str = "K6_SECRET_SOURCE_URL_";
/// What `{key}` of the address stands for.
const KEY: &str = "{key}";
/// The settings, by their names in a file and in variables.
const SETTINGS: [(&str, &str); 8] = [
    ("urlTemplate", "URL_TEMPLATE"),
    ("method", "METHOD"),
    ("responsePath", "RESPONSE_PATH"),
    ("requestsPerMinuteLimit", "REQUESTS_PER_MINUTE_LIMIT"),
    ("requestsBurst", "REQUESTS_BURST"),
    ("timeout", "TIMEOUT"),
    ("maxRetries", "MAX_RETRIES"),
    ("retryBackoff", "RETRY_BACKOFF"),
];

/// Where secrets are asked for, and how.
#[derive(Debug)]
pub struct UrlSource {
    template: String,
    method: Method,
    headers: HeaderMap,
    path: String,
    timeout: Duration,
    retries: u32,
    backoff: Duration,
    /// The time from one request to the next, and how many may go at once after a pause.
    gap: Duration,
    burst: u32,
    /// When the requests so far are worked off at that rate.
    due: Mutex<Option<Instant>>,
}

/// Settings by their names in a file, and headers; what is taken later overrides.
#[derive(Default)]
struct Given {
    settings: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
}

impl Given {
    fn take(&mut self, name: &str, value: &str) {
        match name.strip_prefix("headers.") {
            Some(header) => self.headers.insert(header.to_owned(), value.to_owned()),
            None => self.settings.insert(name.to_owned(), value.to_owned()),
        };
    }

    fn take_file(&mut self, path: &str) -> Result<(), String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {path}: {e}"))?;
        let file: Map<String, Value> =
            serde_json::from_str(&text).map_err(|e| format!("{path} is no JSON object: {e}"))?;
        for (name, value) in &file {
            match value {
                Value::Object(headers) if name == "headers" => {
                    let headers = headers.iter().map(|(name, value)| (name.clone(), plain(value)));
                    self.headers.extend(headers);
                }
                value => drop(self.settings.insert(name.clone(), plain(value))),
            }
        }
        Ok(())
    }

    fn take_variables(&mut self, variables: &BTreeMap<String, String>) {
        let own = variables
            .iter()
            .filter_map(|(variable, value)| Some((variable.strip_prefix(VARIABLES)?, value)));
        for (name, value) in own {
            if let Some(header) = name.strip_prefix("HEADER_") {
                self.headers.insert(header.replace('_', "-"), value.clone());
            } else if let Some((setting, _)) = SETTINGS.iter().find(|(_, known)| *known == name) {
                self.settings.insert((*setting).to_owned(), value.clone());
            }
        }
    }
}

impl UrlSource {
    /// Reads the parts of `url=…`: settings (`timeout=5s`, `headers.NAME=VALUE`), `config=FILE` for a file of them, whose
    /// settings the others override, and `env` for variables.
    ///
    /// # Errors
    /// A sentence that names the setting and the mend.
    pub fn read(parts: &[&str], variables: &BTreeMap<String, String>) -> Result<UrlSource, String> {
        let is_place = |part: &&str| part.starts_with("config=") || *part == "env";
        let (places, own): (Vec<&str>, Vec<&str>) = parts.iter().copied().partition(is_place);
        let mut given = Given::default();
        for place in places {
            match place.strip_prefix("config=") {
                Some(path) => given.take_file(path)?,
                None => given.take_variables(variables),
            }
        }
        for part in own {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}` is not understood; write NAME=VALUE, config=FILE or env"))?;
            given.take(name, value);
        }
        UrlSource::made(&given)
    }

    fn made(Given { settings, headers }: &Given) -> Result<UrlSource, String> {
        if let Some(unknown) = settings
            .keys()
            .find(|name| SETTINGS.iter().all(|(known, _)| known != name))
        {
            let known: Vec<&str> = SETTINGS.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "`{unknown}` is no setting; there are {} and headers.NAME",
                known.join(", ")
            ));
        }
        let template = settings
            .get("urlTemplate")
            .filter(|template| template.contains(KEY))
            .ok_or("it needs urlTemplate, an address with {key} where the secret's name goes")?;
        Target::parse(&template.replace(KEY, "test")).map_err(|error| format!("urlTemplate: {error}"))?;
        let number = |name: &str, least: u32, default: u32| match settings.get(name) {
            None => Ok(default),
            Some(text) => match text.parse::<u32>() {
                Ok(number) if number >= least => Ok(number),
                _ => Err(format!(
                    "{name}: expected a whole number from {least} on, not `{text}`"
                )),
            },
        };
        let time = |name: &str, default: u64| match settings.get(name) {
            None => Ok(Duration::from_secs(default)),
            Some(text) => match parse_duration(text) {
                Ok(time) if !time.is_zero() => Ok(time),
                _ => Err(format!("{name}: expected a time such as 30s, not `{text}`")),
            },
        };
        let method = settings.get("method").map_or("GET", String::as_str);
        let mut fields = HeaderMap::new();
        for (name, value) in headers {
            let parsed = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(value.trim()),
            );
            let (Ok(field), Ok(value)) = parsed else {
                return Err(format!(
                    "the header {name} has a name or a value that HTTP forbids"
                ));
            };
            fields.insert(field, value);
        }
        Ok(UrlSource {
            template: template.clone(),
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| format!("method: `{method}` is no HTTP method"))?,
            headers: fields,
            path: settings.get("responsePath").cloned().unwrap_or_default(),
            timeout: time("timeout", 30)?,
            retries: number("maxRetries", 0, 3)?,
            backoff: time("retryBackoff", 1)?,
            gap: Duration::from_mins(1) / number("requestsPerMinuteLimit", 1, 300)?,
            burst: number("requestsBurst", 1, 10)?,
            due: Mutex::default(),
        })
    }

    /// Asks for a secret, again where that may help. No sample is made of it.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    pub async fn fetch(&self, client: &Client, key: &str) -> Result<String, String> {
        let target = Target::parse(&self.template.replace(KEY, key)).map_err(|error| error.to_string())?;
        let mut attempt = 0;
        loop {
            tokio::time::sleep(self.wait()).await;
            let mut request = Request::new(self.method.clone(), target.clone());
            request.headers.clone_from(&self.headers);
            request.timeout = self.timeout;
            request.jar = JarChoice::None;
            let answer = client.send(request, &mut |_| {}).await;
            let (error, again) = match self.taken(&answer) {
                Ok(secret) => return Ok(secret),
                Err(failed) => failed,
            };
            if !again || attempt == self.retries {
                return Err(format!("failed to get the secret `{key}`: {error}"));
            }
            attempt += 1;
            let pause = self.backoff.as_secs_f64().powf(f64::from(attempt));
            let pause = Duration::try_from_secs_f64(pause).unwrap_or(self.timeout);
            tokio::time::sleep(pause + Duration::from_millis(fastrand::u64(..1000))).await;
        }
    }

    /// The secret in an answer; or why there is none, and whether another request may have one.
    fn taken(&self, answer: &Response) -> Result<String, (String, bool)> {
        if let Some(error) = &answer.error {
            return Err((error.to_string(), true));
        }
        if answer.status != 200 {
            let busy = answer.status == StatusCode::TOO_MANY_REQUESTS.as_u16();
            return Err((format!("status {}", answer.status), busy || answer.status >= 500));
        }
        if answer.body.len() > LONGEST {
            return Err((format!("the answer is longer than {LONGEST} bytes"), false));
        }
        let text = String::from_utf8_lossy(&answer.body);
        if self.path.is_empty() {
            return Ok(text.into_owned());
        }
        if !gjson::valid(&text) {
            return Err(("the answer is no JSON".to_owned(), false));
        }
        let found = gjson::get(&text, &self.path);
        match found.kind() {
            gjson::Kind::String => Ok(found.str().to_owned()),
            _ => Err((format!("the answer has no text at `{}`", self.path), false)),
        }
    }

    /// How long the next request has to wait.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let free = due.map_or(now, |due| due.max(now));
        *due = Some(free + self.gap);
        free.saturating_duration_since(now + self.gap * (self.burst - 1))
    }
}

/// A setting of a file as text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&str]) -> Result<UrlSource, String> {
        let variables = [
            ("K6_SECRET_SOURCE_URL_URL_TEMPLATE", "http://h/env/{key}"),
            ("K6_SECRET_SOURCE_URL_HEADER_X_OWN", "v"),
            ("K6_SECRET_SOURCE_URL_MAX_RETRIES", "7"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        UrlSource::read(parts, &BTreeMap::from(variables))
    }

    #[test]
    fn settings_come_from_flags_files_and_variables() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.json");
        let text = r#"{"urlTemplate":"http://h/{key}","headers":{"Authorization":"Bearer a"},"timeout":"9s","maxRetries":1}"#;
        std::fs::write(&path, text).unwrap();
        let config = format!("config={}", path.display());
        let source = read(&[&config, "timeout=2s", "headers.X-More=b"]).unwrap();
        assert_eq!((source.timeout, source.retries), (Duration::from_secs(2), 1));
        assert_eq!(
            (&source.headers["authorization"], &source.headers["x-more"]),
            (
                &HeaderValue::from_static("Bearer a"),
                &HeaderValue::from_static("b")
            )
        );
        let source = read(&["env", "requestsPerMinuteLimit=60"]).unwrap();
        assert_eq!(source.template, "http://h/env/{key}");
        assert_eq!(
            (source.retries, source.headers.len(), source.gap),
            (7, 1, Duration::from_secs(1))
        );
        for (part, why) in [
            ("responsePath=a", "urlTemplate"),
            ("urlTemplate=http://h/", "{key}"),
            ("urlTemplate={key}", "urlTemplate"),
            ("urlTemplate=http://h/{key},x", "not understood"),
        ] {
            let parts: Vec<&str> = part.split(',').collect();
            assert!(read(&parts).unwrap_err().contains(why), "{part}");
        }
        for part in [
            "timeout=soon",
            "requestsBurst=0",
            "maxRetries=-1",
            "nope=1",
            "method=a b",
        ] {
            let name = part.split('=').next().unwrap();
            let error = read(&["urlTemplate=http://h/{key}", part]).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn what_is_asked_at_once_is_limited() {
        let source = read(&[
            "urlTemplate=http://h/{key}",
            "requestsPerMinuteLimit=60",
            "requestsBurst=3",
        ])
        .unwrap();
        let waits: Vec<u64> = (0..5)
            .map(|_| source.wait().as_secs_f64().round() as u64)
            .collect();
        assert_eq!(waits, [0, 0, 0, 1, 2]);
    }
}
