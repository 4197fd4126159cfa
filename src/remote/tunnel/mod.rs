//! Ports of this machine that lead to a server's, through SSH.
//!
//! A tunnel has several connections to the server ("lanes"), as libssh2 opens one channel at a time on each, and one
//! processor encrypts for each. A thread accepts on the local ports and gives each connection to the lane with the least
//! to do; each lane's thread moves the bytes. A lane that is lost is connected again, and the time between is an outage.

mod forward;
mod lane;
mod listen;
mod shared;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Poll, Waker};

pub use forward::{Forward, Forwards};

use self::listen::Listener;
use self::shared::{Lane, Shared};
use super::ssh::{Connector, Destination, SshError, SshOptions, Stop, Target, lock, pump};
use crate::metrics::{Outage, TunnelSample};

/// Lanes beside the first may take this long before a tunnel begins without them.
const OTHERS: Duration = Duration::from_secs(10);
/// A thread may take this long to end; one that waits for a server's answer is left to the process's end.
const LAST_WORDS: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);

/// A tunnel that is open. Dropping it closes it.
#[derive(Debug)]
pub struct Tunnel {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    ports: Vec<Port>,
}

/// A local port and where it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The port of this machine.
    pub local: u16,
    /// What was asked for.
    pub forward: Forward,
}

impl Tunnel {
    /// Takes the local ports, connects by `connector`, which is that of the destination, and logs in. May ask on the
    /// terminal.
    ///
    /// # Errors
    /// A port is taken, there is no connection, or the server does not let us in.
    pub fn open(
        connector: Arc<Connector>,
        destination: &Destination,
        forwards: &Forwards,
        options: &SshOptions,
    ) -> Result<Tunnel, SshError> {
        // What is wrong here is told before anybody types a password.
        let listeners: Vec<Listener> = forwards
            .as_slice()
            .iter()
            .map(Listener::bind)
            .collect::<Result<_, _>>()?;
        let ports = forwards.as_slice().iter().zip(&listeners);
        let ports = ports.map(|(forward, listener)| Port {
            local: listener.port,
            forward: forward.clone(),
        });
        let ports: Vec<Port> = ports.collect();
        let targets = forwards.as_slice().iter().map(|forward| Target {
            host: forward.host.clone(),
            port: forward.port,
        });
        let first = connector.connect(&Stop::default())?;
        let door = Poll::new()?;
        let acceptor = Waker::new(door.registry(), listen::WAKE)?;
        let mut polls = Vec::new();
        let mut lanes = Vec::new();
        for _ in 0..options.lanes() {
            let poll = Poll::new()?;
            lanes.push(Lane::new(Waker::new(poll.registry(), pump::WAKE)?));
            polls.push(poll);
        }
        let shared = Arc::new(Shared::new(
            destination.to_string().into(),
            connector,
            targets.collect(),
            lanes,
            options.lanes_near(),
            acceptor,
            options.ssh_patience,
        ));
        let mut tunnel = Tunnel {
            shared,
            threads: Vec::new(),
            ports,
        };
        let mut first = Some(first);
        for (index, poll) in polls.into_iter().enumerate() {
            let first = first.take();
            tunnel.spawn(format!("ssh-{index}"), move |shared| {
                lane::run(shared, index, poll, first);
            })?;
        }
        tunnel.spawn("ssh-accept".to_owned(), move |shared| {
            if let Err(error) = listen::accept(shared, listeners, door) {
                shared.give_up(error.into());
            }
        })?;
        tunnel.settle()?;
        Ok(tunnel)
    }

