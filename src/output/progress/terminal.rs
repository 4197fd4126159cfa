//! Drawing progress: bars that stay in place on a terminal, lines elsewhere, and messages that do not tear the bars.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Header, ProgressView};

/// How often plain lines are written; the first ones after a second.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
const PLAIN_FIRST: Duration = Duration::from_secs(1);

/// Redraws per second.
const REFRESH: u8 = 10;

/// A bar's steps.
const STEPS: u64 = 1000;

/// What progress looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Quiet,
    Plain,
    Bars,
}

impl Style {
    /// Bars where standard output is a terminal, plain lines elsewhere.
    pub fn detect(quiet: bool) -> Self {
        match (quiet, io::stdout().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Bars,
            (false, false) => Self::Plain,
        }
    }
}

/// The bars on the terminal now, which messages must not tear. There is one terminal.
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

fn bars() -> std::sync::MutexGuard<'static, Option<MultiProgress>> {
    BARS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows how a run is going. A stream that cannot be written to is no reason to stop a test, so errors are dropped.
pub struct Progress(Sink);

enum Sink {
    Quiet,
    Plain {
        out: Box<dyn Write + Send>,
        next: Duration,
    },
    Bars(Bars),
}

struct Bars {
    multi: MultiProgress,
    headline: ProgressBar,
    pulse: ProgressBar,
    scenarios: Vec<ProgressBar>,
}

impl Progress {
    /// Progress on standard output.
    pub fn new(style: Style) -> Self {
        match style {
            Style::Quiet => Self(Sink::Quiet),
            Style::Plain => Self::plain(Box::new(io::stdout())),
            Style::Bars => Self::bars(ProgressDrawTarget::stdout_with_hz(REFRESH)),
        }
    }

    /// Plain lines to any stream.
    pub fn plain(out: Box<dyn Write + Send>) -> Self {
        Self(Sink::Plain {
            out,
            next: PLAIN_FIRST,
        })
    }

    fn bars(target: ProgressDrawTarget) -> Self {
        let multi = MultiProgress::with_draw_target(target);
        let (headline, pulse) = (line(&multi), line(&multi));
        *bars() = Some(multi.clone());
        Self(Sink::Bars(Bars {
            multi,
            headline,
            pulse,
            scenarios: Vec::new(),
        }))
    }

    /// Shows what is about to run.
    pub fn header(&mut self, header: &Header) {
        match &mut self.0 {
            Sink::Quiet => {}
            Sink::Plain { out, .. } => {
                let _ = writeln!(out, "{header}").and_then(|()| out.flush());
            }
            Sink::Bars(Bars { multi, .. }) => {
                let _ = multi.println(header.to_string());
            }
        }
    }

    /// Shows how it is going; to be called several times a second.
    pub fn show(&mut self, view: &ProgressView) {
        match &mut self.0 {
            Sink::Quiet => {}
            Sink::Plain { out, next } => {
                if view.elapsed >= *next {
                    // The next multiple, however long the caller was away.
                    let past = view.elapsed.as_secs() / PLAIN_EVERY.as_secs() + 1;
                    *next = Duration::from_secs(past * PLAIN_EVERY.as_secs());
                    let _ = writeln!(out, "{view}").and_then(|()| out.flush());
                }
            }
            Sink::Bars(drawn) => drawn.draw(view),
        }
    }

    /// Shows how it ended, and leaves that standing.
    pub fn finish(self, view: &ProgressView) {
        let text = view.to_string();
        match self.0 {
            Sink::Quiet => {}
            Sink::Plain { mut out, .. } => {
                let _ = writeln!(out, "{text}").and_then(|()| out.flush());
            }
            Sink::Bars(ref drawn) => {
                let _ = drawn.multi.clear();
                let _ = drawn.multi.println(text);
            }
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let _ = self.multi.clear();
        *bars() = None;
    }
}

impl Bars {
    fn draw(&mut self, view: &ProgressView) {
        while self.scenarios.len() < view.scenarios.len() {
            let bar = self.multi.add(ProgressBar::new(STEPS));
            bar.set_style(style("{prefix} [{bar:38}] {wide_msg}").progress_chars("=>-"));
            self.scenarios.push(bar);
        }
        self.headline.set_message(view.headline());
        self.pulse.set_message(view.pulse_line().unwrap_or_default());
        let width = view.name_width();
        for (bar, scenario) in self.scenarios.iter().zip(&view.scenarios) {
            bar.set_prefix(scenario.label(width));
            bar.set_message(scenario.figures());
            bar.set_position((scenario.fraction() * STEPS as f64) as u64);
        }
    }
}

/// A line of text that is redrawn in place.
fn line(multi: &MultiProgress) -> ProgressBar {
    let bar = multi.add(ProgressBar::new(1));
    bar.set_style(style("{wide_msg}"));
    bar
}

/// The templates are constants; one that did not parse would fall back to indicatif's own.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Standard error for messages, above the bars if there are any.
#[derive(Debug, Clone, Copy)]
pub struct Messages;

/// Where messages go; fits `tracing_subscriber`'s `with_writer`.
pub fn messages() -> Messages {
    Messages
}

impl Write for Messages {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let multi = bars().clone();
        let write = || io::stderr().write_all(text).map(|()| text.len());
        match multi {
            Some(multi) => multi.suspend(write),
            None => write(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::view;
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn plain_lines_come_after_a_second_then_every_five() {
        let page = Page::default();
        let mut progress = Progress::plain(Box::new(page.clone()));
        for tenth in 0..=120_u64 {
            progress.show(&view(Duration::from_millis(tenth * 100)));
        }
        progress.finish(&view(Duration::from_secs(12)));
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let times: Vec<&str> = text
            .lines()
            .filter_map(|l| l.strip_prefix("running (")?.split(')').next())
            .collect();
        assert_eq!(times, ["01.0s", "05.0s", "10.0s", "12.0s"]);
    }

    #[test]
    fn bars_draw_and_messages_pass_while_they_do() {
        let mut progress = Progress::bars(ProgressDrawTarget::hidden());
        progress.show(&view(Duration::from_secs(1)));
        messages().write_all(b"").unwrap();
        progress.finish(&view(Duration::from_secs(2)));
        assert!(bars().is_none());
    }
}
