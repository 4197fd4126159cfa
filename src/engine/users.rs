//! The two kinds of virtual users: one that runs a script, one that sends the same request again and again.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::control::{AbortKind, Reason};
use super::ledger::scenario_tags;
use super::staff::{HireError, Iteration, Outcome, Staff, VirtualUser, VuSeat};
use crate::metrics::{
    Epoch, IterationEnd, IterationSpan, NameId, Recorder, SystemTag, TagSet, TagsId, Tracer, Tracing, Trail,
    builtin,
};
use crate::net::{Client, NetError, Request, Shared, Target, code};
use crate::script::{ScriptUser, Seat, Turn, Verdict, Workshop};

/// Makes virtual users that run a script.
pub struct ScriptStaff {
    workshop: Rc<Workshop>,
    tags: BTreeMap<String, String>,
    complaints: Arc<Complaints>,
}

impl ScriptStaff {
    /// For one worker; `tags` are the run's.
    pub fn new(
        workshop: Workshop,
        tags: BTreeMap<String, String>,
        complaints: Arc<Complaints>,
    ) -> ScriptStaff {
        ScriptStaff {
            workshop: Rc::new(workshop),
            tags,
            complaints,
        }
    }
}

impl Staff for ScriptStaff {
    type User = Scripted;

    async fn hire(&self, seat: VuSeat) -> Result<Scripted, HireError> {
        let place = seat.place.clone();
        let seat = Seat {
            vu: seat.id_in_instance,
            vu_in_test: seat.id,
            around: Some(seat.place),
            exec: seat.scenario.exec.clone(),
            env: seat.scenario.env.clone(),
            tags: scenario_tags(&self.workshop.registry, &self.tags, &seat.scenario),
        };
        match ScriptUser::start(self.workshop.clone(), seat).await {
            Ok((user, _)) => Ok(Scripted {
                user,
                complaints: self.complaints.clone(),
            }),
            Err(error) => {
                if let Some(control) = place.control().filter(|_| error.aborted) {
                    let (kind, message) = (AbortKind::Abort, error.message.clone());
                    control.stop_now(Reason::Script { kind, message });
                }
                Err(HireError {
                    message: error.to_string(),
                })
            }
        }
    }
}

/// A virtual user that runs a script.
pub struct Scripted {
    user: ScriptUser,
    complaints: Arc<Complaints>,
}

impl VirtualUser for Scripted {
    async fn iterate(&mut self, it: Iteration) -> Outcome {
        let turn = Turn {
            in_vu: it.in_vu,
            in_scenario: it.in_scenario,
        };
        match self.user.take_turn(turn).await {
            Verdict::Complete => Outcome::Complete,
            Verdict::Interrupted => Outcome::Interrupted,
            Verdict::Aborted(message) => Outcome::Abort {
                code: AbortKind::Abort,
                message,
            },
            Verdict::Threw(error) => {
                self.complaints.exception(&error.to_string());
                Outcome::Failed
            }
        }
    }

    async fn interrupt(&mut self) {
        self.user.interrupt();
    }

    fn iteration_tags(&self) -> Option<TagsId> {
        self.user.iteration_tags()
    }

    fn metadata(&self) -> Option<TagSet> {
        self.user.metadata()
    }
}

/// Shows what goes wrong without drowning the terminal in it: the first few of each kind, then none.
#[derive(Debug, Default)]
pub struct Complaints {
    seen: std::sync::Mutex<BTreeMap<String, u64>>,
}

/// How often the same exception is shown, and how many different ones are told apart.
const SHOWN: u64 = 3;
const KINDS: usize = 100;

impl Complaints {
    /// A request that failed, said once per error.
    fn failure(&self, url: &str, error: &NetError) {
        let mend = if error.code == code::DIAL_REFUSED {
            ": is the server running?"
        } else {
            ""
        };
        let error = &error.message;
        let mut seen = self
            .seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.len() < KINDS && seen.insert(error.to_string(), 1).is_none() {
            tracing::warn!("request failed: {url}: {error}{mend} (said once; the summary counts all)");
        }
    }

