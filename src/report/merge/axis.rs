//! The time axes of several runs laid over each other by the clock.
//!
//! Slices begin at each generator's own zero. They are moved by whole slices, so that a slice of the sum has what happened within
//! half a slice of it.

use std::collections::BTreeMap;

use crate::metrics::utc::{parse_rfc3339, rfc3339};
use crate::metrics::{Cell, add_ranges};
use crate::report::saved::{SavedCourse, SavedHost, SavedOutage, SavedRun, SavedStrand, SavedTimeline};

/// Where the runs lie on the clock.
#[derive(Debug)]
pub(super) struct Axis {
    /// How many seconds after the first zero each run's zero is.
    shifts: Vec<f64>,
    zero: String,
    /// When each one's load began, in seconds after the first zero.
    begun: Vec<f64>,
}

impl Axis {
    pub(super) fn of(runs: &[SavedRun]) -> Axis {
        let zeros: Vec<_> = runs.iter().map(|run| parse_rfc3339(&run.timeline.zero)).collect();
        let first = zeros.iter().flatten().min().copied();
        let after = |zero: &Option<std::time::SystemTime>| {
            let since = zero
                .zip(first)
                .and_then(|(zero, first)| zero.duration_since(first).ok());
            since.unwrap_or_default().as_secs_f64()
        };
        let shifts: Vec<f64> = zeros.iter().map(after).collect();
        let loads = runs.iter().zip(&shifts);
        Axis {
            begun: loads
                .filter_map(|(run, shift)| Some(run.timeline.load_start? + shift))
                .collect(),
            shifts,
            zero: first.map_or_else(|| runs[0].timeline.zero.clone(), rfc3339),
        }
    }

    pub(super) fn shifts(&self) -> &[f64] {
        &self.shifts
    }

    /// How far apart the loads began, in seconds.
    pub(super) fn spread(&self) -> f64 {
        let first = self.begun.iter().copied().fold(f64::INFINITY, f64::min);
        let last = self.begun.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (last - first).max(0.0)
    }

    /// Runs of which one had ended when another began are not parts of one test.
    pub(super) fn apart(&self, runs: &[SavedRun]) -> Option<String> {
        let span = |at: usize| {
            (
                self.shifts[at],
                self.shifts[at] + runs[at].run.duration + lead(&runs[at]),
            )
        };
        let mut order: Vec<usize> = (0..runs.len()).collect();
        order.sort_by(|a, b| self.shifts[*a].total_cmp(&self.shifts[*b]));
        let mut end = f64::INFINITY;
        for at in order {
            let (from, to) = span(at);
            if from > end {
                return Some(format!("{} began when others had ended", runs[at].run.id));
            }
            end = end.min(to);
        }
        None
    }

    pub(super) fn outages(&self, runs: &[SavedRun]) -> Vec<SavedOutage> {
        let moved = |(run, shift): (&SavedRun, &f64)| {
            let shift = *shift;
            let outages = run.target.outages.clone().into_iter();
            outages
                .map(|outage| SavedOutage {
                    from: outage.from + shift,
                    until: outage.until.map(|until| until + shift),
                    ..outage
                })
                .collect::<Vec<_>>()
        };
        runs.iter().zip(&self.shifts).flat_map(moved).collect()
    }

    /// Each machine once: of one that several generators sampled, the most readings.
    pub(super) fn hosts(&self, runs: &[SavedRun]) -> Vec<SavedHost> {
        let mut hosts: Vec<SavedHost> = Vec::new();
        for (run, shift) in runs.iter().zip(&self.shifts) {
            for host in &run.hosts {
                let mut host = host.clone();
                host.at.iter_mut().for_each(|at| *at += shift);
                for process in &mut host.processes {
                    process.at.iter_mut().for_each(|at| *at += shift);
                }
                match hosts.iter_mut().find(|known| known.host == host.host) {
                    Some(known) if known.at.len() * known.readings < host.at.len() * host.readings => {
                        *known = host;
                    }
                    Some(_) => {}
                    None => hosts.push(host),
                }
            }
        }
        hosts
    }

