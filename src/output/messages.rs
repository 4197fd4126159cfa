//! Where messages go: the terminal past its bars, a file, or nowhere; and a file of its own for the script's `console`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use super::progress::LogWriter;

/// The target of what the script's `console` says.
pub const CONSOLE: &str = "console";

/// The file for the script's `console`, once there is one. Clones are the same file.
#[derive(Clone, Debug, Default)]
pub struct ConsoleFile(Arc<OnceLock<Mutex<File>>>);

impl ConsoleFile {
    /// From here on the script's `console` goes to this file, after what is in it. Only the first call counts.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(&self, path: &Path) -> io::Result<()> {
        if self.0.get().is_none() {
            let _ = self.0.set(Mutex::new(append(path)?));
        }
        Ok(())
    }

    /// Whether there is one.
    pub fn is_open(&self) -> bool {
        self.0.get().is_some()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Where messages go.
#[derive(Clone, Debug)]
pub struct Messages {
    place: Place,
    console: ConsoleFile,
}

#[derive(Clone, Debug)]
enum Place {
    Terminal(LogWriter),
    Stdout,
    File(Arc<Mutex<File>>),
    Nowhere,
}

impl Messages {
    /// To standard error, past the bars.
    pub fn terminal(writer: LogWriter, console: ConsoleFile) -> Messages {
        let place = Place::Terminal(writer);
        Messages { place, console }
    }

    /// To standard output.
    pub fn stdout(console: ConsoleFile) -> Messages {
        let place = Place::Stdout;
        Messages { place, console }
    }

    /// Nowhere.
    pub fn nowhere(console: ConsoleFile) -> Messages {
        let place = Place::Nowhere;
        Messages { place, console }
    }

    /// To a file, after what is in it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn file(path: &Path, console: ConsoleFile) -> io::Result<Messages> {
        let place = Place::File(Arc::new(Mutex::new(append(path)?)));
        Ok(Messages { place, console })
    }
}

/// Takes one message.
#[derive(Debug)]
pub enum MessageWriter<'a> {
    Terminal(LogWriter),
    Stdout,
    File(&'a Mutex<File>),
    Nowhere,
}

impl<'a> MakeWriter<'a> for Messages {
    type Writer = MessageWriter<'a>;

    fn make_writer(&'a self) -> MessageWriter<'a> {
        match &self.place {
            Place::Terminal(writer) => MessageWriter::Terminal(writer.clone()),
            Place::Stdout => MessageWriter::Stdout,
            Place::File(file) => MessageWriter::File(file),
            Place::Nowhere => MessageWriter::Nowhere,
        }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> MessageWriter<'a> {
        match self.console.0.get() {
            Some(file) if about.target() == CONSOLE => MessageWriter::File(file),
            _ => self.make_writer(),
        }
    }
}

impl Write for MessageWriter<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_all(buffer).map(|()| buffer.len())
    }

    fn write_all(&mut self, buffer: &[u8]) -> io::Result<()> {
        match self {
            MessageWriter::Terminal(writer) => writer.write_all(buffer),
            MessageWriter::Stdout => io::stdout().lock().write_all(buffer),
            MessageWriter::File(file) => file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(buffer),
            MessageWriter::Nowhere => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            MessageWriter::Terminal(writer) => writer.flush(),
            MessageWriter::Stdout => io::stdout().lock().flush(),
            MessageWriter::File(_) | MessageWriter::Nowhere => Ok(()),
        }
    }
}
