//! The events of one store of one tenant, in their order.
//!
//! Sequence numbers are given under the log's lock, one after the other, so there are no gaps and no two events with the
//! same. The oldest events go when there are too many; what is about to go is committed first, so commitments have no
//! gaps either.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::merkle::{Hash, Step, Tree, hex, leaf};

/// Events without a commitment; with more the log commits by itself, so that no commitment takes long.
const MAX_UNCOMMITTED: u64 = 4096;
/// Commitments that are listed after the last of their events is gone.
const OLD_COMMITMENTS: usize = 1000;

/// An event as it is sent.
#[derive(Deserialize)]
pub struct Event<'a> {
    /// Its id, which no other event of the store has.
    #[serde(borrow, rename = "event_id")]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    entity_type: Cow<'a, str>,
    #[serde(borrow)]
    entity_id: Cow<'a, str>,
    #[serde(borrow, rename = "event_type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    payload: Value,
}

impl Event<'_> {
    /// The event as it is shown.
    fn shown(&self, sequence: u64) -> String {
        json!({
            "sequence_number": sequence, "event_id": self.id, "entity_type": self.entity_type,
            "entity_id": self.entity_id, "event_type": self.kind, "payload": self.payload,
        })
        .to_string()
    }
}

/// The key of an entity. No text has a NUL that is worth keeping apart.
fn entity_key(kind: &str, id: &str) -> String {
    format!("{kind}\0{id}")
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub struct Ingested {
    /// How many events are new.
    pub accepted: u64,
    /// How many were there already.
    pub rejected: u64,
    /// The last sequence number now; the accepted ones are those up to it.
    pub head: u64,
}

#[derive(Debug)]
struct Stored {
    id: Arc<str>,
    entity: Arc<str>,
    text: Box<str>,
}

#[derive(Debug, Default)]
struct Entity {
    /// How many events it has had, since it was first kept.
    version: u64,
    /// The sequence numbers of those that are kept.
    sequences: VecDeque<u64>,
}

/// A commitment to the events from `start` to `end`.
#[derive(Debug)]
pub struct Commitment {
    number: u64,
    start: u64,
    end: u64,
    root: Hash,
    tree: Tree,
}

impl Commitment {
    /// The commitment as it is shown.
    pub fn shown(&self) -> Value {
        json!({
            "commitment_id": super::Kind::Commitment.id(self.number), "sequence_start": self.start,
            "sequence_end": self.end, "merkle_root": hex(&self.root), "event_count": self.end - self.start + 1,
        })
    }
}

/// Why there is no proof.
#[derive(Debug, PartialEq, Eq)]
pub enum NoProof {
    /// There is no event with that number.
    NoEvent,
    /// It is not committed yet.
    Uncommitted,
    /// It was dropped.
    Gone,
}

/// The events of a store.
#[derive(Debug, Default)]
pub struct Log {
    /// The last sequence number that was given.
    head: u64,
    /// The kept events; the last is the head.
    events: VecDeque<Stored>,
    ids: HashSet<Arc<str>>,
    entities: HashMap<Arc<str>, Entity>,
    /// The hashes of the events that are not committed.
    uncommitted: Vec<Hash>,
    commitments: VecDeque<Commitment>,
}

impl Log {
    /// Adds the events that are not there yet. `number` gives commitments their numbers; `grown` is told how many bytes
    /// each new event takes.
    pub fn ingest(
        &mut self,
        events: &[Event<'_>],
        number: impl Fn() -> u64,
        mut grown: impl FnMut(usize),
    ) -> Ingested {
        let mut accepted = 0;
        for event in events {
            if self.ids.contains(event.id.as_ref()) {
                continue;
            }
            accepted += 1;
            self.head += 1;
            let text = event.shown(self.head);
            self.uncommitted.push(leaf(text.as_bytes()));
            let entity = self.note(entity_key(&event.entity_type, &event.entity_id));
            let id: Arc<str> = event.id.as_ref().into();
            grown(size(&text, &id));
            self.ids.insert(Arc::clone(&id));
            let text = text.into_boxed_str();
            self.events.push_back(Stored { id, entity, text });
            if self.uncommitted.len() as u64 >= MAX_UNCOMMITTED {
                self.commit(&number);
            }
        }
        Ingested {
            accepted,
            rejected: events.len() as u64 - accepted,
            head: self.head,
        }
    }

    /// Counts the next event of an entity.
    fn note(&mut self, key: String) -> Arc<str> {
        let key: Arc<str> = match self.entities.get_key_value(key.as_str()) {
            Some((key, _)) => Arc::clone(key),
            None => key.into(),
        };
        let entity = self.entities.entry(Arc::clone(&key)).or_default();
        entity.version += 1;
        entity.sequences.push_back(self.head);
        key
    }

    /// Drops the oldest event; tells how many bytes are free now.
    pub fn drop_oldest(&mut self, number: impl Fn() -> u64) -> usize {
        let sequence = self.first();
        if self.committed() < sequence {
            self.commit(number);
        }
        let Some(Stored { id, entity, text }) = self.events.pop_front() else {
            return 0;
        };
        self.ids.remove(&id);
        if let Some(entry) = self.entities.get_mut(&entity) {
            entry.sequences.pop_front();
            if entry.sequences.is_empty() {
                self.entities.remove(&entity);
            }
        }
        let gone = self
            .commitments
            .partition_point(|commitment| commitment.end <= sequence);
        if let Some(last) = gone
            .checked_sub(1)
            .and_then(|last| self.commitments.get_mut(last))
        {
            last.tree = Tree::default();
        }
        if gone > OLD_COMMITMENTS {
            self.commitments.pop_front();
        }
        size(&text, &id)
    }

    /// Commits to everything that is not committed. Whether there was anything.
    pub fn commit(&mut self, number: impl Fn() -> u64) -> bool {
        let start = self.committed() + 1;
        let tree = Tree::new(std::mem::take(&mut self.uncommitted));
        let Some(&root) = tree.root() else {
            return false;
        };
        self.commitments.push_back(Commitment {
            number: number(),
            start,
            end: self.head,
            root,
            tree,
        });
        true
    }

    /// How many events are kept.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// The last sequence number that was given.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// The number of the oldest event that is kept.
    fn first(&self) -> u64 {
        self.head + 1 - self.events.len() as u64
    }

    /// The number of the last event that is committed.
    fn committed(&self) -> u64 {
        self.head - self.uncommitted.len() as u64
    }

    /// Commitments, the latest first.
    pub fn commitments(&self) -> impl Iterator<Item = &Commitment> {
        self.commitments.iter().rev()
    }

    /// An event by its number, as it is shown.
    fn event(&self, sequence: u64) -> Option<&str> {
        let at = usize::try_from(sequence.checked_sub(self.first())?).ok()?;
        self.events.get(at).map(|stored| stored.text.as_ref())
    }

    /// Events from a number on, as they are shown; those that are kept.
    pub fn events(&self, from: u64) -> impl Iterator<Item = &str> {
        let at = from.saturating_sub(self.first());
        let skipped = usize::try_from(at).unwrap_or(usize::MAX);
        self.events
            .range(skipped.min(self.events.len())..)
            .map(|stored| stored.text.as_ref())
    }

    /// An entity's version and its latest events in their order, `limit` at most.
    pub fn entity(&self, kind: &str, id: &str, limit: usize) -> (u64, impl Iterator<Item = &str>) {
        let entity = self.entities.get(entity_key(kind, id).as_str());
        let version = entity.map_or(0, |entity| entity.version);
        let sequences = entity.into_iter().flat_map(move |entity| {
            let skipped = entity.sequences.len().saturating_sub(limit);
            entity.sequences.range(skipped..)
        });
        (version, sequences.filter_map(|sequence| self.event(*sequence)))
    }

    /// That an event is among those of a commitment.
    pub fn proof(&self, sequence: u64) -> Result<Value, NoProof> {
        if sequence == 0 || sequence > self.head {
            return Err(NoProof::NoEvent);
        }
        let at = self
            .commitments
            .partition_point(|commitment| commitment.end < sequence);
        let commitment = self.commitments.get(at).ok_or(NoProof::Uncommitted)?;
        let index = sequence.checked_sub(commitment.start).ok_or(NoProof::Gone)?;
        let index = usize::try_from(index).map_err(|_| NoProof::Gone)?;
        let text = self.event(sequence).ok_or(NoProof::Gone)?;
        let steps = commitment.tree.proof(index).ok_or(NoProof::Gone)?;
        let step = |step: &Step| json!({ "side": if step.left { "left" } else { "right" }, "hash": hex(&step.hash) });
        let mut proof = commitment.shown();
        proof["sequence_number"] = sequence.into();
        proof["leaf_index"] = index.into();
        proof["leaf_hash"] = hex(&leaf(text.as_bytes())).into();
        proof["proof"] = steps.iter().map(step).collect();
        Ok(proof)
    }
}

/// About the memory that an event takes: its texts, and what is kept around them.
fn size(text: &str, id: &str) -> usize {
    text.len() + id.len() + 256
}
