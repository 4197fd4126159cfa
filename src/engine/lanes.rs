//! What the workers of one open scenario share: which of them have a virtual user to spare, and the numbers of iterations.
//!
//! Due times are dealt to workers in turn, virtual users belong to one worker each, so a worker can have an iteration due
//! and nobody free while its neighbour has. An iteration is dropped only when *no* virtual user of the scenario is free, as
//! if there were no workers. So each worker keeps the count of its free ones where others can see it, and a worker without
//! any reserves one elsewhere and sends the iteration there. While everyone has enough, nothing is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::numbers::Numbers;
use super::signal::Arrival;
use crate::pace::Share;

/// What arrives in a worker's mailbox.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mail {
    /// An iteration for a virtual user that was reserved here.
    Arrival(Arrival),
    /// No worker has anything to send any more.
    Over,
}

/// The workers of one open scenario in this instance, each with a number (its lane).
#[derive(Debug)]
pub(super) struct Lanes {
    all: Vec<Lane>,
    numbers: Numbers,
    /// Virtual users that may still be initialised.
    growth: AtomicU32,
    /// Lanes that still have iterations to come.
    dispatching: AtomicUsize,
}

#[derive(Debug)]
#[repr(align(128))]
struct Lane {
    /// Free virtual users that nobody has reserved.
    free: AtomicU32,
    mailbox: mpsc::UnboundedSender<Mail>,
}

/// One worker's place among the lanes.
pub(super) struct Berth {
    pub(super) lanes: Arc<Lanes>,
    /// Its number.
    pub(super) lane: usize,
    pub(super) mail: mpsc::UnboundedReceiver<Mail>,
    pub(super) turn: Turn,
}

/// A lane's right to send iterations to others; dropped, in whatever way, it has nothing to send any more.
#[derive(Debug)]
pub(super) struct Turn(Arc<Lanes>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl Lanes {
    /// `count` lanes that may together take on `growth` more virtual users; `numbers` are this instance's.
    pub(super) fn berths(count: usize, growth: u32, numbers: &Share) -> Vec<Berth> {
        // Unbounded, but never longer than there are virtual users: each message stands for a reservation.
        let (mailboxes, mails): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::unbounded_channel()).unzip();
        let all = mailboxes
            .into_iter()
            .map(|mailbox| Lane {
                free: AtomicU32::new(0),
                mailbox,
            })
            .collect();
        let (growth, dispatching) = (AtomicU32::new(growth), AtomicUsize::new(count));
        let lanes = Arc::new(Lanes {
            all,
            numbers: Numbers::new(numbers.clone()),
            growth,
            dispatching,
        });
        mails
            .into_iter()
            .enumerate()
            .map(|(lane, mail)| {
                let (lanes, turn) = (Arc::clone(&lanes), Turn(Arc::clone(&lanes)));
                Berth {
                    lanes,
                    lane,
                    mail,
                    turn,
                }
            })
            .collect()
    }

    /// The number of the iteration that begins now.
    pub(super) fn number(&self) -> u64 {
        self.numbers.next()
    }

    /// One more virtual user of `lane` is free.
    pub(super) fn free(&self, lane: usize) {
        self.all[lane].free.fetch_add(1, Ordering::Release);
    }

    /// Reserves a free virtual user of `lane`.
    pub(super) fn reserve(&self, lane: usize) -> bool {
        take_one(&self.all[lane].free)
    }

    /// Has any other lane's free virtual user run `arrival`; false if there is none.
    pub(super) fn send_elsewhere(&self, lane: usize, arrival: Arrival) -> bool {
        let count = self.all.len();
        (1..count)
            .map(|step| &self.all[(lane + step) % count])
            .any(|other| {
                // A mailbox only closes when its lane was stopped, and then the iteration has no place anyway.
                take_one(&other.free) && other.mailbox.send(Mail::Arrival(arrival)).is_ok()
            })
    }

    /// Takes the right to initialise one more virtual user.
    pub(super) fn grow(&self) -> bool {
        take_one(&self.growth)
    }

    /// A lane has nothing to send any more. The last one to say so tells all; because each message was sent before its
    /// sender came here, nothing follows that.
    fn finish(&self) {
        if self.dispatching.fetch_sub(1, Ordering::AcqRel) == 1 {
            for lane in &self.all {
                let _ = lane.mailbox.send(Mail::Over);
            }
        }
    }
}

/// Subtracts one unless there is none.
fn take_one(counter: &AtomicU32) -> bool {
    counter
        .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| n.checked_sub(1))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[test]
    fn a_lane_without_anyone_free_borrows() {
        let mut berths = Lanes::berths(3, 1, &Share::whole());
        let lanes = Arc::clone(&berths[0].lanes);
        let arrival = Arrival { due: Instant::now() };
        assert!(!lanes.reserve(0) && !lanes.send_elsewhere(0, arrival));
        lanes.free(1);
        assert!(!lanes.reserve(0) && lanes.send_elsewhere(0, arrival));
        assert!(!lanes.reserve(1), "it is spoken for");
        assert!(matches!(
            berths[1].mail.try_recv(),
            Ok(Mail::Arrival(Arrival { due })) if due == arrival.due
        ));
        assert!(lanes.grow() && !lanes.grow());
        let (turns, mut mails): (Vec<_>, Vec<_>) =
            berths.into_iter().map(|berth| (berth.turn, berth.mail)).unzip();
        for turn in turns {
            assert!(mails.iter_mut().all(|mail| mail.try_recv().is_err()));
            drop(turn);
        }
        assert!(
            mails
                .iter_mut()
                .all(|mail| matches!(mail.try_recv(), Ok(Mail::Over)))
        );
    }
}
