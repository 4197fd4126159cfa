//! One worker: initialises its virtual users, waits for the start, runs its part of every scenario.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::closed::{Closed, Common};
use super::control::{Control, Reason};
use super::lanes::Berth;
use super::ledger::{Ledger, report_panic, scenario_tags};
use super::live::{Live, Tally};
use super::open::Open;
use super::place::Place;
use super::roster::{Roster, in_test};
use super::staff::{HireError, Staff, VuSeat};
use crate::config::Scenario;
use crate::metrics::{Batch, Epoch, Recorder, TagsId, builtin};
use crate::pace::{Arrivals, Budget, Share, Staffing};

/// How often a worker hands over its samples, counted from the epoch.
pub const FLUSH_EVERY: Duration = Duration::from_millis(250);

/// How often a worker checks how late its timers are.
const PULSE: Duration = Duration::from_millis(50);

/// What the workers of a test have in common.
pub(super) struct Test {
    /// This instance's part of the test.
    pub(super) share: Share,
    pub(super) roster: Roster,
    pub(super) live: Arc<Live>,
    pub(super) control: Control,
    pub(super) epoch: Epoch,
    /// The run's tags.
    pub(super) tags: BTreeMap<String, String>,
    pub(super) min_iteration: Duration,
}

/// One worker's work.
pub(super) struct Job {
    pub(super) worker: u16,
    pub(super) posts: Vec<Post>,
    pub(super) test: Arc<Test>,
    /// Told once all virtual users are initialised.
    pub(super) ready: mpsc::UnboundedSender<()>,
    /// Says when the test starts.
    pub(super) gate: watch::Receiver<Option<Instant>>,
}

/// One worker's part of one scenario.
pub(super) struct Post {
    pub(super) scenario: Arc<Scenario>,
    /// The numbers of the virtual users to initialise before the start.
    pub(super) ids: Vec<u64>,
    /// This worker's part of the virtual users.
    pub(super) share: Share,
    pub(super) tally: Arc<Tally>,
    pub(super) place: Arc<Place>,
    pub(super) model: Model,
}

/// What drives a scenario.
pub(super) enum Model {
    Closed {
        staffing: Staffing,
        budget: Budget,
        common: Arc<Common>,
    },
    Open {
        arrivals: Arrivals,
        /// Which of them are due on this worker.
        dues: Share,
        berth: Berth,
    },
}

/// Does a worker's job; must run on a `LocalSet`. Returns when all virtual users are gone.
pub(super) async fn work<S: Staff>(job: Job, staff: Rc<S>, recorder: Recorder) {
    let Job {
        worker,
        posts,
        test,
        ready,
        mut gate,
    } = job;
    let mut manned = Vec::with_capacity(posts.len());
    for post in posts {
        match man(&post, worker, &test, &*staff).await {
            Ok(users) => manned.push((post, users)),
            Err(Leave) => return,
        }
    }
    let _ = ready.send(());
    drop(ready);
    let start = tokio::select! {
        biased;
        _ = test.control.stopped() => return,
        start = gate.wait_for(Option::is_some) => match start.ok().and_then(|start| *start) {
            Some(start) => start,
            // Whoever was to open the gate has gone.
            None => return,
        },
    };
    let mut scenarios = JoinSet::new();
    for (post, users) in manned {
        let tags = scenario_tags(&recorder.registry(), &test.tags, &post.scenario);
        let ledger = Rc::new(Ledger::new(
            Arc::clone(&post.tally),
            test.control.clone(),
            recorder.clone(),
            test.epoch,
            &tags,
            test.min_iteration,
        ));
        scenarios.spawn_local(scenario(
            post,
            users,
            start,
            worker,
            Arc::clone(&test),
            Rc::clone(&staff),
            ledger,
        ));
    }
    while let Some(ended) = scenarios.join_next().await {
        report_panic(&test.control, ended);
    }
}

/// The test is over before it has begun.
struct Leave;

