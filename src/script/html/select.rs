//! Selectors as the dialect's pages know them: CSS, and what jQuery added to it (`:contains('text')`, `:checked`, `[a!='b']`).

use scraper::ElementRef;

/// A CSS selector that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no CSS selector that is understood here")]
pub struct BadSelector(pub String);

/// What an element must be to be selected.
#[derive(Debug, Default)]
pub struct Selector {
    /// The parts between commas; one of them must match.
    alternatives: Vec<Alternative>,
}

#[derive(Debug)]
struct Alternative {
    css: scraper::Selector,
    needles: Vec<Needle>,
}

/// A text that an element must have, in lower case.
#[derive(Debug, PartialEq, Eq)]
struct Needle {
    text: String,
    /// Directly, not in an element below.
    own: bool,
}

/// What jQuery says shorter than CSS.
const SHORT: [(&str, &str); 4] = [
    (
        "checked",
        ":is(input[type=checkbox][checked],input[type=radio][checked],option[selected])",
    ),
    (
        "disabled",
        ":is(optgroup,option,button,input,select,textarea,fieldset)[disabled]",
    ),
    (
        "enabled",
        ":is(a[href],area[href],link[href],:is(optgroup,option,button,input,select,textarea,fieldset):not([disabled]))",
    ),
    ("input", ":is(input,select,textarea,button)"),
];

/// Reads a selector.
///
/// # Errors
/// It is none.
pub fn selector(text: &str) -> Result<Selector, BadSelector> {
    let bad = || BadSelector(text.to_owned());
    let parts = split(text).ok_or_else(bad)?;
    let alternatives = parts.into_iter().map(|part| {
        let (css, needles) = rewritten(part)?;
        let css = scraper::Selector::parse(&css).ok()?;
        Some(Alternative { css, needles })
    });
    let alternatives: Option<Vec<Alternative>> = alternatives.collect();
    Ok(Selector {
        alternatives: alternatives.ok_or_else(bad)?,
    })
}

impl Selector {
    /// Whether the element is selected.
    pub fn matches(&self, element: &ElementRef<'_>) -> bool {
        self.alternatives.iter().any(|alternative| {
            alternative.css.matches(element) && alternative.needles.iter().all(|needle| needle.is_in(element))
        })
    }
}

impl Needle {
    fn is_in(&self, element: &ElementRef<'_>) -> bool {
        let text: String = if self.own {
            let nodes = element.children();
            nodes
                .filter_map(|node| node.value().as_text().map(|text| text.to_string()))
                .collect()
        } else {
            element.text().collect()
        };
        text.to_lowercase().contains(&self.text)
    }
}

/// Where a text is outside of strings, brackets and parentheses: calls `at` with each such place.
fn outside(text: &str, mut at: impl FnMut(usize, char)) -> Option<()> {
    let (mut quote, mut depth, mut escaped) = (None, 0_usize, false);
    for (place, c) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (_, '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => {
                if depth == 0 {
                    at(place, c);
                }
                depth += 1;
            }
            (None, ')' | ']') => depth = depth.checked_sub(1)?,
            (None, _) if depth == 0 => at(place, c),
            _ => {}
        }
    }
    (quote.is_none() && depth == 0).then_some(())
}

/// The parts between commas.
fn split(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut from) = (Vec::new(), 0);
    outside(text, |place, c| {
        if c == ',' {
            parts.push(&text[from..place]);
            from = place + 1;
        }
    })?;
    parts.push(&text[from..]);
    Some(parts)
}

/// One part as CSS, and what text its last element must have.
fn rewritten(part: &str) -> Option<(String, Vec<Needle>)> {
    let part = part.trim();
    let mut places = Vec::new();
    outside(part, |place, c| {
        if matches!(c, ':' | '[' | ' ' | '\t' | '\n' | '>' | '+' | '~') {
            places.push((place, c));
        }
    })?;
    let last_compound = places
        .iter()
        .rev()
        .find(|(_, c)| !matches!(c, ':' | '['))
        .map_or(0, |(place, _)| *place);
    let (mut css, mut needles, mut copied) = (String::new(), Vec::new(), 0);
    for (place, c) in places {
        if place < copied {
            continue;
        }
        let rest = &part[place..];
        let replacement = match c {
            ':' => pseudo(rest, place >= last_compound, &mut needles)?,
            '[' => unequal(rest),
            _ => None,
        };
        if let Some((length, text)) = replacement {
            css.push_str(&part[copied..place]);
            if text.is_empty() && (css.is_empty() || css.ends_with([' ', '\t', '\n', '>', '+', '~'])) {
                css.push('*');
            }
            css.push_str(&text);
            copied = place + length;
        }
    }
    css.push_str(&part[copied..]);
    Some((css, needles))
}

/// What stands for a pseudo-class that CSS does not have, and how long it was; the outer `None` if it cannot be had here.
#[allow(clippy::option_option)] // Not understood and nothing to replace are different things.
fn pseudo(rest: &str, last: bool, needles: &mut Vec<Needle>) -> Option<Option<(usize, String)>> {
    let name: String = rest[1..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    let end = 1 + name.len();
    if let Some((_, css)) = SHORT.iter().find(|(short, _)| name.eq_ignore_ascii_case(short)) {
        return Some(Some((end, (*css).to_owned())));
    }
    let own = name.eq_ignore_ascii_case("containsOwn");
    if !own && !name.eq_ignore_ascii_case("contains") {
        return Some(None);
    }
    let argument = argument(&rest[end..])?;
    if !last {
        return None;
    }
    let text = argument.trim();
    let text = ['\'', '"']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text);
    needles.push(Needle {
        text: text.replace('\\', "").to_lowercase(),
        own,
    });
    Some(Some((end + argument.len() + 2, String::new())))
}

/// What is between the parentheses that the text begins with.
fn argument(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('(')?;
    let (mut quote, mut escaped) = (None, false);
    for (place, c) in inner.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ')') => return Some(&inner[..place]),
            _ => {}
        }
    }
    None
}

/// `[a!='b']` is `:not([a='b'])`.
fn unequal(rest: &str) -> Option<(usize, String)> {
    let sign = rest.find("!=")?;
    let name = &rest[1..sign];
    let named = !name.trim().is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_: ".contains(c));
    let close = rest[sign..].find(']')? + sign;
    named.then(|| (close + 1, format!(":not([{name}={}])", &rest[sign + 2..close])))
}
