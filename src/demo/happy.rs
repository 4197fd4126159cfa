//! The fifth system, Happy Server: sessions with messages, machines, artifacts, and the sockets seen from HTTP.
//!
//! | endpoint | |
//! |---|---|
//! | `POST /v1/auth` | a token for a public key, a challenge and a signature; open to all |
//! | `GET`, `POST /v1/sessions` | `{sessions}`, the latest first; `{session}` |
//! | `GET`, `DELETE /v1/sessions/{id}` | `{session}`; its messages go with it |
//! | `GET`, `POST /v1/sessions/{id}/messages` | `{messages}`, the latest first; `{message}` |
//! | `GET`, `POST /v1/machines`, `/v1/artifacts` | `{machines}`, `{machine}`, `{artifacts}`, `{artifact}` |
//! | `GET /v1/websocket/stats` | how many sockets are open, and what went through them |
//! | `POST /v1/websocket/broadcast` | sends to every socket, or to those on `channel` |
//!
//! What is posted is any JSON object; it comes back with an id and times added.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::kept::{Kept, Kind, array, now};
use super::locked;
use super::route::{Call, Gate, Reply, Route, of};
use super::sockets::Hub;
use super::tokens::Tokens;

/// Things that a list shows unless the request asks for more or fewer, and at most.
const LISTED: usize = 100;
const MOST_LISTED: usize = 1000;
/// Messages that a session holds; the oldest go first.
const MAX_MESSAGES: usize = 100;

