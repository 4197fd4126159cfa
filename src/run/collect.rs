//! Where samples come together while a run is going: the collector, its outputs, and the once-a-second look.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::Run;
use super::checkpoint::Ask;
use super::display::Display;
use super::offered::Part;
use super::order::RunError;
use super::sampling::{Reading, Sampling};
use super::save::cores;
use super::tunnels::View;
use crate::demo::DemoChild;
use crate::engine::{Control, Live, Reason};
use crate::metrics::tunnel::OUTAGE;
use crate::metrics::{
    Batch, Collector, Epoch, HostSample, Registry, Sample, Snapshot, TagsId, TargetMetrics, builtin,
};
use crate::net::Shared;
use crate::output::{FileOutput, LivePage, MetricsServer, Pusher, RunInfo, Teller, process_usage};
use crate::remote::machine;
use crate::report::Trust;
use crate::report::findings::outages_since;

/// Batches come every 250 ms; a window is closed this long after its end, when they all have come.
const GRACE: Duration = Duration::from_millis(300);
/// The number on batches that no worker made.
const OWN: u16 = u16::MAX;

/// Everything that takes samples in.
pub struct Observer {
    /// The sum of all samples.
    pub collector: Collector,
    /// `--out`.
    pub files: Vec<FileOutput>,
    /// What there is to show of the run.
    pub page: Arc<LivePage>,
    /// `/metrics`, unless it is off.
    pub server: Option<MetricsServer>,
    /// `--remote-write`, `--otlp-metrics`.
    pub pushers: Vec<Pusher>,
    /// `--alertmanager` and `--grafana`.
    pub teller: Option<Teller>,
    epoch: Epoch,
    control: Control,
    begun: Begun,
    net: Arc<Shared>,
    part: Part,
    display: Display,
    /// What the engine does; known once it has been launched.
    live: Option<Current>,
    gauged: bool,
    /// When this process's CPU time was last looked at, and what it was, in seconds.
    cpu: Option<(Instant, f64)>,
    /// Cores that this process may use, and threads that it works with.
    room: (f64, u16),
    registry: Arc<Registry>,
    /// The metrics of the target, if one is sampled.
    target: Option<TargetMetrics>,
    /// Whether our own target has been seen, and has not ended since.
    demo: Option<bool>,
    tunnels: View,
}

/// What tells the series of this generator from those of others, where nobody scrapes it and says so.
fn pushed_labels() -> Vec<(String, String)> {
    let host = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    let instance = format!(
        "{}:{}",
        host.as_deref().unwrap_or("localhost"),
        std::process::id()
    );
    vec![
        ("job".to_owned(), "loadgen".to_owned()),
        ("instance".to_owned(), instance),
    ]
}

/// What the engine is doing now. A search for the breaking point launches one engine after another.
#[derive(Clone, Debug)]
pub struct Current(Arc<Mutex<Arc<Live>>>);

impl Current {
    /// The first one.
    pub fn new(live: Arc<Live>) -> Current {
        Current(Arc::new(Mutex::new(live)))
    }

    /// The next one.
    pub fn set(&self, live: Arc<Live>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = live;
    }

    fn get(&self) -> Arc<Live> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// When the test began, for rates: the time that virtual users take to initialise is not part of it.
#[derive(Clone, Default)]
pub struct Begun {
    /// Nanoseconds since the epoch.
    test: Arc<AtomicU64>,
    /// The same for the load, which comes after `setup()` and a first scrape; zero until it is known.
    load: Arc<AtomicU64>,
}

impl Begun {
    /// It begins now.
    pub fn now(&self, epoch: &Epoch) {
        self.test
            .store(epoch.nanos(std::time::Instant::now()), Ordering::Relaxed);
    }

