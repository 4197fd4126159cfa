//! Where messages go, and what they look like: `console.log` of scripts, warnings, errors.

use std::fmt;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Instant;

use clap::Args;
use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format::Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::output::{Mode, Progress};
use crate::script::Secrets;

/// How much is said, and how.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Messages")]
pub struct LogArgs {
    /// Say more: debug messages
    #[arg(short, long)]
    pub verbose: bool,
    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
    /// Use no colours (the variable NO_COLOR does the same)
    #[arg(long)]
    pub no_color: bool,
}

static START: OnceLock<Instant> = OnceLock::new();
static SECRETS: OnceLock<Secrets> = OnceLock::new();
static NO_COLOR: OnceLock<bool> = OnceLock::new();

/// From here on no message shows these.
pub fn hide(secrets: &Secrets) {
    if !secrets.is_empty() {
        let _ = SECRETS.set(secrets.clone());
    }
}

/// Whether a stream takes colours.
pub fn colour(is_terminal: bool) -> bool {
    let off = NO_COLOR.get_or_init(|| std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()));
    is_terminal && !off
}

/// Lets messages through from here on, past the display that shows a run's progress.
pub fn start(args: &LogArgs) -> Progress {
    let progress = Progress::new(Mode::new(args.quiet, std::io::stderr().is_terminal()));
    let variable = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let _ = NO_COLOR.set(args.no_color || variable);
    let _ = START.set(Instant::now());
    let level = if args.verbose { Level::DEBUG } else { Level::INFO };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(progress.writer())
        .with_ansi(colour(std::io::stderr().is_terminal()))
        .event_format(Line);
    // A second start keeps the first one's settings.
    let _ = tracing::subscriber::set_global_default(subscriber.finish());
    progress
}

/// `WARN[0003] text  source=console`, the dialect's way: the level, the seconds so far, the message.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (name, colour) = match *event.metadata().level() {
            Level::ERROR => ("ERRO", 31),
            Level::WARN => ("WARN", 33),
            Level::INFO => ("INFO", 36),
            Level::DEBUG | Level::TRACE => ("DEBU", 37),
        };
        let seconds = START.get().map_or(0, |start| start.elapsed().as_secs());
        if writer.has_ansi_escapes() {
            write!(writer, "\x1b[{colour}m{name}\x1b[0m[{seconds:04}] ")?;
        } else {
            write!(writer, "{name}[{seconds:04}] ")?;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        match SECRETS.get() {
            Some(secrets) => writer.write_str(&secrets.hide(&message.0))?,
            None => writer.write_str(&message.0)?,
        }
        if event.metadata().target() == "console" {
            write!(writer, "  source=console")?;
        }
        writeln!(writer)
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
