//! `loadgen hit`: one request again and again, without a script.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::exit::ExitCode;
use super::log;
use super::shared::{ResultArgs, execute};
use super::tunnel::TunnelFlags;
use crate::config::{RawOptions, Tier};
use crate::engine::UrlPlan;
use crate::net::Target;
use crate::output::Progress;
use crate::pace::parse_duration;
use crate::run::{Order, Subject};

const EXAMPLES: &str = "\
Examples:
  loadgen hit http://127.0.0.1:8080/                   50 virtual users for 10 seconds
  loadgen hit -r 500 -d 1m http://127.0.0.1:8080/      500 requests per second, whatever the answers take
  loadgen hit -n 10000 -u 100 http://127.0.0.1:8080/   10,000 requests
  loadgen hit -X POST -H 'Content-Type: application/json' -b '{\"a\":1}' http://127.0.0.1:8080/
  loadgen hit --threshold 'http_req_duration=p(95)<200' http://127.0.0.1:8080/";

/// As many as a scenario may have. What is out of bounds is refused by the name of its flag.
const MOST_VUS: i64 = 1_000_000;

/// Send the same request again and again, without a script
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct HitArgs {
    /// What to request
    #[arg(value_name = "URL")]
    url: String,

    /// The method
    #[arg(
        short = 'X',
        long,
        value_name = "METHOD",
        default_value = "GET",
        help_heading = "Request"
    )]
    method: String,
    /// Add a header (repeatable)
    #[arg(short = 'H', long, value_name = "NAME: VALUE", help_heading = "Request")]
    header: Vec<String>,
    /// The body: text, or @FILE
    #[arg(short, long, value_name = "TEXT|@FILE", help_heading = "Request")]
    body: Option<String>,
    /// How long a request may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration, help_heading = "Request")]
    timeout: Duration,
    /// Do not follow redirects
    #[arg(long, help_heading = "Request")]
    no_redirects: bool,
    /// Do not verify certificates
    #[arg(long, help_heading = "Request")]
    insecure_skip_tls_verify: bool,
    /// A new connection for each request
    #[arg(long, help_heading = "Request")]
    no_connection_reuse: bool,
    /// Statuses that count as success
    #[arg(
        long,
        value_name = "STATUSES",
        default_value = "200-399",
        help_heading = "Request"
    )]
    expect_status: String,

    /// Number of virtual users
    #[arg(short = 'u', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=MOST_VUS), help_heading = "Load")]
    vus: u32,
    /// Requests per second, whatever the answers take: virtual users are added up to --max-vus
    #[arg(short, long, value_name = "N", conflicts_with = "requests", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000), help_heading = "Load")]
    rate: Option<u32>,
    /// With --rate: virtual users at the most [default: ten times --vus]
    #[arg(long, value_name = "N", requires = "rate", value_parser = clap::value_parser!(u32).range(1..=MOST_VUS), help_heading = "Load")]
    max_vus: Option<u32>,
    /// How long the load lasts [default: 10s]
    #[arg(short, long, value_name = "DURATION", value_parser = load_duration, help_heading = "Load")]
    duration: Option<String>,
    /// Requests in total
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "rate", value_parser = clap::value_parser!(u64).range(1..=1 << 53), help_heading = "Load")]
    requests: Option<u64>,
    /// A threshold, as METRIC=CONDITION (repeatable)
    #[arg(long, value_name = "METRIC=CONDITION", help_heading = "Load")]
    threshold: Vec<String>,
    /// Columns of trends, such as avg,p(95),p(99.9),count
    #[arg(long, value_name = "STATS", help_heading = "Summary")]
    summary_trend_stats: Option<String>,

    #[command(flatten)]
    tunnel: TunnelFlags,
    #[command(flatten)]
    results: ResultArgs,
}

impl HitArgs {
    /// Runs it.
    pub fn execute(&self) -> ExitCode {
        execute(log::start(&self.results.log).and_then(|progress| self.order(progress)))
    }

    fn order(&self, progress: Progress) -> Result<Order, String> {
        let plan = self.plan()?;
        let mut order = self
            .results
            .order(Subject::Url(plan), &self.url, self.options()?, progress)?;
        self.tunnel.add_to(&mut order)?;
        Ok(order)
    }

