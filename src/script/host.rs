//! What the host functions of one virtual user share: who it is, what it is doing, and where its samples go.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use rquickjs::{Ctx, Error, Exception, JsLifetime, Object, Persistent, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    around::Around,
    events::Events,
    expected::Expected,
    fiber::{Bridge, interruption},
    labels::Labels,
    modules::verify::{Exec, Remote},
    program::Program,
    random::Draw,
    seat::{Seat, Turn},
    traffic::Traffic,
    variables::origin,
};
use crate::{
    metrics::{
        Epoch, IterationEnd, IterationSpan, MetricId, NameId, Recorder, Registry, SystemTag, TagsId, Tracer,
        Tracing, Trail,
    },
    net::{self, NetError, Target, Throttle, code},
};

/// What the virtual users of one worker share.
pub struct Workshop {
    /// The script.
    pub program: Arc<Program>,
    /// The worker's recorder.
    pub recorder: Recorder,
    /// Metric names and tag sets.
    pub registry: Arc<Registry>,
    /// The run's zero.
    pub epoch: Epoch,
    /// TLS, DNS and connection options.
    pub net: Arc<net::Shared>,
    /// The run's HTTP options.
    pub http: HttpDefaults,
    /// Whether `exec()` may run commands.
    pub exec: Cell<Exec>,
    /// Connections to gRPC servers that its virtual users share.
    pub channels: net::grpc::Pool,
    /// What runs them on the target.
    pub remote: RefCell<Option<Remote>>,
    /// Makes traces, if anybody wants them.
    tracer: Option<Rc<Tracer>>,
    targets: RefCell<FxHashMap<Box<str>, (Target, NameId)>>,
    complained: RefCell<FxHashSet<(u16, Box<str>)>>,
}

/// The run's options for requests, as far as a script's calls need them.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // Each is an option of the dialect.
pub struct HttpDefaults {
    /// Parallel requests of one `http.batch`.
    pub batch: usize,
    /// Of those, to one host.
    pub batch_per_host: usize,
    /// Redirects followed unless a call says otherwise.
    pub max_redirects: u32,
    /// `discardResponseBodies`.
    pub discard_bodies: bool,
    /// `noVUConnectionReuse`: connections end with the iteration.
    pub no_vu_connection_reuse: bool,
    /// `noCookiesReset`: cookies outlive the iteration.
    pub no_cookies_reset: bool,
    /// `throw`: failed requests throw instead of returning an error Response.
    pub throw: bool,
    /// `rps`: requests of all virtual users take turns.
    pub throttle: Option<Arc<Throttle>>,
}

impl Default for HttpDefaults {
    fn default() -> HttpDefaults {
        HttpDefaults {
            batch: 20,
            batch_per_host: 6,
            max_redirects: 10,
            discard_bodies: false,
            no_vu_connection_reuse: false,
            no_cookies_reset: false,
            throw: false,
            throttle: None,
        }
    }
}

/// Distinct URLs a worker remembers in parsed form before it starts over.
const TARGETS_KEPT: usize = 4096;

/// The tag that groups write.
const GROUP: &str = "group";

impl Workshop {
    /// A workshop for one worker thread.
    pub fn new(
        program: Arc<Program>,
        recorder: Recorder,
        epoch: Epoch,
        net: Arc<net::Shared>,
        http: HttpDefaults,
    ) -> Workshop {
        let registry = recorder.registry();
        let (targets, complained, exec, remote, channels) = Default::default();
        Workshop {
            program,
            recorder,
            registry,
            epoch,
            net,
            http,
            exec,
            channels,
            remote,
            tracer: None,
            targets,
            complained,
        }
    }

    /// The same, with a trace for each order of its virtual users.
    #[must_use]
    pub fn traced(self, tracing: Option<&Arc<Tracing>>) -> Workshop {
        let tracer = tracing.map(|tracing| Tracer::new(tracing.clone()));
        Workshop { tracer, ..self }
    }

