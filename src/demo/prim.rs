//! The first system: wallet, store and spawn, each with a health check; store keeps keys and values.
//!
//! | service | port | endpoints |
//! |---|---|---|
//! | wallet | 3001 | `GET /` |
//! | store  | 3002 | `GET /`, `POST /v1/set`, `/v1/get`, `/v1/list`, `/v1/delete` |
//! | spawn  | 3004 | `GET /` |

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::route::{Call, Gate, Reply, Route, of};
use super::router::{Service, Table};

/// Longest key, in bytes.
const MAX_KEY: usize = 512;
/// Keys that one `list` returns at most, and unless the request asks for fewer.
const MAX_LIST: usize = 1000;

/// The system's services, in the order in which they take ports. The store holds at most `max_keys` keys; with
/// `payment_required` its endpoints are behind the payment layer.
pub fn services(max_keys: usize, payment_required: bool) -> Vec<Service> {
    let service = |name, usual_port, more| Service {
        name,
        usual_port,
        table: Arc::new(Table::new(std::iter::once(health()).chain(more))),
    };
    vec![
        service("wallet", 3001, Vec::new()),
        service("store", 3002, store(max_keys, payment_required)),
        service("spawn", 3004, Vec::new()),
    ]
}

/// `GET /`, in front of the payment layer.
fn health() -> Route {
    Route::new(Method::GET, "/", super::healthy)
}

fn store(max_keys: usize, payment_required: bool) -> Vec<Route> {
    let store = Arc::new(Store {
        max_keys,
        entries: RwLock::default(),
    });
    let routes = [
        Route::new(Method::POST, "/v1/set", of(&store, Store::set)),
        Route::new(Method::POST, "/v1/get", of(&store, Store::get)),
        Route::new(Method::POST, "/v1/list", of(&store, Store::list)),
        Route::new(Method::POST, "/v1/delete", of(&store, Store::delete)),
    ];
    let paid: Gate = Arc::new(|call| (!call.headers.contains_key("x-payment")).then(|| payment(call.path)));
    if payment_required {
        routes.into_iter().map(|route| route.behind(&paid)).collect()
    } else {
        routes.into()
    }
}

/// The shape of an x402 answer: what would be accepted as payment.
fn payment(path: &str) -> Reply {
    let body = json!({
        "x402Version": 1,
        "error": "X-PAYMENT header is required",
        "accepts": [{ "scheme": "exact", "network": "base", "maxAmountRequired": "1000", "resource": path }],
    });
    Reply::new(StatusCode::PAYMENT_REQUIRED, body.to_string())
}

/// Keys in order, so that a prefix is a range; values as the JSON text that they came as.
///
/// One lock is enough: an operation holds it for well under a microsecond (a list for some tens), and the requests
/// around it cost twenty times that.
struct Store {
    max_keys: usize,
    entries: RwLock<BTreeMap<String, Arc<str>>>,
}

#[derive(Deserialize)]
struct Set {
    key: String,
    value: Value,
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    prefix: String,
    limit: Option<usize>,
}

impl Store {
    fn set(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let Set { key, value } = call.json()?;
        if key.is_empty() || key.len() > MAX_KEY {
            let message = format!("a key has 1 to {MAX_KEY} bytes, this one has {}", key.len());
            return Err(Reply::bad_request(&message));
        }
        let reply = Reply::ok(json!({ "key": key, "ok": true }).to_string());
        let text: Arc<str> = value.to_string().into();
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = entries.get_mut(&key) {
            *held = text;
        } else if entries.len() < self.max_keys {
            entries.insert(key, text);
        } else {
            let message = format!("the store is full: it holds {} keys", self.max_keys);
            return Err(Reply::error(StatusCode::INSUFFICIENT_STORAGE, &message));
        }
        Ok(reply)
    }

    fn get(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let Key { key } = call.json()?;
        let value = self
            .entries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        match value {
            Some(value) => Ok(Reply::ok(format!(
                r#"{{"key":{},"value":{value}}}"#,
                Value::String(key)
            ))),
            None => Err(Reply::not_found("there is no such key")),
        }
    }

