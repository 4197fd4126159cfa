//! Numbers without gaps from many threads, duplicates, entities, commitments and proofs, and what is left of old events.

use std::collections::BTreeSet;

use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::*;
use crate::demo::testing::Asked;

const STORE: &str = "tenant_id=t&store_id=s";

fn system(max_keys: usize, per_minute: Option<u32>) -> Asked {
    let open: Gate = Arc::new(|_| None);
    Asked::new(routes(max_keys, per_minute, &open))
}

fn event(id: &str) -> Value {
    json!({ "event_id": id, "entity_type": "order", "entity_id": "o/1", "event_type": "created", "payload": { "n": 1 } })
}

fn batch_of(store: &str, events: &[Value]) -> Value {
    json!({ "tenant_id": "t", "store_id": store, "events": events })
}

fn ingest(system: &Asked, ids: impl IntoIterator<Item = String>) -> Value {
    let events: Vec<Value> = ids.into_iter().map(|id| event(&id)).collect();
    let (status, reply) = system.post("/api/v1/ves/events/ingest", &batch_of("s", &events));
    assert_eq!(status, 200, "{reply}");
    reply
}

fn named(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

fn get(system: &Asked, path: &str) -> Value {
    let joint = if path.contains('?') { '&' } else { '?' };
    let (status, reply) = system.get(&format!("{path}{joint}{STORE}"));
    assert_eq!(status, 200, "{path}: {reply}");
    reply
}

fn commit(system: &Asked) -> (u16, Value) {
    system.post(
        "/api/v1/ves/commitments",
        &json!({ "tenant_id": "t", "store_id": "s" }),
    )
}

fn number(reply: &Value, field: &str) -> u64 {
    reply[field]
        .as_u64()
        .unwrap_or_else(|| panic!("{field} in {reply}"))
}

#[test]
fn numbers_have_no_gaps_however_many_threads_send() {
    let system = system(100_000, None);
    let ranges: BTreeSet<(u64, u64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let system = &system;
                scope.spawn(move || {
                    let mut ranges = Vec::new();
                    for batch in 0..40 {
                        let size = 1 + (thread * 7 + batch * 3) % 30;
                        let reply = ingest(system, named(&format!("{thread}/{batch}/"), size));
                        let range = (number(&reply, "sequence_start"), number(&reply, "sequence_end"));
                        assert_eq!(range.1 - range.0 + 1, size as u64);
                        assert!(number(&reply, "head_sequence") >= range.1);
                        ranges.push(range);
                    }
                    ranges
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no assertion failed"))
            .collect()
    });
    let mut next = 1;
    for (start, end) in ranges {
        assert_eq!(start, next);
        next = end + 1;
    }
    let head = get(&system, "/api/v1/head");
    assert_eq!(number(&head, "head_sequence") + 1, next);
    let listed = get(&system, "/api/v1/events?limit=1000");
    let numbers: Vec<u64> = listed["events"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|event| number(event, "sequence_number"))
        .collect();
    assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
}

#[test]
fn what_is_known_is_rejected_and_takes_no_number() {
    let system = system(1000, None);
    let first = ingest(&system, ["a", "b", "a"].map(str::to_owned));
    assert_eq!(
        (
            number(&first, "events_accepted"),
            number(&first, "events_rejected")
        ),
        (2, 1)
    );
    assert_eq!(
        (number(&first, "sequence_start"), number(&first, "sequence_end")),
        (1, 2)
    );
    let again = ingest(&system, ["b", "a"].map(str::to_owned));
    assert_eq!(number(&again, "events_accepted"), 0);
    assert_eq!(
        (&again["sequence_start"], &again["head_sequence"]),
        (&Value::Null, &json!(2))
    );
    assert_ne!(first["batch_id"], again["batch_id"]);
    let third = ingest(&system, ["a", "c"].map(str::to_owned));
    assert_eq!(
        (number(&third, "sequence_start"), number(&third, "sequence_end")),
        (3, 3)
    );
}

#[test]
fn stores_have_numbers_of_their_own() {
    let system = system(1000, None);
    ingest(&system, named("a", 5));
    let (_, other) = system.post("/api/v1/ves/events/ingest", &batch_of("other", &[event("a0")]));
    assert_eq!(
        (
            number(&other, "events_accepted"),
            number(&other, "sequence_start")
        ),
        (1, 1)
    );
    let (_, none) = system.get("/api/v1/head?tenant_id=nobody&store_id=s");
    assert_eq!(none, json!({ "head_sequence": 0 }));
}

#[test]
fn events_are_listed_from_a_number_on_and_by_entity() {
    let system = system(1000, None);
    ingest(&system, named("e", 20));
    let listed = get(&system, "/api/v1/events?from=18&limit=2");
    let ids: Vec<&Value> = listed["events"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|event| &event["event_id"])
        .collect();
    assert_eq!(
        (ids, &listed["head_sequence"]),
        (vec![&json!("e17"), &json!("e18")], &json!(20))
    );
    assert_eq!(get(&system, "/api/v1/events?from=21")["events"], json!([]));
    let shown = &get(&system, "/api/v1/events?limit=1")["events"][0];
    let mut expected = event("e0");
    expected["sequence_number"] = json!(1);
    assert_eq!(shown, &expected);

    let entity = get(&system, "/api/v1/entities/order/o%2F1?limit=3");
    assert_eq!(
        (&entity["entity_id"], &entity["version"]),
        (&json!("o/1"), &json!(20))
    );
    let numbers: Vec<&Value> = entity["events"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|event| &event["sequence_number"])
        .collect();
    assert_eq!(numbers, [18, 19, 20]);
    let unknown = get(&system, "/api/v1/entities/order/x");
    assert_eq!((&unknown["events"], &unknown["version"]), (&json!([]), &json!(0)));
}

#[test]
fn commitments_follow_each_other_and_prove_what_they_hold() {
    let system = system(1000, None);
    let nothing = commit(&system);
    assert_eq!((nothing.0, &nothing.1["commitment_id"]), (200, &Value::Null));
    ingest(&system, named("a", 7));
    let (status, first) = commit(&system);
    assert_eq!(status, 201);
    assert_eq!(
        (number(&first, "sequence_start"), number(&first, "sequence_end")),
        (1, 7)
    );
    assert_eq!(commit(&system), (200, first.clone()), "nothing is new");
    ingest(&system, named("b", 4));
    let second = commit(&system).1;
    assert_eq!(
        (number(&second, "sequence_start"), number(&second, "sequence_end")),
        (8, 11)
    );
    assert_eq!(
        get(&system, "/api/v1/ves/commitments"),
        json!({ "commitments": [second, first] })
    );
    for (sequence, commitment) in (1..=11).map(|n| (n, if n <= 7 { &first } else { &second })) {
        let proof = get(&system, &format!("/api/v1/ves/proofs/{sequence}"));
        assert_eq!(proof["merkle_root"], commitment["merkle_root"]);
        let root = bytes(commitment["merkle_root"].as_str().expect("a hash"));
        assert_eq!(climb(&shown(&system, sequence), &proof), root);
        assert_ne!(climb("something else", &proof), root);
    }
    ingest(&system, named("c", 1));
    for (sequence, status) in [("12", 404), ("13", 404), ("0", 404), ("x", 400), ("-1", 400)] {
        let (found, reply) = system.get(&format!("/api/v1/ves/proofs/{sequence}?{STORE}"));
        assert_eq!(found, status, "{sequence}: {reply}");
    }
}

/// An event in the very words in which it is listed, which is what its leaf is the hash of.
fn shown(system: &Asked, sequence: u64) -> String {
    let target = format!("/api/v1/events?from={sequence}&limit=1&{STORE}");
    let reply = system.ask(&Method::GET, &target, &HeaderMap::new(), b"");
    let text = String::from_utf8(reply.body.to_vec()).expect("text");
    let (event, _) = text
        .strip_prefix(r#"{"events":["#)
        .and_then(|text| text.rsplit_once(r#"],"head_sequence""#))
        .expect("one event");
    event.to_owned()
}

/// The root that a proof leads to from an event: what a client would do.
fn climb(event: &str, proof: &Value) -> Vec<u8> {
    let mut hash = Sha256::new()
        .chain_update([0])
        .chain_update(event)
        .finalize()
        .to_vec();
    for step in proof["proof"].as_array().expect("an array") {
        let other = bytes(step["hash"].as_str().expect("a hash"));
        let pair = if step["side"] == "left" {
            [other, hash]
        } else {
            [hash, other]
        };
        hash = Sha256::new()
            .chain_update([1])
            .chain_update(pair.concat())
            .finalize()
            .to_vec();
    }
    hash
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits"))
        .collect()
}

#[test]
fn the_oldest_events_go_and_are_committed_before_they_do() {
    let system = system(2000, None);
    for batch in 0..12 {
        ingest(&system, named(&format!("{batch}/"), 500));
    }
    let listed = get(&system, "/api/v1/events?limit=1");
    assert_eq!(
        (
            number(&listed["events"][0], "sequence_number"),
            number(&listed, "head_sequence")
        ),
        (4001, 6000)
    );
    let entity = get(&system, "/api/v1/entities/order/o%2F1");
    assert_eq!(number(&entity, "version"), 6000);
    commit(&system);
    let commitments = get(&system, "/api/v1/ves/commitments");
    let mut end = 6000;
    for commitment in commitments["commitments"].as_array().expect("an array") {
        assert_eq!(number(commitment, "sequence_end"), end);
        end = number(commitment, "sequence_start") - 1;
    }
    assert_eq!(end, 0, "they cover everything that ever was");
    let proof = |sequence: u64| system.get(&format!("/api/v1/ves/proofs/{sequence}?{STORE}")).0;
    assert_eq!(
        (proof(1), proof(4000), proof(4001), proof(6000)),
        (410, 410, 200, 200)
    );
    let again = ingest(&system, ["0/0".to_owned()]);
    assert_eq!(number(&again, "events_accepted"), 1, "it is no longer known");
}

#[test]
fn a_store_keeps_its_latest_events_whatever_others_do() {
    let system = system(1500, None);
    ingest(&system, named("a", 1000));
    for batch in 0..3 {
        let events: Vec<Value> = named(&format!("{batch}/"), 1000)
            .iter()
            .map(|id| event(id))
            .collect();
        system.post("/api/v1/ves/events/ingest", &batch_of("loud", &events));
    }
    let listed = get(&system, "/api/v1/events?limit=1000");
    assert_eq!(listed["events"].as_array().map(Vec::len), Some(1000));
    let (_, loud) = system.get("/api/v1/events?tenant_id=t&store_id=loud&limit=1");
    assert_eq!(number(&loud["events"][0], "sequence_number"), 2001);
}

#[test]
fn past_its_rate_it_says_when_to_come_back() {
    let system = system(100, Some(3));
    let target = format!("/api/v1/head?{STORE}");
    for _ in 0..3 {
        assert_eq!(system.get(&target).0, 200);
    }
    let refusal = system.ask(&Method::GET, &target, &HeaderMap::new(), b"");
    assert_eq!(refusal.status, StatusCode::TOO_MANY_REQUESTS);
    let (name, value) = refusal.header.expect("a header");
    let seconds: u64 = value.to_str().expect("text").parse().expect("a number");
    assert!(name == RETRY_AFTER && (1..=60).contains(&seconds), "{seconds}");
}

#[test]
fn nonsense_is_refused() {
    let system = system(100, None);
    let ingest = "/api/v1/ves/events/ingest";
    let many: Vec<Value> = (0..=MAX_BATCH).map(|n| event(&n.to_string())).collect();
    for body in [
        json!({}),
        batch_of("s", &[]),
        batch_of("s", &many),
        batch_of("", &[event("a")]),
        batch_of("s", &[event("")]),
        batch_of("s", &[json!({ "event_id": "a" })]),
        json!({ "tenant_id": "t", "store_id": "s", "events": "none" }),
    ] {
        let (status, reply) = system.post(ingest, &body);
        assert_eq!(status, 400, "{reply}");
    }
    for path in [
        "/api/v1/head",
        "/api/v1/events?tenant_id=t",
        "/api/v1/ves/commitments?store_id=s",
    ] {
        let (status, reply) = system.get(path);
        assert!(
            status == 400 && reply["error"].as_str().is_some_and(|error| error.contains("_id")),
            "{reply}"
        );
    }
    for store in 0..MAX_STORES {
        let (status, _) = system.post(ingest, &batch_of(&store.to_string(), &[event("a")]));
        assert_eq!(status, 200);
    }
    assert_eq!(system.post(ingest, &batch_of("one more", &[event("a")])).0, 507);
    assert_eq!(system.post(ingest, &batch_of("7", &[event("b")])).0, 200);
}
