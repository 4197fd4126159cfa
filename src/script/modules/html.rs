//! The module `k6/html`, and what `response.html()` returns: selections of a page's elements.

mod attributes;
mod element;
mod typed;

use rquickjs::{
    Array, Class, Coerced, Ctx, Exception, FromJs, Function, IntoJs, JsLifetime, Object, Result, Value,
    class::Trace,
    function::Opt,
    module::{Declarations, Exports, ModuleDef},
};

use self::element::Element;
pub use self::element::absolute;
use super::Shelf;
use crate::script::{
    host::Host,
    html::{self, NEXT, PREVIOUS, Selector, Step, UP},
};

/// The module `k6/html`.
pub struct HtmlModule;

impl ModuleDef for HtmlModule {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        declare.declare("parseHTML")?.declare("default")?;
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        shelf.function("parseHTML", |ctx: Ctx<'js>, text: Coerced<String>| {
            Selection::parse(&ctx, &text.0, "")
        })?;
        shelf.finish()
    }
}

/// Elements of a page.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct Selection {
    #[qjs(skip_trace)]
    pub inner: html::Selection,
}

/// What narrows a selection: a CSS selector, a function of index and element, or another selection.
enum Filter<'js> {
    Css(Selector),
    Function(Function<'js>),
    Selection(html::Selection),
}

impl Selection {
    /// The whole of a page that came from `url`.
    pub fn parse(ctx: &Ctx<'_>, text: &str, url: &str) -> Result<Selection> {
        typed::install(ctx)?;
        Ok(Selection {
            inner: html::Selection::parse(text, url),
        })
    }

    fn narrowed<'js>(&self, ctx: &Ctx<'js>, filter: Value<'js>, keep: bool) -> Result<Selection> {
        Ok(match filter_of(ctx, filter)? {
            Filter::Css(selector) => self.inner.filter(&selector, keep),
            Filter::Selection(other) => self.inner.within(&other, keep),
            Filter::Function(function) => {
                let mut kept = self.inner.slice(0, Some(0));
                for (index, one) in self.inner.each().enumerate() {
                    let verdict: Coerced<bool> = function.call((index, Selection::from(one.clone())))?;
                    if verdict.0 == keep {
                        kept = kept.join(&one);
                    }
                }
                kept
            }
        }
        .into())
    }

    fn nearest(&self, ctx: &Ctx<'_>, step: Step, selector: Opt<Option<String>>) -> Result<Selection> {
        Ok(self.inner.nearest(step, optional(ctx, selector)?.as_ref()).into())
    }

    fn all(&self, ctx: &Ctx<'_>, step: Step, selector: Opt<Option<String>>) -> Result<Selection> {
        Ok(self
            .inner
            .all(step, optional(ctx, selector)?.as_ref(), None)
            .into())
    }

    fn until(
        &self,
        ctx: &Ctx<'_>,
        step: Step,
        until: Opt<Option<String>>,
        selector: Opt<Option<String>>,
    ) -> Result<Selection> {
        let (until, selector) = (optional(ctx, until)?, optional(ctx, selector)?);
        Ok(self.inner.all(step, selector.as_ref(), until.as_ref()).into())
    }
}

impl From<html::Selection> for Selection {
    fn from(inner: html::Selection) -> Selection {
        Selection { inner }
    }
}

/// Reads a CSS selector. As in the dialect one that cannot be read selects nothing; here that is said, once.
fn css(ctx: &Ctx<'_>, text: &str) -> Result<Selector> {
    match html::selector(text) {
        Ok(selector) => Ok(selector),
        Err(error) => {
            let message = format!("{error}: it selects nothing (said once)");
            Host::of(ctx)?.workshop.warn_once(&message, || message.clone());
            Ok(Selector::default())
        }
    }
}

fn optional(ctx: &Ctx<'_>, text: Opt<Option<String>>) -> Result<Option<Selector>> {
    let text = text.0.flatten().filter(|text| !text.is_empty());
    text.map(|text| css(ctx, &text)).transpose()
}

