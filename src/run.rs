//! The conductor: the only place that wires a run together, and its start and drain order.
//!
//! Start: target, tunnels, script and options, outputs, workers, `setup()`, a first scrape, load. Drain: no new
//! iterations, graceful stop, last samples, `teardown()`, final snapshot, outputs, `verify()`, summary, a last scrape,
//! tunnels, target.

mod api;
mod breakpoint;
mod calls;
mod checkpoint;
mod collect;
mod display;
mod finish;
mod hints;
mod insight;
mod load;
mod network;
mod offered;
mod order;
mod profile;
mod sampling;
mod save;
mod scrape;
mod serve;
mod signals;
mod start;
mod suite;
mod target;
mod traces;
pub mod tunnel;
mod tunnel_page;
mod tunnels;
mod verify;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc::{self, Sender};

pub use breakpoint::{BreakpointOrder, criterion};
pub use load::{Loaded, Prepared, load};
pub use order::{DemoOrder, Ending, Linger, Order, RunError, SamplingOrder, Subject, SummaryOrder};
pub use profile::names as profile_names;
pub use serve::{ServeError, Served, ensure as ensure_served};
pub use signals::Requests;
pub use start::{StartError, start_at};
pub use suite::{Member, suite};
pub use traces::TraceOrder;

use self::collect::{Begun, Current, Observer};
use self::sampling::Sampling;
use self::target::Target;
use self::traces::Traces;
use self::tunnels::{Tunnels, View};
use crate::config::{Config, Scenario};
use crate::engine::{
    self, AbortKind, Complaints, Control, Handle, Live, Reason, ScriptStaff, Spec, UrlStaff,
};
use crate::metrics::machine::Machine;
use crate::metrics::{Batch, Epoch, Recorder, Registry, ThresholdSpec};
use crate::net;
use crate::output::{LivePage, RunState};
use crate::report::saved::SavedBreakpoint;
use crate::script::{HttpDefaults, Workshop};

/// Runs a test from beginning to end, on the current thread's runtime.
///
/// # Errors
/// What keeps a run from starting; nothing has been sent then. What goes wrong later is an [`Ending`].
pub async fn run(mut order: Order) -> Result<Ending, RunError> {
    let target = target::start(&mut order)?;
    let tunnels = Tunnels::open(&mut order)?;
    let result = Box::pin(conduct(order, &target, tunnels.view())).await;
    tunnels.close();
    target.stop().await;
    result
}

async fn conduct(order: Order, target: &Target, tunnels: View) -> Result<Ending, RunError> {
    let mut destinations = save::Destinations::open(&order)?;
    // From here on: a script's top level may never end.
    let mut requests = signals::Requests::listen();
    let loaded = tokio::select! {
        loaded = load::load_apart(&order) => loaded?,
        name = signals::while_loading(&mut requests) => {
            tracing::warn!("{name} while the script was loaded: nothing was sent");
            return Ok(Ending::Signal);
        }
    };
    let run = Run::prepare(order, loaded, tunnels)?;
    api::check(&run)?;
    let observer = Observer::open(&run, target.child()).await?;
    let (wish, wishes) = mpsc::channel(1);
    let _api = api::open(&run, &observer.page, wish).await?;
    run.traces.show(&observer.page);
    let page = observer.page.clone();
    let order = &run.order.sampling;
    let hosts = if order.elsewhere {
        run.tunnels.remote_hosts()
    } else {
        Vec::new()
    };
    let opened = sampling::open(order, target.pid(), hosts, run.epoch).await?;
    if let Some(host) = opened.first() {
        let _ = run.machine.set(host.machine());
    }
    let sampling = Sampling::start(opened, run.epoch, order.interval);
    let (batches, inbox) = engine::batches(run.workers);
    let _signals = signals::listen(run.control.clone(), requests);
    let search = run.order.breakpoint.as_ref();
    let (scenarios, control) = match search {
        None => (run.config.scenarios.clone(), run.control.clone()),
        Some(_) => (breakpoint::light(&run), Control::new()),
    };
    let handle = run.launch(scenarios, &control, batches.clone())?;
    let (ask, asked) = mpsc::channel(1);
    let live = Current::new(handle.live());
    let watching = observer.watch(inbox, asked, live.clone(), sampling);
    let keeping = async {
        let checkpoints = async {
            if let Some(checkpoints) = &mut destinations.checkpoints {
                checkpoints.keep(&run, &page, &ask).await;
            }
        };
        let calls = run.grant(wishes, &batches);
        tokio::join!(checkpoints, insight::follow(&run, &ask), calls);
        std::future::pending::<()>().await;
    };
    let steering = async {
        let ending = match search {
            None => run.steer(handle, &batches, &page).await,
            Some(order) => breakpoint::seek(&run, order, (handle, control), (&batches, &page, live)).await,
        };
        // Whoever has a call under way is to be answered.
        run.calm().await;
        ending
    };
    let ending = tokio::select! {
        ending = steering => ending,
        () = keeping => Ending::Panic("checkpoints ended before the run".to_owned()),
    };
    drop(batches);
    match watching.await {
        Ok(observer) => Ok(finish::finish(&run, observer, ending, destinations).await),
        Err(error) => Ok(Ending::Panic(format!("the collector: {error}"))),
    }
}

