//! One step of the search: a load is tried, judged, and the target given time to come to itself.

use std::time::{Duration, Instant};

use super::mix::{Crew, mix};
use super::observe::{End, Observed};
use super::search::{Seen, Stage};
use super::{Base, Measure, Outcome, Seeker, light};
use crate::config::Scenario;
use crate::engine::{Control, Handle};
use crate::metrics::threshold::{Expression, Op};
use crate::metrics::{Aggregation, Filter, ThresholdSpec, Value};
use crate::report::Verdict;
use crate::report::breakpoint::{By, Call, Judgement, Rule, Second, Tape, judge};
use crate::report::saved::{PROBE, SavedBounds, SavedRecovery, SavedStep};

use super::super::order::Ending;

/// By rate, this share of the iterations that are due has to end in time: if it does not, work piles up.
pub const KEPT_UP: f64 = 0.98;
/// The search looks again when a step has lasted this much longer; with some ten looks at the nominal level of 1 % the
/// verdict is wrong in 5 % at the most (Pocock 1977).
const LOOKS: f64 = 0.25;
/// Standard deviations to either side: 99 %, and while the load is doubled 90 %, for what it says is looked at again.
const SURE: f64 = 2.576;
const ROUGH: f64 = 1.645;
/// Of what is shown: 95 %.
const SHOWN: f64 = 1.96;
/// While the load is doubled a step takes this part of the longest time at the most.
const ROUGH_PART: f64 = 1.0 / 3.0;
/// A step measures this many times as long as an iteration takes.
const ITERATIONS: f64 = 4.0;
/// A step that confirms goes on until the bounds of p95 are within this share of it (or for half of its longest time).
const P95_WITHIN: f64 = 0.1;
/// Back is within a quarter of the worst second of the beginning, and a millisecond.
const BACK: (f64, f64) = (1.25, 1.0);
/// So many calm seconds in a row, or so many without any answer.
const IN_A_ROW: usize = 2;
const DEAD_AFTER: usize = 3;
/// By rate, virtual users that are ready: so many times as many as the last step needed.
const SPARE: f64 = 1.5;
const FEWEST_READY: f64 = 10.0;

