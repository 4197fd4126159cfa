//! `httpDebug`: each request and each response as messages, for whoever looks for what is wrong with a script.

use std::fmt::Write;

use http::{HeaderMap, Version};

use super::error::NetError;
use super::exchange::Reply;
use super::headers::canonical;
use super::options::HttpLog;
use super::request::Request;
use super::shared::Shared;

/// Bodies are shown up to this length.
const MOST: usize = 64 * 1024;

/// Logs what is about to be sent.
pub(super) fn request(shared: &Shared, request: &Request) {
    if shared.options.debug == HttpLog::Off {
        return;
    }
    let path = request.target.path();
    let mut text = format!(
        "Request:\n{} {} HTTP/1.1\r\n",
        request.method,
        path.path_and_query().map_or("/", |path| path.as_str())
    );
    let headers = request.wire_headers(shared.user_agent.as_ref());
    add(&mut text, shared.options.debug, &headers, &request.body);
    tracing::info!(target: "http-debug", "{text}");
}

/// Logs what came of it.
pub(super) fn response(shared: &Shared, result: &Result<Reply, NetError>) {
    if shared.options.debug == HttpLog::Off {
        return;
    }
    match result {
        Err(error) => tracing::info!(target: "http-debug", "Request error:\n{error}"),
        Ok(reply) => {
            let proto = match reply.head.version {
                Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            };
            let mut text = format!("Response:\n{proto} {}\r\n", reply.head.status);
            add(&mut text, shared.options.debug, &reply.head.headers, &reply.body);
            tracing::info!(target: "http-debug", "{text}");
        }
    }
}

fn add(text: &mut String, debug: HttpLog, headers: &HeaderMap, body: &[u8]) {
    for (name, value) in headers {
        let _ = write!(
            text,
            "{}: {}\r\n",
            canonical(name),
            String::from_utf8_lossy(value.as_bytes())
        );
    }
    text.push_str("\r\n");
    if debug == HttpLog::Full && !body.is_empty() {
        let shown = &body[..body.len().min(MOST)];
        text.push_str(&String::from_utf8_lossy(shown));
        if shown.len() < body.len() {
            let _ = write!(text, "… ({} bytes in all)", body.len());
        }
    }
}