    /// So long nothing happened: it is no part of the test.
    pub fn waited(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.test.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The load begins at this instant.
    pub fn load_at(&self, epoch: &Epoch, instant: Instant) {
        self.load
            .store(epoch.nanos(instant.into_std()), Ordering::Relaxed);
    }

    /// When the test began, since the epoch.
    pub fn at(&self) -> Duration {
        Duration::from_nanos(self.test.load(Ordering::Relaxed))
    }

    /// When the load began, since the epoch; `None` if it never did.
    pub fn load(&self) -> Option<Duration> {
        let at = self.load.load(Ordering::Relaxed);
        (at > 0).then(|| Duration::from_nanos(at))
    }

    /// Whether it has begun.
    fn has(&self) -> bool {
        !self.at().is_zero()
    }

    /// The test's own time at `since_epoch`.
    pub fn elapsed(&self, since_epoch: Duration) -> Duration {
        since_epoch.saturating_sub(self.at())
    }

    fn fit(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let mut snapshot = Arc::unwrap_or_clone(snapshot);
        snapshot.elapsed = self.elapsed(snapshot.elapsed);
        Arc::new(snapshot)
    }
}

/// The next batch; none if all who send some have ended, or do not come back.
async fn next(inbox: &mut Receiver<Batch>, control: &Control) -> Option<Batch> {
    tokio::select! {
        biased;
        batch = inbox.recv() => batch,
        () = control.abandoned() => None,
    }
}

impl Observer {
    /// Opens files and ports.
    ///
    /// # Errors
    /// One of them is not to be had.
    pub async fn open(run: &Run, demo: Option<&DemoChild>) -> Result<Observer, RunError> {
        let (registry, epoch) = (&run.registry, run.epoch);
        let thresholds = run.thresholds();
        let mut collector = Collector::new(registry.clone(), epoch, thresholds.to_vec());
        registry.protect(run.config.thresholds.iter().map(|spec| &spec.filter));
        registry.keep(&run.config.submetrics);
        if run.order.ignore_outages {
            collector.leave_out(OUTAGE);
        }
        let mut files = Vec::new();
        for spec in &run.order.outputs {
            files.push(FileOutput::open(spec, registry.clone(), epoch, thresholds)?);
        }
        let page = LivePage::new(RunInfo {
            run_id: run.id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            script: run.order.name.clone(),
            scenarios: run
                .config
                .scenarios
                .iter()
                .map(|scenario| scenario.name.clone())
                .collect(),
        });
        let server = match run.order.metrics_addr {
            Some(address) => Some(MetricsServer::bind(address, page.clone()).await?),
            None => None,
        };
        let mut pushers = Vec::new();
        if let Some(options) = &run.order.push {
            pushers.push(Pusher::remote_write(
                options.clone(),
                page.clone(),
                pushed_labels(),
            )?);
        }
        if let Some(metrics) = &run.order.otlp_metrics {
            pushers.push(Pusher::otlp(metrics, &run.about, page.clone())?);
        }
        let teller = match &run.order.tell {
            Some(options) => Some(Teller::start(options.clone(), page.clone(), pushed_labels())?),
            None => None,
        };
        let (control, begun) = (run.control.clone(), run.begun.clone());
        let display = Display::open(run, server.as_ref(), demo);
        let mut observer = Observer {
            collector,
            files,
            page,
            server,
            pushers,
            teller,
            epoch,
            control,
            begun,
            net: run.net.clone(),
            part: Part::of(&run.config),
            display,
            live: None,
            gauged: false,
            room: (cores(&machine()), run.workers),
            cpu: Some((Instant::now(), process_usage().cpu_seconds)),
            target: if run.order.samples() {
                TargetMetrics::define(registry).ok()
            } else {
                None
            },
            demo: demo.map(|_| false),
            tunnels: run.tunnels.clone(),
            registry: registry.clone(),
        };
        // Every series exists at zero from the start.
        let zero = observer.collector.snapshot(Duration::ZERO);
        observer.publish(Arc::new(zero));
        Ok(observer)
    }

