//! What the run asks of the target at a moment, next to what there is of it: the page shows both.

use std::time::Duration;

use crate::config::Config;
use crate::engine::Live;
use crate::net::Shared;
use crate::output::{Load, ScenarioLoad};
use crate::pace::{Offered, Share};

/// This process's part of the test.
pub struct Part {
    share: Share,
    fraction: f64,
}

impl Part {
    /// The part that the configuration gives.
    pub fn of(config: &Config) -> Part {
        Part {
            share: config.segment.clone(),
            fraction: config.segment_fraction,
        }
    }

    /// Iterations per second that the plans ask for when the load has gone on for `elapsed`.
    pub fn rate(&self, live: &Live, elapsed: Duration) -> f64 {
        if live.is_paused() {
            return 0.0;
        }
        let elapsed = elapsed.saturating_sub(live.lost());
        let rate = |scenario: &crate::config::Scenario| {
            let since = elapsed.checked_sub(scenario.start)?;
            scenario.plan.offered_at(since).rate
        };
        let rates = live.scenarios().filter_map(|(scenario, _)| rate(scenario));
        rates.sum::<f64>() * self.fraction
    }

    /// The load when the test has run for `elapsed`.
    pub fn load(&self, live: &Live, net: &Shared, elapsed: Duration) -> Load {
        let (paused, elapsed) = (live.is_paused(), elapsed.saturating_sub(live.lost()));
        let scenario =
            |(scenario, progress): (&std::sync::Arc<crate::config::Scenario>, crate::engine::Progress)| {
                // Before its start a scenario offers nothing.
                let whole = elapsed
                    .checked_sub(scenario.start)
                    .map(|since| scenario.plan.offered_at(since));
                let mut whole = whole.filter(|_| !paused).unwrap_or_default();
                if scenario.plan.is_external() {
                    whole.vus = whole.vus.map(|vus| live.scaled().unwrap_or(vus));
                }
                ScenarioLoad {
                    name: scenario.name.clone(),
                    offered: Offered {
                        vus: whole.vus.map(|vus| self.share.count(u64::from(vus)) as u32),
                        rate: whole.rate.map(|rate| rate * self.fraction),
                        stage: whole.stage,
                    },
                    vus: progress.active,
                }
            };
        Load {
            scenarios: live.scenarios().map(scenario).collect(),
            connections: net.connections(),
        }
    }
}