    pub(super) fn timeline(&self, runs: &[SavedRun]) -> SavedTimeline {
        let resolution = runs.iter().map(|run| run.timeline.resolution).fold(1.0, f64::max);
        let mut slices: BTreeMap<u64, Slice> = BTreeMap::new();
        let mut outages = false;
        for (run, shift) in runs.iter().zip(&self.shifts) {
            let t = &run.timeline;
            outages |= !t.outage.is_empty();
            let mut own: BTreeMap<u64, Slice> = BTreeMap::new();
            for at in 0..t.start.len() {
                let slice = Slice::of(t, at);
                let place = place(t.start[at], *shift, resolution);
                own.entry(place)
                    .and_modify(|known| known.follow(&slice))
                    .or_insert(slice);
            }
            for (place, slice) in own {
                slices
                    .entry(place)
                    .and_modify(|known| known.add(&slice))
                    .or_insert(slice);
            }
        }
        let last = slices.keys().next_back().map_or(0, |last| last + 1);
        // A slice that nobody saw is one without load.
        let list: Vec<(u64, Slice)> = (0..last)
            .map(|place| {
                let idle = Slice {
                    length: resolution,
                    ..Slice::default()
                };
                (place, slices.remove(&place).unwrap_or(idle))
            })
            .collect();
        let real = |of: &dyn Fn(&Slice) -> f64| {
            list.iter()
                .map(|(_, slice)| rounded(of(slice)))
                .collect::<Vec<_>>()
        };
        let whole = |of: &dyn Fn(&Slice) -> u64| list.iter().map(|(_, slice)| of(slice)).collect::<Vec<_>>();
        let small = |of: &dyn Fn(&Slice) -> u64| {
            let values = list
                .iter()
                .map(|(_, slice)| u32::try_from(of(slice)).unwrap_or(u32::MAX));
            values.collect::<Vec<_>>()
        };
        let (course_span, courses) = self.courses(runs);
        SavedTimeline {
            zero: self.zero.clone(),
            load_start: self.begun.iter().copied().reduce(f64::min),
            resolution,
            start: list.iter().map(|(place, _)| *place as f64 * resolution).collect(),
            length: real(&|s| s.length),
            requests: whole(&|s| s.counts[0]),
            failed: whole(&|s| s.counts[1]),
            iterations: whole(&|s| s.counts[2]),
            dropped: whole(&|s| s.counts[3]),
            sent: whole(&|s| s.counts[4]),
            received: whole(&|s| s.counts[5]),
            vus: small(&|s| s.gauges[0]),
            vus_max: small(&|s| s.gauges[1]),
            in_flight: small(&|s| s.gauges[2]),
            p50: real(&|s| s.percentiles[0]),
            p95: real(&|s| s.percentiles[1]),
            p99: real(&|s| s.percentiles[2]),
            lag_max: real(&|s| s.late[0]),
            timer_lag_max: real(&|s| s.late[1]),
            offered: real(&|s| s.rates[0]),
            generator_cpu: real(&|s| s.rates[1]),
            outage: if outages { real(&|s| s.late[2]) } else { Vec::new() },
            strands: self.strands(runs, resolution),
            course_span,
            courses,
        }
    }

    fn strands(&self, runs: &[SavedRun], resolution: f64) -> Vec<SavedStrand> {
        let mut sums: Vec<((String, String), BTreeMap<u64, Slice>)> = Vec::new();
        for (run, shift) in runs.iter().zip(&self.shifts) {
            for strand in &run.timeline.strands {
                let key = (strand.tag.clone(), strand.value.clone());
                let sum = sum_of(&mut sums, key);
                for at in 0..strand.start.len() {
                    let slice = Slice {
                        length: strand.length[at],
                        counts: [strand.requests[at], strand.failed[at], 0, 0, 0, 0],
                        percentiles: [strand.p50[at], strand.p95[at], strand.p99[at]],
                        ..Slice::default()
                    };
                    let place = place(strand.start[at], *shift, resolution);
                    sum.entry(place)
                        .and_modify(|known| known.add(&slice))
                        .or_insert(slice);
                }
            }
        }
        let strand = |((tag, value), slices): ((String, String), BTreeMap<u64, Slice>)| {
            let real = |of: &dyn Fn(&Slice) -> f64| slices.values().map(|slice| rounded(of(slice))).collect();
            SavedStrand {
                tag,
                value,
                start: slices.keys().map(|place| *place as f64 * resolution).collect(),
                length: real(&|s| s.length),
                requests: slices.values().map(|s| s.counts[0]).collect(),
                failed: slices.values().map(|s| s.counts[1]).collect(),
                p50: real(&|s| s.percentiles[0]),
                p95: real(&|s| s.percentiles[1]),
                p99: real(&|s| s.percentiles[2]),
            }
        };
        sums.into_iter().map(strand).collect()
    }