/// Initialises the virtual users that a scenario starts with.
async fn man<S: Staff>(post: &Post, worker: u16, test: &Test, staff: &S) -> Result<Vec<S::User>, Leave> {
    let mut users = Vec::with_capacity(post.ids.len());
    for &id in &post.ids {
        let seat = seat(id, worker, &post.scenario, &post.place, &test.share);
        let hired = tokio::select! {
            biased;
            _ = test.control.stopped() => return Err(Leave),
            hired = staff.hire(seat) => hired,
        };
        match hired {
            Ok(user) => users.push(user),
            Err(error) => {
                test.control.stop_now(Reason::Hire(error));
                return Err(Leave);
            }
        }
        post.tally.hired();
    }
    Ok(users)
}

fn seat(id: u64, worker: u16, scenario: &Arc<Scenario>, place: &Arc<Place>, share: &Share) -> VuSeat {
    VuSeat {
        id: in_test(share, id),
        id_in_instance: id,
        scenario: Arc::clone(scenario),
        worker,
        place: Arc::clone(place),
    }
}

/// Runs one scenario from its start time on.
async fn scenario<S: Staff>(
    post: Post,
    users: Vec<S::User>,
    start: Instant,
    worker: u16,
    test: Arc<Test>,
    staff: Rc<S>,
    ledger: Rc<Ledger>,
) {
    let Post {
        scenario,
        share,
        tally,
        place,
        model,
        ..
    } = post;
    let start = start + scenario.start;
    let Some(now) = test.control.reach(start).await else {
        tally.finish();
        return;
    };
    let start = start + now.lost;
    let graceful_stop = scenario.graceful_stop;
    match model {
        Model::Closed {
            staffing,
            budget,
            common,
        } => {
            let closed = Closed {
                staffing,
                budget,
                common,
                share,
                users,
                start,
                now,
                graceful_stop,
            };
            closed.run(ledger).await;
        }
        Model::Open {
            arrivals,
            dues,
            berth,
        } => {
            let (tally, live) = (Arc::clone(&tally), Arc::clone(&test.live));
            let hire = move || {
                let seat = seat(test.roster.another(), worker, &scenario, &place, &test.share);
                let (staff, tally, live) = (Rc::clone(&staff), Arc::clone(&tally), Arc::clone(&live));
                async move {
                    let user = staff.hire(seat).await?;
                    tally.hired();
                    live.hired_unplanned();
                    Ok::<_, HireError>(user)
                }
            };
            let open = Open {
                arrivals,
                dues,
                berth,
                users,
                hire,
                start,
                now,
                graceful_stop,
            };
            open.run(ledger).await;
        }
    }
    tally.finish();
}

/// Hands over a worker's samples at regular times, and measures how late those times are. When the collector has not made
/// room yet, the samples stay where they are and go with the next ones: windows get wider, and nothing is lost.
pub(super) async fn flush(
    recorder: Recorder,
    batches: mpsc::Sender<Batch>,
    epoch: Epoch,
    worker: u16,
    live: Option<Arc<Live>>,
) {
    let zero = Instant::from_std(epoch.instant);
    let per_flush = (FLUSH_EVERY.as_nanos() / PULSE.as_nanos()) as u32;
    let mut flushed = 0;
    loop {
        let beats = zero.elapsed().as_nanos() / PULSE.as_nanos() + 1;
        let beats = u32::try_from(beats).unwrap_or(u32::MAX);
        let beat = zero + PULSE * beats;
        sleep_until(beat).await;
        let now = Instant::now();
        if let Some(live) = &live {
            live.beat(worker, epoch.nanos(now.into_std()));
        }
        let late = now.saturating_duration_since(beat).as_secs_f64() * 1e3;
        recorder.add(
            builtin::TIMER_LAG,
            TagsId::EMPTY,
            epoch.nanos(now.into_std()),
            late,
        );
        if beats / per_flush > flushed {
            flushed = beats / per_flush;
            match batches.try_reserve() {
                Ok(place) => place.send(recorder.drain()),
                Err(_) => {
                    if let Some(live) = &live {
                        live.postpone();
                    }
                }
            }
        }
    }
}
