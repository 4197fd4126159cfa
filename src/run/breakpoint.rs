//! The search for the breaking point (`loadgen breakpoint`): the highest load at which the criteria still hold.
//!
//! One run with one `setup()`, one collector and one time axis, whose load is a sequence of steps. `search` decides which
//! load comes next, `mix` what carries it, `observe` watches it, `report::breakpoint` judges it. After a step that did not
//! hold, a light load waits until the target is as it was at the beginning. `docs/breakpoint.md` has the rules.

mod mix;
mod observe;
mod order;
mod search;
mod step;

use std::sync::PoisonError;

use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

pub use order::{BreakpointOrder, criterion};

use self::mix::{Crew, mix};
use self::observe::End;
use self::search::{Bounds, Next, Range, Search};
use super::Run;
use super::collect::Current;
use super::order::Ending;
use super::save::cores;
use crate::config::Scenario;
use crate::engine::{Control, Handle, Reason};
use crate::metrics::{Aggregation, Batch, Filter, Kind, ThresholdSpec};
use crate::output::{Breaking, LivePage, RunState};
use crate::remote::machine;
use crate::report::breakpoint::{By, header, row};
use crate::report::saved::{PROBE, SavedBreakpoint, SavedStep};

/// Why the search ended.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    /// Both ends are known and confirmed.
    Found,
    /// The highest load that may be tried holds.
    Held,
    /// The lowest does not.
    Never,
    /// The generator could not do more.
    Generator,
    /// Nobody answers any more.
    Dead,
    /// All of its time is used.
    Time,
    /// Something else ended the run.
    Stopped(Ending),
}

impl Outcome {
    fn as_str(&self) -> &'static str {
        match self {
            Outcome::Found => "found",
            Outcome::Held => "held",
            Outcome::Never => "never",
            Outcome::Generator => "generator",
            Outcome::Dead => "dead",
            Outcome::Time => "time",
            Outcome::Stopped(_) => "stopped",
        }
    }
}

/// What the target was like at the light load.
#[derive(Debug, Clone, Copy, Default)]
struct Base {
    /// The worst median latency of a second, in milliseconds.
    worst: f64,
    /// The share of requests that failed.
    errors: f64,
}

/// The search under way.
struct Seeker<'a> {
    run: &'a Run,
    order: &'a BreakpointOrder,
    page: &'a LivePage,
    batches: &'a Sender<Batch>,
    live: Current,
    /// What has to hold. Their metrics are the first of the measures, then come those of [`Measure`].
    criteria: Vec<ThresholdSpec>,
    measures: Vec<Filter>,
    search: Search,
    steps: Vec<SavedStep>,
    /// The load that is tried now, or was last.
    trying: Option<u64>,
    /// When all of its time is used.
    until: Instant,
    /// Cores that this process may use.
    cores: f64,
    base: Base,
    /// Seconds that an iteration takes, as of the last step.
    iteration: f64,
}

/// What is counted beside the criteria.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Iterations,
    Durations,
    Failures,
    IterationDurations,
}

/// In the order of [`Measure`].
const MEASURES: [&str; 4] = [
    "iterations",
    "http_req_duration",
    "http_req_failed",
    "iteration_duration",
];

/// The light load: one virtual user, in either way of counting.
pub(super) fn light(run: &Run) -> Vec<Scenario> {
    let crew = Crew { ready: 1, most: 1 };
    mix(&run.config.scenarios, By::Vus, 1, crew)
}

/// Seeks, from virtual users of the light load that begin to initialise to the end of `teardown()`.
pub(super) async fn seek(
    run: &Run,
    order: &BreakpointOrder,
    (first, control): (Handle, Control),
    (batches, page, live): (&Sender<Batch>, &LivePage, Current),
) -> Ending {
    let mut seeker = Seeker::new(run, order, (batches, page, live));
    let outcome = seeker.climb(first, control).await;
    seeker.keep(outcome.as_str());
    page.set_state(RunState::Teardown);
    let broken = matches!(outcome, Outcome::Stopped(Ending::Panic(_)));
    let torn_down = if broken || run.begun.at().is_zero() || run.control.hurried() {
        Ok(())
    } else {
        run.tear_down(batches).await
    };
    let ending = seeker.ending(outcome);
    match torn_down {
        Err(error) if ending == Ending::Passed => error,
        _ => ending,
    }
}

