//! The ends of lines in files of samples: tags and metadata, rendered once and copied from then on.

use std::sync::Arc;

use crate::metrics::{Registry, SystemTag, TagSet, TagsId};

/// Turns tags and metadata into the end of a line.
type Render = Box<dyn Fn(&TagSet, &TagSet) -> Box<[u8]> + Send>;

/// What lines end in.
pub(super) struct Tails {
    registry: Arc<Registry>,
    render: Render,
    /// By tag set, without metadata of a script's.
    plain: Vec<Option<Box<[u8]>>>,
    /// The one that was rendered last for metadata: the samples of a request share it.
    remarked: Option<(TagsId, TagSet, Box<[u8]>)>,
}

/// Whether a tag is different for every sample, which makes it metadata in the dialect's files.
pub(super) fn is_metadata(key: &str) -> bool {
    key == SystemTag::Vu.as_str() || key == SystemTag::Iter.as_str()
}

impl Tails {
    pub(super) fn new(
        registry: Arc<Registry>,
        render: impl Fn(&TagSet, &TagSet) -> Box<[u8]> + Send + 'static,
    ) -> Tails {
        Tails {
            registry,
            render: Box::new(render),
            plain: Vec::new(),
            remarked: None,
        }
    }

    /// The end of the line of a sample with these tags and this metadata.
    pub(super) fn of(&mut self, tags: TagsId, metadata: Option<&TagSet>) -> &[u8] {
        let Some(metadata) = metadata else {
            return self.plain(tags);
        };
        let kept = matches!(&self.remarked, Some((id, set, _)) if *id == tags && set == metadata);
        if !kept {
            self.remarked = None;
        }
        let (registry, render) = (&self.registry, &self.render);
        let (_, _, tail) = self.remarked.get_or_insert_with(|| {
            let tail = rendered(registry, render, tags, metadata);
            (tags, metadata.clone(), tail)
        });
        tail
    }

    fn plain(&mut self, tags: TagsId) -> &[u8] {
        let index = tags.0 as usize;
        if self.plain.len() <= index {
            self.plain.resize_with(index + 1, || None);
        }
        let (registry, render) = (&self.registry, &self.render);
        self.plain[index].get_or_insert_with(|| rendered(registry, render, tags, &TagSet::default()))
    }
}

fn rendered(registry: &Registry, render: &Render, tags: TagsId, metadata: &TagSet) -> Box<[u8]> {
    let all = registry.tags(tags);
    let metadata = all.filtered(|key, _| is_metadata(key)).with_all(metadata.iter());
    render(&all.filtered(|key, _| !is_metadata(key)), &metadata)
}
