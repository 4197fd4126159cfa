//! Questions to the person at the terminal, and secrets.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

/// A password or passphrase. It is never shown, also not by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// For the one who has to know it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What became of a question.
#[derive(Debug)]
pub enum Answer {
    /// An answer, which may be empty.
    Given(Secret),
    /// There is nobody to ask.
    Nobody,
    /// Ctrl-C, or the terminal is gone.
    Cancelled,
}

/// Asks on the terminal, without showing what is typed unless `echo`. Asks nobody where standard input is no terminal:
/// a run in a script or a pipeline fails at once rather than wait.
pub fn ask(question: &str, echo: bool) -> Answer {
    if !io::stdin().is_terminal() {
        return Answer::Nobody;
    }
    let Ok(terminal) = File::options().read(true).write(true).open("/dev/tty") else {
        return Answer::Nobody;
    };
    let Ok(mode) = Mode::by_key(&terminal) else {
        return Answer::Nobody;
    };
    let answer = line(&terminal, question, echo);
    drop(mode);
    match answer {
        Ok(Some(text)) => Answer::Given(Secret(text)),
        Ok(None) | Err(_) => Answer::Cancelled,
    }
}

/// The terminal gives each key at once and shows none; put back as it was on drop.
struct Mode<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Mode<'_> {
    fn by_key(terminal: &File) -> nix::Result<Mode<'_>> {
        let before = tcgetattr(terminal)?;
        let mut now = before.clone();
        // Signals too are keys, so that Ctrl-C does not leave a terminal that shows nothing.
        now.local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        now.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        now.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(terminal, SetArg::TCSAFLUSH, &now)?;
        Ok(Mode { terminal, before })
    }
}

impl Drop for Mode<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

/// One line as it is typed; `None` when cancelled.
fn line(terminal: impl Read + Write, question: &str, echo: bool) -> io::Result<Option<String>> {
    let mut terminal = terminal;
    terminal.write_all(question.as_bytes())?;
    terminal.flush()?;
    let mut typed = Vec::new();
    let mut key = [0];
    loop {
        let end = match terminal.read(&mut key) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match key[0] {
            _ if end => return Ok(None),
            b'\r' | b'\n' => break,
            // Ctrl-C, and Ctrl-D on an empty line.
            3 => return cancelled(terminal),
            4 if typed.is_empty() => return cancelled(terminal),
            // Backspace takes a character, Ctrl-U all.
            8 | 127 => while typed.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {},
            21 => typed.clear(),
            byte => {
                typed.push(byte);
                if echo {
                    terminal.write_all(&key)?;
                }
            }
        }
    }
    terminal.write_all(b"\n")?;
    Ok(Some(String::from_utf8_lossy(&typed).into_owned()))
}

fn cancelled(mut terminal: impl Write) -> io::Result<Option<String>> {
    terminal.write_all(b"\n")?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal that types this, and keeps what it is told.
    struct Typed<'a>(&'a [u8], Vec<u8>);

    impl Read for &mut Typed<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for &mut Typed<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_edited_and_not_shown() {
        for (typed, answer) in [
            (&b"secret\r"[..], Some("secret")),
            (b"\n", Some("")),
            (b"sex\x7fcret\n", Some("secret")),
            (b"wrong\x15right\n", Some("right")),
            ("a\u{e9}\x7fb\n".as_bytes(), Some("ab")),
            (b"half\x03", None),
            (b"\x04", None),
            (b"half", None),
        ] {
            let mut terminal = Typed(typed, Vec::new());
            assert_eq!(
                line(&mut terminal, "Password: ", false).expect("line").as_deref(),
                answer
            );
            let shown = String::from_utf8(terminal.1).expect("text");
            assert!(shown.trim_end() == "Password:", "{shown}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        assert!(!format!("{:?}", Secret::new("hunter2".into())).contains("hunter2"));
    }
}
