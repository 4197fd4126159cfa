//! What `verify()` found after the run: its own section of the summary.

use crate::metrics::{Snapshot, builtin};

use super::checks::checks;
use super::format::Palette;
use super::summary::title;

/// The outcome of `verify()`. Its requests are not among the run's: they are made when the run's results are final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Each check by its name, and whether it held every time.
    pub checks: Vec<(String, bool)>,
    /// Requests it made.
    pub requests: u64,
    /// Why it did not run to its end.
    pub error: Option<String>,
}

impl Verification {
    /// From what it recorded.
    pub fn new(recorded: &Snapshot, error: Option<String>) -> Verification {
        let all = checks(recorded, |_| true);
        Verification {
            checks: all
                .into_iter()
                .map(|check| (check.name, check.fails == 0))
                .collect(),
            requests: recorded.count(builtin::HTTP_REQS) as u64,
            error,
        }
    }

    /// Whether everything held.
    pub fn passed(&self) -> bool {
        self.error.is_none() && self.checks.iter().all(|(_, held)| *held)
    }

    /// What did not hold, in one line; `None` if everything did.
    pub fn failure(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(error.clone());
        }
        let failed: Vec<String> = self
            .checks
            .iter()
            .filter(|(_, held)| !held)
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        (!failed.is_empty()).then(|| format!("{} did not hold", failed.join(", ")))
    }

    /// The section of the summary.
    pub fn section(&self, color: bool) -> String {
        let palette = Palette(color);
        let mut text = title("VERIFY", "", palette);
        for (name, held) in &self.checks {
            let line = if *held {
                palette.good(&format!("✓ {name}"))
            } else {
                palette.bad(&format!("✗ {name}"))
            };
            text += &format!("    {line}\n");
        }
        if let Some(error) = &self.error {
            text += &format!("    {}\n", palette.bad(&format!("✗ {error}")));
        }
        if self.checks.is_empty() && self.error.is_none() {
            text += "    no check was made\n";
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verification(checks: &[(&str, bool)], error: Option<&str>) -> Verification {
        Verification {
            checks: checks
                .iter()
                .map(|(name, held)| ((*name).to_owned(), *held))
                .collect(),
            requests: 0,
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn a_check_that_did_not_hold_is_named() {
        let bad = verification(
            &[("orders are 100", true), ("stock is 0", false), ("b", false)],
            None,
        );
        assert!(!bad.passed());
        assert_eq!(bad.failure().unwrap(), "`stock is 0`, `b` did not hold");
        assert_eq!(
            bad.section(false),
            "  █ VERIFY \n\n    ✓ orders are 100\n    ✗ stock is 0\n    ✗ b\n"
        );
    }

    #[test]
    fn an_error_fails_it_and_nothing_at_all_is_said() {
        let broken = verification(&[("a", true)], Some("it took longer than 60 s"));
        assert!(!broken.passed());
        assert_eq!(broken.failure().unwrap(), "it took longer than 60 s");
        let empty = verification(&[], None);
        assert!(empty.passed() && empty.failure().is_none());
        assert!(empty.section(false).contains("no check was made"));
    }
}
