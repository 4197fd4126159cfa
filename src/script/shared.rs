//! Arrays that all virtual users of a run share (`SharedArray`): held once, as JSON, outside of every user's engine.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use tokio::sync::{Mutex as Turns, OwnedMutexGuard};

/// The elements of one array, each as JSON, one behind the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Elements {
    text: String,
    /// Where each element's JSON ends.
    ends: Vec<usize>,
}

impl Elements {
    /// Adds an element.
    pub fn push(&mut self, json: &str) {
        self.text.push_str(json);
        self.ends.push(self.text.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// An element as JSON.
    pub fn json(&self, index: usize) -> Option<&str> {
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..*self.ends.get(index)?)
    }
}

/// The shared arrays of a run, by name.
#[derive(Debug, Default)]
pub struct SharedArrays {
    known: Mutex<FxHashMap<Box<str>, Arc<Elements>>>,
    turns: Arc<Turns<()>>,
}

impl SharedArrays {
    /// The array of this name, if one has been made.
    pub fn get(&self, name: &str) -> Option<Arc<Elements>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned()
    }

    /// Waits for one's turn to make arrays: a virtual user at a time, so that no array is made twice.
    pub fn turn(&self) -> impl Future<Output = OwnedMutexGuard<()>> + use<> {
        self.turns.clone().lock_owned()
    }

    /// Keeps what was made under its name.
    pub fn keep(&self, name: &str, mut made: Elements) -> Arc<Elements> {
        made.text.shrink_to_fit();
        made.ends.shrink_to_fit();
        let made = Arc::new(made);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.into(), made.clone());
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_back_as_they_were() {
        let mut elements = Elements::default();
        for json in ["1", "", "{\"a\":\"é\"}"] {
            elements.push(json);
        }
        let all: Vec<_> = (0..4).map(|index| elements.json(index)).collect();
        assert_eq!(all, [Some("1"), Some(""), Some("{\"a\":\"é\"}"), None]);
        assert_eq!(elements.len(), 3);
    }
}
