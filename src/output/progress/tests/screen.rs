//! The bars on a terminal that remembers what was drawn on it: redrawn in place, never torn, never wiping what is not theirs.

use super::*;

/// A terminal that wraps after so many columns: what is on it, line by line.
#[derive(Clone, Debug, Default)]
struct Screen(Arc<Mutex<(Vec<String>, usize)>>);

const COLUMNS: usize = 90;

impl Screen {
    fn lines(&self) -> Vec<String> {
        let screen = self.0.lock().unwrap();
        let lines = screen.0.iter().map(|line| line.trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }

    fn at_cursor(&self, change: impl FnOnce(&mut String)) {
        let mut screen = self.0.lock().unwrap();
        let row = screen.1;
        if screen.0.len() <= row {
            screen.0.resize(row + 1, String::new());
        }
        change(&mut screen.0[row]);
    }

    /// A full line wraps when something follows it.
    fn put(&self, text: &str) {
        for letter in text.chars() {
            let mut full = false;
            self.at_cursor(|line| full = line.chars().count() == COLUMNS);
            if full {
                self.down(1);
            }
            self.at_cursor(|line| line.push(letter));
        }
    }

    fn down(&self, rows: usize) {
        self.0.lock().unwrap().1 += rows;
    }
}

impl indicatif::TermLike for Screen {
    fn width(&self) -> u16 {
        COLUMNS as u16
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.lock().unwrap().1 -= n;
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.down(n);
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.put(text);
        self.down(1);
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.put(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.at_cursor(String::clear);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn bars_are_redrawn_in_place_and_left_standing() {
    let (memory, screen) = (Memory::default(), Screen::default());
    let target = || ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
    let progress = memory.display(Mode::Bars, target());
    let settle = || std::thread::sleep(ms(20));
    progress.init(1, 2);
    assert_eq!(
        screen.lines(),
        ["Init      [================>---------------] 1/2 VUs initialized"]
    );
    progress.init(2, 2);
    settle();
    progress.update(&view(1_000, 2, 8, false));
    settle();
    progress.update(&view(1_500, 2, 12, false));
    writeln!(progress.writer(), "WARN[0001] something").unwrap();
    assert_eq!(memory.text(), "WARN[0001] something\n");
    assert_eq!(
        screen.lines(),
        [
            "running (01.5s), 2/2 VUs, 12 complete and 0 interrupted iterations",
            "default   [========================>-------] 2 VUs  1.5s/2s",
            "  12.0 req/s  p95 2.93 ms  errors 0.00%",
        ]
    );
    progress.finish(&view(2_100, 0, 18, true));
    assert_eq!(
        screen.lines(),
        [
            "running (02.1s), 0/2 VUs, 18 complete and 0 interrupted iterations",
            "default ✓ [================================] 2 VUs  2s",
            "  18.0 req/s  p95 2.93 ms  errors 0.00%",
        ]
    );
}

/// Findings come and go, so its height changes: nothing of what was drawn before may stay.
#[test]
fn the_full_view_is_redrawn_in_place_and_left_standing() {
    let (memory, screen) = (Memory::default(), Screen::default());
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
    let progress = memory.display(Mode::Full { colour: false }, target);
    assert!(progress.wants_findings());
    let settle = || std::thread::sleep(ms(20));
    let has = |text: &str| screen.lines().iter().filter(|line| line.contains(text)).count();
    progress.update(&view(1_000, 2, 8, false));
    settle();
    let before = screen.lines().len();
    progress.findings(vec!["latency bends at 1 VU".to_owned(), "another".to_owned()]);
    progress.update(&view(1_500, 2, 12, false));
    assert_eq!(has("! latency bends at 1 VU"), 1);
    assert_eq!((has("running ("), screen.lines().len()), (1, before + 2));
    settle();
    progress.findings(Vec::new());
    writeln!(progress.writer(), "WARN[0001] something").unwrap();
    progress.update(&view(2_000, 2, 14, false));
    progress.finish(&view(2_100, 0, 18, true));
    assert_eq!(memory.text(), "WARN[0001] something\n");
    assert_eq!(
        (has("running (02.1s)"), has("running ("), has("latency bends")),
        (1, 1, 0)
    );
    assert_eq!(screen.lines().len(), before, "{:?}", screen.lines());
    assert!(
        has("requests/s") == 1 && has("p95 latency") == 1,
        "{:?}",
        screen.lines()
    );
}

/// Log lines come from every worker's thread while the conductor draws: neither may wait for the other for ever.
#[test]
fn log_lines_and_bars_do_not_lock_each_other_out() {
    let (memory, screen) = (Memory::default(), Screen::default());
    let progress = memory.display(
        Mode::Bars,
        ProgressDrawTarget::term_like_with_hz(Box::new(screen), 255),
    );
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..200).for_each(|i| writeln!(progress.writer(), "{i}").unwrap()));
        }
        for i in 0..200 {
            progress.update(&view(i * 10, 2, i, false));
        }
    });
    assert_eq!(memory.text().lines().count(), 400);
}

impl Write for Screen {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        for (i, line) in String::from_utf8_lossy(buffer).split('\n').enumerate() {
            if i > 0 {
                self.down(1);
            }
            self.put(line);
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The summary and a log line follow the last bars: neither may take away what stands above it.
#[test]
fn what_is_written_after_the_end_wipes_nothing() {
    let mut screen = Screen::default();
    let progress = Progress::on(
        Mode::Bars,
        Terminal::new(Sink(Arc::new(Mutex::new(screen.clone())))),
        ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255),
        || (90, 40),
    );
    let mut log = progress.writer();
    writeln!(log, "INFO[0000] early").unwrap();
    progress.update(&view(1_000, 2, 8, false));
    writeln!(log, "WARN[0001] meanwhile").unwrap();
    progress.finish(&view(2_100, 0, 18, true));
    screen
        .write_all(b"\nsummary 1\nsummary 2\nsummary 3\nsummary 4\n")
        .unwrap();
    writeln!(log, "WARN[0002] late").unwrap();
    assert_eq!(
        screen.lines(),
        [
            "INFO[0000] early",
            "WARN[0001] meanwhile",
            "running (02.1s), 0/2 VUs, 18 complete and 0 interrupted iterations",
            "default ✓ [================================] 2 VUs  2s",
            "  18.0 req/s  p95 2.93 ms  errors 0.00%",
            "summary 1",
            "summary 2",
            "summary 3",
            "summary 4",
            "WARN[0002] late",
        ]
    );
}
