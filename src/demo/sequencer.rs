//! The third system, the sequencer of `StateSet`: events of a tenant's store get a number each, in one order without gaps, and
//! can be proved to be there.
//!
//! | endpoint | |
//! |---|---|
//! | `POST /api/v1/ves/events/ingest` | a batch of up to 1000 events; those whose id is known are rejected |
//! | `GET /api/v1/head` | the last number |
//! | `GET /api/v1/events` | from a number on |
//! | `GET /api/v1/entities/{type}/{id}` | an entity's version and latest events |
//! | `GET`, `POST /api/v1/ves/commitments` | the latest first; commits to what is not committed |
//! | `GET /api/v1/ves/proofs/{sequence}` | the way from an event to its commitment's Merkle root |
//!
//! Reading takes `tenant_id` and `store_id` as parameters, writing has them in the body.

mod log;
mod merkle;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::header::RETRY_AFTER;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::kept::{Kind, array};
use super::locked;
use super::route::{Call, Gate, Reply, Route, of};
use super::window::Window;
use log::{Event, Log, NoProof};

/// Stores at most, of all tenants.
const MAX_STORES: usize = 1000;
/// Events that each store may keep, however many others have.
const KEPT_ALWAYS: usize = 1000;
/// Bytes that all events take at most, but for those.
const MAX_BYTES: usize = 256 * 1024 * 1024;
/// Events in a batch at most.
const MAX_BATCH: usize = 1000;
/// Longest id of a tenant, a store and an event, in bytes.
const MAX_ID: usize = 128;
/// Events that a list shows unless the request asks for more or fewer, and at most.
const LISTED: usize = 100;
const MOST_LISTED: usize = 1000;

/// The system's routes. Keeps at most `max_keys` events; answers `per_minute` requests in each minute.
pub fn routes(max_keys: usize, per_minute: Option<u32>, authorised: &Gate) -> Vec<Route> {
    let system = Arc::new(Sequencer {
        max_events: max_keys,
        logs: RwLock::default(),
        events: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
        batches: AtomicU64::new(0),
        commitments: AtomicU64::new(0),
    });
    let routes = [
        Route::new(
            Method::POST,
            "/api/v1/ves/events/ingest",
            of(&system, Sequencer::ingest),
        )
        .large(),
        Route::new(Method::GET, "/api/v1/head", of(&system, Sequencer::head)).cheap(),
        Route::new(Method::GET, "/api/v1/events", of(&system, Sequencer::events)),
        Route::new(
            Method::GET,
            "/api/v1/entities/{type}/{id}",
            of(&system, Sequencer::entity),
        ),
        Route::new(
            Method::GET,
            "/api/v1/ves/commitments",
            of(&system, Sequencer::commitments),
        ),
        Route::new(
            Method::POST,
            "/api/v1/ves/commitments",
            of(&system, Sequencer::commit),
        ),
        Route::new(
            Method::GET,
            "/api/v1/ves/proofs/{sequence}",
            of(&system, Sequencer::proof),
        ),
    ];
    let limit = per_minute.map(limited);
    let guarded = |route: Route| {
        let route = route.behind(authorised);
        match &limit {
            Some(limit) => route.behind(limit),
            None => route,
        }
    };
    routes.into_iter().map(guarded).collect()
}

/// 429 for what is more than `most` in a minute.
fn limited(most: u32) -> Gate {
    let window = Window::new(Duration::from_mins(1), most);
    Arc::new(move |_| {
        let wait = window.enter(Instant::now()).err()?;
        let message =
            format!("more than {most} requests in a minute: --rate-limit-per-minute sets the limit");
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Some(Reply::error(StatusCode::TOO_MANY_REQUESTS, &message).with(RETRY_AFTER, seconds))
    })
}

struct Sequencer {
    max_events: usize,
    logs: RwLock<HashMap<Store, Arc<Mutex<Log>>>>,
    /// Events that are kept, in all logs, and what they take.
    events: AtomicUsize,
    bytes: AtomicUsize,
    batches: AtomicU64,
    commitments: AtomicU64,
}

/// Whose events.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
struct Store {
    tenant_id: String,
    store_id: String,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    tenant_id: Cow<'a, str>,
    #[serde(borrow)]
    store_id: Cow<'a, str>,
    #[serde(borrow)]
    events: Vec<Event<'a>>,
}

impl Sequencer {
    fn ingest(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let Batch {
            tenant_id,
            store_id,
            events,
        } = call.json()?;
        if events.is_empty() || events.len() > MAX_BATCH {
            let message = format!(
                "a batch has 1 to {MAX_BATCH} events, this one has {}",
                events.len()
            );
            return Err(Reply::bad_request(&message));
        }
        for event in &events {
            within("event_id", &event.id)?;
        }
        let log = self.log_to_write(&checked(tenant_id.into_owned(), store_id.into_owned())?)?;
        let mut log = locked(&log);
        let done = log.ingest(&events, || next(&self.commitments), |bytes| self.grow(bytes));
        self.make_room(&mut log);
        let start = (done.accepted > 0).then(|| done.head + 1 - done.accepted);
        let reply = json!({
            "batch_id": Kind::Batch.id(next(&self.batches)),
            "events_accepted": done.accepted, "events_rejected": done.rejected,
            "sequence_start": start, "sequence_end": start.map(|_| done.head), "head_sequence": done.head,
        });
        Ok(Reply::ok(reply.to_string()))
    }

