//! What the DOM has for certain elements only: a link's address in parts, a form's fields, a list's entries.
//!
//! The methods are there for every element, and answer `undefined` where the dialect's element has none.

use rquickjs::{Class, Ctx, Function, IntoJs, Object, Result, Value, function::This, object::Property};
use url::{Position, Url};

use super::{
    attributes::{ENCODINGS, attribute, methods},
    element::{Element, absolute, list, one},
    value_of,
};
use crate::script::html::{self, UP};

/// Methods that look further than at one attribute; they come before those that do not.
const METHODS: &[&str] = &[
    "hash",
    "host",
    "hostname",
    "port",
    "username",
    "password",
    "origin",
    "pathname",
    "protocol",
    "search",
    "relList",
    "text",
    "form",
    "formAction",
    "formEnctype",
    "formMethod",
    "formNoValidate",
    "formTarget",
    "labels",
    "elements",
    "length",
    "method",
    "list",
    "control",
    "areas",
    "images",
    "disabled",
    "index",
    "label",
    "value",
    "options",
    "selectedIndex",
    "selectedOptions",
    "size",
    "type",
    "max",
    "position",
    "caption",
    "tHead",
    "tFoot",
    "tBodies",
    "rows",
    "cells",
    "cellIndex",
    "rowIndex",
    "sectionRowIndex",
    "validity",
];

/// Gives the elements of this virtual user these methods, once.
pub fn install(ctx: &Ctx<'_>) -> Result<()> {
    let Some(prototype) = Class::<Element>::prototype(ctx)? else {
        return Ok(());
    };
    if prototype.contains_key("relList")? {
        return Ok(());
    }
    for name in METHODS.iter().copied().chain(methods()) {
        define(ctx, &prototype, name)?;
    }
    Ok(())
}

fn define<'js>(ctx: &Ctx<'js>, prototype: &Object<'js>, name: &'static str) -> Result<()> {
    let answer = move |ctx: Ctx<'js>, this: This<Class<'js, Element>>| {
        let element = this.0.borrow().inner.clone();
        match answer(&ctx, &element, name)? {
            Some(value) => Ok(value),
            None => attribute(&ctx, &element, name),
        }
    };
    let function = Function::new(ctx.clone(), answer)?.with_name(name)?;
    prototype.prop(name, Property::from(function).writable().configurable())
}

