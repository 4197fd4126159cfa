//! Tag sets, and the choice of system tags (`systemTags`, `--system-tags`).

use std::fmt;
use std::sync::Arc;

/// Tags of a series: sorted by key, each key once. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TagSet(Arc<[(Arc<str>, Arc<str>)]>);

impl TagSet {
    /// The set of these pairs; a later pair replaces an earlier one of the same key.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> TagSet {
        let mut list: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        for (key, value) in pairs {
            put(&mut list, key.as_ref(), Arc::from(value.as_ref()));
        }
        TagSet(list.into())
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .binary_search_by(|(k, _)| (**k).cmp(key))
            .ok()
            .map(|at| &*self.0[at].1)
    }

    /// Pairs in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.0.iter().map(|(k, v)| (&**k, &**v))
    }

    /// This set with one pair added or replaced.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> TagSet {
        self.with_all([(key, value)])
    }

    /// This set with pairs added or replaced.
    #[must_use]
    pub fn with_all<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> TagSet {
        let mut list = self.0.to_vec();
        for (key, value) in pairs {
            put(&mut list, key, Arc::from(value));
        }
        TagSet(list.into())
    }

    /// The pairs that `keep` wants.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(&str, &str) -> bool) -> TagSet {
        TagSet(self.0.iter().filter(|(k, v)| keep(k, v)).cloned().collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn put(list: &mut Vec<(Arc<str>, Arc<str>)>, key: &str, value: Arc<str>) {
    match list.binary_search_by(|(k, _)| (**k).cmp(key)) {
        Ok(at) => list[at].1 = value,
        Err(at) => list.insert(at, (Arc::from(key), value)),
    }
}

impl fmt::Debug for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

macro_rules! system_tags {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// A tag that loadgen sets by itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum SystemTag { $($variant),* }

        impl SystemTag {
            /// Every system tag.
            pub const ALL: &[SystemTag] = &[$(SystemTag::$variant),*];

            /// The tag's key.
            pub fn as_str(self) -> &'static str {
                match self { $(SystemTag::$variant => $name),* }
            }
        }
    };
}

system_tags! {
    Proto = "proto", Subproto = "subproto", Status = "status", Method = "method", Url = "url", Name = "name",
    Group = "group", Check = "check", Error = "error", ErrorCode = "error_code", TlsVersion = "tls_version",
    Scenario = "scenario", Service = "service", ExpectedResponse = "expected_response",
    Vu = "vu", Iter = "iter", Ip = "ip", OcspStatus = "ocsp_status",
}

impl SystemTag {
    fn bit(self) -> u32 {
        1 << self as u8
    }

    /// The system tag of this key.
    pub fn from_key(key: &str) -> Option<SystemTag> {
        SystemTag::ALL.iter().copied().find(|tag| tag.as_str() == key)
    }
}

/// Which system tags are set on samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemTags(u32);

/// A name in `systemTags` that is not a system tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a system tag; there are: {list}", list = known())]
pub struct UnknownSystemTag(pub String);

fn known() -> String {
    SystemTag::ALL
        .iter()
        .map(|tag| tag.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

impl Default for SystemTags {
    /// The dialect's default: all but `vu`, `iter`, `ip` and `ocsp_status`.
    fn default() -> SystemTags {
        let opt_in = [
            SystemTag::Vu,
            SystemTag::Iter,
            SystemTag::Ip,
            SystemTag::OcspStatus,
        ];
        SystemTags(
            SystemTag::ALL
                .iter()
                .filter(|tag| !opt_in.contains(tag))
                .fold(0, |set, tag| set | tag.bit()),
        )
    }
}

impl SystemTags {
    /// No system tags at all.
    pub const NONE: SystemTags = SystemTags(0);

    /// The set of these names.
    ///
    /// # Errors
    /// A name that is none of the system tags.
    pub fn parse<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<SystemTags, UnknownSystemTag> {
        names.into_iter().try_fold(SystemTags::NONE, |set, name| {
            let name = name.as_ref().trim();
            let tag = SystemTag::from_key(name).ok_or_else(|| UnknownSystemTag(name.to_owned()))?;
            Ok(SystemTags(set.0 | tag.bit()))
        })
    }

    pub fn contains(self, tag: SystemTag) -> bool {
        self.0 & tag.bit() != 0
    }

    /// The enabled tags, in the dialect's order.
    pub fn iter(self) -> impl Iterator<Item = SystemTag> {
        SystemTag::ALL
            .iter()
            .copied()
            .filter(move |tag| self.contains(*tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_pair_replaces_an_earlier_one_and_keys_are_sorted() {
        let tags = TagSet::from_pairs([("b", "1"), ("a", "2"), ("b", "3")]);
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
        assert_eq!(tags.get("b"), Some("3"));
        assert_eq!(tags.get("c"), None);
        assert_eq!(tags.with("a", "9").get("a"), Some("9"));
        assert_eq!(tags.filtered(|key, _| key == "a").len(), 1);
    }

    #[test]
    fn the_default_leaves_out_the_tags_without_bound() {
        let tags = SystemTags::default();
        assert!(tags.contains(SystemTag::ExpectedResponse) && !tags.contains(SystemTag::Vu));
        assert_eq!(tags.iter().count(), 14);
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        assert_eq!(
            SystemTags::parse(["status", " vu "]).map(|set| set.iter().count()),
            Ok(2)
        );
        let error = SystemTags::parse(["staus"]).unwrap_err().to_string();
        assert!(
            error.starts_with("`staus` is not a system tag") && error.contains("status"),
            "{error}"
        );
    }
}