    fn list(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let List { prefix, limit } = call.json()?;
        let limit = limit.unwrap_or(MAX_LIST).min(MAX_LIST);
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut matching = entries
            .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(&prefix));
        let keys: Vec<&String> = matching.by_ref().take(limit).collect();
        let truncated = matching.next().is_some();
        Ok(Reply::ok(
            json!({ "keys": keys, "truncated": truncated }).to_string(),
        ))
    }

    /// Deleting what is not there is no error: a client that repeats a delete must not be told that it failed.
    fn delete(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let Key { key } = call.json()?;
        let deleted = self
            .entries
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key)
            .is_some();
        Ok(Reply::ok(json!({ "key": key, "deleted": deleted }).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::testing::Asked;

    fn services(max_keys: usize) -> Asked {
        Asked::new(store(max_keys, false))
    }

    fn call(system: &Asked, path: &str, body: &str) -> (u16, Value) {
        system.post_text(path, body)
    }

    #[test]
    fn what_is_set_can_be_read_listed_and_deleted() {
        let services = services(100);
        let value = json!({ "text": "a \"quoted\" ü", "list": [1, 2.5, null], "big": u64::MAX });
        let set = json!({ "key": "k\"1", "value": value }).to_string();
        assert_eq!(
            call(&services, "/v1/set", &set),
            (200, json!({ "key": "k\"1", "ok": true }))
        );
        let get = json!({ "key": "k\"1" }).to_string();
        assert_eq!(
            call(&services, "/v1/get", &get),
            (200, json!({ "key": "k\"1", "value": value }))
        );
        assert_eq!(
            call(&services, "/v1/list", r#"{"prefix":"k"}"#).1["keys"],
            json!(["k\"1"])
        );
        assert_eq!(call(&services, "/v1/delete", &get).1["deleted"], json!(true));
        assert_eq!(
            call(&services, "/v1/delete", &get),
            (200, json!({ "key": "k\"1", "deleted": false }))
        );
        assert_eq!(call(&services, "/v1/get", &get).0, 404);
    }

    #[test]
    fn a_list_is_by_prefix_in_order_and_bounded() {
        let services = services(5000);
        for n in 0..1500 {
            call(
                &services,
                "/v1/set",
                &format!(r#"{{"key":"b{n:04}","value":{n}}}"#),
            );
        }
        for key in ["a", "b", "c", "ba"] {
            call(&services, "/v1/set", &format!(r#"{{"key":"{key}","value":0}}"#));
        }
        let keys = |body: &str| {
            let (status, reply) = call(&services, "/v1/list", body);
            assert_eq!(status, 200);
            let keys: Vec<String> = serde_json::from_value(reply["keys"].clone()).expect("strings");
            (keys, reply["truncated"] == json!(true))
        };
        let (all, truncated) = keys("{}");
        assert_eq!((all.len(), truncated), (MAX_LIST, true));
        assert!(all.is_sorted());
        assert_eq!(
            keys(r#"{"prefix":"b001","limit":3}"#),
            (vec!["b0010".into(), "b0011".into(), "b0012".into()], true)
        );
        assert_eq!(keys(r#"{"prefix":"b149"}"#).0.len(), 10);
        assert_eq!(keys(r#"{"prefix":"ba"}"#), (vec!["ba".into()], false));
        assert_eq!(keys(r#"{"prefix":"zzz"}"#), (vec![], false));
        assert_eq!(keys(r#"{"prefix":"b","limit":999999}"#).0.len(), MAX_LIST);
    }

    #[test]
    fn a_full_store_still_overwrites() {
        let services = services(2);
        let set = |key: &str| {
            call(
                &services,
                "/v1/set",
                &json!({ "key": key, "value": 1 }).to_string(),
            )
            .0
        };
        assert_eq!((set("a"), set("b"), set("c"), set("a")), (200, 200, 507, 200));
        call(&services, "/v1/delete", r#"{"key":"b"}"#);
        assert_eq!(set("c"), 200);
    }

    #[test]
    fn nonsense_is_a_bad_request() {
        let services = services(2);
        let long = json!({ "key": "k".repeat(MAX_KEY + 1), "value": 1 }).to_string();
        for (path, body) in [
            ("/v1/set", ""),
            ("/v1/set", "{"),
            ("/v1/set", "[]"),
            ("/v1/set", r#"{"key":"a"}"#),
            ("/v1/set", r#"{"key":1,"value":1}"#),
            ("/v1/set", r#"{"key":"","value":1}"#),
            ("/v1/set", long.as_str()),
            ("/v1/set", &"[".repeat(10_000)),
            ("/v1/get", "{}"),
            ("/v1/list", r#"{"prefix":5}"#),
            ("/v1/list", r#"{"limit":-1}"#),
            ("/v1/delete", "null"),
        ] {
            let (status, reply) = call(&services, path, body);
            assert_eq!(status, 400, "{path} {body:.40}");
            assert!(reply["error"].is_string(), "{reply}");
        }
    }
}