    /// Takes samples in until every sender of `inbox` is gone.
    /// Whoever asks meanwhile is told what there is.
    pub fn watch(
        self,
        inbox: Receiver<Batch>,
        asked: Receiver<Ask>,
        live: Current,
        sampling: Sampling,
    ) -> JoinHandle<Observer> {
        tokio::spawn(self.collect(inbox, asked, live, sampling))
    }

    async fn collect(
        mut self,
        mut inbox: Receiver<Batch>,
        mut asked: Receiver<Ask>,
        live: Current,
        mut sampling: Sampling,
    ) -> Observer {
        let zero = Instant::from_std(self.epoch.instant);
        self.live = Some(live.clone());
        let (mut second, control) = (1, self.control.clone());
        loop {
            tokio::select! {
                biased;
                () = sleep_until(zero + Duration::from_secs(second) + GRACE) => {
                    self.look(second, &live.get());
                    // A conductor that was held up does not go through every second it missed.
                    second = (second + 1).max(zero.elapsed().as_secs().saturating_sub(1));
                }
                reading = sampling.next() => self.reading(reading),
                Some(answer) = asked.recv() => {
                    let snapshot = self.begun.fit(Arc::new(self.collector.snapshot(zero.elapsed())));
                    // Whoever asked may have gone.
                    let _ = answer.send((snapshot, self.collector.timeline().clone()));
                }
                batch = next(&mut inbox, &control) => match batch {
                    Some(batch) => {
                        self.absorb(batch);
                        // A run that ends within a second has its gauges too.
                        if !self.gauged {
                            let live = live.get();
                            if live.vus() > 0 {
                                self.gauges(zero.elapsed(), &live);
                            }
                        }
                    }
                    None => {
                        for reading in sampling.last().await {
                            self.reading(reading);
                        }
                        self.tunnels();
                        return self;
                    }
                }
            }
        }
    }

    fn absorb(&mut self, batch: Batch) {
        let batch = self.tunnels.mark(batch, &self.registry, &self.epoch);
        if self.files.is_empty() {
            self.collector.absorb(&batch);
            return;
        }
        let batch = Arc::new(batch);
        for file in &self.files {
            file.send(&batch);
        }
        self.collector.absorb(&batch);
    }

    /// What is done once a second: gauges, the window, thresholds, the page.
    fn look(&mut self, second: u64, live: &Live) {
        let until = Duration::from_secs(second);
        self.page.set_paused(live.is_paused());
        self.gauges(until, live);
        self.tunnels();
        for file in &self.files {
            self.collector.output_losses(file.name(), file.lost());
        }
        if second.is_multiple_of(2)
            && let Some(spec) = self.collector.judge(self.begun.elapsed(until))
        {
            let text = format!("{}: {}", spec.filter, spec.expression.source);
            tracing::warn!("threshold `{text}` failed and asks to stop the test");
            self.control.stop_now(Reason::Threshold(text));
        }
        self.hold(until, live);
        let snapshot = self.collector.close_window(until);
        let snapshot = self.publish(snapshot);
        if self.begun.has() {
            self.publish_load(live, snapshot.elapsed);
            self.publish_validity(&snapshot);
            self.display.show(live, &snapshot, self.control.level(), false);
        }
    }

    /// What the window that ends at `until` cannot learn from samples.
    fn hold(&mut self, until: Duration, live: &Live) {
        let now = Instant::now();
        let cpu = process_usage().cpu_seconds;
        let (then, before) = self.cpu.replace((now, cpu)).unwrap_or((now, cpu));
        let passed = (now - then).as_secs_f64();
        let used = if passed > 0.0 {
            (cpu - before).max(0.0) / passed
        } else {
            0.0
        };
        // The plan at the middle of the window.
        let middle = until.saturating_sub(Duration::from_millis(500));
        // The plans count from where their engine began.
        let began = live
            .load_began()
            .map(|began| Duration::from_nanos(self.epoch.nanos(began)));
        let since = began.and_then(|began| middle.checked_sub(began));
        let offered = since.map_or(0.0, |since| self.part.rate(live, since));
        self.collector.hold(offered, used);
    }

