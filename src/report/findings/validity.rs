//! Whether the generator can be trusted: that it measured the target and not itself.

use std::fmt;

use crate::metrics::{Outage, Snapshot, Timeline, Window, builtin};
use crate::report::saved::{SavedRun, SavedValidity, Stats};

use super::joined::Joined;
use super::stats::{median, quantile};

/// What a run's numbers are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    #[default]
    Valid,
    /// Look at the reasons before you believe it.
    Suspect,
    /// The numbers are not the target's.
    Invalid,
}

impl Verdict {
    /// Its name in a saved run and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::Suspect => "suspect",
            Verdict::Invalid => "invalid",
        }
    }

    /// All of them, the best first.
    pub const ALL: [Verdict; 3] = [Verdict::Valid, Verdict::Suspect, Verdict::Invalid];
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Valid => "VALID",
            Verdict::Suspect => "SUSPECT",
            Verdict::Invalid => "INVALID",
        })
    }
}

/// A verdict and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validity {
    pub verdict: Verdict,
    pub reasons: Vec<String>,
    /// Whether the generator's own machine is among the reasons.
    pub generator: bool,
}

/// How the verdict is said, wherever it is.
impl SavedValidity {
    /// Whether nothing speaks against the numbers.
    pub fn is_valid(&self) -> bool {
        self.verdict == Verdict::Valid.as_str()
    }

    /// `VALID`, `SUSPECT` or `INVALID`.
    pub fn word(&self) -> String {
        self.verdict.to_uppercase()
    }

    /// Why.
    pub fn why(&self) -> String {
        if self.reasons.is_empty() {
            "the generator kept up".to_owned()
        } else {
            self.reasons.join("; ")
        }
    }

    /// Both in one line.
    pub fn line(&self) -> String {
        format!("{}: {}", self.word(), self.why())
    }
}

/// From which share of its CPU on the generator is near its limit, and at it.
const NEAR: f64 = 0.8;
const AT_LIMIT: f64 = 0.95;
/// For this part of the time, near it or at it, before it is said.
const NEAR_FOR: f64 = 0.1;
const AT_LIMIT_FOR: f64 = 0.5;
/// Timers or iterations later than this were held up by a lack of CPU, in milliseconds.
const LATE: f64 = 20.0;
/// Later than this no latency can be believed.
const VERY_LATE: f64 = 250.0;
/// Lateness that is this share of what was measured as latency is what was measured: the p95 of both.
const OF_LATENCY: f64 = 0.5;
/// Dropped iterations of those due.
const DROPPED: f64 = 0.001;
/// The part of the load during which a connection of the tunnel was missing.
const OUTAGES: f64 = 0.1;
/// Shorter than this there is nothing to go by, in seconds.
const SHORTEST: f64 = 2.0;

/// What the verdict is made of, as it is known during a run and after it.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The windows of the load.
    pub windows: Vec<Window>,
    /// Cores that the generator may use.
    pub cores: f64,
    /// Threads that it works with.
    pub workers: u16,
    /// The 95th and the 99th percentile of how late timers fired, in milliseconds.
    pub timer_lag: Option<(f64, f64)>,
    /// The same for iterations that were due at a time.
    pub scheduling_lag: Option<(f64, f64)>,
    /// How many seconds of the load a connection of the tunnel was missing, and how often.
    pub outages: (f64, usize),
}

impl Trust {
    /// What is known of a run that is going on. `load_start` is on the time axis, in seconds.
    pub fn of(
        snapshot: &Snapshot,
        timeline: &Timeline,
        load_start: f64,
        (cores, workers): (f64, u16),
        outages: (f64, usize),
    ) -> Trust {
        let windows = timeline.windows.iter();
        let late = |metric| {
            let trend = snapshot.trend(metric)?;
            Some((trend.percentile(95.0), trend.percentile(99.0)))
        };
        Trust {
            windows: windows
                .filter(|window| window.start.as_secs_f64() >= load_start - 0.5)
                .copied()
                .collect(),
            cores,
            workers,
            timer_lag: late(builtin::TIMER_LAG),
            scheduling_lag: late(builtin::SCHEDULING_LAG),
            outages,
        }
    }

    /// The verdict.
    pub fn judge(&self) -> Validity {
        let mut validity = Validity::default();
        self.cpu(&mut validity);
        self.late(&mut validity);
        self.dropped(&mut validity);
        self.tunnel(&mut validity);
        validity
    }

    fn seconds(&self, wanted: impl Fn(&Window) -> bool) -> f64 {
        let some = self.windows.iter().filter(|window| wanted(window));
        some.map(|window| window.length.as_secs_f64()).sum()
    }

