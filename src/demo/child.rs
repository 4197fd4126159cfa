//! The embedded target as a child process, for `loadgen run --demo`: its own process, so that its CPU and memory are
//! its own, on free ports, and gone when the run is, however the run ends.
//!
//! Three things see to that: [`DemoChild::stop`] closes the child's standard input and waits; dropping a `DemoChild`
//! kills it; and if this process is itself killed, the system closes that pipe and the child ends by itself.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::error::DemoError;

/// How long the child may take until it listens. It takes some ten milliseconds on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// How long the child may take to end after its standard input was closed; it drains for up to a second.
const END_WITHIN: Duration = Duration::from_secs(3);
/// How much of the child's standard error is kept: its end, in bytes.
const STDERR_KEPT: usize = 8 * 1024;

/// A running `loadgen demo`.
#[derive(Debug)]
pub struct DemoChild {
    child: Child,
    stdin: Option<ChildStdin>,
    stderr: Tail,
    addresses: Vec<(String, SocketAddr)>,
}

/// The line that `--print-ports` prints.
#[derive(Debug, Deserialize)]
struct Ready {
    services: serde_json::Map<String, serde_json::Value>,
}

impl DemoChild {
    /// Starts `exe demo`, on free ports unless `args` name some, and waits until it listens.
    ///
    /// `args` are arguments of `loadgen demo`; `capacity` is its `--capacity`, in requests per second. Blocks for the
    /// few milliseconds that the child takes, at most ten seconds.
    pub fn start(exe: &Path, args: &[String], capacity: Option<u32>) -> Result<DemoChild, DemoError> {
        let mut command = Command::new(exe);
        command.args(["demo", "--print-ports", "--exit-on-stdin-eof"]);
        if !args
            .iter()
            .any(|arg| is_flag(arg, "--port") || is_flag(arg, "--ports"))
        {
            command.args(["--port", "0"]);
        }
        if let Some(capacity) = capacity {
            command.arg("--capacity").arg(capacity.to_string());
        }
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Ctrl-C goes to every process of the terminal's foreground group. The target must outlive it: it is still
        // needed while the run stops gracefully.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        DemoChild::spawn(command, READY_WITHIN)
    }

    fn spawn(mut command: Command, ready_within: Duration) -> Result<DemoChild, DemoError> {
        let exe = command.get_program().to_owned();
        let failed = |source| DemoError::Spawn {
            exe: exe.clone().into(),
            source,
        };
        let mut child = command.spawn().map_err(failed)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // From here on whatever goes wrong drops this, and with it ends the child.
        let mut demo = DemoChild {
            child,
            stdin,
            stderr: Tail::default(),
            addresses: Vec::new(),
        };
        demo.stderr = Tail::of(stderr).map_err(failed)?;
        let lines = first_line(stdout).map_err(failed)?;
        let line = match lines.recv_timeout(ready_within) {
            Ok(line) if !line.is_empty() => line,
            Ok(_) | Err(RecvTimeoutError::Disconnected) => return Err(demo.ended_early()),
            Err(RecvTimeoutError::Timeout) => {
                return Err(DemoError::NotReady {
                    waited: ready_within,
                    stderr: demo.stderr.text(),
                });
            }
        };
        let Some(addresses) = addresses(&line) else {
            let line = line.trim().chars().take(200).collect();
            return Err(DemoError::NotUnderstood {
                line,
                stderr: demo.stderr.text(),
            });
        };
        demo.addresses = addresses;
        Ok(demo)
    }

