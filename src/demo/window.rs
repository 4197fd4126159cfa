//! So many in each second, or in each minute.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::locked;

/// Lets so many in within each window of time. The windows follow each other from the start.
#[derive(Debug)]
pub struct Window {
    length: Duration,
    most: u32,
    since: Instant,
    /// Which window it is, and how many came in it.
    now: Mutex<(u128, u32)>,
}

impl Window {
    /// `most` in each `length`, from now on.
    pub fn new(length: Duration, most: u32) -> Window {
        Window {
            length,
            most,
            since: Instant::now(),
            now: Mutex::default(),
        }
    }

    /// Lets one in, or tells how long it is until the next window.
    pub fn enter(&self, at: Instant) -> Result<(), Duration> {
        let passed = at.saturating_duration_since(self.since).as_nanos();
        let length = self.length.as_nanos().max(1);
        let mut now = locked(&self.now);
        if now.0 != passed / length {
            *now = (passed / length, 0);
        }
        if now.1 < self.most {
            now.1 += 1;
            return Ok(());
        }
        let left = length - passed % length;
        Err(Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_come_in_within_each_window() {
        let window = Window::new(Duration::from_secs(1), 2);
        let at = |ms| window.enter(window.since + Duration::from_millis(ms));
        assert_eq!((at(0), at(1)), (Ok(()), Ok(())));
        assert_eq!(at(400), Err(Duration::from_millis(600)));
        assert_eq!((at(1000), at(1999)), (Ok(()), Ok(())));
        assert_eq!(at(1999), Err(Duration::from_millis(1)));
        assert_eq!(at(7000), Ok(()));
    }
}
