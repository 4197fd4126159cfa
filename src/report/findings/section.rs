//! The findings at the end of the summary: the verdict on the run itself, then a line for each.

use crate::report::format::Palette;
use crate::report::saved::SavedRun;
use crate::report::summary::title;

/// What a hint's name begins with: it has a section of its own.
pub(in crate::report) const HINT: &str = "hint-";

/// The section. Its first line says whether the rest can be believed.
pub fn findings_section(run: &SavedRun, color: bool) -> String {
    let palette = Palette(color);
    let mut text = title("FINDINGS", "", palette);
    if let Some(validity) = &run.validity {
        let word = validity.word();
        let word = if validity.is_valid() {
            palette.good(&word)
        } else {
            palette.bad(&word)
        };
        text += &format!("    {word}: {}\n", validity.why());
    }
    for finding in run
        .findings
        .iter()
        .filter(|finding| !finding.name.starts_with(HINT))
    {
        let sure = match finding.confidence.as_deref() {
            None | Some("high") => String::new(),
            Some(sure) => palette.faint(&format!(" (confidence: {sure})")),
        };
        text += &format!("    {}{sure}\n", finding.text);
    }
    text
}
