//! The grammar of thresholds: `http_req_duration{name:login}` (which samples) and `p(95) < 500` (what must hold).
//!
//! Pure text to values. What a threshold is judged against lives in the store; which metrics exist and how options
//! spell thresholds lives in `config`. The grammar is k6's (`metrics/thresholds_parser.go`, `metrics/registry.go`),
//! with two additions that reject nothing k6 accepts: spaces anywhere between tokens, and quoted tag values that may
//! contain commas.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::Kind;

/// Which samples a threshold looks at: a metric, and the tags a sample must carry (all of them).
///
/// `Display` gives the canonical form: no spaces around separators, tags in the order given, values quoted only where
/// they must be. It parses back to the same filter, save for a value that needs quoting and holds both kinds of quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter {
    pub metric: String,
    pub tags: Vec<(String, String)>,
}

impl Filter {
    /// The whole metric, every tag set of it.
    pub fn whole(metric: impl Into<String>) -> Self {
        Self {
            metric: metric.into(),
            tags: Vec::new(),
        }
    }
}

/// Why a threshold's key is not `metric` or `metric{tag:value,...}`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilterError {
    #[error("`{key}`: a threshold key starts with a metric's name, as in `http_req_duration{{name:login}}`")]
    NoMetric { key: String },
    #[error("`{key}`: `{{` and `}}` do not pair up; write `metric{{tag:value}}`")]
    Unbalanced { key: String },
    #[error("`{key}`: expected nothing after the closing `}}`, found `{rest}`")]
    Trailing { key: String, rest: String },
    #[error("`{key}`: the braces are empty; name a tag as in `{{name:login}}`, or leave the braces out")]
    Empty { key: String },
    #[error("`{key}`: expected `tag:value` but found `{part}`")]
    NotATag { key: String, part: String },
    #[error("`{key}`: tag `{tag}` is asked to be both `{first}` and `{second}`, which no sample can be")]
    Contradiction {
        key: String,
        tag: String,
        first: String,
        second: String,
    },
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let trimmed = text.trim();
        let key = || text.to_owned();
        let Some((metric, rest)) = trimmed.split_once('{') else {
            return match trimmed {
                "" => Err(FilterError::NoMetric { key: key() }),
                _ if trimmed.contains('}') => Err(FilterError::Unbalanced { key: key() }),
                _ => Ok(Self::whole(trimmed)),
            };
        };
        let metric = metric.trim();
        if metric.contains('}') {
            return Err(FilterError::Unbalanced { key: key() });
        }
        if metric.is_empty() {
            return Err(FilterError::NoMetric { key: key() });
        }
        // The last brace closes, so that a value may hold braces (`{url:http://x/{id}}`), as in k6.
        let Some((inside, after)) = rest.rsplit_once('}') else {
            return Err(FilterError::Unbalanced { key: key() });
        };
        if !after.is_empty() {
            return Err(FilterError::Trailing {
                key: key(),
                rest: after.trim().to_owned(),
            });
        }
        if inside.trim().is_empty() {
            return Err(FilterError::Empty { key: key() });
        }
        let mut tags: Vec<(String, String)> = Vec::new();
        for part in split_tags(inside) {
            let malformed = || FilterError::NotATag {
                key: key(),
                part: part.trim().to_owned(),
            };
            // The first colon separates: a group's value itself starts with two (`group:::login`).
            let (tag, value) = part.split_once(':').ok_or_else(malformed)?;
            let tag = tag.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
            let value = unquote(value);
            if tag.is_empty() || value.is_empty() {
                return Err(malformed());
            }
            match tags.iter().find(|(known, _)| known == tag) {
                Some((_, first)) if first == value => {}
                Some((_, first)) => {
                    return Err(FilterError::Contradiction {
                        key: key(),
                        tag: tag.to_owned(),
                        first: first.clone(),
                        second: value.to_owned(),
                    });
                }
                None => tags.push((tag.to_owned(), value.to_owned())),
            }
        }
        Ok(Self {
            metric: metric.to_owned(),
            tags,
        })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        for (i, (tag, value)) in self.tags.iter().enumerate() {
            let quote = match value {
                // Quotes protect what splitting and trimming would otherwise eat.
                v if !v.contains(',') && unquote(v) == v => "",
                v if v.contains('"') => "'",
                _ => "\"",
            };
            write!(f, "{}{tag}:{quote}{value}{quote}", if i == 0 { '{' } else { ',' })?;
        }
        if self.tags.is_empty() {
            Ok(())
        } else {
            f.write_str("}")
        }
    }
}

