//! Files for `k6/experimental/fs` and `csv`: read once, held once for all virtual users.

use bytes::Bytes;
use rquickjs::{ArrayBuffer, Ctx, Exception, Result};

use crate::script::host::{Host, Phase};

/// A file that was opened, or that is opened now: which only the top level of a script may.
fn opened(ctx: &Ctx<'_>, path: &str) -> Result<Bytes> {
    let host = Host::of(ctx)?;
    let program = &host.workshop.program;
    if host.phase.get() != Phase::Init && !program.has_opened(path) {
        let message =
            format!("open('{path}') is only allowed in the init context, at the script's top level");
        return Err(Exception::throw_message(ctx, &message));
    }
    program
        .open(path)
        .map_err(|message| Exception::throw_message(ctx, &message))
}

/// How many bytes a file has.
pub fn size(ctx: Ctx<'_>, path: String) -> Result<f64> {
    Ok(opened(&ctx, &path)?.len() as f64)
}

/// The bytes from one place to another, as far as there are any.
pub fn slice<'js>(ctx: Ctx<'js>, path: String, from: usize, to: usize) -> Result<ArrayBuffer<'js>> {
    let bytes = opened(&ctx, &path)?;
    let to = to.min(bytes.len());
    ArrayBuffer::new_copy(ctx, &bytes[from.min(to)..to])
}

/// The records of a file of separated values, as JSON: arrays of texts.
pub fn csv_rows(ctx: Ctx<'_>, path: String, delimiter: String) -> Result<String> {
    let bytes = opened(&ctx, &path)?;
    let wrong = |what: String| Exception::throw_message(&ctx, &format!("csv: {path}: {what}"));
    let [delimiter] = *delimiter.as_bytes() else {
        return Err(wrong("the delimiter must be one ASCII character".into()));
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(&*bytes);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        rows.push(record.iter().map(str::to_owned).collect::<Vec<String>>());
    }
    serde_json::to_string(&rows).map_err(|error| wrong(error.to_string()))
}