    fn grow(&self, bytes: usize) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whoever adds events makes room for them, among its own.
    fn make_room(&self, log: &mut Log) {
        let too_much = || {
            self.events.load(Ordering::Relaxed) > self.max_events
                || self.bytes.load(Ordering::Relaxed) > MAX_BYTES
        };
        while log.len() > KEPT_ALWAYS.min(self.max_events) && too_much() {
            let freed = log.drop_oldest(|| next(&self.commitments));
            self.events.fetch_sub(1, Ordering::Relaxed);
            self.bytes.fetch_sub(freed, Ordering::Relaxed);
        }
    }

    fn head(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let log = self.log(&asked(call)?);
        let head = locked(&log).head();
        Ok(Reply::ok(json!({ "head_sequence": head }).to_string()))
    }

    fn events(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let (from, limit) = (call.number("from", 1)?, call.limit(LISTED, MOST_LISTED)?);
        let log = self.log(&asked(call)?);
        let log = locked(&log);
        let events = array(log.events(from).take(limit));
        let head = log.head();
        Ok(Reply::ok(format!(
            r#"{{"events":{events},"head_sequence":{head}}}"#
        )))
    }

    fn entity(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let limit = call.limit(LISTED, MOST_LISTED)?;
        let (kind, id) = (call.param("type"), call.param("id"));
        let log = self.log(&asked(call)?);
        let log = locked(&log);
        let (version, events) = log.entity(&kind, &id, limit);
        let (kind, id, events) = (json!(kind), json!(id), array(events));
        Ok(Reply::ok(format!(
            r#"{{"entity_type":{kind},"entity_id":{id},"events":{events},"version":{version}}}"#
        )))
    }

    fn commitments(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let limit = call.limit(LISTED, MOST_LISTED)?;
        let log = self.log(&asked(call)?);
        let log = locked(&log);
        let commitments: Value = log
            .commitments()
            .take(limit)
            .map(log::Commitment::shown)
            .collect();
        Ok(Reply::ok(json!({ "commitments": commitments }).to_string()))
    }

    fn commit(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let store = if call.body.is_empty() {
            asked(call)?
        } else {
            let Store { tenant_id, store_id } = call.json()?;
            checked(tenant_id, store_id)?
        };
        let log = self.log(&store);
        let mut log = locked(&log);
        let new = log.commit(|| next(&self.commitments));
        let status = if new { StatusCode::CREATED } else { StatusCode::OK };
        let last = log.commitments().next().map(log::Commitment::shown);
        // Nothing to commit to is no fault of the one who asks.
        let shown = last.unwrap_or_else(
            || json!({ "commitment_id": null, "sequence_start": 0, "sequence_end": 0, "merkle_root": null, "event_count": 0 }),
        );
        Ok(Reply::new(status, shown.to_string()))
    }

    fn proof(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let text = call.param("sequence");
        let sequence: u64 = text
            .parse()
            .map_err(|_| Reply::bad_request(&format!("{text} is no sequence number")))?;
        let log = self.log(&asked(call)?);
        let proof = locked(&log).proof(sequence);
        match proof {
            Ok(proof) => Ok(Reply::ok(proof.to_string())),
            Err(NoProof::NoEvent) => Err(Reply::not_found("there is no event with that number")),
            Err(NoProof::Uncommitted) => Err(Reply::not_found(
                "the event is not committed yet: POST /api/v1/ves/commitments commits it",
            )),
            Err(NoProof::Gone) => Err(Reply::error(
                StatusCode::GONE,
                "the event is so old that it was dropped: --max-keys sets how many are kept",
            )),
        }
    }

    /// A store's log for reading: an empty one if nothing was written to it.
    fn log(&self, store: &Store) -> Arc<Mutex<Log>> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.get(store).map(Arc::clone).unwrap_or_default()
    }

    fn log_to_write(&self, store: &Store) -> Result<Arc<Mutex<Log>>, Reply> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = logs.get(store) {
            return Ok(Arc::clone(log));
        }
        drop(logs);
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        if logs.len() >= MAX_STORES && !logs.contains_key(store) {
            let message = format!("there are {MAX_STORES} stores, and no more are taken");
            return Err(Reply::error(StatusCode::INSUFFICIENT_STORAGE, &message));
        }
        Ok(Arc::clone(logs.entry(store.clone()).or_default()))
    }
}

/// The next number of a count.
fn next(count: &AtomicU64) -> u64 {
    count.fetch_add(1, Ordering::Relaxed) + 1
}

/// The store that the parameters name.
fn asked(call: &Call<'_>) -> Result<Store, Reply> {
    let text = |name: &str| call.query(name).unwrap_or_default().into_owned();
    checked(text("tenant_id"), text("store_id"))
}

fn checked(tenant_id: String, store_id: String) -> Result<Store, Reply> {
    within("tenant_id", &tenant_id)?;
    within("store_id", &store_id)?;
    Ok(Store { tenant_id, store_id })
}

fn within(what: &str, text: &str) -> Result<(), Reply> {
    if text.is_empty() || text.len() > MAX_ID {
        let message = format!("{what} has 1 to {MAX_ID} bytes, this one has {}", text.len());
        return Err(Reply::bad_request(&message));
    }
    Ok(())
}

#[cfg(test)]
#[path = "sequencer/tests.rs"]
mod tests;