/// The answers that take more than an attribute; `None` where there is none of these for the element.
fn answer<'js>(ctx: &Ctx<'js>, element: &html::Selection, method: &str) -> Result<Option<Value<'js>>> {
    let below = |css: &str| find(element, css);
    let whole = |css: &str| find(&element.document(), css);
    let above = |css: &str| all_above(element, css);
    let lists = |found: html::Selection| Ok(Some(list(ctx, &found)?.into_value()));
    let first = |found: html::Selection| Ok(Some(or_undefined(ctx, found)?));
    let number = |number: f64| Ok(Some(Value::new_number(ctx.clone(), number)));
    let place = |all: html::Selection| {
        let place = all.place_of(element);
        number(place.map_or(-1.0, |place| place as f64))
    };
    let text = |text: &str| Ok(Some(text.into_js(ctx)?));
    match (element.node_name(), method) {
        ("a" | "area" | "script" | "option", "text") | ("output", "value" | "defaultValue") => {
            text(&element.text())
        }
        ("a" | "area" | "link", "relList") => {
            let words = element.attr("rel").unwrap_or_default().split_whitespace();
            Ok(Some(words.collect::<Vec<_>>().into_js(ctx)?))
        }
        ("a" | "area", _) => match part(element, method) {
            Some(part) => text(&part),
            None => Ok(None),
        },
        ("option", "disabled") => {
            let group = above("optgroup");
            let off = element.attr("disabled").or_else(|| group.attr("disabled"));
            Ok(Some(Value::new_bool(ctx.clone(), off.is_some())))
        }
        (_, "disabled") => Ok(Some(Value::new_bool(
            ctx.clone(),
            element.attr("disabled").is_some(),
        ))),
        ("option", "index") => {
            let holder = above("select, datalist");
            if holder.len() == 0 {
                return number(0.0);
            }
            place(find(&holder, "option"))
        }
        ("option", "label") => match element.attr("label") {
            Some(label) => text(label),
            None => text(&element.text()),
        },
        ("option", "form") => {
            let form = above("form");
            if form.len() > 0 {
                return first(form);
            }
            match above("select").attr("form") {
                Some(id) => first(whole(&format!("form{}", by_id(id)))),
                None => Ok(Some(undefined(ctx))),
            }
        }
        ("option" | "select", "value") => Ok(Some(value_of(ctx, element.value())?)),
        ("button", "value") => match element.attr("value") {
            Some(value) => text(value),
            None => text(&element.inner_html().unwrap_or_default()),
        },
        ("output", "type") => text("output"),
        ("fieldset", "type") => text("fieldset"),
        ("keygen", "type") => text("keygen"),
        ("textarea", "type") => text("textarea"),
        ("style", "type") => text(
            element
                .attr("type")
                .filter(|kind| !kind.is_empty())
                .unwrap_or("text/css"),
        ),
        ("select", "type") => text(if element.attr("multiple").is_some() {
            "select-multiple"
        } else {
            "select"
        }),
        ("select", "size") => number(if element.attr("multiple").is_some() {
            4.0
        } else {
            1.0
        }),
        ("select", "length") => number(below("option").len() as f64),
        ("select" | "datalist", "options") => lists(below("option")),
        ("select", "selectedOptions") => lists(below("option[selected]")),
        ("select", "selectedIndex") => {
            let place = below("option").place_of(&below("option[selected]"));
            number(place.map_or(-1.0, |place| place as f64))
        }
        ("form", "elements") => lists(below("input, select, button, textarea, fieldset")),
        ("form", "length") => number(below("input, select, button, textarea, fieldset").len() as f64),
        ("form", "method") => text(if element.attr("method") == Some("post") {
            "post"
        } else {
            "get"
        }),
        ("fieldset", "elements") => lists(below("input, select, button, textarea")),
        ("label", "control") => match element.attr("for") {
            Some(id) => first(whole(&by_id(id))),
            None => Ok(Some(undefined(ctx))),
        },
        ("input", "list") => {
            let lists = !matches!(
                element.attr("type"),
                Some("hidden" | "checkbox" | "radio" | "file" | "button")
            );
            match element.attr("list").filter(|id| lists && !id.is_empty()) {
                Some(id) => first(whole(&format!("datalist{}", by_id(id)))),
                None => Ok(Some(undefined(ctx))),
            }
        }
        ("map", "areas") => lists(below("area")),
        ("map", "images") => match element.attr("id").or_else(|| element.attr("name")) {
            Some(name) => {
                let name = quoted(&format!("#{name}"));
                lists(whole(&format!("img[usemap={name}], object[usemap={name}]")))
            }
            None => lists(element.slice(0, Some(0))),
        },
        ("progress", "max") => number(progress(element).1),
        ("progress", "value") => number(progress(element).0.unwrap_or(0.0)),
        ("progress", "position") => number(progress(element).0.unwrap_or(-1.0)),
        ("table", "caption") => first(children(element, "caption")),
        ("table", "tHead") => first(children(element, "thead")),
        ("table", "tFoot") => first(children(element, "tfoot")),
        ("table", "tBodies") => lists(below("tbody")),
        ("table" | "thead" | "tbody" | "tfoot", "rows") => lists(below("tr")),
        ("tr", "cells") => lists(below("th, td")),
        ("td" | "th", "cellIndex") => place(find(&above("tr").at(0), "th, td")),
        ("tr", "rowIndex") => place(find(&above("table").at(0), "tr")),
        ("tr", "sectionRowIndex") => place(find(&above("thead, tbody, tfoot").at(0), "tr")),
        (_, "labels") => {
            let around = closest(element, "label");
            match element.attr("id").filter(|id| !id.is_empty()) {
                Some(id) => lists(around.join(&whole(&format!("label[for={}]", quoted(id))))),
                None => lists(around),
            }
        }
        (_, "form") => first(owner(element)),
        (_, "formAction") => {
            let action = of_form(element, "action").filter(|action| !action.is_empty());
            text(&action.map_or_else(
                || element.url().to_owned(),
                |action| absolute(element.url(), &action),
            ))
        }
        (_, "formEnctype") => {
            let kind = of_form(element, "enctype").unwrap_or_default();
            text(
                ENCODINGS
                    .iter()
                    .copied()
                    .find(|known| *known == kind)
                    .unwrap_or(ENCODINGS[0]),
            )
        }
        (_, "formMethod") => {
            let post = of_form(element, "method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
            text(if post { "post" } else { "get" })
        }
        (_, "formNoValidate") => Ok(Some(Value::new_bool(
            ctx.clone(),
            of_form(element, "novalidate").is_some(),
        ))),
        (_, "formTarget") => text(&of_form(element, "target").unwrap_or_default()),
        _ => Ok(None),
    }
}