/// Splits at commas outside quotes. A quote opens only where a value (or a tag) starts and only counts when it is
/// closed right before a comma or the end, so an apostrophe inside a value is just a character.
fn split_tags(inside: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(inside);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = tag_end(text);
        rest = text.get(end + 1..);
        Some(&text[..end])
    })
}

/// Byte offset of the comma that ends the first `tag:value` of `text`, or its length.
fn tag_end(text: &str) -> usize {
    let comma = text.find(',').unwrap_or(text.len());
    let Some(colon) = text[..comma].find(':') else {
        return comma;
    };
    let value = text[colon + 1..].trim_start();
    let start = text.len() - value.len();
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return comma;
    };
    value[1..]
        .match_indices(quote)
        .map(|(i, _)| start + 1 + i + 1)
        .find_map(|after| {
            let tail = &text[after..];
            let blank = tail.len() - tail.trim_start().len();
            (tail.len() == blank || tail[blank..].starts_with(',')).then_some(after + blank)
        })
        .unwrap_or(comma)
}

/// Spaces off, then one pair of matching quotes off.
fn unquote(text: &str) -> &str {
    let text = text.trim();
    ['"', '\'']
        .iter()
        .find_map(|&q| text.strip_prefix(q)?.strip_suffix(q))
        .unwrap_or(text)
}

/// What is computed from a metric's samples before it is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    Count,
    Rate,
    Value,
    Avg,
    Min,
    Max,
    Med,
    /// A percentile, 0 to 100.
    P(f64),
}

impl Aggregation {
    /// The aggregations a metric of this kind has, as a person would list them.
    pub fn of(kind: Kind) -> &'static str {
        match kind {
            Kind::Counter => "count, rate",
            Kind::Gauge => "value",
            Kind::Rate => "rate",
            Kind::Trend => "avg, min, med, max, p(0-100)",
        }
    }

    /// Whether a metric of this kind has this aggregation.
    pub fn fits(self, kind: Kind) -> bool {
        matches!(
            (kind, self),
            (Kind::Counter, Self::Count | Self::Rate)
                | (Kind::Gauge, Self::Value)
                | (Kind::Rate, Self::Rate)
                | (
                    Kind::Trend,
                    Self::Avg | Self::Min | Self::Max | Self::Med | Self::P(_)
                )
        )
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "count",
            Self::Rate => "rate",
            Self::Value => "value",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Med => "med",
            Self::P(p) => return write!(f, "p({p})"),
        })
    }
}

/// How the aggregate is compared with the bound. `===` is `==`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

impl Op {
    /// Longest spelling first: `<=` must not be read as `<` followed by `=`.
    const SPELLINGS: [(&str, Self); 7] = [
        ("===", Self::Equal),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<=", Self::LessEqual),
        (">=", Self::GreaterEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        })
    }
}

/// What must hold: `p(95) < 500`. Time metrics are in milliseconds, rates in 0 to 1, counter rates per second.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub aggregation: Aggregation,
    pub op: Op,
    pub bound: f64,
    /// As written, for showing.
    pub source: String,
}

