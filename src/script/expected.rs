//! Which statuses a script expects: `http.expectedStatuses`, `http.setResponseCallback`.

/// Statuses and ranges of them, or no judgement at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Inclusive ranges; a single status is a range of one.
    Statuses(Vec<(u16, u16)>),
    /// `setResponseCallback(null)`: requests are neither expected nor failed.
    Unjudged,
}

impl Default for Expected {
    /// The dialect's default: 200 to 399.
    fn default() -> Expected {
        Expected::Statuses(vec![(200, 399)])
    }
}

impl Expected {
    /// Whether a response of this status is expected; a request without a response (status 0) never is.
    pub fn judge(&self, status: u16) -> Option<bool> {
        match self {
            Expected::Statuses(ranges) => {
                Some(ranges.iter().any(|(low, high)| (*low..=*high).contains(&status)))
            }
            Expected::Unjudged => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_both_ends_and_a_failed_request_is_never_expected() {
        let default = Expected::default();
        for (status, expected) in [(0, false), (199, false), (200, true), (399, true), (400, false)] {
            assert_eq!(default.judge(status), Some(expected), "{status}");
        }
        assert_eq!(Expected::Statuses(vec![(402, 402)]).judge(200), Some(false));
        assert_eq!(Expected::Unjudged.judge(500), None);
    }
}
