//! Where messages go, and what they look like: `console.log` of scripts, warnings, errors.
//!
//! The forms are the dialect's: lines for people on a terminal, `key=value` in a file, JSON, or the bare text.

use std::fmt;
use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use clap::{Args, ValueEnum};
use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format::Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::metrics::utc;
use crate::output::{
    CONSOLE, ConsoleFile, Loki, LokiError, LokiOptions, Messages, Mode, Progress, level_name, source,
};
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
    /// How a run is shown on a terminal
    #[arg(long, value_name = "VIEW", default_value = "compact")]
    pub ui: Ui,
    /// Use no colours (the variable NO_COLOR does the same)
    #[arg(long)]
    pub no_color: bool,
    /// Where messages go: stderr, stdout, none, file=PATH[,level=LEVEL] or loki=URL[,SETTING=VALUE...] [default: stderr]
    #[arg(long, value_name = "PLACE")]
    pub log_output: Option<String>,
    /// How messages look: text, json, or raw [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// What a terminal shows of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Ui {
    /// A bar for each scenario, and the last second's figures
    #[default]
    Compact,
    /// The whole run on a time axis, how thresholds stand, and findings as they appear
    Full,
    /// A few plain lines every few seconds, as in a file
    Plain,
}

impl Ui {
    /// What suits standard error.
    fn mode(self, quiet: bool, terminal: bool) -> Mode {
        match self {
            _ if quiet => Mode::Quiet,
            _ if !terminal => Mode::Plain,
            Ui::Compact => Mode::Bars,
            Ui::Full => Mode::Full {
                colour: colour(terminal),
            },
            Ui::Plain => Mode::Plain,
        }
    }
}

static START: OnceLock<Instant> = OnceLock::new();
static SECRETS: OnceLock<Secrets> = OnceLock::new();
static NO_COLOR: OnceLock<bool> = OnceLock::new();
static LOKI: Mutex<Option<Loki>> = Mutex::new(None);

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
///
/// # Errors
/// A place or a format that is none; messages go to standard error then.
pub fn start(args: &LogArgs) -> Result<Progress, String> {
    let variable = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let _ = NO_COLOR.set(args.no_color || variable);
    let watched = std::io::stderr().is_terminal();
    let progress = Progress::new(args.ui.mode(args.quiet, watched));
    let _ = START.set(Instant::now());
    let given = |flag: &Option<String>, name: &str| flag.clone().or_else(|| setting(name));
    let format = form(given(&args.log_format, "LOG_FORMAT").as_deref());
    let place = place(given(&args.log_output, "LOG_OUTPUT").as_deref(), &progress);
    let (format, place, fault) = match (format, place) {
        (Ok(format), Ok(place)) => (format, place, None),
        (Err(fault), Ok(place)) => (Form::Text, place, Some(fault)),
        (_, Err(fault)) => (Form::Text, terminal(&progress), Some(fault)),
    };
    let usual = if args.verbose { Level::DEBUG } else { Level::INFO };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(place.level.unwrap_or(usual))
        .with_writer(place.messages)
        .with_ansi(place.terminal && colour(watched))
        .event_format(Line {
            form: place.form.unwrap_or(format),
            file: place.file,
            console: progress.console().clone(),
        });
    // A second start keeps the first one's settings.
    let _ = tracing::subscriber::set_global_default(subscriber.finish());
    if args.ui == Ui::Full && !watched {
        tracing::warn!("--ui full needs a terminal; a few plain lines are shown instead");
    }
    fault.map_or(Ok(progress), Err)
}

/// `LOADGEN_NAME` or `K6_NAME`.
fn setting(name: &str) -> Option<String> {
    ["LOADGEN_", "K6_"]
        .iter()
        .find_map(|prefix| std::env::var(format!("{prefix}{name}")).ok())
        .filter(|value| !value.is_empty())
}

/// What a message looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// For people: `WARN[0003] text  source=console`; in files `time="…" level=warn msg=text`.
    Text,
    /// One object a line.
    Json,
    /// The text alone.
    Raw,
}

fn form(text: Option<&str>) -> Result<Form, String> {
    match text {
        None | Some("" | "text" | "pretty") => Ok(Form::Text),
        Some("json") => Ok(Form::Json),
        Some("raw") => Ok(Form::Raw),
        Some(other) => Err(format!("--log-format {other}: it is one of text, json and raw")),
    }
}

/// Where messages go.
struct Place {
    messages: Messages,
    terminal: bool,
    file: bool,
    level: Option<Level>,
    /// The only form that suits it.
    form: Option<Form>,
}