impl Seeker<'_> {
    /// The light load at the beginning: what the target is like when nothing presses it.
    pub(super) async fn probe(&mut self, first: Handle, control: &Control) -> Result<(), Outcome> {
        let (least, most) = self.order.step;
        let done = self.place(Measure::Iterations);
        let observed = self
            .observe(first, control, DEAD_AFTER, |tape| {
                let warm_up = tape.warm_up();
                let measured = tape.measured(warm_up);
                let ended = tape.gained(done, warm_up, tape.seconds.len());
                let enough = matches!(ended, Some(Value::Counter { total }) if total >= ITERATIONS);
                measured >= most.as_secs_f64() || (enough && measured >= least.as_secs_f64())
            })
            .await;
        let warm_up = observed.tape.warm_up();
        let mut step = self.row(PROBE, 1, &observed, warm_up);
        "base".clone_into(&mut step.verdict);
        if observed.end != End::Enough {
            "stopped".clone_into(&mut step.verdict);
            self.rung(step);
            return Err(self.ended(observed.end, None));
        }
        let measured = &observed.tape.seconds[warm_up..];
        self.base = Base {
            worst: measured
                .iter()
                .map(|second| second.window.p50)
                .fold(0.0, f64::max),
            errors: step.errors.map_or(0.0, |errors| errors.value),
        };
        self.learn(&observed.tape, warm_up);
        self.rung(step);
        Ok(())
    }

    /// Tries a load.
    pub(super) async fn step(&mut self, load: u64, stage: Stage) -> Result<Seen, Outcome> {
        let by = self.order.by;
        let ready = (load as f64 * self.iteration * SPARE).ceil().max(FEWEST_READY);
        let crew = Crew {
            ready: (ready as u32).min(self.order.max_vus),
            most: self.order.max_vus,
        };
        let criteria = self.criteria_of(load);
        let rule = self.rule(stage);
        let observed = {
            let scenarios = mix(&self.run.config.scenarios, by, load, crew);
            let looks = std::cell::Cell::new(0_usize);
            let durations = self.place(Measure::Durations);
            let enough = |tape: &Tape| {
                let n = tape.seconds.len();
                if n < looks.get() + ((looks.get() as f64 * LOOKS) as usize).max(1) {
                    return false;
                }
                looks.set(n);
                let judgement = judge(tape, &criteria, &rule);
                let measured = tape.measured(judgement.warm_up);
                match judgement.call {
                    _ if measured >= rule.most => true,
                    Call::Open => false,
                    Call::Breaks => true,
                    Call::Holds => {
                        stage != Stage::Confirm
                            || measured >= rule.most / 2.0
                            || is_narrow(tape, durations, judgement.warm_up)
                    }
                }
            };
            self.carry(scenarios, 1, enough).await?
        };
        let judgement = judge(&observed.tape, &criteria, &rule);
        let mut step = self.row(stage.as_str(), load, &observed, judgement.warm_up);
        let seen = match &observed.end {
            End::Enough | End::Silent => self.verdict(&observed, &judgement, &criteria, &mut step),
            end => {
                "stopped".clone_into(&mut step.verdict);
                let outcome = self.ended(end.clone(), None);
                self.rung(step);
                return Err(outcome);
            }
        };
        if seen == Seen::Held {
            self.learn(&observed.tape, judgement.warm_up);
        } else {
            let recovered = self.recover().await;
            if let Ok(recovery) = &recovered {
                step.recovery = Some(*recovery);
            }
            if let Err(outcome) = recovered {
                // What was seen of this load counts all the same.
                self.search.saw(load, seen);
                self.rung(step);
                return Err(outcome);
            }
        }
        self.rung(step);
        Ok(seen)
    }

    /// Runs scenarios until enough is known of them.
    async fn carry(
        &self,
        scenarios: Vec<Scenario>,
        patience: usize,
        enough: impl FnMut(&Tape) -> bool,
    ) -> Result<Observed, Outcome> {
        let control = Control::new();
        let launched = self.run.launch(scenarios, &control, self.batches.clone());
        let mut handle = launched.map_err(|error| Outcome::Stopped(Ending::Panic(error.to_string())))?;
        self.live.set(handle.live());
        if let Err(end) = self.ready(&mut handle, &control).await {
            let reason = self.finish(handle, &control).await;
            return Err(self.ended(end, reason));
        }
        self.run.tunnels.warm(handle.live().vus_max()).await;
        Ok(self.observe(handle, &control, patience, enough).await)
    }

    /// What has to hold at this load: the criteria, and by rate that the target keeps up with it.
    fn criteria_of(&self, load: u64) -> Vec<ThresholdSpec> {
        let mut criteria = self.criteria.clone();
        if self.order.by == By::Rate {
            let bound = load as f64 * KEPT_UP;
            criteria.push(ThresholdSpec {
                filter: Filter::whole("iterations"),
                expression: Expression {
                    aggregation: Aggregation::Rate,
                    op: Op::GreaterEqual,
                    bound,
                    source: format!("rate>={bound:.1}"),
                },
                abort_on_fail: false,
                delay_abort_eval: Duration::ZERO,
                on_empty_pass: false,
                over: None,
            });
        }
        criteria
    }

    fn rule(&self, stage: Stage) -> Rule {
        let (least, most) = self.order.step;
        let most = most.as_secs_f64();
        let least = least.as_secs_f64().max(self.iteration * ITERATIONS).min(most);
        match stage {
            Stage::Double | Stage::Halve => Rule {
                z: ROUGH,
                least,
                most: (most * ROUGH_PART).max(least),
            },
            Stage::Bisect | Stage::Again | Stage::Confirm => Rule { z: SURE, least, most },
        }
    }

    /// Whether the load held, broke, or the generator could not carry it out.
    fn verdict(
        &self,
        observed: &Observed,
        judgement: &Judgement,
        criteria: &[ThresholdSpec],
        step: &mut SavedStep,
    ) -> Seen {
        let mut set = |verdict: &str, certain: bool, why: Option<String>| {
            verdict.clone_into(&mut step.verdict);
            step.certain = certain;
            step.why = why;
        };
        if observed.end == End::Silent {
            set("broke", true, Some("no request got an answer".to_owned()));
            return Seen::Broke;
        }
        let against = judgement.against.and_then(|(place, interval)| {
            let spec = criteria.get(place)?;
            let was = interval.map_or_else(
                || "there were no samples".to_owned(),
                |interval| format!("was {}", rounded(interval.value)),
            );
            Some((spec, format!("{spec} {was}")))
        });
        let trust = self.trust(observed, judgement.warm_up);
        // Errors that the target answers are its own, however short of CPU it was that they were counted.
        let answered = against.as_ref().is_some_and(|(spec, _)| {
            spec.filter.metric == "http_req_failed"
                && judgement.call == Call::Breaks
                && self.are_answers(observed)
        });
        if trust.verdict == Verdict::Invalid && !answered {
            set("invalid", true, Some(trust.reasons.join("; ")));
            return Seen::Invalid;
        }
        let certain = judgement.call != Call::Open;
        if judgement.call == Call::Holds || (!certain && judgement.stands) {
            set("held", certain, None);
            return Seen::Held;
        }
        set("broke", certain, against.map(|(_, why)| why));
        Seen::Broke
    }

    /// Whether most of the requests that failed got an answer.
    fn are_answers(&self, observed: &Observed) -> bool {
        let tape = &observed.tape;
        let lost: f64 = tape.seconds.iter().map(|second| second.lost).sum();
        match tape.gained(self.place(Measure::Failures), 0, tape.seconds.len()) {
            Some(Value::Rate { passes, .. }) => lost * 2.0 < passes as f64,
            _ => false,
        }
    }

    /// Waits until a light load is answered as at the beginning, but not for ever.
    async fn recover(&self) -> Result<SavedRecovery, Outcome> {
        let begun = Instant::now();
        let limit = self.order.recovery;
        let base = self.base;
        let calm = |second: &&Second| {
            let window = &second.window;
            window.p50 <= (base.worst * BACK.0).max(base.worst + BACK.1)
                && window.failure_ratio() <= base.errors + f64::EPSILON
        };
        let some = |second: &&Second| second.window.requests > 0 || second.window.iterations > 0;
        let back = std::cell::Cell::new(false);
        let alive = std::cell::Cell::new(false);
        let observed = self
            .carry(light(self.run), DEAD_AFTER, |tape| {
                let last = tape.seconds.iter().rev().filter(some).take(IN_A_ROW);
                back.set(last.filter(calm).count() == IN_A_ROW);
                let answered = |second: &Second| {
                    second.requests > second.lost || second.window.iterations > 0 && second.requests <= 0.0
                };
                alive.set(alive.get() || tape.seconds.last().is_some_and(answered));
                back.get() || begun.elapsed() >= limit
            })
            .await?;
        match observed.end {
            // Nothing at all in all that time is as dead as a refusal, unless nothing was to be expected yet.
            End::Enough if !alive.get() && limit.as_secs_f64() > 2.0 * self.iteration => Err(Outcome::Dead),
            End::Enough => Ok(SavedRecovery {
                // The calm seconds themselves are no wait.
                seconds: (begun.elapsed().as_secs_f64() - (IN_A_ROW + 1) as f64).max(0.0),
                complete: back.get(),
            }),
            end => Err(self.ended(end, None)),
        }
    }

    /// Keeps how long an iteration takes.
    fn learn(&mut self, tape: &Tape, warm_up: usize) {
        let durations = tape.gained(
            self.place(Measure::IterationDurations),
            warm_up,
            tape.seconds.len(),
        );
        if let Some(Value::Trend(trend)) = durations
            && !trend.is_empty()
        {
            self.iteration = trend.avg() / 1e3;
        }
    }

    /// The numbers of a step; the verdict is still to come.
    fn row(&self, stage: &str, load: u64, observed: &Observed, warm_up: usize) -> SavedStep {
        let tape = &observed.tape;
        let measured = &tape.seconds[warm_up.min(tape.seconds.len())..];
        let seconds: f64 = tape.measured(warm_up).max(f64::MIN_POSITIVE);
        let requests: f64 = measured.iter().map(|second| second.requests).sum();
        let iterations: u64 = measured.iter().map(|second| second.window.iterations).sum();
        let bounds = |measure, aggregation| {
            let interval = tape.interval(self.place(measure), aggregation, warm_up, SHOWN);
            interval.map(SavedBounds::from)
        };
        let mean = |of: &dyn Fn((f64, Option<f64>)) -> Option<f64>| {
            let values: Vec<f64> = measured.iter().filter_map(|second| of(second.target?)).collect();
            (!values.is_empty()).then(|| rounded(values.iter().sum::<f64>() / values.len() as f64))
        };
        let p50 = match tape.gained(self.place(Measure::Durations), warm_up, tape.seconds.len()) {
            Some(Value::Trend(trend)) if !trend.is_empty() => Some(rounded(trend.med())),
            _ => None,
        };
        let left_out: f64 = tape
            .seconds
            .iter()
            .take(warm_up)
            .map(|second| second.length)
            .sum();
        SavedStep {
            stage: stage.to_owned(),
            load,
            from: rounded(observed.from),
            measured: rounded(observed.from + left_out),
            to: rounded(observed.to),
            requests: requests as u64,
            rate: rounded(requests / seconds),
            iterations: rounded(iterations as f64 / seconds),
            p50,
            p95: bounds(Measure::Durations, Aggregation::P(95.0)),
            errors: bounds(Measure::Failures, Aggregation::Rate),
            target_cpu: mean(&|(share, _)| Some(share)),
            target_cores: mean(&|(_, cores)| cores),
            ..SavedStep::default()
        }
    }
}

/// Whether p95 is known well enough, or there is none.
fn is_narrow(tape: &Tape, durations: usize, warm_up: usize) -> bool {
    let p95 = tape.interval(durations, Aggregation::P(95.0), warm_up, SHOWN);
    p95.is_none_or(|p95| p95.high - p95.low <= 2.0 * P95_WITHIN * p95.value)
}

/// Four decimals.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