/// A part of a link's address, as the dialect cuts it; `None` for what is no part.
fn part(element: &html::Selection, method: &str) -> Option<String> {
    let href = element.attr("href").map(|href| absolute(element.url(), href));
    let url = href.and_then(|href| Url::parse(&href).ok());
    let of = |cut: &dyn Fn(&Url) -> String| Some(url.as_ref().map(cut).unwrap_or_default());
    match method {
        "hash" => of(&|url| {
            url.fragment()
                .filter(|f| !f.is_empty())
                .map_or_else(String::new, |f| format!("#{f}"))
        }),
        "host" => of(&|url| url[Position::BeforeHost..Position::AfterPort].to_owned()),
        "hostname" => of(&|url| url.host_str().unwrap_or_default().to_owned()),
        "port" => of(&|url| url.port().map(|port| port.to_string()).unwrap_or_default()),
        "username" => of(&|url| url.username().to_owned()),
        "password" => of(&|url| url.password().unwrap_or_default().to_owned()),
        "origin" => of(&|url| {
            format!(
                "{}://{}",
                url.scheme(),
                &url[Position::BeforeHost..Position::AfterPort]
            )
        }),
        "pathname" => of(&|url| url.path().to_owned()),
        "protocol" => Some(
            url.as_ref()
                .map_or_else(|| ":".to_owned(), |url| url.scheme().to_owned()),
        ),
        "search" => of(&|url| {
            url.query()
                .filter(|q| !q.is_empty())
                .map_or_else(String::new, |q| format!("?{q}"))
        }),
        _ => None,
    }
}

/// How far a progress bar is, if it says so, and its end.
fn progress(element: &html::Selection) -> (Option<f64>, f64) {
    let number = |name| {
        let number: Option<f64> = element.attr(name).and_then(|text| text.parse().ok());
        number.filter(|number| *number >= 0.0)
    };
    let max = number("max").unwrap_or(1.0);
    (number("value").map(|value| value / max), max)
}

/// What a field says of its form, or else its form itself.
fn of_form(element: &html::Selection, name: &str) -> Option<String> {
    let own = element.attr(&format!("form{name}"));
    own.map(str::to_owned)
        .or_else(|| owner(element).attr(name).map(str::to_owned))
}

/// The form that an element belongs to.
fn owner(element: &html::Selection) -> html::Selection {
    let around = closest(element, "form");
    match element.attr("form").filter(|id| !id.is_empty()) {
        Some(id) if around.len() == 0 => find(&element.document(), &by_id(id)),
        _ => around,
    }
}

/// A selector of an element by its id, whatever characters that has.
fn by_id(id: &str) -> String {
    format!("[id={}]", quoted(id))
}

/// A text as CSS quotes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\a "),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn find(from: &html::Selection, css: &str) -> html::Selection {
    html::selector(css).map_or_else(|_| from.slice(0, Some(0)), |css| from.find(&css))
}

fn closest(from: &html::Selection, css: &str) -> html::Selection {
    html::selector(css).map_or_else(|_| from.slice(0, Some(0)), |css| from.closest(&css))
}

fn all_above(from: &html::Selection, css: &str) -> html::Selection {
    html::selector(css).map_or_else(|_| from.slice(0, Some(0)), |css| from.all(UP, Some(&css), None))
}

fn children(from: &html::Selection, css: &str) -> html::Selection {
    html::selector(css).map_or_else(|_| from.slice(0, Some(0)), |css| from.children(Some(&css)))
}

fn or_undefined<'js>(ctx: &Ctx<'js>, found: html::Selection) -> Result<Value<'js>> {
    match one(found) {
        Some(element) => Ok(Class::instance(ctx.clone(), element)?.into_value()),
        None => Ok(undefined(ctx)),
    }
}

fn undefined<'js>(ctx: &Ctx<'js>) -> Value<'js> {
    Value::new_undefined(ctx.clone())
}
