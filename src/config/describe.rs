//! A scenario in one line, as the dialect's command line puts it (k6, `lib/executor/*.go`, `GetDescription`).

use super::scenario::Scenario;
use crate::pace::{Budget, Plan, Share, Staffing, format_duration};

impl Scenario {
    /// k6's one line about a scenario: `2 looping VUs for 2s (gracefulStop: 30s)`.
    pub fn describe(&self) -> String {
        self.describe_share(&Share::whole(), 1.0)
    }

    /// The line for the part of the scenario that an execution segment runs; `fraction` is the segment's length.
    pub fn describe_share(&self, share: &Share, fraction: f64) -> String {
        let scaled = |n: u32| share.count(u64::from(n));
        let duration = format_duration(self.plan.duration());
        let mut facts = Vec::new();
        let what = match &self.plan {
            Plan::Closed {
                staffing: Staffing::Constant { vus, .. },
                budget,
            } => {
                let vus = scaled(*vus);
                let limit = format!("maxDuration: {duration}");
                match budget {
                    Budget::Unlimited => format!("{vus} looping VUs for {duration}"),
                    Budget::Shared(n) => {
                        facts.push(limit);
                        format!("{} iterations shared among {vus} VUs", share.count(*n))
                    }
                    Budget::PerVu(n) => {
                        facts.push(limit);
                        format!("{n} iterations for each of {vus} VUs")
                    }
                }
            }
            Plan::Closed {
                staffing:
                    staffing @ Staffing::Ramping {
                        stages,
                        graceful_ramp_down,
                        ..
                    },
                ..
            } => {
                facts.push(format!(
                    "gracefulRampDown: {}",
                    format_duration(*graceful_ramp_down)
                ));
                format!(
                    "Up to {} looping VUs for {duration} over {} stages",
                    scaled(staffing.max_vus()),
                    stages.len()
                )
            }
            Plan::Closed {
                staffing:
                    Staffing::External {
                        start,
                        max,
                        duration: limit,
                    },
                ..
            } => {
                let limit = limit.map_or_else(|| "infinite".to_owned(), format_duration);
                format!(
                    "Externally controlled execution with {} VUs, {} max VUs, {limit} duration",
                    scaled(*start),
                    scaled(*max)
                )
            }
            Plan::Open {
                arrivals,
                pre_allocated,
                max_vus,
            } => {
                let (pre_allocated, max_vus) = (scaled(*pre_allocated), scaled(*max_vus));
                facts.push(if max_vus > pre_allocated {
                    format!("maxVUs: {pre_allocated}-{max_vus}")
                } else {
                    format!("maxVUs: {pre_allocated}")
                });
                let rate = arrivals.peak_rate() * fraction;
                match self.options["stages"].as_array() {
                    Some(stages) => {
                        format!(
                            "Up to {rate:.2} iterations/s for {duration} over {} stages",
                            stages.len()
                        )
                    }
                    None => format!("{rate:.2} iterations/s for {duration}"),
                }
            }
        };
        if self.exec != "default" {
            facts.push(format!("exec: {}", self.exec));
        }
        if !self.start.is_zero() {
            facts.push(format!("startTime: {}", format_duration(self.start)));
        }
        if !self.graceful_stop.is_zero() {
            facts.push(format!("gracefulStop: {}", format_duration(self.graceful_stop)));
        }
        if facts.is_empty() {
            what
        } else {
            format!("{what} ({})", facts.join(", "))
        }
    }
}
