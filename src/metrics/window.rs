//! The run in slices of one second, and the whole of them as a time axis with what the samplers saw.

mod course;
mod strand;

use std::collections::VecDeque;
use std::time::Duration;

pub use course::{Cell, Course, Courses, add_ranges, course_place, course_range};
pub use strand::{Slice, Strand};

use course::OpenCell;
pub(super) use course::RequestCourses;
use strand::OpenSlice;
pub(super) use strand::{Strands, strands_of};

use super::host::HostSample;
use super::http::HttpRecord;
use super::model::{Contains, Kind, Sample, builtin};
use super::trend::Trend;

/// What happened in one slice of the run. A sample belongs to the slice in which it ended.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Window {
    /// Since the epoch.
    pub start: Duration,
    /// One second, but for the last of a run and for coarsened ones.
    pub length: Duration,
    pub requests: u64,
    /// Requests whose status the script did not expect, or that got no answer.
    pub failed: u64,
    pub iterations: u64,
    pub dropped: u64,
    /// Bytes.
    pub sent: u64,
    pub received: u64,
    /// The last values of the gauges.
    pub vus: u32,
    pub vus_max: u32,
    /// Requests sent and not yet answered at the end of the slice.
    pub in_flight: u32,
    /// `http_req_duration` of the requests of this slice, in milliseconds; 0 without requests.
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    /// The worst scheduling lag in the slice, in milliseconds.
    pub lag_max: f64,
    /// The latest that a timer of the generator fired in the slice, in milliseconds.
    pub timer_lag_max: f64,
    /// Iterations per second that the plans ask for; 0 where virtual users go round by themselves.
    pub offered: f64,
    /// CPU that the generator used, in cores.
    pub generator_cpu: f64,
}

impl Window {
    /// Requests per second.
    pub fn rate(&self) -> f64 {
        per_second(self.requests, self.length)
    }

    /// Share of requests that failed, 0–1.
    pub fn failure_ratio(&self) -> f64 {
        share(self.failed, self.requests)
    }

    /// Two neighbours as one. Percentiles cannot be added; the median becomes the mean weighted by requests, the
    /// high ones keep the worse of the two, so that a spike stays visible at every zoom.
    fn join(self, next: Window) -> Window {
        Window {
            start: self.start,
            length: self.length + next.length,
            requests: self.requests + next.requests,
            failed: self.failed + next.failed,
            iterations: self.iterations + next.iterations,
            dropped: self.dropped + next.dropped,
            sent: self.sent + next.sent,
            received: self.received + next.received,
            p50: weighted((self.requests, self.p50), (next.requests, next.p50)),
            p95: self.p95.max(next.p95),
            p99: self.p99.max(next.p99),
            lag_max: self.lag_max.max(next.lag_max),
            timer_lag_max: self.timer_lag_max.max(next.timer_lag_max),
            offered: over((self.length, self.offered), (next.length, next.offered)),
            generator_cpu: over(
                (self.length, self.generator_cpu),
                (next.length, next.generator_cpu),
            ),
            ..next
        }
    }
}

pub(super) fn per_second(count: u64, length: Duration) -> f64 {
    if length.is_zero() {
        0.0
    } else {
        count as f64 / length.as_secs_f64()
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// The mean of two values, each of which held for so long.
fn over(one: (Duration, f64), other: (Duration, f64)) -> f64 {
    let sum = (one.0 + other.0).as_secs_f64();
    if sum > 0.0 {
        (one.1 * one.0.as_secs_f64() + other.1 * other.0.as_secs_f64()) / sum
    } else {
        other.1
    }
}

/// The mean of two values, each counted so often.
fn weighted(one: (u64, f64), other: (u64, f64)) -> f64 {
    match one.0 + other.0 {
        0 => 0.0,
        sum => (one.1 * one.0 as f64 + other.1 * other.0 as f64) / sum as f64,
    }
}

/// The run on one time axis: load from the windows, machines from the samplers.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// Oldest first, without gaps. Past the cap neighbours are joined, so a run of any length fits.
    pub windows: Vec<Window>,
    /// Oldest first. Past four times the cap every second sample of a machine is dropped.
    pub hosts: Vec<HostSample>,
    /// The requests of each phase and of each service by themselves.
    pub strands: Vec<Strand>,
    /// How distributions change, in stretches of their own.
    pub courses: Courses,
    cap: usize,
    /// Seconds that one entry of `windows` covers, but for the newest, which may still be growing.
    span: Duration,
}

/// An hour of seconds.
const CAP: usize = 3600;
const SECOND: Duration = Duration::from_secs(1);

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline::with_cap(CAP)
    }
}

impl Timeline {
    /// A timeline of at most `cap` windows (at least 2).
    pub fn with_cap(cap: usize) -> Timeline {
        Timeline {
            windows: Vec::new(),
            hosts: Vec::new(),
            strands: Vec::new(),
            courses: Courses::default(),
            cap: cap.max(2),
            span: SECOND,
        }
    }