    /// Says once per address that requests fail with this error; the summary counts them all.
    pub fn complain(&self, error: &NetError, url: &str) {
        let origin = origin(url);
        if self.complained.borrow().contains(&(error.code, origin.into())) {
            return;
        }
        if self.program.first_complaint(error.code, origin) {
            let mend = if error.code == code::DIAL_REFUSED {
                let variable = self.program.variable_of(origin);
                let set =
                    variable.map_or_else(|| "check its address".to_owned(), |name| format!("set {name}"));
                format!(": is the server running? {set}, or try --demo")
            } else {
                String::new()
            };
            tracing::warn!(
                "request failed: {url}: {error}{mend} (said once for {origin}; the summary counts all)"
            );
        }
        self.complained.borrow_mut().insert((error.code, origin.into()));
    }

    /// Warns, once in the run for all that have the same to say; `key` is what they have in common.
    pub fn warn_once(&self, key: &str, text: impl FnOnce() -> String) {
        let known = (0, key.into());
        if !self.complained.borrow().contains(&known) {
            if self.program.first_complaint(0, key) {
                tracing::warn!("{}", text());
            }
            self.complained.borrow_mut().insert(known);
        }
    }

    /// A URL in parsed form with the name its samples carry.
    ///
    /// # Errors
    /// The text is no URL (error code 1020). One that leads nowhere is a target whose requests fail.
    pub fn target(&self, url: &str) -> Result<(Target, NameId), NetError> {
        if let Some(known) = self.targets.borrow().get(url) {
            return Ok(known.clone());
        }
        let target = Target::requested(url)?;
        let known = (target, self.recorder.url_name(url));
        let mut targets = self.targets.borrow_mut();
        if targets.len() >= TARGETS_KEPT {
            targets.clear();
        }
        targets.insert(url.into(), known.clone());
        Ok(known)
    }

    fn named(&self, tags: TagsId) -> Option<NameId> {
        let tags = self.registry.tags(tags);
        tags.get("name").map(|name| self.recorder.name(name))
    }
}

/// What a virtual user is doing; some calls are only allowed in some phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The module's top level.
    Init,
    /// `setup`, an iteration, `teardown`, `verify`, `handleSummary`.
    Running,
}

/// One virtual user, as its host functions see it.
pub struct Host {
    /// The fiber it runs on.
    pub bridge: Rc<Bridge>,
    /// What it shares with its worker's other users.
    pub workshop: Rc<Workshop>,
    /// Its connections and cookies.
    pub client: Rc<net::Client>,
    /// The trace of the order under way, if there are traces.
    pub trail: Option<Trail>,
    /// Its timers and asynchronous operations.
    pub events: Events,
    /// `__VU`.
    pub vu: u64,
    /// Its number in the whole test.
    pub vu_in_test: u64,
    /// The iteration under way.
    pub turn: Cell<Turn>,
    /// What it can learn of the run around it.
    pub around: Option<Arc<dyn Around>>,
    /// What the script said when it asked for the end of the test.
    pub aborted: RefCell<Option<String>>,
    /// What it is doing.
    pub phase: Cell<Phase>,
    /// The current group's path, `::a::b`, empty at the root.
    pub group: RefCell<String>,
    /// The group outside all groups: empty, or `::setup`, `::teardown`.
    root: String,
    /// Scenario and run tags, without the group and the script's own.
    given: TagsId,
    /// What the script has set for all samples of this user.
    pub labels: Rc<Labels>,
    /// Both, without the group.
    base: Cell<TagsId>,
    /// The name that a tag of these gives its requests, whatever their URLs.
    pub named: Cell<Option<NameId>>,
    /// Tags of what is recorded now.
    context: Cell<TagsId>,
    /// `http.setResponseCallback`.
    pub expected: RefCell<Expected>,
    /// Where `Math.random` draws from, once a module that draws is loaded or `randomSeed` is called.
    pub random: RefCell<Option<Draw>>,
    /// Promises that were rejected and that nothing has handled yet, with what they were rejected with.
    pub rejections: RefCell<Vec<(Persistent<Value<'static>>, Persistent<Value<'static>>)>>,
    /// What it has required, by name: objects with `exports`.
    pub required: RefCell<FxHashMap<String, Persistent<Object<'static>>>>,
    /// Whether it is making an array for all virtual users.
    pub making: Cell<bool>,
    /// Wire bytes since they were last recorded.
    traffic: Traffic,
}

