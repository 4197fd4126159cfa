//! What went wrong in a script, shown as a person wants to read it: the message, the place, the line.

use std::fmt;

use rquickjs::{Ctx, Error, Exception, Value, function::Constructor};

/// Finds where a place in what the engine runs (module, line, column) was written: line, column, and the line's text,
/// if it has such a line.
pub type Origin<'a> = &'a dyn Fn(&str, u32, u32) -> Option<(u32, u32, Option<String>)>;

/// A place in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The module as the engine knows it, `file:///…` or a built-in name.
    pub module: String,
    /// 1-based.
    pub line: u32,
    /// 1-based.
    pub column: u32,
    /// The text of that line, where the source is at hand.
    pub source: Option<String>,
}

/// An error of the script under test, or of loading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// `TypeError: x is not a function`, or what was thrown, as text.
    pub message: String,
    /// Where it was thrown, if known.
    pub location: Option<Location>,
    /// The call frames, innermost first, one a line, as `at name (file:line:column)`.
    pub stack: String,
    /// Whether the script was ended from outside and this is no error of its own.
    pub interrupted: bool,
    /// Whether the script asked for the end of the test, for which the message is the reason.
    pub aborted: bool,
}

impl std::error::Error for ScriptError {}

impl ScriptError {
    /// An error without a place in the script.
    pub fn new(message: impl Into<String>) -> ScriptError {
        ScriptError {
            message: message.into(),
            location: None,
            stack: String::new(),
            interrupted: false,
            aborted: false,
        }
    }

    /// The script has called `test.abort()`.
    pub fn abort(reason: String) -> ScriptError {
        ScriptError {
            aborted: true,
            ..ScriptError::new(reason)
        }
    }

    /// What it is and where, in one line.
    pub fn in_one_line(&self) -> String {
        let message = self.message.lines().next().unwrap_or_default();
        match &self.location {
            Some(at) => format!("{message} ({}:{})", display_name(&at.module), at.line),
            None => message.to_owned(),
        }
    }

    /// Takes the pending exception out of `ctx` and describes it. `origin` finds where it was written.
    pub fn catch(ctx: &Ctx<'_>, error: &Error, origin: Origin<'_>) -> ScriptError {
        if !error.is_exception() {
            return ScriptError::new(error.to_string());
        }
        ScriptError::describe(&ctx.catch(), origin)
    }

    /// Describes a thrown value.
    pub fn describe(thrown: &Value<'_>, origin: Origin<'_>) -> ScriptError {
        let Some(exception) = thrown.as_exception() else {
            return ScriptError::new(plain(thrown));
        };
        let text = exception.message().unwrap_or_default();
        let name = exception
            .as_object()
            .get::<_, Option<String>>("name")
            .ok()
            .flatten()
            .unwrap_or_default();
        let message = match (name.as_str(), text.as_str()) {
            ("InternalError", "out of memory") => {
                "out of memory: the virtual user holds all that --max-vu-memory allows".to_owned()
            }
            ("", text) => text.to_owned(),
            (name, "") => name.to_owned(),
            (name, text) => format!("{name}: {text}"),
        };
        let stack = exception.stack().unwrap_or_default();
        let location = stack.lines().find_map(|frame| locate(frame, origin));
        let stack = stack
            .lines()
            .map(|frame| rewritten(frame.trim(), origin))
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>();
        ScriptError {
            message,
            location,
            stack: stack.join("\n"),
            interrupted: false,
            aborted: false,
        }
    }
}

/// Throws a `ReferenceError`. The engine's own way to do so cuts its text off after 255 bytes.
pub fn reference(ctx: &Ctx<'_>, message: &str) -> Error {
    let class = ctx.globals().get::<_, Constructor>("ReferenceError");
    match class.and_then(|class| class.construct::<_, Value>((message,))) {
        Ok(error) => ctx.throw(error),
        // A script may have taken the class away.
        Err(_) => Exception::throw_reference(ctx, message),
    }
}

/// A thrown value that is no `Error`: strings as they are, objects as JSON.
fn plain(thrown: &Value<'_>) -> String {
    if let Some(text) = thrown.as_string().and_then(|text| text.to_string().ok()) {
        return text;
    }
    let json = thrown.ctx().json_stringify(thrown.clone()).ok().flatten();
    json.and_then(|json| json.to_string().ok())
        .unwrap_or_else(|| thrown.type_name().to_owned())
}

