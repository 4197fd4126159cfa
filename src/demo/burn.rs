//! Burns CPU: the cost of a request of the embedded target is real work, so that it shows in the machine's counters.
//!
//! The amount is measured by the thread's own CPU clock where there is one, not by the wall: a thread that waits for a
//! core has not worked yet, and an overloaded machine must not make its requests cheaper.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Steps of work between two looks at the clock: about half a microsecond.
const STEPS: u32 = 256;

/// Keeps the calling thread's core busy until it has used `cost` of CPU time.
pub fn burn(cost: Duration) {
    let wall = Instant::now();
    let cpu = thread_cpu_time();
    let used = || match (cpu, thread_cpu_time()) {
        (Some(then), Some(now)) => now.saturating_sub(then),
        _ => wall.elapsed(),
    };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while used() < cost {
        for _ in 0..STEPS {
            state ^= state << 13;
            state ^= state >> 7;
            state = black_box(state ^ (state << 17));
        }
    }
}

/// CPU time that the calling thread has used; `None` where the system does not tell.
pub fn thread_cpu_time() -> Option<Duration> {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .ok()
        .map(Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_paid_in_cpu_time() {
        let before = thread_cpu_time().expect("this system has the clock");
        burn(Duration::from_millis(20));
        let used = thread_cpu_time()
            .expect("this system has the clock")
            .saturating_sub(before);
        assert!(used >= Duration::from_millis(20), "{used:?}");
        assert!(used < Duration::from_millis(30), "{used:?}");
    }

    #[test]
    fn nothing_costs_nothing() {
        let before = Instant::now();
        burn(Duration::ZERO);
        assert!(before.elapsed() < Duration::from_millis(5));
    }
}
