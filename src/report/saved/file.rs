//! Where a saved run goes: found out when the run starts, written when it ends, whole or not at all.
//!
//! The run is written to `FILE.partial` beside it, which takes the name only when all of it is on the disk. A lock on
//! that file keeps two runs from writing the same one; the system gives it back when a process ends, however it ends, so
//! what a crash leaves behind is in nobody's way.
//!
//! While the run goes on, what there is so far is written to `FILE.checkpoint` in the same way, never to the name itself: an
//! earlier result is not replaced by a piece of a new one.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::SavedRun;

/// Why a run cannot be saved. All but the last are found before the load starts.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("cannot save the run to {}: {source}; name a file in a folder that exists and can be written to", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("cannot save the run to {}: it is a folder; name a file in it", .0.display())]
    Folder(PathBuf),
    #[error("another run is writing {} right now; give this one a file of its own", .0.display())]
    Busy(PathBuf),
    #[error("the run could not be saved to {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// A place that a run can be written to.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    file: File,
    /// The file that gets the name at the end; `None` for what is no file, such as a pipe.
    partial: Option<PathBuf>,
}

/// Where what there is of a run is written while it goes on. What calls it keeps the [`Destination`] meanwhile.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    gzipped: bool,
}

impl Destination {
    /// Where checkpoints of the run go; `None` for what is no file. One that a killed run has left is put aside, and its new
    /// name returned.
    ///
    /// # Errors
    /// It cannot be put aside.
    pub fn checkpoint(&self) -> Result<Option<(Checkpoint, Option<PathBuf>)>, SaveError> {
        if self.partial.is_none() {
            return Ok(None);
        }
        let checkpoint = Checkpoint {
            path: with(&self.path, ".checkpoint"),
            gzipped: gzipped(&self.path),
        };
        let old = with(&checkpoint.path, ".old");
        let left = match std::fs::rename(&checkpoint.path, &old) {
            Ok(()) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(SaveError::Open {
                    path: checkpoint.path,
                    source,
                });
            }
        };
        Ok(Some((checkpoint, left)))
    }

    /// Opens it, and keeps other runs from it until this one is written or dropped.
    ///
    /// # Errors
    /// The folder does not exist or cannot be written to, or another run is writing the same file.
    pub fn open(path: &Path) -> Result<Destination, SaveError> {
        let failed = |source| SaveError::Open {
            path: path.to_owned(),
            source,
        };
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(SaveError::Folder(path.to_owned())),
            Ok(found) if !found.is_file() => {
                return Ok(Destination {
                    path: path.to_owned(),
                    file: OpenOptions::new().write(true).open(path).map_err(failed)?,
                    partial: None,
                });
            }
            _ => {}
        }
        let partial = with(path, ".partial");
        loop {
            let mut options = OpenOptions::new();
            let file = options
                .write(true)
                .create(true)
                .truncate(false)
                .open(&partial)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(SaveError::Busy(path.to_owned())),
                // A file system without locks: two runs at once are not found out, all else is as it should be.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // The run before may have given the file its name between our opening it and our locking it.
            if same(&file, &partial) {
                file.set_len(0).map_err(failed)?;
                return Ok(Destination {
                    path: path.to_owned(),
                    file,
                    partial: Some(partial),
                });
            }
        }
    }

    /// Writes the run; gzipped if the file's name ends in `.gz`. An earlier file of that name stays as it is until all
    /// of the new one is there.
    ///
    /// # Errors
    /// The disk is full, or gone.
    pub fn write(mut self, run: &SavedRun) -> Result<(), SaveError> {
        self.put(run).map_err(|source| SaveError::Write {
            path: self.path.clone(),
            source,
        })
    }

    fn put(&mut self, run: &SavedRun) -> io::Result<()> {
        encode(&self.file, gzipped(&self.path), run)?;
        let Some(partial) = &self.partial else {
            return Ok(());
        };
        name(&self.file, partial, &self.path)?;
        self.partial = None;
        Ok(())
    }
}

impl Checkpoint {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what there is so far, in place of what there was before.
    ///
    /// # Errors
    /// The disk is full, or gone. The checkpoint before is still there.
    pub fn write(&self, run: &SavedRun) -> Result<(), SaveError> {
        let partial = with(&self.path, ".partial");
        let put = || {
            let file = File::create(&partial)?;
            encode(&file, self.gzipped, run)?;
            name(&file, &partial, &self.path)
        };
        put().map_err(|source| {
            let _ = std::fs::remove_file(&partial);
            SaveError::Write {
                path: self.path.clone(),
                source,
            }
        })
    }

    /// The whole run is saved: this is of no more use.
    pub fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn encode(file: &File, gzipped: bool, run: &SavedRun) -> io::Result<()> {
    let mut buffer = BufWriter::new(file);
    if gzipped {
        let mut encoder = GzEncoder::new(&mut buffer, Compression::default());
        serde_json::to_writer(&mut encoder, run)?;
        encoder.finish()?;
    } else {
        serde_json::to_writer(&mut buffer, run)?;
        buffer.write_all(b"\n")?;
    }
    buffer.flush()
}

/// Gives a file its name once all of it is on the disk.
fn name(file: &File, partial: &Path, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    std::fs::rename(partial, path)?;
    // Without this the new name might not survive a power cut; some systems cannot do it for a folder.
    if let Some(folder) = folder(path).and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn gzipped(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz"))
}

impl Drop for Destination {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            let _ = std::fs::remove_file(partial);
        }
    }
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent().map(|folder| {
        if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        }
    })
}

/// Whether the open file is still the one of that name.
fn same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(open), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else {
        return false;
    };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}
