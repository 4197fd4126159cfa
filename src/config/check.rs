//! From options as given to one checked configuration, or to everything that is wrong with them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::catalog::{self, OPTIONS, WITHOUT_EFFECT};
use super::error::{ConfigError, ConfigErrors, nearest, suggest};
use super::http::{self, HttpOptions};
use super::raw::{Given, RawOptions, Tier};
use super::reader::{Faults, Node, all};
use super::scenario::Scenario;
use super::summary::{TimeUnit, TrendStat};
use super::{shortcuts, thresholds};
use crate::metrics::threshold::{Filter, ThresholdSpec};
use crate::metrics::{Kind, SystemTag, SystemTags};
use crate::pace::{Segment, SegmentSequence, Share};

/// One checked configuration: everything a run needs to know, defaults filled in.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // Each is an option of the dialect.
pub struct Config {
    /// Sorted by start, then by name; at least one.
    pub scenarios: Vec<Scenario>,
    pub thresholds: Vec<ThresholdSpec>,
    /// Parts of metrics, and metrics, that a key of `thresholds` names without an expression: the summary has them.
    pub submetrics: Vec<Filter>,
    /// Which part of the load is this process's.
    pub segment: Share,
    /// The length of that part, 1.0 for the whole.
    pub segment_fraction: f64,
    pub setup_timeout: Duration,
    pub teardown_timeout: Duration,
    pub handle_summary_timeout: Duration,
    pub verify_timeout: Duration,
    pub no_setup: bool,
    pub no_teardown: bool,
    pub no_verify: bool,
    pub paused: bool,
    pub throw: bool,
    /// An iteration that ends sooner waits until this long after its start.
    pub min_iteration_duration: Duration,
    /// Requests per second of the whole process; `None` is no limit.
    pub rps: Option<u32>,
    pub http: HttpOptions,
    /// On every sample of the run.
    pub tags: BTreeMap<String, String>,
    pub system_tags: SystemTags,
    pub summary_trend_stats: Vec<TrendStat>,
    pub summary_time_unit: Option<TimeUnit>,
    /// Where `console.*` goes instead of the terminal.
    pub console_output: Option<PathBuf>,
    /// The options as a script would write them, scenarios and their defaults spelled out: what
    /// `exec.test.options` and `loadgen inspect` show.
    pub options: Value,
    /// What is odd but not wrong, to be shown once before the run.
    pub warnings: Vec<String>,
}

/// Checks the options and builds the configuration, or returns every fault there is.
///
/// `known_metrics` tells the kind of a metric that exists, built in or created by the script.
pub fn check(raw: &RawOptions, known_metrics: &dyn Fn(&str) -> Option<Kind>) -> Result<Config, ConfigErrors> {
    let faults = Faults::default();
    let mut warnings = raw.warnings().to_vec();
    let reader = Reader { raw, faults: &faults };
    reader.unknown_options(&mut warnings);

    let scenarios = shortcuts::scenarios(raw, &faults, &mut warnings);
    let (segment, segment_fraction) = reader.segment();
    let system_tags = reader.or("systemTags", SystemTags::default(), system_tags);
    let thresholds = reader
        .read("thresholds", |n| thresholds::read(n, known_metrics))
        .flatten()
        .unwrap_or_default();
    for filter in thresholds.named() {
        let off = filter
            .tags
            .iter()
            .find(|(key, _)| SystemTag::from_key(key).is_some_and(|tag| !system_tags.contains(tag)));
        if let Some((key, _)) = off {
            warnings.push(format!(
                "threshold {:?} filters by {key}, which systemTags leaves out: no sample will match",
                filter.to_string()
            ));
        }
    }
    let seconds = |name: &str, default: u64| reader.or(name, Duration::from_secs(default), Node::duration);
    let flag = |name: &str| reader.or(name, false, Node::boolean);
    let mut config = Config {
        thresholds: thresholds.specs,
        submetrics: thresholds.submetrics,
        segment,
        segment_fraction,
        setup_timeout: seconds("setupTimeout", 60),
        teardown_timeout: seconds("teardownTimeout", 60),
        handle_summary_timeout: seconds("handleSummaryTimeout", 120),
        verify_timeout: seconds("verifyTimeout", 60),
        no_setup: flag("noSetup"),
        no_teardown: flag("noTeardown"),
        no_verify: flag("noVerify"),
        paused: flag("paused"),
        throw: flag("throw"),
        min_iteration_duration: seconds("minIterationDuration", 0),
        rps: reader
            .read("rps", |n| n.whole(0..=u64::from(u32::MAX)))
            .flatten()
            .filter(|n| *n > 0)
            .map(|n| n as u32),
        http: http::read(&reader, &mut warnings),
        tags: reader.or("tags", BTreeMap::new(), tags),
        system_tags,
        summary_trend_stats: reader.or("summaryTrendStats", TrendStat::DEFAULT.to_vec(), trend_stats),
        summary_time_unit: reader.read("summaryTimeUnit", time_unit).flatten(),
        console_output: reader.or("consoleOutput", None, |n| n.text().map(|path| Some(path.into()))),
        options: consolidated(raw, &scenarios),
        scenarios,
        warnings,
    };
    config.warnings.extend(faults.take_warnings());
    let faults = faults.into_vec();
    if faults.is_empty() {
        Ok(config)
    } else {
        Err(ConfigErrors(faults))
    }
}

