//! One scenario: an executor's fields checked and turned into a plan of load.
//!
//! Fields, defaults and rules are k6's (`lib/executor/*.go`).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::error::suggest;
use super::raw::stage_json;
use super::reader::{Node, all};
use crate::pace::{Arrivals, Budget, Plan, Staffing, Stage, StageError, format_duration};

/// One checked scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: String,
    /// The executor's name in the dialect, for instance `constant-vus`.
    pub executor: &'static str,
    pub plan: Plan,
    /// When it starts, counted from the start of the run.
    pub start: Duration,
    /// How long running iterations may take to end once no new ones start.
    pub graceful_stop: Duration,
    /// The exported function that an iteration calls.
    pub exec: String,
    pub env: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// As a script would write it, defaults filled in: what `k6/execution` and `inspect` show.
    pub options: Value,
}

/// The executors, each with the fields it has besides the common ones.
const EXECUTORS: [(&str, &[&str]); 7] = [
    ("shared-iterations", &["vus", "iterations", "maxDuration"]),
    ("per-vu-iterations", &["vus", "iterations", "maxDuration"]),
    ("constant-vus", &["vus", "duration"]),
    ("ramping-vus", &["startVUs", "stages", "gracefulRampDown"]),
    (
        "constant-arrival-rate",
        &["rate", "timeUnit", "duration", "preAllocatedVUs", "maxVUs"],
    ),
    (
        "ramping-arrival-rate",
        &["startRate", "timeUnit", "stages", "preAllocatedVUs", "maxVUs"],
    ),
    ("externally-controlled", &["vus", "maxVUs", "duration"]),
];

const COMMON: [&str; 7] = [
    "executor",
    "startTime",
    "gracefulStop",
    "env",
    "exec",
    "tags",
    "options",
];

/// More than this many VUs in one scenario is taken for a slip of the keyboard.
pub(super) const MOST_VUS: u64 = 1_000_000;
const MOST_ITERATIONS: u64 = 1 << 53;
const MOST_RATE: u64 = 1_000_000_000;

const SECOND: Duration = Duration::from_secs(1);
pub(super) const GRACEFUL_STOP: Duration = Duration::from_secs(30);
pub(super) const MAX_DURATION: Duration = Duration::from_mins(10);

type Fields<'a> = BTreeMap<&'a str, Node<'a>>;

/// Reads one member of `scenarios`. `None` after its faults were noted.
pub(super) fn read(name: &str, node: &Node) -> Option<Scenario> {
    let name_fits = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !name_fits {
        node.fault("is not a scenario name", "use letters, digits, _ and - only");
    }
    let every: Vec<&'static str> = EXECUTORS
        .iter()
        .flat_map(|(_, own)| own.iter().copied())
        .chain(COMMON)
        .collect();
    let members: Fields = node.spelled(&every)?;
    let Some(executor) = members.get("executor") else {
        node.missing(
            "executor",
            &format!(
                "choose one of {}",
                executor_names().collect::<Vec<_>>().join(", ")
            ),
        );
        return None;
    };
    let written = executor.text()?;
    let Some((executor, own)) = EXECUTORS.iter().find(|(known, _)| *known == written) else {
        executor.fault(
            format!("{written:?} is not an executor"),
            suggest(written, executor_names()),
        );
        return None;
    };
    for (field, member) in &members {
        if !COMMON.contains(field) && !own.contains(field) {
            member.fault(format!("is not a field of {executor}"), field_mend(field, own));
        }
    }

    let reader = Reader {
        node,
        fields: &members,
    };
    let start = reader.duration_or("startTime", Duration::ZERO, Duration::ZERO);
    let graceful_stop = reader.duration_or("gracefulStop", GRACEFUL_STOP, Duration::ZERO);
    let exec = reader
        .or("exec", "default".to_owned(), |n| n.text().map(str::to_owned))
        .and_then(|exec| {
            if exec.is_empty() {
                members["exec"].fault(
                    "is empty",
                    "name an exported function, or leave it out to call the default one",
                );
                return None;
            }
            Some(exec)
        });
    let env = reader.or("env", BTreeMap::new(), Node::dictionary);
    let tags = reader.or("tags", BTreeMap::new(), Node::dictionary);
    let plan = reader.plan(executor);

    let (plan, start, graceful_stop, exec, env, tags) = (plan?, start?, graceful_stop?, exec?, env?, tags?);
    let mut scenario = Scenario {
        name: name_fits.then(|| name.to_owned())?,
        executor,
        plan: plan.0,
        start,
        graceful_stop,
        exec,
        env,
        tags,
        options: Value::Null,
    };
    scenario.options = scenario.as_options(plan.1);
    Some(scenario)
}

