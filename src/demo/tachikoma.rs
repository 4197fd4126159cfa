//! The second system, Tachikoma: missions that can be created, listed and read, and specifications to search.
//!
//! | endpoint | |
//! |---|---|
//! | `GET /api/health` | open to all |
//! | `POST /api/missions` | 201; also told on the channel `missions` of `/ws` |
//! | `GET /api/missions` | an array of the latest 100 |
//! | `GET`, `DELETE /api/missions/{id}` | |
//! | `GET /api/specs/{id}` | there are 001, 002, 003, 010, 020 and 050 |
//! | `GET /api/specs/search?q=` | an array |

use std::sync::{Arc, PoisonError, RwLock};

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::kept::{Kept, Kind, array, now};
use super::route::{Call, Gate, Reply, Route, of};
use super::sockets::{Hub, MISSIONS};

/// Missions that one list shows.
const LISTED: usize = 100;

/// Id, title and text of each specification.
const SPECS: [(&str, &str, &str); 6] = [
    (
        "001",
        "Project structure",
        "How the workspace and its crates are laid out, and the config that they share.",
    ),
    (
        "002",
        "Loop runner",
        "The loop that drives a mission until its test passes.",
    ),
    (
        "003",
        "Backend trait",
        "What a backend has to offer: prompt, stream, cancel.",
    ),
    (
        "010",
        "Config files",
        "Where the config comes from, and which value wins.",
    ),
    ("020", "Mission UI", "The ui that shows missions as they run."),
    (
        "050",
        "Test harness",
        "How a test starts a backend that is a mock.",
    ),
];

/// The system's routes. Keeps at most `max_keys` missions.
pub fn routes(max_keys: usize, authorised: &Gate, hub: &Arc<Hub>) -> Vec<Route> {
    let system = Arc::new(Tachikoma {
        missions: RwLock::new(Kept::new(max_keys)),
        hub: Arc::clone(hub),
    });
    let health =
        json!({ "status": "ok", "service": "tachikoma", "version": env!("CARGO_PKG_VERSION") }).to_string();
    let health = Reply::ok(health);
    let open = Route::new(Method::GET, "/api/health", move |_| health.clone()).cheap();
    let closed = [
        Route::new(Method::POST, "/api/missions", of(&system, Tachikoma::create)),
        Route::new(Method::GET, "/api/missions", of(&system, Tachikoma::list)),
        Route::new(Method::GET, "/api/missions/{id}", of(&system, Tachikoma::get)).cheap(),
        Route::new(
            Method::DELETE,
            "/api/missions/{id}",
            of(&system, Tachikoma::delete),
        )
        .cheap(),
        Route::new(Method::GET, "/api/specs/{id}", spec),
        Route::new(Method::GET, "/api/specs/search", search),
    ];
    let closed = closed.into_iter().map(|route| route.behind(authorised));
    std::iter::once(open).chain(closed).collect()
}

/// Missions as the JSON texts that they are shown as.
struct Tachikoma {
    missions: RwLock<Kept<Arc<str>>>,
    hub: Arc<Hub>,
}

#[derive(Deserialize)]
struct Mission {
    name: String,
    prompt: String,
    #[serde(default = "mock")]
    backend: String,
}

fn mock() -> String {
    "mock".to_owned()
}

