//! Pictures of runs that are made up: how large they are, what is written, and that odd names are no harm.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use super::*;
use crate::report::saved::SavedFinding;
use crate::report::saved::fixture::{saved_run, spread};

/// Width and height, as the file says them.
fn size(file: &[u8]) -> (u32, u32) {
    assert!(file.starts_with(b"\x89PNG\r\n\x1a\n"), "{:?}", &file[..8]);
    let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn every_run_has_a_picture_and_more_to_say_makes_it_higher() {
    let part = (serde_json::json!({}), spread(10, 5.0), 0);
    let mut run = saved_run("a", 10.0, &[part]);
    let (width, least) = size(&picture(&run).unwrap());
    assert_eq!(width, 1280);
    run.findings = (0..20)
        .map(|at| SavedFinding {
            text: format!("finding {at} of many words {}", "on and on ".repeat(30)),
            ..SavedFinding::default()
        })
        .collect();
    // Letters that the font has not, what would move a cursor, and a word that is wider than the picture.
    run.run.name = format!("\u{1b}[2J\n名前 \u{10ffff} {}", "x".repeat(500));
    let (width, more) = size(&picture(&run).unwrap());
    assert_eq!(width, 1280);
    // Eight of them in several lines each, and one that counts the rest.
    assert!(more > least + 8 * 2 * 25, "{least} {more}");
}

#[test]
fn lines_are_as_wide_as_the_picture_and_lose_no_word() {
    let letters = Letters::new().unwrap();
    let text = "what follows from the numbers of a run ".repeat(20);
    let lines = wrapped(&text, 17, &letters);
    assert!(lines.len() > 3);
    assert_eq!(lines.join(" "), text.trim());
    let most = f64::from(WIDTH - 2 * SIDE);
    assert!(lines.iter().all(|line| letters.width(line, 17.0) <= most));
    assert!(letters.width("mm", 17.0) > letters.width("ii", 17.0));
    assert_eq!(wrapped(" \n ", 17, &letters), Vec::<String>::new());
}

#[test]
fn colours_are_those_of_the_light_page() {
    let (light, _) = include_str!("../html/page.css").split_once("@media").unwrap();
    let hex = |RGBColor(r, g, b): RGBColor| format!("#{r:02x}{g:02x}{b:02x}");
    for (at, line) in INK.lines.into_iter().enumerate() {
        assert!(light.contains(&format!("--s{}: {}", at + 1, hex(line))), "{at}");
    }
    for (name, colour) in [
        ("text", PLAIN),
        ("quiet", INK.text),
        ("line", INK.grid),
        ("good", GOOD),
        ("bad", BAD),
    ] {
        assert!(light.contains(&format!("--{name}: {}", hex(colour))), "{name}");
    }
}
