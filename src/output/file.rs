//! Samples to a file: `--out json=FILE` and `--out csv=FILE`, gzipped when the name ends in `.gz`.
//!
//! Each output has a thread of its own, fed with the workers' batches through a queue of bounded size. Sending never
//! waits: what the disk cannot keep up with, or cannot take at all, is counted as lost, said once, and the run goes on.
//! With `--out-rotate` a file that has grown begins anew, and the oldest goes, so that the disk is never full of them.

mod rotation;
mod sink;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::metrics::{Batch, Epoch, Registry, ThresholdSpec};

pub use self::rotation::{Rotation, RotationError, bytes as parse_size};
use self::sink::Sink;
use super::csv::CsvFormat;
use super::json::JsonFormat;

/// How many samples may wait for the disk: some 20 MB of them.
const MAX_QUEUED: u64 = 4_000_000;
/// A compressed file is made readable up to here every so many bytes of text.
const GZIP_SYNC: usize = 4 << 20;

/// The line format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    Json,
    Csv,
}

/// Where samples go, as given with `--out`: `json=FILE`, `csv=FILE.gz`; without a file, or with `-`, to stdout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSpec {
    pub kind: OutputKind,
    /// `None` is stdout.
    pub path: Option<PathBuf>,
    /// When to begin a new file; never if `None`.
    pub rotation: Option<Rotation>,
}

/// Why an output cannot be used. All of these are found before the load starts.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error(
        "unknown output `{0}`: there are `json=FILE` and `csv=FILE`, each also as `.gz`, `junit=FILE` and `markdown=FILE`"
    )]
    Unknown(String),
    #[error("cannot write the output file `{}`: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("cannot start the thread that writes `{output}`: {source}")]
    Thread { output: String, source: io::Error },
}

impl FromStr for OutputSpec {
    type Err = OutputError;

    fn from_str(text: &str) -> Result<OutputSpec, OutputError> {
        let (kind, path) = text.split_once('=').unwrap_or((text, ""));
        let kind = match kind.trim() {
            "json" => OutputKind::Json,
            "csv" => OutputKind::Csv,
            _ => return Err(OutputError::Unknown(text.to_owned())),
        };
        let path = path.trim();
        Ok(OutputSpec {
            kind,
            path: (!path.is_empty() && path != "-").then(|| PathBuf::from(path)),
            rotation: None,
        })
    }
}

impl fmt::Display for OutputSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            OutputKind::Json => "json",
            OutputKind::Csv => "csv",
        };
        match &self.path {
            Some(path) => write!(f, "{kind} ({})", path.display()),
            None => write!(f, "{kind} (stdout)"),
        }
    }
}

/// Turns batches into text. One per output, on the output's thread.
pub(super) trait Format: Send {
    /// What the file starts with.
    fn header(&mut self, text: &mut Vec<u8>);
    /// Appends the lines of a batch.
    fn batch(&mut self, batch: &Batch, text: &mut Vec<u8>);
    /// The last batch did not get into the file, or a new file begins: what was said once and for all has to be said again.
    fn anew(&mut self);
}

/// An output that is being written.
#[derive(Debug)]
pub struct FileOutput {
    name: String,
    queue: Option<Sender<Arc<Batch>>>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Samples between `send` and the thread.
    queued: AtomicU64,
    written: AtomicU64,
    lost: AtomicU64,
    /// The first reason for a loss.
    reason: Mutex<Option<String>>,
}

/// What became of an output's samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputEnd {
    pub name: String,
    pub written: u64,
    pub lost: u64,
    /// Why the first ones were lost.
    pub reason: Option<String>,
}

impl FileOutput {
    /// Opens the file and starts its thread. `thresholds` are for the JSON format's metric definitions.
    ///
    /// # Errors
    /// A file that cannot be created: a mistake of configuration, to be told before the run.
    pub fn open(
        spec: &OutputSpec,
        registry: Arc<Registry>,
        epoch: Epoch,
        thresholds: &[ThresholdSpec],
    ) -> Result<FileOutput, OutputError> {
        let sink = Sink::open(spec)?;
        let format: Box<dyn Format> = match spec.kind {
            OutputKind::Json => Box::new(JsonFormat::new(registry, epoch, thresholds)),
            OutputKind::Csv => Box::new(CsvFormat::new(registry, epoch)),
        };
        FileOutput::start(spec.to_string(), format, sink, spec.rotation)
    }

