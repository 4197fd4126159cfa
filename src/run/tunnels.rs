//! The tunnels of a run: opened before the script is loaded, as its variables point at them; watched while it runs; closed
//! when nobody sends anything any more.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Run;
use super::order::{Order, RunError};
use super::sampling::RemoteHost;
use super::tunnel::{TunnelOrder, described};
use crate::metrics::tunnel::{OUTAGE, define};
use crate::metrics::{
    Batch, Contains, Epoch, HttpRecord, Kind, Outage, Registry, Sample, Snapshot, TagSet, TagsId,
    TunnelSample, Value, builtin,
};
use crate::remote::ssh::{Connector, Stop};
use crate::remote::tunnel::{Port, Tunnel, Watch};
use crate::report::{TunnelReport, tunnel_section};
use crate::script::{Ended, Remote};

/// Channels are opened ahead for as many virtual users as there are when the load begins, up to this number for each port.
const MOST_WARM: u32 = 256;
/// The load waits for them for at most this long.
const WARM_WITHIN: Duration = Duration::from_secs(5);
/// What is not used after this much of the load is closed.
const COOL_AFTER: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(5);

/// By which variables scripts find a service: its port on the server, the variable, scheme and path.
const VARIABLES: [(u16, &str, &str, &str); 9] = [
    (3001, "WALLET_URL", "http", ""),
    (3002, "STORE_URL", "http", ""),
    (3004, "SPAWN_URL", "http", ""),
    (3000, "APP_URL", "http", ""),
    (3000, "BASE_URL", "http", ""),
    (3000, "WS_URL", "ws", "/ws"),
    (8080, "SEQUENCER_URL", "http", ""),
    (8080, "SEQUENCER_BASE_URL", "http", ""),
    (8787, "HAPPY_URL", "http", ""),
];

/// All tunnels of a run.
#[derive(Debug, Default)]
pub struct Tunnels(Vec<Tunnel>, View);

/// What others see of them.
#[derive(Clone, Debug, Default)]
pub struct View {
    tunnels: Vec<Seen>,
    hosts: Vec<Host>,
}

/// A server that is to be sampled.
#[derive(Clone)]
struct Host {
    name: Arc<str>,
    connector: Arc<Connector>,
    /// Ports of its own that are forwarded.
    ports: Vec<u16>,
}

impl Host {
    fn of(order: &TunnelOrder, connector: Arc<Connector>) -> Host {
        let forwards = order.forwards.as_slice().iter();
        let own = forwards.filter(|forward| forward.is_of_the_server());
        Host {
            name: order.destination.to_string().into(),
            connector,
            ports: own.map(|forward| forward.port).collect(),
        }
    }

    fn to_sample(&self) -> RemoteHost {
        let connector = self.connector.clone();
        RemoteHost {
            name: self.name.clone(),
            pipe: Box::new(move || match connector.shell() {
                Ok(pipe) => Ok(Box::new(pipe)),
                Err(error) => Err(io::Error::other(error)),
            }),
            ports: self.ports.clone(),
        }
    }
}

/// The server of a tunnel, as a host to sample.
pub fn host(order: &TunnelOrder, connector: Arc<Connector>) -> RemoteHost {
    Host::of(order, connector).to_sample()
}

#[derive(Clone, Debug)]
struct Seen {
    watch: Watch,
    ports: Vec<Port>,
    /// Channels to keep open ahead all the time.
    warm: usize,
}

impl Tunnels {
    /// Opens what the order asks for, and points the script's variables at it, unless the user set them.
    ///
    /// # Errors
    /// One of them does not come to be.
    pub fn open(order: &mut Order) -> Result<Tunnels, RunError> {
        let mut tunnels = Vec::new();
        let mut view = View::default();
        for asked in &order.tunnels {
            let connector = Arc::new(Connector::new(&asked.destination, &asked.ssh)?);
            view.hosts.push(Host::of(asked, connector.clone()));
            if asked.forwards.as_slice().is_empty() {
                // It is only looked at: whoever has to be asked is asked now.
                drop(connector.connect(&Stop::default())?);
                continue;
            }
            let tunnel = Tunnel::open(connector, &asked.destination, &asked.forwards, &asked.ssh)?;
            view.tunnels.push(Seen {
                watch: tunnel.watch(),
                ports: tunnel.ports().to_vec(),
                warm: asked.ssh.ssh_warm as usize,
            });
            tunnels.push(tunnel);
        }
        for (name, value) in variables(view.ports()) {
            if !order.system_env.contains_key(&name) {
                order.env.entry(name).or_insert(value);
            }
        }
        Ok(Tunnels(tunnels, view))
    }

