//! A host at the other end of a pipe: the script that a shell there runs, and what goes over the pipe.
//!
//! A request is one line of words, an answer one line of fields between control characters that no number holds. What a
//! shell says that is no answer (a banner, the output of a start-up file, of something that it left in the background) is
//! not taken for one: answers begin with the number of their request.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::ProbeError;
use super::parse::listen::{self, Listener};
use super::parse::table::{self, Entry};
use super::pipe::Pipe;
use super::source::{Answer, Ask, File, Source};

/// What the shell runs.
const SCRIPT: &str = include_str!("sampler.sh");
/// What it says when it has read that.
const READY: &str = "@loadgen-sampler";
/// Between fields, and between the lines of one.
const FIELD: char = '\u{1e}';
const LINE: char = '\u{1f}';
/// A word that no line begins with: the script knows no empty word.
const NOTHING: &str = "/";
/// Files under it answer the first read of whoever opens them and no other; a shell's `read` may take a byte at a time.
/// Each costs the host a process.
const ONE_READ: &str = "/proc/sys/";
/// A shell that has said so many lines without an answer among them is not going to.
const NOISE: usize = 2_000;
/// So much of what was said instead is shown.
const SHOWN: usize = 300;

/// A shell that answers.
pub struct ShellSource {
    pipe: Box<dyn Pipe>,
    host: Arc<str>,
    request: u64,
    /// Whether `ss` is there; known once it was needed.
    ss: Option<bool>,
}

impl ShellSource {
    /// Sends the script through `pipe`, at whose other end a shell has just been started.
    ///
    /// # Errors
    /// There is no shell, or not one that can do this: the error shows what was said instead.
    pub fn open(mut pipe: Box<dyn Pipe>, host: impl Into<Arc<str>>) -> Result<ShellSource, ProbeError> {
        let host = host.into();
        let mut said = Vec::new();
        let failed = pipe.send(SCRIPT).err();
        let failure = loop {
            match pipe.receive() {
                Ok(line) if line.trim_end().ends_with(READY) => break None,
                Ok(line) if said.len() < NOISE => said.push(line),
                Ok(_) => break Some(io::Error::other("it says a lot, but does not answer")),
                // What it said before it went is worth more than that it could not be written to.
                Err(error) => break Some(failed.unwrap_or(error)),
            }
        };
        let mut source = ShellSource {
            pipe,
            host,
            request: 0,
            ss: None,
        };
        let Some(cause) = failure else { return Ok(source) };
        said.extend(source.pipe.complaints().lines().map(str::to_owned));
        Err(ProbeError::NoShell {
            host: source.host.to_string(),
            said: shown(&said),
            cause,
        })
    }

    /// Sends a request and returns the fields of its answer.
    fn ask(&mut self, words: &str, fields: usize) -> Result<Vec<Option<String>>, ProbeError> {
        self.request += 1;
        let line = format!("{} {words}\n", self.request);
        let answer = self.pipe.send(&line).and_then(|()| self.answer());
        let answer = answer.map_err(|source| ProbeError::Pipe {
            host: self.host.to_string(),
            source,
        })?;
        let found = fields_of(&answer);
        if found.len() == fields {
            Ok(found)
        } else {
            Err(ProbeError::Garbled {
                host: self.host.to_string(),
                wanted: fields,
                got: found.len(),
            })
        }
    }

    fn answer(&mut self) -> io::Result<String> {
        let begin = format!("@{}{FIELD}", self.request);
        for _ in 0..NOISE {
            let line = self.pipe.receive()?;
            // Something that was printed without a newline may stand before it.
            if let Some((_, answer)) = line.split_once(&begin) {
                return Ok(answer.to_owned());
            }
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "no answer among much else",
        ))
    }

    /// What a command prints; `None` without any output.
    fn run(&mut self, command: &str) -> Result<Option<String>, ProbeError> {
        let mut fields = self.ask(&format!("x {command}"), 1)?;
        Ok(fields.pop().flatten().filter(|text| !text.is_empty()))
    }
}

