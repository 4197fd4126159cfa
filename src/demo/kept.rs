//! Things that a system keeps: numbered from 1, found by number, no more of them and no more bytes than it has room for.
//!
//! The oldest go first: a load test that creates things for hours should meet a system that goes on working, in a process
//! that does not grow.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of text that one [`Kept`] holds at most.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Numbered things with their sizes.
#[derive(Debug)]
pub struct Kept<T> {
    things: BTreeMap<u64, (T, usize)>,
    last: u64,
    bytes: usize,
    most: usize,
}

impl<T> Kept<T> {
    /// Room for `most` things, and for one at least.
    pub fn new(most: usize) -> Kept<T> {
        Kept {
            things: BTreeMap::new(),
            last: 0,
            bytes: 0,
            most: most.max(1),
        }
    }

    /// Keeps what `make` makes of the next number, together with its size in bytes, and lets go of the oldest if need be.
    pub fn add(&mut self, make: impl FnOnce(u64) -> (T, usize)) -> u64 {
        self.last += 1;
        let (thing, size) = make(self.last);
        self.things.insert(self.last, (thing, size));
        self.bytes += size;
        self.make_room();
        self.last
    }

    /// Changes a thing, if it is there; `change` tells its new size.
    pub fn change<R>(&mut self, number: u64, change: impl FnOnce(&mut T, &mut usize) -> R) -> Option<R> {
        let (thing, size) = self.things.get_mut(&number)?;
        self.bytes -= *size;
        let result = change(thing, size);
        self.bytes += *size;
        self.make_room();
        Some(result)
    }

    /// Lets go of a thing.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let (thing, size) = self.things.remove(&number)?;
        self.bytes -= size;
        Some(thing)
    }

    /// A thing by its number.
    pub fn get(&self, number: u64) -> Option<&T> {
        self.things.get(&number).map(|(thing, _)| thing)
    }

    /// The newest first.
    pub fn newest(&self) -> impl Iterator<Item = &T> {
        self.things.values().rev().map(|(thing, _)| thing)
    }

    /// How many there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.things.len()
    }

    /// The last one stays, however large: somebody has just been told that it is there.
    fn make_room(&mut self) {
        while self.things.len() > self.most || (self.bytes > MAX_BYTES && self.things.len() > 1) {
            let Some((_, (_, size))) = self.things.pop_first() else {
                break;
            };
            self.bytes -= size;
        }
    }
}

/// Which kind of thing an id is of. It is part of the id, so that an id of one kind is none of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Of a mission.
    Mission = 1,
    /// Of an order.
    Order,
    /// Of a session.
    Session,
    /// Of a message in a session.
    Message,
    /// Of a machine.
    Machine,
    /// Of an artifact.
    Artifact,
    /// Of a batch of events.
    Batch,
    /// Of a commitment.
    Commitment,
}

impl Kind {
    /// The id of the thing with a number. It has the form of a UUID, as ids in URLs do.
    pub fn id(self, number: u64) -> String {
        format!("{:08x}-0000-4000-8000-{number:012x}", self as u32)
    }

    /// The number of the thing with an id of this kind.
    pub fn number(self, id: &str) -> Option<u64> {
        let (_, digits) = id.rsplit_once('-')?;
        let number = u64::from_str_radix(digits, 16).ok()?;
        (self.id(number) == id).then_some(number)
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// JSON texts as one JSON array.
pub fn array<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut array = String::from("[");
    for text in texts {
        if array.len() > 1 {
            array.push(',');
        }
        array.push_str(text);
    }
    array.push(']');
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_numbers_are_not_used_again() {
        let mut kept = Kept::new(2);
        let numbers: Vec<u64> = (0..3).map(|n| kept.add(|_| (n, 1))).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(kept.newest().copied().collect::<Vec<_>>(), [2, 1]);
        assert_eq!(kept.get(1), None);
        assert_eq!((kept.remove(3), kept.len()), (Some(2), 1));
        assert_eq!(kept.add(|_| (3, 1)), 4);
    }

    #[test]
    fn bytes_are_bounded_too_also_when_things_grow() {
        let mut kept = Kept::new(100);
        for _ in 0..3 {
            kept.add(|number| (number, MAX_BYTES / 3));
        }
        assert_eq!(kept.len(), 3);
        kept.change(3, |_, size| *size *= 2);
        assert_eq!((kept.len(), kept.get(1)), (2, None));
        kept.change(3, |_, size| *size = 2 * MAX_BYTES);
        assert_eq!(kept.newest().copied().collect::<Vec<_>>(), [3]);
        kept.change(3, |_, size| *size = 0);
        kept.remove(3);
        assert_eq!(kept.bytes, 0);
    }

    #[test]
    fn ids_lead_back_to_their_number_and_only_they_do() {
        let id = Kind::Session.id(0x1234);
        assert_eq!(id, "00000003-0000-4000-8000-000000001234");
        assert_eq!(Kind::Session.number(&id), Some(0x1234));
        assert_eq!(Kind::Mission.number(&id), None);
        for other in [
            "",
            "1234",
            "x-y",
            "00000003-0000-4000-8000-1234",
            "00000003-0000-4000-8000-00000000123G",
        ] {
            assert_eq!(Kind::Session.number(other), None, "{other}");
        }
    }

    #[test]
    fn texts_become_an_array() {
        assert_eq!(array(std::iter::empty()), "[]");
        assert_eq!(array(["1", "{}"].into_iter()), "[1,{}]");
    }
}
