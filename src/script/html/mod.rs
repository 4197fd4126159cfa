//! Parsed pages and selections of their elements, by the rules of jQuery as the dialect has them. Knows nothing of
//! JavaScript: `modules/html.rs` shows it to scripts.

mod form;
mod select;
mod walk;

use std::rc::Rc;

use ego_tree::{NodeId, NodeRef};
use scraper::{ElementRef, Html, Node};

pub use form::Value;
pub use select::{Selector, selector};
pub use walk::{NEXT, PREVIOUS, Step, UP};

/// A parsed page.
pub struct Page {
    html: Html,
    /// Where it came from; links are relative to it.
    url: String,
}

/// Nodes of one page, each once.
#[derive(Clone)]
pub struct Selection {
    page: Rc<Page>,
    nodes: Vec<NodeId>,
}

impl Selection {
    /// The whole page.
    pub fn parse(text: &str, url: &str) -> Selection {
        let html = Html::parse_document(text);
        let nodes = vec![html.tree.root().id()];
        let page = Rc::new(Page {
            html,
            url: url.to_owned(),
        });
        Selection { page, nodes }
    }

    /// Where the page came from.
    pub fn url(&self) -> &str {
        &self.page.url
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Other nodes of the same page; each is kept once.
    fn with(&self, nodes: impl IntoIterator<Item = NodeId>) -> Selection {
        let mut kept: Vec<NodeId> = Vec::new();
        for node in nodes {
            if !kept.contains(&node) {
                kept.push(node);
            }
        }
        Selection {
            page: self.page.clone(),
            nodes: kept,
        }
    }

    fn refs(&self) -> impl Iterator<Item = NodeRef<'_, Node>> {
        self.nodes.iter().filter_map(|id| self.page.html.tree.get(*id))
    }