    /// What the tunnels are doing, and whether they are still there.
    fn tunnels(&mut self) {
        if self.tunnels.is_empty() {
            return;
        }
        let samples = self.tunnels.round_trips(&self.registry, &self.epoch);
        // What was measured before the test is no result of the test.
        if self.begun.has() && !samples.is_empty() {
            self.absorb(Batch {
                worker: OWN,
                samples,
                ..Batch::default()
            });
        }
        let numbers = self.tunnels.samples();
        self.display.tunnels(&numbers);
        self.page.publish_tunnels(numbers);
        if let Some(reason) = self.tunnels.failure() {
            self.control.stop_now(Reason::Lost(reason));
        }
    }

    fn gauges(&mut self, until: Duration, live: &Live) {
        self.gauged = true;
        let at = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
        let gauge = |metric, value: u32| Sample {
            at,
            metric,
            tags: TagsId::EMPTY,
            value: f64::from(value),
        };
        let samples = vec![
            gauge(builtin::VUS, live.vus()),
            gauge(builtin::VUS_MAX, live.vus_max()),
            gauge(builtin::HTTP_REQS_IN_FLIGHT, self.net.in_flight()),
        ];
        self.absorb(Batch {
            worker: OWN,
            samples,
            ..Batch::default()
        });
    }

    /// Takes in what a host told, or that it told nothing.
    fn reading(&mut self, reading: Reading) {
        match reading {
            Reading::Sample(sample) => self.sample(*sample),
            Reading::Lost(host) => {
                self.page.lose_host(&host);
                self.display.lose_target(&host);
            }
        }
    }

    fn sample(&mut self, sample: HostSample) {
        if let Some(seen) = &mut self.demo {
            let alive = sample.processes.iter().any(|process| &*process.name == "demo");
            if *seen && !alive {
                tracing::error!("the demo target has ended: its requests fail from here on");
            }
            *seen = alive;
        }
        // What the target did before the test is on the time axis, but is no result of the test.
        if let Some(metrics) = self.target.as_mut().filter(|_| self.begun.has()) {
            let samples = metrics.samples(&self.registry, &sample);
            self.absorb(Batch {
                worker: OWN,
                samples,
                ..Batch::default()
            });
        }
        self.page.publish_host(sample.clone());
        self.display.target(&sample);
        self.collector.host(sample);
    }

    fn publish(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let snapshot = self.begun.fit(snapshot);
        self.page.publish(snapshot.clone());
        snapshot
    }

    fn publish_load(&self, live: &Live, elapsed: Duration) {
        self.page.publish_load(self.part.load(live, &self.net, elapsed));
    }

    /// Whether the numbers so far are the target's.
    fn publish_validity(&self, snapshot: &Snapshot) {
        let Some(start) = self.begun.load() else { return };
        let outages = outages_since(
            &self.tunnels.outages(),
            self.epoch.instant + start,
            std::time::Instant::now(),
        );
        let timeline = self.collector.timeline();
        let trust = Trust::of(snapshot, timeline, start.as_secs_f64(), self.room, outages);
        self.page.publish_validity(trust.judge().verdict.as_str());
    }

    /// The last judgement and the final snapshot, which is also published.
    pub fn conclude(&mut self) -> Arc<Snapshot> {
        let until = self.epoch.instant.elapsed();
        for file in self.files.drain(..) {
            // Says itself what it lost. The last page shows it too.
            let end = file.finish();
            self.collector.output_losses(&end.name, end.lost);
        }
        self.collector.judge(self.begun.elapsed(until));
        let last = self.collector.finish(until);
        let last = self.publish(last);
        self.publish_validity(&last);
        if let Some(live) = self.live.as_ref().map(Current::get) {
            let live = &*live;
            self.publish_load(live, last.elapsed);
            self.display.show(live, &last, self.control.level(), true);
        }
        last
    }
}
