//! Channels of one target that are opened ahead, and how many there should be.

use std::time::{Duration, Instant};

use super::transport::Channel;

/// Connections do not come evenly: so many times as many channels are kept ahead as come on average while one is opened.
const SPARE: f64 = 3.0;

/// Channels of one target that are open ahead.
#[derive(Default)]
pub struct Warm {
    /// These, the one to take next last.
    pub channels: Vec<Channel>,
    /// How many there are to be, with those in use.
    pub wanted: usize,
    /// Nothing is opened ahead before this.
    pub paused: Option<Instant>,
    /// When somebody was told of a refusal.
    pub told: Option<Instant>,
    /// Streams of this target.
    active: usize,
    /// Streams that came since the last look.
    came: u32,
    /// As many come while one is being opened.
    spare: usize,
}

impl Warm {
    /// How many channels to keep open ahead. sshd looks after all channels of a session whenever one of them has something,
    /// so that those that nobody will take slow down those in use: who has one needs none ahead. But where connections come
    /// and go, each of them would have to wait for its channel: what comes while one is opened is ahead, too.
    pub fn ahead(&self) -> usize {
        let unused = self.wanted.saturating_sub(self.active);
        unused.max(self.spare.min(self.wanted))
    }

    /// Whether one has to be opened.
    pub fn is_short(&self) -> bool {
        self.channels.len() < self.ahead()
    }

    /// A stream has come.
    pub fn came(&mut self) {
        self.active += 1;
        self.came += 1;
    }

    /// A stream has gone.
    pub fn gone(&mut self) {
        self.active = self.active.saturating_sub(1);
    }

    /// Moves what has ended since, and what is too many, to those that are to be closed.
    pub fn sweep(&mut self, closing: &mut Vec<Channel>) {
        let (over, good) = std::mem::take(&mut self.channels)
            .into_iter()
            .partition(Channel::is_over);
        self.channels = good;
        let over: Vec<Channel> = over;
        closing.extend(over);
        let most = self.ahead().min(self.channels.len());
        closing.extend(self.channels.drain(most..));
    }

    /// Takes in what came in some time, if opening a channel takes a round trip.
    pub fn look(&mut self, elapsed: Duration, round_trip: Duration) {
        let rate = f64::from(std::mem::take(&mut self.came)) / elapsed.as_secs_f64().max(1e-3);
        self.spare = (rate * round_trip.as_secs_f64() * SPARE).round() as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(wanted: usize, came: usize) -> Warm {
        let mut warm = Warm {
            wanted,
            ..Warm::default()
        };
        (0..came).for_each(|_| warm.came());
        warm
    }

    #[test]
    fn who_has_a_channel_needs_none_ahead() {
        assert_eq!(with(200, 0).ahead(), 200);
        assert_eq!(with(200, 50).ahead(), 150);
        assert_eq!(with(200, 300).ahead(), 0);
        let mut warm = with(200, 200);
        warm.gone();
        assert_eq!(warm.ahead(), 1);
        assert!(warm.is_short());
    }

    #[test]
    fn as_many_are_ahead_as_come_while_one_is_opened() {
        let (second, far, near) = (
            Duration::from_secs(1),
            Duration::from_millis(50),
            Duration::from_micros(300),
        );
        let mut warm = with(100, 200);
        warm.look(second, far);
        assert_eq!(warm.ahead(), 30);
        // Not more than were asked for.
        let mut warm = with(10, 200);
        warm.look(second, far);
        assert_eq!(warm.ahead(), 10);
        let mut warm = with(100, 200);
        warm.look(second, near);
        assert_eq!(warm.ahead(), 0);
        // Nobody has come since.
        warm.look(second, far);
        assert_eq!(warm.ahead(), 0);
    }
}
