//! The patterns of OpenSSH's files: `*` and `?`, comma lists, and `!` that takes a match back.

/// Whether the whole text fits the pattern: `*` is any run of characters, `?` is any one.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut in_text) = (0, 0);
    // The last star, and how much of the text it stands for: the one place to go back to, so this is never exponential.
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => match &mut star {
                None => return false,
                Some((star_at, taken)) => {
                    *taken += 1;
                    (at, in_text) = (*star_at + 1, *taken);
                }
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// Whether one of several patterns fits, and none with a `!` before it does.
pub fn one_fits<'a>(patterns: impl IntoIterator<Item = &'a str>, text: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(unwanted) if fits(unwanted, text) => return false,
            None if fits(pattern, text) => found = true,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, fit) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("192.168.?.*", "192.168.1.20", true),
            ("[h]:*", "[h]:22", true),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
        }
        let hard = "*a".repeat(30);
        assert!(!fits(&hard, &"a".repeat(29)), "and soon");
        assert!(!fits(&format!("{hard}b"), &"a".repeat(5000)), "and soon");
    }

    #[test]
    fn what_is_negated_is_out_wherever_it_stands() {
        assert!(one_fits(["*.com", "!x.com"], "y.com"));
        assert!(!one_fits(["*.com", "!x.com"], "x.com"));
        assert!(!one_fits(["!x.com", "*.com"], "x.com"));
        assert!(!one_fits(["!x.com"], "y.com"), "a negation alone lets nothing in");
    }

    /// The definition, slow and plain.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| by_definition(rest, &text[skip..])),
            Some((c, rest)) => {
                text.first().is_some_and(|first| *c == '?' || c == first) && by_definition(rest, &text[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn the_short_way_is_the_definition(pattern in "[ab*?]{0,8}", text in "[abc]{0,8}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(fits(&pattern, &text), by_definition(&p, &t));
        }
    }
}
