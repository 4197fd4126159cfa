//! The page as it is now: the run writes it, and whoever is asked for it reads it.
//!
//! It also knows when it was read, so that a run can begin after a first scrape and end after a last one: that is what
//! makes the totals of a short run exact in Prometheus.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

use crate::metrics::{Contains, Exemplars, HostSample, Snapshot, SpanStats, Trend, TunnelSample};

use super::families::Format;
use super::process;
use super::prometheus::{Breaking, Load, Page, RunInfo, RunState, SaveCounts, render};
use super::push::PushCounts;
use super::remote;
use super::tell::TellCounts;

/// What `/metrics` shows, and what is pushed.
#[derive(Debug)]
pub struct LivePage {
    state: Mutex<State>,
    scraped: Notify,
}

#[derive(Debug)]
struct State {
    page: Page,
    /// When the last page that went out was begun.
    last: Option<Instant>,
}

impl LivePage {
    /// A page without numbers yet.
    pub fn new(info: RunInfo) -> Arc<LivePage> {
        LivePage::of(Page {
            info,
            ..Page::default()
        })
    }

    /// A page of a tunnel that is held open by itself, without a run.
    pub fn of_tunnel() -> Arc<LivePage> {
        LivePage::of(Page {
            held: Some(Trend::new(Contains::Time)),
            ..Page::default()
        })
    }

    fn of(page: Page) -> Arc<LivePage> {
        Arc::new(LivePage {
            state: Mutex::new(State { page, last: None }),
            scraped: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to show. The lock is held only to copy it, and most of it is shared.
    pub fn read(&self) -> Page {
        let mut page = self.lock().page.clone();
        page.process = process::usage();
        page
    }

    /// Renders a page for a scraper.
    pub(super) fn scrape(&self, format: Format) -> Vec<u8> {
        let begun = Instant::now();
        let body = render(&self.read(), format);
        let mut state = self.lock();
        state.page.scrapes += 1;
        state.page.scrape_duration = begun.elapsed();
        state.last = Some(begun);
        drop(state);
        self.scraped.notify_waiters();
        body
    }

    /// The target's page; `?host=NAME` chooses one of several. It is no scrape of the test.
    pub(super) fn remote(&self, query: Option<&str>) -> String {
        let hosts = self.lock().page.hosts.clone();
        let only = query.and_then(|query| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find_map(|(key, value)| (key == "host").then(|| value.into_owned()))
        });
        remote::render(&hosts, only.as_deref())
    }

    /// Shows what becomes of the samples that are pushed.
    pub fn set_pushes(&self, counts: Arc<PushCounts>) {
        self.lock().page.pushes = Some(counts);
    }

    /// The same for those that are pushed over OTLP.
    pub fn set_otlp_pushes(&self, counts: Arc<PushCounts>) {
        self.lock().page.otlp_pushes = Some(counts);
    }

    /// Shows what becomes of the spans.
    pub fn set_spans(&self, spans: Arc<SpanStats>) {
        self.lock().page.spans = spans;
    }

    /// Shows what becomes of what Alertmanager and Grafana are told.
    pub fn set_told(&self, counts: TellCounts) {
        self.lock().page.told = counts;
    }

    /// Shows what becomes of checkpoints.
    pub fn set_checkpoints(&self, counts: Arc<SaveCounts>) {
        self.lock().page.checkpoints = Some(counts);
    }

    /// Shows this snapshot from now on.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.lock().page.snapshot = Some(snapshot);
    }

    /// Shows this load from now on.
    pub fn publish_load(&self, load: Load) {
        self.lock().page.load = load;
    }

    /// Shows this sample as the newest of its machine.
    pub fn publish_host(&self, sample: HostSample) {
        let hosts = &mut self.lock().page.hosts;
        match hosts.iter_mut().find(|known| known.newest.host == sample.host) {
            Some(known) => {
                (known.newest, known.up) = (sample, true);
                known.readings += 1;
            }
            None => hosts.push(sample.into()),
        }
    }

    /// A machine told nothing when it was asked: what it told before is no longer shown.
    pub fn lose_host(&self, host: &str) {
        let hosts = &mut self.lock().page.hosts;
        for known in hosts.iter_mut().filter(|known| &*known.newest.host == host) {
            known.up = false;
            known.failures += 1;
        }
    }

    /// Shows this verdict on the run itself: one of `valid`, `suspect` and `invalid`.
    pub fn publish_validity(&self, verdict: &'static str) {
        self.lock().page.validity = verdict;
    }

    /// Shows how far the search for the breaking point is.
    pub fn publish_breaking(&self, breaking: Breaking) {
        self.lock().page.breaking = Some(breaking);
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.lock().page.snapshot.clone()
    }

    /// What the busiest target uses of its CPU, 0 to 1, and the cores that what is watched there uses.
    pub fn target_use(&self) -> Option<(f64, Option<f64>)> {
        let state = self.lock();
        let up = state.page.hosts.iter().filter(|host| host.up);
        let used = up.map(|host| {
            let sample = &host.newest;
            let watched = (!sample.processes.is_empty()).then(|| sample.processes_cpu_cores());
            (sample.cpu_utilization(), watched)
        });
        used.max_by(|one, other| one.0.total_cmp(&other.0))
    }

    /// Shows these requests as examples of the durations' buckets.
    pub fn set_exemplars(&self, exemplars: Arc<Exemplars>) {
        self.lock().page.exemplars = exemplars;
    }

    /// Shows these numbers of the tunnels.
    pub fn publish_tunnels(&self, samples: Vec<TunnelSample>) {
        self.lock().page.tunnels = samples;
    }

    /// Shows these numbers of the tunnel that is held open by itself, and all its round trips.
    pub fn publish_tunnel(&self, sample: TunnelSample, round_trips: Trend) {
        let page = &mut self.lock().page;
        page.tunnels = vec![sample];
        page.held = Some(round_trips);
    }

    /// Shows the run in this state.
    pub fn set_state(&self, state: RunState) {
        let page = &mut self.lock().page;
        page.state = state;
        match state {
            RunState::Running => page.load_began = Some(SystemTime::now()),
            RunState::Teardown => page.load_ended = Some(SystemTime::now()),
            _ => {}
        }
    }

    /// Shows whether the load, once it has begun, stands still.
    pub fn set_paused(&self, paused: bool) {
        let state = &mut self.lock().page.state;
        match (*state, paused) {
            (RunState::Running, true) => *state = RunState::Paused,
            (RunState::Paused, false) => *state = RunState::Running,
            _ => {}
        }
    }

    /// When the last page that was served was begun.
    pub fn last_scrape(&self) -> Option<Instant> {
        self.lock().last
    }

    /// Waits until a page was served that was begun after `after`, for at most `timeout`. Whether there was one.
    pub async fn wait_scrape(&self, after: Instant, timeout: Duration) -> bool {
        let scraped = async {
            loop {
                let next = self.scraped.notified();
                tokio::pin!(next);
                // Registered before the look, so that a scrape in between is not missed.
                next.as_mut().enable();
                if self.last_scrape().is_some_and(|last| last > after) {
                    return;
                }
                next.await;
            }
        };
        tokio::time::timeout(timeout, scraped).await.is_ok()
    }
}
