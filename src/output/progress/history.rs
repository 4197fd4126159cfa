//! What a run was like from its first second on, in as many steps as are kept: a soak of hours takes no more than a minute.

use std::time::Duration;

/// The steps that are kept at most; past that, each holds twice the time.
const STEPS: usize = 600;

/// A run during one step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moment {
    /// `None` without requests, in milliseconds.
    pub p95_ms: Option<f64>,
    pub rps: f64,
    pub vus: f64,
    /// Share of requests that failed, 0 to 1; `None` without requests.
    pub errors: Option<f64>,
    /// Shares that the target uses, 0 to 1; `None` while nobody tells.
    pub cpu: Option<f64>,
    pub memory: Option<f64>,
}

/// All steps of a run, each as long as the others.
#[derive(Debug, Default)]
pub struct History {
    steps: Vec<Moment>,
    /// The step that is not full yet, and how many moments it holds.
    open: Option<(Moment, u32)>,
    /// Moments in a step; a power of two.
    each: u32,
    /// The test's time of the last moment.
    until: Duration,
}

impl History {
    /// Takes in the moment that ended at `until`.
    pub fn push(&mut self, moment: Moment, until: Duration) {
        self.until = until;
        self.each = self.each.max(1);
        let (step, held) = match self.open.take() {
            Some((step, held)) => (join(step, moment, f64::from(held)), held + 1),
            None => (moment, 1),
        };
        if held < self.each {
            self.open = Some((step, held));
            return;
        }
        self.steps.push(step);
        if self.steps.len() >= STEPS {
            let halved = self.steps.chunks(2).map(|pair| match *pair {
                [one, other] => join(one, other, 1.0),
                _ => pair[0],
            });
            self.steps = halved.collect();
            self.each = self.each.saturating_mul(2);
        }
    }

    /// When the newest moment ended.
    pub fn until(&self) -> Duration {
        self.until
    }

    /// The newest moment's value is in the last.
    pub fn moments(&self) -> impl Iterator<Item = &Moment> {
        let open = self.open.as_ref().map(|(step, _)| step);
        self.steps.iter().chain(open)
    }

    /// A quantity over the whole run in at most `cells` parts, oldest first: the greatest of each part, as what hurts must not
    /// be averaged away.
    pub fn parts(&self, cells: usize, of: impl Fn(&Moment) -> Option<f64>) -> Vec<Option<f64>> {
        let all: Vec<Option<f64>> = self.moments().map(of).collect();
        if all.len() <= cells || cells == 0 {
            return all;
        }
        (0..cells)
            .map(|cell| {
                let (from, to) = (cell * all.len() / cells, (cell + 1) * all.len() / cells);
                all[from..to].iter().copied().fold(None, greater)
            })
            .collect()
    }

    /// The greatest that a quantity was.
    pub fn peak(&self, of: impl Fn(&Moment) -> Option<f64>) -> Option<f64> {
        self.moments().map(of).fold(None, greater)
    }
}

fn greater(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

/// Two steps as one: of what hurts the worse, of what flows the mean, where `one` counts `weight` times.
fn join(one: Moment, other: Moment, weight: f64) -> Moment {
    let mean = |one: f64, other: f64| (one * weight + other) / (weight + 1.0);
    Moment {
        p95_ms: greater(one.p95_ms, other.p95_ms),
        rps: mean(one.rps, other.rps),
        vus: one.vus.max(other.vus),
        errors: greater(one.errors, other.errors),
        cpu: greater(one.cpu, other.cpu),
        memory: greater(one.memory, other.memory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rps(rps: f64, p95: Option<f64>) -> Moment {
        Moment {
            rps,
            p95_ms: p95,
            ..Moment::default()
        }
    }

    #[test]
    fn a_long_run_takes_no_more_room_and_keeps_its_worst_second() {
        let mut history = History::default();
        for second in 0..100_000_u32 {
            let p95 = if second == 77_777 { 900.0 } else { 10.0 };
            history.push(rps(100.0, Some(p95)), Duration::from_secs(u64::from(second) + 1));
        }
        assert!(history.steps.len() <= STEPS);
        assert_eq!(history.until(), Duration::from_secs(100_000));
        assert_eq!(history.peak(|moment| moment.p95_ms), Some(900.0));
        assert!(history.moments().all(|step| (step.rps - 100.0).abs() < 1e-9));
        // Each step is as long as the others, so the worst second is where it was.
        let parts = history.parts(50, |moment| moment.p95_ms);
        assert_eq!(parts.len(), 50);
        let at = parts.iter().position(|value| *value == Some(900.0));
        assert_eq!(at, Some(38));
    }

    #[test]
    fn what_is_not_known_leaves_a_gap() {
        let mut history = History::default();
        for (second, p95) in [(1, None), (2, Some(5.0)), (3, None), (4, Some(7.0))] {
            history.push(rps(0.0, p95), Duration::from_secs(second));
        }
        let parts = |cells| history.parts(cells, |moment| moment.p95_ms);
        assert_eq!(parts(10), [None, Some(5.0), None, Some(7.0)]);
        assert_eq!(parts(2), [Some(5.0), Some(7.0)]);
    }
}
