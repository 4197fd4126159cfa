//! Where the text of an output goes: a file, a compressed one, or standard output.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::rotation::Rotation;
use super::{OutputError, OutputSpec};

pub(super) enum Sink {
    /// With the length up to which all is well.
    File(File, u64, PathBuf),
    /// `None` once it failed: a compressed stream cannot be taken up again after a gap.
    Gzip(Option<GzEncoder<File>>, PathBuf),
    Stdout,
}

impl Sink {
    pub(super) fn open(spec: &OutputSpec) -> Result<Sink, OutputError> {
        let Some(path) = &spec.path else {
            return Ok(Sink::Stdout);
        };
        Sink::create(path).map_err(|source| OutputError::Open {
            path: path.clone(),
            source,
        })
    }

    fn create(path: &Path) -> io::Result<Sink> {
        let file = File::create(path)?;
        let compressed = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        Ok(if compressed {
            Sink::Gzip(Some(GzEncoder::new(file, Compression::fast())), path.to_owned())
        } else {
            Sink::File(file, 0, path.to_owned())
        })
    }

    /// All of `text`, or nothing that stays: a plain file that took only a part is cut back to whole lines, so that
    /// it can go on when the disk has room again.
    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stdout => io::stdout().lock().write_all(text),
            Sink::Gzip(Some(encoder), _) => encoder.write_all(text),
            Sink::Gzip(None, _) => Err(io::Error::other("the compressed file broke off earlier")),
            Sink::File(file, good, _) => match file.write_all(text) {
                Ok(()) => {
                    *good += text.len() as u64;
                    Ok(())
                }
                Err(error) => {
                    // A pipe or device has no length to cut back to; then the broken line stays.
                    if file.set_len(*good).is_ok() {
                        let _ = file.seek(SeekFrom::Start(*good));
                    }
                    Err(error)
                }
            },
        }
    }

    /// How large the file is; `None` where there is no file that could begin anew.
    pub(super) fn size(&self) -> Option<u64> {
        let file = match self {
            Sink::File(file, ..) => file,
            Sink::Gzip(Some(encoder), _) => encoder.get_ref(),
            Sink::Gzip(None, _) | Sink::Stdout => return None,
        };
        let found = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some(found.len())
    }

    /// Closes the file, which gets the number 1, and begins a new one. Whether the oldest is gone for it.
    pub(super) fn begin_anew(&mut self, rotation: Rotation) -> io::Result<bool> {
        let (Sink::File(_, _, path) | Sink::Gzip(_, path)) = self else {
            return Ok(false);
        };
        let gone = rotation.shift(path)?;
        let first = Rotation::numbered(path, 1);
        match Sink::create(path) {
            Ok(new) => match std::mem::replace(self, new) {
                // What the compressor still has belongs to the old file, whose name has changed and nothing else.
                Sink::Gzip(Some(encoder), _) => encoder.finish().map(|_| gone),
                _ => Ok(gone),
            },
            Err(error) => {
                let _ = std::fs::rename(first, path);
                Err(error)
            }
        }
    }
}