    fn elements(&self) -> impl Iterator<Item = ElementRef<'_>> {
        self.refs().filter_map(ElementRef::wrap)
    }

    fn first_ref(&self) -> Option<NodeRef<'_, Node>> {
        self.refs().next()
    }

    /// The first element.
    fn element(&self) -> Option<ElementRef<'_>> {
        self.first_ref().and_then(ElementRef::wrap)
    }

    /// The node at `index`; a negative one counts from the end. Empty if there is none.
    pub fn at(&self, index: i64) -> Selection {
        let length = i64::try_from(self.nodes.len()).unwrap_or(i64::MAX);
        let index = if index < 0 { length + index } else { index };
        let found = usize::try_from(index)
            .ok()
            .and_then(|index| self.nodes.get(index));
        self.with(found.copied())
    }

    /// A selection for each node.
    pub fn each(&self) -> impl Iterator<Item = Selection> + '_ {
        self.nodes.iter().map(|node| self.with([*node]))
    }

    /// The nodes from `start` up to `end`; negative ones count from the end.
    pub fn slice(&self, start: i64, end: Option<i64>) -> Selection {
        let length = i64::try_from(self.nodes.len()).unwrap_or(i64::MAX);
        let bound = |at: i64| (if at < 0 { length + at } else { at }).clamp(0, length) as usize;
        let (start, end) = (bound(start), bound(end.unwrap_or(length)));
        self.with(self.nodes.get(start..end).unwrap_or_default().iter().copied())
    }

    /// Descendants that match.
    pub fn find(&self, selector: &Selector) -> Selection {
        let mut found = Vec::new();
        for node in self.refs() {
            for below in node.descendants().skip(1) {
                if ElementRef::wrap(below).is_some_and(|element| selector.matches(&element)) {
                    found.push(below.id());
                }
            }
        }
        self.with(found)
    }

    /// Those that match, or with `keep` false those that do not.
    pub fn filter(&self, selector: &Selector, keep: bool) -> Selection {
        let nodes = self
            .refs()
            .filter(|node| ElementRef::wrap(*node).is_some_and(|element| selector.matches(&element)) == keep);
        self.with(nodes.map(|node| node.id()))
    }

    /// Those that are in `other`, or with `keep` false those that are not.
    pub fn within(&self, other: &Selection, keep: bool) -> Selection {
        let same_page = Rc::ptr_eq(&self.page, &other.page);
        let nodes = self.nodes.iter().copied();
        self.with(nodes.filter(|node| (same_page && other.nodes.contains(node)) == keep))
    }

    /// Descendants that are in `other`.
    pub fn find_in(&self, other: &Selection) -> Selection {
        let below = |node: &NodeRef<'_, Node>| node.ancestors().any(|above| self.nodes.contains(&above.id()));
        let same_page = Rc::ptr_eq(&self.page, &other.page);
        let found = other.refs().filter(|node| same_page && below(node));
        self.with(found.map(|node| node.id()))
    }

    /// Those with a descendant that is in `other`.
    pub fn having_in(&self, other: &Selection) -> Selection {
        let kept = self.each().filter(|one| one.find_in(other).len() > 0);
        self.with(kept.flat_map(|one| one.nodes))
    }

    /// Each node itself or the nearest one above it that is in `other`.
    pub fn closest_in(&self, other: &Selection) -> Selection {
        let same_page = Rc::ptr_eq(&self.page, &other.page);
        let wanted = |node: &NodeRef<'_, Node>| same_page && other.nodes.contains(&node.id());
        let found = self.refs().filter_map(|node| {
            let mut up = std::iter::once(node).chain(node.ancestors());
            up.find(wanted).map(|node| node.id())
        });
        self.with(found)
    }

    /// The whole page.
    pub fn document(&self) -> Selection {
        self.with([self.page.html.tree.root().id()])
    }

    /// The place of the first node of `other` among these.
    pub fn place_of(&self, other: &Selection) -> Option<usize> {
        let wanted = other
            .nodes
            .first()
            .filter(|_| Rc::ptr_eq(&self.page, &other.page))?;
        self.nodes.iter().position(|node| node == wanted)
    }

    /// Those with a descendant that matches.
    pub fn having(&self, selector: &Selector) -> Selection {
        let nodes = self.refs().filter(|node| {
            let mut below = node.descendants().skip(1).filter_map(ElementRef::wrap);
            below.any(|element| selector.matches(&element))
        });
        self.with(nodes.map(|node| node.id()))
    }

    /// Both together, in the order given.
    pub fn join(&self, more: &Selection) -> Selection {
        if !Rc::ptr_eq(&self.page, &more.page) {
            return self.clone();
        }
        self.with(self.nodes.iter().chain(&more.nodes).copied())
    }

    /// An attribute of the first element.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.element()?.attr(name)
    }

    /// The attributes of the first element.
    pub fn attrs(&self) -> Vec<(String, String)> {
        let element = self.element();
        let pairs = element.iter().flat_map(|element| element.value().attrs());
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// All text below.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for node in self.refs() {
            for below in node.descendants() {
                if let Some(text) = below.value().as_text() {
                    out.push_str(text);
                }
            }
        }
        out
    }

    /// The markup inside the first element; `None` if there is none.
    pub fn inner_html(&self) -> Option<String> {
        match self.element() {
            Some(element) => Some(element.inner_html()),
            None => self.first_ref().map(|_| self.page.html.html()),
        }
    }

    /// The markup of the first element itself.
    pub fn outer_html(&self) -> String {
        self.element().map(|element| element.html()).unwrap_or_default()
    }

    /// The name of the first node: an element's in lower case, `#text`, `#comment`, `#document`.
    pub fn node_name(&self) -> &str {
        match self.first_ref().map(|node| node.value()) {
            Some(Node::Element(element)) => element.name(),
            Some(Node::Text(_)) => "#text",
            Some(Node::Comment(_)) => "#comment",
            Some(Node::Document | Node::Fragment) => "#document",
            _ => "",
        }
    }

    /// The DOM's number for the kind of the first node; 0 for none.
    pub fn node_type(&self) -> u8 {
        match self.first_ref().map(|node| node.value()) {
            Some(Node::Element(_)) => 1,
            Some(Node::Text(_)) => 3,
            Some(Node::Comment(_)) => 8,
            Some(Node::Document) => 9,
            Some(Node::Doctype(_)) => 10,
            Some(Node::Fragment) => 11,
            _ => 0,
        }
    }

    /// The text of the first node, if it is text or a comment.
    pub fn node_value(&self) -> Option<String> {
        match self.first_ref()?.value() {
            Node::Text(text) => Some(text.to_string()),
            Node::Comment(comment) => Some(comment.to_string()),
            _ => None,
        }
    }

    /// Whether the first node is `other`'s first one, or above it.
    pub fn contains(&self, other: &Selection) -> bool {
        let (Some(me), Some(other_node)) = (self.first_ref(), other.first_ref()) else {
            return false;
        };
        Rc::ptr_eq(&self.page, &other.page)
            && (me.id() == other_node.id() || other_node.ancestors().any(|above| above.id() == me.id()))
    }
}

#[cfg(test)]
mod tests;
