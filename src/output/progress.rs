//! The terminal while a test runs: bars where somebody looks, a few plain lines where a file does.
//!
//! [`render`] turns plain data ([`view`]) into text; here is only where and how often it is shown. All of it goes to
//! standard error, so that standard output stays the summary's and the script's. Log lines must go through a
//! [`LogWriter`], or they would tear the bars.

mod full;
mod history;
mod render;
mod view;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::messages::ConsoleFile;

pub use view::{
    Header, ProgressView, ScenarioCounts, ScenarioLine, ScenarioState, Standing, TargetUse, TunnelUse, Work,
};

use history::{History, Moment};

/// Plain lines come once after this much of the test's time,
const PLAIN_FIRST: Duration = Duration::from_secs(1);
/// and then as often as this.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Positions of a bar.
const STEPS: u64 = 1000;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bars that are redrawn, on a terminal.
    Bars,
    /// The run on a time axis, thresholds and findings, redrawn below what is logged (`--ui full`).
    Full {
        /// Whether it may have colours.
        colour: bool,
    },
    /// A few lines every few seconds.
    Plain,
    /// Nothing (`--quiet`).
    Quiet,
}

/// The columns and rows of a terminal.
type Size = fn() -> (u16, u16);

/// Those of standard error; those of the oldest terminals where it does not say.
fn stderr_size() -> (u16, u16) {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map_or((80, 24), |(columns, rows)| (columns.0, rows.0))
}

/// The progress display of one run. Clones show the same.
///
/// Locks are taken in this order and never in another: the state, the terminal's bars, the bars' own, the sink.
#[derive(Clone)]
pub struct Progress {
    mode: Mode,
    state: Arc<Mutex<State>>,
    /// Draws nothing but in [`Mode::Bars`].
    bars: MultiProgress,
    terminal: Terminal,
    console: ConsoleFile,
    size: Size,
}

/// Where text goes, and the bars that stand below it.
#[derive(Clone)]
struct Terminal {
    /// The bars while they are redrawn. Left standing at the end they are text like any other: indicatif would wipe
    /// as many lines again, whatever was written since.
    bars: Arc<Mutex<Option<MultiProgress>>>,
    sink: Sink,
}

/// Standard error, or what stands in for it.
#[derive(Clone)]
struct Sink(Arc<Mutex<dyn Write + Send>>);

struct State {
    /// When the next plain lines are due, in the test's time.
    next: Duration,
    init: Init,
    /// The scenarios' lines as last shown: one that is over stays as it was then.
    lines: Vec<ScenarioLine>,
    drawn: Option<Drawn>,
    /// What [`Mode::Full`] shows besides: the run so far, what follows from it, and where both are drawn.
    history: History,
    findings: Vec<String>,
    screen: Option<ProgressBar>,
}

/// The bar or the lines of the time before the test.
#[derive(Default)]
struct Init {
    bar: Option<ProgressBar>,
    /// When the last plain line was shown.
    shown: Option<Instant>,
}

