//! A step while it lasts: the workers of one load, watched second by second until enough is known.
//!
//! Each step is an engine run of its own over the same script, network state, collector and sampler: it begins with
//! fresh virtual users, so no backlog of the step before is in it.

use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use tokio::time::{Instant, sleep};

use super::Seeker;
use crate::engine::{Control, Handle, Level, Reason};
use crate::metrics::{Snapshot, TagSet, Trend, Value, builtin};
use crate::report::breakpoint::{Second, Tape};
use crate::report::findings::outages_since;
use crate::report::{Trust, Validity};

/// How often the page is looked at; it changes once a second.
const LOOK: Duration = Duration::from_millis(50);
/// The workers begin this long after they are told.
const START_IN: Duration = Duration::from_millis(10);

/// Why a step ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// Enough was known.
    Enough,
    /// No request got an answer any more.
    Silent,
    /// All of the search's time is used.
    Time,
    /// The whole test was stopped.
    Stopped,
    /// The script or a bug ended it.
    Broken(Reason),
}

/// What was seen of a step.
#[derive(Debug)]
pub struct Observed {
    pub tape: Tape,
    /// Seconds on the time axis.
    pub from: f64,
    pub to: f64,
    pub end: End,
    /// The totals before the first second and at the last.
    ends: Option<(Arc<Snapshot>, Arc<Snapshot>)>,
    began: Clock,
}

impl Seeker<'_> {
    /// Starts workers that are ready, and watches them until `enough` says so or so many seconds in a row went without any
    /// answer. Ends them.
    pub(super) async fn observe(
        &self,
        handle: Handle,
        control: &Control,
        patience: usize,
        mut enough: impl FnMut(&Tape) -> bool,
    ) -> Observed {
        let run = self.run;
        let mut newest = self.page.snapshot();
        let start = Instant::now() + START_IN;
        let from = run.epoch.nanos(start.into_std()) as f64 / 1e9;
        if run.begun.load().is_none() {
            run.begun.load_at(&run.epoch, start);
        }
        handle.start(start);
        run.tunnels.cool_later();
        let mut observed = Observed {
            tape: Tape::default(),
            from,
            to: from,
            end: End::Enough,
            ends: None,
            began: start.into_std(),
        };
        let mut silent = 0;
        loop {
            sleep(LOOK).await;
            if let Some(end) = self.over(control) {
                observed.end = end;
                break;
            }
            let Some(now) = self.page.snapshot() else { continue };
            if newest
                .as_ref()
                .is_some_and(|newest| now.elapsed <= newest.elapsed)
            {
                continue;
            }
            let before = newest.replace(Arc::clone(&now));
            // The second in which it began is not all its own.
            let Some(before) = before.filter(|_| now.window.start.as_secs_f64() >= from) else {
                continue;
            };
            self.take(&mut observed, &before, &now);
            // A second without any request says nothing.
            silent = match observed.tape.silent() {
                Some(true) => silent + 1,
                Some(false) => 0,
                None => silent,
            };
            if silent >= patience {
                observed.end = End::Silent;
                break;
            }
            if enough(&observed.tape) {
                break;
            }
        }
        let reason = self.finish(handle, control).await;
        if observed.end == End::Enough
            && let Some(reason) = reason.filter(|reason| *reason != Reason::Over)
        {
            observed.end = End::Broken(reason);
        }
        observed
    }

    /// Waits until the workers' virtual users are initialised; what has come in between otherwise.
    pub(super) async fn ready(&self, handle: &mut Handle, control: &Control) -> Result<(), End> {
        loop {
            tokio::select! {
                ready = handle.ready() => match (ready, self.over(control)) {
                    (true, _) => return Ok(()),
                    (false, end) => return Err(end.unwrap_or(End::Stopped)),
                },
                () = sleep(LOOK) => if let Some(end) = self.over(control) {
                    control.stop_now(Reason::Over);
                    return Err(end);
                },
            }
        }
    }

    /// Whether it is over before its time.
    fn over(&self, control: &Control) -> Option<End> {
        if self.run.control.level() > Level::Run {
            return Some(End::Stopped);
        }
        match control.reason() {
            None | Some(Reason::Over) => {}
            Some(reason) => return Some(End::Broken(reason)),
        }
        (Instant::now() >= self.until).then_some(End::Time)
    }

    /// Ends the workers; iterations under way have a moment, unless somebody at the terminal has none.
    pub(super) async fn finish(&self, handle: Handle, control: &Control) -> Option<Reason> {
        control.stop_gracefully(Reason::Over);
        let finished = handle.finished();
        tokio::pin!(finished);
        loop {
            tokio::select! {
                reason = &mut finished => return reason,
                () = sleep(LOOK) => if self.run.control.level() == Level::Now {
                    control.stop_now(Reason::Over);
                },
            }
        }
    }

    /// One second more.
    fn take(&self, observed: &mut Observed, before: &Arc<Snapshot>, now: &Arc<Snapshot>) {
        let tape = &mut observed.tape;
        if tape.seconds.is_empty() {
            tape.before = self.totals(before);
            observed.ends = Some((Arc::clone(before), Arc::clone(now)));
        } else if let Some((_, last)) = &mut observed.ends {
            *last = Arc::clone(now);
        }
        let gained = |of: &dyn Fn(&Snapshot) -> f64| of(now) - of(before);
        tape.seconds.push(Second {
            length: now.elapsed.saturating_sub(before.elapsed).as_secs_f64(),
            window: now.window,
            requests: gained(&|snapshot| snapshot.count(builtin::HTTP_REQS)),
            lost: gained(&lost),
            totals: self.totals(now),
            target: self.page.target_use(),
        });
        observed.to = (now.window.start + now.window.length).as_secs_f64();
    }

    /// What each measure has come to.
    fn totals(&self, snapshot: &Snapshot) -> Vec<Option<Value>> {
        self.measures
            .iter()
            .map(|filter| snapshot.matching(filter))
            .collect()
    }

    /// Whether the generator carried the step out.
    pub(super) fn trust(&self, observed: &Observed, warm_up: usize) -> Validity {
        let late = |metric| {
            let (first, last) = observed.ends.as_ref()?;
            let trend = gained(last.trend(metric)?, first.trend(metric));
            (!trend.is_empty()).then(|| (trend.percentile(95.0), trend.percentile(99.0)))
        };
        let seconds = observed.tape.seconds.iter().skip(warm_up);
        Trust {
            windows: seconds.map(|second| second.window).collect(),
            cores: self.cores,
            workers: self.run.workers,
            timer_lag: late(builtin::TIMER_LAG),
            scheduling_lag: late(builtin::SCHEDULING_LAG),
            outages: outages_since(&self.run.tunnels.outages(), observed.began, Clock::now()),
        }
        .judge()
    }
}

fn gained(now: Arc<Trend>, before: Option<Arc<Trend>>) -> Trend {
    match before {
        Some(before) => now.minus(&before),
        None => Arc::unwrap_or_clone(now),
    }
}

/// Requests that got no answer: their status is 0.
fn lost(snapshot: &Snapshot) -> f64 {
    let none = |tags: &TagSet| tags.get("status") == Some("0");
    match snapshot.matching_tags(builtin::HTTP_REQS, none) {
        Some(Value::Counter { total }) => total,
        _ => 0.0,
    }
}