impl<'a> Seeker<'a> {
    fn new(
        run: &'a Run,
        order: &'a BreakpointOrder,
        (batches, page, live): (&'a Sender<Batch>, &'a LivePage, Current),
    ) -> Seeker<'a> {
        let criteria = judged(run);
        let measures = criteria.iter().map(|spec| spec.filter.clone());
        Seeker {
            measures: measures.chain(MEASURES.map(Filter::whole)).collect(),
            criteria,
            run,
            order,
            page,
            batches,
            live,
            search: Search::new(Range {
                start: order.start,
                most: order.most,
                precision: order.precision,
                confirmations: order.confirmations,
            }),
            steps: Vec::new(),
            trying: None,
            until: Instant::now() + order.max_duration,
            cores: cores(&machine()),
            base: Base::default(),
            iteration: 0.0,
        }
    }

    /// The place of a measure among all.
    fn place(&self, measure: Measure) -> usize {
        self.criteria.len() + measure as usize
    }

    /// From the light load to the answer.
    async fn climb(&mut self, mut first: Handle, control: Control) -> Outcome {
        self.say(&header(&self.saved("unfinished")));
        if let Err(end) = self.ready(&mut first, &control).await {
            let reason = self.finish(first, &control).await;
            return self.ended(end, reason);
        }
        if let Err(ending) = self.run.open(&first.live(), self.batches, self.page).await {
            self.finish(first, &control).await;
            return Outcome::Stopped(ending);
        }
        self.until = Instant::now() + self.order.max_duration;
        if let Err(outcome) = self.probe(first, &control).await {
            return outcome;
        }
        while let Next::Try(load, stage) = self.search.next() {
            self.trying = Some(load);
            self.keep("unfinished");
            match self.step(load, stage).await {
                Ok(seen) => self.search.saw(load, seen),
                Err(outcome) => return outcome,
            }
        }
        match self.search.bounds() {
            Bounds { generator: true, .. } => Outcome::Generator,
            Bounds { held: None, .. } => Outcome::Never,
            Bounds { broke: None, .. } => Outcome::Held,
            Bounds { .. } => Outcome::Found,
        }
    }

    /// What ended a step before its time, in the search's terms.
    fn ended(&self, end: End, reason: Option<Reason>) -> Outcome {
        match end {
            End::Time => Outcome::Time,
            End::Broken(reason) => Outcome::Stopped(reason.into()),
            End::Silent => Outcome::Dead,
            End::Stopped | End::Enough => {
                let reason = self
                    .run
                    .control
                    .reason()
                    .or(reason)
                    .filter(|reason| *reason != Reason::Over);
                Outcome::Stopped(reason.map_or(Ending::Signal, Ending::from))
            }
        }
    }

    /// A step is over: it is shown and kept.
    fn rung(&mut self, step: SavedStep) {
        let progress = &self.run.order.progress;
        let color = self.run.order.summary.color && progress.redraws();
        self.say(&row(&step, color));
        self.steps.push(step);
    }

    fn say(&self, text: &str) {
        self.run.order.progress.text(text);
    }

    /// Lets the file and the page know what is known.
    fn keep(&self, outcome: &str) {
        let bounds = self.search.bounds();
        self.page.publish_breaking(Breaking {
            trying: self.trying,
            held: bounds.held,
            broke: bounds.broke,
        });
        *self.run.ladder.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.saved(outcome));
    }

    /// The search as it is saved.
    fn saved(&self, outcome: &str) -> SavedBreakpoint {
        let bounds = self.search.bounds();
        let mut criteria: Vec<String> = self.criteria.iter().map(ToString::to_string).collect();
        if self.order.by == By::Rate {
            criteria.push(format!(
                "iterations: at least {:.0} % of those due end",
                step::KEPT_UP * 100.0
            ));
        }
        let held = self
            .steps
            .iter()
            .filter(|step| step.stage != PROBE && step.verdict == "held" && Some(step.load) == bounds.held);
        let mean = |of: &dyn Fn(&SavedStep) -> f64| {
            let (sum, count) = held
                .clone()
                .fold((0.0, 0.0), |(sum, count), step| (sum + of(step), count + 1.0));
            if count > 0.0 { sum / count } else { 0.0 }
        };
        SavedBreakpoint {
            by: self.order.by.as_str().to_owned(),
            criteria,
            outcome: outcome.to_owned(),
            held: bounds.held,
            times: bounds.times,
            broke: bounds.broke,
            rate: mean(&|step| step.rate),
            p95: mean(&|step| step.p95.map_or(0.0, |p95| p95.value)),
            steps: self.steps.clone(),
        }
    }

    /// How the run ends by it.
    fn ending(&self, outcome: Outcome) -> Ending {
        match outcome {
            Outcome::Found | Outcome::Held => Ending::Passed,
            Outcome::Never => Ending::Thresholds,
            Outcome::Generator => {
                let reasons = self.steps.iter().filter(|step| step.verdict == "invalid");
                let why = reasons.filter_map(|step| step.why.clone()).next_back();
                Ending::Invalid(why.unwrap_or_else(|| "the generator was short".to_owned()))
            }
            Outcome::Dead => Ending::Dead("no request got an answer any more".to_owned()),
            Outcome::Time => Ending::TimeUp(format!(
                "the breaking point was not found within {} s (--max-duration)",
                self.order.max_duration.as_secs()
            )),
            Outcome::Stopped(ending) => ending,
        }
    }
}

/// The thresholds of the run as criteria of a step. What counts for a whole run says nothing of a part of it.
fn judged(run: &Run) -> Vec<ThresholdSpec> {
    let counts = |spec: &ThresholdSpec| {
        let kind = run.registry.lookup(&spec.filter.metric);
        let counter = kind.is_some_and(|id| run.registry.definition(id).kind == Kind::Counter);
        counter && spec.expression.aggregation == Aggregation::Count
    };
    let mut list = Vec::new();
    for spec in &run.config.thresholds {
        if !counts(spec) {
            list.push(ThresholdSpec {
                over: None,
                ..spec.clone()
            });
            continue;
        }
        // One that always holds is there to have its metric in the summary.
        let always = [0.0, 1e15].iter().all(|count| spec.expression.holds(*count));
        if !always {
            tracing::warn!(
                "`{spec}` is left out: a step's count depends on how long it lasts; a rate, as in `{}: rate<1`, does not",
                spec.filter
            );
        }
    }
    list
}

impl Run {
    /// What the search has come to, if this is one.
    pub(super) fn ladder(&self) -> Option<SavedBreakpoint> {
        self.ladder.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
