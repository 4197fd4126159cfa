//! Sampling while a run is going: a thread for each host asks it once a second, so that a host that is slow to answer holds
//! up nothing.
//!
//! A host elsewhere is a [`RemoteHost`]: a name, its ports, and what opens a pipe to a shell there, now and again after a
//! loss. [`open`] takes them all, [`Sampling::start`] reads them.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::order::{RunError, SamplingOrder};
use crate::metrics::machine::Machine;
use crate::metrics::{Epoch, HostSample};
use crate::remote::{LocalSource, Pipe, ProbeError, Sampler, ShellSource, Source, Wanted, Watch};

/// Opens a pipe to a shell (`remote::pipe::COMMAND`) on a host that has just been started. May block.
pub type PipeFactory = Box<dyn FnMut() -> io::Result<Box<dyn Pipe>> + Send>;

/// A host to sample that is not this machine.
pub struct RemoteHost {
    /// As the user calls it.
    pub name: Arc<str>,
    /// What reaches it.
    pub pipe: PipeFactory,
    /// Ports of that host: who listens on them is watched. Nobody has to.
    pub ports: Vec<u16>,
}

/// Opens the way to a host, and opens it again when it was lost.
type Way = Box<dyn FnMut() -> Result<Box<dyn Source>, ProbeError> + Send>;

/// A host whose sampling can start: it has answered once.
pub struct Opened {
    sampler: Sampler,
    way: Way,
}

impl Opened {
    /// What the host is.
    pub fn machine(&self) -> Machine {
        self.sampler.machine()
    }
}

/// At the end of a run a last reading is waited for, so long.
const LAST: Duration = Duration::from_secs(3);
/// The longest time between two attempts to reach a host again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Opens everything that a run samples: `hosts`, and this machine if the order says so or `demo`, the process of a target of
/// ours, runs on it. What `--watch` names has to be on one of the `hosts`, or on this machine if the order says so.
///
/// # Errors
/// What was asked for by name cannot be sampled: this machine, or what `--watch` names. Whatever else cannot be is told, and
/// the run goes on without it.
pub async fn open(
    order: &SamplingOrder,
    demo: Option<u32>,
    hosts: Vec<RemoteHost>,
    epoch: Epoch,
) -> Result<Vec<Opened>, RunError> {
    let here = order.is_local(!hosts.is_empty());
    let asked = if here { &[] } else { order.watches.as_slice() };
    let several = hosts.len() > 1;
    let tasks: Vec<_> = hosts
        .into_iter()
        .map(|host| {
            let watches = watches_of(asked, several, &host.ports);
            let needed = !asked.is_empty();
            tokio::task::spawn_blocking(move || {
                let (name, mut pipe) = (host.name.clone(), host.pipe);
                let way: Way = Box::new(move || {
                    let pipe = pipe().map_err(|source| ProbeError::Pipe {
                        host: name.to_string(),
                        source,
                    })?;
                    Ok(Box::new(ShellSource::open(pipe, name.clone())?))
                });
                one(&host.name, way, watches, needed, epoch)
            })
        })
        .collect();
    let mut opened = Vec::new();
    for task in tasks {
        opened.extend(
            task.await
                .map_err(io::Error::other)
                .map_err(RunError::Sampling)??,
        );
    }
    for (index, watch) in asked.iter().enumerate() {
        if !opened.iter().any(|host| host.sampler.is_there(index)) {
            let wanted = watch.wanted.to_string();
            return Err(ProbeError::Nowhere { wanted }.into());
        }
    }
    if here || demo.is_some() {
        let own = demo.map(|pid| Watch {
            name: Some(Arc::from("demo")),
            ..Watch::new(Wanted::Pid(pid))
        });
        let watched = order.watches.iter().filter(|_| here).cloned();
        let watches = own.into_iter().chain(watched).collect();
        let way: Way = Box::new(|| Ok(Box::new(LocalSource::new()?)));
        opened.extend(one("this machine", way, watches, here, epoch)?);
    }
    Ok(opened)
}

/// What is watched on a host: what was asked for, in that order, then its ports.
fn watches_of(asked: &[Watch], several: bool, ports: &[u16]) -> Vec<Watch> {
    let asked = asked.iter().map(|watch| Watch {
        required: !several,
        ..watch.clone()
    });
    let mut watches: Vec<Watch> = asked.collect();
    for port in ports {
        let twice = |watch: &Watch| match watch.wanted {
            Wanted::Port(asked) => asked == *port,
            Wanted::Number(asked) => asked == u32::from(*port),
            Wanted::Pid(_) | Wanted::Name(_) => false,
        };
        if !watches.iter().any(twice) {
            watches.push(Watch {
                required: false,
                ..Watch::new(Wanted::Port(*port))
            });
        }
    }
    watches
}

