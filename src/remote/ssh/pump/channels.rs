//! The channels of a loop: opened for who waits, then ahead; closed when nobody will take them.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::traffic::{Target, Traffic};
use super::super::transport::{Channel, Failed};
use super::Pump;

/// After a refusal nothing is opened ahead for this long.
const PAUSE: Duration = Duration::from_secs(1);
/// Refusals are told this often.
const TELL: Duration = Duration::from_secs(10);

impl Pump<'_> {
    /// A channel that was opened ahead and still leads somewhere.
    pub(super) fn warm_channel(&mut self, target: usize) -> Option<Channel> {
        while let Some(channel) = self.warm[target].channels.pop() {
            self.traffic.warm.fetch_sub(1, Ordering::Relaxed);
            if !channel.is_over() {
                return Some(channel);
            }
            self.closing.push(channel);
        }
        None
    }

    /// Goes on with opening channels: for who waits, then ahead.
    pub(super) fn open(&mut self) -> Result<(), String> {
        while let Some(target) = self.opening.or_else(|| self.next_to_open()) {
            self.opening = Some(target);
            let Target { host, port } = &self.targets[target];
            match self.transport.open(host, *port) {
                Ok(None) => return Ok(()),
                Ok(Some(channel)) => {
                    self.opening = None;
                    match self.take_waiting(target) {
                        Some(at) => self.begin(at, channel)?,
                        None => {
                            self.warm[target].channels.push(channel);
                            Traffic::add(&self.traffic.warm, 1);
                        }
                    }
                }
                Err(Failed::Channel(reason)) => {
                    self.opening = None;
                    self.refused(target, &reason);
                }
                Err(Failed::Session(reason)) => return Err(reason),
            }
        }
        self.traffic.opening.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn next_to_open(&self) -> Option<usize> {
        let waiting = self.waiting.iter().find_map(|at| self.streams[*at].as_ref());
        if let Some(entry) = waiting {
            return Some(entry.target);
        }
        let now = Instant::now();
        self.warm
            .iter()
            .position(|warm| warm.is_short() && warm.paused.is_none_or(|until| now >= until))
    }

    fn take_waiting(&mut self, target: usize) -> Option<usize> {
        let streams = &self.streams;
        let wanted = |at: &usize| streams[*at].as_ref().is_some_and(|entry| entry.target == target);
        let place = self.waiting.iter().position(wanted)?;
        let taken = self.waiting.remove(place);
        self.count_waiting();
        taken
    }

    pub(super) fn count_waiting(&self) {
        self.traffic
            .waiting
            .store(self.waiting.len() as u64, Ordering::Relaxed);
    }

    fn refused(&mut self, target: usize, reason: &str) {
        let asked = self.take_waiting(target).and_then(|at| self.remove(at));
        let prohibited = reason.contains("prohibited");
        let matters = asked.is_some() || prohibited;
        if let Some(entry) = asked {
            Traffic::add(&self.traffic.refused, 1);
            entry.stream.reset();
        }
        let now = Instant::now();
        let warm = &mut self.warm[target];
        warm.paused = Some(now + PAUSE);
        // Nobody may ever use what could not be opened ahead.
        if matters && warm.told.is_none_or(|told| now >= told + TELL) {
            warm.told = Some(now);
            let Target { host, port } = &self.targets[target];
            let mend = if prohibited {
                "does sshd allow it (AllowTcpForwarding, PermitOpen)?"
            } else {
                "is the service running there?"
            };
            tracing::warn!("the server does not connect to {host} port {port}: {reason}; {mend}");
        }
    }

    /// Goes on with closing what was opened ahead for nothing.
    pub(super) fn close(&mut self) -> Result<(), String> {
        let mut at = 0;
        while at < self.closing.len() {
            match self.closing[at].close() {
                Ok(None) => at += 1,
                Ok(Some(())) | Err(Failed::Channel(_)) => {
                    self.closing.swap_remove(at);
                }
                Err(Failed::Session(reason)) => return Err(reason),
            }
        }
        Ok(())
    }

    /// Takes out what was opened ahead and has ended since, as services close connections that say nothing; and what is
    /// no longer wanted.
    pub(super) fn sweep(&mut self) {
        let now = Instant::now();
        let elapsed = now.duration_since(std::mem::replace(&mut self.swept, now));
        let round_trip = Duration::from_nanos(self.traffic.round_trip.load(Ordering::Relaxed));
        let before = self.closing.len();
        for warm in &mut self.warm {
            warm.look(elapsed, round_trip);
            warm.sweep(&mut self.closing);
            self.again |= warm.is_short();
        }
        let gone = self.closing.len() - before;
        self.traffic.warm.fetch_sub(gone as u64, Ordering::Relaxed);
    }
}
