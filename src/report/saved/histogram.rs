//! The distribution of a trend's values in a saved run. Nothing of it is lost by saving: what is read again adds up with
//! others to what one run would have had.

use serde::{Deserialize, Serialize};

use crate::metrics::{BucketParts, Contains, PartsError, Trend, TrendParts};

use super::number::{list, number};

/// A trend's series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedTrend {
    pub tags: usize,
    pub count: u64,
    #[serde(serialize_with = "number")]
    pub sum: f64,
    #[serde(serialize_with = "number")]
    pub min: f64,
    #[serde(serialize_with = "number")]
    pub max: f64,
    /// The values themselves, while they are few.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "list")]
    pub values: Vec<f64>,
    /// How many values there are in which range, once they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<SavedBuckets>,
}

/// The buckets of an HDR histogram of three significant digits that hold something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SavedBuckets {
    pub zeros: u64,
    /// Step and count by turns.
    pub positive: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub negative: Vec<u64>,
}

impl SavedTrend {
    /// The distribution as it is saved, under this tag set.
    pub fn new(tags: usize, trend: &Trend) -> SavedTrend {
        let parts = trend.parts();
        SavedTrend {
            tags,
            count: parts.count,
            sum: parts.sum,
            min: parts.min,
            max: parts.max,
            values: parts.values,
            buckets: parts.buckets.map(|buckets| SavedBuckets {
                zeros: buckets.zeros,
                positive: buckets.positive,
                negative: buckets.negative,
            }),
        }
    }

    /// The distribution.
    ///
    /// # Errors
    /// Numbers that contradict each other.
    pub fn trend(&self, contains: Contains) -> Result<Trend, PartsError> {
        let buckets = self.buckets.as_ref().map(|buckets| BucketParts {
            zeros: buckets.zeros,
            positive: buckets.positive.clone(),
            negative: buckets.negative.clone(),
        });
        let parts = TrendParts {
            count: self.count,
            sum: self.sum,
            min: self.min,
            max: self.max,
            values: self.values.clone(),
            buckets,
        };
        Trend::from_parts(contains, &parts)
    }
}