/// The bars of a test that runs.
struct Drawn {
    status: ProgressBar,
    scenarios: Vec<ProgressBar>,
    figures: ProgressBar,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl Progress {
    /// A display on standard error; it shows nothing yet.
    pub fn new(mode: Mode) -> Progress {
        let target = match mode {
            Mode::Bars | Mode::Full { .. } => ProgressDrawTarget::stderr(),
            Mode::Plain | Mode::Quiet => ProgressDrawTarget::hidden(),
        };
        let sink = Sink(Arc::new(Mutex::new(io::stderr())));
        Progress::on(mode, Terminal::new(sink), target, stderr_size)
    }

    fn on(mode: Mode, terminal: Terminal, target: ProgressDrawTarget, size: Size) -> Progress {
        Progress {
            mode,
            state: Arc::new(Mutex::new(State {
                next: PLAIN_FIRST,
                init: Init::default(),
                lines: Vec::new(),
                drawn: None,
                history: History::default(),
                findings: Vec::new(),
                screen: None,
            })),
            bars: MultiProgress::with_draw_target(target),
            terminal,
            console: ConsoleFile::default(),
            size,
        }
    }

    /// The file for the script's `console`.
    pub fn console(&self) -> &ConsoleFile {
        &self.console
    }

    /// Shows what is going to run.
    pub fn header(&self, header: &Header) {
        if self.mode != Mode::Quiet {
            self.suspend(|| self.terminal.sink.show(&render::header(header)));
        }
    }

    /// Shows text above whatever is redrawn.
    pub fn text(&self, text: &str) {
        if self.mode != Mode::Quiet {
            self.suspend(|| self.terminal.sink.show(text));
        }
    }

    /// Whether it is redrawn, and no line that is shown stays.
    pub fn redraws(&self) -> bool {
        matches!(self.mode, Mode::Bars | Mode::Full { .. })
    }

    /// VUs initialise before the test's time begins: `done` of `total` have. Plain lines come only if it takes long.
    pub fn init(&self, done: u32, total: u32) {
        let mut state = self.state();
        match self.mode {
            Mode::Quiet => {}
            Mode::Bars | Mode::Full { .. } if total == 0 || done >= total => state.end_init(&self.bars),
            Mode::Bars | Mode::Full { .. } => {
                self.terminal.raise(&self.bars);
                let bar = state.init.bar.get_or_insert_with(|| {
                    let bar = self.bars.add(bar());
                    bar.set_prefix("Init     ");
                    bar
                });
                bar.set_position(u64::from(done) * STEPS / u64::from(total.max(1)));
                bar.set_message(render::init_right(done, total));
            }
            Mode::Plain => {
                let last = *state.init.shown.get_or_insert_with(Instant::now);
                if last.elapsed() >= PLAIN_EVERY {
                    state.init.shown = Some(Instant::now());
                    self.terminal.sink.show(&(render::init(done, total) + "\n"));
                }
            }
        }
    }

    /// Shows the run as it is now. To be called at least once a second; plain lines are shown less often.
    pub fn update(&self, view: &ProgressView) {
        let mut state = self.state();
        match self.mode {
            Mode::Quiet => {}
            Mode::Bars => {
                self.terminal.raise(&self.bars);
                state.end_init(&self.bars);
                state.keep(view);
                state.draw(view, &self.bars);
            }
            Mode::Full { colour } => {
                self.terminal.raise(&self.bars);
                state.end_init(&self.bars);
                state.keep(view);
                state.remember(view);
                state.paint(view, &self.bars, (self.size)(), colour);
            }
            Mode::Plain => {
                state.keep(view);
                if view.elapsed >= state.next {
                    let every = PLAIN_EVERY.as_nanos();
                    let periods = view.elapsed.as_nanos() / every + 1;
                    state.next = PLAIN_EVERY.saturating_mul(u32::try_from(periods).unwrap_or(u32::MAX));
                    self.terminal.sink.show(&state.plain(view));
                }
            }
        }
    }

    /// Shows how the run ended, and leaves that standing.
    pub fn finish(&self, view: &ProgressView) {
        let mut state = self.state();
        match self.mode {
            Mode::Quiet => {}
            Mode::Bars => {
                self.terminal.raise(&self.bars);
                state.end_init(&self.bars);
                state.keep(view);
                state.draw(view, &self.bars);
                if let Some(drawn) = state.drawn.take() {
                    for bar in drawn.all() {
                        bar.abandon();
                    }
                }
                self.terminal.lower();
            }
            Mode::Full { colour } => {
                self.terminal.raise(&self.bars);
                state.end_init(&self.bars);
                state.keep(view);
                state.paint(view, &self.bars, (self.size)(), colour);
                if let Some(screen) = state.screen.take() {
                    screen.abandon();
                }
                self.terminal.lower();
            }
            Mode::Plain => {
                state.keep(view);
                self.terminal.sink.show(&state.plain(view));
            }
        }
    }

    /// Whether findings are shown while they appear.
    pub fn wants_findings(&self) -> bool {
        matches!(self.mode, Mode::Full { .. })
    }

    /// What follows from the run so far, for the next [`Self::update`].
    pub fn findings(&self, findings: Vec<String>) {
        self.state().findings = findings;
    }

    /// Shows one line of text for as long as nothing else is shown: redrawn on a terminal, otherwise again after `every`.
    pub fn line(&self, text: &str, every: Duration) {
        let mut state = self.state();
        match self.mode {
            Mode::Quiet => {}
            Mode::Bars | Mode::Full { .. } => {
                self.terminal.raise(&self.bars);
                let bar = state.init.bar.get_or_insert_with(|| self.bars.add(self::text()));
                bar.set_message(text.to_owned());
            }
            Mode::Plain => {
                if state.init.shown.is_none_or(|shown| shown.elapsed() >= every) {
                    state.init.shown = Some(Instant::now());
                    self.terminal.sink.show(&format!("{text}\n"));
                }
            }
        }
    }

    /// Takes that line away.
    pub fn end_line(&self) {
        let mut state = self.state();
        state.end_init(&self.bars);
        self.terminal.lower();
    }

    /// Takes the bars off the terminal while `write` writes to it. `write` must not use the display itself.
    pub fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        self.terminal.suspend(write)
    }