    fn cpu(&self, validity: &mut Validity) {
        let limit = self.cores.min(f64::from(self.workers));
        let all = self.seconds(|_| true);
        if limit <= 0.0 || all < SHORTEST {
            return;
        }
        let for_share = |share: f64| self.seconds(|window| window.generator_cpu >= share * limit) / all;
        let (at, near) = (for_share(AT_LIMIT), for_share(NEAR));
        let used: Vec<f64> = self.windows.iter().map(|window| window.generator_cpu).collect();
        let text = |part: f64| {
            format!(
                "the generator used {:.2} of its {limit} cores (95th percentile), near its limit for {:.0} % of the load",
                quantile(&used, 0.95),
                part * 100.0
            )
        };
        if at >= AT_LIMIT_FOR {
            validity.add(Verdict::Invalid, text(at), true);
        } else if near >= NEAR_FOR {
            validity.add(Verdict::Suspect, text(near), true);
        }
    }

    fn late(&self, validity: &mut Validity) {
        let latencies: Vec<f64> = self
            .windows
            .iter()
            .filter(|window| window.requests > 0)
            .map(|window| window.p95)
            .collect();
        let latency = median(&latencies);
        let (what, (usual, lag)) = match (self.timer_lag, self.scheduling_lag) {
            (timer, Some(lag)) if lag.1 > timer.map_or(0.0, |timer| timer.1) => ("iterations began", lag),
            (Some(lag), _) => ("its timers fired", lag),
            _ => return,
        };
        if lag < LATE {
            return;
        }
        let text = format!("the generator was late itself: {what} {lag:.0} ms late (p99)");
        if lag >= VERY_LATE {
            validity.add(Verdict::Invalid, text, true);
        } else if usual >= LATE && latency > 0.0 && usual >= OF_LATENCY * latency {
            let text =
                format!("{text}, {usual:.0} ms (p95), which is much of the p95 latency, {latency:.0} ms");
            validity.add(Verdict::Invalid, text, true);
        } else {
            validity.add(Verdict::Suspect, text, true);
        }
    }

    fn dropped(&self, validity: &mut Validity) {
        let dropped: u64 = self.windows.iter().map(|window| window.dropped).sum();
        let begun: u64 = self.windows.iter().map(|window| window.iterations).sum();
        let share = dropped as f64 / (dropped + begun).max(1) as f64;
        if share >= DROPPED {
            let text = format!(
                "{dropped} iterations were dropped, {:.1} % of those due: the target got less load than was asked for (more maxVUs would keep it up)",
                share * 100.0
            );
            validity.add(Verdict::Suspect, text, false);
        }
    }

    fn tunnel(&self, validity: &mut Validity) {
        let (missing, times) = self.outages;
        if times == 0 {
            return;
        }
        let all = self.seconds(|_| true).max(f64::MIN_POSITIVE);
        let text = format!("a connection of the tunnel was missing for {missing:.1} s, {times} times");
        let verdict = if missing / all >= OUTAGES {
            Verdict::Invalid
        } else {
            Verdict::Suspect
        };
        validity.add(verdict, text, false);
    }
}

impl Validity {
    fn add(&mut self, verdict: Verdict, reason: String, generator: bool) {
        let worse = (verdict as u8) > (self.verdict as u8);
        if worse {
            self.verdict = verdict;
        }
        self.generator |= generator;
        self.reasons.push(reason);
    }
}

/// Of outages on the run's clock, how long and how often during the load so far.
pub fn outages_since(outages: &[Outage], from: std::time::Instant, now: std::time::Instant) -> (f64, usize) {
    let during: Vec<Outage> = outages
        .iter()
        .filter(|outage| outage.until.is_none_or(|until| until > from))
        .map(|outage| Outage {
            from: outage.from.max(from),
            ..outage.clone()
        })
        .collect();
    (Outage::total(&during, now).as_secs_f64(), during.len())
}

/// The verdict on a saved run.
pub(super) fn of_run(run: &SavedRun, joined: &Joined) -> Validity {
    let end = joined.end();
    let mut spans: Vec<(f64, f64)> = run
        .target
        .outages
        .iter()
        .map(|outage| {
            let until = outage.until.unwrap_or(f64::INFINITY) - joined.zero;
            ((outage.from - joined.zero).max(0.0), until.min(end))
        })
        .filter(|(from, until)| until > from)
        .collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let times = spans.len();
    let (mut missing, mut covered) = (0.0, 0.0_f64);
    for (from, until) in spans {
        missing += (until - from.max(covered)).max(0.0);
        covered = covered.max(until);
    }
    let late = |stats: Option<Stats>| stats.map(|stats| (stats.p95, stats.p99));
    let own = &run.generator;
    Trust {
        windows: joined.points.iter().map(|point| point.window).collect(),
        // Files of earlier builds do not say.
        cores: if own.cores > 0.0 {
            own.cores
        } else {
            f64::from(run.environment.cores)
        },
        workers: own.workers,
        timer_lag: late(own.timer_lag),
        scheduling_lag: late(own.scheduling_lag),
        outages: (missing, times),
    }
    .judge()
}