fn filter_of<'js>(ctx: &Ctx<'js>, filter: Value<'js>) -> Result<Filter<'js>> {
    if let Some(text) = filter.as_string() {
        return Ok(Filter::Css(css(ctx, &text.to_string()?)?));
    }
    if let Some(function) = filter.as_function() {
        return Ok(Filter::Function(function.clone()));
    }
    if let Ok(selection) = Class::<Selection>::from_js(ctx, filter.clone()) {
        return Ok(Filter::Selection(selection.borrow().inner.clone()));
    }
    match Class::<Element>::from_js(ctx, filter) {
        Ok(element) => Ok(Filter::Selection(element.borrow().inner.clone())),
        Err(_) => Err(Exception::throw_type(
            ctx,
            "a selection is narrowed by a CSS selector, a function or another selection",
        )),
    }
}

/// What is looked for: a CSS selector, or certain elements.
enum Wanted {
    Css(Selector),
    Selection(html::Selection),
}

fn wanted_of<'js>(ctx: &Ctx<'js>, wanted: Value<'js>) -> Result<Wanted> {
    if !wanted.is_object() {
        let text = Coerced::<String>::from_js(ctx, wanted)?.0;
        return Ok(Wanted::Css(css(ctx, &text)?));
    }
    match filter_of(ctx, wanted)? {
        Filter::Selection(selection) => Ok(Wanted::Selection(selection)),
        _ => Err(Exception::throw_type(
            ctx,
            "a CSS selector, a selection or an element is looked for, not a function",
        )),
    }
}

/// A form value for scripts.
fn value_of<'js>(ctx: &Ctx<'js>, value: Option<html::Value>) -> Result<Value<'js>> {
    match value {
        Some(html::Value::One(text)) => text.into_js(ctx),
        Some(html::Value::Many(texts)) => texts.into_js(ctx),
        None => Ok(Value::new_undefined(ctx.clone())),
    }
}

#[rquickjs::methods]
impl Selection {
    fn size(&self) -> usize {
        self.inner.len()
    }

    #[qjs(get)]
    fn length(&self) -> usize {
        self.inner.len()
    }

