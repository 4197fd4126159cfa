//! The flags that are options of the dialect: what a script's `options` could say too.

use clap::Args;
use serde_json::{Map, Value};

use crate::config::{RawOptions, Tier, stage};

/// Options of the dialect as flags. What they mean is checked together with the script's options, so values are
/// handed on as typed.
#[derive(Clone, Debug, Default, Args)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag of the dialect.
pub struct OptionArgs {
    /// Number of virtual users
    #[arg(short = 'u', long, value_name = "N", help_heading = "Load")]
    vus: Option<String>,
    /// How long the test lasts, such as 30s or 1m30s
    #[arg(short, long, value_name = "DURATION", help_heading = "Load")]
    duration: Option<String>,
    /// Iterations in total, among all virtual users
    #[arg(short, long, value_name = "N", help_heading = "Load")]
    iterations: Option<String>,
    /// Add a stage: ramp to TARGET virtual users within DURATION (repeatable)
    #[arg(short, long, value_name = "DURATION:TARGET", help_heading = "Load")]
    stage: Vec<String>,
    /// Run only this part of the test, such as 10%, 1/3 or 0.2:2/3
    #[arg(long, value_name = "SEGMENT", help_heading = "Load")]
    execution_segment: Option<String>,
    /// All parts that the test is divided into, such as 0,1/3,2/3,1
    #[arg(long, value_name = "SEQUENCE", help_heading = "Load")]
    execution_segment_sequence: Option<String>,
    /// Least time from the start of an iteration to the next of the same virtual user
    #[arg(long, value_name = "DURATION", help_heading = "Load")]
    min_iteration_duration: Option<String>,
    /// Requests per second at the most, in total
    #[arg(long, value_name = "N", help_heading = "Load")]
    rps: Option<String>,
    /// Begin paused: nothing is sent until somebody resumes it over the REST API (see --address)
    #[arg(short, long, help_heading = "Load")]
    paused: bool,
    /// Do not run setup()
    #[arg(long, help_heading = "Load")]
    no_setup: bool,
    /// Do not run teardown()
    #[arg(long, help_heading = "Load")]
    no_teardown: bool,
    /// Do not run verify()
    #[arg(long, help_heading = "Load")]
    no_verify: bool,

    /// Follow at most N redirects
    #[arg(long, value_name = "N", help_heading = "Requests")]
    max_redirects: Option<String>,
    /// Parallel requests of one http.batch()
    #[arg(long, value_name = "N", help_heading = "Requests")]
    batch: Option<String>,
    /// Of those, to one host
    #[arg(long, value_name = "N", help_heading = "Requests")]
    batch_per_host: Option<String>,
    /// The User-Agent header
    #[arg(long, value_name = "TEXT", help_heading = "Requests")]
    user_agent: Option<String>,
    /// Do not verify certificates
    #[arg(long, help_heading = "Requests")]
    insecure_skip_tls_verify: bool,
    /// A new connection for each request
    #[arg(long, help_heading = "Requests")]
    no_connection_reuse: bool,
    /// New connections for each iteration
    #[arg(long, help_heading = "Requests")]
    no_vu_connection_reuse: bool,
    /// Read response bodies and drop them
    #[arg(long, help_heading = "Requests")]
    discard_response_bodies: bool,
    /// Failed requests throw instead of returning a response with an error
    #[arg(short = 'w', long, help_heading = "Requests")]
    throw: bool,
    /// Addresses that must not be connected to, as CIDR (repeatable)
    #[arg(long, value_name = "RANGE", help_heading = "Requests")]
    blacklist_ip: Vec<String>,
    /// Hosts that must not be requested; a leading * is a wildcard (repeatable)
    #[arg(long, value_name = "PATTERN", help_heading = "Requests")]
    block_hostnames: Vec<String>,
    /// Local addresses to connect from, in turn
    #[arg(long, value_name = "RANGES", help_heading = "Requests")]
    local_ips: Option<String>,
    /// Name resolution, as ttl=5m,select=random,policy=preferIPv4
    #[arg(long, value_name = "SETTINGS", help_heading = "Requests")]
    dns: Option<String>,