/// How the host is found from a context.
#[derive(JsLifetime)]
pub struct HostHandle(pub Rc<Host>);

impl Host {
    /// The virtual user of this seat.
    pub fn new(bridge: Rc<Bridge>, workshop: Rc<Workshop>, seat: &Seat) -> Rc<Host> {
        let root = seat.tags.get(GROUP).unwrap_or_default().to_owned();
        let base = workshop
            .registry
            .intern(&seat.tags.filtered(|key, _| key != GROUP));
        let client = Rc::new(net::Client::new(workshop.net.clone()));
        Rc::new(Host {
            bridge,
            client,
            trail: workshop.tracer.clone().map(Trail::new),
            events: Events::default(),
            vu: seat.vu,
            vu_in_test: seat.vu_in_test,
            turn: Cell::default(),
            around: seat.around.clone(),
            aborted: RefCell::default(),
            phase: Cell::new(Phase::Init),
            group: RefCell::default(),
            named: Cell::new(workshop.named(base)),
            context: Cell::new(base),
            root,
            given: base,
            labels: Rc::default(),
            base: Cell::new(base),
            expected: RefCell::default(),
            random: RefCell::default(),
            rejections: RefCell::default(),
            required: RefCell::default(),
            making: Cell::new(false),
            traffic: Traffic::default(),
            workshop,
        })
    }

    /// The host of the virtual user that `ctx` belongs to.
    ///
    /// # Errors
    /// Only before the user's globals are installed.
    pub fn of(ctx: &Ctx<'_>) -> rquickjs::Result<Rc<Host>> {
        match ctx.userdata::<HostHandle>() {
            Some(handle) => Ok(handle.0.clone()),
            None => Err(Exception::throw_internal(
                ctx,
                "no virtual user is running in this context",
            )),
        }
    }

    /// Waits for `future`; while it waits, other virtual users run.
    ///
    /// # Errors
    /// The virtual user is being interrupted; the error ends the script.
    pub fn wait_for<F: Future>(&self, ctx: &Ctx<'_>, future: F) -> rquickjs::Result<F::Output> {
        self.bridge.wait_for(future).map_err(|_| interruption(ctx))
    }