fn terminal(progress: &Progress) -> Place {
    Place {
        messages: Messages::terminal(progress.writer(), progress.console().clone()),
        terminal: true,
        file: false,
        level: None,
        form: None,
    }
}

fn place(text: Option<&str>, progress: &Progress) -> Result<Place, String> {
    let console = || progress.console().clone();
    let usual = terminal(progress);
    match text {
        None | Some("" | "stderr") => Ok(usual),
        Some("stdout") => Ok(Place {
            messages: Messages::stdout(console()),
            terminal: false,
            ..usual
        }),
        Some("none") => Ok(Place {
            messages: Messages::nowhere(console()),
            terminal: false,
            ..usual
        }),
        Some(loki) if loki == "loki" || loki.starts_with("loki=") => {
            to_loki(loki.trim_start_matches("loki").trim_start_matches('='), console())
        }
        Some(other) => {
            let Some(rest) = other.strip_prefix("file=") else {
                return Err(format!(
                    "--log-output {other}: it is one of stderr, stdout, none, file=PATH and loki=URL"
                ));
            };
            let (path, level) = match rest.split_once(",level=") {
                Some((path, level)) => (path, Some(named(level)?)),
                None => (rest, None),
            };
            let messages = Messages::file(path.as_ref(), console())
                .map_err(|error| format!("--log-output: cannot write {path:?}: {error}"))?;
            Ok(Place {
                messages,
                terminal: false,
                file: true,
                level,
                form: None,
            })
        }
    }
}

fn to_loki(settings: &str, console: ConsoleFile) -> Result<Place, String> {
    let options: LokiOptions = settings
        .parse()
        .map_err(|error: LokiError| format!("--log-output loki: {error}"))?;
    let level = options.level.as_deref().map(named).transpose()?;
    let (loki, queue) =
        Loki::start(options).map_err(|error| format!("--log-output loki: no thread: {error}"))?;
    *LOKI.lock().unwrap_or_else(PoisonError::into_inner) = Some(loki);
    Ok(Place {
        messages: Messages::loki(queue, console),
        terminal: false,
        file: true,
        level,
        form: Some(Form::Raw),
    })
}

/// Sends what still waits to be sent: the last thing that is done.
pub fn finish() {
    let loki = LOKI.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(loki) = loki {
        loki.finish();
    }
}

fn named(level: &str) -> Result<Level, String> {
    match level {
        "error" | "fatal" | "panic" => Ok(Level::ERROR),
        "warning" | "warn" => Ok(Level::WARN),
        "info" => Ok(Level::INFO),
        "debug" | "trace" => Ok(Level::DEBUG),
        other => Err(format!(
            "--log-output: the level {other:?} is none of error, warning, info and debug"
        )),
    }
}

/// Writes one message.
struct Line {
    form: Form,
    /// Whether it goes to a file.
    file: bool,
    console: ConsoleFile,
}

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
        let level = *event.metadata().level();
        let name = level_name(level);
        let (short, colour) = match level {
            Level::ERROR => ("ERRO", 31),
            Level::WARN => ("WARN", 33),
            Level::INFO => ("INFO", 36),
            Level::DEBUG | Level::TRACE => ("DEBU", 37),
        };
        let mut message = Message(String::new());
        event.record(&mut message);
        let text = match SECRETS.get() {
            Some(secrets) => secrets.hide(&message.0),
            None => message.0,
        };
        let source = source(event.metadata().target());
        let console = source == Some(CONSOLE) && self.console.is_open();
        let now = || utc::rfc3339(std::time::SystemTime::now());
        match self.form {
            Form::Raw => writeln!(writer, "{text}"),
            Form::Json => {
                let mut line = serde_json::json!({ "level": name, "msg": text, "time": now() });
                if let Some(source) = source {
                    line["source"] = source.into();
                }
                writeln!(writer, "{line}")
            }
            Form::Text if self.file || console => {
                write!(writer, "time={:?} level={name} msg={}", now(), quoted(&text))?;
                if let Some(source) = source {
                    write!(writer, " source={source}")?;
                }
                writeln!(writer)
            }
            Form::Text => {
                let seconds = START.get().map_or(0, |start| start.elapsed().as_secs());
                if writer.has_ansi_escapes() {
                    write!(writer, "\x1b[{colour}m{short}\x1b[0m[{seconds:04}] ")?;
                } else {
                    write!(writer, "{short}[{seconds:04}] ")?;
                }
                writer.write_str(&text)?;
                if let Some(source) = source {
                    write!(writer, "  source={source}")?;
                }
                writeln!(writer)
            }
        }
    }
}

/// As `key=value` lines have it: quotes where they are needed.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
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
