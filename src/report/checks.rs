//! Checks, counted by name and by group.

use crate::metrics::{Snapshot, TagSet, Value, builtin};

/// One check's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) passes: u64,
    pub(super) fails: u64,
}

/// Checks whose tags `wanted` accepts, one per name, in the order in which the run first saw them.
pub(super) fn checks(snapshot: &Snapshot, wanted: impl Fn(&TagSet) -> bool) -> Vec<Check> {
    let mut list: Vec<Check> = Vec::new();
    // Rows are in the order of their tag sets' ids, which is the order of first sight.
    for row in snapshot.rows_of(builtin::CHECKS) {
        let tags = snapshot.tags(row);
        let Value::Rate { passes, total } = row.value else {
            continue;
        };
        if !wanted(&tags) {
            continue;
        }
        let name = tags.get("check").unwrap_or("");
        let fails = total - passes;
        match list.iter_mut().find(|check| check.name == name) {
            Some(check) => {
                check.passes += passes;
                check.fails += fails;
            }
            None => list.push(Check {
                name: name.to_owned(),
                passes,
                fails,
            }),
        }
    }
    list
}