    /// What others see of them.
    pub fn view(&self) -> View {
        self.1.clone()
    }

    /// Closes them.
    pub fn close(self) {
        for mut tunnel in self.0 {
            tunnel.close();
        }
    }
}

impl View {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tunnels.is_empty()
    }

    /// The servers, as hosts to sample. Each has a session of its own for that.
    pub fn remote_hosts(&self) -> Vec<RemoteHost> {
        self.hosts.iter().map(Host::to_sample).collect()
    }

    /// What runs a command on the first of the servers.
    pub fn remote(&self) -> Option<Remote> {
        let connector = self.hosts.first()?.connector.clone();
        Some(Arc::new(move |script, input, limit| {
            let finished = connector
                .run(script, input, limit)
                .map_err(|error| error.to_string())?;
            Ok(Ended {
                code: finished.code,
                stdout: finished.stdout,
                stderr: finished.stderr,
                timed_out: finished.timed_out,
            })
        }))
    }

    fn ports(&self) -> impl Iterator<Item = &Port> {
        self.tunnels.iter().flat_map(|tunnel| &tunnel.ports)
    }

    /// For the header: where the requests go.
    pub fn described(&self) -> Option<String> {
        let one = |tunnel: &Seen| {
            let ports: Vec<String> = tunnel.ports.iter().map(described).collect();
            format!("through {}: {}", tunnel.watch.account(), ports.join(", "))
        };
        let all: Vec<String> = self.tunnels.iter().map(one).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// The hosts that requests go through, as the user calls them.
    pub fn hosts(&self) -> Option<String> {
        let all: Vec<String> = self
            .samples()
            .iter()
            .map(|sample| sample.host.to_string())
            .collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// The numbers of each.
    pub fn samples(&self) -> Vec<TunnelSample> {
        self.tunnels.iter().map(|tunnel| tunnel.watch.sample()).collect()
    }

    /// All outages so far, with the host.
    pub fn outages(&self) -> Vec<Outage> {
        self.tunnels
            .iter()
            .flat_map(|tunnel| tunnel.watch.outages())
            .collect()
    }

    /// Why one of them is over, if it is.
    pub fn failure(&self) -> Option<String> {
        let failure = |tunnel: &Seen| tunnel.watch.failure().map(|error| error.to_string());
        self.tunnels.iter().find_map(failure)
    }

    /// The section of the summary.
    pub fn section(&self, run: &Run, snapshot: &Snapshot, color: bool) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let begun = run.epoch.instant + run.begun.at();
        let told = |outage: Outage| {
            let length = outage
                .until
                .map(|until| until.saturating_duration_since(outage.from));
            (
                outage.from.saturating_duration_since(begun),
                length,
                outage.reason,
            )
        };
        let report = |tunnel: &Seen| TunnelReport {
            sample: tunnel.watch.sample(),
            outages: tunnel.watch.outages().into_iter().map(told).collect(),
        };
        let reports: Vec<TunnelReport> = self.tunnels.iter().map(report).collect();
        let marked = snapshot
            .rows_of(builtin::HTTP_REQS)
            .filter(|row| snapshot.tags(row).get(OUTAGE).is_some());
        let marked: f64 = marked
            .map(|row| match row.value {
                Value::Counter { total } => total,
                _ => 0.0,
            })
            .sum();
        Some(tunnel_section(
            &reports,
            marked as u64,
            run.order.ignore_outages,
            color,
        ))
    }

    /// Opens channels for the virtual users that begin with the load, so that none of their first requests waits for one.
    pub async fn warm(&self, vus: u32) {
        if self.is_empty() {
            return;
        }
        let begin = Instant::now();
        for tunnel in &self.tunnels {
            tunnel
                .watch
                .keep_warm(tunnel.warm.max(vus.min(MOST_WARM) as usize));
        }
        while begin.elapsed() < WARM_WITHIN && !self.tunnels.iter().all(|tunnel| tunnel.watch.is_warm()) {
            tokio::time::sleep(LOOK).await;
        }
        tracing::debug!("channels were opened ahead within {:?}", begin.elapsed());
    }

    /// After the load's beginning no more are opened than the user asks for.
    pub fn cool_later(&self) {
        if self.is_empty() {
            return;
        }
        let tunnels = self.tunnels.clone();
        tokio::spawn(async move {
            tokio::time::sleep(COOL_AFTER).await;
            for tunnel in tunnels {
                tunnel.watch.keep_warm(tunnel.warm);
            }
        });
    }

    /// The round trips since the last call, as samples.
    pub fn round_trips(&self, registry: &Registry, epoch: &Epoch) -> Vec<Sample> {
        let Ok(metric) = define(registry) else {
            return Vec::new();
        };
        let sample = |(at, length): (Instant, Duration)| Sample {
            at: epoch.nanos(at),
            metric,
            tags: TagsId::EMPTY,
            value: length.as_secs_f64() * 1e3,
        };
        let recent = self.tunnels.iter().flat_map(|tunnel| tunnel.watch.round_trips());
        recent.map(sample).collect()
    }

    /// Marks what overlaps an outage with a tag. Nearly always there has been none, and nothing is looked at.
    pub fn mark(&self, batch: Batch, registry: &Registry, epoch: &Epoch) -> Batch {
        if self.tunnels.iter().all(|tunnel| tunnel.watch.outage_count() == 0) {
            return batch;
        }
        Marker {
            outages: self.outages(),
            registry,
            epoch,
            known: Vec::new(),
        }
        .mark(batch)
    }
}

