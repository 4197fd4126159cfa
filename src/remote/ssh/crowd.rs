//! Whether so many streams of a session move at once that acknowledgements had better go along with what is sent anyway.
//!
//! sshd keeps a small packet back until the one before it is acknowledged (Nagle's algorithm). To acknowledge at once gives
//! each answer the shortest way, and costs both ends a wake-up for each. Where many streams of a near server move at the same
//! time these wake-ups are what limits all of them; then answers may gather until the next requests acknowledge the last
//! ones, as they do for `ssh -L`. From a server that is far, that would cost round trips. Requests never wait.

use std::time::{Duration, Instant};

/// Streams that move within this time move at once. It is looked at as often, so that nothing waits longer than twice this
/// for company that does not come.
pub const WINDOW: Duration = Duration::from_millis(5);
/// So many streams are many.
const MANY: u32 = 8;
/// A server whose answer takes less is near: in this time a processor encrypts a good many packets.
pub const NEAR: Duration = Duration::from_millis(2);

/// Counts the streams that move within a window.
#[derive(Debug)]
pub struct Crowd {
    since: Instant,
    /// The number of this window.
    window: u32,
    moved: u32,
    many: bool,
}

/// The window in which a stream moved last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen(u32);

impl Crowd {
    /// Nobody has moved yet.
    pub fn new(now: Instant) -> Crowd {
        Crowd {
            since: now,
            window: 1,
            moved: 0,
            many: false,
        }
    }

    /// A stream has moved something.
    pub fn moved(&mut self, seen: &mut Seen) {
        if seen.0 != self.window {
            seen.0 = self.window;
            self.moved += 1;
        }
    }

    /// Whether acknowledgements may wait, for a server whose shortest round trip is known.
    pub fn look(&mut self, now: Instant, round_trip: Option<Duration>) -> bool {
        if now.duration_since(self.since) >= WINDOW {
            self.many = self.moved >= MANY && round_trip.is_some_and(|least| least < NEAR);
            self.moved = 0;
            self.window = self.window.wrapping_add(1).max(1);
            self.since = now;
        }
        self.many
    }

    /// Whether they were to when it was looked last: it has to be looked again within a [`WINDOW`].
    pub fn is_many(&self) -> bool {
        self.many
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_streams_of_a_near_server_are_a_crowd() {
        let near = Some(Duration::from_micros(200));
        for (streams, round_trip, many) in [
            (7, near, false),
            (8, near, true),
            (8, Some(NEAR), false),
            (8, None, false),
        ] {
            let begin = Instant::now();
            let mut crowd = Crowd::new(begin);
            // However often one of them moves.
            for seen in &mut vec![Seen::default(); streams] {
                (0..100).for_each(|_| crowd.moved(seen));
            }
            assert!(!crowd.look(begin + WINDOW / 2, round_trip));
            assert_eq!(
                crowd.look(begin + WINDOW, round_trip),
                many,
                "{streams} {round_trip:?}"
            );
            assert_eq!(crowd.is_many(), many);
            // When they rest it is over.
            assert!(!crowd.look(begin + 2 * WINDOW, round_trip));
        }
    }
}
