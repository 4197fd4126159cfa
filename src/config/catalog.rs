//! The options that exist, and how each is spelled in JSON, as an environment variable and as a flag.

/// How the text of an environment variable becomes the JSON value of its option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One value; the reader of the option takes it as text.
    Scalar,
    /// Comma-separated values.
    List,
    /// Comma-separated `duration:target`.
    Stages,
    /// JSON, or else comma-separated `name=value`.
    Pairs,
    /// JSON.
    Json,
}

/// One option of the dialect.
#[derive(Debug)]
pub(super) struct OptionDef {
    /// As in a script's `options` and in a JSON file.
    pub name: &'static str,
    /// After `K6_` and `LOADGEN_`; in kebab-case also the flag's name unless `flag` says otherwise.
    pub env: &'static str,
    pub flag: Option<&'static str>,
    pub form: Form,
}

impl OptionDef {
    /// The flag that sets this option, with its dashes.
    pub fn flag(&self) -> String {
        match self.flag {
            Some(flag) => format!("--{flag}"),
            None => format!("--{}", self.env.to_lowercase().replace('_', "-")),
        }
    }
}

const fn option(name: &'static str, env: &'static str, form: Form) -> OptionDef {
    OptionDef {
        name,
        env,
        flag: None,
        form,
    }
}

const fn flagged(name: &'static str, env: &'static str, flag: &'static str, form: Form) -> OptionDef {
    OptionDef {
        name,
        env,
        flag: Some(flag),
        form,
    }
}

/// Every option, in the order in which they are checked and shown.
pub(super) const OPTIONS: &[OptionDef] = &[
    option("vus", "VUS", Form::Scalar),
    option("duration", "DURATION", Form::Scalar),
    option("iterations", "ITERATIONS", Form::Scalar),
    flagged("stages", "STAGES", "stage", Form::Stages),
    option("scenarios", "SCENARIOS", Form::Json),
    option("executionSegment", "EXECUTION_SEGMENT", Form::Scalar),
    option(
        "executionSegmentSequence",
        "EXECUTION_SEGMENT_SEQUENCE",
        Form::Scalar,
    ),
    option("paused", "PAUSED", Form::Scalar),
    option("noSetup", "NO_SETUP", Form::Scalar),
    option("noTeardown", "NO_TEARDOWN", Form::Scalar),
    option("setupTimeout", "SETUP_TIMEOUT", Form::Scalar),
    option("teardownTimeout", "TEARDOWN_TIMEOUT", Form::Scalar),
    option("noVerify", "NO_VERIFY", Form::Scalar),
    option("verifyTimeout", "VERIFY_TIMEOUT", Form::Scalar),
    option("handleSummaryTimeout", "HANDLE_SUMMARY_TIMEOUT", Form::Scalar),
    option("minIterationDuration", "MIN_ITERATION_DURATION", Form::Scalar),
    option("throw", "THROW", Form::Scalar),
    option("rps", "RPS", Form::Scalar),
    option("batch", "BATCH", Form::Scalar),
    option("batchPerHost", "BATCH_PER_HOST", Form::Scalar),
    option("maxRedirects", "MAX_REDIRECTS", Form::Scalar),
    option("userAgent", "USER_AGENT", Form::Scalar),
    option("httpDebug", "HTTP_DEBUG", Form::Scalar),
    option("discardResponseBodies", "DISCARD_RESPONSE_BODIES", Form::Scalar),
    option("noConnectionReuse", "NO_CONNECTION_REUSE", Form::Scalar),
    option("noVUConnectionReuse", "NO_VU_CONNECTION_REUSE", Form::Scalar),
    option("noCookiesReset", "NO_COOKIES_RESET", Form::Scalar),
    option("insecureSkipTLSVerify", "INSECURE_SKIP_TLS_VERIFY", Form::Scalar),
    option("tlsVersion", "TLS_VERSION", Form::Scalar),
    option("tlsCipherSuites", "TLS_CIPHER_SUITES", Form::List),
    option("tlsAuth", "TLS_AUTH", Form::Json),
    option("dns", "DNS", Form::Scalar),
    option("hosts", "HOSTS", Form::Pairs),
    flagged("blacklistIPs", "BLACKLIST_IPS", "blacklist-ip", Form::List),
    option("blockHostnames", "BLOCK_HOSTNAMES", Form::List),
    option("localIPs", "LOCAL_IPS", Form::Scalar),
    flagged("tags", "TAGS", "tag", Form::Pairs),
    option("systemTags", "SYSTEM_TAGS", Form::List),
    flagged("thresholds", "THRESHOLDS", "threshold", Form::Json),
    option("summaryTrendStats", "SUMMARY_TREND_STATS", Form::List),
    option("summaryTimeUnit", "SUMMARY_TIME_UNIT", Form::Scalar),
    option("consoleOutput", "CONSOLE_OUTPUT", Form::Scalar),
];

/// Names that k6 knows and that have nothing to act on here, with the reason that a warning gives.
pub(super) const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("cloud", "it configures Grafana's hosted service"),
    ("ext", "it configures extensions and hosted services"),
    ("collectors", "outputs are chosen with --out"),
    ("linger", "it is the flag --linger"),
    ("metricSamplesBufferSize", "samples are not kept one by one"),
    ("noUsageReport", "no usage is ever reported"),
    ("webDashboard", "live figures are on /metrics"),
];

/// The loads: a tier that gives one of these replaces the whole load of earlier tiers.
pub(super) const LOADS: [&str; 4] = ["duration", "iterations", "stages", "scenarios"];

pub(super) fn find(name: &str) -> Option<&'static OptionDef> {
    OPTIONS.iter().find(|option| option.name == name)
}

/// A name as its table spells it. As in the dialect, whose options are read by Go's `encoding/json`, upper and lower
/// case are the same; what is in no table stays as it was written.
pub(super) fn spelled(written: &str, known: impl IntoIterator<Item = &'static str>) -> &str {
    known
        .into_iter()
        .find(|name| name.eq_ignore_ascii_case(written))
        .unwrap_or(written)
}

/// The names of all options.
pub fn option_names() -> impl Iterator<Item = &'static str> + Clone {
    OPTIONS.iter().map(|option| option.name)
}
