//! One node of a page, with the DOM's names for what can be asked of it.

use rquickjs::{
    Array, Class, Ctx, FromJs, IntoJs, JsLifetime, Object, Result, Value, class::Trace, function::Opt,
};

use super::{Selection, css};
use crate::script::html::{self, NEXT, PREVIOUS, Step, UP};

/// An element, or a piece of text or a comment.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct Element {
    #[qjs(skip_trace)]
    pub inner: html::Selection,
}

impl From<html::Selection> for Element {
    fn from(inner: html::Selection) -> Element {
        Element { inner }
    }
}

/// An array of the nodes of a selection.
pub fn list<'js>(ctx: &Ctx<'js>, selection: &html::Selection) -> Result<Array<'js>> {
    let array = Array::new(ctx.clone())?;
    for (index, one) in selection.each().enumerate() {
        array.set(index, Class::instance(ctx.clone(), Element::from(one))?)?;
    }
    Ok(array)
}

/// The node of a selection; `None` where it is empty.
pub fn one(selection: html::Selection) -> Option<Element> {
    (selection.len() > 0).then(|| Element::from(selection.at(0)))
}

impl Element {
    fn neighbour(&self, step: Step) -> Option<Element> {
        one(self.inner.neighbour(step))
    }

    fn nearest(&self, step: Step) -> Option<Element> {
        one(self.inner.nearest(step, None))
    }
}

#[rquickjs::methods]
impl Element {
    /// The element as a selection of one.
    fn selection(&self) -> Selection {
        self.inner.clone().into()
    }

    #[qjs(rename = "nodeName")]
    fn node_name(&self) -> String {
        self.inner.node_name().to_owned()
    }

    #[qjs(rename = "nodeType")]
    fn node_type(&self) -> u8 {
        self.inner.node_type()
    }

    #[qjs(rename = "nodeValue")]
    fn node_value(&self) -> Option<String> {
        self.inner.node_value()
    }

    #[qjs(rename = "textContent")]
    fn text_content(&self) -> String {
        self.inner.text()
    }

    #[qjs(rename = "innerHTML")]
    fn inner_html(&self) -> String {
        self.inner.inner_html().unwrap_or_default()
    }

    #[qjs(rename = "outerHTML")]
    fn outer_html(&self) -> String {
        self.inner.outer_html()
    }

    fn id(&self) -> String {
        self.inner.attr("id").unwrap_or_default().to_owned()
    }

    #[qjs(rename = "className")]
    fn class_name(&self) -> String {
        self.inner.attr("class").unwrap_or_default().to_owned()
    }

    #[qjs(rename = "classList")]
    fn class_list(&self) -> Vec<String> {
        let classes = self.inner.attr("class").unwrap_or_default();
        classes.split_whitespace().map(ToOwned::to_owned).collect()
    }

