//! The attributes of elements that the DOM shows as methods, each in the form that it has there.

use rquickjs::{Ctx, IntoJs, Result, Value};

use super::element::absolute;
use crate::script::html;

/// How an attribute is shown.
#[derive(Clone, Copy)]
enum Form {
    /// As it is; empty if it is not there.
    Text,
    /// Whether it is there.
    Flag,
    /// As a number, or this one.
    Number(i32),
    /// As an address, made absolute; empty if it is not there.
    Address,
    /// One of these, or else the first.
    OneOf(&'static [&'static str]),
    /// One of these, or else `null`.
    OneOrNull(&'static [&'static str]),
}

use Form::{Address, Flag, Number, OneOf, OneOrNull, Text};

const LINKS: &str = "a area";
const MEDIA: &str = "audio video";
const BUTTONS: &[&str] = &["submit", "button", "menu", "reset"];
const KINDS: &[&str] = &[
    "text",
    "button",
    "checkbox",
    "color",
    "date",
    "datetime-local",
    "email",
    "file",
    "hidden",
    "image",
    "month",
    "number",
    "password",
    "radio",
    "range",
    "reset",
    "search",
    "submit",
    "tel",
    "time",
    "url",
    "week",
];
/// How a form may be encoded; the first is what it is without a word.
pub const ENCODINGS: &[&str] = &[
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];
const ON_OFF: &[&str] = &["on", "off"];
const ORIGINS: &[&str] = &["anonymous", "use-credentials"];
const REFERRERS: &[&str] = &[
    "",
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "unsafe-url",
];

/// Of which elements, the method, the attribute behind it, and its form. The first row that fits counts; no element means
/// any.
const ATTRIBUTES: &[(&str, &str, &str, Form)] = &[
    (LINKS, "toString", "href", Address),
    (
        "iframe link img a area",
        "referrerPolicy",
        "referrerpolicy",
        OneOf(REFERRERS),
    ),
    (MEDIA, "preload", "preload", OneOf(&["auto", "metadata", "none"])),
    (
        "audio video img link",
        "crossOrigin",
        "crossorigin",
        OneOrNull(ORIGINS),
    ),
    ("img", "currentSrc", "src", Address),
    ("embed", "src", "src", Text),
    ("img", "height", "height", Number(0)),
    ("img", "width", "width", Number(0)),
    ("canvas", "height", "height", Number(150)),
    ("canvas", "width", "width", Number(150)),
    ("button", "type", "type", OneOf(BUTTONS)),
    ("input", "type", "type", OneOf(KINDS)),
    ("ol", "type", "type", OneOf(&["1", "a", "A", "i", "I"])),
    (
        "li",
        "type",
        "type",
        OneOf(&["", "1", "a", "A", "i", "I", "disc", "square", "circle"]),
    ),
    ("li", "value", "value", Number(0)),
    ("input data param pre textarea", "value", "value", Text),
    ("input textarea", "defaultValue", "value", Text),
    ("input", "maxLength", "maxlength", Number(-1)),
    ("textarea", "maxLength", "maxlength", Number(0)),
    ("input", "size", "size", Number(0)),
    ("input", "min", "min", Text),
    ("input", "max", "max", Text),
    ("meter", "min", "min", Number(0)),
    ("meter", "max", "max", Number(0)),
    (
        "th",
        "scope",
        "scope",
        OneOf(&["", "row", "col", "colgroup", "rowgroup"]),
    ),
    (
        "meta",
        "httpEquiv",
        "http-equiv",
        OneOf(&["content-type", "default-style", "refresh"]),
    ),
    (
        "track",
        "kind",
        "kind",
        OneOf(&["subtitle", "captions", "descriptions", "chapters", "metadata"]),
    ),
    ("optgroup track", "label", "label", Text),
    ("form", "action", "action", Address),
    ("object", "data", "data", Address),
    ("keygen", "keytype", "keytype", OneOf(&["RSA", "DSA", "EC"])),
    ("textarea", "wrap", "wrap", OneOf(&["soft", "hard", "off"])),
    (
        "textarea",
        "autocapitalize",
        "autocapitalize",
        OneOf(&["sentences", "none", "off", "characters", "words"]),
    ),
    ("", "href", "href", Address),
    ("", "src", "src", Address),
    ("", "currentSrc", "src", Text),
    ("", "name", "name", Text),
    ("", "type", "type", Text),
    ("", "crossOrigin", "crossorigin", Text),
    ("", "enctype", "enctype", OneOf(ENCODINGS)),
    ("", "encoding", "enctype", OneOf(ENCODINGS)),
    ("", "autocomplete", "autocomplete", OneOf(ON_OFF)),
    ("", "download", "download", Text),
    ("", "rel", "rel", Text),
    ("", "target", "target", Text),
    ("", "accessKey", "accesskey", Text),
    ("", "hrefLang", "hreflang", Text),
    ("", "hreflang", "hreflang", Text),
    ("", "media", "media", Text),
    ("", "mediaGroup", "mediagroup", Text),
    ("", "content", "content", Text),
    ("", "alt", "alt", Text),
    ("", "sizes", "sizes", Text),
    ("", "srcset", "srcset", Text),
    ("", "srclang", "srclang", Text),
    ("", "useMap", "usemap", Text),
    ("", "height", "height", Text),
    ("", "width", "width", Text),
    ("", "accept", "accept", Text),
    ("", "acceptCharset", "accept-charset", Text),
    ("", "pattern", "pattern", Text),
    ("", "placeholder", "placeholder", Text),
    ("", "dirName", "dirname", Text),
    ("", "step", "step", Text),
    ("", "challenge", "challenge", Text),
    ("", "htmlFor", "for", Text),
    ("", "cite", "cite", Text),
    ("", "datetime", "datetime", Text),
    ("", "charset", "charset", Text),
    ("", "keySystem", "keysystem", Text),
    ("", "headers", "headers", Text),
    ("", "abbr", "abbr", Text),
    ("", "autoplay", "autoplay", Flag),
    ("", "controls", "controls", Flag),
    ("", "loop", "loop", Flag),
    ("", "muted", "muted", Flag),
    ("", "defaultMuted", "muted", Flag),
    ("", "autofocus", "autofocus", Flag),
    ("", "required", "required", Flag),
    ("", "checked", "checked", Flag),
    ("", "defaultChecked", "checked", Flag),
    ("", "readonly", "readonly", Flag),
    ("", "readOnly", "readonly", Flag),
    ("", "multiple", "multiple", Flag),
    ("", "selected", "selected", Flag),
    ("", "defaultSelected", "selected", Flag),
    ("", "noValidate", "novalidate", Flag),
    ("", "isMap", "ismap", Flag),
    ("", "allowfullscreen", "allowfullscreen", Flag),
    ("", "typeMustMatch", "typemustmatch", Flag),
    ("", "reversed", "reversed", Flag),
    ("", "async", "async", Flag),
    ("", "defer", "defer", Flag),
    ("", "noModule", "nomodule", Flag),
    ("", "sortable", "sortable", Flag),
    ("", "sorted", "sorted", Flag),
    ("", "default", "default", Flag),
    ("", "tabIndex", "tabindex", Number(0)),
    ("", "start", "start", Number(0)),
    ("", "high", "high", Number(0)),
    ("", "low", "low", Number(0)),
    ("", "optimum", "optimum", Number(0)),
    ("", "rows", "rows", Number(0)),
    ("", "cols", "cols", Number(0)),
    ("", "colSpan", "colspan", Number(1)),
    ("", "rowSpan", "rowspan", Number(1)),
];