/// The variables that point scripts at the local ports. One port alone is also where `BASE_URL` leads.
fn variables<'a>(ports: impl Iterator<Item = &'a Port>) -> Vec<(String, String)> {
    let ports: Vec<&Port> = ports.collect();
    let url = |port: &Port, scheme: &str, path: &str| format!("{scheme}://127.0.0.1:{}{path}", port.local);
    let mut variables = Vec::new();
    for port in &ports {
        for (_, name, scheme, path) in VARIABLES.iter().filter(|known| known.0 == port.forward.port) {
            variables.push(((*name).to_owned(), url(port, scheme, path)));
        }
    }
    if let [port] = *ports
        && variables.iter().all(|(name, _)| name != "BASE_URL")
    {
        variables.push(("BASE_URL".to_owned(), url(port, "http", "")));
    }
    variables
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

struct Marker<'a> {
    outages: Vec<Outage>,
    registry: &'a Registry,
    epoch: &'a Epoch,
    /// Tags as they were, and with the mark.
    known: Vec<(TagsId, TagsId)>,
}

impl Marker<'_> {
    fn mark(mut self, mut batch: Batch) -> Batch {
        for record in &mut batch.http {
            if self.overlaps(record.at, whole_time(record)) {
                record.tags = self.marked(record.tags);
            }
        }
        for sample in &mut batch.samples {
            let definition = self.registry.definition(sample.metric);
            let length = match (definition.kind, definition.contains) {
                (Kind::Trend, Contains::Time) => {
                    Duration::try_from_secs_f64(sample.value / 1e3).unwrap_or_default()
                }
                // Levels, such as the number of virtual users, are what they are.
                (Kind::Gauge, _) => continue,
                _ => Duration::ZERO,
            };
            if self.overlaps(sample.at, length) {
                sample.tags = self.marked(sample.tags);
            }
        }
        batch
    }

    fn overlaps(&self, at: u64, length: Duration) -> bool {
        let end = self.epoch.instant + Duration::from_nanos(at);
        let begin = end.checked_sub(length).unwrap_or(end);
        self.outages.iter().any(|outage| outage.overlaps(begin, end))
    }

    fn marked(&mut self, tags: TagsId) -> TagsId {
        if let Some((_, marked)) = self.known.iter().find(|(before, _)| *before == tags) {
            return *marked;
        }
        let set: TagSet = self.registry.tags(tags).with(OUTAGE, "true");
        let marked = self.registry.intern(&set);
        self.known.push((tags, marked));
        marked
    }
}

