//! What `handleSummary` returns: files by their paths.

use rquickjs::{Ctx, Value};

/// What `handleSummary` wants written: path (or `stdout`, `stderr`) and content.
pub type Files = Vec<(String, Vec<u8>)>;

/// Reads what `handleSummary` returned.
pub(super) fn files<'js>(ctx: &Ctx<'js>, result: &Value<'js>) -> rquickjs::Result<Files> {
    let wrong = |what: &str| {
        let message = format!("handleSummary() must return a map of path to string or ArrayBuffer: {what}");
        rquickjs::Exception::throw_type(ctx, &message)
    };
    let mut out = Files::new();
    if result.is_undefined() || result.is_null() {
        return Ok(out);
    }
    let Some(map) = result.as_object() else {
        return Err(wrong("it returned no object"));
    };
    for entry in map.props::<String, Value>() {
        let (path, content) = entry?;
        let bytes = match content.as_string() {
            Some(text) => text.to_string()?.into_bytes(),
            None => super::bytes::bytes_of(&content).ok_or_else(|| wrong(&format!("`{path}` is neither")))?,
        };
        out.push((path, bytes));
    }
    Ok(out)
}
