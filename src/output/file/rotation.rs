//! When an output's file begins anew, and what the older ones are called.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Smaller files would be no more than some seconds of a run.
const SMALLEST: u64 = 64_000;
/// Older files that are kept unless told otherwise.
const KEEP: u32 = 4;
/// More would be an attempt at keeping all.
const MOST: u32 = 1000;

/// A file begins anew at so many bytes, and so many older ones are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    pub size: u64,
    pub keep: u32,
}

/// What is wrong with `--out-rotate`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RotationError {
    #[error("{0:?} is no size: write a number and a unit, kB, MB or GB, as in 500MB")]
    Size(String),
    #[error("{0:?} is too small: a file has at least 64kB")]
    Small(String),
    #[error("{0:?} is no number of files to keep, which is 1 to 1000, as in 500MB:9")]
    Keep(String),
}

impl FromStr for Rotation {
    type Err = RotationError;

    /// `SIZE` or `SIZE:FILES`.
    fn from_str(text: &str) -> Result<Rotation, RotationError> {
        let (shown, keep) = match text.split_once(':') {
            Some((size, keep)) => {
                let number = keep.trim().parse().ok().filter(|keep| (1..=MOST).contains(keep));
                (size, number.ok_or_else(|| RotationError::Keep(keep.to_owned()))?)
            }
            None => (text, KEEP),
        };
        let size = bytes(shown.trim()).ok_or_else(|| RotationError::Size(shown.to_owned()))?;
        if size < SMALLEST {
            return Err(RotationError::Small(shown.to_owned()));
        }
        Ok(Rotation { size, keep })
    }
}

/// A size in bytes, such as `500MB`; `MiB` and the like are powers of 1024.
pub fn bytes(text: &str) -> Option<u64> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "kib" => 1 << 10,
        "m" | "mb" => 1_000_000,
        "mib" => 1 << 20,
        "g" | "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

impl Rotation {
    /// The name of an older file, `samples.2.json.gz`: 1 is the newest of them.
    pub fn numbered(path: &Path, number: u32) -> PathBuf {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (name, gz) = match name.len().checked_sub(3).map(|at| name.split_at_checked(at)) {
            Some(Some((name, end))) if end.eq_ignore_ascii_case(".gz") => (name.to_owned(), end.to_owned()),
            _ => (name.clone().into_owned(), String::new()),
        };
        let named = match name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => format!("{stem}.{number}.{extension}{gz}"),
            _ => format!("{name}.{number}{gz}"),
        };
        path.with_file_name(named)
    }

    /// Makes room for the number 1, and gives it to the file. Whether the oldest is gone for it.
    pub fn shift(self, path: &Path) -> io::Result<bool> {
        let oldest = Rotation::numbered(path, self.keep);
        let gone = oldest.exists();
        for number in (1..self.keep).rev() {
            let from = Rotation::numbered(path, number);
            if from.exists() {
                std::fs::rename(from, Rotation::numbered(path, number + 1))?;
            }
        }
        std::fs::rename(path, Rotation::numbered(path, 1))?;
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn sizes_have_units_and_files_a_number() {
        let read = |text: &str| text.parse::<Rotation>().map(|it| (it.size, it.keep));
        assert_eq!(read("500MB"), Ok((500_000_000, 4)));
        assert_eq!(read("1 GiB:9"), Ok((1 << 30, 9)));
        assert_eq!(read("64k:1"), Ok((64_000, 1)));
        assert_eq!(read("100000"), Ok((100_000, 4)));
        for (text, error) in [
            ("", RotationError::Size(String::new())),
            ("much", RotationError::Size("much".into())),
            ("-1MB", RotationError::Size("-1MB".into())),
            ("99999999999GB", RotationError::Size("99999999999GB".into())),
            ("10kB", RotationError::Small("10kB".into())),
            ("1GB:0", RotationError::Keep("0".into())),
            ("1GB:all", RotationError::Keep("all".into())),
        ] {
            assert_eq!(text.parse::<Rotation>(), Err(error), "{text}");
        }
    }

    #[test]
    fn the_number_stands_before_what_says_the_kind() {
        for (name, expected) in [
            ("out/samples.json", "out/samples.2.json"),
            ("samples.csv.gz", "samples.2.csv.gz"),
            ("a.b.json.gz", "a.b.2.json.gz"),
            ("samples", "samples.2"),
            (".hidden", ".hidden.2"),
            ("gz", "gz.2"),
            ("süß.gz", "süß.2.gz"),
        ] {
            assert_eq!(
                Rotation::numbered(Path::new(name), 2),
                Path::new(expected),
                "{name}"
            );
        }
    }

    #[test]
    fn the_oldest_goes_and_the_others_move_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.json");
        let rotation = Rotation { size: 1, keep: 2 };
        for (text, expected_gone) in [("first", false), ("second", false), ("third", true)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(rotation.shift(&path).unwrap(), expected_gone, "{text}");
            assert!(!path.exists());
        }
        let of = |number| std::fs::read_to_string(Rotation::numbered(&path, number)).unwrap();
        assert_eq!((of(1), of(2)), ("third".to_owned(), "second".to_owned()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