/// `+` and the lines of what is there, `-` for what is not.
fn fields_of(answer: &str) -> Vec<Option<String>> {
    let field = |field: &str| {
        let text = field.strip_prefix('+')?;
        let text = text.strip_prefix(LINE).unwrap_or(text);
        Some(text.replace(LINE, "\n"))
    };
    answer.split(FIELD).map(field).collect()
}

/// What a shell said, short enough for a message and without what would move a terminal's cursor.
fn shown(said: &[String]) -> String {
    let text = said.join(" ");
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN)
        .collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if plain.is_empty() {
        String::new()
    } else {
        format!("; it said: {plain}")
    }
}

fn word(prefix: &str) -> &str {
    if prefix.is_empty() { NOTHING } else { prefix }
}

impl Source for ShellSource {
    fn host(&self) -> Arc<str> {
        self.host.clone()
    }

    fn own_time(&self) -> &'static str {
        "/proc/self/schedstat"
    }

    fn read(&mut self, ask: &Ask) -> Result<Answer, ProbeError> {
        let mut words = Vec::with_capacity(ask.files.len() + ask.folders.len());
        for File {
            path,
            most,
            last,
            skip,
        } in &ask.files
        {
            words.push(if path.starts_with(ONE_READ) {
                format!("b {path}")
            } else {
                format!("r {path} {most} {} {}", word(last), word(skip))
            });
        }
        words.extend(ask.folders.iter().map(|folder| format!("n {folder}")));
        let asked = Instant::now();
        let mut files = self.ask(&words.join(" "), words.len())?;
        let at = Instant::now();
        let folders = files
            .split_off(ask.files.len())
            .into_iter()
            .map(|count| count?.trim().parse().ok())
            .collect();
        Ok(Answer {
            files,
            folders,
            at,
            round_trip: Some(at - asked),
        })
    }

    fn table(&mut self) -> Result<Vec<Entry>, ProbeError> {
        let stats = self.run("cat /proc/[0-9]*/stat")?;
        let Some(stats) = stats else {
            return Err(ProbeError::NoTable {
                host: self.host.to_string(),
            });
        };
        // BusyBox has neither -e nor a wish to cut lines; procps without -ww cuts them to a terminal that is not there.
        let commands = self
            .run("ps -eo pid,args -ww || ps -o pid,args")?
            .unwrap_or_default();
        Ok(table::table(&stats, &table::commands(&commands)))
    }

    fn listener(&mut self, port: u16) -> Result<Listener, ProbeError> {
        let ss = match self.ss {
            Some(known) => known,
            None => self.run("command -v ss")?.is_some(),
        };
        self.ss = Some(ss);
        if ss {
            let listing = self.run(&format!("ss -ltnp | grep :{port}"))?.unwrap_or_default();
            let listener = listen::from_ss(&listing, port);
            if !listener.bound || !listener.pids.is_empty() {
                return Ok(listener);
            }
        }
        let sockets = self.run(&format!(
            "grep -hi ':{port:04x} .* 0A ' /proc/net/tcp /proc/net/tcp6"
        ))?;
        let inodes = listen::inodes(&sockets.unwrap_or_default(), port);
        if inodes.is_empty() {
            return Ok(Listener::default());
        }
        let wanted: Vec<String> = inodes
            .iter()
            .map(|inode| format!("-e socket:.{inode}."))
            .collect();
        let wanted = wanted.join(" ");
        let links = self.run(&format!("ls -l /proc/[0-9]*/fd | grep -e ^/proc {wanted}"))?;
        Ok(Listener {
            bound: true,
            pids: listen::from_ls(&links.unwrap_or_default(), &inodes),
        })
    }

    fn machine(&mut self) -> Option<String> {
        self.run("uname -m").ok().flatten()
    }
}

#[cfg(all(test, target_os = "linux"))]
#[path = "shell/tests.rs"]
mod tests;
