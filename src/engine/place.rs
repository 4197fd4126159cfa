//! Where a virtual user works, for a script that asks (`k6/execution`): its scenario, and the counters of all.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::control::Control;
use super::live::{Live, Progress};
use crate::config::Scenario;
use crate::metrics::Epoch;
use crate::pace::{Budget, Plan, Share, parse_duration};
use crate::script::{Around, Instance, ScenarioNow, StageNow};

/// A scenario as one of its virtual users sees it; or none, for what runs apart from them.
#[derive(Debug)]
pub struct Place {
    live: Arc<Live>,
    epoch: Epoch,
    post: Option<Post>,
}

#[derive(Debug)]
struct Post {
    /// Which line of the counters.
    line: usize,
    scenario: Arc<Scenario>,
    /// This instance's part of the iterations.
    numbers: Share,
    control: Control,
}

impl Place {
    /// For `setup()`, `teardown()` and what else runs apart from scenarios.
    pub fn apart(live: Arc<Live>, epoch: Epoch) -> Place {
        Place {
            live,
            epoch,
            post: None,
        }
    }

    /// For the virtual users of a scenario.
    pub(super) fn of(
        live: Arc<Live>,
        epoch: Epoch,
        line: usize,
        scenario: Arc<Scenario>,
        numbers: Share,
        control: Control,
    ) -> Place {
        Place {
            live,
            epoch,
            post: Some(Post {
                line,
                scenario,
                numbers,
                control,
            }),
        }
    }

    /// What stops the test, if this is a virtual user's place.
    pub(super) fn control(&self) -> Option<&Control> {
        self.post.as_ref().map(|post| &post.control)
    }
}

/// Time since then; none before it.
fn since(begin: Option<Instant>) -> Duration {
    begin.map_or(Duration::ZERO, |begin| {
        Instant::now().saturating_duration_since(begin)
    })
}

impl Post {
    /// When the scenario begins, once that is known.
    fn began(&self, live: &Live) -> Option<Instant> {
        live.load_began().map(|began| began + self.scenario.start)
    }

    /// How much of its time has passed; it stands still while the test is paused.
    fn elapsed(&self, live: &Live) -> Duration {
        since(self.began(live)).saturating_sub(live.lost())
    }

    fn progress(&self, live: &Live) -> f64 {
        let Progress {
            complete,
            interrupted,
            planned,
            ..
        } = live.progress(self.line);
        let budget = match &self.scenario.plan {
            Plan::Closed {
                budget: Budget::Shared(iterations),
                ..
            } => Some(self.numbers.count(*iterations)),
            Plan::Closed {
                budget: Budget::PerVu(iterations),
                ..
            } => Some(iterations.saturating_mul(u64::from(planned))),
            _ => None,
        };
        let share = match budget {
            Some(iterations) => (complete + interrupted) as f64 / iterations.max(1) as f64,
            None => {
                self.elapsed(live).as_secs_f64()
                    / self.scenario.plan.duration().as_secs_f64().max(f64::MIN_POSITIVE)
            }
        };
        share.min(1.0)
    }

    /// The first stage whose end is still to come, else the last one.
    fn stage(&self, elapsed: Duration) -> Option<StageNow> {
        let stages = self.scenario.options["stages"].as_array()?;
        let target = |index: usize| stages[index]["target"].as_f64().unwrap_or(0.0);
        let mut end = Duration::ZERO;
        let ahead = stages.iter().position(|stage| {
            let duration = stage["duration"].as_str().map(parse_duration);
            end += duration.and_then(Result::ok).unwrap_or_default();
            elapsed < end
        });
        let index = ahead.or(stages.len().checked_sub(1))?;
        let trend = match index.checked_sub(1) {
            // As in the dialect's library, whatever the ramp begins with.
            None => Ordering::Greater,
            Some(before) => target(index).total_cmp(&target(before)),
        };
        Some(StageNow { index, trend })
    }
}

impl Around for Place {
    fn instance(&self) -> Instance {
        let (mut completed, mut interrupted) = (0, 0);
        for (_, progress) in self.live.scenarios() {
            completed += progress.complete;
            interrupted += progress.interrupted;
        }
        Instance {
            completed,
            interrupted,
            active: self.live.vus(),
            initialized: self.live.vus_max(),
            elapsed: since(self.live.test_began()),
        }
    }

    fn works(&self) -> bool {
        self.post.is_some()
    }

    fn scenario(&self) -> Option<ScenarioNow> {
        let post = self.post.as_ref()?;
        let wall = post
            .began(&self.live)
            .map(|began| self.epoch.wall(self.epoch.nanos(began)));
        let unix = wall.and_then(|wall| wall.duration_since(std::time::UNIX_EPOCH).ok());
        Some(ScenarioNow {
            name: post.scenario.name.clone(),
            executor: post.scenario.executor,
            started: unix.map_or(0.0, |unix| unix.as_millis() as f64),
            progress: post.progress(&self.live),
        })
    }

    fn stage(&self) -> Option<StageNow> {
        let post = self.post.as_ref()?;
        post.stage(post.elapsed(&self.live))
    }

    fn in_instance(&self, in_test: u64) -> u64 {
        match &self.post {
            Some(post) => post.numbers.count(in_test),
            None => in_test,
        }
    }
}
