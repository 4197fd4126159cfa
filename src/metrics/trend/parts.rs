//! A distribution as plain numbers, so that it can be written to a file, read again, and added to another one.

use hdrhistogram::Histogram;

use super::{Buckets, Contains, Trend, Values, histogram};

/// A distribution taken apart. `values` holds the samples while there are few; `buckets` what is counted after that.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrendParts {
    pub count: u64,
    pub sum: f64,
    /// 0 without values.
    pub min: f64,
    /// 0 without values.
    pub max: f64,
    pub values: Vec<f64>,
    pub buckets: Option<BucketParts>,
}

/// The buckets of a histogram of three significant digits that hold something. A unit is a tenth of a microsecond for
/// times, a millionth for everything else.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BucketParts {
    /// Values of less than half a unit.
    pub zeros: u64,
    /// Step and count by turns. Steps add up to the least number of units that falls in the bucket.
    pub positive: Vec<u64>,
    /// The same for values below zero, without their sign.
    pub negative: Vec<u64>,
}

/// Parts that are not those of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    #[error("a distribution of {count} values holds {held}")]
    Count { count: u64, held: u64 },
    #[error("a distribution's least and greatest value, or its sum, are no such numbers")]
    Range,
    #[error("a histogram's buckets are not pairs of step and count, ascending and within bounds")]
    Buckets,
}

/// The greatest number of units that is recorded.
const GREATEST: u64 = 1 << 62;

impl Trend {
    /// The distribution as plain numbers. [`Trend::from_parts`] makes an equal one of them.
    pub fn parts(&self) -> TrendParts {
        let (values, buckets) = match &self.values {
            Values::Few(list) => (list.clone(), None),
            Values::Many(buckets) => (Vec::new(), Some(buckets.parts())),
        };
        TrendParts {
            count: self.count,
            sum: self.sum,
            min: self.min(),
            max: self.max(),
            values,
            buckets,
        }
    }

    /// The distribution of these parts, which are those of a metric of this content.
    ///
    /// # Errors
    /// Parts that contradict each other, as in a file that somebody has edited.
    pub fn from_parts(contains: Contains, parts: &TrendParts) -> Result<Trend, PartsError> {
        let finite = [parts.sum, parts.min, parts.max].iter().all(|x| x.is_finite());
        if !finite || parts.min > parts.max || !parts.values.iter().all(|value| value.is_finite()) {
            return Err(PartsError::Range);
        }
        let (values, held) = match &parts.buckets {
            None => (Values::Few(parts.values.clone()), parts.values.len() as u64),
            Some(buckets) => {
                let (made, held) = buckets.build()?;
                (Values::Many(Box::new(made)), held)
            }
        };
        // A bucket is full at 2^32 - 1 values; past that the count alone is right.
        let full = held >= u64::from(u32::MAX);
        if held > parts.count || (held < parts.count && !full) {
            return Err(PartsError::Count {
                count: parts.count,
                held,
            });
        }
        let empty = parts.count == 0;
        Ok(Trend {
            scale: Trend::new(contains).scale,
            count: parts.count,
            sum: parts.sum,
            min: if empty { f64::INFINITY } else { parts.min },
            max: if empty { f64::NEG_INFINITY } else { parts.max },
            values,
        })
    }
}

impl Buckets {
    fn parts(&self) -> BucketParts {
        BucketParts {
            zeros: self.zeros,
            positive: pairs(&self.positive),
            negative: self.negative.as_ref().map(pairs).unwrap_or_default(),
        }
    }
}

fn pairs(histogram: &Histogram<u32>) -> Vec<u64> {
    let (mut pairs, mut before) = (Vec::new(), 0);
    for step in histogram.iter_recorded() {
        let lowest = histogram.lowest_equivalent(step.value_iterated_to());
        pairs.extend([lowest - before, u64::from(step.count_at_value())]);
        before = lowest;
    }
    pairs
}

