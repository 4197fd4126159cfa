//! Which failures give rise to which advice, and which to none.

use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::metrics::{
    Collector, Epoch, HttpKey, HttpRecord, MethodTag, Proto, Recorder, Registry, SystemTags, TagsId, TlsTag,
};

/// A snapshot of so many requests of each status (0: refused), expected or not; `None`: not judged at all.
fn snapshot(requests: &[(u16, Option<bool>, usize)]) -> Snapshot {
    let registry = Registry::new(SystemTags::default());
    let epoch = Epoch {
        instant: Instant::now(),
        wall: SystemTime::UNIX_EPOCH,
    };
    let recorder = Recorder::new(registry.clone(), 0);
    for &(status, expected, count) in requests {
        let key = HttpKey {
            context: TagsId::EMPTY,
            name: recorder.name("x"),
            method: MethodTag::Get,
            status,
            proto: Proto::Http11,
            tls: TlsTag::None,
            error_code: match status {
                0 => 1212,
                400.. => 1000 + status,
                _ => 0,
            },
            expected,
        };
        for _ in 0..count {
            recorder.http(key, HttpRecord::default());
        }
    }
    let mut collector = Collector::new(registry, epoch, Vec::new());
    collector.absorb(&recorder.drain());
    Snapshot::clone(&collector.finish(Duration::from_secs(1)))
}

fn script(variables: &[&str]) -> HintFacts {
    HintFacts {
        variables: variables.iter().map(|name| (*name).to_owned()).collect(),
        script: true,
        ..HintFacts::default()
    }
}

fn texts(snapshot: &Snapshot, facts: &HintFacts) -> Vec<String> {
    hints(snapshot, facts).into_iter().map(|hint| hint.text).collect()
}

#[test]
fn a_server_that_is_not_there() {
    let facts = HintFacts {
        refused: vec![("http://localhost:3000".into(), Some("BASE_URL".into()))],
        ..script(&[])
    };
    let none = snapshot(&[(0, Some(false), 4)]);
    assert_eq!(
        texts(&none, &facts),
        [
            "http://localhost:3000 refused every connection: is the server running? set BASE_URL, or try --demo"
        ]
    );
    let some = snapshot(&[(0, Some(false), 4), (200, Some(true), 6)]);
    let said = texts(&some, &facts).concat();
    assert!(
        said.contains("refused connections (4 of 10 requests failed so): is"),
        "{said}"
    );
    // A WebSocket's opening is no HTTP request of the run, but it was refused all the same.
    let said = texts(&snapshot(&[]), &facts).concat();
    assert!(
        said.starts_with("http://localhost:3000 refused connections: is"),
        "{said}"
    );

    let url = HintFacts {
        refused: facts.refused.clone(),
        ..HintFacts::default()
    };
    assert!(texts(&snapshot(&[(200, Some(true), 6)]), &url).is_empty());
    assert!(!texts(&none, &url).concat().contains("--demo"));
    let demo = HintFacts { demo: true, ..facts };
    assert!(texts(&none, &demo).concat().contains("is it still running?"));
}

#[test]
fn answers_that_point_at_the_set_up() {
    let facts = script(&["API_KEY", "ACCEPT_402", "KEY_PREFIX"]);
    let requests = [(401, 1), (402, 2), (403, 3), (429, 4), (200, 90)];
    let requests = requests.map(|(status, count)| (status, Some(status < 400), count));
    assert_eq!(
        texts(&snapshot(&requests), &facts),
        [
            "401 on 1 of 100 requests: the token was missing or rejected; set API_KEY",
            "402 on 2 of 100 requests: the payment layer answered; go past it with --tunnel, or set ACCEPT_402=true to \
             expect it",
            "403 on 3 of 100 requests: the token is not allowed to do this; set API_KEY",
            "429 on 4 of 100 requests: the target limits the rate; raise its limit (such as RATE_LIMIT_PER_MINUTE) or \
             lower the load",
        ]
    );
    let unknown = texts(&snapshot(&requests), &script(&[])).join("\n");
    assert!(
        unknown.contains("check the credentials that the script sends"),
        "{unknown}"
    );
    assert!(unknown.contains("http.expectedStatuses"), "{unknown}");
    let url = texts(&snapshot(&requests), &HintFacts::default()).join("\n");
    assert!(
        url.contains("-H 'Authorization") && url.contains("--expect-status"),
        "{url}"
    );
}

#[test]
fn what_the_script_expects_or_does_not_judge_is_no_reason_for_advice() {
    let facts = script(&[]);
    let flash_sale = [302, 409, 402, 429, 401, 403].map(|status| (status, Some(true), 5));
    assert!(texts(&snapshot(&flash_sale), &facts).is_empty());
    let unjudged = [402, 429].map(|status| (status, None, 5));
    assert!(texts(&snapshot(&unjudged), &facts).is_empty());
    // Failures of other kinds have a section of their own.
    assert!(texts(&snapshot(&[(500, Some(false), 5), (409, Some(false), 5)]), &facts).is_empty());
}

#[test]
fn the_section_has_a_line_for_each() {
    assert_eq!(hints_section(&[], false), "");
    let hints = hints(&snapshot(&[(429, Some(false), 1)]), &script(&[]));
    let text = hints_section(&hints, false);
    assert!(
        text.starts_with("  █ HINTS \n\n    429 on 1 of 1 requests: "),
        "{text}"
    );
    assert_eq!(text.lines().count(), 3);
}

/// A snapshot of so many WebSocket handshakes, each answered with this status.
fn handshakes(answers: &[(&str, usize)]) -> Snapshot {
    let registry = Registry::new(SystemTags::default());
    let epoch = Epoch {
        instant: Instant::now(),
        wall: SystemTime::UNIX_EPOCH,
    };
    let recorder = Recorder::new(registry.clone(), 0);
    for &(status, count) in answers {
        let tags = recorder.context(TagsId::EMPTY, &[("status", status)]);
        for _ in 0..count {
            recorder.add(builtin::WS_SESSIONS, tags, 0, 1.0);
        }
    }
    let mut collector = Collector::new(registry, epoch, Vec::new());
    collector.absorb(&recorder.drain());
    Snapshot::clone(&collector.finish(Duration::from_secs(1)))
}

#[test]
fn a_handshake_that_is_always_refused() {
    assert_eq!(
        texts(&handshakes(&[("401", 3)]), &script(&["API_KEY"])),
        ["401 on all 3 WebSocket handshakes: the token was missing or rejected; set API_KEY"]
    );
    for other in [&[("401", 3), ("101", 1)][..], &[("500", 2)], &[("", 2)]] {
        assert!(texts(&handshakes(other), &script(&[])).is_empty(), "{other:?}");
    }
}
