//! A distribution: exact while it is small, an [`Histogram`] (HDR, 3 significant digits) from then on.
//!
//! Values are scaled to integers ("units") for the histogram: tenths of a microsecond for times, millionths for
//! everything else. Three digits mean 2048 linear buckets and 1024 for each doubling after that, so a value is off by
//! at most 1/2048 of itself once it is in a bucket, and the histogram of times up to 60 s would take 86 KiB; it
//! grows only as far as the largest value needs. Below [`EXACT`] values the samples themselves are kept: most
//! series of a run with many tags are small, and a small run then shows exactly the numbers of the dialect.

mod parts;

use hdrhistogram::Histogram;

pub use parts::{BucketParts, PartsError, TrendParts};

use super::model::Contains;

/// Up to this many values a trend is the sorted list of them.
pub const EXACT: usize = 128;

const DIGITS: u8 = 3;
/// Half the linear range of a histogram of three digits: 2 * 10^3 rounded up to a power of two is 2048.
const LINEAR_BITS: u32 = 11;

/// The distribution of a metric's values.
///
/// Count, sum, minimum and maximum are exact; percentiles are exact up to [`EXACT`] values and within 0.05 %
/// (and half a unit) after that.
#[derive(Debug, Clone)]
pub struct Trend {
    /// Units per 1.0.
    scale: f64,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    /// In order of arrival.
    Few(Vec<f64>),
    Many(Box<Buckets>),
}

/// Histograms of integers have neither sign nor, in the HDR layout, a bucket for zero of its own worth: phases that
/// did not happen are exactly zero, and there are many of those.
#[derive(Debug, Clone)]
struct Buckets {
    zeros: u64,
    positive: Histogram<u32>,
    negative: Option<Histogram<u32>>,
}

impl Buckets {
    fn new() -> Buckets {
        Buckets {
            zeros: 0,
            positive: histogram(),
            negative: None,
        }
    }

    fn record(&mut self, units: f64) {
        let size = (units.abs() + 0.5) as u64;
        if size == 0 {
            self.zeros += 1;
            return;
        }
        let side = if units < 0.0 {
            self.negative.get_or_insert_with(histogram)
        } else {
            &mut self.positive
        };
        // A histogram that resizes takes every u64; 2^62 keeps its own rounding up within it.
        let recorded = side.record(size.min(1 << 62));
        debug_assert!(
            recorded.is_ok(),
            "resizing histograms take every value: {recorded:?}"
        );
    }

    /// (representative in units, how many), ascending.
    fn each(&self, mut visit: impl FnMut(f64, u64) -> bool) {
        if let Some(negative) = &self.negative {
            let mut below: Vec<_> = negative.iter_recorded().collect();
            below.reverse();
            for step in below {
                if !visit(
                    -representative(step.value_iterated_to()),
                    u64::from(step.count_at_value()),
                ) {
                    return;
                }
            }
        }
        if self.zeros > 0 && !visit(0.0, self.zeros) {
            return;
        }
        for step in self.positive.iter_recorded() {
            if !visit(
                representative(step.value_iterated_to()),
                u64::from(step.count_at_value()),
            ) {
                return;
            }
        }
    }

    fn add(&mut self, other: &Buckets) {
        self.zeros += other.zeros;
        add(&mut self.positive, &other.positive);
        if let Some(negative) = &other.negative {
            add(self.negative.get_or_insert_with(histogram), negative);
        }
    }
}

fn histogram() -> Histogram<u32> {
    Histogram::new(DIGITS).expect("three digits are within the histogram's 0 to 5")
}

/// Adding can fail only for want of address space in a fixed-size histogram; these resize.
fn add(to: &mut Histogram<u32>, from: &Histogram<u32>) {
    let added = to.add(from);
    debug_assert!(added.is_ok(), "resizing histograms always add: {added:?}");
}

/// The middle of the bucket that `units` falls in: what every value of that bucket is taken for.
fn representative(units: u64) -> f64 {
    let bits = u64::BITS - units.leading_zeros();
    let shift = bits.saturating_sub(LINEAR_BITS);
    let lowest = units >> shift << shift;
    (lowest + (1u64 << shift) / 2) as f64
}

impl Trend {
    /// An empty distribution, of times in milliseconds or of plain numbers.
    pub fn new(contains: Contains) -> Trend {
        Trend {
            scale: if contains == Contains::Time { 1e4 } else { 1e6 },
            count: 0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            values: Values::Few(Vec::new()),
        }
    }

    /// Adds a value (milliseconds, for times). What is not a finite number is not a measurement and is left out.
    pub fn record(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        match &mut self.values {
            Values::Many(buckets) => buckets.record(value * self.scale),
            Values::Few(list) => {
                list.push(value);
                if list.len() > EXACT {
                    self.widen();
                }
            }
        }
    }

    fn widen(&mut self) -> &mut Buckets {
        if let Values::Few(list) = &self.values {
            let mut buckets = Box::new(Buckets::new());
            for value in list {
                buckets.record(value * self.scale);
            }
            self.values = Values::Many(buckets);
        }
        match &mut self.values {
            Values::Many(buckets) => buckets,
            Values::Few(_) => unreachable!("widened above"),
        }
    }