    fn start(
        name: String,
        format: Box<dyn Format>,
        sink: Sink,
        rotation: Option<Rotation>,
    ) -> Result<FileOutput, OutputError> {
        let counts = Arc::new(Counts::default());
        let (queue, feed) = channel();
        let mut writer = Writer {
            name: name.clone(),
            sink,
            rotation,
            told: false,
            counts: counts.clone(),
            unsafe_samples: 0,
            text_since: 0,
        };
        let thread = std::thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || writer.run(format, &feed))
            .map_err(|source| OutputError::Thread {
                output: name.clone(),
                source,
            })?;
        Ok(FileOutput {
            name,
            queue: Some(queue),
            counts,
            thread: Some(thread),
        })
    }

    /// The output as messages and metrics call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands over a batch. Never waits: when too much is queued already the batch is lost, and counted.
    pub fn send(&self, batch: &Arc<Batch>) {
        let points = batch.points();
        let Some(queue) = &self.queue else { return };
        let queued = self.counts.queued.load(Ordering::Relaxed);
        if queued > 0 && queued + points > MAX_QUEUED {
            self.counts.lose(&self.name, points, "the disk does not keep up");
            return;
        }
        self.counts.queued.fetch_add(points, Ordering::Relaxed);
        if queue.send(batch.clone()).is_err() {
            self.counts.queued.fetch_sub(points, Ordering::Relaxed);
            self.counts
                .lose(&self.name, points, "the output's thread is gone");
        }
    }

    /// Samples lost so far.
    pub fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }

    /// Writes what is queued, closes the file and tells how it went. Says the total of what was lost, if any was.
    pub fn finish(mut self) -> OutputEnd {
        self.close();
        let reason = self
            .counts
            .reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let end = OutputEnd {
            name: self.name.clone(),
            written: self.counts.written.load(Ordering::Relaxed),
            lost: self.lost(),
            reason,
        };
        if end.lost > 0 {
            tracing::warn!(
                "output {}: {} of {} samples were lost: {}",
                end.name,
                end.lost,
                end.lost + end.written,
                end.reason.as_deref().unwrap_or("unknown reason")
            );
        }
        end
    }

    fn close(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            let queued = self.counts.queued.swap(0, Ordering::Relaxed);
            self.counts
                .lose(&self.name, queued, "the output's thread panicked");
        }
    }
}

impl Drop for FileOutput {
    fn drop(&mut self) {
        self.close();
    }
}

impl Counts {
    fn lose(&self, output: &str, samples: u64, reason: &str) {
        self.lost.fetch_add(samples, Ordering::Relaxed);
        let mut first = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() {
            tracing::warn!("output {output}: {reason}; samples are being lost, the run goes on");
            *first = Some(reason.to_owned());
        }
    }
}

struct Writer {
    name: String,
    sink: Sink,
    /// When to begin a new file.
    rotation: Option<Rotation>,
    /// Whether it was said that old files go.
    told: bool,
    counts: Arc<Counts>,
    /// Samples given to the compressor and not known to be in the file.
    unsafe_samples: u64,
    /// Bytes of text since the file was last known to be good.
    text_since: usize,
}

impl Writer {
    fn run(&mut self, mut format: Box<dyn Format>, feed: &Receiver<Arc<Batch>>) {
        let mut text = Vec::new();
        let mut headed = false;
        format.header(&mut text);
        // The header goes out with the first batch, or by itself at the end.
        while let Ok(batch) = feed.recv() {
            let points = batch.points();
            format.batch(&batch, &mut text);
            drop(batch);
            let written = self.write(&text, points);
            self.counts.queued.fetch_sub(points, Ordering::Relaxed);
            text.clear();
            headed |= written;
            if !written {
                format.anew();
                if !headed {
                    format.header(&mut text);
                }
            } else if self.rotate() {
                format.anew();
                format.header(&mut text);
                headed = false;
            }
        }
        self.write(&text, 0);
        self.end();
    }

    /// Whether the text is in the file, or in the compressor before it.
    fn write(&mut self, text: &[u8], points: u64) -> bool {
        if let Err(error) = self.sink.write(text) {
            self.fail(points, &error);
            return false;
        }
        if let Sink::Gzip(Some(encoder), _) = &mut self.sink {
            self.unsafe_samples += points;
            self.text_since += text.len();
            if self.text_since >= GZIP_SYNC {
                match encoder.flush() {
                    Ok(()) => self.confirm(),
                    Err(error) => self.fail(0, &error),
                }
            }
        } else {
            self.counts.written.fetch_add(points, Ordering::Relaxed);
        }
        true
    }

    /// Whether a new file has begun, because the last one was large enough.
    fn rotate(&mut self) -> bool {
        let Some(rotation) = self.rotation else {
            return false;
        };
        if self.sink.size().is_none_or(|size| size < rotation.size) {
            return false;
        }
        match self.sink.begin_anew(rotation) {
            Ok(gone) => {
                // The file before is closed, and all of it is there.
                self.confirm();
                if gone && !std::mem::replace(&mut self.told, true) {
                    tracing::warn!(
                        "output {}: there are {} older files, so the oldest goes each time a new one begins (--out-rotate)",
                        self.name,
                        rotation.keep
                    );
                }
                true
            }
            Err(error) => {
                tracing::warn!(
                    "output {}: no new file can begin, so this one goes on and grows: {error}",
                    self.name
                );
                self.rotation = None;
                false
            }
        }
    }

    fn confirm(&mut self) {
        self.counts
            .written
            .fetch_add(std::mem::take(&mut self.unsafe_samples), Ordering::Relaxed);
        self.text_since = 0;
    }

    fn fail(&mut self, points: u64, error: &io::Error) {
        if let Sink::Gzip(encoder, _) = &mut self.sink
            && let Some(encoder) = encoder.take()
        {
            // Dropping an encoder tries to end the stream; the file gets whatever still fits.
            drop(encoder);
        }
        let points = points + std::mem::take(&mut self.unsafe_samples);
        self.counts.lose(&self.name, points, &error.to_string());
    }

    fn end(&mut self) {
        let ended = match &mut self.sink {
            Sink::Gzip(encoder, _) => match encoder.take() {
                Some(encoder) => encoder.finish().map(drop),
                None => return,
            },
            Sink::File(..) => return,
            Sink::Stdout => io::stdout().flush(),
        };
        match ended {
            Ok(()) => self.confirm(),
            Err(error) => self.fail(0, &error),
        }
    }
}

#[cfg(test)]
mod tests;
