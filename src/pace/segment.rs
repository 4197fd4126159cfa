//! Execution segments: which fraction of the test one instance runs, in exact rational numbers, as k6 writes them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Why a text is not a segment or a sequence, or why the two do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// A bound is not a fraction, a percentage or a decimal number.
    #[error("{0:?} is not a bound of an execution segment; write it like \"1/4\", \"25%\" or \"0.25\"")]
    Bound(String),
    /// A bound with more digits than are kept exactly.
    #[error("the bound {0:?} has too many digits; write it as a fraction like \"1/3\"")]
    TooPrecise(String),
    /// Outside of 0..1 or empty.
    #[error("the execution segment {0:?} must have 0 <= from < to <= 1")]
    Range(String),
    /// Not increasing from 0 to 1.
    #[error(
        "the execution segment sequence {0:?} must rise from 0 to 1 without repeats, like \"0,1/4,1/2,1\""
    )]
    Sequence(String),
    /// The segment is no member of the given sequence.
    #[error(
        "the execution segment {segment} is not part of the sequence {sequence}; name one of its neighbouring pairs"
    )]
    NotInSequence {
        /// The segment.
        segment: String,
        /// The sequence.
        sequence: String,
    },
    /// The lengths' least common denominator is out of bounds.
    #[error("the execution segments of {0} have no common denominator up to {limit}; use rounder fractions", limit = super::share::FINEST)]
    TooFine(String),
}

/// A fraction in lowest terms between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ratio {
    pub(super) num: u64,
    pub(super) den: u64,
}

/// Keeps sums and products of two bounds within 64 bits.
const DENOMINATOR_LIMIT: u64 = 1_000_000_000;

impl Ratio {
    const ZERO: Ratio = Ratio { num: 0, den: 1 };
    const ONE: Ratio = Ratio { num: 1, den: 1 };

    fn new(num: u64, den: u64) -> Ratio {
        let divisor = gcd(num, den).max(1);
        Ratio {
            num: num / divisor,
            den: den / divisor,
        }
    }

    /// `self − other`, for `self >= other`.
    pub(super) fn minus(self, other: Ratio) -> Ratio {
        Ratio::new(self.num * other.den - other.num * self.den, self.den * other.den)
    }

    /// `1/n` of the unit, if this is one.
    fn unit_denominator(self) -> Option<u64> {
        (self.num == 1).then_some(self.den)
    }

    fn parse(text: &str) -> Result<Ratio, SegmentError> {
        let text = text.trim();
        let wrong = || SegmentError::Bound(text.to_owned());
        let (body, per) = match text.strip_suffix('%') {
            Some(body) => (body.trim(), 100),
            None => (text, 1),
        };
        let (num, den) = match body.split_once('/') {
            Some((num, den)) => (decimal(num.trim(), text)?, decimal(den.trim(), text)?),
            None => (decimal(body, text)?, (1, 1)),
        };
        // (a/b) / (c/d) / per, in 128 bits: each part is below 2^40.
        let top = u128::from(num.0) * u128::from(den.1);
        let bottom = u128::from(num.1) * u128::from(den.0) * per;
        if bottom == 0 {
            return Err(wrong());
        }
        let divisor = gcd128(top, bottom).max(1);
        let (top, bottom) = (top / divisor, bottom / divisor);
        if top > bottom {
            return Err(SegmentError::Range(text.to_owned()));
        }
        match (u64::try_from(top), u64::try_from(bottom)) {
            (Ok(num), Ok(den)) if den <= DENOMINATOR_LIMIT => Ok(Ratio { num, den }),
            _ => Err(SegmentError::TooPrecise(text.to_owned())),
        }
    }
}

/// A decimal number as a fraction of integers.
fn decimal(number: &str, whole: &str) -> Result<(u64, u64), SegmentError> {
    let wrong = || SegmentError::Bound(whole.to_owned());
    let (integer, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{integer}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    if digits.trim_start_matches('0').len() > 12 || fraction.len() > 12 {
        return Err(SegmentError::TooPrecise(whole.to_owned()));
    }
    Ok((
        digits.parse().map_err(|_| wrong())?,
        10u64.pow(fraction.len() as u32),
    ))
}

impl Ord for Ratio {
    fn cmp(&self, other: &Ratio) -> Ordering {
        (u128::from(self.num) * u128::from(other.den)).cmp(&(u128::from(other.num) * u128::from(self.den)))
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Ratio) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den == 1 {
            write!(f, "{}", self.num)
        } else {
            write!(f, "{}/{}", self.num, self.den)
        }
    }
}

/// Greatest common divisor (Euclid).
pub(super) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn gcd128(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd128(b, a % b) }
}

/// A half-open part `from:to` of the whole test, `0 <= from < to <= 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Segment {
    from: Ratio,
    to: Ratio,
}

impl Segment {
    /// All of the test.
    pub const WHOLE: Segment = Segment {
        from: Ratio::ZERO,
        to: Ratio::ONE,
    };

    /// The fraction of the test that this segment is.
    pub fn fraction(&self) -> f64 {
        let length = self.length();
        length.num as f64 / length.den as f64
    }

    pub(super) fn length(&self) -> Ratio {
        self.to.minus(self.from)
    }

