//! From nodes to their relatives.

use ego_tree::NodeRef;
use scraper::{ElementRef, Node};

use super::{Selection, Selector};

/// A step from a node along one axis.
pub type Step = for<'a> fn(NodeRef<'a, Node>) -> Option<NodeRef<'a, Node>>;

/// To the next sibling.
pub const NEXT: Step = |node| node.next_sibling();
/// To the previous sibling.
pub const PREVIOUS: Step = |node| node.prev_sibling();
/// To the parent.
pub const UP: Step = |node| node.parent();

/// The elements along an axis, nearest first.
fn along(from: NodeRef<'_, Node>, step: Step) -> impl Iterator<Item = ElementRef<'_>> {
    std::iter::successors(step(from), move |node| step(*node)).filter_map(ElementRef::wrap)
}

fn accepts(selector: Option<&Selector>, element: &ElementRef<'_>) -> bool {
    selector.is_none_or(|selector| selector.matches(element))
}

impl Selection {
    /// The nearest element along an axis of each node, where it matches.
    pub fn nearest(&self, step: Step, selector: Option<&Selector>) -> Selection {
        let found = self.refs().filter_map(|node| along(node, step).next());
        let found: Vec<_> = found.filter(|element| accepts(selector, element)).collect();
        self.with(found.iter().map(|element| element.id()))
    }

    /// All elements along an axis of each node that match, up to the first that matches `until`.
    pub fn all(&self, step: Step, selector: Option<&Selector>, until: Option<&Selector>) -> Selection {
        let mut found = Vec::new();
        for node in self.refs() {
            let before = |element: &ElementRef<'_>| !until.is_some_and(|until| until.matches(element));
            let on_the_way = along(node, step).take_while(before);
            found.extend(
                on_the_way
                    .filter(|element| accepts(selector, element))
                    .map(|element| element.id()),
            );
        }
        self.with(found)
    }

    /// Each element itself or the nearest one above it that matches.
    pub fn closest(&self, selector: &Selector) -> Selection {
        let mut found = Vec::new();
        for element in self.elements() {
            let itself = std::iter::once(element);
            let mut up = itself.chain(along(*element, UP));
            found.extend(
                up.find(|element| selector.matches(element))
                    .map(|element| element.id()),
            );
        }
        self.with(found)
    }

    /// The elements directly below that match.
    pub fn children(&self, selector: Option<&Selector>) -> Selection {
        let below = self
            .refs()
            .flat_map(|node| node.children())
            .filter_map(ElementRef::wrap);
        let found: Vec<_> = below.filter(|element| accepts(selector, element)).collect();
        self.with(found.iter().map(|element| element.id()))
    }

    /// The nodes directly below, text and comments too.
    pub fn contents(&self) -> Selection {
        self.with(self.refs().flat_map(|node| node.children()).map(|node| node.id()))
    }

    /// The other elements below the same parent that match.
    pub fn siblings(&self, selector: Option<&Selector>) -> Selection {
        let mut found = Vec::new();
        for node in self.refs() {
            let all = node.parent().into_iter().flat_map(|parent| parent.children());
            let others = all
                .filter(|other| other.id() != node.id())
                .filter_map(ElementRef::wrap);
            found.extend(
                others
                    .filter(|element| accepts(selector, element))
                    .map(|element| element.id()),
            );
        }
        self.with(found)
    }

    /// The node next to the first one along an axis, whatever it is.
    pub fn neighbour(&self, step: Step) -> Selection {
        self.with(self.first_ref().and_then(step).map(|node| node.id()))
    }
}