    pub(super) fn push(&mut self, window: Window) {
        match self.windows.last_mut() {
            Some(last) if last.length < self.span => *last = last.join(window),
            _ => self.windows.push(window),
        }
        if self.windows.len() > self.cap {
            self.span *= 2;
            self.windows = self
                .windows
                .chunks(2)
                .map(|pair| pair.get(1).map_or(pair[0], |second| pair[0].join(*second)))
                .collect();
            self.strands
                .iter_mut()
                .for_each(|strand| strand.coarsen(self.span));
        }
    }

    /// How long the slices are: one second, twice that past the cap, and so on.
    pub fn span(&self) -> Duration {
        self.span
    }

    pub(super) fn push_host(&mut self, sample: HostSample) {
        // Whoever shows the counters has them from the sample itself; an hour of them would be megabytes.
        self.hosts.push(HostSample {
            counters: None,
            ..sample
        });
        if self.hosts.len() > self.cap * 4 {
            let mut turn: Vec<(std::sync::Arc<str>, bool)> = Vec::new();
            self.hosts.retain(|sample| {
                let Some((_, keep)) = turn.iter_mut().find(|(host, _)| *host == sample.host) else {
                    turn.push((sample.host.clone(), true));
                    return true;
                };
                *keep = !*keep;
                *keep
            });
        }
    }
}

/// Windows that are still open: batches come some hundred milliseconds after what they tell of.
#[derive(Debug)]
pub(super) struct OpenWindows {
    /// The index (second since the epoch) of the first one.
    first: u64,
    open: VecDeque<Open>,
    /// What the gauges said last: they hold until they say something else.
    held: Window,
}

#[derive(Debug)]
struct Open {
    counts: Window,
    duration: Trend,
    /// By the number of the strand.
    strands: Vec<Option<OpenSlice>>,
    /// By the number of the course.
    courses: Vec<Option<OpenCell>>,
}

impl Open {
    fn course(&mut self, at: u8) -> &mut OpenCell {
        let at = usize::from(at);
        if self.courses.len() <= at {
            self.courses.resize_with(at + 1, || None);
        }
        self.courses[at].get_or_insert_default()
    }
}

impl OpenWindows {
    pub(super) fn new() -> OpenWindows {
        OpenWindows {
            first: 0,
            open: VecDeque::new(),
            held: Window::default(),
        }
    }

    /// The window of a moment. What comes too late for its own goes into the oldest one that is still open; what is
    /// dated far ahead is a mistake and must not make the list grow without end.
    fn at(&mut self, nanos: u64) -> &mut Open {
        const AHEAD: u64 = 60;
        let index = (nanos / 1_000_000_000).saturating_sub(self.first).min(AHEAD) as usize;
        while self.open.len() <= index {
            self.open.push_back(Open {
                counts: Window::default(),
                duration: Trend::new(Contains::Time),
                strands: Vec::new(),
                courses: Vec::new(),
            });
        }
        &mut self.open[index]
    }

    pub(super) fn http(&mut self, record: &HttpRecord, strands: Strands, courses: RequestCourses) {
        let duration = super::collector::to_ms(record.duration);
        let window = self.at(record.at);
        window.counts.requests += 1;
        window.counts.failed += u64::from(record.failed == Some(true));
        window.duration.record(duration);
        for at in strands.into_iter().flatten().map(usize::from) {
            if window.strands.len() <= at {
                window.strands.resize_with(at + 1, || None);
            }
            window.strands[at]
                .get_or_insert_with(OpenSlice::new)
                .add(record, duration);
        }
        let range = course_range(duration);
        for at in courses.into_iter().flatten() {
            window.course(at).request(range, record.failed == Some(true));
        }
    }

    pub(super) fn sample(&mut self, sample: &Sample, course: Option<(u8, Kind)>) {
        if let Some((at, kind)) = course {
            self.at(sample.at).course(at).sample(kind, sample.value);
        }
        let whole = sample.value.max(0.0) as u64;
        match sample.metric {
            builtin::ITERATIONS => self.at(sample.at).counts.iterations += whole,
            builtin::DROPPED_ITERATIONS => self.at(sample.at).counts.dropped += whole,
            builtin::DATA_SENT => self.at(sample.at).counts.sent += whole,
            builtin::DATA_RECEIVED => self.at(sample.at).counts.received += whole,
            builtin::VUS => self.held.vus = whole as u32,
            builtin::VUS_MAX => self.held.vus_max = whole as u32,
            builtin::HTTP_REQS_IN_FLIGHT => self.held.in_flight = whole as u32,
            builtin::SCHEDULING_LAG => {
                let counts = &mut self.at(sample.at).counts;
                counts.lag_max = counts.lag_max.max(sample.value);
            }
            builtin::TIMER_LAG => {
                let counts = &mut self.at(sample.at).counts;
                counts.timer_lag_max = counts.timer_lag_max.max(sample.value);
            }
            _ => {}
        }
    }

    /// What holds from now on: iterations per second that are asked for, and CPU that the generator uses.
    pub(super) fn hold(&mut self, offered: f64, generator_cpu: f64) {
        (self.held.offered, self.held.generator_cpu) = (offered, generator_cpu);
    }