    /// How long a stretch is, and the courses of all runs together: counts add up exactly.
    fn courses(&self, runs: &[SavedRun]) -> (u64, Vec<SavedCourse>) {
        type Part = Option<(String, String)>;
        let span = runs
            .iter()
            .map(|run| run.timeline.course_span)
            .max()
            .unwrap_or(1)
            .max(1);
        let mut sums: Vec<((String, Part), BTreeMap<u64, Cell>)> = Vec::new();
        for (run, shift) in runs.iter().zip(&self.shifts) {
            for course in &run.timeline.courses {
                let key = (
                    course.metric.clone(),
                    course.tag.clone().zip(course.value.clone()),
                );
                let sum = sum_of(&mut sums, key);
                for cell in course.cells() {
                    let start = (cell.at * run.timeline.course_span) as f64;
                    let at = place(start, *shift, span as f64);
                    let all = sum.entry(at).or_insert(Cell {
                        at,
                        ..Cell::default()
                    });
                    all.count += cell.count;
                    all.hits += cell.hits;
                    all.ranges = add_ranges(&all.ranges, &cell.ranges);
                }
            }
        }
        let course = |((metric, part), cells): ((String, Part), BTreeMap<u64, Cell>)| {
            let cells: Vec<Cell> = cells.into_values().collect();
            SavedCourse::new(metric, part, &cells)
        };
        (span, sums.into_iter().map(course).collect())
    }
}

/// What there is of `key` so far; keys keep the order in which they came.
fn sum_of<K: PartialEq, T>(sums: &mut Vec<(K, BTreeMap<u64, T>)>, key: K) -> &mut BTreeMap<u64, T> {
    let known = sums.iter().position(|(known, _)| *known == key);
    let known = known.unwrap_or_else(|| {
        sums.push((key, BTreeMap::new()));
        sums.len() - 1
    });
    &mut sums[known].1
}

/// The slice of the sum that a slice falls in.
fn place(start: f64, shift: f64, resolution: f64) -> u64 {
    let moved = (start / resolution).floor() + (shift / resolution).round();
    moved.max(0.0) as u64
}

/// From the axis' zero to when the test began.
fn lead(run: &SavedRun) -> f64 {
    let (zero, begun) = (parse_rfc3339(&run.timeline.zero), parse_rfc3339(&run.run.started));
    let lead = zero
        .zip(begun)
        .and_then(|(zero, begun)| begun.duration_since(zero).ok());
    lead.unwrap_or_default().as_secs_f64()
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A slice of one run or of several.
#[derive(Debug, Clone, Default)]
struct Slice {
    length: f64,
    /// Requests, failed, iterations, dropped, sent, received.
    counts: [u64; 6],
    /// Virtual users, the most there were, requests in flight.
    gauges: [u64; 3],
    /// p50, p95, p99: means weighted by requests, as percentiles do not add up.
    percentiles: [f64; 3],
    /// Scheduling lag, timer lag, outage: the worst.
    late: [f64; 3],
    /// Iterations that are asked for, CPU of the generators.
    rates: [f64; 2],
}

impl Slice {
    fn of(t: &SavedTimeline, at: usize) -> Slice {
        let later = |list: &[f64]| list.get(at).copied().unwrap_or(0.0);
        Slice {
            length: t.length[at],
            counts: [
                t.requests[at],
                t.failed[at],
                t.iterations[at],
                t.dropped[at],
                t.sent[at],
                t.received[at],
            ],
            gauges: [t.vus[at], t.vus_max[at], t.in_flight[at]].map(u64::from),
            percentiles: [t.p50[at], t.p95[at], t.p99[at]],
            late: [t.lag_max[at], later(&t.timer_lag_max), later(&t.outage)],
            rates: [later(&t.offered), later(&t.generator_cpu)],
        }
    }

    /// That of another run at the same time.
    fn add(&mut self, other: &Slice) {
        self.take(other);
        self.length = self.length.max(other.length);
        for (sum, more) in self.gauges.iter_mut().zip(other.gauges) {
            *sum += more;
        }
        for (sum, more) in self.rates.iter_mut().zip(other.rates) {
            *sum += more;
        }
    }

    /// The next one of the same run, in a coarser axis.
    fn follow(&mut self, next: &Slice) {
        let both = (self.length + next.length).max(f64::MIN_POSITIVE);
        for (mean, more) in self.rates.iter_mut().zip(next.rates) {
            *mean = (*mean * self.length + more * next.length) / both;
        }
        self.take(next);
        self.length += next.length;
        self.gauges = next.gauges;
    }

    fn take(&mut self, other: &Slice) {
        let (mine, theirs) = (self.counts[0] as f64, other.counts[0] as f64);
        if mine + theirs > 0.0 {
            for (mean, more) in self.percentiles.iter_mut().zip(other.percentiles) {
                *mean = (*mean * mine + more * theirs) / (mine + theirs);
            }
        }
        for (sum, more) in self.counts.iter_mut().zip(other.counts) {
            *sum += more;
        }
        for (worst, more) in self.late.iter_mut().zip(other.late) {
            *worst = worst.max(more);
        }
    }
}
