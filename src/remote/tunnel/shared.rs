//! What a tunnel's threads share: the lanes, who waits for one, and what has gone wrong.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use mio::Waker;
use mio::net::TcpStream;

use crate::metrics::Outage;
use crate::remote::ssh::{Connector, NEAR, SshError, Stop, Target, Traffic, lock};

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

    /// How many channels it has to open before a connection that comes now has one.
    fn queue(&self) -> u64 {
        let waiting = self.traffic.waiting.load(Ordering::Relaxed) + self.pending.load(Ordering::Relaxed);
        (waiting + 1).saturating_sub(self.traffic.warm.load(Ordering::Relaxed))
    }

    /// Whether connections can be given to it in full knowledge of how far away the server is.
    pub fn is_ready(&self) -> bool {
        self.is_up() && self.traffic.has_run()
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
    /// How many lanes carry if the server is near.
    pub lanes_near: usize,
    /// Channels that are kept open ahead for each target, over all lanes that carry.
    pub warm: AtomicUsize,
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

/// A connection that has its channel within this time is not given to another lane for that.
const SOON: Duration = Duration::from_millis(50);
/// More outages are counted, but not described.
const OUTAGES: usize = 10_000;

impl Shared {
    /// A tunnel without a connection yet.
    pub fn new(
        host: Arc<str>,
        connector: Arc<Connector>,
        targets: Vec<Target>,
        lanes: Vec<Lane>,
        lanes_near: usize,
        acceptor: Waker,
        patience: Duration,
    ) -> Shared {
        Shared {
            host,
            connector,
            targets,
            lanes,
            lanes_near,
            warm: AtomicUsize::new(0),
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

    /// The shortest round trip of all lanes.
    fn round_trip(&self) -> Option<Duration> {
        self.lanes.iter().filter_map(|lane| lane.traffic.shortest()).min()
    }

    /// How many lanes carry. Where an answer takes a while they wait for the network, and all do. Where it does not, they
    /// would take the processors from each other, and from who makes the load.
    fn carriers(&self, round_trip: Option<Duration>) -> usize {
        match round_trip {
            Some(least) if least < NEAR => self.lanes_near.clamp(1, self.lanes.len()),
            _ => self.lanes.len(),
        }
    }

    /// Channels that this lane keeps open ahead for each target.
    pub fn warm_of(&self, index: usize) -> usize {
        let carriers = self.carriers(self.round_trip());
        if index < carriers {
            self.warm.load(Ordering::SeqCst).div_ceil(carriers)
        } else {
            0
        }
    }

    /// Gives a connection to the lane where it waits the least for a channel; of those that carry first, then to the one
    /// that has the least to do. If none is up it waits for one.
    pub fn dispatch(&self, socket: TcpStream, target: usize) {
        let round_trip = self.round_trip();
        let carriers = self.carriers(round_trip);
        // A round trip for each channel: where it is short, many are open before the wait is worth an uneven share.
        let nanos = round_trip.map_or(u128::MAX, |least| least.as_nanos());
        let soon = u64::try_from(SOON.as_nanos() / nanos.max(1)).unwrap_or(u64::MAX);
        loop {
            let up = self.lanes.iter().enumerate().filter(|(_, lane)| lane.is_up());
            let late = |lane: &Lane| lane.queue().saturating_sub(soon);
            let ranked = up.min_by_key(|(at, lane)| (late(lane), *at >= carriers, lane.load()));
            let Some((_, lane)) = ranked else {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::ssh::SshOptions;
    use crate::remote::ssh::pump::WAKE;

    /// Four lanes that are up, of which one carries if the server is near, after an answer within `round_trip`.
    fn shared(round_trip: Duration) -> Shared {
        let lane = || {
            let poll = mio::Poll::new().expect("poll");
            Lane::new(Waker::new(poll.registry(), WAKE).expect("waker"))
        };
        let options = SshOptions {
            ssh_config: Some("none".into()),
            ..SshOptions::default()
        };
        let destination = "tester@127.0.0.1".parse().expect("destination");
        let connector = Connector::new(&destination, &options).expect("connector");
        let lanes = (0..4).map(|_| lane()).collect();
        let shared = Shared::new(
            "host".into(),
            Arc::new(connector),
            Vec::new(),
            lanes,
            1,
            lane().waker,
            Duration::ZERO,
        );
        for (index, lane) in shared.lanes.iter().enumerate() {
            lane.traffic.measured(round_trip);
            shared.came_up(index);
        }
        shared
    }

    /// How many of so many connections each lane gets.
    fn given(shared: &Shared, count: usize) -> Vec<usize> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address");
        for _ in 0..count {
            shared.dispatch(TcpStream::connect(address).expect("socket"), 0);
        }
        let waiting = |lane: &Lane| lock(&lane.mailbox).len();
        shared.lanes.iter().map(waiting).collect()
    }

    #[test]
    fn lanes_share_where_the_network_limits() {
        let shared = shared(Duration::from_millis(20));
        shared.warm.store(10, Ordering::SeqCst);
        assert_eq!([0, 1, 2, 3].map(|index| shared.warm_of(index)), [3; 4]);
        assert_eq!(given(&shared, 12), [3; 4]);
        // Who has channels open ahead does not make anybody wait.
        shared.lanes[2].traffic.warm.store(20, Ordering::Relaxed);
        assert_eq!(given(&shared, 8), [3, 3, 11, 3]);
    }

    #[test]
    fn few_lanes_carry_where_the_processors_limit() {
        let shared = shared(Duration::from_millis(1));
        shared.warm.store(10, Ordering::SeqCst);
        assert_eq!([0, 1, 2, 3].map(|index| shared.warm_of(index)), [10, 0, 0, 0]);
        // Fifty channels are open soon; of more the others open some, which takes them as long.
        assert_eq!(given(&shared, 50), [50, 0, 0, 0]);
        assert_eq!(given(&shared, 40), [50, 14, 13, 13]);
        // They take over where it is lost.
        assert_eq!(shared.went_down(0).len(), 50);
        assert_eq!(given(&shared, 2), [0, 14, 14, 14]);
    }
}