/// The system's routes. Keeps at most `max_keys` sessions, machines and artifacts each.
pub fn routes(max_keys: usize, tokens: &Arc<Tokens>, authorised: &Gate, hub: &Arc<Hub>) -> Vec<Route> {
    let sessions = Arc::new(Sessions {
        kept: Mutex::new(Kept::new(max_keys)),
        messages: AtomicU64::new(0),
    });
    let mut routes = vec![
        Route::new(Method::GET, "/v1/sessions", of(&sessions, Sessions::list)),
        Route::new(Method::POST, "/v1/sessions", of(&sessions, Sessions::create)),
        Route::new(Method::GET, "/v1/sessions/{id}", of(&sessions, Sessions::get)).cheap(),
        Route::new(
            Method::DELETE,
            "/v1/sessions/{id}",
            of(&sessions, Sessions::delete),
        )
        .cheap(),
        Route::new(
            Method::GET,
            "/v1/sessions/{id}/messages",
            of(&sessions, Sessions::messages),
        ),
        Route::new(
            Method::POST,
            "/v1/sessions/{id}/messages",
            of(&sessions, Sessions::add_message),
        ),
        Route::new(Method::GET, "/v1/websocket/stats", of(hub, stats)).cheap(),
        Route::new(Method::POST, "/v1/websocket/broadcast", of(hub, broadcast)),
    ];
    for (path, one, kind) in [
        ("/v1/machines", "machine", Kind::Machine),
        ("/v1/artifacts", "artifact", Kind::Artifact),
    ] {
        let shelf = Arc::new(Shelf {
            one,
            kind,
            kept: Mutex::new(Kept::new(max_keys)),
        });
        routes.push(Route::new(Method::GET, path, of(&shelf, Shelf::list)));
        routes.push(Route::new(Method::POST, path, of(&shelf, Shelf::create)));
    }
    let mut routes: Vec<Route> = routes.into_iter().map(|route| route.behind(authorised)).collect();
    routes.push(Route::new(Method::POST, "/v1/auth", of(tokens, auth)));
    routes
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Auth {
    public_key: String,
    challenge: String,
    signature: String,
}

/// Takes any signature: the demo knows nobody's key.
fn auth(tokens: &Tokens, call: &Call<'_>) -> Result<Reply, Reply> {
    let Auth {
        public_key,
        challenge,
        signature,
    } = call.json()?;
    for (name, value) in [
        ("publicKey", public_key),
        ("challenge", challenge),
        ("signature", signature),
    ] {
        if value.is_empty() {
            return Err(Reply::bad_request(&format!("{name} is empty")));
        }
    }
    Ok(Reply::ok(
        json!({ "success": true, "token": tokens.give() }).to_string(),
    ))
}

fn stats(hub: &Hub, _: &Call<'_>) -> Reply {
    Reply::ok(json!(hub.stats()).to_string())
}

#[derive(Deserialize)]
struct Broadcast {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    payload: Value,
    channel: Option<String>,
}

fn broadcast(hub: &Hub, call: &Call<'_>) -> Result<Reply, Reply> {
    let Broadcast {
        kind,
        payload,
        channel,
    } = call.json()?;
    let text = json!({ "type": kind, "payload": payload }).to_string();
    let delivered = hub.broadcast(channel.as_deref(), text);
    Ok(Reply::ok(json!({ "delivered": delivered }).to_string()))
}

/// A posted object with the time and, in front, room for its id.
fn stamped(call: &Call<'_>) -> Result<Map<String, Value>, Reply> {
    let posted: Map<String, Value> = if call.body.is_empty() {
        Map::new()
    } else {
        call.json()?
    };
    let mut thing = Map::new();
    thing.insert("id".to_owned(), Value::Null);
    thing.insert("createdAt".to_owned(), now().into());
    for (name, value) in posted {
        // What the server says of a thing is not for the client to overwrite.
        thing.entry(name).or_insert(value);
    }
    Ok(thing)
}

/// `{"name":text}` around text that already is JSON.
fn wrapped(name: &str, text: &str) -> String {
    format!(r#"{{"{name}":{text}}}"#)
}

/// Things that are only created and listed, as the JSON texts that they are shown as.
struct Shelf {
    one: &'static str,
    kind: Kind,
    kept: Mutex<Kept<Box<str>>>,
}

impl Shelf {
    fn list(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let limit = call.limit(LISTED, MOST_LISTED)?;
        let kept = locked(&self.kept);
        let list = array(kept.newest().take(limit).map(AsRef::as_ref));
        Ok(Reply::ok(wrapped(&format!("{}s", self.one), &list)))
    }

    fn create(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let mut thing = stamped(call)?;
        let mut text = String::new();
        locked(&self.kept).add(|number| {
            thing.insert("id".to_owned(), self.kind.id(number).into());
            text = Value::Object(thing).to_string();
            (text.as_str().into(), text.len())
        });
        Ok(Reply::created(wrapped(self.one, &text)))
    }
}

/// Sessions and their messages.
struct Sessions {
    kept: Mutex<Kept<Session>>,
    /// Messages so far, in all of them.
    messages: AtomicU64,
}

struct Session {
    /// The session as it is shown.
    text: String,
    /// Messages, oldest first.
    messages: VecDeque<Box<str>>,
    /// Messages so far, also those that are gone.
    count: u64,
}

impl Session {
    fn size(&self) -> usize {
        self.text.len() + self.messages.iter().map(|text| text.len()).sum::<usize>()
    }
}

impl Sessions {
    fn list(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let limit = call.limit(LISTED, MOST_LISTED)?;
        let kept = locked(&self.kept);
        let list = array(kept.newest().take(limit).map(|session| session.text.as_str()));
        Ok(Reply::ok(wrapped("sessions", &list)))
    }

    fn create(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let mut thing = stamped(call)?;
        let mut shown = String::new();
        locked(&self.kept).add(|number| {
            thing.insert("id".to_owned(), Kind::Session.id(number).into());
            let text = Value::Object(thing).to_string();
            shown = wrapped("session", &text);
            let session = Session {
                text,
                messages: VecDeque::new(),
                count: 0,
            };
            let size = session.size();
            (session, size)
        });
        Ok(Reply::created(shown))
    }

    fn get(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        self.with(call, |session| Reply::ok(wrapped("session", &session.text)))
    }

    fn delete(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let id = call.param("id");
        let number = Kind::Session.number(&id).ok_or_else(no_session)?;
        locked(&self.kept).remove(number).ok_or_else(no_session)?;
        Ok(Reply::ok(json!({ "id": id, "deleted": true }).to_string()))
    }

    fn messages(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let limit = call.limit(LISTED, MOST_LISTED)?;
        self.with(call, |session| {
            let list = array(session.messages.iter().rev().take(limit).map(AsRef::as_ref));
            Reply::ok(wrapped("messages", &list))
        })
    }

    fn add_message(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let mut message = stamped(call)?;
        let number = Kind::Session.number(&call.param("id")).ok_or_else(no_session)?;
        let add = |session: &mut Session, size: &mut usize| {
            session.count += 1;
            let id = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
            message.insert("id".to_owned(), Kind::Message.id(id).into());
            message.insert("seq".to_owned(), session.count.into());
            let text = Value::Object(message).to_string();
            if session.messages.len() == MAX_MESSAGES {
                session.messages.pop_front();
            }
            session.messages.push_back(text.as_str().into());
            *size = session.size();
            text
        };
        let text = locked(&self.kept).change(number, add).ok_or_else(no_session)?;
        Ok(Reply::created(wrapped("message", &text)))
    }

    fn with(&self, call: &Call<'_>, show: impl FnOnce(&Session) -> Reply) -> Result<Reply, Reply> {
        let number = Kind::Session.number(&call.param("id")).ok_or_else(no_session)?;
        locked(&self.kept).get(number).map(show).ok_or_else(no_session)
    }
}

fn no_session() -> Reply {
    Reply::not_found("there is no such session")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::testing::Asked;

    fn system(max_keys: usize) -> (Asked, Arc<Tokens>) {
        let tokens = Arc::new(Tokens::new(&[]));
        let open: Gate = Arc::new(|_| None);
        let routes = routes(max_keys, &tokens, &open, &Arc::new(Hub::new(1000)));
        (Asked::new(routes), tokens)
    }

    fn id(thing: &Value) -> &str {
        thing["id"].as_str().expect("an id")
    }

    #[test]
    fn sessions_are_created_listed_read_and_deleted() {
        let (system, _) = system(10);
        let (status, created) = system.post("/v1/sessions", &json!({ "tag": "t", "id": "mine" }));
        assert_eq!((status, &created["session"]["tag"]), (201, &json!("t")));
        assert_ne!(id(&created["session"]), "mine");
        let second = system.post_text("/v1/sessions", "").1;
        assert_eq!(
            system.get("/v1/sessions").1,
            json!({ "sessions": [second["session"], created["session"]] })
        );
        assert_eq!(
            system.get("/v1/sessions?limit=1").1,
            json!({ "sessions": [second["session"]] })
        );
        let path = format!("/v1/sessions/{}", id(&created["session"]));
        assert_eq!(system.get(&path), (200, created));
        assert_eq!(
            (
                system.delete(&path).0,
                system.delete(&path).0,
                system.get(&path).0
            ),
            (200, 404, 404)
        );
        assert_eq!(system.get("/v1/sessions?limit=some").0, 400);
        assert_eq!(system.post("/v1/sessions", &json!([])).0, 400);
    }

    #[test]
    fn messages_belong_to_their_session_and_are_bounded() {
        let (system, _) = system(10);
        let path = || {
            let created = system.post("/v1/sessions", &json!({})).1;
            format!("/v1/sessions/{}/messages", id(&created["session"]))
        };
        let (one, other) = (path(), path());
        let mut ids = std::collections::HashSet::new();
        for n in 1..=MAX_MESSAGES + 1 {
            let (status, said) = system.post(&one, &json!({ "content": n }));
            assert_eq!((status, &said["message"]["seq"]), (201, &json!(n)));
            assert!(ids.insert(id(&said["message"]).to_owned()));
        }
        let (_, all) = system.get(&one);
        let all = all["messages"].as_array().expect("an array");
        assert_eq!(
            (all.len(), &all[0]["content"]),
            (MAX_MESSAGES, &json!(MAX_MESSAGES + 1))
        );
        assert_eq!(system.get(&other), (200, json!({ "messages": [] })));
        let nowhere = "/v1/sessions/00000003-0000-4000-8000-0000000000ff/messages";
        assert_eq!(
            (system.get(nowhere).0, system.post(nowhere, &json!({})).0),
            (404, 404)
        );
    }

    #[test]
    fn machines_and_artifacts_are_kept_apart_and_the_oldest_go_first() {
        let (system, _) = system(2);
        for n in 0..3 {
            let (status, made) = system.post("/v1/machines", &json!({ "n": n }));
            assert_eq!((status, &made["machine"]["n"]), (201, &json!(n)));
        }
        let (_, machines) = system.get("/v1/machines");
        let numbers: Vec<&Value> = machines["machines"]
            .as_array()
            .expect("an array")
            .iter()
            .map(|machine| &machine["n"])
            .collect();
        assert_eq!(numbers, [2, 1]);
        assert_eq!(system.get("/v1/artifacts"), (200, json!({ "artifacts": [] })));
        assert_eq!(
            system.post("/v1/artifacts", &json!({ "a": 1 })).1["artifact"]["a"],
            1
        );
    }

    #[test]
    fn who_proves_to_have_a_key_gets_a_token() {
        let (system, tokens) = system(2);
        let proof = json!({ "publicKey": "k", "challenge": "c", "signature": "s" });
        let (status, given) = system.post("/v1/auth", &proof);
        assert_eq!((status, &given["success"]), (200, &json!(true)));
        assert!(tokens.accept(given["token"].as_str().expect("a token")));
        for bad in [
            json!({}),
            json!({ "publicKey": "", "challenge": "c", "signature": "s" }),
        ] {
            assert_eq!(system.post("/v1/auth", &bad).0, 400);
        }
    }

    #[test]
    fn sockets_are_counted_and_told() {
        let (system, _) = system(2);
        let (_, stats) = system.get("/v1/websocket/stats");
        assert_eq!(
            (&stats["connections"], &stats["messagesIn"]),
            (&json!(0), &json!(0))
        );
        let told = system.post(
            "/v1/websocket/broadcast",
            &json!({ "type": "news", "payload": {} }),
        );
        assert_eq!(told, (200, json!({ "delivered": 0 })));
        assert_eq!(system.post("/v1/websocket/broadcast", &json!({})).0, 400);
    }
}
