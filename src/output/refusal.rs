//! What a receiver says when it does not take what it is sent, in a line that fits into a message.

use crate::net::status_text;

/// How much of it is shown, in characters.
const SHOWN: usize = 200;

/// Its first line, if that is short, or else the beginning of it.
pub(super) fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(SHOWN).collect()
}

/// The status of its answer, and what stands in the body.
pub(super) fn refusal(status: u16, body: &[u8]) -> String {
    format!(
        "{} {}",
        status_text(status),
        shortened(&String::from_utf8_lossy(body))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_that_fits() {
        assert_eq!(
            refusal(400, b"out of order\nand more"),
            "400 Bad Request out of order"
        );
        assert_eq!(shortened(&"\u{e9}".repeat(300)).chars().count(), 200);
        assert_eq!(refusal(500, b"\xff"), "500 Internal Server Error \u{fffd}");
    }
}
