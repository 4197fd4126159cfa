//! `setup()` and `teardown()`: the run calls each of them once, and whoever asks for it over the REST API has one called then.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Run;
use super::load::Prepared;
use super::order::Ending;
use crate::engine::{self, AbortKind, Control, EngineError, Level, Place, Reason};
use crate::metrics::{Batch, Recorder, TagSet};
use crate::script::{Around, Program, ScriptError, ScriptUser, Seat, Workshop};

/// What is called apart from iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `setup()`, whose result every virtual user gets.
    Setup,
    /// `teardown(data)`.
    Teardown,
}

/// That somebody wants it called now, and whom to tell when it is done.
#[derive(Debug)]
pub struct Wish {
    /// What is to be called.
    pub part: Part,
    /// Told when it has returned, or why it has not.
    pub done: oneshot::Sender<Result<(), Ending>>,
}

impl Part {
    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Part::Setup => "setup",
            Part::Teardown => "teardown",
        }
    }
}

impl Run {
    /// Runs `setup()` where the run does.
    pub(super) async fn set_up(&self, batches: &Sender<Batch>) -> Result<(), Ending> {
        if self.config.no_setup {
            return Ok(());
        }
        self.play(Part::Setup, batches).await
    }

    /// Runs `teardown(data)` where the run does.
    pub(super) async fn tear_down(&self, batches: &Sender<Batch>) -> Result<(), Ending> {
        if self.config.no_teardown {
            return Ok(());
        }
        self.play(Part::Teardown, batches).await
    }

    /// Calls what somebody outside wants called, whether or not the run does so itself, for as long as it is polled.
    pub(super) async fn grant(&self, mut wishes: Receiver<Wish>, batches: &Sender<Batch>) {
        while let Some(Wish { part, done }) = wishes.recv().await {
            let outcome = self.play(part, batches).await;
            // Whoever asked may have gone.
            let _ = done.send(outcome);
        }
    }

    /// Returns once none is under way.
    pub(super) async fn calm(&self) {
        let _ = self.playing.lock().await;
    }

    /// Calls it, if the script has it. One at a time: their samples come from the same place.
    async fn play(&self, part: Part, batches: &Sender<Batch>) -> Result<(), Ending> {
        let Prepared::Script { program, .. } = &self.loaded.subject else {
            return Ok(());
        };
        if !self.loaded.exports(part.name()) {
            return Ok(());
        }
        let _turn = self.playing.lock().await;
        match part {
            Part::Setup => {
                let result = self.call(part, program, Vec::new(), batches).await?;
                // One that was cut short by the run's end has said nothing.
                if result.is_some() || self.control.level() == Level::Run {
                    program.set_data(result.as_deref());
                }
                Ok(())
            }
            Part::Teardown => {
                let data = program.data();
                self.call(part, program, vec![data], batches).await.map(drop)
            }
        }
    }

    /// How long it may take.
    fn limit(&self, part: Part) -> Duration {
        match part {
            Part::Setup => self.config.setup_timeout,
            Part::Teardown => self.config.teardown_timeout,
        }
    }

    /// What a script can learn of the run outside of its scenarios.
    pub(super) fn around(&self) -> Option<Arc<dyn Around>> {
        let live = self.live.get()?.clone();
        Some(Arc::new(Place::apart(live, self.epoch)))
    }

    /// Calls it in a virtual user of its own.
    async fn call(
        &self,
        part: Part,
        program: &Arc<Program>,
        arguments: Vec<Option<Arc<str>>>,
        batches: &Sender<Batch>,
    ) -> Result<Option<String>, Ending> {
        let (function, limit) = (part.name(), self.limit(part));
        let (program, net, http, epoch) = (program.clone(), self.net.clone(), self.http.clone(), self.epoch);
        let run_tags = TagSet::from_pairs(&self.config.tags);
        let control = self.control.clone();
        let (around, tracing) = (self.around(), self.traces.tracing());
        let task = move |recorder: Recorder| async move {
            let shop = Workshop::new(program, recorder, epoch, net, http).traced(tracing.as_ref());
            let shop = Rc::new(shop);
            let tags = run_tags.with("group", &format!("::{function}"));
            let (mut user, _) = ScriptUser::start(
                shop,
                Seat {
                    tags,
                    around,
                    ..Seat::default()
                },
            )
            .await?;
            let call = timeout(limit, user.call(function, arguments));
            tokio::select! {
                result = call => Ok(result.ok().transpose()?),
                () = given_up(&control, part) => Ok(Some(None)),
            }
        };
        let called: Result<Result<Option<Option<String>>, ScriptError>, EngineError> = match timeout(
            limit.saturating_add(engine::SILENCE),
            engine::solo(self.workers, self.registry.clone(), epoch, batches.clone(), task),
        )
        .await
        {
            Ok(called) => called,
            // It cannot be interrupted, and does not come back.
            Err(_) => {
                self.control.abandon(Reason::Script {
                    kind: AbortKind::Exception,
                    message: format!("{function}() does not come back"),
                });
                Ok(Ok(None))
            }
        };
        match called {
            Ok(Ok(Some(result))) => Ok(result),
            Ok(Ok(None)) => {
                tracing::error!("{function}() took longer than {} s", limit.as_secs_f64());
                Err(match part {
                    Part::Setup => Ending::SetupTimeout,
                    Part::Teardown => Ending::TeardownTimeout,
                })
            }
            Ok(Err(error)) if error.aborted => Err(Ending::Aborted(error.message)),
            Ok(Err(error)) => {
                tracing::error!("{function}(): {error}");
                Err(Ending::Exception(error.message))
            }
            Err(error) => Err(Ending::Panic(error.to_string())),
        }
    }
}

/// Returns when it has to give up: `setup` at any stop, while what cleans up goes on unless a person is in a hurry.
async fn given_up(control: &Control, part: Part) {
    match part {
        Part::Setup => until(|| control.level() > Level::Run).await,
        Part::Teardown => hurried(control).await,
    }
}

/// Returns when a person wants the end at once. What comes after the load gives up only then: a test that a threshold or
/// the script has stopped has all the more to clean up and to tell.
pub async fn hurried(control: &Control) {
    until(|| control.hurried()).await;
}

async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
