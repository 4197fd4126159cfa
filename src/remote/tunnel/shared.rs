//! What a tunnel's threads share: the lanes, who waits for one, and what has gone wrong.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use mio::Waker;
use mio::net::TcpStream;

use crate::metrics::Outage;
use crate::remote::ssh::{Connector, SshError, Stop, Target, Traffic, lock};

/// A connection that came in, and which of the targets it is for.
pub type Incoming = (TcpStream, usize);

/// One connection to the server, as the other threads see it.
pub struct Lane {
    /// What it counts.
    pub traffic: Traffic,
    /// Connections that it is to take on.
    mailbox: Mutex<VecDeque<Incoming>>,
    /// How many of these there are, with the one that is just being taken on.
    pending: AtomicU64,
    /// Ends an attempt to connect.
    pub stop: Stop,
    up: AtomicBool,
    waker: Waker,
}

impl Lane {
    /// A lane that is not up; `waker` wakes its thread.
    pub fn new(waker: Waker) -> Lane {
        Lane {
            traffic: Traffic::default(),
            mailbox: Mutex::default(),
            pending: AtomicU64::new(0),
            stop: Stop::default(),
            up: AtomicBool::new(false),
            waker,
        }
    }

    /// Whether it takes connections.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::SeqCst)
    }

    /// Takes one out of the mailbox.
    pub fn take(&self) -> Option<Incoming> {
        if self.pending.load(Ordering::Relaxed) == 0 {
            return None;
        }
        lock(&self.mailbox).pop_front()
    }

    /// What was taken last counts elsewhere now: at no time does it count nowhere, or the next would come here too.
    pub fn taken(&self) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }

    /// How much it has to do.
    fn load(&self) -> u64 {
        self.traffic.active.load(Ordering::Relaxed) + self.pending.load(Ordering::Relaxed)
    }

    /// Wakes its thread.
    pub fn wake(&self) {
        // A thread that is not woken looks by itself within a second.
        let _ = self.waker.wake();
    }
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("up", &self.is_up())
            .field("mailbox", &self.pending)
            .finish_non_exhaustive()
    }
}

/// All of a tunnel.
pub struct Shared {
    /// The server, as the user calls it.
    pub host: Arc<str>,
    /// Makes connections to it.
    pub connector: Arc<Connector>,
    /// Where the forwarded ports lead to.
    pub targets: Vec<Target>,
    /// The connections to the server.
    pub lanes: Vec<Lane>,
    /// Channels that each lane keeps open ahead for each target.
    pub warm_each: AtomicUsize,
    /// Give up after so long without a connection.
    pub patience: Duration,
    /// The tunnel is being closed.
    pub stop: AtomicBool,
    /// When lanes were lost, and came back.
    pub outages: Mutex<Vec<Outage>>,
    /// Lanes that were connected again.
    pub reconnects: AtomicU64,
    /// Wakes the thread that accepts.
    pub acceptor: Waker,
    /// Connections that came in and have no lane.
    parked: Mutex<Vec<Incoming>>,
    /// Since when no lane is up.
    dark: Mutex<Option<Instant>>,
    failed: OnceLock<Arc<SshError>>,
}

/// More outages are counted, but not described.
const OUTAGES: usize = 10_000;

impl Shared {
    /// A tunnel without a connection yet.
    pub fn new(
        host: Arc<str>,
        connector: Arc<Connector>,
        targets: Vec<Target>,
        lanes: Vec<Lane>,
        acceptor: Waker,
        patience: Duration,
    ) -> Shared {
        Shared {
            host,
            connector,
            targets,
            lanes,
            warm_each: AtomicUsize::new(0),
            patience,
            stop: AtomicBool::new(false),
            outages: Mutex::default(),
            reconnects: AtomicU64::new(0),
            acceptor,
            parked: Mutex::default(),
            dark: Mutex::new(Some(Instant::now())),
            failed: OnceLock::new(),
        }
    }

    /// Whether the tunnel is closed, or given up.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Whether a connection that comes in can be taken on.
    pub fn is_up(&self) -> bool {
        self.lanes.iter().any(Lane::is_up)
    }

    /// For how long no lane has been up.
    pub fn dark_for(&self) -> Option<Duration> {
        lock(&self.dark).map(|since| since.elapsed())
    }

    /// Gives a connection to the lane that has the least to do. If none is up it waits for one.
    pub fn dispatch(&self, socket: TcpStream, target: usize) {
        loop {
            let up = self.lanes.iter().filter(|lane| lane.is_up());
            let Some(lane) = up.min_by_key(|lane| lane.load()) else {
                let mut parked = lock(&self.parked);
                // One may have come up since; from here on it would look into the parked ones.
                if self.is_up() {
                    continue;
                }
                parked.push((socket, target));
                return;
            };
            let mut mailbox = lock(&lane.mailbox);
            if lane.is_up() {
                mailbox.push_back((socket, target));
                lane.pending.fetch_add(1, Ordering::Relaxed);
                drop(mailbox);
                lane.wake();
                return;
            }
        }
    }

    /// A lane takes connections from here on.
    pub fn came_up(&self, index: usize) {
        self.lanes[index].up.store(true, Ordering::SeqCst);
        *lock(&self.dark) = None;
        let mut outages = lock(&self.outages);
        let open = outages
            .iter_mut()
            .rev()
            .find(|outage| outage.lane == index && outage.until.is_none());
        if let Some(outage) = open {
            outage.until = Some(Instant::now());
            let seconds = outage.from.elapsed().as_secs_f64();
            drop(outages);
            self.reconnects.fetch_add(1, Ordering::Relaxed);
            tracing::info!("connected to {} again after {seconds:.1} s", self.host);
        } else {
            drop(outages);
        }
        let parked = std::mem::take(&mut *lock(&self.parked));
        for (socket, target) in parked {
            self.dispatch(socket, target);
        }
        // Without a wake-up it looks by itself within a second.
        let _ = self.acceptor.wake();
    }

    /// A lane takes no more connections; returns those that it has not taken on.
    pub fn went_down(&self, index: usize) -> VecDeque<Incoming> {
        let lane = &self.lanes[index];
        let mut mailbox = lock(&lane.mailbox);
        lane.up.store(false, Ordering::SeqCst);
        let left = std::mem::take(&mut *mailbox);
        drop(mailbox);
        lane.pending.store(0, Ordering::Relaxed);
        if !self.is_up() {
            lock(&self.dark).get_or_insert_with(Instant::now);
        }
        left
    }

    /// A lane was lost.
    pub fn lost(&self, index: usize, reason: &str) {
        tracing::warn!("lost a connection to {}: {reason}; connecting again", self.host);
        let mut outages = lock(&self.outages);
        let open = outages
            .iter()
            .any(|outage| outage.lane == index && outage.until.is_none());
        if !open && outages.len() < OUTAGES {
            outages.push(Outage {
                lane: index,
                from: Instant::now(),
                until: None,
                reason: reason.to_owned(),
            });
        }
    }

    /// The tunnel is over, and this is why. The first reason counts.
    pub fn give_up(&self, error: SshError) {
        let _ = self.failed.set(Arc::new(error));
        self.end();
    }

    /// Why the tunnel is over, if it is.
    pub fn failure(&self) -> Option<Arc<SshError>> {
        self.failed.get().cloned()
    }

    /// Ends all threads.
    pub fn end(&self) {
        self.stop.store(true, Ordering::SeqCst);
        for lane in &self.lanes {
            lane.stop.stop();
            lane.wake();
        }
        let _ = self.acceptor.wake();
        // A client that waits learns that nobody will answer.
        lock(&self.parked).clear();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("host", &self.host)
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}
