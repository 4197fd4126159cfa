//! What a script says of all samples of its virtual user: tags, which make series of their own, and metadata, which goes along
//! with the single samples only.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use super::host::Host;
use crate::metrics::{TagSet, TagsId};

/// The tags and the metadata of one virtual user (`exec.vu.metrics`).
#[derive(Debug, Default)]
pub struct Labels {
    tags: RefCell<BTreeMap<Box<str>, Box<str>>>,
    metadata: RefCell<Option<TagSet>>,
    /// The tags of samples of the whole iteration that has just ended, if the script has set some of its own.
    pub iteration: Cell<Option<TagsId>>,
}

impl Labels {
    /// The metadata of samples that are taken now.
    pub fn metadata(&self) -> Option<TagSet> {
        self.metadata.borrow().clone()
    }
}

impl Host {
    /// Gives all later samples of this user a tag, until it is taken away again.
    pub fn tag(&self, name: &str, value: &str) {
        let known = self
            .labels
            .tags
            .borrow_mut()
            .insert(name.into(), value.into())
            .is_some_and(|known| *known == *value);
        if !known {
            self.retag();
        }
    }

    /// Takes away a tag that [`Host::tag`] gave.
    pub fn untag(&self, name: &str) {
        if self.labels.tags.borrow_mut().remove(name).is_some() {
            self.retag();
        }
    }

    fn retag(&self) {
        let own = self.labels.tags.borrow();
        let pairs: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
        self.set_own_tags(&pairs);
    }

    /// Keeps what samples of the whole iteration, which ends now, are to carry.
    pub fn end_labels(&self) {
        let own = !self.labels.tags.borrow().is_empty();
        self.labels.iteration.set(own.then(|| self.context()));
    }

    /// Gives all later samples of this user metadata, until it is taken away again.
    pub fn note(&self, name: &str, value: &str) {
        let metadata = self.labels.metadata().unwrap_or_default();
        self.remark(Some(metadata.with(name, value)));
    }

    /// Takes away metadata that [`Host::note`] gave.
    pub fn unnote(&self, name: &str) {
        if let Some(metadata) = self.labels.metadata() {
            let rest = metadata.filtered(|key, _| key != name);
            self.remark(Some(rest).filter(|rest| !rest.is_empty()));
        }
    }

    fn remark(&self, metadata: Option<TagSet>) {
        self.workshop.recorder.remark(metadata.clone());
        self.labels.metadata.replace(metadata);
    }

    /// Records samples with the metadata of when what they are about began.
    pub fn remarked<T>(&self, metadata: Option<&TagSet>, record: impl FnOnce() -> T) -> T {
        if metadata == self.labels.metadata.borrow().as_ref() {
            return record();
        }
        let recorder = &self.workshop.recorder;
        recorder.remark(metadata.cloned());
        let recorded = record();
        recorder.remark(self.labels.metadata());
        recorded
    }
}
