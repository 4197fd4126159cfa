//! Which load the script's scenarios carry in a step: all of them at once, in the proportions that the script gives them.

use std::time::Duration;

use serde_json::json;

use crate::config::Scenario;
use crate::pace::{Arrivals, Budget, Plan, Staffing, format_duration};
use crate::report::breakpoint::By;

/// Longer than any step: it is ended when enough is known.
const ENDLESS: Duration = Duration::from_hours(24);
/// How long iterations may take to end when a step is over.
const GRACE: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);

/// Virtual users of a step by rate: how many are ready, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crew {
    pub ready: u32,
    pub most: u32,
}

/// The scenarios that carry `load`. Those for which nothing is left of it are left out.
pub fn mix(scenarios: &[Scenario], by: By, load: u64, crew: Crew) -> Vec<Scenario> {
    let rates = by == By::Rate && scenarios.iter().all(|scenario| peak(&scenario.plan).is_some());
    let weights: Vec<f64> = scenarios
        .iter()
        .map(|scenario| match peak(&scenario.plan) {
            Some(rate) if rates => rate,
            _ => f64::from(scenario.plan.max_vus()),
        })
        .collect();
    let parts = apportioned(load, &weights);
    let share = |whole: u32, part: u64| (u64::from(whole) * part).div_ceil(load.max(1)) as u32;
    scenarios
        .iter()
        .zip(parts)
        .filter(|(_, part)| *part > 0)
        .map(|(scenario, part)| match by {
            By::Vus => closed(scenario, u32::try_from(part).unwrap_or(u32::MAX)),
            By::Rate => {
                let most = share(crew.most, part).max(1);
                open(scenario, part, share(crew.ready, part).clamp(1, most), most)
            }
        })
        .collect()
}

fn peak(plan: &Plan) -> Option<f64> {
    match plan {
        Plan::Open { arrivals, .. } => Some(arrivals.peak_rate()),
        Plan::Closed { .. } => None,
    }
}

fn closed(scenario: &Scenario, vus: u32) -> Scenario {
    Scenario {
        executor: "constant-vus",
        plan: Plan::Closed {
            staffing: Staffing::Constant {
                vus,
                duration: ENDLESS,
            },
            budget: Budget::Unlimited,
        },
        options: json!({ "executor": "constant-vus", "vus": vus, "duration": format_duration(ENDLESS) }),
        ..begun(scenario)
    }
}

fn open(scenario: &Scenario, rate: u64, ready: u32, most: u32) -> Scenario {
    Scenario {
        executor: "constant-arrival-rate",
        plan: Plan::Open {
            arrivals: Arrivals::constant(rate, SECOND, ENDLESS),
            pre_allocated: ready,
            max_vus: most,
        },
        options: json!({
            "executor": "constant-arrival-rate", "rate": rate, "timeUnit": "1s", "duration": format_duration(ENDLESS),
            "preAllocatedVUs": ready, "maxVUs": most,
        }),
        ..begun(scenario)
    }
}

fn begun(scenario: &Scenario) -> Scenario {
    Scenario {
        start: Duration::ZERO,
        graceful_stop: scenario.graceful_stop.min(GRACE),
        ..scenario.clone()
    }
}

/// `whole` in parts as these weights, by largest remainders: they add up to it.
fn apportioned(whole: u64, weights: &[f64]) -> Vec<u64> {
    let sum: f64 = weights.iter().sum();
    if sum <= 0.0 {
        let mut parts = vec![0; weights.len()];
        if let Some(first) = parts.first_mut() {
            *first = whole;
        }
        return parts;
    }
    let exact: Vec<f64> = weights.iter().map(|weight| whole as f64 * weight / sum).collect();
    let mut parts: Vec<u64> = exact.iter().map(|part| *part as u64).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
    let left = whole.saturating_sub(parts.iter().sum());
    for at in order.into_iter().cycle().take(usize::try_from(left).unwrap_or(0)) {
        parts[at] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn scenario(name: &str, plan: Plan) -> Scenario {
        Scenario {
            name: name.to_owned(),
            executor: "ramping-vus",
            plan,
            start: Duration::from_secs(30),
            graceful_stop: Duration::from_secs(30),
            exec: name.to_owned(),
            env: BTreeMap::new(),
            tags: BTreeMap::new(),
            options: json!({}),
        }
    }

    fn looping(vus: u32) -> Plan {
        Plan::Closed {
            staffing: Staffing::Constant {
                vus,
                duration: SECOND,
            },
            budget: Budget::Shared(10),
        }
    }

    fn arriving(rate: u64) -> Plan {
        Plan::Open {
            arrivals: Arrivals::constant(rate, SECOND, SECOND),
            pre_allocated: 7,
            max_vus: 7,
        }
    }

    const CREW: Crew = Crew { ready: 10, most: 100 };

    #[test]
    fn a_load_is_dealt_as_the_script_deals_it() {
        assert_eq!(apportioned(10, &[1.0, 1.0, 1.0]), [4, 3, 3]);
        assert_eq!(apportioned(1, &[1.0, 9.0]), [0, 1]);
        assert_eq!(apportioned(7, &[0.0]), [7]);
        let scenarios = [scenario("a", looping(30)), scenario("b", looping(10))];
        let mixed = mix(&scenarios, By::Vus, 8, CREW);
        let vus: Vec<u32> = mixed.iter().map(|scenario| scenario.plan.max_vus()).collect();
        assert_eq!(vus, [6, 2]);
        assert!(
            mixed
                .iter()
                .all(|scenario| scenario.start.is_zero() && scenario.graceful_stop == GRACE)
        );
        assert_eq!(mixed[0].exec, "a");
        let light = mix(&scenarios, By::Vus, 1, CREW);
        assert_eq!((light.len(), light[0].name.as_str()), (1, "a"));
    }

    #[test]
    fn by_rate_scenarios_keep_their_rates_proportions() {
        let mixed = mix(
            &[scenario("a", arriving(30)), scenario("b", arriving(90))],
            By::Rate,
            200,
            CREW,
        );
        let rates: Vec<f64> = mixed.iter().filter_map(|scenario| peak(&scenario.plan)).collect();
        assert_eq!(rates, [50.0, 150.0]);
        assert_eq!((mixed[0].plan.initial_vus(), mixed[0].plan.max_vus()), (3, 25));
        // A script of virtual users can be sought by rate, too.
        let mixed = mix(&[scenario("a", looping(5))], By::Rate, 40, CREW);
        assert!((peak(&mixed[0].plan).unwrap() - 40.0).abs() < 1e-9);
        assert_eq!(mixed[0].executor, "constant-arrival-rate");
    }
}