    /// Log requests and responses, with "full" also their bodies
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "headers", help_heading = "Requests")]
    http_debug: Option<String>,
    /// The script's console goes to this file
    #[arg(long, value_name = "FILE", help_heading = "Messages")]
    console_output: Option<String>,

    /// Add a tag to every sample (repeatable)
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Output")]
    tag: Vec<String>,
    /// Only these system tags
    #[arg(long, value_name = "TAGS", help_heading = "Output")]
    system_tags: Option<String>,

    /// Columns of trends, such as avg,p(95),p(99.9),count
    #[arg(long, value_name = "STATS", help_heading = "Summary")]
    summary_trend_stats: Option<String>,
    /// One unit for all times: s, ms or us
    #[arg(long, value_name = "UNIT", help_heading = "Summary")]
    summary_time_unit: Option<String>,
}

impl OptionArgs {
    /// The options that were given.
    pub fn raw(&self) -> RawOptions {
        let mut raw = RawOptions::new();
        let mut set = |name: &str, value: Value| raw.set(name, value, Tier::Flags);
        for (name, value) in [
            ("vus", &self.vus),
            ("duration", &self.duration),
            ("iterations", &self.iterations),
            ("executionSegment", &self.execution_segment),
            ("executionSegmentSequence", &self.execution_segment_sequence),
            ("minIterationDuration", &self.min_iteration_duration),
            ("rps", &self.rps),
            ("maxRedirects", &self.max_redirects),
            ("batch", &self.batch),
            ("batchPerHost", &self.batch_per_host),
            ("userAgent", &self.user_agent),
            ("localIPs", &self.local_ips),
            ("dns", &self.dns),
            ("summaryTimeUnit", &self.summary_time_unit),
            ("httpDebug", &self.http_debug),
            ("consoleOutput", &self.console_output),
        ] {
            if let Some(value) = value {
                set(name, value.as_str().into());
            }
        }
        for (name, given) in [
            ("paused", self.paused),
            ("noSetup", self.no_setup),
            ("noTeardown", self.no_teardown),
            ("noVerify", self.no_verify),
            ("insecureSkipTLSVerify", self.insecure_skip_tls_verify),
            ("noConnectionReuse", self.no_connection_reuse),
            ("noVUConnectionReuse", self.no_vu_connection_reuse),
            ("discardResponseBodies", self.discard_response_bodies),
            ("throw", self.throw),
        ] {
            if given {
                set(name, true.into());
            }
        }
        for (name, list) in [
            ("summaryTrendStats", &self.summary_trend_stats),
            ("systemTags", &self.system_tags),
        ] {
            if let Some(list) = list {
                set(
                    name,
                    list.split(',')
                        .map(str::trim)
                        .filter(|part| !part.is_empty())
                        .collect(),
                );
            }
        }
        for (name, list) in [
            ("blacklistIPs", &self.blacklist_ip),
            ("blockHostnames", &self.block_hostnames),
        ] {
            if !list.is_empty() {
                set(name, list.iter().flat_map(|item| item.split(',')).collect());
            }
        }
        if !self.stage.is_empty() {
            let stages = self.stage.iter().flat_map(|text| text.split(','));
            set("stages", stages.map(|text| stage(text.trim())).collect());
        }
        if !self.tag.is_empty() {
            // Text without a value stays text, for the check to report.
            let pairs: Option<Map<String, Value>> = self
                .tag
                .iter()
                .map(|tag| {
                    tag.split_once('=')
                        .map(|(name, value)| (name.to_owned(), value.into()))
                })
                .collect();
            set(
                "tags",
                pairs.map_or_else(|| self.tag.join(",").into(), Value::Object),
            );
        }
        raw
    }
}