    /// Closes every window that ends at or before `until`, and the one that `until` falls into when `last` says
    /// that nothing comes after it.
    pub(super) fn close(&mut self, until: Duration, last: bool, timeline: &mut Timeline) -> Option<Window> {
        let mut closed = None;
        loop {
            let start = SECOND * u32::try_from(self.first).unwrap_or(u32::MAX);
            let end = start + SECOND;
            let length = if end <= until {
                SECOND
            } else if last && until > start {
                until.saturating_sub(start)
            } else {
                break;
            };
            let open = self.open.pop_front();
            if let Some(open) = &open {
                timeline.courses.push(self.first, &open.courses);
            }
            self.first += 1;
            let mut window = Window {
                start,
                length,
                vus: self.held.vus,
                vus_max: self.held.vus_max,
                in_flight: self.held.in_flight,
                offered: self.held.offered,
                generator_cpu: self.held.generator_cpu,
                ..open.as_ref().map_or_else(Window::default, |open| open.counts)
            };
            if let Some(open) = open.filter(|open| !open.duration.is_empty()) {
                for (strand, slice) in timeline.strands.iter_mut().zip(&open.strands) {
                    if let Some(slice) = slice {
                        strand.push(slice.close(start, length), timeline.span);
                    }
                }
                window.p50 = open.duration.percentile(50.0);
                window.p95 = open.duration.percentile(95.0);
                window.p99 = open.duration.percentile(99.0);
            }
            timeline.push(window);
            closed = Some(window);
        }
        closed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "what is exact is compared exactly")]

    use super::*;
    use proptest::prelude::*;

    fn record(at_ms: u64, duration: f32) -> HttpRecord {
        HttpRecord {
            at: at_ms * 1_000_000,
            duration,
            failed: Some(duration > 100.0),
            ..HttpRecord::default()
        }
    }

    #[test]
    fn a_record_counts_in_the_second_in_which_it_ended() {
        let (mut windows, mut timeline) = (OpenWindows::new(), Timeline::default());
        for (at, duration) in [(100, 1.0), (999, 200.0), (1000, 3.0)] {
            windows.http(&record(at, duration), [None; 2], [None; 5]);
        }
        windows.close(Duration::from_millis(1250), false, &mut timeline);
        assert_eq!(timeline.windows.len(), 1);
        let first = timeline.windows[0];
        assert_eq!((first.requests, first.failed, first.length), (2, 1, SECOND));
        assert_eq!(first.p50, 100.5);
        // Late: its window is closed, so it counts in the next one and is not lost.
        windows.http(&record(500, 5.0), [None; 2], [None; 5]);
        let last = windows
            .close(Duration::from_millis(1500), true, &mut timeline)
            .unwrap();
        assert_eq!(
            (last.requests, last.length, last.rate()),
            (2, Duration::from_millis(500), 4.0)
        );
    }

    #[test]
    fn a_silent_second_is_a_window_too() {
        let (mut windows, mut timeline) = (OpenWindows::new(), Timeline::default());
        windows.sample(
            &Sample {
                at: 0,
                metric: builtin::VUS,
                tags: crate::metrics::TagsId::EMPTY,
                value: 4.0,
            },
            None,
        );
        windows.http(&record(2500, 5.0), [None; 2], [None; 5]);
        windows.close(Duration::from_secs(3), false, &mut timeline);
        let seen: Vec<_> = timeline
            .windows
            .iter()
            .map(|w| (w.start.as_secs(), w.requests, w.vus))
            .collect();
        assert_eq!(seen, [(0, 0, 4), (1, 0, 4), (2, 1, 4)]);
    }

    proptest! {
        #[test]
        fn coarsening_keeps_sums_order_and_the_cap(cap in 2usize..20, seconds in 1u64..500) {
            let (mut windows, mut timeline) = (OpenWindows::new(), Timeline::with_cap(cap));
            timeline.strands = vec![Strand { tag: "phase", value: "x".into(), slices: Vec::new() }];
            for second in 0..seconds {
                windows.http(&record(second * 1000 + 1, if second == seconds / 2 { 500.0 } else { 1.0 }), [Some(0), None], [None; 5]);
                windows.close(Duration::from_secs(second + 1), false, &mut timeline);
            }
            prop_assert!(timeline.windows.len() <= cap);
            prop_assert_eq!(timeline.windows.iter().map(|w| w.requests).sum::<u64>(), seconds);
            prop_assert_eq!(timeline.windows.iter().map(|w| w.length.as_secs()).sum::<u64>(), seconds);
            prop_assert!(timeline.windows.windows(2).all(|w| w[0].start + w[0].length == w[1].start));
            prop_assert!(timeline.windows.iter().any(|w| w.p99 >= 490.0), "the spike stays visible");
            // Every request was of the one strand, so its slices are the windows.
            let slices = timeline.strands[0].slices.iter().map(|s| (s.start, s.length, s.requests, s.p99));
            prop_assert!(slices.eq(timeline.windows.iter().map(|w| (w.start, w.length, w.requests, w.p99))));
        }
    }
}