/// Why an expression is not `aggregation operator number`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpressionError {
    #[error("the threshold is empty; write one like `p(95)<500`")]
    Empty,
    #[error(
        "`{source_text}`: expected one of count, rate, value, avg, min, max, med, p(N) but found `{found}`"
    )]
    Aggregation { source_text: String, found: String },
    #[error("`{source_text}`: a percentile is `p(N)` with N from 0 to 100")]
    Percentile { source_text: String },
    #[error("`{source_text}`: expected an operator (<, <=, >, >=, ==, ===, !=) after `{after}`")]
    Operator { source_text: String, after: String },
    #[error("`{source_text}`: expected a number after `{after}`")]
    Number { source_text: String, after: String },
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let source = text.trim().to_owned();
        if source.is_empty() {
            return Err(ExpressionError::Empty);
        }
        let source_text = || source.clone();
        let word_end = source
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(source.len());
        let (word, mut rest) = source.split_at(word_end);
        let aggregation = match word {
            "count" => Aggregation::Count,
            "rate" => Aggregation::Rate,
            "value" => Aggregation::Value,
            "avg" => Aggregation::Avg,
            "min" => Aggregation::Min,
            "max" => Aggregation::Max,
            "med" => Aggregation::Med,
            "p" => {
                let percentile = || ExpressionError::Percentile {
                    source_text: source_text(),
                };
                let (inside, after) = rest
                    .trim_start()
                    .strip_prefix('(')
                    .and_then(|r| r.split_once(')'))
                    .ok_or_else(percentile)?;
                rest = after;
                let rank = number(inside)
                    .filter(|p| (0.0..=100.0).contains(p))
                    .ok_or_else(percentile)?;
                Aggregation::P(rank)
            }
            _ => {
                let found = source
                    .split(|c: char| "<>=! ".contains(c))
                    .next()
                    .unwrap_or_default();
                let found = if found.is_empty() { &source } else { found };
                return Err(ExpressionError::Aggregation {
                    source_text: source_text(),
                    found: found.to_owned(),
                });
            }
        };
        let before = source[..source.len() - rest.len()].to_owned();
        rest = rest.trim_start();
        let Some((spelling, op)) = Op::SPELLINGS.into_iter().find(|(s, _)| rest.starts_with(s)) else {
            return Err(ExpressionError::Operator {
                source_text: source_text(),
                after: before,
            });
        };
        let Some(bound) = number(&rest[spelling.len()..]) else {
            return Err(ExpressionError::Number {
                source_text: source_text(),
                after: spelling.to_owned(),
            });
        };
        Ok(Self {
            aggregation,
            op,
            bound,
            source,
        })
    }
}

/// A finite decimal number (no `inf`, no `nan`, which `f64::from_str` would take).
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let numeric = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    numeric
        .then(|| text.parse().ok())
        .flatten()
        .filter(|n: &f64| n.is_finite())
}

/// An aggregation that a metric of this kind does not have.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("`{source_text}`: a {kind} has no `{aggregation}`; it has {}", Aggregation::of(*kind))]
pub struct Misfit {
    source_text: String,
    aggregation: Aggregation,
    kind: Kind,
}

impl Expression {
    /// Whether this aggregate value meets the threshold.
    #[allow(clippy::float_cmp)] // `==` on the numbers as given is what the operator says.
    pub fn holds(&self, value: f64) -> bool {
        match self.op {
            Op::Less => value < self.bound,
            Op::LessEqual => value <= self.bound,
            Op::Greater => value > self.bound,
            Op::GreaterEqual => value >= self.bound,
            Op::Equal => value == self.bound,
            Op::NotEqual => value != self.bound,
        }
    }

    /// Errors when metrics of this kind do not have the aggregation (`p(95)` of a counter).
    pub fn fits(&self, kind: Kind) -> Result<(), Misfit> {
        if self.aggregation.fits(kind) {
            return Ok(());
        }
        Err(Misfit {
            source_text: self.source.clone(),
            aggregation: self.aggregation,
            kind,
        })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// One threshold of a run, as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdSpec {
    pub filter: Filter,
    pub expression: Expression,
    /// Stop the run the first time it does not hold.
    pub abort_on_fail: bool,
    /// How long after the start the run must not be stopped yet, so that a first slow request cannot end it.
    pub delay_abort_eval: Duration,
    /// Whether a metric without samples meets the threshold (`onEmpty: 'pass'`). By default it fails: a threshold
    /// that never saw a sample usually has a typo in its tags.
    pub on_empty_pass: bool,
    /// Judge a window of this length that slides over the run, instead of the totals so far.
    pub over: Option<Duration>,
}

impl fmt::Display for ThresholdSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.filter, self.expression)
    }
}

#[cfg(test)]
mod tests;