    fn spawn(&mut self, name: String, work: impl FnOnce(&Shared) + Send + 'static) -> Result<(), SshError> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || work(&shared))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Waits until all lanes are up, or at least one is and the others take too long.
    fn settle(&self) -> Result<(), SshError> {
        let begin = Instant::now();
        loop {
            if let Some(error) = self.shared.failure() {
                return Err(SshError::Shared(error));
            }
            let up = self.shared.lanes.iter().filter(|lane| lane.is_ready()).count();
            if up == self.shared.lanes.len() {
                return Ok(());
            }
            if begin.elapsed() > OTHERS && up > 0 {
                tracing::warn!(
                    "only {up} of {} connections to {} are up; the others are tried further",
                    self.shared.lanes.len(),
                    self.shared.host
                );
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The server, as the user calls it.
    pub fn host(&self) -> &Arc<str> {
        &self.shared.host
    }

    /// Whom as, and where, after what `~/.ssh/config` says.
    pub fn account(&self) -> String {
        self.shared.connector.to_string()
    }

    /// The local ports, in the order of the forwards.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// A view of it for others, who may outlive it.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.shared))
    }

    /// Closes everything, as far as that goes without waiting for the server.
    pub fn close(&mut self) {
        self.shared.end();
        let begin = Instant::now();
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && begin.elapsed() < LAST_WORDS {
                std::thread::sleep(LOOK);
            }
            if thread.is_finished() {
                // What it panicked with was said when it did.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a tunnel is doing.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Shared>);

impl Watch {
    /// Keeps about so many channels open ahead for each port, over all lanes that carry.
    pub fn keep_warm(&self, count: usize) {
        let shared = &self.0;
        if shared.warm.swap(count, Ordering::SeqCst) != count {
            shared.lanes.iter().for_each(Lane::wake);
        }
    }

    /// Whether all channels that are to be open ahead are, as far as the server opens them.
    pub fn is_warm(&self) -> bool {
        let shared = &self.0;
        let settled = |(index, lane): (usize, &Lane)| {
            lane.traffic.warm_known.load(Ordering::SeqCst) == shared.warm_of(index)
                && !lane.traffic.opening.load(Ordering::SeqCst)
        };
        let mut up = shared.lanes.iter().enumerate().filter(|(_, lane)| lane.is_up());
        up.all(settled)
    }

    /// How many times a lane was lost.
    pub fn outage_count(&self) -> usize {
        lock(&self.0.outages).len()
    }

    /// Whom as, and where, after what `~/.ssh/config` says.
    pub fn account(&self) -> String {
        self.0.connector.to_string()
    }

    /// Its numbers.
    pub fn sample(&self) -> TunnelSample {
        let shared = &self.0;
        let mut sample = TunnelSample {
            host: Arc::clone(&shared.host),
            lanes: u32::try_from(shared.lanes.len()).unwrap_or(u32::MAX),
            reconnects: shared.reconnects.load(Ordering::Relaxed),
            ..TunnelSample::default()
        };
        let (mut last, mut measured) = (Duration::ZERO, 0);
        for lane in &shared.lanes {
            let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
            let traffic = &lane.traffic;
            sample.lanes_up += u32::from(lane.is_up());
            sample.active += get(&traffic.active);
            sample.opened += get(&traffic.opened);
            sample.refused += get(&traffic.refused);
            sample.cut += get(&traffic.cut);
            sample.warm += get(&traffic.warm);
            sample.bytes_up += get(&traffic.up);
            sample.bytes_down += get(&traffic.down);
            sample.round_trip_sum += Duration::from_nanos(get(&traffic.round_trip_sum));
            sample.round_trips += get(&traffic.round_trips);
            if get(&traffic.round_trips) > 0 {
                last += Duration::from_nanos(get(&traffic.round_trip));
                measured += 1;
                let least = Duration::from_nanos(get(&traffic.round_trip_min));
                sample.round_trip_min = Some(sample.round_trip_min.map_or(least, |before| before.min(least)));
            }
        }
        sample.round_trip = (measured > 0).then(|| last / measured);
        let outages = lock(&shared.outages);
        sample.outages = outages.len() as u64;
        sample.outage_time = Outage::total(&outages, Instant::now());
        sample
    }

    /// When lanes were missing.
    pub fn outages(&self) -> Vec<Outage> {
        lock(&self.0.outages).clone()
    }

    /// The round trips since the last call, and when each ended.
    pub fn round_trips(&self) -> Vec<(Instant, Duration)> {
        let recent = |lane: &Lane| std::mem::take(&mut *lock(&lane.traffic.recent));
        self.0.lanes.iter().flat_map(recent).collect()
    }

    /// Why the tunnel is over, if it is.
    pub fn failure(&self) -> Option<Arc<SshError>> {
        self.0.failure()
    }
}