    /// Each service and where it listens.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// The variables that point scripts at the target: `WALLET_URL` and so on for each service, and those by which
    /// other systems' scripts find their server: `BASE_URL` and `WS_URL` at app, `SEQUENCER_BASE_URL` at sequencer.
    pub fn variables(&self) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = self
            .addresses
            .iter()
            .map(|(name, address)| {
                (
                    format!("{}_URL", name.to_uppercase()),
                    format!("http://{address}"),
                )
            })
            .collect();
        let mut point = |variable: &str, service: &str, scheme: &str, path: &str| {
            if let Some((_, address)) = self.addresses.iter().find(|(name, _)| name == service) {
                variables.push((variable.to_owned(), format!("{scheme}://{address}{path}")));
            }
        };
        point("BASE_URL", "app", "http", "");
        point("WS_URL", "app", "ws", "/ws");
        point("SEQUENCER_BASE_URL", "sequencer", "http", "");
        variables
    }

    /// The child's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the child has ended by itself: the error that says so, once it has. Does not block.
    pub fn died(&mut self) -> Option<DemoError> {
        let status = self.child.try_wait().ok()??;
        Some(DemoError::Died {
            status,
            stderr: self.stderr.text(),
        })
    }

    /// Asks the child to end, waits for it, and kills it if it takes longer than three seconds.
    pub async fn stop(mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        let asked = Instant::now();
        while asked.elapsed() < END_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.child.kill()?;
        self.child.wait()
    }

    /// The child closed its standard output before it was ready: it has ended, or is about to.
    fn ended_early(&mut self) -> DemoError {
        let since = Instant::now();
        while since.elapsed() < END_WITHIN {
            if let Ok(Some(status)) = self.child.try_wait() {
                self.stderr.finish();
                return DemoError::Ended {
                    status,
                    stderr: self.stderr.text(),
                };
            }
            thread::sleep(Duration::from_millis(5));
        }
        DemoError::NotReady {
            waited: END_WITHIN,
            stderr: self.stderr.text(),
        }
    }
}

impl Drop for DemoChild {
    fn drop(&mut self) {
        // Both fail only if it has ended and been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_flag(arg: &str, flag: &str) -> bool {
    arg == flag || arg.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
}

/// The addresses in the ready line, in its order.
fn addresses(line: &str) -> Option<Vec<(String, SocketAddr)>> {
    let ready: Ready = serde_json::from_str(line).ok()?;
    let address =
        |(name, value): (String, serde_json::Value)| Some((name, reachable(value.as_str()?.parse().ok()?)));
    ready.services.into_iter().map(address).collect()
}

/// A target that listens on every address (`--bind 0.0.0.0`) is reached over the loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            address.set_ip(std::net::Ipv6Addr::LOCALHOST.into());
        }
        _ => {}
    }
    address
}

/// Reads the child's standard output on a thread: the first line is sent (empty if there is none), what follows is
/// read and dropped, so that the pipe never fills.
fn first_line(stdout: Option<ChildStdout>) -> io::Result<mpsc::Receiver<String>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .name("demo-stdout".to_owned())
        .spawn(move || {
            let Some(stdout) = stdout else { return };
            let mut stdout = BufReader::new(stdout);
            let mut line = Vec::new();
            // A program that is not ours may write without end and without a newline.
            let _ = stdout.by_ref().take(64 * 1024).read_until(b'\n', &mut line);
            let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            let _ = io::copy(&mut stdout, &mut io::sink());
        })?;
    Ok(receiver)
}

/// The end of what the child writes to its standard error, read on a thread.
#[derive(Debug, Default)]
struct Tail {
    kept: Arc<Mutex<Vec<u8>>>,
    reading: Option<thread::JoinHandle<()>>,
}

impl Tail {
    fn of(stderr: Option<ChildStderr>) -> io::Result<Tail> {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&kept);
        let reading = thread::Builder::new()
            .name("demo-stderr".to_owned())
            .spawn(move || {
                let Some(mut stderr) = stderr else { return };
                let mut piece = [0; 1024];
                while let Ok(length @ 1..) = stderr.read(&mut piece) {
                    let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend_from_slice(&piece[..length]);
                    let excess = kept.len().saturating_sub(STDERR_KEPT);
                    kept.drain(..excess);
                }
            })?;
        Ok(Tail {
            kept,
            reading: Some(reading),
        })
    }

    /// Waits until everything is read, once the child has ended.
    fn finish(&mut self) {
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[cfg(all(test, unix))]
#[path = "child/tests.rs"]
mod tests;
