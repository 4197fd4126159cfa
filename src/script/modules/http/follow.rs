//! What a person would do with a page: `html()`, `submitForm()`, `clickLink()`.

use rquickjs::{Ctx, Exception, IntoJs, Object, Result, Value};

use super::{request, response::Response};
use crate::script::{
    host::Host,
    html,
    modules::html::{Selection, absolute},
};

/// The response's body as a page.
pub fn page(ctx: &Ctx<'_>, response: &Response) -> Result<Selection> {
    let text = String::from_utf8_lossy(response.content(ctx, "HTML")?);
    Selection::parse(ctx, &text, response.address())
}

fn text<'js>(given: Option<&Object<'js>>, key: &str) -> Result<Option<String>> {
    let text = given
        .map(|given| given.get::<_, Option<String>>(key))
        .transpose()?;
    Ok(text.flatten().filter(|text| !text.is_empty()))
}

fn find(ctx: &Ctx<'_>, page: &html::Selection, css: &str) -> Result<html::Selection> {
    let css = html::selector(css).map_err(|error| Exception::throw_syntax(ctx, &error.to_string()))?;
    Ok(page.find(&css))
}

fn params<'js>(given: Option<&Object<'js>>) -> Result<Option<Value<'js>>> {
    given.map_or(Ok(None), |given| given.get("params"))
}

/// Sends a form as a browser would: its fields as they stand, the button's name and value, then the fields given here.
pub fn submit_form<'js>(
    ctx: &Ctx<'js>,
    response: &Response,
    given: Option<Object<'js>>,
) -> Result<Value<'js>> {
    let host = Host::of(ctx)?;
    let given = given.as_ref();
    let css = text(given, "formSelector")?.unwrap_or_else(|| "form".to_owned());
    let form = find(ctx, &page(ctx, response)?.inner, &css)?.at(0);
    if form.len() == 0 {
        let message = format!(
            "submitForm(): there is no form `{css}` in the answer of {}",
            response.address()
        );
        return Err(Exception::throw_message(ctx, &message));
    }
    let values = Selection::from(form.clone()).serialize_object(ctx.clone())?;
    let css = text(given, "submitSelector")?.unwrap_or_else(|| "[type=\"submit\"]".to_owned());
    let button = find(ctx, &form, &css)?.at(0);
    if let (Some(name), Some(html::Value::One(value))) = (button.attr("name"), button.value()) {
        values.set(name, value)?;
    }
    if let Some(fields) = given
        .map(|given| given.get::<_, Option<Object>>("fields"))
        .transpose()?
        .flatten()
    {
        for entry in fields.props::<String, Value>() {
            let (name, value) = entry?;
            values.set(name, value)?;
        }
    }
    let method = form.attr("method").unwrap_or("get").to_ascii_uppercase();
    let address = absolute(response.address(), form.attr("action").unwrap_or_default());
    if method != "GET" {
        let url = address.into_js(ctx)?;
        return request(
            ctx,
            &host,
            &method,
            &url,
            Some(values.into_value()),
            params(given)?,
        );
    }
    let mut url = url::Url::parse(&address)
        .map_err(|error| Exception::throw_message(ctx, &format!("submitForm(): {address}: {error}")))?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for entry in values.props::<String, rquickjs::Coerced<String>>() {
        let (name, value) = entry?;
        pairs.push((name, value.0));
    }
    pairs.sort();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    let url = url.as_str().into_js(ctx)?;
    request(ctx, &host, "GET", &url, None, params(given)?)
}

/// Requests what a link of the page points at.
pub fn click_link<'js>(
    ctx: &Ctx<'js>,
    response: &Response,
    given: Option<Object<'js>>,
) -> Result<Value<'js>> {
    let host = Host::of(ctx)?;
    let given = given.as_ref();
    let css = text(given, "selector")?.unwrap_or_else(|| "a[href]".to_owned());
    let link = find(ctx, &page(ctx, response)?.inner, &css)?.at(0);
    let Some(href) = link.attr("href") else {
        let message = format!(
            "clickLink(): there is no link `{css}` in the answer of {}",
            response.address()
        );
        return Err(Exception::throw_message(ctx, &message));
    };
    let url = absolute(response.address(), href).into_js(ctx)?;
    request(ctx, &host, "GET", &url, None, params(given)?)
}