    fn find<'js>(&self, ctx: Ctx<'js>, wanted: Value<'js>) -> Result<Selection> {
        Ok(match wanted_of(&ctx, wanted)? {
            Wanted::Css(selector) => self.inner.find(&selector),
            Wanted::Selection(other) => self.inner.find_in(&other),
        }
        .into())
    }

    /// The first of what `find` finds.
    fn single<'js>(&self, ctx: Ctx<'js>, wanted: Value<'js>) -> Result<Selection> {
        Ok(self.find(ctx, wanted)?.inner.at(0).into())
    }

    fn filter<'js>(&self, ctx: Ctx<'js>, filter: Value<'js>) -> Result<Selection> {
        self.narrowed(&ctx, filter, true)
    }

    fn not<'js>(&self, ctx: Ctx<'js>, filter: Value<'js>) -> Result<Selection> {
        self.narrowed(&ctx, filter, false)
    }

    fn is<'js>(&self, ctx: Ctx<'js>, filter: Value<'js>) -> Result<bool> {
        Ok(self.narrowed(&ctx, filter, true)?.inner.len() > 0)
    }

    fn has<'js>(&self, ctx: Ctx<'js>, wanted: Value<'js>) -> Result<Selection> {
        Ok(match wanted_of(&ctx, wanted)? {
            Wanted::Css(selector) => self.inner.having(&selector),
            Wanted::Selection(other) => self.inner.having_in(&other),
        }
        .into())
    }

    fn add<'js>(&self, ctx: Ctx<'js>, more: Value<'js>) -> Result<Selection> {
        match filter_of(&ctx, more)? {
            Filter::Css(selector) => {
                let page = self.inner.all(UP, None, None);
                Ok(self.inner.join(&page.find(&selector)).into())
            }
            Filter::Selection(more) => Ok(self.inner.join(&more).into()),
            Filter::Function(_) => Err(Exception::throw_type(
                &ctx,
                "add() takes a CSS selector or a selection",
            )),
        }
    }

    fn eq(&self, index: Coerced<f64>) -> Selection {
        self.inner.at(index.0 as i64).into()
    }

    fn first(&self) -> Selection {
        self.inner.at(0).into()
    }

    fn last(&self) -> Selection {
        self.inner.at(-1).into()
    }

    fn slice(&self, start: Opt<Option<Coerced<f64>>>, end: Opt<Option<Coerced<f64>>>) -> Selection {
        let whole = |at: Opt<Option<Coerced<f64>>>| at.0.flatten().map(|at| at.0 as i64);
        self.inner.slice(whole(start).unwrap_or(0), whole(end)).into()
    }

    /// The element at an index, or all of them.
    fn get<'js>(&self, ctx: Ctx<'js>, index: Opt<Option<Coerced<f64>>>) -> Result<Value<'js>> {
        match index.0.flatten() {
            Some(index) => {
                let found = self.inner.at(index.0 as i64);
                if found.len() == 0 {
                    return Ok(Value::new_undefined(ctx));
                }
                Class::instance(ctx, Element::from(found)).map(Class::into_value)
            }
            None => element::list(&ctx, &self.inner).map(Array::into_value),
        }
    }

    #[qjs(rename = "toArray")]
    fn to_array<'js>(&self, ctx: Ctx<'js>) -> Result<Array<'js>> {
        let array = Array::new(ctx.clone())?;
        for (index, one) in self.inner.each().enumerate() {
            array.set(index, Class::instance(ctx.clone(), Selection::from(one))?)?;
        }
        Ok(array)
    }

    fn each<'js>(&self, function: Function<'js>) -> Result<Selection> {
        for (index, one) in self.inner.each().enumerate() {
            function.call::<_, Value>((index, Element::from(one)))?;
        }
        Ok(self.inner.clone().into())
    }

    /// What a function returns for each, as text; as in the dialect nothing where it throws.
    fn map<'js>(&self, ctx: Ctx<'js>, function: Function<'js>) -> Result<Array<'js>> {
        let array = Array::new(ctx.clone())?;
        let host = Host::of(&ctx)?;
        for (index, one) in self.inner.each().enumerate() {
            let text = function.call::<_, Coerced<String>>((index, Selection::from(one)));
            let text = match text {
                Err(rquickjs::Error::Exception) if !host.bridge.cancelled() => {
                    ctx.catch();
                    String::new()
                }
                text => text?.0,
            };
            array.set(index, text)?;
        }
        Ok(array)
    }

    fn attr<'js>(&self, ctx: Ctx<'js>, name: String, fallback: Opt<Value<'js>>) -> Result<Value<'js>> {
        match self.inner.attr(&name) {
            Some(value) => value.into_js(&ctx),
            None => Ok(fallback.0.unwrap_or_else(|| Value::new_undefined(ctx))),
        }
    }

    fn text(&self) -> String {
        self.inner.text()
    }

    fn html(&self) -> Option<String> {
        self.inner.inner_html()
    }

    fn val<'js>(&self, ctx: Ctx<'js>) -> Result<Value<'js>> {
        value_of(&ctx, self.inner.value())
    }

    /// A `data-` attribute, as JSON where it is that, or all of them.
    fn data<'js>(&self, ctx: Ctx<'js>, key: Opt<Option<String>>) -> Result<Value<'js>> {
        let parsed = |text: &str| -> Result<Value<'js>> {
            match serde_json::from_str::<serde_json::Value>(text) {
                Ok(_) => ctx.json_parse(text),
                Err(_) => text.into_js(&ctx),
            }
        };
        if let Some(key) = key.0.flatten() {
            return match self.inner.attr(&format!("data-{}", dashed(&key))) {
                Some(text) => parsed(text),
                None => Ok(Value::new_undefined(ctx.clone())),
            };
        }
        let object = Object::new(ctx.clone())?;
        for (name, value) in self.inner.attrs() {
            if let Some(key) = name.strip_prefix("data-") {
                object.set(camel(key), parsed(&value)?)?;
            }
        }
        Ok(object.into_value())
    }

    fn children(&self, ctx: Ctx<'_>, selector: Opt<Option<String>>) -> Result<Selection> {
        Ok(self.inner.children(optional(&ctx, selector)?.as_ref()).into())
    }

    fn contents(&self) -> Selection {
        self.inner.contents().into()
    }

    fn siblings(&self, ctx: Ctx<'_>, selector: Opt<Option<String>>) -> Result<Selection> {
        Ok(self.inner.siblings(optional(&ctx, selector)?.as_ref()).into())
    }

    fn closest<'js>(&self, ctx: Ctx<'js>, wanted: Value<'js>) -> Result<Selection> {
        Ok(match wanted_of(&ctx, wanted)? {
            Wanted::Css(selector) => self.inner.closest(&selector),
            Wanted::Selection(other) => self.inner.closest_in(&other),
        }
        .into())
    }

    /// The place of the first element among its siblings, or among what a selector finds; or the place in this selection
    /// of an element. -1 if it has none.
    fn index<'js>(&self, ctx: Ctx<'js>, wanted: Opt<Value<'js>>) -> Result<f64> {
        let place = match wanted.0 {
            None => {
                let first = self.inner.at(0);
                first.nearest(UP, None).children(None).place_of(&first)
            }
            Some(wanted) => match wanted_of(&ctx, wanted)? {
                Wanted::Css(selector) => self.inner.document().find(&selector).place_of(&self.inner),
                Wanted::Selection(other) => self.inner.place_of(&other),
            },
        };
        Ok(place.map_or(-1.0, |place| place as f64))
    }

    fn parent(&self, ctx: Ctx<'_>, selector: Opt<Option<String>>) -> Result<Selection> {
        self.nearest(&ctx, UP, selector)
    }

    fn parents(&self, ctx: Ctx<'_>, selector: Opt<Option<String>>) -> Result<Selection> {
        self.all(&ctx, UP, selector)
    }

    #[qjs(rename = "parentsUntil")]
    fn parents_until(
        &self,
        ctx: Ctx<'_>,
        until: Opt<Option<String>>,
        selector: Opt<Option<String>>,
    ) -> Result<Selection> {
        self.until(&ctx, UP, until, selector)
    }

    fn next(&self, ctx: Ctx<'_>, selector: Opt<Option<String>>) -> Result<Selection> {
        self.nearest(&ctx, NEXT, selector)
    }

    #[qjs(rename = "nextAll")]
    fn next_all(&self, ctx: Ctx<'_>, selector: Opt<Option<String>>) -> Result<Selection> {
        self.all(&ctx, NEXT, selector)
    }

    #[qjs(rename = "nextUntil")]
    fn next_until(
        &self,
        ctx: Ctx<'_>,
        until: Opt<Option<String>>,
        selector: Opt<Option<String>>,
    ) -> Result<Selection> {
        self.until(&ctx, NEXT, until, selector)
    }

    fn prev(&self, ctx: Ctx<'_>, selector: Opt<Option<String>>) -> Result<Selection> {
        self.nearest(&ctx, PREVIOUS, selector)
    }

    #[qjs(rename = "prevAll")]
    fn prev_all(&self, ctx: Ctx<'_>, selector: Opt<Option<String>>) -> Result<Selection> {
        self.all(&ctx, PREVIOUS, selector)
    }

    #[qjs(rename = "prevUntil")]
    fn prev_until(
        &self,
        ctx: Ctx<'_>,
        until: Opt<Option<String>>,
        selector: Opt<Option<String>>,
    ) -> Result<Selection> {
        self.until(&ctx, PREVIOUS, until, selector)
    }

    /// The form's fields as the body of a request.
    fn serialize(&self) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for field in self.inner.fields() {
            form.append_pair(&field.name, &field.value);
        }
        form.finish()
    }

    #[qjs(rename = "serializeArray")]
    fn serialize_array<'js>(&self, ctx: Ctx<'js>) -> Result<Array<'js>> {
        let array = Array::new(ctx.clone())?;
        for (index, field) in self.inner.fields().into_iter().enumerate() {
            let object = Object::new(ctx.clone())?;
            object.set("name", field.name)?;
            object.set("value", field.value)?;
            array.set(index, object)?;
        }
        Ok(array)
    }

    /// The form's fields by name; the last value of a name counts.
    #[qjs(rename = "serializeObject")]
    pub fn serialize_object<'js>(&self, ctx: Ctx<'js>) -> Result<Object<'js>> {
        let object = Object::new(ctx)?;
        for field in self.inner.fields() {
            object.set(field.name, field.value)?;
        }
        Ok(object)
    }
}

/// `fooBar` → `foo-bar`.
fn dashed(key: &str) -> String {
    let mut out = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// `foo-bar` → `fooBar`.
fn camel(key: &str) -> String {
    let mut parts = key.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut out, part| {
        let mut chars = part.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
        out
    })
}
