//! The search for the highest load that holds: a state machine without a clock and without I/O. It says which load to try
//! next and is told what became of it.
//!
//! It doubles the load until it breaks, halves the gap until that is small enough, and then tries both ends again: the load
//! that held as often as asked for, the one that broke once more. A load that both held and broke is tried once more, and
//! the majority decides, so that one bad moment of a target is not its limit. A step that the generator could not carry
//! out is tried again; if it cannot again, the search stays below that load, and the answer says why.

use std::collections::BTreeMap;

/// Where the search looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The first load.
    pub start: u64,
    /// The highest.
    pub most: u64,
    /// The gap between what held and what broke may be this share of what held (and is never asked to be less than 1).
    pub precision: f64,
    /// How often the answer is tried again.
    pub confirmations: u32,
}

/// What became of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The criteria held.
    Held,
    /// One of them did not.
    Broke,
    /// The generator measured itself.
    Invalid,
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Twice as much as what held.
    Double,
    /// Half of what broke: nothing has held yet.
    Halve,
    /// In the middle of what held and what broke.
    Bisect,
    /// It is not clear what became of it before.
    Again,
    /// What held has to hold again, and what broke to break.
    Confirm,
}

impl Stage {
    /// In a word, for the ladder.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Double => "double",
            Stage::Halve => "halve",
            Stage::Bisect => "bisect",
            Stage::Again => "again",
            Stage::Confirm => "confirm",
        }
    }
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try this load, and say what became of it.
    Try(u64, Stage),
    /// There is nothing more to learn.
    Done,
}

/// What is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// The highest load that held.
    pub held: Option<u64>,
    /// The lowest that did not.
    pub broke: Option<u64>,
    /// That was not the target's fault: the generator could not do more.
    pub generator: bool,
    /// How often the load that held did so.
    pub times: u32,
}

/// What became of one load, each time.
#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    held: u32,
    broke: u32,
    invalid: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Held,
    Not,
    Unclear,
}

impl Tries {
    /// How often what speaks against it was seen.
    fn against(self) -> u32 {
        self.broke.max(self.invalid)
    }

    /// What was judged decides, by majority. A step that the generator could not carry out says nothing of the target, and
    /// one moment without CPU nothing of the generator.
    fn says(self) -> Says {
        let judged = self.held + self.broke;
        if self.invalid > judged {
            return if self.invalid >= judged + 2 {
                Says::Not
            } else {
                Says::Unclear
            };
        }
        match self.held.cmp(&self.broke) {
            std::cmp::Ordering::Greater => Says::Held,
            std::cmp::Ordering::Less => Says::Not,
            std::cmp::Ordering::Equal => Says::Unclear,
        }
    }
}

/// The search.
#[derive(Debug, Clone)]
pub struct Search {
    range: Range,
    tried: BTreeMap<u64, Tries>,
}

impl Search {
    /// One that has not begun.
    pub fn new(range: Range) -> Search {
        let most = range.most.max(1);
        let start = range.start.clamp(1, most);
        Search {
            range: Range { start, most, ..range },
            tried: BTreeMap::new(),
        }
    }

    /// Takes in what became of a load.
    pub fn saw(&mut self, load: u64, seen: Seen) {
        let tries = self.tried.entry(load).or_default();
        match seen {
            Seen::Held => tries.held += 1,
            Seen::Broke => tries.broke += 1,
            Seen::Invalid => tries.invalid += 1,
        }
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        let unclear = self.tried.iter().find(|(_, tries)| tries.says() == Says::Unclear);
        if let Some((load, _)) = unclear {
            return Next::Try(*load, Stage::Again);
        }
        let bounds = self.bounds();
        match (bounds.held, bounds.broke) {
            (None, None) => Next::Try(self.range.start, Stage::Double),
            (Some(held), None) if held < self.range.most => {
                Next::Try(held.saturating_mul(2).min(self.range.most), Stage::Double)
            }
            (None, Some(broke)) if broke > 1 => Next::Try(broke / 2, Stage::Halve),
            (Some(held), Some(broke)) if broke - held > self.gap(held) => {
                Next::Try(held + (broke - held) / 2, Stage::Bisect)
            }
            _ => self.confirm(bounds),
        }
    }

    /// Both ends again, until they have been seen often enough.
    fn confirm(&self, bounds: Bounds) -> Next {
        let tries = |load: Option<u64>| load.and_then(|load| Some((load, *self.tried.get(&load)?)));
        if let Some((load, tries)) = tries(bounds.held)
            && tries.held <= self.range.confirmations
        {
            return Next::Try(load, Stage::Confirm);
        }
        let again = self.range.confirmations.min(1);
        if let Some((load, tries)) = tries(bounds.broke)
            && tries.against() <= again
        {
            return Next::Try(load, Stage::Confirm);
        }
        Next::Done
    }

    fn gap(&self, held: u64) -> u64 {
        ((held as f64 * self.range.precision) as u64).max(1)
    }

    /// What is known by now: the lowest load that broke, and the highest below it that held.
    pub fn bounds(&self) -> Bounds {
        let broke = self.tried.iter().find(|(_, tries)| tries.says() == Says::Not);
        let below = match broke {
            Some((broke, _)) => self.tried.range(..*broke),
            None => self.tried.range(..),
        };
        let held = below.rev().find(|(_, tries)| tries.says() == Says::Held);
        Bounds {
            held: held.map(|(load, _)| *load),
            broke: broke.map(|(load, _)| *load),
            generator: broke.is_some_and(|(_, tries)| tries.invalid > tries.broke),
            times: held.map_or(0, |(_, tries)| tries.held),
        }
    }
}

#[cfg(test)]
#[path = "search/tests.rs"]
mod tests;
