//! `verify(data, summary)`: what a script asserts when all is over, when the results are final.
//!
//! It is asked last, so that it sees what the run has done to the system, and by a virtual user of its own whose samples
//! go to a collector of their own: what it requests can fail no threshold and shift no percentile.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::calls::hurried;
use super::load::Prepared;
use super::order::Ending;
use super::{Run, finish};
use crate::engine::{self, EngineError};
use crate::metrics::{Collector, Recorder, Snapshot, TagSet};
use crate::report::Verification;
use crate::script::{Exec, ScriptError, ScriptUser, Seat, Workshop};

/// How `verify()` ended when it did not return.
enum Cut {
    Threw(ScriptError),
    TooLong,
    Stopped,
}

/// Calls the script's `verify()`; `None` if it has none or is not to be asked.
pub async fn verify(run: &Run, snapshot: &Snapshot, ending: &Ending) -> Option<(Verification, Ending)> {
    let Prepared::Script { program, .. } = &run.loaded.subject else {
        return None;
    };
    let over = matches!(ending, Ending::SetupTimeout | Ending::Panic(_)) || run.begun.load().is_none();
    if run.config.no_verify || over || !run.loaded.exports("verify") {
        return None;
    }
    let (batches, mut inbox) = engine::batches(1);
    let mut collector = Collector::new(run.registry.clone(), run.epoch, Vec::new());
    let gather = async {
        while let Some(batch) = inbox.recv().await {
            collector.absorb(&batch);
        }
    };
    let arguments = [
        program.data(),
        Some(Arc::from(finish::data(run, snapshot).to_string())),
    ];
    let call = call(run, program.clone(), arguments, batches);
    let (called, ()) = tokio::join!(call, gather);
    let recorded = collector.finish(run.epoch.instant.elapsed());
    let error = match &called {
        Ok(Ok(())) => None,
        Ok(Err(Cut::Threw(error))) => {
            tracing::error!("verify(): {error}");
            Some(format!("verify() threw: {}", error.message))
        }
        Ok(Err(Cut::TooLong)) => Some(format!(
            "verify() took longer than {} s",
            run.config.verify_timeout.as_secs_f64()
        )),
        Ok(Err(Cut::Stopped)) => Some("verify() was stopped before it was done".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    let verification = Verification::new(&recorded, error);
    let ending = match (called, verification.failure()) {
        // What ended the run earlier is what has to be looked at first.
        _ if !matches!(ending, Ending::Passed | Ending::Thresholds) => ending.clone(),
        (Ok(Err(Cut::Threw(error))), _) if error.aborted => Ending::Aborted(error.message),
        (Ok(Err(Cut::Threw(error))), _) => Ending::Exception(error.message),
        (Ok(Err(Cut::Stopped)), _) => Ending::Signal,
        (Err(error), _) => Ending::Panic(error.to_string()),
        (_, Some(failure)) => Ending::Verify(failure),
        (_, None) => ending.clone(),
    };
    Some((verification, ending))
}

async fn call(
    run: &Run,
    program: Arc<crate::script::Program>,
    arguments: [Option<Arc<str>>; 2],
    batches: tokio::sync::mpsc::Sender<crate::metrics::Batch>,
) -> Result<Result<(), Cut>, EngineError> {
    let (net, http, epoch) = (run.net.clone(), run.http.clone(), run.epoch);
    let tags = TagSet::from_pairs(&run.config.tags).with("group", "::verify");
    let limit: Duration = run.config.verify_timeout;
    let exec = if run.order.allow_exec {
        Exec::Allowed
    } else {
        Exec::Forbidden
    };
    let remote = run.tunnels.remote();
    let (control, around) = (run.control.clone(), run.around());
    let task = move |recorder: Recorder| async move {
        let shop = Workshop::new(program, recorder, epoch, net, http);
        shop.exec.set(exec);
        shop.remote.replace(remote);
        let seat = Seat {
            tags,
            around,
            ..Seat::default()
        };
        let (mut user, _) = ScriptUser::start(Rc::new(shop), seat).await.map_err(Cut::Threw)?;
        let call = tokio::time::timeout(limit, user.call("verify", arguments.to_vec()));
        tokio::select! {
            result = call => match result {
                Ok(returned) => returned.map(drop).map_err(Cut::Threw),
                Err(_) => Err(Cut::TooLong),
            },
            () = hurried(&control) => Err(Cut::Stopped),
        }
    };
    engine::solo(0, run.registry.clone(), epoch, batches, task).await
}