/// What all parts of a run share.
struct Run {
    id: String,
    order: Order,
    loaded: Loaded,
    config: Config,
    registry: Arc<Registry>,
    net: Arc<net::Shared>,
    http: HttpDefaults,
    epoch: Epoch,
    begun: Begun,
    control: Control,
    workers: u16,
    /// What the target's machine is, once it is sampled.
    machine: OnceLock<Machine>,
    traces: Traces,
    /// What OTLP collectors are told about it.
    about: traces::About,
    /// What the test is doing, once it is launched.
    live: Arc<OnceLock<Arc<Live>>>,
    /// What the requests go through.
    tunnels: View,
    /// What a search for the breaking point has come to.
    ladder: Mutex<Option<SavedBreakpoint>>,
    /// What virtual users have complained of: it is said once.
    complaints: Arc<Complaints>,
    /// Held while `setup()` or `teardown()` is called.
    playing: tokio::sync::Mutex<()>,
}

impl Run {
    fn prepare(order: Order, loaded: Loaded, tunnels: View) -> Result<Run, RunError> {
        let mut config = loaded.config.clone();
        if let Some(search) = &order.breakpoint {
            search.narrow(&mut config)?;
        }
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let id = format!("{:016x}", fastrand::u64(..));
        let (registry, epoch) = (loaded.final_registry(), Epoch::now());
        let scenarios = config.scenarios.iter().map(|scenario| scenario.name.clone());
        let about = traces::About::new(&id, &order.name, scenarios.collect(), epoch, registry.clone());
        let control = Control::new();
        // The steps of a search are tests of their own.
        if config.paused && order.breakpoint.is_none() {
            control.pause();
        }
        if let Some(path) = &config.console_output {
            let opened = order.progress.console().open(path);
            opened.map_err(|source| RunError::Console {
                path: path.clone(),
                source,
            })?;
        }
        Ok(Run {
            traces: Traces::start(order.traces.as_ref(), about.clone())?,
            about,
            id,
            registry,
            net: net::Shared::new(network::options(&config.http)?)?,
            http: network::http_defaults(&config),
            epoch,
            begun: Begun::default(),
            control,
            workers: order.workers.unwrap_or_else(engine::cores).max(1),
            machine: OnceLock::new(),
            live: Arc::default(),
            tunnels,
            ladder: Mutex::default(),
            complaints: Arc::default(),
            playing: tokio::sync::Mutex::default(),
            order,
            loaded,
            config,
        })
    }

    /// Starts the workers of these scenarios, which begin to initialise their virtual users.
    fn launch(
        &self,
        scenarios: Vec<Scenario>,
        control: &Control,
        batches: Sender<Batch>,
    ) -> Result<Handle, RunError> {
        let spec = Spec {
            scenarios: scenarios.into_iter().map(Arc::new).collect(),
            share: self.config.segment.clone(),
            workers: self.workers,
            registry: self.registry.clone(),
            epoch: self.epoch,
            tags: self.config.tags.clone(),
            min_iteration_duration: self.config.min_iteration_duration,
            batches,
        };
        let (epoch, net, tags) = (self.epoch, self.net.clone(), self.config.tags.clone());
        let (complaints, control) = (self.complaints.clone(), control.clone());
        let tracing = self.traces.tracing();
        let handle = match &self.loaded.subject {
            Prepared::Script { program, .. } => {
                let (program, http) = (program.clone(), self.http.clone());
                let staff = move |_, recorder: Recorder| {
                    let shop = Workshop::new(program.clone(), recorder, epoch, net.clone(), http.clone());
                    let shop = shop.traced(tracing.as_ref());
                    ScriptStaff::new(shop, tags.clone(), complaints.clone())
                };
                engine::run(spec, staff, control)?
            }
            Prepared::Url(plan) => {
                let (plan, keep) = (plan.clone(), !self.config.http.no_vu_connection_reuse);
                let staff = move |_, recorder: Recorder| {
                    let (plan, net, tags) = (plan.clone(), net.clone(), tags.clone());
                    UrlStaff::new(plan, recorder, epoch, net, tags, keep, complaints.clone())
                        .traced(tracing.as_ref())
                };
                engine::run(spec, staff, control)?
            }
        };
        let _ = self.live.set(handle.live());
        Ok(handle)
    }