impl BucketParts {
    /// The buckets, and how many values they hold.
    fn build(&self) -> Result<(Buckets, u64), PartsError> {
        let (positive, above) = filled(&self.positive)?;
        let (negative, below) = filled(&self.negative)?;
        let buckets = Buckets {
            zeros: self.zeros,
            positive,
            negative: (!self.negative.is_empty()).then_some(negative),
        };
        let held = above
            .checked_add(below)
            .and_then(|sum| sum.checked_add(self.zeros));
        Ok((buckets, held.ok_or(PartsError::Buckets)?))
    }
}

fn filled(pairs: &[u64]) -> Result<(Histogram<u32>, u64), PartsError> {
    let (mut made, mut at, mut held) = (histogram(), 0_u64, 0_u64);
    for pair in pairs.chunks(2) {
        let &[step, count] = pair else {
            return Err(PartsError::Buckets);
        };
        at = at.checked_add(step).ok_or(PartsError::Buckets)?;
        let count = u32::try_from(count).map_err(|_| PartsError::Buckets)?;
        if step == 0 || count == 0 || at > GREATEST || made.record_n(at, count).is_err() {
            return Err(PartsError::Buckets);
        }
        held += u64::from(count);
    }
    Ok((made, held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trend(contains: Contains, values: &[f64]) -> Trend {
        let mut trend = Trend::new(contains);
        for value in values {
            trend.record(*value);
        }
        trend
    }

    /// What a reader can tell of a distribution.
    fn face(trend: &Trend) -> Vec<String> {
        let percentiles = [0.0, 10.0, 50.0, 90.0, 99.0, 99.9].map(|p| trend.percentile(p).to_string());
        let rest = [trend.count() as f64, trend.sum(), trend.min(), trend.max()];
        percentiles
            .into_iter()
            .chain(rest.iter().map(f64::to_string))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_was_taken_apart_is_the_same_when_put_together(
            values in prop::collection::vec(prop_oneof![Just(0.0), -50.0..50.0, 1e-6..1e7], 0..400),
            time: bool,
        ) {
            let contains = if time { Contains::Time } else { Contains::Default };
            let whole = trend(contains, &values);
            let again = Trend::from_parts(contains, &whole.parts()).unwrap();
            prop_assert_eq!(face(&again), face(&whole));
            prop_assert_eq!(again.parts(), whole.parts());
        }

        #[test]
        fn distributions_that_were_read_again_add_up_as_the_originals_do(
            few in prop::collection::vec(0.0..1e5, 0..100),
            many in prop::collection::vec(0.0..1e5, 129..300),
        ) {
            let again = |values: &[f64]| {
                Trend::from_parts(Contains::Time, &trend(Contains::Time, values).parts()).unwrap()
            };
            let mut sum = again(&many);
            sum.merge(&again(&few));
            let mut expected = trend(Contains::Time, &many);
            expected.merge(&trend(Contains::Time, &few));
            prop_assert_eq!(face(&sum), face(&expected));
        }
    }

    #[test]
    fn parts_that_contradict_each_other_are_refused() {
        let good = trend(Contains::Time, &[1.5; 200]).parts();
        let buckets = good.buckets.clone().unwrap();
        let with = |change: &dyn Fn(&mut TrendParts, &mut BucketParts)| {
            let (mut parts, mut inner) = (good.clone(), buckets.clone());
            change(&mut parts, &mut inner);
            parts.buckets = Some(inner);
            Trend::from_parts(Contains::Time, &parts).map(|_| ()).unwrap_err()
        };
        assert_eq!(
            with(&|parts, _| parts.count = 7),
            PartsError::Count { count: 7, held: 200 }
        );
        assert_eq!(with(&|parts, _| parts.min = 9.0), PartsError::Range);
        assert_eq!(with(&|parts, _| parts.sum = f64::NAN), PartsError::Range);
        for wrong in [
            vec![1],
            vec![0, 200],
            vec![1, 0],
            vec![u64::MAX, 200],
            vec![1, u64::MAX],
        ] {
            assert_eq!(
                with(&|_, inner| inner.positive.clone_from(&wrong)),
                PartsError::Buckets
            );
        }
    }
}
