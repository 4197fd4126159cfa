//! Requests whose traces were exported, as examples of a histogram's buckets: a page's reader goes from a slow dot to its
//! trace.
//!
//! Whoever exports spans offers them here once the collector has taken them, so an exemplar never names a trace that
//! nobody has. It is off the hot path: the exporter's thread writes, a scrape reads.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::model::TagsId;

/// Past so many the store is emptied, and fills again with newer ones: series can be many.
const MOST: usize = 20_000;

/// A request with an exported span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    /// The tags of its samples.
    pub tags: TagsId,
    /// Its `http_req_duration`, in milliseconds.
    pub duration: f64,
    /// When it ended, in nanoseconds since the epoch.
    pub at: u64,
    pub trace: u128,
    pub span: u64,
}

/// The newest example of each series and size.
#[derive(Debug, Default)]
pub struct Exemplars(Mutex<HashMap<(TagsId, i32), Exemplar>>);

impl Exemplars {
    /// Takes these in.
    pub fn offer(&self, exemplars: impl IntoIterator<Item = Exemplar>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for exemplar in exemplars {
            // Sizes are doublings: no histogram of durations has finer buckets.
            let size = exemplar.duration.max(1e-6).log2().floor() as i32;
            if known.len() >= MOST {
                known.clear();
            }
            let newest = known.entry((exemplar.tags, size)).or_insert(exemplar);
            if newest.at < exemplar.at {
                *newest = exemplar;
            }
        }
    }

    /// All that there are now.
    pub fn list(&self) -> Vec<Exemplar> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(duration: f64, at: u64) -> Exemplar {
        Exemplar {
            tags: TagsId::EMPTY,
            duration,
            at,
            trace: 1,
            span: 1,
        }
    }

    #[test]
    fn the_newest_of_each_size_stays() {
        let store = Exemplars::default();
        store.offer([
            exemplar(5.0, 1),
            exemplar(6.0, 3),
            exemplar(7.9, 2),
            exemplar(8.0, 1),
            exemplar(0.0, 1),
        ]);
        let mut list = store.list();
        list.sort_by(|a, b| a.duration.total_cmp(&b.duration));
        assert_eq!(list, [exemplar(0.0, 1), exemplar(6.0, 3), exemplar(8.0, 1)]);
    }

    #[test]
    fn the_store_is_bounded() {
        let store = Exemplars::default();
        store.offer((0..MOST + 5).map(|n| Exemplar {
            tags: TagsId(n as u32),
            ..exemplar(1.0, 1)
        }));
        assert!(store.list().len() <= MOST);
    }
}
