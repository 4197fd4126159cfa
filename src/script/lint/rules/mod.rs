//! One file per mistake.

mod body_discarded;
mod check_never_fails;
mod check_never_passes;
mod expected_status_fails;
mod ignore_unknown;
mod key_twice;
mod metric_never_written;
mod not_exported;
mod option_misspelt;
mod promise_not_awaited;
mod rate_one_sided;
mod soak_without_pause;
mod threshold_always_holds;
mod threshold_misspelt;
mod unbounded_name;
mod unit_mistaken;
mod variable_never_read;

use super::Rule;

/// All of them.
pub const ALL: &[Rule] = &[
    body_discarded::RULE,
    check_never_fails::RULE,
    check_never_passes::RULE,
    expected_status_fails::RULE,
    ignore_unknown::RULE,
    key_twice::RULE,
    metric_never_written::RULE,
    not_exported::RULE,
    option_misspelt::RULE,
    promise_not_awaited::RULE,
    rate_one_sided::RULE,
    soak_without_pause::RULE,
    threshold_always_holds::RULE,
    threshold_misspelt::RULE,
    unbounded_name::RULE,
    unit_mistaken::RULE,
    variable_never_read::RULE,
];