/// From when a request was wanted to its end.
fn whole_time(record: &HttpRecord) -> Duration {
    let milliseconds =
        f64::from(record.blocked + record.connecting + record.tls_handshaking + record.duration);
    Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::SystemTags;
    use crate::remote::tunnel::Forwards;

    fn ports(forwards: &[&str]) -> Vec<Port> {
        let typed: Vec<String> = forwards.iter().map(|text| (*text).to_owned()).collect();
        let forwards = Forwards::parse(&typed).expect("forwards");
        let port = |(local, forward): (u16, &crate::remote::tunnel::Forward)| Port {
            local,
            forward: forward.clone(),
        };
        (50_000..).zip(forwards.as_slice()).map(port).collect()
    }

    #[test]
    fn scripts_find_services_by_the_ports_that_they_have_on_the_server() {
        let of = |forwards: &[&str]| {
            let all = variables(ports(forwards).iter());
            all.iter()
                .map(|(name, url)| format!("{name}={url}"))
                .collect::<Vec<_>>()
        };
        let (wallet, store) = (
            "WALLET_URL=http://127.0.0.1:50000",
            "STORE_URL=http://127.0.0.1:50001",
        );
        assert_eq!(of(&["auto"]), [wallet, store]);
        assert_eq!(of(&["auto:db:3001"]), [wallet, "BASE_URL=http://127.0.0.1:50000"]);
        assert_eq!(of(&["9000:1234"]), ["BASE_URL=http://127.0.0.1:50000"]);
        assert!(of(&["1:9", "2:10"]).is_empty(), "nobody can tell which is meant");
        assert!(of(&["3000"]).contains(&"WS_URL=ws://127.0.0.1:50000/ws".to_owned()));
    }

    #[test]
    fn what_overlaps_an_outage_is_marked_and_nothing_else() {
        let registry = Registry::new(SystemTags::default());
        let epoch = Epoch::now();
        let at = |ms: u64| epoch.instant + Duration::from_millis(ms);
        let marker = Marker {
            outages: vec![Outage {
                lane: 0,
                from: at(1000),
                until: Some(at(2000)),
                reason: String::new(),
            }],
            registry: &registry,
            epoch: &epoch,
            known: Vec::new(),
        };
        let tags = registry.intern(&TagSet::default().with("name", "x"));
        // When it ended, and how long it took, in milliseconds.
        let requests = [(900, 5.0), (1001, 5.0), (2500, 600.0), (2500, 400.0)];
        let record = |(ms, duration): (u64, f32)| HttpRecord {
            at: ms * 1_000_000,
            duration,
            tags,
            ..HttpRecord::default()
        };
        let sample = |ms: u64, metric, value| Sample {
            at: ms * 1_000_000,
            metric,
            tags,
            value,
        };
        let marked = marker.mark(Batch {
            worker: 0,
            http: requests.map(record).to_vec(),
            samples: vec![
                sample(2500, builtin::ITERATION_DURATION, 1000.0),
                sample(2500, builtin::ITERATIONS, 1.0),
                sample(1500, builtin::VUS, 3.0),
            ],
            ..Batch::default()
        });
        let is_marked = |tags| registry.tags(tags).get(OUTAGE) == Some("true");
        let http: Vec<bool> = marked.http.iter().map(|record| is_marked(record.tags)).collect();
        assert_eq!(http, [false, true, true, false]);
        let samples: Vec<bool> = marked
            .samples
            .iter()
            .map(|sample| is_marked(sample.tags))
            .collect();
        assert_eq!(samples, [true, false, false]);
        assert_eq!(registry.tags(marked.http[1].tags).get("name"), Some("x"));
    }
}