    fn exception(&self, text: &str) {
        let mut seen = self
            .seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.len() >= KINDS && !seen.contains_key(text) {
            return;
        }
        let count = seen.entry(text.to_owned()).or_default();
        *count += 1;
        match (*count).cmp(&SHOWN) {
            std::cmp::Ordering::Less => tracing::error!("{text}"),
            std::cmp::Ordering::Equal => tracing::error!("{text}\n  (not shown again)"),
            std::cmp::Ordering::Greater => {}
        }
    }
}

/// The one request of a run without a script.
#[derive(Clone, Debug)]
pub struct UrlPlan {
    /// The method.
    pub method: Method,
    /// The URL as text; it was parsed once already, to say early what is wrong with it.
    pub url: String,
    /// Headers of every request.
    pub headers: HeaderMap,
    /// The body of every request.
    pub body: Bytes,
    /// For one request, redirects included.
    pub timeout: Duration,
    /// How many redirects are followed.
    pub max_redirects: u32,
    /// Inclusive ranges of statuses that count as success.
    pub expected: Vec<(u16, u16)>,
}

/// Makes virtual users that all send the same request.
pub struct UrlStaff {
    plan: Arc<UrlPlan>,
    request: Result<Request, String>,
    recorder: Recorder,
    epoch: Epoch,
    net: Arc<Shared>,
    tags: BTreeMap<String, String>,
    name: NameId,
    keep_connections: bool,
    complaints: Arc<Complaints>,
    tracer: Option<Rc<Tracer>>,
}

impl UrlStaff {
    /// For one worker; `tags` are the run's.
    pub fn new(
        plan: Arc<UrlPlan>,
        recorder: Recorder,
        epoch: Epoch,
        net: Arc<Shared>,
        tags: BTreeMap<String, String>,
        keep_connections: bool,
        complaints: Arc<Complaints>,
    ) -> UrlStaff {
        // Parsed here, so that the workers share no reference count.
        let request = Target::parse(&plan.url)
            .map(|target| {
                let mut request = Request::new(plan.method.clone(), target);
                request.template = Some(Arc::new(plan.headers.clone()));
                request.body = plan.body.clone();
                request.timeout = plan.timeout;
                request.max_redirects = plan.max_redirects;
                request.discard_body = true;
                request
            })
            .map_err(|error| error.to_string());
        let name = recorder.url_name(&plan.url);
        UrlStaff {
            plan,
            request,
            recorder,
            epoch,
            net,
            tags,
            name,
            keep_connections,
            complaints,
            tracer: None,
        }
    }

    /// The same, with a trace for each iteration.
    #[must_use]
    pub fn traced(self, tracing: Option<&Arc<Tracing>>) -> UrlStaff {
        let tracer = tracing.map(|tracing| Tracer::new(tracing.clone()));
        UrlStaff { tracer, ..self }
    }
}

impl Staff for UrlStaff {
    type User = Repeater;

    async fn hire(&self, seat: VuSeat) -> Result<Repeater, HireError> {
        let registry = self.recorder.registry();
        let mut tags = scenario_tags(&registry, &self.tags, &seat.scenario);
        if registry.system_tags().contains(SystemTag::Group) {
            tags = tags.with(SystemTag::Group.as_str(), "");
        }
        Ok(Repeater {
            request: self.request.clone().map_err(|message| HireError { message })?,
            client: Client::new(self.net.clone()),
            trail: self.tracer.clone().map(Trail::new),
            seat: (seat.id, 0),
            recorder: self.recorder.clone(),
            epoch: self.epoch,
            context: registry.intern(&tags),
            name: self.name,
            plan: self.plan.clone(),
            keep_connections: self.keep_connections,
            complaints: self.complaints.clone(),
            traffic: Traffic {
                sent: 0,
                received: 0,
                since: Instant::now(),
            },
            complained: false,
        })
    }
}

