//! Where messages go: the terminal past its bars, a file, or nowhere; and a file of its own for the script's `console`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::loki::LokiQueue;
use super::progress::LogWriter;

/// The target of what the script's `console` says.
pub const CONSOLE: &str = "console";

/// A level as the dialect calls it.
pub fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// What a message comes from, where that is said with it.
pub fn source(target: &str) -> Option<&'static str> {
    [CONSOLE, "http-debug"].into_iter().find(|known| *known == target)
}

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
    Loki(LokiQueue),
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

    /// To Loki.
    pub fn loki(queue: LokiQueue, console: ConsoleFile) -> Messages {
        let place = Place::Loki(queue);
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
    /// With the level and the source of this message.
    Loki(&'a LokiQueue, &'static str, Option<&'static str>),
    Nowhere,
}

impl<'a> MakeWriter<'a> for Messages {
    type Writer = MessageWriter<'a>;

    fn make_writer(&'a self) -> MessageWriter<'a> {
        match &self.place {
            Place::Terminal(writer) => MessageWriter::Terminal(writer.clone()),
            Place::Stdout => MessageWriter::Stdout,
            Place::File(file) => MessageWriter::File(file),
            Place::Loki(queue) => MessageWriter::Loki(queue, level_name(Level::INFO), None),
            Place::Nowhere => MessageWriter::Nowhere,
        }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> MessageWriter<'a> {
        match self.console.0.get() {
            Some(file) if about.target() == CONSOLE => MessageWriter::File(file),
            _ => match self.make_writer() {
                MessageWriter::Loki(queue, ..) => {
                    MessageWriter::Loki(queue, level_name(*about.level()), source(about.target()))
                }
                writer => writer,
            },
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
            // The whole of a message comes at once, with the end of its line.
            MessageWriter::Loki(queue, level, source) => {
                queue.say(level, *source, String::from_utf8_lossy(buffer).trim_end());
                Ok(())
            }
            MessageWriter::Nowhere => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            MessageWriter::Terminal(writer) => writer.flush(),
            MessageWriter::Stdout => io::stdout().lock().flush(),
            MessageWriter::File(_) | MessageWriter::Loki(..) | MessageWriter::Nowhere => Ok(()),
        }
    }
}
