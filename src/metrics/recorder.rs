//! Where a worker writes its samples: a log per worker thread, without locks.
//!
//! [`Recorder::http`] and [`Recorder::add`] append to a vector; the only look-up is one hash of a few plain numbers.
//! Aggregating happens elsewhere, on the collector's thread, so a worker's cost per request stays a few tens of
//! nanoseconds whatever is asked of the metrics.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::http::{HttpKey, HttpRecord};
use super::model::{MetricId, NameId, Sample, TagsId};
use super::registry::Registry;
use super::remarks::Remarks;
use super::tags::TagSet;

/// Look-ups that scripts can make up without end are forgotten past this many and found again in the registry.
const MAX_CACHED: usize = 8192;

/// A worker's samples since its last drain.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub worker: u16,
    pub http: Vec<HttpRecord>,
    pub samples: Vec<Sample>,
    /// The metadata of `http`.
    pub http_remarks: Remarks,
    /// The metadata of `samples`.
    pub remarks: Remarks,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.http.is_empty() && self.samples.is_empty()
    }

    /// How many points of the JSON output this is.
    pub fn points(&self) -> u64 {
        let failed = self.http.iter().filter(|record| record.failed.is_some()).count();
        (self.http.len() * 8 + failed + self.samples.len()) as u64
    }
}

/// One worker's log of samples. Clones share it; it never leaves its thread and is never held across an await.
#[derive(Debug, Clone)]
pub struct Recorder(Rc<RefCell<Shard>>);

#[derive(Debug)]
struct Shard {
    registry: Arc<Registry>,
    batch: Batch,
    /// The metadata of what is recorded now.
    metadata: Option<TagSet>,
    keys: FxHashMap<HttpKey, TagsId>,
    names: FxHashMap<Box<str>, NameId>,
    urls: FxHashMap<Box<str>, NameId>,
    /// By the hash of base and pairs; the entry holds both, to compare.
    contexts: FxHashMap<u64, Vec<Context>>,
}

#[derive(Debug)]
struct Context {
    base: TagsId,
    extra: Box<[(Box<str>, Box<str>)]>,
    tags: TagsId,
}

impl Context {
    fn is(&self, base: TagsId, extra: &[(&str, &str)]) -> bool {
        self.base == base
            && self.extra.len() == extra.len()
            && self
                .extra
                .iter()
                .zip(extra)
                .all(|((k, v), (key, value))| **k == **key && **v == **value)
    }
}

impl Recorder {
    /// An empty log for worker number `worker`.
    pub fn new(registry: Arc<Registry>, worker: u16) -> Recorder {
        Recorder(Rc::new(RefCell::new(Shard {
            registry,
            batch: Batch {
                worker,
                ..Batch::default()
            },
            metadata: None,
            keys: FxHashMap::default(),
            names: FxHashMap::default(),
            urls: FxHashMap::default(),
            contexts: FxHashMap::default(),
        })))
    }

    /// The registry behind the ids.
    pub fn registry(&self) -> Arc<Registry> {
        self.0.borrow().registry.clone()
    }

    /// The name a script gave a request.
    pub fn name(&self, explicit: &str) -> NameId {
        let shard = &mut *self.0.borrow_mut();
        cached(&mut shard.names, explicit, |name| shard.registry.name(name))
    }

    /// The name of a request by its URL: templated, so that identifiers do not multiply it.
    pub fn url_name(&self, url: &str) -> NameId {
        let shard = &mut *self.0.borrow_mut();
        cached(&mut shard.urls, url, |url| shard.registry.url_name(url))
    }

    /// `base` with tags added or replaced.
    pub fn context(&self, base: TagsId, extra: &[(&str, &str)]) -> TagsId {
        if extra.is_empty() {
            return base;
        }
        let shard = &mut *self.0.borrow_mut();
        let mut hasher = FxBuildHasher.build_hasher();
        base.hash(&mut hasher);
        extra.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(known) = shard
            .contexts
            .get(&hash)
            .and_then(|list| list.iter().find(|entry| entry.is(base, extra)))
        {
            return known.tags;
        }
        let tags = shard
            .registry
            .intern(&shard.registry.tags(base).with_all(extra.iter().copied()));
        if shard.contexts.len() >= MAX_CACHED {
            shard.contexts.clear();
        }
        let extra = extra
            .iter()
            .map(|(key, value)| (Box::from(*key), Box::from(*value)))
            .collect();
        shard
            .contexts
            .entry(hash)
            .or_default()
            .push(Context { base, extra, tags });
        tags
    }