    /// Whether there is a part of the test that is in both.
    pub fn overlaps(&self, other: &Segment) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// What none of these has of the test.
    pub fn missing(segments: &[Segment]) -> Vec<Segment> {
        let mut sorted = segments.to_vec();
        sorted.sort_by_key(|segment| segment.from);
        let (mut gaps, mut reached) = (Vec::new(), Ratio::ZERO);
        let end = Segment {
            from: Ratio::ONE,
            to: Ratio::ONE,
        };
        for segment in sorted.into_iter().chain([end]) {
            if segment.from > reached {
                gaps.push(Segment {
                    from: reached,
                    to: segment.from,
                });
            }
            reached = reached.max(segment.to);
        }
        gaps
    }
}

impl FromStr for Segment {
    type Err = SegmentError;

    /// `from:to`, or only `to` when it begins at 0; a bound is a fraction, a percentage or a decimal number.
    fn from_str(text: &str) -> Result<Segment, SegmentError> {
        let (from, to) = match text.split_once(':') {
            Some((from, to)) => (Ratio::parse(from)?, Ratio::parse(to)?),
            None => (Ratio::ZERO, Ratio::parse(text)?),
        };
        if from >= to {
            return Err(SegmentError::Range(text.to_owned()));
        }
        Ok(Segment { from, to })
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.from, self.to)
    }
}

/// The segments of all instances of a test, in order and without gaps. All instances must be given the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SegmentSequence(Vec<Segment>);

impl SegmentSequence {
    /// The segments, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The sequence that a segment given without one belongs to: `n` equal tiles if it is one of these, else the
    /// segment with its gaps to 0 and to 1 filled.
    pub fn around(segment: &Segment) -> SegmentSequence {
        let length = segment.length();
        if let Some(tiles) = length.unit_denominator().filter(|n| *n <= super::share::FINEST)
            && tiles % segment.from.den == 0
        {
            return SegmentSequence(
                (0..tiles)
                    .map(|i| Segment {
                        from: Ratio::new(i, tiles),
                        to: Ratio::new(i + 1, tiles),
                    })
                    .collect(),
            );
        }
        let bounds = [Ratio::ZERO, segment.from, segment.to, Ratio::ONE];
        SegmentSequence(
            bounds
                .windows(2)
                .filter(|pair| pair[0] < pair[1])
                .map(|pair| Segment {
                    from: pair[0],
                    to: pair[1],
                })
                .collect(),
        )
    }
}

impl FromStr for SegmentSequence {
    type Err = SegmentError;

    /// The bounds from 0 to 1 with commas between: `0,1/4,1/2,1`.
    fn from_str(text: &str) -> Result<SegmentSequence, SegmentError> {
        let bounds = text.split(',').map(Ratio::parse).collect::<Result<Vec<_>, _>>()?;
        let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        if bounds.len() < 2 || !rising || bounds[0] != Ratio::ZERO || bounds[bounds.len() - 1] != Ratio::ONE {
            return Err(SegmentError::Sequence(text.to_owned()));
        }
        Ok(SegmentSequence(
            bounds
                .windows(2)
                .map(|pair| Segment {
                    from: pair[0],
                    to: pair[1],
                })
                .collect(),
        ))
    }
}

impl fmt::Display for SegmentSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0")?;
        self.0.iter().try_for_each(|segment| write!(f, ",{}", segment.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_as_written() {
        for (text, canonical) in [
            ("0:1/4", "0:1/4"),
            ("25%", "0:1/4"),
            ("1/3", "0:1/3"),
            ("0.2:2/3", "1/5:2/3"),
            ("12.5% : 50%", "1/8:1/2"),
            ("0:1", "0:1"),
            ("1", "0:1"),
            ("2/4:3/4", "1/2:3/4"),
            ("0.5/2:1", "1/4:1"),
        ] {
            assert_eq!(text.parse::<Segment>().unwrap().to_string(), canonical, "{text}");
        }
        assert_eq!("1".parse::<Segment>().unwrap(), Segment::WHOLE);
        for text in [
            "",
            ":",
            "a",
            "1/0",
            "2",
            "-0.5",
            "1/2:1/2",
            "1/2:1/4",
            "0:0",
            "1/4:5/4",
            "0:1:2",
            "0.12345678901234",
        ] {
            assert!(text.parse::<Segment>().is_err(), "{text}");
        }
    }

    #[test]
    fn sequences_as_written() {
        let sequence: SegmentSequence = "0,1/4,50%,1".parse().unwrap();
        assert_eq!(sequence.to_string(), "0,1/4,1/2,1");
        assert_eq!(sequence.segments().len(), 3);
        for text in ["", "0", "0,1/2", "1/4,1", "0,1/2,1/2,1", "0,1/2,1/4,1"] {
            assert!(text.parse::<SegmentSequence>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_lone_segment_finds_its_sequence() {
        for (segment, sequence) in [
            ("0:1", "0,1"),
            ("1/4:1/2", "0,1/4,1/2,3/4,1"),
            ("2/3:1", "0,1/3,2/3,1"),
            ("0:2/3", "0,2/3,1"),
            // A third, but not one of the three thirds.
            ("1/2:5/6", "0,1/2,5/6,1"),
            ("1/5:2/3", "0,1/5,2/3,1"),
        ] {
            let segment: Segment = segment.parse().unwrap();
            assert_eq!(SegmentSequence::around(&segment).to_string(), sequence);
        }
    }
}
