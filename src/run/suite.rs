//! Several scenarios of one system, one after another: each in a process of its own, as if its user had typed the command,
//! so that none inherits sockets, memory or a panic of the one before.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;

use tokio::process::{Child, Command};

use super::RunError;
use super::signals::Requests;
use crate::report::saved::SavedRun;
use crate::report::suite::{Numbers, SuiteRow};

/// One run to be.
#[derive(Clone, Debug)]
pub struct Member {
    /// The scenario.
    pub name: String,
    /// Arguments of `loadgen run`, the scenario included.
    pub arguments: Vec<OsString>,
    /// Where the run is saved; its line in the table is made from it.
    pub saved: PathBuf,
}

/// Runs all of them, or with `fail_fast` up to the first that does not pass. A signal ends the run under way and leaves out
/// the rest. There is a row for each member.
///
/// # Errors
/// This program cannot be started again.
pub async fn suite(
    members: &[Member],
    fail_fast: bool,
    requests: &mut Requests,
) -> Result<Vec<SuiteRow>, RunError> {
    let program = std::env::current_exe().map_err(RunError::OwnFile)?;
    let mut rows = Vec::new();
    let mut stopped = false;
    for member in members {
        let row = |numbers, code| SuiteRow {
            name: member.name.clone(),
            numbers,
            code,
        };
        if stopped {
            rows.push(row(None, None));
            continue;
        }
        // Of an earlier suite in the same folder: it must not pass for this one's.
        let _ = std::fs::remove_file(&member.saved);
        let mut child = Command::new(&program)
            .arg("run")
            .args(&member.arguments)
            .kill_on_drop(true)
            .spawn()
            .map_err(RunError::OwnFile)?;
        let (status, signalled) = wait(&mut child, requests).await.map_err(RunError::OwnFile)?;
        let code = code(status);
        rows.push(row(
            SavedRun::read(&member.saved).ok().map(|run| Numbers::of(&run)),
            Some(code),
        ));
        stopped = signalled || (fail_fast && code != 0);
    }
    Ok(rows)
}

/// Waits for a run. The terminal sends Ctrl-C to the run itself; other signals are passed on.
async fn wait(child: &mut Child, requests: &mut Requests) -> std::io::Result<(ExitStatus, bool)> {
    let mut signalled = false;
    loop {
        tokio::select! {
            status = child.wait() => return Ok((status?, signalled)),
            name = requests.next() => {
                signalled = true;
                if name == "terminated" {
                    terminate(child);
                }
            }
        }
    }
}

#[cfg(unix)]
fn terminate(child: &Child) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // It may be over already.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGTERM);
    }
}

#[cfg(not(unix))]
fn terminate(_child: &Child) {}

/// The exit code, or what a shell would say of a process that a signal ended.
fn code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().unwrap_or(1)
}