impl Tachikoma {
    fn create(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let Mission {
            name,
            prompt,
            backend,
        } = call.json()?;
        if name.is_empty() {
            return Err(Reply::bad_request("a mission needs a name"));
        }
        let mut text: Arc<str> = Arc::default();
        let make = |number| {
            text = json!({
                "id": Kind::Mission.id(number), "name": name, "prompt": prompt, "backend": backend,
                "status": "pending", "createdAt": now(),
            })
            .to_string()
            .into();
            (Arc::clone(&text), text.len())
        };
        self.missions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .add(make);
        let news = format!(r#"{{"type":"mission.update","channel":"{MISSIONS}","mission":{text}}}"#);
        self.hub.broadcast(Some(MISSIONS), news);
        Ok(Reply::created(text.as_bytes().to_vec()))
    }

    fn list(&self, _: &Call<'_>) -> Reply {
        let missions = self.missions.read().unwrap_or_else(PoisonError::into_inner);
        Reply::ok(array(missions.newest().take(LISTED).map(AsRef::as_ref)))
    }

    fn get(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let missions = self.missions.read().unwrap_or_else(PoisonError::into_inner);
        let found = Kind::Mission
            .number(&call.param("id"))
            .and_then(|number| missions.get(number));
        found
            .map(|text| Reply::ok(text.as_bytes().to_vec()))
            .ok_or_else(no_mission)
    }

    fn delete(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let id = call.param("id");
        let mut missions = self.missions.write().unwrap_or_else(PoisonError::into_inner);
        match Kind::Mission
            .number(&id)
            .and_then(|number| missions.remove(number))
        {
            Some(_) => Ok(Reply::ok(json!({ "id": id, "deleted": true }).to_string())),
            None => Err(no_mission()),
        }
    }
}

fn no_mission() -> Reply {
    Reply::not_found("there is no such mission")
}

fn spec(call: &Call<'_>) -> Result<Reply, Reply> {
    let id = call.param("id");
    match SPECS.iter().find(|spec| spec.0 == id) {
        Some(spec) => Ok(Reply::ok(shown(spec).to_string())),
        None => Err(Reply::not_found("there is no such specification")),
    }
}

fn search(call: &Call<'_>) -> Reply {
    let wanted = call.query("q").unwrap_or_default().to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    let found = SPECS.iter().filter(|(_, title, text)| has(title) || has(text));
    Reply::ok(found.map(shown).collect::<Value>().to_string())
}

fn shown((id, title, text): &(&str, &str, &str)) -> Value {
    json!({ "id": id, "title": title, "content": text, "status": "planned" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::testing::Asked;

    fn system(max_keys: usize) -> Asked {
        let open: Gate = Arc::new(|_| None);
        Asked::new(routes(max_keys, &open, &Arc::new(Hub::new(1000))))
    }

    fn create(system: &Asked, name: &str) -> Value {
        let (status, mission) = system.post("/api/missions", &json!({ "name": name, "prompt": "p" }));
        assert_eq!(status, 201, "{mission}");
        mission
    }

    #[test]
    fn missions_are_created_listed_read_and_deleted() {
        let system = system(10);
        let first = create(&system, "one \"1\"");
        assert_eq!(
            (&first["backend"], &first["status"]),
            (&json!("mock"), &json!("pending"))
        );
        let second = create(&system, "two");
        assert_eq!(system.get("/api/missions"), (200, json!([second, first])));
        let path = format!("/api/missions/{}", first["id"].as_str().expect("an id"));
        assert_eq!(system.get(&path), (200, first));
        assert_eq!(system.delete(&path).0, 200);
        assert_eq!((system.get(&path).0, system.delete(&path).0), (404, 404));
        assert_eq!(system.get("/api/missions/1").0, 404);
    }

    #[test]
    fn the_oldest_mission_makes_room_and_lists_are_bounded() {
        let system = system(150);
        let ids: Vec<Value> = (0..151).map(|_| create(&system, "m")["id"].clone()).collect();
        let (_, listed) = system.get("/api/missions");
        assert_eq!(
            (listed.as_array().map(Vec::len), &listed[0]["id"]),
            (Some(100), &ids[150])
        );
        let read = |at: usize| {
            system
                .get(&format!("/api/missions/{}", ids[at].as_str().expect("an id")))
                .0
        };
        assert_eq!((read(0), read(1)), (404, 200));
    }

    #[test]
    fn a_mission_without_a_name_is_refused() {
        let system = system(10);
        for body in [
            json!({}),
            json!({ "name": "", "prompt": "" }),
            json!({ "name": 1, "prompt": "" }),
            json!([]),
        ] {
            assert_eq!(system.post("/api/missions", &body).0, 400, "{body}");
        }
    }

    #[test]
    fn specifications_are_found_by_id_and_by_text() {
        let system = system(10);
        for (id, status) in [("001", 200), ("050", 200), ("100", 404), ("1", 404)] {
            assert_eq!(system.get(&format!("/api/specs/{id}")).0, status, "{id}");
        }
        let found = |query: &str| {
            let (status, found) = system.get(&format!("/api/specs/search{query}"));
            assert_eq!(status, 200);
            found.as_array().expect("an array").len()
        };
        for term in ["config", "test", "loop", "backend", "ui"] {
            assert!(found(&format!("?q={term}")) > 0, "{term}");
        }
        assert_eq!(
            (found("?q=no%20such"), found(""), found("?q=CONFIG%20FILES")),
            (0, 6, 1)
        );
    }
}
