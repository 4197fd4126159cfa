//! Reading a saved run, and saying what is wrong with a file that is none.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;

use super::{FORMAT, SavedCourse, SavedRun, VERSION, query};

/// A file larger than this was not written by loadgen.
const LARGEST: u64 = 512 << 20;

/// Why a file is not read as a saved run.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read the saved run {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not a saved run: {what}; `loadgen run --save FILE` writes one", path.display())]
    NotARun { path: PathBuf, what: &'static str },
    #[error("{} is malformed at line {line}, column {column}: {reason}; it was changed or cut off after it was written", path.display())]
    Malformed {
        path: PathBuf,
        line: usize,
        column: usize,
        reason: String,
    },
    #[error("{} contradicts itself: {reason}; it was changed after it was written", path.display())]
    Inconsistent { path: PathBuf, reason: String },
    #[error("{} has version {version} of the format, which this loadgen no longer reads (it reads {VERSION}); run the test again with --save", path.display())]
    Older { path: PathBuf, version: u64 },
    #[error("{} has version {version} of the format, written by loadgen {loadgen}; this loadgen reads {VERSION}: update it to that version", path.display())]
    Newer {
        path: PathBuf,
        version: u64,
        loadgen: String,
    },
}

/// What every version of the format has.
#[derive(Deserialize)]
struct Head {
    format: Option<Value>,
    version: Option<Value>,
    run: Option<Value>,
}

impl SavedRun {
    /// Reads a file that `--save` wrote, compressed or not.
    ///
    /// # Errors
    /// It is not there, not a saved run, damaged, or of another version; the message says which and what to do.
    pub fn read(path: &Path) -> Result<SavedRun, ReadError> {
        let bytes = load(path).map_err(|source| ReadError::Io {
            path: path.to_owned(),
            source,
        })?;
        SavedRun::parse(path, &bytes)
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<SavedRun, ReadError> {
        let malformed = |error: &serde_json::Error| ReadError::Malformed {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
            reason: reason(error),
        };
        let none = |what| ReadError::NotARun {
            path: path.to_owned(),
            what,
        };
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if first != Some(&b'{') {
            return Err(none(if first.is_none() {
                "it is empty"
            } else {
                "it is not a JSON object"
            }));
        }
        let head: Head = match serde_json::from_slice(bytes) {
            Ok(head) => head,
            // A sample to a line: one object after another.
            Err(error) if error.to_string().starts_with("trailing characters") => {
                return Err(none(
                    "it holds one JSON object to a line, as `--out json=FILE` writes samples",
                ));
            }
            Err(error) if starts_as_run(bytes) => return Err(malformed(&error)),
            Err(_) => return Err(none("it is not JSON")),
        };
        if head.format.as_ref().and_then(Value::as_str) != Some(FORMAT) {
            return Err(none("it is JSON of another kind, such as a summary export"));
        }
        let version = head.version.as_ref().and_then(Value::as_u64).unwrap_or(0);
        if version < u64::from(VERSION) {
            return Err(ReadError::Older {
                path: path.to_owned(),
                version,
            });
        }
        if version > u64::from(VERSION) {
            let loadgen = head.run.as_ref().and_then(|run| run["loadgen"].as_str());
            return Err(ReadError::Newer {
                path: path.to_owned(),
                version,
                loadgen: loadgen.unwrap_or("of a later version").to_owned(),
            });
        }
        let run: SavedRun = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
        run.consistent().map_err(|reason| ReadError::Inconsistent {
            path: path.to_owned(),
            reason,
        })?;
        Ok(run)
    }

    /// What its types do not say: places that exist, lists of one length, distributions that are ones.
    fn consistent(&self) -> Result<(), String> {
        let metrics = &self.metrics;
        let place = |metric: &str, tags: usize| {
            if tags < self.tags.len() {
                Ok(())
            } else {
                Err(format!(
                    "`{metric}` refers to tag set {tags} of {}",
                    self.tags.len()
                ))
            }
        };
        for metric in &metrics.counters {
            metric
                .series
                .iter()
                .try_for_each(|series| place(&metric.name, series.tags))?;
        }
        for metric in &metrics.gauges {
            metric
                .series
                .iter()
                .try_for_each(|series| place(&metric.name, series.tags))?;
        }
        for metric in &metrics.rates {
            for series in &metric.series {
                place(&metric.name, series.tags)?;
                if series.passes > series.total {
                    return Err(format!(
                        "`{}` has {} passes of {}",
                        metric.name, series.passes, series.total
                    ));
                }
            }
        }
        for metric in &metrics.trends {
            let contains = query::contains(&metric.contains);
            for series in &metric.series {
                place(&metric.name, series.tags)?;
                series
                    .trend(contains)
                    .map_err(|error| format!("`{}`: {error}", metric.name))?;
            }
        }
        self.even()
    }

    fn even(&self) -> Result<(), String> {
        let t = &self.timeline;
        let lengths = [
            t.length.len(),
            t.requests.len(),
            t.failed.len(),
            t.iterations.len(),
            t.dropped.len(),
            t.sent.len(),
            t.received.len(),
            t.vus.len(),
            t.vus_max.len(),
            t.in_flight.len(),
            t.p50.len(),
            t.p95.len(),
            t.p99.len(),
            t.lag_max.len(),
        ];
        let odd = |what: &str| Err(format!("the lists of {what} are not of one length"));
        let later = [
            t.timer_lag_max.len(),
            t.offered.len(),
            t.generator_cpu.len(),
            t.outage.len(),
        ];
        let later = later.into_iter().filter(|length| *length > 0);
        if lengths
            .into_iter()
            .chain(later)
            .any(|length| length != t.start.len())
        {
            return odd("the timeline");
        }
        for s in &t.strands {
            let lengths = [
                s.length.len(),
                s.requests.len(),
                s.failed.len(),
                s.p50.len(),
                s.p95.len(),
                s.p99.len(),
            ];
            if lengths.iter().any(|length| *length != s.start.len()) {
                return odd(&format!("the strand {}={}", s.tag, s.value));
            }
        }
        if t.course_span == 0 {
            return Err("the stretches of its courses have no length".to_owned());
        }
        t.courses.iter().try_for_each(SavedCourse::consistent)?;
        for host in &self.hosts {
            let own = host.series.values().map(|series| (series.len(), host.at.len()));
            let processes = host.processes.iter();
            let theirs = processes.flat_map(|p| p.series.values().map(|series| (series.len(), p.at.len())));
            if own.chain(theirs).any(|(length, expected)| length != expected) {
                return odd(&format!("the host {}", host.host));
            }
        }
        Ok(())
    }
}

/// Whether a text that is no JSON was once a saved run: cut off, most likely.
fn starts_as_run(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(64)];
    let text: String = String::from_utf8_lossy(head).split_whitespace().collect();
    text.starts_with(&format!("{{\"format\":\"{FORMAT}\""))
}

/// The parser's words without the place, which is said apart.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ")
        .map_or(text.clone(), |(reason, _)| reason.to_owned())
}

fn load(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(LARGEST).read_to_end(&mut bytes)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    GzDecoder::new(bytes.as_slice())
        .take(LARGEST)
        .read_to_end(&mut text)?;
    Ok(text)
}