    /// Draws from where `Math.random` does.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut Draw) -> T) -> T {
        match &mut *self.random.borrow_mut() {
            Some(random) => draw(random),
            None => draw(&mut Draw::by_chance()),
        }
    }

    /// Nanoseconds since the run's zero.
    pub fn now(&self) -> u64 {
        self.workshop.epoch.nanos(Instant::now())
    }

    /// Tags of what is recorded now: run, scenario, group.
    pub fn context(&self) -> TagsId {
        self.context.get()
    }

    /// The current tags with more of them.
    pub fn context_with(&self, extra: &[(&str, &str)]) -> TagsId {
        if extra.is_empty() {
            return self.context.get();
        }
        self.workshop.recorder.context(self.context.get(), extra)
    }

    /// Records one sample now.
    pub fn record(&self, metric: MetricId, tags: TagsId, value: f64) {
        self.workshop.recorder.add(metric, tags, self.now(), value);
    }

    /// Counts wire bytes (sent, received) now.
    pub fn add_bytes(&self, bytes: (u64, u64)) {
        self.add_bytes_at(bytes, self.now());
    }

    /// Counts wire bytes (sent, received); they are recorded when the order ends, or when it lasts.
    pub fn add_bytes_at(&self, bytes: (u64, u64), now: u64) {
        if self.traffic.add(bytes, now) {
            self.record_bytes(self.in_group(&self.root));
        }
    }

    fn record_bytes(&self, tags: TagsId) {
        for (metric, bytes) in self.traffic.take() {
            self.record(metric, tags, bytes);
        }
    }

    /// Enters a group by its full path; an empty path is outside all groups.
    pub fn set_group(&self, path: &str) {
        path.clone_into(&mut self.group.borrow_mut());
        self.context.set(self.in_group(path));
    }

    fn in_group(&self, path: &str) -> TagsId {
        if self.workshop.registry.system_tags().contains(SystemTag::Group) {
            self.workshop.recorder.context(self.base.get(), &[(GROUP, path)])
        } else {
            self.base.get()
        }
    }

    /// The script's own tags for all samples of this user are these now.
    pub(super) fn set_own_tags(&self, own: &[(&str, &str)]) {
        self.base.set(self.workshop.recorder.context(self.given, own));
        self.named.set(self.workshop.named(self.base.get()));
        let group = self.group.borrow().clone();
        self.set_group(&group);
    }

    /// Ends the order under way, and asks for the end of the test. What it returns ends the script: neither a `catch` nor
    /// a `finally` runs any more.
    pub fn abort(&self, ctx: &Ctx<'_>, reason: String) -> Error {
        self.aborted.replace(Some(reason));
        self.bridge.give_up();
        interruption(ctx)
    }

    /// Throws unless the script is past its init phase.
    pub fn require_running(&self, ctx: &Ctx<'_>, what: &str) -> Result<(), Error> {
        match self.phase.get() {
            Phase::Running => Ok(()),
            Phase::Init => Err(Exception::throw_message(
                ctx,
                &format!("{what} is not allowed in the init context; call it from setup() or a VU function"),
            )),
        }
    }

    /// Notes that a promise was rejected without a handler, or that one was handled after all.
    pub fn note_rejection<'js>(
        &self,
        ctx: &Ctx<'js>,
        promise: Value<'js>,
        reason: Value<'js>,
        handled: bool,
    ) {
        let mut rejections = self.rejections.borrow_mut();
        if handled {
            rejections.retain(|(known, _)| known.clone().restore(ctx).is_ok_and(|known| known != promise));
        } else {
            rejections.push((Persistent::save(ctx, promise), Persistent::save(ctx, reason)));
        }
    }

    /// Throws what the first unhandled promise was rejected with.
    pub fn raise_rejection(&self, ctx: &Ctx<'_>) -> rquickjs::Result<()> {
        let rejections = self.rejections.take();
        match rejections.into_iter().next() {
            Some((_, reason)) => Err(ctx.throw(reason.restore(ctx)?)),
            None => Ok(()),
        }
    }

    /// Lets go of every JavaScript value that is held here; needed before the engine is dropped.
    pub fn forget(&self) {
        self.events.clear();
        self.rejections.take();
    }

    /// A trace begins, to which the requests from here on belong.
    pub fn begin_trace(&self) {
        if let Some(trail) = &self.trail {
            self.client.trace(Some(trail.begin(self.now()).into()));
        }
    }

    /// The trace ends with its order.
    pub fn end_trace(&self, what: &'static str, ended: IterationEnd) {
        if let Some(trail) = &self.trail {
            self.client.trace(None);
            trail.end(self.now(), || IterationSpan {
                what,
                tags: self.context(),
                vu: self.vu_in_test,
                number: self.turn.get().in_scenario,
                ended,
            });
        }
    }

    /// Lets go of every JavaScript value at the end of the user's life.
    pub fn close(&self) {
        self.forget();
        self.required.take();
    }

    /// Ends an order: timers are forgotten, the group is the root again, wire bytes are recorded.
    pub fn end_order(&self) {
        self.forget();
        self.set_group(&self.root);
        self.traffic.end(self.client.take_interrupted_bytes());
        self.record_bytes(self.context());
        let http = &self.workshop.http;
        self.client
            .end_iteration(http.no_vu_connection_reuse, !http.no_cookies_reset);
    }
}
