//! A server that a suite starts because nobody else has: it is waited for until it answers, and never left behind.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use crate::net::{Client, NetOptions, Request, Shared, Target};

/// Lines of the server's output that are kept for a message.
const KEPT: usize = 20;
/// How long one look at the health URL may take.
const LOOK: Duration = Duration::from_secs(2);
/// How long the server may take to end when it is asked to.
const END_WITHIN: Duration = Duration::from_secs(10);

/// What keeps a server from being there.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The health URL is none.
    #[error("the health URL {url}: {why}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody answers, and there is no command.
    #[error("nothing answers at {url}: start the server, or let --serve 'COMMAND' start it")]
    Nobody {
        /// Where it was looked for.
        url: String,
    },
    /// The command does not run.
    #[error("cannot run the server `{command}`: {source}")]
    Spawn {
        /// As it was given.
        command: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The server ended before it answered.
    #[error("the server `{command}` ended ({status}) before {url} answered; it said:\n{said}")]
    Ended {
        /// As it was given.
        command: String,
        /// Its exit status.
        status: String,
        /// The health URL.
        url: String,
        /// The end of its output.
        said: String,
    },
    /// It never answered.
    #[error("the server `{command}` runs, but {url} did not answer within {waited} s; it said:\n{said}")]
    Silent {
        /// As it was given.
        command: String,
        /// The health URL.
        url: String,
        /// How long it was waited for, in seconds.
        waited: u64,
        /// The end of its output.
        said: String,
    },
}

/// A server of ours. It ends when this is dropped; [`Served::stop`] lets it end by itself first.
pub struct Served {
    child: Child,
    /// Its process group, of which its children are too; `None` once nobody is left in it.
    group: Option<i32>,
    said: Arc<Mutex<VecDeque<String>>>,
}

/// Whether anything answers there: any status below 500 will do, a health check behind a login answers too.
///
/// # Errors
/// The URL is none.
pub async fn answers(url: &str) -> Result<bool, ServeError> {
    let bad = |why: String| ServeError::Url {
        url: url.to_owned(),
        why,
    };
    let target = Target::parse(url).map_err(|error| bad(error.to_string()))?;
    let options = NetOptions {
        tls_verify: false,
        ..NetOptions::default()
    };
    let client = Client::new(Shared::new(options).map_err(|error| bad(error.to_string()))?);
    let mut request = Request::get(target);
    request.timeout = LOOK;
    request.discard_body = true;
    let response = LocalSet::new().run_until(client.send(request, &mut |_| {})).await;
    Ok(response.error.is_none() && response.status < 500)
}

/// Makes sure that something answers at `url`: starts `command` if nothing does, and waits at most `limit` for it.
/// `None`: somebody else's server answered.
///
/// # Errors
/// Nothing answers there in the end; what the server said is in the message.
pub async fn ensure(url: &str, command: Option<&str>, limit: Duration) -> Result<Option<Served>, ServeError> {
    if answers(url).await? {
        return Ok(None);
    }
    let Some(command) = command else {
        return Err(ServeError::Nobody { url: url.to_owned() });
    };
    let mut served = Served::start(command)?;
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if answers(url).await? {
            return Ok(Some(served));
        }
        if let Ok(Some(status)) = served.child.try_wait() {
            // What it said last is on its way.
            sleep(Duration::from_millis(100)).await;
            return Err(ServeError::Ended {
                command: command.to_owned(),
                status: status.to_string(),
                url: url.to_owned(),
                said: served.said(),
            });
        }
        sleep(Duration::from_millis(100)).await;
    }
    let said = served.said();
    served.stop().await;
    Err(ServeError::Silent {
        command: command.to_owned(),
        url: url.to_owned(),
        waited: limit.as_secs(),
        said,
    })
}

impl Served {
    fn start(command: &str) -> Result<Served, ServeError> {
        let mut process = Command::new("sh");
        // In a group of its own: what a shell starts ends with it, and Ctrl-C is the suite's to answer.
        process
            .args(["-c", command])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = process.spawn().map_err(|source| ServeError::Spawn {
            command: command.to_owned(),
            source,
        })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok());
        let said = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(pipe) = child.stdout.take() {
            tokio::spawn(keep(pipe, said.clone()));
        }
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(keep(pipe, said.clone()));
        }
        Ok(Served { child, group, said })
    }

    fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<String> = said.iter().map(|line| format!("  {line}")).collect();
        lines.join("\n")
    }

    /// Asks it and what it has started to end, waits, and ends what takes too long.
    pub async fn stop(mut self) {
        self.signal(Some(Signal::SIGTERM));
        let begin = Instant::now();
        let _ = timeout(END_WITHIN, self.child.wait()).await;
        // The first process may end before those that it has started.
        while self.signal(None) && begin.elapsed() < END_WITHIN {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a signal to the group, or none, to see whether anybody is left in it. Its number is not given to anything
    /// else as long as there is.
    fn signal(&mut self, signal: Option<Signal>) -> bool {
        let Some(group) = self.group else { return false };
        let there = killpg(Pid::from_raw(group), signal).is_ok();
        if !there {
            self.group = None;
        }
        there
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.signal(Some(Signal::SIGKILL));
    }
}

/// Reads lines on, so that the server never waits for a full pipe, and keeps the last ones.
async fn keep(pipe: impl AsyncRead + Unpin, said: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() == KEPT {
            said.pop_front();
        }
        said.push_back(line);
    }
}
