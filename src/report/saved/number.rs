//! Numbers as a saved run holds them: always JSON, whole ones without `.0`, and no more digits than mean something.

use serde::{Serialize, Serializer};

use crate::report::data::json_number;

/// What JSON cannot say, nothing that is measured can be; the sum of absurd values can.
fn sayable(value: f64) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(f64::MIN, f64::MAX)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(super) fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    json_number(sayable(*value)).serialize(serializer)
}

pub(super) fn list<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| json_number(sayable(*value))))
}

/// Rounded to a ten-thousandth, for numbers that were interpolated or averaged.
pub(super) fn rounded(value: f64) -> f64 {
    (sayable(value) * 1e4).round() / 1e4
}

/// A time on the axis, in seconds to the microsecond.
pub(super) fn seconds(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