    fn plan(&self) -> Result<UrlPlan, String> {
        Target::parse(&self.url).map_err(|error| format!("{}: {error}", self.url))?;
        let body = match self.body.as_deref() {
            None => Bytes::new(),
            Some(text) => match text.strip_prefix('@') {
                Some(path) => std::fs::read(path)
                    .map_err(|error| format!("--body @{path}: {error}"))?
                    .into(),
                None => Bytes::copy_from_slice(text.as_bytes()),
            },
        };
        let method = self.method.to_ascii_uppercase();
        Ok(UrlPlan {
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| format!("--method {}: no HTTP method", self.method))?,
            url: self.url.clone(),
            headers: headers(&self.header)?,
            body,
            timeout: self.timeout,
            max_redirects: if self.no_redirects { 0 } else { 10 },
            expected: statuses(&self.expect_status)?,
        })
    }

    /// The load as a scenario of the dialect, and the options that go with it.
    fn options(&self) -> Result<RawOptions, String> {
        let duration = self.duration.as_deref();
        let scenario = match (self.rate, self.requests) {
            (Some(rate), _) => json!({
                "executor": "constant-arrival-rate",
                "rate": rate,
                "duration": duration.unwrap_or("10s"),
                "preAllocatedVUs": self.vus,
                "maxVUs": self.max_vus.unwrap_or(self.vus * 10).clamp(self.vus, MOST_VUS as u32),
            }),
            (None, Some(requests)) => json!({
                "executor": "shared-iterations",
                "vus": u64::from(self.vus).min(requests),
                "iterations": requests,
                "maxDuration": duration.unwrap_or("1h"),
            }),
            (None, None) => json!({
                "executor": "constant-vus",
                "vus": self.vus,
                "duration": duration.unwrap_or("10s"),
            }),
        };
        let mut raw = RawOptions::new();
        let mut set = |name: &str, value: Value| raw.set(name, value, Tier::Flags);
        set("scenarios", json!({ "default": scenario }));
        for (name, given) in [
            ("insecureSkipTLSVerify", self.insecure_skip_tls_verify),
            ("noConnectionReuse", self.no_connection_reuse),
        ] {
            if given {
                set(name, true.into());
            }
        }
        if let Some(stats) = &self.summary_trend_stats {
            set("summaryTrendStats", stats.split(',').map(str::trim).collect());
        }
        let mut thresholds = Map::new();
        for text in &self.threshold {
            let (metric, condition) = text.split_once('=').ok_or_else(|| {
                format!("--threshold {text}: write METRIC=CONDITION, as http_req_duration=p(95)<200")
            })?;
            let conditions = thresholds.entry(metric.trim()).or_insert_with(|| json!([]));
            if let Value::Array(conditions) = conditions {
                conditions.push(condition.into());
            }
        }
        if !thresholds.is_empty() {
            set("thresholds", thresholds.into());
        }
        Ok(raw)
    }
}

/// What the dialect takes for a scenario's duration, as typed.
fn load_duration(text: &str) -> Result<String, String> {
    match parse_duration(text) {
        Ok(duration) if duration < Duration::from_secs(1) => Err("it must be at least 1s".to_owned()),
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn headers(given: &[String]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for text in given {
        let wrong = || format!("--header {text}: write NAME: VALUE");
        let (name, value) = text.split_once(':').ok_or_else(wrong)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
        headers.append(
            name,
            HeaderValue::from_bytes(value.trim().as_bytes()).map_err(|_| wrong())?,
        );
    }
    Ok(headers)
}

/// `200-399,404` as inclusive ranges.
fn statuses(text: &str) -> Result<Vec<(u16, u16)>, String> {
    let range = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        (low <= high).then_some((low, high))
    };
    let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
    ranges.ok_or_else(|| format!("--expect-status {text}: write statuses and ranges, as 200-399,404"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers_and_ranges() {
        assert_eq!(statuses("200-399, 404").unwrap(), [(200, 399), (404, 404)]);
        for wrong in ["", "x", "300-200", "200,", "1-2-3"] {
            assert!(statuses(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_have_a_name_and_a_value() {
        assert_eq!(headers(&["X-A:  b:c ".to_owned()]).unwrap()["x-a"], "b:c");
        for wrong in ["", "no colon", " : x", "a b: c"] {
            assert!(headers(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
