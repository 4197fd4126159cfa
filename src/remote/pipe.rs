//! Lines to a shell somewhere and lines back: what the sampler needs of a host, and all that it needs.
//!
//! The sampler is clocked by us. It writes one line and reads one line, so nothing on the host keeps time, nothing goes
//! on when we are gone (the shell reads the end of its input), and the answer's delay is the round trip. The shell may
//! be a child of ours ([`LocalPipe`]) or sit at the other end of an SSH channel.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What to run at the other end. Every login shell understands it, and the shell that is wanted takes its place, so
/// that no second process stays. The sampler's script then comes through the pipe itself.
pub const COMMAND: &str = "exec sh";

/// No line that the sampler asks for is longer; one that is does not come from it.
pub const LONGEST_LINE: usize = 8 << 20;

/// A shell's standard input and output, as lines. Blocking, each call for a bounded time.
pub trait Pipe: Send {
    /// Writes `text` as it is. It ends with a newline, and may hold several lines.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`], or what the way there says; [`io::ErrorKind::BrokenPipe`] when the shell is gone.
    fn send(&mut self, text: &str) -> io::Result<()>;

    /// The next line of the shell's standard output, without its newline. Bytes that are no text are replaced.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when none comes; [`io::ErrorKind::UnexpectedEof`] when the shell is gone;
    /// [`io::ErrorKind::InvalidData`] for a line longer than [`LONGEST_LINE`].
    fn receive(&mut self) -> io::Result<String>;

    /// One line there and one line back.
    ///
    /// # Errors
    /// As [`Pipe::send`] and [`Pipe::receive`]. After an error the lines may be out of step: open a new pipe.
    fn ask(&mut self, line: &str) -> io::Result<String> {
        self.send(&format!("{line}\n"))?;
        self.receive()
    }

    /// The last lines of the shell's standard error, to explain a failure with. May be empty.
    fn complaints(&mut self) -> String {
        String::new()
    }
}

/// A shell on this machine. Dropping it closes its input, which ends it.
#[derive(Debug)]
pub struct LocalPipe {
    child: Child,
    /// `None` once closed.
    input: Option<ChildStdin>,
    lines: Receiver<io::Result<String>>,
    complaints: Arc<Mutex<VecDeque<String>>>,
    /// Fills them.
    listener: Option<JoinHandle<()>>,
    patience: Duration,
}

/// So many lines of standard error are kept.
const COMPLAINTS: usize = 8;
/// A shell that has been told to end may take this long before it is killed.
const LAST_WORDS: Duration = Duration::from_millis(500);

impl LocalPipe {
    /// Starts `command` (program and arguments; `sh` is usual), whose every answer may take up to `patience`.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn open(command: &[&str], patience: Duration) -> io::Result<LocalPipe> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let (send, lines) = sync_channel(16);
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || forward(output, &send));
        }
        let complaints = Arc::new(Mutex::new(VecDeque::new()));
        let listener = child.stderr.take().map(|errors| {
            let kept = complaints.clone();
            thread::spawn(move || keep(errors, &kept))
        });
        Ok(LocalPipe {
            child,
            input,
            lines,
            complaints,
            listener,
            patience,
        })
    }

    /// The shell's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Pipe for LocalPipe {
    fn send(&mut self, text: &str) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(text.as_bytes())?;
        input.flush()
    }

    fn receive(&mut self) -> io::Result<String> {
        match self.lines.recv_timeout(self.patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
            Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn complaints(&mut self) -> String {
        // What it said last may not have been read yet. One that is still there may say nothing for ever.
        let begin = Instant::now();
        let reading = |listener: &JoinHandle<()>| !listener.is_finished();
        while begin.elapsed() < LAST_WORDS && self.listener.as_ref().is_some_and(reading) {
            thread::sleep(Duration::from_millis(5));
        }
        let kept = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for LocalPipe {
    fn drop(&mut self) {
        drop(self.input.take());
        let step = Duration::from_millis(5);
        for _ in 0..LAST_WORDS.as_millis() / step.as_millis() {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(step);
        }
        // It may have ended in between: both then fail, and there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends each line on until one side ends.
fn forward(output: impl Read, lines: &SyncSender<io::Result<String>>) {
    let mut output = BufReader::new(output);
    loop {
        let line = match read_line(&mut output) {
            Ok(None) => return,
            Ok(Some(line)) => Ok(line),
            Err(error) => Err(error),
        };
        let last = line.is_err();
        if lines.send(line).is_err() || last {
            return;
        }
    }
}

/// A line without its newline; `None` at the end. What comes after the last newline is a line that was cut: none.
fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let longest = LONGEST_LINE as u64 + 1;
    from.by_ref().take(longest).read_until(b'\n', &mut bytes)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    } else if bytes.len() > LONGEST_LINE {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a line without an end",
        ))
    } else {
        Ok(None)
    }
}

fn keep(errors: impl Read, kept: &Mutex<VecDeque<String>>) {
    let mut errors = BufReader::new(errors);
    while let Ok(Some(line)) = read_line(&mut errors) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == COMPLAINTS {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(patience: Duration) -> LocalPipe {
        LocalPipe::open(&["sh"], patience).expect("sh")
    }

    #[test]
    fn a_line_there_and_a_line_back() {
        let mut pipe = shell(Duration::from_secs(20));
        assert_eq!(pipe.ask("echo one; echo two >&2").expect("line"), "one");
        assert_eq!(pipe.ask("printf 'a\\377b\\n'").expect("bytes"), "a\u{fffd}b");
        while pipe.complaints() != "two" {
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn silence_and_the_end_are_told_apart() {
        let mut pipe = shell(Duration::from_millis(50));
        assert_eq!(
            pipe.ask(":").expect_err("silence").kind(),
            io::ErrorKind::TimedOut
        );
        pipe.patience = Duration::from_secs(20);
        let end = pipe.ask("printf cut; exit").expect_err("the end");
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof, "a cut line is no line");
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let mut pipe = shell(Duration::from_secs(20));
        let error = pipe
            .ask("while :; do printf %1000000s x; done")
            .expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn no_shell_outlives_its_pipe() {
        for stubborn in ["", "trap '' TERM; while :; do sleep 1; done"] {
            let mut pipe = shell(Duration::from_secs(20));
            assert_eq!(pipe.ask("echo up").expect("line"), "up");
            pipe.send(&format!("{stubborn}\n")).expect("sent");
            let pid = pipe.pid();
            drop(pipe);
            assert!(
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), None).is_err(),
                "{stubborn}"
            );
        }
    }
}