/// Reads options by name.
pub(super) struct Reader<'a> {
    pub raw: &'a RawOptions,
    pub faults: &'a Faults,
}

impl<'a> Reader<'a> {
    pub fn node(&self, name: &str) -> Option<Node<'a>> {
        self.raw.get(name).map(|given| Node::root(given, self.faults))
    }

    /// `None` when the option is not given, `Some(None)` when it is at fault.
    #[allow(clippy::option_option)] // Not given and given wrongly are different things.
    pub fn read<T>(&self, name: &str, read: impl FnOnce(&Node<'a>) -> Option<T>) -> Option<Option<T>> {
        self.node(name).map(|node| read(&node))
    }

    /// The option, or its default when it is not given (or at fault, which then fails the whole check).
    pub fn or<T>(&self, name: &str, default: T, read: impl FnOnce(&Node<'a>) -> Option<T>) -> T {
        self.read(name, read).flatten().unwrap_or(default)
    }

    fn unknown_options(&self, warnings: &mut Vec<String>) {
        for (name, given) in self.raw.iter() {
            if catalog::find(name).is_some() {
                continue;
            }
            match WITHOUT_EFFECT.iter().find(|(known, _)| *known == name) {
                Some((_, why)) => warnings.push(format!("{} has no effect here: {why}", given.label)),
                None => self.unknown_option(name, given),
            }
        }
    }

    /// As in the dialect, a script may export more than options: what is none has no effect, even what is nearly one. In a
    /// file of `--config`, which holds nothing else, it is a fault.
    fn unknown_option(&self, name: &str, given: &'a Given) {
        let known = OPTIONS.iter().map(|option| option.name);
        let node = Node::root(given, self.faults);
        if given.tier == Tier::Script {
            node.no_effect("it is not an option", nearest(name, known));
        } else {
            node.fault("is not an option", suggest(name, known));
        }
    }

    fn segment(&self) -> (Share, f64) {
        let sequence = self.or("executionSegmentSequence", None, |n| {
            let parsed = n.text()?.parse::<SegmentSequence>();
            parsed
                .map_err(|error| n.fault(error.to_string(), ""))
                .ok()
                .map(Some)
        });
        let segment = self.or("executionSegment", Segment::WHOLE, |n| {
            let text = n.scalar()?;
            text.parse::<Segment>()
                .map_err(|error| n.fault(error.to_string(), ""))
                .ok()
        });
        let share = Share::new(&segment, sequence.as_ref()).unwrap_or_else(|error| {
            if let Some(node) = self
                .node("executionSegment")
                .or_else(|| self.node("executionSegmentSequence"))
            {
                node.fault(error.to_string(), "");
            }
            Share::whole()
        });
        (share, segment.fraction())
    }
}

fn system_tags(node: &Node) -> Option<SystemTags> {
    let names = node.texts()?;
    SystemTags::parse(names.iter().map(|(_, name)| *name))
        .map_err(|error| node.fault(error.to_string(), ""))
        .ok()
}

fn tags(node: &Node) -> Option<BTreeMap<String, String>> {
    if let Some(text) = node.value.as_str() {
        node.fault(format!("{text:?} is not a tag"), "write it as name=value");
        return None;
    }
    let tags = node.dictionary()?;
    if tags.contains_key("") {
        node.fault("has a tag without a name", "write it as name=value");
        return None;
    }
    Some(tags)
}

fn trend_stats(node: &Node) -> Option<Vec<TrendStat>> {
    let read = |(item, text): (Node, &str)| {
        let stat = text.parse();
        if stat.is_err() {
            item.fault(
                format!("{text:?} is not a statistic"),
                "use avg, min, med, max, count or p(0-100)",
            );
        }
        stat.ok()
    };
    all(node.texts()?.into_iter().map(read))
}

/// `None` also for empty text, which is no fault.
fn time_unit(node: &Node) -> Option<TimeUnit> {
    let text = node.text()?;
    if text.is_empty() {
        return None;
    }
    let unit = text.parse();
    if unit.is_err() {
        node.fault(format!("{text:?} is not a unit of time"), "use s, ms or us");
    }
    unit.ok()
}

/// What was given, with the shortcuts replaced by the scenarios they stand for.
fn consolidated(raw: &RawOptions, scenarios: &[Scenario]) -> Value {
    let mut options = Map::new();
    let all = scenarios
        .iter()
        .map(|scenario| (scenario.name.clone(), scenario.options.clone()));
    options.insert("scenarios".to_owned(), Value::Object(all.collect()));
    for option in OPTIONS {
        let replaced = option.name == "vus" || catalog::LOADS.contains(&option.name);
        if let Some(given) = raw.get(option.name).filter(|_| !replaced) {
            // A client's private key is nobody's business downstream.
            let value = if option.name == "tlsAuth" {
                json!("(given)")
            } else {
                given.value.clone()
            };
            options.insert(option.name.to_owned(), value);
        }
    }
    Value::Object(options)
}

impl Config {
    /// The most VUs that can be there at once, of the whole load: scenarios that cannot overlap do not add up.
    pub fn max_vus(&self) -> u64 {
        self.vus_of(&Share::whole())
    }

    /// The same for this process's part.
    pub fn max_vus_here(&self) -> u64 {
        self.vus_of(&self.segment)
    }

    fn vus_of(&self, share: &Share) -> u64 {
        // The sum can only peak where a scenario starts.
        let at = |moment: Duration| {
            let there = self
                .scenarios
                .iter()
                .filter(|s| s.start <= moment && moment < s.latest_end());
            there
                .map(|s| share.count(u64::from(s.plan.max_vus())))
                .sum::<u64>()
        };
        self.scenarios
            .iter()
            .map(|scenario| at(scenario.start))
            .max()
            .unwrap_or(0)
    }

    /// From the start to where the last scenario's grace is over.
    pub fn max_duration(&self) -> Duration {
        self.scenarios
            .iter()
            .map(Scenario::latest_end)
            .max()
            .unwrap_or_default()
    }

    /// The faults of scenarios whose `exec` is not among the functions that the script exports.
    pub fn check_exports(&self, exported: &[String]) -> Result<(), ConfigErrors> {
        let missing = self
            .scenarios
            .iter()
            .filter(|scenario| !exported.contains(&scenario.exec));
        let faults: Vec<ConfigError> = missing
            .map(|scenario| ConfigError {
                tier: super::raw::Tier::Script,
                path: format!("options.scenarios.{}.exec", scenario.name),
                problem: format!("the script exports no function {:?}", scenario.exec),
                mend: match exported {
                    [] => "export a default function".to_owned(),
                    _ => suggest(&scenario.exec, exported.iter().map(String::as_str)),
                },
            })
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors(faults))
        }
    }
}