    /// From virtual users that begin to initialise to the end of `teardown()`.
    async fn steer(&self, mut handle: Handle, batches: &Sender<Batch>, page: &LivePage) -> Ending {
        let state = |state| page.set_state(state);
        let mut set_up = Ok(());
        let initialised = self.initialise(&mut handle).await && api::wait(self, page).await;
        if initialised {
            set_up = self.open(&handle.live(), batches, page).await;
            match &set_up {
                Ok(()) => {
                    let start = self.start().await;
                    self.begun.load_at(&self.epoch, start);
                    handle.start(start);
                    self.tunnels.cool_later();
                }
                Err(ending) => self.control.stop_now(Reason::Script {
                    kind: AbortKind::Exception,
                    message: format!("{ending:?}"),
                }),
            }
        }
        let reason = handle.finished().await;
        if let Err(ending) = set_up {
            return ending;
        }
        state(RunState::Teardown);
        let torn_down = match &reason {
            Some(Reason::Hire(_) | Reason::Panic(_)) => Ok(()),
            // What setup() has not made, teardown() need not clean up; and nobody is to wait for it who has asked twice.
            _ if !initialised || self.control.hurried() => Ok(()),
            _ => self.tear_down(batches).await,
        };
        match (reason.map(Ending::from), torn_down) {
            (Some(ending), _) | (None, Err(ending)) => ending,
            (None, Ok(())) => Ending::Passed,
        }
    }

    /// The test begins: `setup()`, channels that are opened ahead, a first scrape. The load can begin then.
    async fn open(&self, live: &Live, batches: &Sender<Batch>, page: &LivePage) -> Result<(), Ending> {
        self.begun.now(&self.epoch);
        live.begin();
        page.set_state(RunState::Setup);
        self.set_up(batches).await?;
        self.tunnels.warm(live.vus_max()).await;
        if self.order.metrics_addr.is_some() {
            scrape::first(page, self.order.linger, &self.control).await;
        }
        page.set_state(RunState::Running);
        Ok(())
    }

    /// The thresholds that are judged on the whole run: none if parts of it are meant to break.
    fn thresholds(&self) -> &[ThresholdSpec] {
        match self.order.breakpoint {
            None => &self.config.thresholds,
            Some(_) => &[],
        }
    }

    /// Waits until all virtual users are initialised, and shows how far they are.
    async fn initialise(&self, handle: &mut Handle) -> bool {
        let live = handle.live();
        let show = || {
            let (mut done, mut total) = (0, 0);
            for (_, progress) in live.scenarios() {
                (done, total) = (
                    done + progress.hired.min(progress.planned),
                    total + progress.planned,
                );
            }
            self.order.progress.init(done, total);
        };
        loop {
            tokio::select! {
                ready = handle.ready() => {
                    show();
                    return ready;
                }
                () = tokio::time::sleep(LOOK) => show(),
            }
        }
    }
}

/// How often the initialisation of virtual users is looked at.
const LOOK: Duration = Duration::from_millis(100);

impl From<Reason> for Ending {
    fn from(reason: Reason) -> Ending {
        match reason {
            Reason::Signal => Ending::Signal,
            Reason::Threshold(_) => Ending::Thresholds,
            Reason::Api => Ending::Api,
            // A step of a search ends so, never a run.
            Reason::Over => Ending::Passed,
            Reason::Lost(message) => Ending::Tunnel(message),
            Reason::Script {
                kind: AbortKind::Abort,
                message,
            } => Ending::Aborted(message),
            Reason::Script {
                kind: AbortKind::Exception,
                message,
            } => Ending::Exception(message),
            Reason::Hire(error) => Ending::Exception(error.message),
            Reason::Panic(message) => Ending::Panic(message),
        }
    }
}