/// The place in one frame of an engine stack: `    at name (module:line:column)` or `    at module:line:column`.
fn locate(frame: &str, origin: Origin<'_>) -> Option<Location> {
    let frame = frame.trim().strip_prefix("at ")?;
    let place = match frame.rfind('(') {
        Some(open) => frame[open + 1..].strip_suffix(')')?,
        None => frame,
    };
    let (rest, column) = place.rsplit_once(':')?;
    let (module, line) = rest.rsplit_once(':')?;
    let (line, column) = (line.parse::<u32>().ok()?, column.parse().ok()?);
    let (line, column, source) = origin(module, line, column)?;
    Some(Location {
        module: module.to_owned(),
        line,
        column,
        source,
    })
}

/// A frame with the place where it was written, which is another one in a language that is translated.
fn rewritten(frame: &str, origin: Origin<'_>) -> String {
    let Some(place) = locate(frame, origin) else {
        return frame.to_owned();
    };
    let start = frame.find(&place.module).unwrap_or_default();
    let end = if frame.ends_with(')') { ")" } else { "" };
    format!(
        "{}{}:{}:{}{end}",
        &frame[..start],
        place.module,
        place.line,
        place.column
    )
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let Some(at) = &self.location else {
            return if self.stack.is_empty() {
                Ok(())
            } else {
                write!(f, "\n{}", indent(&self.stack))
            };
        };
        write!(f, "\n  at {}:{}:{}", display_name(&at.module), at.line, at.column)?;
        if let Some(source) = &at.source {
            let gutter = at.line.to_string();
            let caret = " ".repeat(caret_offset(source, at.column));
            let source: String = source.chars().take(200).collect();
            write!(
                f,
                "\n   {gutter} | {source}\n   {} | {caret}^",
                " ".repeat(gutter.len())
            )?;
        }
        let callers: Vec<&str> = self.stack.lines().skip(1).collect();
        if callers.is_empty() {
            Ok(())
        } else {
            write!(f, "\n{}", indent(&callers.join("\n")))
        }
    }
}

fn caret_offset(source: &str, column: u32) -> usize {
    source
        .chars()
        .take(200)
        .count()
        .min(column.saturating_sub(1) as usize)
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {}", line.replace("file://", "")))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A module's name as a person would type it: a path, without the scheme.
pub fn display_name(module: &str) -> &str {
    module.strip_prefix("file://").unwrap_or(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_gives_its_place_with_the_source_line() {
        let source = |name: &str, line: u32, column: u32| {
            let text = ["one", "two three"].get(line as usize - 1);
            (name == "file:///a.js").then(|| (line, column, text.map(|text| (*text).to_owned())))
        };
        let place = locate("    at f (file:///a.js:2:5)", &source).unwrap();
        assert_eq!(
            (place.line, place.column, place.source.as_deref()),
            (2, 5, Some("two three"))
        );
        assert_eq!(
            locate("    at file:///a.js:1:1", &source)
                .unwrap()
                .source
                .as_deref(),
            Some("one")
        );
        let past_the_end = locate("    at file:///a.js:3:1", &source).unwrap();
        assert_eq!((past_the_end.line, past_the_end.source), (3, None));
        for odd in [
            "at native",
            "at f (native)",
            "",
            "at (x)",
            "at f (file:///a.js:x:1)",
            "at f (other:1:1)",
        ] {
            assert_eq!(locate(odd, &source), None, "{odd}");
        }
    }

    #[test]
    fn the_message_shows_file_line_source_and_caret() {
        let error = ScriptError {
            message: "TypeError: not a function".into(),
            location: Some(Location {
                module: "file:///a.js".into(),
                line: 12,
                column: 3,
                source: Some("  go();".into()),
            }),
            stack: "at f (file:///a.js:12:3)\nat g (file:///b.js:1:1)".into(),
            interrupted: false,
            aborted: false,
        };
        assert_eq!(
            error.to_string(),
            "TypeError: not a function\n  at /a.js:12:3\n   12 |   go();\n      |   ^\n    at g (/b.js:1:1)"
        );
        assert_eq!(error.in_one_line(), "TypeError: not a function (/a.js:12)");
        assert_eq!(ScriptError::new("one\ntwo").in_one_line(), "one");
    }
}