    /// Adds all values of `other`, a distribution of the same metric.
    pub fn merge(&mut self, other: &Trend) {
        if let Values::Few(list) = &other.values {
            return list.iter().for_each(|value| self.record(*value));
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        let mine = self.widen();
        if let Values::Many(theirs) = &other.values {
            mine.add(theirs);
        }
    }

    /// What came after `earlier`, an earlier state of this same distribution. Minimum and maximum are then those
    /// of the buckets.
    #[must_use]
    pub fn minus(&self, earlier: &Trend) -> Trend {
        let mut rest = Trend {
            scale: self.scale,
            ..Trend::new(Contains::Default)
        };
        if let (Values::Few(all), Values::Few(old)) = (&self.values, &earlier.values) {
            // A list only ever grows at its end.
            all.iter().skip(old.len()).for_each(|value| rest.record(*value));
            return rest;
        }
        let (mut all, mut old) = (self.clone(), earlier.clone());
        let old = old.widen();
        let left = all.widen();
        left.zeros = left.zeros.saturating_sub(old.zeros);
        subtract(&mut left.positive, &old.positive);
        if let (Some(from), Some(what)) = (&mut left.negative, &old.negative) {
            subtract(from, what);
        }
        rest.count = self.count.saturating_sub(earlier.count);
        rest.sum = self.sum - earlier.sum;
        left.each(|units, _| {
            let value = (units / self.scale).clamp(self.min, self.max);
            rest.min = rest.min.min(value);
            rest.max = rest.max.max(value);
            true
        });
        rest.values = all.values;
        rest
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The least value; 0 when there is none.
    pub fn min(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.min }
    }

    /// The greatest value; 0 when there is none.
    pub fn max(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.max }
    }

    /// The mean; 0 when there are no values.
    pub fn avg(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum / self.count as f64
        }
    }

    /// The median; 0 when there are no values.
    pub fn med(&self) -> f64 {
        self.percentile(50.0)
    }

    /// The value at `p` percent (0 to 100), by the dialect's rule: rank `p/100 · (n - 1)`, linear between the two
    /// values next to it. 0 when there are no values.
    pub fn percentile(&self, p: f64) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let rank = (p / 100.0).clamp(0.0, 1.0) * (self.count - 1) as f64;
        let below = rank.floor();
        let (low, high) = self.neighbours(below as u64);
        low + (high - low) * (rank - below)
    }

    /// The `k`-th least value (from 0) and the one after it.
    fn neighbours(&self, k: u64) -> (f64, f64) {
        let next = (k + 1).min(self.count - 1);
        match &self.values {
            Values::Few(list) => {
                let mut sorted = list.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                (sorted[k as usize], sorted[next as usize])
            }
            Values::Many(buckets) => {
                let (mut seen, mut low, mut high) = (0, None, None);
                buckets.each(|units, count| {
                    seen += count;
                    let value = (units / self.scale).clamp(self.min, self.max);
                    if seen > k && low.is_none() {
                        low = Some(value);
                    }
                    if seen > next {
                        high = Some(value);
                    }
                    high.is_none()
                });
                // The ends are known exactly.
                let low = if k == 0 { self.min } else { low.unwrap_or(self.max) };
                let high = if next == self.count - 1 {
                    self.max
                } else {
                    high.unwrap_or(self.max)
                };
                (low, high.max(low))
            }
        }
    }

    /// Every value, or what stands for it, and how many there are of it. A value counts as the middle of its histogram
    /// bucket from the first one on, so what is made of these never goes down as a run goes on.
    pub fn each(&self, mut visit: impl FnMut(f64, u64)) {
        self.units(|units, count| visit(units / self.scale, count));
    }

    fn units(&self, mut visit: impl FnMut(f64, u64)) {
        match &self.values {
            Values::Few(list) => {
                for value in list {
                    let units = (value * self.scale).round();
                    visit(representative(units.abs() as u64).copysign(units), 1);
                }
            }
            Values::Many(buckets) => buckets.each(|units, count| {
                visit(units, count);
                true
            }),
        }
    }

    /// For each of the ascending `bounds`, how many values are at most that; counted as [`Trend::each`] says.
    pub fn buckets(&self, bounds: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; bounds.len()];
        self.units(|units, count| {
            let at = bounds.partition_point(|bound| bound * self.scale + 0.5 < units);
            if let Some(bucket) = counts.get_mut(at) {
                *bucket += count;
            }
        });
        let mut sum = 0;
        for count in &mut counts {
            sum += *count;
            *count = sum;
        }
        counts
    }
}

/// Takes an earlier state away; one that is not an earlier state leaves the whole, which overstates but never lies
/// about what is missing.
fn subtract(from: &mut Histogram<u32>, what: &Histogram<u32>) {
    let subtracted = from.subtract(what);
    debug_assert!(
        subtracted.is_ok(),
        "an earlier state is part of the later one: {subtracted:?}"
    );
}

#[cfg(test)]
mod tests;
