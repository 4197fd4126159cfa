//! The run's table of metrics, tag sets and request names. Shared by all workers, and touched by them only when they
//! see a thing for the first time.

use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rustc_hash::{FxHashMap, FxHashSet};

use super::http::{HttpKey, error_text};
use super::model::{Contains, Kind, MetricDef, MetricId, NameId, TagsId, builtin};
use super::tags::{SystemTag, SystemTags, TagSet};
use super::template::template;
use super::threshold::Filter;

/// So many distinct request names a run may have; the rest goes under [`OTHER_NAME`] and is counted.
pub const MAX_NAMES: usize = 200;
/// So many tag sets a run may have before tags of the script's own making are dropped from new ones.
pub const MAX_SERIES: usize = 10_000;
/// The name of every request past [`MAX_NAMES`].
pub const OTHER_NAME: &str = "__other__";

/// Why a metric could not be defined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    #[error(
        "invalid metric name `{0}`: use letters, digits and `_`, 2 to 129 of them, and start with a letter or `_`"
    )]
    Name(String),
    #[error("metric `{name}` is already a {existing}, it cannot be a {wanted} too")]
    Clash {
        name: String,
        existing: Kind,
        wanted: Kind,
    },
    #[error("metric `{0}` is one too many: a run may define 65,536")]
    TooMany(String),
}

/// Interned metrics, tag sets and names.
#[derive(Debug)]
pub struct Registry {
    system_tags: SystemTags,
    metrics: RwLock<Metrics>,
    sets: RwLock<Sets>,
    names: RwLock<Names>,
    max_series: usize,
    collapsed_names: AtomicU64,
    collapsed_series: AtomicU64,
}

#[derive(Debug, Default)]
struct Metrics {
    list: Vec<MetricDef>,
    by_name: FxHashMap<Arc<str>, MetricId>,
}

#[derive(Debug, Default)]
struct Sets {
    list: Vec<Arc<TagSet>>,
    by_set: FxHashMap<TagSet, TagsId>,
    /// Pairs that a threshold's filter names; they survive collapsing.
    protected: FxHashSet<(String, String)>,
}

#[derive(Debug, Default)]
struct Names {
    list: Vec<Arc<str>>,
    by_name: FxHashMap<Arc<str>, NameId>,
    /// Names in threshold filters: never templated, never collapsed.
    verbatim: FxHashSet<String>,
    /// What reports show although nothing judges it.
    kept: Vec<Filter>,
}

