//! Comments that silence a finding: `// loadgen-lint-ignore rule` at the end of its line, or on the line before it.

use super::place;
use super::project::Source;

const MARK: &str = "loadgen-lint-ignore";

/// One such comment.
pub struct Ignore {
    /// Offset of the comment in the text.
    pub at: u32,
    /// The line that it is about, from 1.
    pub line: u32,
    /// Which rules; none means all.
    pub rules: Vec<String>,
}

/// Those of a module.
pub fn ignores(source: &Source<'_>) -> Vec<Ignore> {
    let comments = source.program.comments.iter().filter_map(|comment| {
        let content = comment.content_span();
        let text = source.text.get(content.start as usize..content.end as usize)?;
        let rest = text.trim_start_matches(['*', ' ', '\t']).strip_prefix(MARK)?;
        // What follows `--` says why.
        let names = rest.split("--").next().unwrap_or_default();
        let own_line = source.text[..comment.span.start as usize]
            .rsplit('\n')
            .next()
            .is_some_and(|before| before.trim().is_empty());
        let line = place(source.text, comment.span.end).0 + u32::from(own_line);
        Some(Ignore {
            at: comment.span.start,
            line,
            rules: names
                .split([',', ' ', '\t', '\n', '*'])
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    });
    comments.collect()
}

impl Ignore {
    /// Whether it is about this rule on this line.
    pub fn silences(&self, rule: &str, line: u32) -> bool {
        self.line == line && (self.rules.is_empty() || self.rules.iter().any(|known| known == rule))
    }
}