/// The methods that there are attributes behind.
pub fn methods() -> impl Iterator<Item = &'static str> {
    ATTRIBUTES.iter().map(|(_, name, ..)| *name)
}

/// What the attribute behind a method says.
pub fn attribute<'js>(ctx: &Ctx<'js>, element: &html::Selection, method: &str) -> Result<Value<'js>> {
    let tag = element.node_name();
    let fits = |tags: &str| tags.is_empty() || tags.split(' ').any(|known| known == tag);
    let row = ATTRIBUTES
        .iter()
        .find(|(tags, name, ..)| *name == method && fits(tags));
    let Some((_, _, name, form)) = row else {
        let value = if method == "toString" {
            tag.into_js(ctx)?
        } else {
            Value::new_undefined(ctx.clone())
        };
        return Ok(value);
    };
    let text = element.attr(name);
    match form {
        Text => text.unwrap_or_default().into_js(ctx),
        Flag => text.is_some().into_js(ctx),
        Number(other) => text
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(*other)
            .into_js(ctx),
        Address if tag == "base" && text.is_none() => element.url().into_js(ctx),
        Address => text
            .map(|text| absolute(element.url(), text))
            .unwrap_or_default()
            .into_js(ctx),
        OneOf(known) => known
            .iter()
            .find(|one| Some(**one) == text)
            .or(known.first())
            .copied()
            .unwrap_or_default()
            .into_js(ctx),
        OneOrNull(known) => match known.iter().find(|one| Some(**one) == text) {
            Some(one) => (*one).into_js(ctx),
            None => Ok(Value::new_null(ctx.clone())),
        },
    }
}