    /// Where log lines go, from before the first bar to after the last.
    pub fn writer(&self) -> LogWriter {
        LogWriter(self.terminal.clone())
    }

    /// A display that panicked in one thread is still a display.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Terminal {
    fn new(sink: Sink) -> Terminal {
        Terminal {
            bars: Arc::default(),
            sink,
        }
    }

    fn bars(&self) -> MutexGuard<'_, Option<MultiProgress>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on there are bars to take off before anything is written.
    fn raise(&self, bars: &MultiProgress) {
        self.bars().get_or_insert_with(|| bars.clone());
    }

    /// The bars, if any, are left standing as text.
    fn lower(&self) {
        *self.bars() = None;
    }

    /// The lock is held while `write` runs: no bars come up in the middle of it.
    fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        match &*self.bars() {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

impl Sink {
    fn lock(&self) -> MutexGuard<'_, dyn Write + Send + 'static> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A standard error that is gone does not stop a test.
    fn show(&self, text: &str) {
        let mut sink = self.lock();
        let _ = sink.write_all(text.as_bytes()).and_then(|()| sink.flush());
    }
}

impl State {
    /// The lines of a moment, and a blank one.
    fn plain(&self, view: &ProgressView) -> String {
        let width = render::name_width(&self.lines);
        let mut text = render::status(view) + "\n";
        for line in &self.lines {
            text += &render::scenario(line, width);
            text.push('\n');
        }
        text + &render::figures(view) + "\n\n"
    }

    /// Takes the view's lines, but for those that were over before: their clock has stopped.
    fn keep(&mut self, view: &ProgressView) {
        let last = std::mem::take(&mut self.lines);
        let mut last = last.into_iter();
        self.lines = view
            .scenarios
            .iter()
            .map(|line| match last.next() {
                Some(old) if old.is_over() && old.name == line.name => old,
                _ => line.clone(),
            })
            .collect();
    }

    fn end_init(&mut self, bars: &MultiProgress) {
        if let Some(bar) = self.init.bar.take() {
            bars.remove(&bar);
        }
    }

    fn draw(&mut self, view: &ProgressView, bars: &MultiProgress) {
        let drawn = self.drawn.get_or_insert_with(|| Drawn {
            status: bars.add(text()),
            scenarios: self.lines.iter().map(|_| bars.add(bar())).collect(),
            figures: bars.add(text()),
        });
        let width = render::name_width(&self.lines);
        drawn.status.set_message(render::status(view));
        for (bar, line) in drawn.scenarios.iter().zip(&self.lines) {
            bar.set_prefix(render::left(line, width));
            bar.set_position((line.fraction * STEPS as f64) as u64);
            bar.set_message(render::right(line));
        }
        drawn.figures.set_message(render::figures(view));
    }

    fn remember(&mut self, view: &ProgressView) {
        let moment = Moment {
            p95_ms: view.p95_ms,
            rps: view.rps,
            vus: f64::from(view.vus),
            errors: view.errors,
            cpu: view.target.map(|target| target.cpu),
            memory: view.target.map(|target| target.memory),
        };
        self.history.push(moment, view.elapsed);
    }

    fn paint(&mut self, view: &ProgressView, bars: &MultiProgress, size: (u16, u16), colour: bool) {
        let shown = full::Shown {
            history: &self.history,
            scenarios: &self.lines,
            findings: &self.findings,
        };
        let lines = full::lines(view, &shown, size, colour);
        let screen = self.screen.get_or_insert_with(|| bars.add(styled("{msg}")));
        screen.set_message(lines.join("\n"));
    }
}

impl Drawn {
    fn all(&self) -> impl Iterator<Item = &ProgressBar> {
        std::iter::once(&self.status)
            .chain(&self.scenarios)
            .chain([&self.figures])
    }
}

/// A line of text that is cut at the terminal's edge.
fn text() -> ProgressBar {
    styled("{wide_msg}")
}

/// A bar between a prefix and columns.
fn bar() -> ProgressBar {
    styled("{prefix} [{bar:32}] {wide_msg}")
}

fn styled(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::hidden())
        .with_style(style.progress_chars("=>-"))
}

/// Standard error that gets along with the bars, if there are any: lines go above them. Each write is one whole log
/// line.
#[derive(Clone)]
pub struct LogWriter(Terminal);

impl std::fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LogWriter").finish_non_exhaustive()
    }
}

impl Write for LogWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_all(buffer).map(|()| buffer.len())
    }

    fn write_all(&mut self, buffer: &[u8]) -> io::Result<()> {
        self.0.suspend(|| self.0.sink.lock().write_all(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.sink.lock().flush()
    }
}

#[cfg(test)]
mod tests;
