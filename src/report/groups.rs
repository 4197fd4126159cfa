//! The tree of groups that a run went through, with the checks of each.

use md5::{Digest, Md5};

use crate::metrics::{Snapshot, TagSet};

use super::checks::{Check, checks};

/// What the dialect puts before each group's name in a path.
const SEPARATOR: &str = "::";

/// Which samples are looked at, by their tags.
pub(super) type Wanted<'a> = &'a dyn Fn(&TagSet) -> bool;

/// A group; the root has neither name nor path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Group {
    pub(super) name: String,
    /// `::outer::inner`, as in the `group` tag.
    pub(super) path: String,
    pub(super) groups: Vec<Group>,
    pub(super) checks: Vec<Check>,
}

impl Group {
    /// The root of all groups that any sample's tags name. Groups are in the order in which the run first saw them.
    pub(super) fn root(snapshot: &Snapshot) -> Group {
        Group::root_of(snapshot, &|_| true)
    }

    /// The same of those samples that are wanted.
    pub(super) fn root_of(snapshot: &Snapshot, wanted: Wanted<'_>) -> Group {
        let mut root = Group::default();
        let mut ids: Vec<_> = snapshot.rows.iter().map(|row| row.tags).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let tags = snapshot.registry().tags(id);
            if !wanted(&tags) {
                continue;
            }
            let mut group = &mut root;
            for name in tags
                .get("group")
                .unwrap_or("")
                .split(SEPARATOR)
                .filter(|name| !name.is_empty())
            {
                group = group.child(name);
            }
        }
        root.fill(snapshot, wanted);
        root
    }

    fn child(&mut self, name: &str) -> &mut Group {
        let at = self
            .groups
            .iter()
            .position(|group| group.name == name)
            .unwrap_or_else(|| {
                let path = format!("{}{SEPARATOR}{name}", self.path);
                self.groups.push(Group {
                    name: name.to_owned(),
                    path,
                    ..Group::default()
                });
                self.groups.len() - 1
            });
        &mut self.groups[at]
    }

    fn fill(&mut self, snapshot: &Snapshot, wanted: Wanted<'_>) {
        self.checks = checks(snapshot, |tags| {
            tags.get("group").unwrap_or("") == self.path && wanted(tags)
        });
        for group in &mut self.groups {
            group.fill(snapshot, wanted);
        }
    }

    /// The dialect's id: the MD5 of the path.
    pub(super) fn id(&self) -> String {
        md5(&self.path)
    }

    /// Path and id of one of this group's checks.
    pub(super) fn check_path(&self, check: &Check) -> (String, String) {
        let path = format!("{}{SEPARATOR}{}", self.path, check.name);
        let id = md5(&path);
        (path, id)
    }
}

fn md5(text: &str) -> String {
    Md5::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_reference() {
        let mut root = Group::default();
        assert_eq!(root.id(), "d41d8cd98f00b204e9800998ecf8427e");
        let group = root.child("g1");
        assert_eq!(
            (group.path.as_str(), group.id().as_str()),
            ("::g1", "9ccb03cc5acd728a2fe595bbd1f14da3")
        );
        let check = Check {
            name: "is 200".to_owned(),
            passes: 0,
            fails: 0,
        };
        let (path, id) = group.check_path(&check);
        assert_eq!(
            (path.as_str(), id.as_str()),
            ("::g1::is 200", "0f192ccfe3ed2edb5ec55aa9dee80a4b")
        );
    }
}
