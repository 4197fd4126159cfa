//! Who a virtual user is, and which of its iterations is under way.

use std::{collections::BTreeMap, sync::Arc};

use super::around::Around;
use crate::metrics::TagSet;

/// Who a virtual user is.
#[derive(Clone, Default)]
pub struct Seat {
    /// `__VU`: 1-based; 0 loads the script and runs `setup`, `teardown` and `handleSummary`.
    pub vu: u64,
    /// Its number in the whole test.
    pub vu_in_test: u64,
    /// The exported function that an iteration calls.
    pub exec: String,
    /// The scenario's `env`, over the program's.
    pub env: BTreeMap<String, String>,
    /// What every sample of this user carries: run tags, scenario and scenario tags.
    pub tags: TagSet,
    /// What answers when the script asks about the run.
    pub around: Option<Arc<dyn Around>>,
}

/// An iteration's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// `__ITER`: how many the virtual user has begun before.
    pub in_vu: u64,
    /// Its number in the scenario, over all virtual users.
    pub in_scenario: u64,
}