/// A table that a panicking thread left behind is still whole: every change to one is a single insertion.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// A registry with the built-in metrics, the empty tag set and [`OTHER_NAME`].
    pub fn new(system_tags: SystemTags) -> Arc<Registry> {
        Registry::with_max_series(system_tags, MAX_SERIES)
    }

    /// As [`Registry::new`], with another limit than [`MAX_SERIES`].
    pub fn with_max_series(system_tags: SystemTags, max_series: usize) -> Arc<Registry> {
        let mut metrics = Metrics::default();
        for (index, (name, kind, contains)) in builtin::ALL.iter().enumerate() {
            let name: Arc<str> = Arc::from(*name);
            metrics.by_name.insert(name.clone(), MetricId(index as u16));
            metrics.list.push(MetricDef {
                name,
                kind: *kind,
                contains: *contains,
            });
        }
        let mut sets = Sets::default();
        sets.push(TagSet::default());
        let mut names = Names::default();
        names.push(OTHER_NAME);
        Arc::new(Registry {
            system_tags,
            metrics: RwLock::new(metrics),
            sets: RwLock::new(sets),
            names: RwLock::new(names),
            max_series,
            collapsed_names: AtomicU64::new(0),
            collapsed_series: AtomicU64::new(0),
        })
    }

    /// The system tags the run sets.
    pub fn system_tags(&self) -> SystemTags {
        self.system_tags
    }

    /// Has reports show what these filters name, with or without samples, and protects it. To be called before the load
    /// starts.
    pub fn keep(&self, filters: &[Filter]) {
        self.protect(filters);
        write(&self.names).kept.extend_from_slice(filters);
    }

    /// What [`Registry::keep`] was given.
    pub fn kept(&self) -> Vec<Filter> {
        read(&self.names).kept.clone()
    }

    /// Keeps what these filters name from being templated or collapsed: a threshold on `{name:http://h/users/42}`
    /// or on a custom tag must see its samples whatever else the run produces. To be called before the load starts.
    pub fn protect<'a>(&self, filters: impl IntoIterator<Item = &'a Filter>) {
        let (mut sets, mut names) = (write(&self.sets), write(&self.names));
        for (key, value) in filters.into_iter().flat_map(|filter| &filter.tags) {
            sets.protected.insert((key.clone(), value.clone()));
            if key == SystemTag::Name.as_str() || key == SystemTag::Url.as_str() {
                names.verbatim.insert(value.clone());
            }
        }
    }

    /// The metric of this name, defined now if it was not. Defining it again with the same kind is fine, as every
    /// VU's init code does; what it contains is then as first said.
    ///
    /// # Errors
    /// A name outside the dialect's grammar, or one that has another kind already.
    pub fn define(&self, name: &str, kind: Kind, contains: Contains) -> Result<MetricId, MetricError> {
        if let Some(id) = self.lookup(name) {
            let existing = self.definition(id).kind;
            return if existing == kind {
                Ok(id)
            } else {
                Err(MetricError::Clash {
                    name: name.to_owned(),
                    existing,
                    wanted: kind,
                })
            };
        }
        if !valid_name(name) {
            return Err(MetricError::Name(name.to_owned()));
        }
        {
            let mut metrics = write(&self.metrics);
            if !metrics.by_name.contains_key(name) {
                let id =
                    u16::try_from(metrics.list.len()).map_err(|_| MetricError::TooMany(name.to_owned()))?;
                let shared: Arc<str> = Arc::from(name);
                metrics.list.push(MetricDef {
                    name: shared.clone(),
                    kind,
                    contains,
                });
                metrics.by_name.insert(shared, MetricId(id));
                return Ok(MetricId(id));
            }
        }
        // Another worker defined it between the two locks.
        self.define(name, kind, contains)
    }

    /// The metric of this name.
    pub fn lookup(&self, name: &str) -> Option<MetricId> {
        read(&self.metrics).by_name.get(name).copied()
    }

    /// What `id`, which this registry gave out, stands for.
    pub fn definition(&self, id: MetricId) -> MetricDef {
        read(&self.metrics).list[usize::from(id.0)].clone()
    }

    /// All metrics: the built-in ones, then the script's in the order of their definition.
    pub fn definitions(&self) -> Vec<(MetricId, MetricDef)> {
        let metrics = read(&self.metrics);
        metrics
            .list
            .iter()
            .enumerate()
            .map(|(index, def)| (MetricId(index as u16), def.clone()))
            .collect()
    }

    /// The id of a tag set. Past the limit on tag sets a new one is collapsed first: to the system tags and what
    /// [`protect`](Registry::protect) keeps; past twice the limit also without the system tags whose values a script
    /// makes up (group, check, vu, iter).
    pub fn intern(&self, tags: &TagSet) -> TagsId {
        if let Some(id) = read(&self.sets).by_set.get(tags) {
            return *id;
        }
        let mut sets = write(&self.sets);
        let total = sets.list.len();
        if total < self.max_series || sets.by_set.contains_key(tags) {
            return sets.push(tags.clone());
        }
        self.collapsed_series.fetch_add(1, Ordering::Relaxed);
        let system =
            tags.filtered(|key, value| SystemTag::from_key(key).is_some() || sets.protects(key, value));
        if total < self.max_series * 2 || sets.by_set.contains_key(&system) {
            return sets.push(system);
        }
        let names = read(&self.names);
        let bounded = system.filtered(|key, value| {
            sets.protects(key, value)
                || match SystemTag::from_key(key) {
                    Some(SystemTag::Name | SystemTag::Url) => names.by_name.contains_key(value),
                    Some(
                        SystemTag::Proto
                        | SystemTag::Status
                        | SystemTag::Method
                        | SystemTag::Error
                        | SystemTag::ErrorCode
                        | SystemTag::TlsVersion
                        | SystemTag::Scenario
                        | SystemTag::ExpectedResponse,
                    ) => true,
                    _ => false,
                }
        });
        sets.push(bounded)
    }

    /// The tag set of `id`, which this registry gave out.
    pub fn tags(&self, id: TagsId) -> Arc<TagSet> {
        read(&self.sets).list[id.0 as usize].clone()
    }

    /// Every tag set so far, indexed by id.
    pub fn all_tags(&self) -> Vec<Arc<TagSet>> {
        read(&self.sets).list.clone()
    }

    /// The id of a request name that is used as it stands, or of [`OTHER_NAME`] when there are too many.
    pub fn name(&self, name: &str) -> NameId {
        if let Some(id) = read(&self.names).by_name.get(name) {
            return *id;
        }
        let mut names = write(&self.names);
        if let Some(id) = names.by_name.get(name) {
            return *id;
        }
        // OTHER_NAME itself and what thresholds name do not use up the places.
        let verbatim = names.verbatim.contains(name);
        if names.list.len() > MAX_NAMES + names.verbatim.len() && !verbatim {
            self.collapsed_names.fetch_add(1, Ordering::Relaxed);
            return NameId(0);
        }
        names.push(name)
    }

    /// The id of a URL's name: the URL [`template`]d, unless a threshold names it as it is.
    pub fn url_name(&self, url: &str) -> NameId {
        let verbatim = read(&self.names).verbatim.contains(url);
        if verbatim {
            self.name(url)
        } else {
            self.name(&template(url))
        }
    }

    /// The text of a name that this registry gave out.
    pub fn name_text(&self, id: NameId) -> Arc<str> {
        read(&self.names).list[id.0 as usize].clone()
    }

    /// The tag set of an HTTP key: its context, and the system tags that are on.
    pub fn http_tags(&self, key: &HttpKey) -> TagsId {
        let (context, name) = (self.tags(key.context), self.name_text(key.name));
        let (status, code) = (key.status.to_string(), key.error_code.to_string());
        let pairs = [
            (SystemTag::Method, key.method.as_str()),
            (SystemTag::Status, &status),
            (SystemTag::Name, &name),
            (SystemTag::Url, &name),
            (SystemTag::Proto, key.proto.as_str()),
            (SystemTag::TlsVersion, key.tls.as_str()),
            (SystemTag::Error, error_text(key.error_code)),
            (SystemTag::ErrorCode, if key.error_code == 0 { "" } else { &code }),
            (
                SystemTag::ExpectedResponse,
                match key.expected {
                    None => "",
                    Some(true) => "true",
                    Some(false) => "false",
                },
            ),
        ];
        let on = pairs
            .iter()
            .filter(|(tag, text)| !text.is_empty() && self.system_tags.contains(*tag));
        self.intern(&context.with_all(on.map(|(tag, text)| (tag.as_str(), *text))))
    }

    /// How many times a request name was new past [`MAX_NAMES`], and a tag set past [`MAX_SERIES`].
    pub fn collapsed(&self) -> (u64, u64) {
        (
            self.collapsed_names.load(Ordering::Relaxed),
            self.collapsed_series.load(Ordering::Relaxed),
        )
    }
}

impl Sets {
    fn push(&mut self, tags: TagSet) -> TagsId {
        let next = TagsId(self.list.len() as u32);
        match self.by_set.entry(tags) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.list.push(Arc::new(new.key().clone()));
                *new.insert(next)
            }
        }
    }

    fn protects(&self, key: &str, value: &str) -> bool {
        !self.protected.is_empty() && self.protected.contains(&(key.to_owned(), value.to_owned()))
    }
}

impl Names {
    fn push(&mut self, name: &str) -> NameId {
        let (id, shared) = (NameId(self.list.len() as u32), Arc::<str>::from(name));
        self.list.push(shared.clone());
        self.by_name.insert(shared, id);
        id
    }
}

/// The dialect's grammar: `^[a-zA-Z_][a-zA-Z0-9_]{1,128}$`.
fn valid_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && (2..=129).contains(&name.len())
}

#[cfg(test)]
mod tests;