/// Opens one host; `None` when it cannot be sampled and need not.
fn one(
    name: &str,
    mut way: Way,
    watches: Vec<Watch>,
    needed: bool,
    epoch: Epoch,
) -> Result<Option<Opened>, RunError> {
    let sampler = way().and_then(|source| Sampler::open(source, epoch.instant, watches));
    match sampler {
        Ok(sampler) => Ok(Some(Opened { sampler, way })),
        Err(error) if needed => Err(error.into()),
        Err(error) => {
            tracing::warn!("CPU and memory of {name} are not sampled: {error}");
            Ok(None)
        }
    }
}

/// What a host's thread tells.
#[derive(Debug)]
pub enum Reading {
    /// A sample.
    Sample(Box<HostSample>),
    /// There was none this time, and what was known before is no longer so.
    Lost(Arc<str>),
}

/// The threads that sample, as long as this lives.
#[derive(Debug, Default)]
pub struct Sampling {
    readings: Option<UnboundedReceiver<Reading>>,
    stops: Vec<SyncSender<()>>,
}

impl Sampling {
    /// Starts a thread for each host that reads it every `interval` of the run's time.
    pub fn start(opened: Vec<Opened>, epoch: Epoch, interval: Duration) -> Sampling {
        let (send, readings) = unbounded_channel();
        let mut stops = Vec::new();
        for Opened { sampler, way } in opened {
            let (stop, stopped) = sync_channel(1);
            let reader = Reader {
                sampler,
                way,
                lost: false,
                send: send.clone(),
                failures: 0,
            };
            let spawned = thread::Builder::new()
                .name("sampler".to_owned())
                .spawn(move || reader.run(&stopped, epoch.instant, interval));
            match spawned {
                Ok(_) => stops.push(stop),
                Err(error) => tracing::warn!("the target is not sampled: {error}"),
            }
        }
        Sampling {
            readings: (!stops.is_empty()).then_some(readings),
            stops,
        }
    }

    /// The next reading; never, when nothing is sampled.
    pub async fn next(&mut self) -> Reading {
        if let Some(readings) = &mut self.readings {
            if let Some(reading) = readings.recv().await {
                return reading;
            }
            self.readings = None;
        }
        std::future::pending().await
    }

    /// Asks for a last reading of everything, and ends the threads.
    pub async fn last(&mut self) -> Vec<Reading> {
        // A thread that has ended already has no use for it.
        for stop in self.stops.drain(..) {
            let _ = stop.try_send(());
        }
        let mut left = Vec::new();
        let Some(mut readings) = self.readings.take() else {
            return left;
        };
        let all = async {
            while let Some(reading) = readings.recv().await {
                left.push(reading);
            }
        };
        if tokio::time::timeout(LAST, all).await.is_err() {
            tracing::warn!("the target gave no last reading in {} s", LAST.as_secs());
        }
        left
    }
}

/// One thread's work.
struct Reader {
    sampler: Sampler,
    way: Way,
    /// The way to the host is to be opened again.
    lost: bool,
    send: UnboundedSender<Reading>,
    /// How often in a row it failed.
    failures: u32,
}

impl Reader {
    fn run(mut self, stopped: &Receiver<()>, zero: Instant, interval: Duration) {
        let mut wait = next_tick(zero, interval);
        loop {
            let last = match stopped.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => false,
                Ok(()) => true,
                // Nobody listens any more.
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if last && self.lost {
                return;
            }
            if last {
                self.sampler.whole();
            }
            let reading = match self.read() {
                Ok(sample) => Reading::Sample(Box::new(sample)),
                Err(error) => self.failed(&error),
            };
            if self.send.send(reading).is_err() || last {
                return;
            }
            wait = next_tick(zero, interval).max(self.pause(interval));
        }
    }

    fn read(&mut self) -> Result<HostSample, ProbeError> {
        if self.lost {
            self.sampler.resume((self.way)()?)?;
            self.lost = false;
        }
        let sample = self.sampler.read()?;
        if self.failures > 0 {
            tracing::info!("{} is sampled again", sample.host);
        }
        self.failures = 0;
        Ok(sample)
    }

    fn failed(&mut self, error: &ProbeError) -> Reading {
        let host = self.sampler.host();
        if self.failures == 0 {
            tracing::warn!("{host} is not sampled for now: {error}");
        }
        self.failures = self.failures.saturating_add(1);
        self.lost |= error.loses_the_way();
        Reading::Lost(host)
    }

    /// Longer from failure to failure.
    fn pause(&self, interval: Duration) -> Duration {
        match self.failures {
            0 => Duration::ZERO,
            failures => (interval * 2_u32.saturating_pow(failures.min(8))).min(LONGEST_WAIT),
        }
    }
}

/// Time to the next whole interval since the run's zero.
fn next_tick(zero: Instant, interval: Duration) -> Duration {
    let interval = interval.as_nanos().max(1);
    let left = interval - zero.elapsed().as_nanos() % interval;
    Duration::from_nanos(u64::try_from(left).unwrap_or(0))
}

#[cfg(all(test, target_os = "linux"))]
#[path = "sampling/tests.rs"]
mod tests;