    #[qjs(rename = "getAttribute")]
    fn get_attribute<'js>(&self, ctx: Ctx<'js>, name: String) -> Result<Value<'js>> {
        match self.inner.attr(&name) {
            Some(value) => value.into_js(&ctx),
            None => Ok(Value::new_undefined(ctx)),
        }
    }

    #[qjs(rename = "hasAttribute")]
    fn has_attribute(&self, name: String) -> bool {
        self.inner.attr(&name).is_some()
    }

    #[qjs(rename = "hasAttributes")]
    fn has_attributes(&self) -> bool {
        !self.inner.attrs().is_empty()
    }

    /// Name → `{ name, value }`.
    fn attributes<'js>(&self, ctx: Ctx<'js>) -> Result<Object<'js>> {
        let object = Object::new(ctx.clone())?;
        for (name, value) in self.inner.attrs() {
            let attribute = Object::new(ctx.clone())?;
            attribute.set("name", name.as_str())?;
            attribute.set("value", value)?;
            object.set(name, attribute)?;
        }
        Ok(object)
    }

    fn children<'js>(&self, ctx: Ctx<'js>) -> Result<Array<'js>> {
        list(&ctx, &self.inner.children(None))
    }

    #[qjs(rename = "childElementCount")]
    fn child_element_count(&self) -> usize {
        self.inner.children(None).len()
    }

    #[qjs(rename = "childNodes")]
    fn child_nodes<'js>(&self, ctx: Ctx<'js>) -> Result<Array<'js>> {
        list(&ctx, &self.inner.contents())
    }

    #[qjs(rename = "hasChildNodes")]
    fn has_child_nodes(&self) -> bool {
        self.inner.contents().len() > 0
    }

    #[qjs(rename = "firstChild")]
    fn first_child(&self) -> Option<Element> {
        one(self.inner.contents())
    }

    #[qjs(rename = "lastChild")]
    fn last_child(&self) -> Option<Element> {
        one(self.inner.contents().at(-1))
    }

    #[qjs(rename = "firstElementChild")]
    fn first_element_child(&self) -> Option<Element> {
        one(self.inner.children(None))
    }

    #[qjs(rename = "lastElementChild")]
    fn last_element_child(&self) -> Option<Element> {
        one(self.inner.children(None).at(-1))
    }

    #[qjs(rename = "nextSibling")]
    fn next_sibling(&self) -> Option<Element> {
        self.neighbour(NEXT)
    }

    #[qjs(rename = "previousSibling")]
    fn previous_sibling(&self) -> Option<Element> {
        self.neighbour(PREVIOUS)
    }

    #[qjs(rename = "nextElementSibling")]
    fn next_element_sibling(&self) -> Option<Element> {
        self.nearest(NEXT)
    }

    #[qjs(rename = "previousElementSibling")]
    fn previous_element_sibling(&self) -> Option<Element> {
        self.nearest(PREVIOUS)
    }

    #[qjs(rename = "parentNode")]
    fn parent_node(&self) -> Option<Element> {
        self.neighbour(UP)
    }

    #[qjs(rename = "parentElement")]
    fn parent_element(&self) -> Option<Element> {
        self.nearest(UP)
    }

    fn matches(&self, ctx: Ctx<'_>, selector: String) -> Result<bool> {
        Ok(self.inner.filter(&css(&ctx, &selector)?, true).len() > 0)
    }

    #[qjs(rename = "querySelector")]
    fn query_selector(&self, ctx: Ctx<'_>, selector: String) -> Result<Option<Element>> {
        Ok(one(self.inner.find(&css(&ctx, &selector)?)))
    }

    #[qjs(rename = "querySelectorAll")]
    fn query_selector_all<'js>(&self, ctx: Ctx<'js>, selector: String) -> Result<Array<'js>> {
        list(&ctx, &self.inner.find(&css(&ctx, &selector)?))
    }

    fn contains<'js>(&self, ctx: Ctx<'js>, other: Value<'js>) -> bool {
        Class::<Element>::from_js(&ctx, other).is_ok_and(|other| self.inner.contains(&other.borrow().inner))
    }

    #[qjs(rename = "isSameNode")]
    fn is_same_node<'js>(&self, ctx: Ctx<'js>, other: Opt<Value<'js>>) -> bool {
        let other = other
            .0
            .and_then(|other| Class::<Element>::from_js(&ctx, other).ok());
        other.is_some_and(|other| self.inner.within(&other.borrow().inner, true).len() > 0)
    }

    #[qjs(rename = "isEqualNode")]
    fn is_equal_node<'js>(&self, ctx: Ctx<'js>, other: Opt<Value<'js>>) -> bool {
        let other = other
            .0
            .and_then(|other| Class::<Element>::from_js(&ctx, other).ok());
        other.is_some_and(|other| self.inner.outer_html() == other.borrow().inner.outer_html())
    }
}

/// A link as seen from `base`; one that cannot be resolved stays as it is.
pub fn absolute(base: &str, link: &str) -> String {
    let resolved = url::Url::parse(base).and_then(|base| base.join(link));
    resolved.map_or_else(|_| link.to_owned(), String::from)
}
