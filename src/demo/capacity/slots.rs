//! Worker slots: threads that burn the cost of one request at a time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Limits;
use super::line::{Busy, Line, Place, Station};
use crate::demo::burn::burn;
use crate::demo::locked;

/// The threads; dropping this ends them.
#[derive(Debug)]
pub struct Slots(Arc<Jobs>);

/// What the threads have to do.
#[derive(Debug)]
pub struct Jobs {
    workers: usize,
    waiting: Mutex<VecDeque<Job>>,
    arrived: Condvar,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Job {
    place: Place,
    cost: Duration,
    done: oneshot::Sender<()>,
}

impl Slots {
    /// Starts a thread for each slot.
    pub fn start(limits: &Limits, line: &Arc<Line>) -> std::io::Result<Slots> {
        let jobs = Arc::new(Jobs {
            workers: limits.workers,
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            closed: AtomicBool::new(false),
        });
        let slots = Slots(Arc::clone(&jobs));
        for number in 0..limits.workers {
            let (jobs, line) = (Arc::clone(&jobs), Arc::clone(line));
            std::thread::Builder::new()
                .name(format!("demo-slot-{number}"))
                .stack_size(128 * 1024)
                .spawn(move || jobs.work(&line))?;
        }
        Ok(slots)
    }

    /// Waits for a slot and for the work to be done in it.
    pub async fn serve(&self, place: Place, cost: Duration) {
        let (done, finished) = oneshot::channel();
        locked(&self.0.waiting).push_back(Job { place, cost, done });
        self.0.arrived.notify_one();
        // The sender is only dropped unsent when the target ends.
        let _ = finished.await;
    }

    /// A free slot for who works in it on its own thread.
    pub fn take(&self, line: &Arc<Line>) -> Option<Busy> {
        line.enter(self.0.workers).then(|| Busy {
            line: Arc::clone(line),
            jobs: Arc::clone(&self.0),
            place: Some(Place::at(Station::Slots, line)),
        })
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Under the lock, so that no thread is between looking at the flag and going to sleep.
        let _jobs = locked(&self.0.waiting);
        self.0.closed.store(true, Ordering::Release);
        self.0.arrived.notify_all();
    }
}

impl Jobs {
    /// A slot is free again: who waits may have overlooked it.
    pub fn wake(&self) {
        // Under the lock, so that no thread is between looking for a free slot and going to sleep.
        let _jobs = locked(&self.waiting);
        self.arrived.notify_one();
    }

    fn work(&self, line: &Line) {
        while let Some(Job { place, cost, done }) = self.next(line) {
            burn(cost);
            line.leave();
            // Before the client knows: it may come again at once.
            drop(place);
            let _ = done.send(());
        }
    }

    /// Waits for a job and for a slot to do it in: there are as many slots as threads, but a request that works where
    /// it is has one, too.
    fn next(&self, line: &Line) -> Option<Job> {
        let mut waiting = locked(&self.waiting);
        loop {
            if self.closed.load(Ordering::Acquire) {
                return None;
            }
            // A client that left is not worked for, or a target whose clients give up would never recover.
            while waiting.front().is_some_and(|job| job.done.is_closed()) {
                waiting.pop_front();
            }
            if !waiting.is_empty()
                && line.enter(self.workers)
                && let Some(job) = waiting.pop_front()
            {
                return Some(job);
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
