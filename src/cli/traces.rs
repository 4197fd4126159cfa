//! Traces, and metrics that go the same way: what `run`, `hit` and `suite` are told about them.

use std::ffi::OsString;

use clap::Args;

use crate::config::Settings;
use crate::metrics::TracePlan;
use crate::output::{OtlpMetrics, OtlpSpec};
use crate::run::TraceOrder;

/// Whether requests are traced, and where their spans go.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceArgs {
    /// Export a trace of each iteration, with a span of each request, over OTLP: gRPC to port 4317, HTTP to others. Without an
    /// endpoint, and for all else, the variables OTEL_EXPORTER_OTLP_* count [default: http://127.0.0.1:4317]
    #[arg(long, value_name = "ENDPOINT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub otlp: Option<String>,
    /// Push the metrics over OTLP, every 5 s. Without an endpoint to where OTEL_EXPORTER_OTLP_METRICS_ENDPOINT says, or where
    /// --otlp sends traces
    #[arg(long, value_name = "ENDPOINT", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = "Output")]
    pub otlp_metrics: Option<String>,
    /// Send the W3C header traceparent with each request, also without --otlp; one that the script sets wins
    #[arg(long)]
    pub traceparent: bool,
    /// Share of the traces that is kept; failed requests and the slowest of each second are kept besides [default: 1]
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub trace_sample: Option<f64>,
    /// Spans a second that --trace-sample may keep, 0 for any number [default: 10000]
    #[arg(long, value_name = "N")]
    pub trace_limit: Option<u32>,
}

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("it must be a number from 0 to 1".to_owned()),
    }
}

/// A flag's endpoint, or the setting's; empty for the usual one. As a variable, `true` stands for the flag without an endpoint.
fn endpoint<'a>(flag: Option<&'a String>, settings: &'a Settings, setting: &str) -> Option<&'a str> {
    if let Some(flag) = flag {
        return Some(flag);
    }
    match settings.get(setting) {
        Some("false" | "0") | None => None,
        Some("true" | "1") => Some(""),
        endpoint => endpoint,
    }
}

impl TraceArgs {
    /// What a run does, or what is wrong with it.
    pub fn order(
        &self,
        settings: &Settings,
        variables: &[(String, String)],
    ) -> Result<Option<TraceOrder>, String> {
        let on = |setting: &str| matches!(settings.get(setting), Some("true" | "1"));
        let otlp = match endpoint(self.otlp.as_ref(), settings, "OTLP") {
            Some(endpoint) => {
                let endpoint = Some(endpoint).filter(|endpoint| !endpoint.is_empty());
                Some(OtlpSpec::new(endpoint, variables).map_err(|error| error.to_string())?)
            }
            None => None,
        };
        if otlp.is_none() && !self.traceparent && !on("TRACEPARENT") {
            return Ok(None);
        }
        let default = TracePlan::default();
        let sample = match settings.get("TRACE_SAMPLE") {
            Some(text) => Some(ratio(text).map_err(|error| format!("TRACE_SAMPLE={text}: {error}"))?),
            None => None,
        };
        let limit = match settings.get("TRACE_LIMIT") {
            Some(text) => Some(
                text.parse()
                    .map_err(|_| format!("TRACE_LIMIT={text}: it must be a whole number"))?,
            ),
            None => None,
        };
        Ok(Some(TraceOrder {
            plan: TracePlan {
                ratio: self.trace_sample.or(sample).unwrap_or(default.ratio),
                limit: self.trace_limit.or(limit).unwrap_or(default.limit),
            },
            otlp,
        }))
    }

    /// Where metrics go, or what is wrong with that.
    pub fn metrics(
        &self,
        settings: &Settings,
        variables: &[(String, String)],
    ) -> Result<Option<OtlpMetrics>, String> {
        let Some(own) = endpoint(self.otlp_metrics.as_ref(), settings, "OTLP_METRICS") else {
            return Ok(None);
        };
        let given = |endpoint: &&str| !endpoint.is_empty();
        let traces = endpoint(self.otlp.as_ref(), settings, "OTLP").filter(given);
        let metrics = OtlpMetrics::new(Some(own).filter(given), traces, variables);
        metrics.map(Some).map_err(|error| error.to_string())
    }

    /// The same as arguments, for a run of its own.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        for (flag, endpoint) in [("--otlp", &self.otlp), ("--otlp-metrics", &self.otlp_metrics)] {
            match endpoint.as_deref() {
                None => {}
                Some("") => arguments.push(flag.to_owned()),
                Some(endpoint) => arguments.push(format!("{flag}={endpoint}")),
            }
        }
        if self.traceparent {
            arguments.push("--traceparent".to_owned());
        }
        if let Some(ratio) = self.trace_sample {
            arguments.push(format!("--trace-sample={ratio}"));
        }
        if let Some(limit) = self.trace_limit {
            arguments.push(format!("--trace-limit={limit}"));
        }
        arguments.into_iter().map(OsString::from).collect()
    }
}
