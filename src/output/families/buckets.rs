//! A histogram of the page: fixed bounds for everybody, exponential buckets for those who can read them, and examples.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::metrics::Trend;

/// Bounds of duration histograms, in seconds: a sub-millisecond service and a timeout of a minute both show.
pub(in crate::output) const SECONDS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// Bounds of sizes, in bytes.
pub(in crate::output) const BYTES: &[f64] = &[
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    16_777_216.0,
];
/// Bounds of plain numbers.
pub(in crate::output) const NUMBERS: &[f64] = &[
    0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 1e4, 1e5, 1e6,
];

/// A request whose trace can be looked at, as an example of a bucket's.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::output) struct Exemplar {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// In the histogram's unit.
    pub value: f64,
    pub at: SystemTime,
}

/// Several distributions' values, counted into buckets.
#[derive(Debug, Clone)]
pub(in crate::output) struct Buckets {
    bounds: &'static [f64],
    /// What a trend's values are multiplied with to become the bounds' unit.
    unit: f64,
    counts: Vec<u64>,
    sum: f64,
    count: u64,
    native: Native,
    /// By the index of their bucket; the one past the bounds is `+Inf`.
    exemplars: BTreeMap<usize, Exemplar>,
}

impl Buckets {
    pub(in crate::output) fn new(bounds: &'static [f64], unit: f64) -> Buckets {
        Buckets {
            bounds,
            unit,
            counts: vec![0; bounds.len()],
            sum: 0.0,
            count: 0,
            native: Native::default(),
            exemplars: BTreeMap::new(),
        }
    }

    /// For trends in milliseconds.
    pub(in crate::output) fn seconds() -> Buckets {
        Buckets::new(SECONDS, 1e-3)
    }

    pub(in crate::output) fn add(&mut self, trend: &Trend) {
        let bounds: Vec<f64> = self.bounds.iter().map(|bound| bound / self.unit).collect();
        for (count, more) in self.counts.iter_mut().zip(trend.buckets(&bounds)) {
            *count += more;
        }
        trend.each(|value, count| self.native.add(value * self.unit, count));
        self.sum += trend.sum() * self.unit;
        self.count += trend.count();
    }

    /// Shows this one for its bucket, unless there is a newer one.
    pub(in crate::output) fn exemplify(&mut self, exemplar: Exemplar) {
        let at = self.bounds.partition_point(|bound| *bound < exemplar.value);
        match self.exemplars.get(&at) {
            Some(known) if known.at >= exemplar.at => {}
            _ => {
                self.exemplars.insert(at, exemplar);
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    /// Bounds and how many values are at most that; without `+Inf`.
    pub(super) fn classic(&self) -> impl Iterator<Item = (f64, u64)> {
        self.bounds.iter().copied().zip(self.counts.iter().copied())
    }

    pub(super) fn native(&self) -> &Native {
        &self.native
    }

    pub(super) fn exemplars(&self) -> impl Iterator<Item = &Exemplar> {
        self.exemplars.values()
    }
}

/// Sixteen buckets for each doubling: a value is off by at most 2.2 %, whatever its size.
pub(super) const SCHEMA: i32 = 4;

/// Prometheus' native histogram: exponential buckets, of which only those with values exist.
///
/// Bucket `i` holds values in `(2^((i-1)/16), 2^(i/16)]`, as in the data model of OpenMetrics and of
/// <https://prometheus.io/docs/specs/native_histograms/>.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Native {
    pub(super) zeros: u64,
    pub(super) positive: BTreeMap<i32, u64>,
    pub(super) negative: BTreeMap<i32, u64>,
}

impl Native {
    fn add(&mut self, value: f64, count: u64) {
        let side = if value == 0.0 {
            self.zeros += count;
            return;
        } else if value > 0.0 {
            &mut self.positive
        } else {
            &mut self.negative
        };
        let index = (value.abs().log2() * f64::from(1 << SCHEMA)).ceil() as i32;
        *side.entry(index).or_insert(0) += count;
    }
}