fn executor_names() -> impl Iterator<Item = &'static str> + Clone {
    EXECUTORS.iter().map(|(name, _)| *name)
}

/// What to do about a field an executor does not have: a typo of one it has, or one that belongs to others.
fn field_mend(field: &str, own: &[&'static str]) -> String {
    let owners: Vec<&str> = EXECUTORS
        .iter()
        .filter(|(_, fields)| fields.contains(&field))
        .map(|(name, _)| *name)
        .collect();
    if owners.is_empty() {
        suggest(field, own.iter().chain(&COMMON).copied())
    } else {
        format!("it belongs to {}", owners.join(" and "))
    }
}

/// The fields of one scenario.
struct Reader<'a, 'n> {
    node: &'n Node<'a>,
    fields: &'n Fields<'a>,
}

impl<'a> Reader<'a, '_> {
    fn or<T>(&self, field: &str, default: T, read: impl FnOnce(&Node<'a>) -> Option<T>) -> Option<T> {
        self.fields.get(field).map_or(Some(default), read)
    }

    fn duration_or(&self, field: &str, default: Duration, least: Duration) -> Option<Duration> {
        self.or(field, default, |n| n.duration_of_at_least(least))
    }

    fn whole_or(&self, field: &str, default: u64, least: u64, most: u64) -> Option<u64> {
        self.or(field, default, |n| n.whole(least..=most))
    }

    fn required<T>(&self, field: &str, mend: &str, read: impl FnOnce(&Node<'a>) -> Option<T>) -> Option<T> {
        let Some(node) = self.fields.get(field) else {
            self.node.missing(field, mend);
            return None;
        };
        read(node)
    }

    fn duration(&self) -> Option<Duration> {
        self.required("duration", "say how long it runs, as in duration: '30s'", |n| {
            n.duration_of_at_least(SECOND)
        })
    }

    fn vus(&self) -> Option<u32> {
        self.whole_or("vus", 1, 1, MOST_VUS).map(|vus| vus as u32)
    }

    /// The executor's plan, and its own fields as options.
    fn plan(&self, executor: &str) -> Option<(Plan, Map<String, Value>)> {
        let (plan, fields) = match executor {
            "shared-iterations" | "per-vu-iterations" => self.iterations(executor == "shared-iterations")?,
            "constant-vus" => {
                let (vus, duration) = (self.vus(), self.duration());
                let (vus, duration) = (vus?, duration?);
                let staffing = Staffing::Constant { vus, duration };
                let fields = json!({ "vus": vus, "duration": format_duration(duration) });
                (
                    Plan::Closed {
                        staffing,
                        budget: Budget::Unlimited,
                    },
                    fields,
                )
            }
            "ramping-vus" => self.ramping_vus()?,
            "externally-controlled" => self.external()?,
            _ => self.arrivals(executor == "ramping-arrival-rate")?,
        };
        let Value::Object(fields) = fields else {
            return None;
        };
        Some((plan, fields))
    }

    fn iterations(&self, shared: bool) -> Option<(Plan, Value)> {
        let vus = self.vus();
        let iterations = self.whole_or("iterations", 1, 1, MOST_ITERATIONS);
        let duration = self.duration_or("maxDuration", MAX_DURATION, SECOND);
        let (vus, iterations, duration) = (vus?, iterations?, duration?);
        if shared && iterations < u64::from(vus) {
            self.node.fault(
                format!("{vus} VUs share {iterations} iterations, so some would have none"),
                "use at most as many VUs as iterations",
            );
            return None;
        }
        let budget = if shared {
            Budget::Shared(iterations)
        } else {
            Budget::PerVu(iterations)
        };
        let fields =
            json!({ "vus": vus, "iterations": iterations, "maxDuration": format_duration(duration) });
        Some((
            Plan::Closed {
                staffing: Staffing::Constant { vus, duration },
                budget,
            },
            fields,
        ))
    }

    fn ramping_vus(&self) -> Option<(Plan, Value)> {
        let start = self.whole_or("startVUs", 1, 0, MOST_VUS);
        let graceful = self.duration_or("gracefulRampDown", Duration::from_secs(30), Duration::ZERO);
        let stages = self.stages(MOST_VUS);
        let (start, graceful_ramp_down, stages) = (start? as u32, graceful?, stages?);
        if start == 0 && stages.iter().all(|stage| stage.target == 0) {
            self.node.fault(
                "no stage ever has a VU",
                "give startVUs or a stage's target more than 0",
            );
            return None;
        }
        let fields = json!({
            "startVUs": start,
            "stages": stages.iter().map(stage_json).collect::<Vec<_>>(),
            "gracefulRampDown": format_duration(graceful_ramp_down),
        });
        let staffing = Staffing::Ramping {
            start,
            stages,
            graceful_ramp_down,
        };
        Some((
            Plan::Closed {
                staffing,
                budget: Budget::Unlimited,
            },
            fields,
        ))
    }

    /// A number of virtual users that the REST API changes.
    fn external(&self) -> Option<(Plan, Value)> {
        let vus = self.whole_or("vus", 1, 0, MOST_VUS);
        let max = self.whole_or("maxVUs", vus.unwrap_or(0), 1, MOST_VUS);
        let duration = self.required(
            "duration",
            "say how long it runs; '0' is until somebody stops it",
            |n| n.duration_of_at_least(Duration::ZERO),
        );
        let (vus, max, duration) = (vus? as u32, max? as u32, duration?);
        if max < vus || max == 0 {
            let node = self.fields.get("maxVUs").unwrap_or(self.node);
            node.fault(
                format!("maxVUs is {max} and vus is {vus}"),
                "maxVUs must be at least 1 and no less than vus",
            );
            return None;
        }
        let fields = json!({ "vus": vus, "maxVUs": max, "duration": format_duration(duration) });
        let staffing = Staffing::External {
            start: vus,
            max,
            duration: (!duration.is_zero()).then_some(duration),
        };
        Some((
            Plan::Closed {
                staffing,
                budget: Budget::Unlimited,
            },
            fields,
        ))
    }

    fn arrivals(&self, ramping: bool) -> Option<(Plan, Value)> {
        let unit = self.duration_or("timeUnit", SECOND, Duration::from_nanos(1));
        let pre_allocated = self.required(
            "preAllocatedVUs",
            "say how many VUs to start with; rate × the time one iteration takes is a good guess",
            |n| n.whole(0..=MOST_VUS),
        );
        let max_vus = self.whole_or("maxVUs", pre_allocated.unwrap_or(0), 0, MOST_VUS);
        let load = if ramping {
            let start = self.whole_or("startRate", 0, 0, MOST_RATE);
            let stages = self.stages(MOST_RATE);
            start.zip(stages).zip(unit).map(|((start, stages), unit)| {
                let fields = json!({
                    "startRate": start,
                    "stages": stages.iter().map(stage_json).collect::<Vec<_>>(),
                });
                (Arrivals::ramping(start, unit, stages), fields)
            })
        } else {
            let rate = self.required("rate", "say how many iterations start per timeUnit", |n| {
                n.whole(1..=MOST_RATE)
            });
            let duration = self.duration();
            rate.zip(duration).zip(unit).map(|((rate, duration), unit)| {
                let fields = json!({ "rate": rate, "duration": format_duration(duration) });
                (Arrivals::constant(rate, unit, duration), fields)
            })
        };
        let (pre_allocated, max_vus) = (pre_allocated?, max_vus?);
        if max_vus < pre_allocated || max_vus == 0 {
            let node = self.fields.get("maxVUs").unwrap_or(self.node);
            node.fault(
                format!("maxVUs is {max_vus} and preAllocatedVUs is {pre_allocated}"),
                "maxVUs must be at least 1 and no less than preAllocatedVUs",
            );
            return None;
        }
        let (arrivals, mut fields) = load?;
        fields["timeUnit"] = json!(format_duration(unit?));
        fields["preAllocatedVUs"] = json!(pre_allocated);
        fields["maxVUs"] = json!(max_vus);
        Some((
            Plan::Open {
                arrivals,
                pre_allocated: pre_allocated as u32,
                max_vus: max_vus as u32,
            },
            fields,
        ))
    }

    fn stages(&self, most: u64) -> Option<Vec<Stage>> {
        self.required(
            "stages",
            "give at least one, as in [{ duration: '30s', target: 10 }]",
            |n| stages(n, most, true),
        )
    }
}

/// An array of `{ duration, target }`, at least one. As in the dialect more fields are faults in a scenario, and have no
/// effect in the shortcut.
pub(super) fn stages(node: &Node, most: u64, strict: bool) -> Option<Vec<Stage>> {
    let items = node.items()?;
    if items.is_empty() {
        node.fault(
            "has no stage",
            "give at least one, as in [{ duration: '30s', target: 10 }]",
        );
        return None;
    }
    let read = items.iter().map(|item| {
        if let Value::String(text) = item.value {
            // From a flag or a variable; what parses was made an object when it was read.
            return text
                .parse()
                .map_err(|error: StageError| item.fault(error.to_string(), ""))
                .ok();
        }
        let known = ["duration", "target"];
        let fields = if strict {
            item.strict_fields(&known)?
        } else {
            item.fields(&known)?
        };
        let duration = match fields.get("duration") {
            Some(duration) => duration.duration(),
            None => {
                item.missing("duration", "say how long the stage lasts");
                None
            }
        };
        let target = match fields.get("target") {
            Some(target) => target.whole(0..=most),
            None => {
                item.missing("target", "say what the stage reaches at its end");
                None
            }
        };
        duration
            .zip(target)
            .map(|(duration, target)| Stage { duration, target })
    });
    all(read)
}

impl Scenario {
    /// The latest moment, counted from the start of the run, at which an iteration of this scenario may still run.
    pub fn latest_end(&self) -> Duration {
        let grace = match &self.plan {
            // Every VU has been told to go by the end of the last stage.
            Plan::Closed {
                staffing:
                    Staffing::Ramping {
                        stages,
                        graceful_ramp_down,
                        ..
                    },
                ..
            } if stages.last().is_some_and(|stage| stage.target == 0) => {
                self.graceful_stop.min(*graceful_ramp_down)
            }
            _ => self.graceful_stop,
        };
        self.start
            .saturating_add(self.plan.duration())
            .saturating_add(grace)
    }

    fn as_options(&self, own: Map<String, Value>) -> Value {
        let mut options = Map::new();
        options.insert("executor".to_owned(), json!(self.executor));
        options.insert("startTime".to_owned(), json!(format_duration(self.start)));
        options.insert(
            "gracefulStop".to_owned(),
            json!(format_duration(self.graceful_stop)),
        );
        options.insert("env".to_owned(), json!(self.env));
        options.insert("exec".to_owned(), json!(self.exec));
        options.insert("tags".to_owned(), json!(self.tags));
        options.extend(own);
        Value::Object(options)
    }
}
