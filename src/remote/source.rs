//! Where the text of a host's files comes from: this machine's own files, or a shell somewhere.
//!
//! Both answer the same questions with the same text, so what is made of it ([`Sampler`](super::Sampler)) is one thing.
//! This machine's files are read directly, which costs a tenth of what a shell does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ProbeError;
use super::parse::listen::{self, Listener};
use super::parse::table::{self, Entry};

/// A file to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Without blanks: it is one word of a line.
    pub path: String,
    /// At most so many lines; 0 is all.
    pub most: usize,
    /// Up to a line that begins so; empty for none.
    pub last: &'static str,
    /// Without lines that begin so; empty for none.
    pub skip: &'static str,
}

impl File {
    /// All of a file.
    pub fn whole(path: impl Into<String>) -> File {
        File {
            path: path.into(),
            most: 0,
            last: "",
            skip: "",
        }
    }

    /// Its first lines.
    pub fn lines(path: impl Into<String>, most: usize) -> File {
        File {
            most,
            ..File::whole(path)
        }
    }
}

/// What is asked of a host at once.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    pub files: Vec<File>,
    /// Folders whose names are to be counted.
    pub folders: Vec<String>,
}

/// The answers, in the order of what was asked; `None` for what is not there or may not be read.
#[derive(Debug, Clone)]
pub struct Answer {
    pub files: Vec<Option<String>>,
    pub folders: Vec<Option<u32>>,
    /// When it was there.
    pub at: Instant,
    /// From asking to the answer; `None` where nothing was asked of anybody.
    pub round_trip: Option<Duration>,
}

/// A host that can be asked.
pub trait Source: Send {
    /// How the user calls the host.
    fn host(&self) -> Arc<str>;

    /// The file whose first field is the CPU time of whoever reads, in nanoseconds.
    fn own_time(&self) -> &'static str;

    /// Reads files. Cheap.
    fn read(&mut self, ask: &Ask) -> Result<Answer, ProbeError>;

    /// Every process with its command line. Not cheap: only when one is looked for.
    fn table(&mut self) -> Result<Vec<Entry>, ProbeError>;

    /// Who listens on a port. Not cheap.
    fn listener(&mut self, port: u16) -> Result<Listener, ProbeError>;

    /// What `uname -m` says.
    fn machine(&mut self) -> Option<String>;
}

/// The files of this machine.
#[derive(Debug)]
pub struct LocalSource {
    root: PathBuf,
    host: Arc<str>,
}

impl LocalSource {
    /// This machine.
    ///
    /// # Errors
    /// It has no `/proc` as Linux has it.
    pub fn new() -> Result<LocalSource, ProbeError> {
        if cfg!(target_os = "linux") {
            Ok(LocalSource::at(Path::new("/")))
        } else {
            Err(ProbeError::Unsupported {
                os: std::env::consts::OS.to_owned(),
            })
        }
    }

    /// A machine whose files lie under `root`.
    pub(super) fn at(root: &Path) -> LocalSource {
        LocalSource {
            root: root.to_owned(),
            host: "localhost".into(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Process names and command lines may be any bytes, so the text need not be UTF-8.
    fn text(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(odd) => String::from_utf8_lossy(odd.as_bytes()).into_owned(),
        })
    }

    fn pids(&self) -> Vec<u32> {
        let entries = fs::read_dir(self.path("/proc")).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }
}

impl Source for LocalSource {
    fn host(&self) -> Arc<str> {
        self.host.clone()
    }

    fn own_time(&self) -> &'static str {
        "/proc/thread-self/schedstat"
    }

    fn read(&mut self, ask: &Ask) -> Result<Answer, ProbeError> {
        let files = ask.files.iter().map(|file| self.text(&file.path)).collect();
        let count = |folder: &String| {
            let entries = fs::read_dir(self.path(folder)).ok()?;
            u32::try_from(entries.count()).ok()
        };
        Ok(Answer {
            files,
            folders: ask.folders.iter().map(count).collect(),
            at: Instant::now(),
            round_trip: None,
        })
    }

    fn table(&mut self) -> Result<Vec<Entry>, ProbeError> {
        let (mut stats, mut commands) = (String::new(), BTreeMap::new());
        for pid in self.pids() {
            let Some(stat) = self.text(&format!("/proc/{pid}/stat")) else {
                continue;
            };
            // A name may hold a newline; the table is read line by line.
            stats += &stat.trim_end().replace('\n', " ");
            stats.push('\n');
            if let Some(line) = self.text(&format!("/proc/{pid}/cmdline")) {
                commands.insert(pid, line.replace(['\0', '\n'], " ").trim().to_owned());
            }
        }
        Ok(table::table(&stats, &commands))
    }

    fn listener(&mut self, port: u16) -> Result<Listener, ProbeError> {
        let mut inodes = Vec::new();
        for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
            inodes.extend(listen::inodes(&self.text(file).unwrap_or_default(), port));
        }
        let has = |pid: &u32| {
            let entries = fs::read_dir(self.path(&format!("/proc/{pid}/fd"))).into_iter();
            entries.flatten().flatten().any(|entry| {
                let link = fs::read_link(entry.path()).ok();
                let inode = link.and_then(|link| listen::socket(link.to_str()?));
                inode.is_some_and(|inode| inodes.contains(&inode))
            })
        };
        let mut pids = if inodes.is_empty() {
            Vec::new()
        } else {
            self.pids()
        };
        pids.retain(has);
        pids.sort_unstable();
        Ok(Listener {
            bound: !inodes.is_empty(),
            pids,
        })
    }

    fn machine(&mut self) -> Option<String> {
        Some(std::env::consts::ARCH.to_owned())
    }
}