    /// Records an HTTP transaction: `http_reqs`, the seven `http_req_*` times and, if the script has an expectation,
    /// `http_req_failed`. Tags and failure are taken from the key. Returns the tags.
    pub fn http(&self, key: HttpKey, mut record: HttpRecord) -> TagsId {
        let shard = &mut *self.0.borrow_mut();
        record.tags = if let Some(tags) = shard.keys.get(&key) {
            *tags
        } else {
            let tags = shard.registry.http_tags(&key);
            if shard.keys.len() >= MAX_CACHED {
                shard.keys.clear();
            }
            shard.keys.insert(key, tags);
            tags
        };
        record.failed = key.expected.map(|expected| !expected);
        let tags = record.tags;
        let batch = &mut shard.batch;
        batch.http_remarks.note(batch.http.len(), shard.metadata.as_ref());
        batch.http.push(record);
        tags
    }

    /// Records one value, `at` nanoseconds since the epoch.
    pub fn add(&self, metric: MetricId, tags: TagsId, at: u64, value: f64) {
        let shard = &mut *self.0.borrow_mut();
        let batch = &mut shard.batch;
        batch.remarks.note(batch.samples.len(), shard.metadata.as_ref());
        batch.samples.push(Sample {
            at,
            metric,
            tags,
            value,
        });
    }

    /// From here on what is recorded has this metadata.
    pub fn remark(&self, metadata: Option<TagSet>) {
        self.0.borrow_mut().metadata = metadata;
    }

    /// Takes what was recorded since the last time. The new log has room for as much again, so that it does not
    /// grow step by step in every interval.
    pub fn drain(&self) -> Batch {
        let mut shard = self.0.borrow_mut();
        let (http, samples) = (shard.batch.http.len(), shard.batch.samples.len());
        let fresh = Batch {
            worker: shard.batch.worker,
            http: Vec::with_capacity(http + http / 8),
            samples: Vec::with_capacity(samples + samples / 8),
            ..Batch::default()
        };
        std::mem::replace(&mut shard.batch, fresh)
    }
}

fn cached(cache: &mut FxHashMap<Box<str>, NameId>, text: &str, find: impl FnOnce(&str) -> NameId) -> NameId {
    if let Some(id) = cache.get(text) {
        return *id;
    }
    let id = find(text);
    if cache.len() >= MAX_CACHED {
        cache.clear();
    }
    cache.insert(Box::from(text), id);
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{MethodTag, Proto, SystemTags, TagSet, TlsTag, builtin};

    fn recorder() -> Recorder {
        Recorder::new(Registry::new(SystemTags::default()), 3)
    }

    #[test]
    fn a_drain_takes_everything_once() {
        let recorder = recorder();
        let name = recorder.url_name("http://h/users/7");
        let key = HttpKey {
            context: TagsId::EMPTY,
            name,
            method: MethodTag::Post,
            status: 503,
            proto: Proto::Http2,
            tls: TlsTag::Tls13,
            error_code: 1503,
            expected: Some(false),
        };
        recorder.http(
            key,
            HttpRecord {
                at: 5,
                duration: 1.5,
                ..HttpRecord::default()
            },
        );
        recorder.http(
            key,
            HttpRecord {
                at: 6,
                ..HttpRecord::default()
            },
        );
        recorder.add(builtin::ITERATIONS, TagsId::EMPTY, 7, 1.0);
        let batch = recorder.drain();
        assert_eq!(
            (
                batch.worker,
                batch.http.len(),
                batch.samples.len(),
                batch.points()
            ),
            (3, 2, 1, 19)
        );
        assert_eq!(batch.http[0].failed, Some(true));
        assert_eq!(batch.http[0].tags, batch.http[1].tags);
        let tags = recorder.registry().tags(batch.http[0].tags);
        assert_eq!(tags.get("name"), Some("http://h/users/:id"));
        assert_eq!((tags.get("error_code"), tags.get("error")), (Some("1503"), None));
        assert!(recorder.drain().is_empty());
    }

    #[test]
    fn contexts_add_to_their_base() {
        let recorder = recorder();
        let base = recorder
            .registry()
            .intern(&TagSet::from_pairs([("scenario", "s")]));
        let one = recorder.context(base, &[("a", "1")]);
        assert_eq!(recorder.context(base, &[("a", "1")]), one);
        assert_ne!(recorder.context(base, &[("a", "2")]), one);
        assert_eq!(recorder.context(base, &[]), base);
        assert_eq!(recorder.registry().tags(one).len(), 2);
    }

    #[test]
    fn caches_stay_bounded() {
        let recorder = recorder();
        for n in 0..MAX_CACHED + 10 {
            recorder.url_name(&format!("http://h/{n}"));
        }
        assert!(recorder.0.borrow().urls.len() <= MAX_CACHED);
    }
}