/// A virtual user that sends one request an iteration.
pub struct Repeater {
    request: Request,
    client: Client,
    /// The trace of the iteration under way, if there are traces.
    trail: Option<Trail>,
    /// The virtual user's number in the test, and the iteration's in its scenario.
    seat: (u64, u64),
    recorder: Recorder,
    epoch: Epoch,
    context: TagsId,
    name: NameId,
    plan: Arc<UrlPlan>,
    keep_connections: bool,
    complaints: Arc<Complaints>,
    traffic: Traffic,
    complained: bool,
}

/// Wire bytes that are not yet in a sample: one for each request would cost as much as its other samples.
struct Traffic {
    sent: u64,
    received: u64,
    since: Instant,
}

/// How long wire bytes may wait for their sample.
const TRAFFIC_EVERY: Duration = Duration::from_millis(100);

impl Traffic {
    fn add(&mut self, sent: u64, received: u64) {
        self.sent += sent;
        self.received += received;
    }
}

impl Repeater {
    fn end_trace(&self, at: Instant, ended: IterationEnd) {
        if let Some(trail) = &self.trail {
            let (vu, number) = self.seat;
            trail.end(self.epoch.nanos(at), || IterationSpan {
                what: "iteration",
                tags: self.context,
                vu,
                number,
                ended,
            });
        }
    }

    fn book_traffic(&mut self, now: Instant) {
        let at = self.epoch.nanos(now);
        for (metric, bytes) in [
            (builtin::DATA_SENT, std::mem::take(&mut self.traffic.sent)),
            (builtin::DATA_RECEIVED, std::mem::take(&mut self.traffic.received)),
        ] {
            if bytes > 0 {
                self.recorder.add(metric, self.context, at, bytes as f64);
            }
        }
        self.traffic.since = now;
    }
}

impl Drop for Repeater {
    fn drop(&mut self) {
        self.book_traffic(Instant::now());
    }
}

impl VirtualUser for Repeater {
    async fn iterate(&mut self, it: Iteration) -> Outcome {
        let (mut sent, mut received, mut at) = (0, 0, it.started.into_std());
        let mut hops = 0;
        if let Some(trail) = &self.trail {
            self.seat.1 = it.in_scenario;
            self.client.trace(Some(trail.begin(self.epoch.nanos(at)).into()));
        }
        let response = self
            .client
            .send(self.request.clone(), &mut |hop| {
                let ranges = &self.plan.expected;
                let expected = ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&hop.status));
                let name = if hops == 0 {
                    self.name
                } else {
                    self.recorder.url_name(hop.url)
                };
                let series = hop.series(self.context, name, Some(expected));
                let tags = self.recorder.http(series, hop.record(&self.epoch));
                if let (Some(trail), Some(ids)) = (&self.trail, hop.trace) {
                    let failed = hop.failed(Some(expected));
                    let times = (self.epoch.nanos(hop.started), self.epoch.nanos(hop.ended));
                    trail.request(ids, times, failed, || hop.span(&self.epoch, tags, failed, hops));
                }
                hops += 1;
                (sent, received, at) = (sent + hop.sent, received + hop.received, hop.ended);
            })
            .await;
        self.end_trace(at, IterationEnd::Complete);
        self.traffic.add(sent, received);
        if at.duration_since(self.traffic.since) >= TRAFFIC_EVERY {
            self.book_traffic(at);
        }
        if !self.keep_connections {
            self.client.end_iteration(true, false);
        }
        match &response.error {
            None => Outcome::Complete,
            Some(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    self.complaints.failure(response.url(), error);
                }
                Outcome::Complete
            }
        }
    }

    async fn interrupt(&mut self) {
        // The dropped request has closed its connection; its bytes still count.
        self.end_trace(Instant::now(), IterationEnd::Interrupted);
        let (sent, received) = self.client.take_interrupted_bytes();
        self.traffic.add(sent, received);
    }
}
