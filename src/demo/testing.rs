//! For unit tests: a system's handlers asked without a network in between.

use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::route::{Answer, Call, Reply, Route};
use super::router::Table;

/// A system to ask.
pub struct Asked(Table);

impl Asked {
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Asked {
        Asked(Table::new(routes))
    }

    /// What a request is answered with, gates included, capacity not.
    pub fn ask(&self, method: &Method, target: &str, headers: &HeaderMap, body: &[u8]) -> Reply {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Ok((route, params)) = self.0.find(method, path) else {
            return Reply::error(StatusCode::NOT_FOUND, "no route");
        };
        let call = Call {
            service: "test",
            path,
            query,
            headers,
            params: &params,
            body,
        };
        if let Some(refusal) = route.gates.iter().find_map(|gate| gate(&call)) {
            return refusal;
        }
        match &route.answer {
            Answer::Reply(reply) => reply(&call),
            Answer::Socket(_) => panic!("{path} is a WebSocket"),
        }
    }

    pub fn get(&self, target: &str) -> (u16, Value) {
        parsed(&self.ask(&Method::GET, target, &HeaderMap::new(), b""))
    }

    pub fn delete(&self, target: &str) -> (u16, Value) {
        parsed(&self.ask(&Method::DELETE, target, &HeaderMap::new(), b""))
    }

    pub fn post(&self, target: &str, body: &Value) -> (u16, Value) {
        self.post_text(target, &body.to_string())
    }

    pub fn post_text(&self, target: &str, body: &str) -> (u16, Value) {
        parsed(&self.ask(&Method::POST, target, &HeaderMap::new(), body.as_bytes()))
    }
}

/// The status and the JSON of a reply.
pub fn parsed(reply: &Reply) -> (u16, Value) {
    let body = serde_json::from_slice(&reply.body).expect("every answer is JSON");
    (reply.status.as_u16(), body)
}
