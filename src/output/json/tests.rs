//! The lines of the JSON output, against the reference byte for byte.

use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::metrics::{Contains, HttpKey, HttpRecord, Kind, MethodTag, Proto, Recorder, SystemTags, TlsTag};

fn spec(filter: &str, expression: &str) -> ThresholdSpec {
    ThresholdSpec {
        filter: filter.parse().unwrap(),
        expression: expression.parse().unwrap(),
        abort_on_fail: false,
        delay_abort_eval: Duration::ZERO,
        on_empty_pass: false,
        over: None,
    }
}

/// The lines of the reference, byte for byte.
#[test]
fn lines_are_those_of_the_dialect() {
    let registry = Registry::new(SystemTags::default());
    let recorder = Recorder::new(registry.clone(), 0);
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_230_906);
    let epoch = Epoch {
        instant: Instant::now(),
        wall,
    };
    let context = registry.intern(&TagSet::from_pairs([("group", "::g1"), ("scenario", "default")]));
    let key = HttpKey {
        context,
        name: recorder.name("x"),
        method: MethodTag::Get,
        status: 200,
        proto: Proto::Http11,
        tls: TlsTag::None,
        error_code: 0,
        expected: Some(true),
    };
    let record = HttpRecord {
        at: 820_485_969,
        duration: 0.309_655,
        blocked: 0.290_876,
        connecting: 0.246_684,
        sending: 0.088_445,
        waiting: 0.162_892,
        receiving: 0.058_318,
        ..HttpRecord::default()
    };
    recorder.http(key, record);
    let check = recorder.context(context, &[("check", "is 200")]);
    recorder.add(builtin::CHECKS, check, 820_582_278, 1.0);
    let counter = registry
        .define("my_counter", Kind::Counter, Contains::Default)
        .unwrap();
    recorder.add(counter, context, 820_594_100, 1.0);
    recorder.add(counter, context, 820_594_200, 2.5);
    let thresholds = [
        spec("http_req_duration", "p(95)<500"),
        spec("http_req_duration", "p(99)<0.001"),
        spec("http_req_duration{name:x}", "max<100"),
        spec("checks", "rate>0.9"),
    ];
    let mut text = Vec::new();
    JsonFormat::new(registry, epoch, &thresholds).batch(&recorder.drain(), &mut text);
    let text = String::from_utf8(text).unwrap();
    let tags = r#""tags":{"expected_response":"true","group":"::g1","method":"GET","name":"x","proto":"HTTP/1.1","scenario":"default","status":"200","url":"x"}}}"#;
    let plain = |name: &str, kind: &str, contains: &str| {
        format!(
            r#"{{"type":"Metric","data":{{"name":"{name}","type":"{kind}","contains":"{contains}","thresholds":[],"submetrics":null}},"metric":"{name}"}}"#
        )
    };
    let point = |name: &str, value: &str| {
        format!(
            r#"{{"metric":"{name}","type":"Point","data":{{"time":"2026-11-21T03:15:06.820485969Z","value":{value},{tags}"#
        )
    };
    let expected = [
        plain("http_reqs", "counter", "default"),
        point("http_reqs", "1"),
        r#"{"type":"Metric","data":{"name":"http_req_duration","type":"trend","contains":"time","thresholds":["p(95)<500","p(99)<0.001"],"submetrics":[{"name":"http_req_duration{name:x}","suffix":"name:x","tags":{"name":"x"}},{"name":"http_req_duration{expected_response:true}","suffix":"expected_response:true","tags":{"expected_response":"true"}}]},"metric":"http_req_duration"}"#.to_owned(),
        point("http_req_duration", "0.309655"),
        plain("http_req_blocked", "trend", "time"),
        point("http_req_blocked", "0.290876"),
        plain("http_req_connecting", "trend", "time"),
        point("http_req_connecting", "0.246684"),
        plain("http_req_tls_handshaking", "trend", "time"),
        point("http_req_tls_handshaking", "0"),
        plain("http_req_sending", "trend", "time"),
        point("http_req_sending", "0.088445"),
        plain("http_req_waiting", "trend", "time"),
        point("http_req_waiting", "0.162892"),
        plain("http_req_receiving", "trend", "time"),
        point("http_req_receiving", "0.058318"),
        plain("http_req_failed", "rate", "default"),
        point("http_req_failed", "0"),
        r#"{"type":"Metric","data":{"name":"checks","type":"rate","contains":"default","thresholds":["rate>0.9"],"submetrics":null},"metric":"checks"}"#.to_owned(),
        r#"{"metric":"checks","type":"Point","data":{"time":"2026-11-21T03:15:06.820582278Z","value":1,"tags":{"check":"is 200","group":"::g1","scenario":"default"}}}"#.to_owned(),
        plain("my_counter", "counter", "default"),
        r#"{"metric":"my_counter","type":"Point","data":{"time":"2026-11-21T03:15:06.8205941Z","value":1,"tags":{"group":"::g1","scenario":"default"}}}"#.to_owned(),
        r#"{"metric":"my_counter","type":"Point","data":{"time":"2026-11-21T03:15:06.8205942Z","value":2.5,"tags":{"group":"::g1","scenario":"default"}}}"#.to_owned(),
    ];
    for (line, expected) in text.lines().zip(&expected) {
        assert_eq!(line, expected);
    }
    assert_eq!(text.lines().count(), expected.len());
}

#[test]
fn metadata_stand_beside_the_tags() {
    let registry = Registry::new(SystemTags::parse(["vu", "status"]).unwrap());
    let recorder = Recorder::new(registry.clone(), 0);
    let tags = registry.intern(&TagSet::from_pairs([("mine", "1"), ("vu", "3")]));
    let plain = registry.intern(&TagSet::from_pairs([("mine", "1")]));
    let noted = TagSet::from_pairs([("trace", "a\"b")]);
    for (metadata, tags) in [
        (Some(noted.clone()), tags),
        (Some(noted), plain),
        (None, tags),
        (None, plain),
    ] {
        recorder.remark(metadata);
        recorder.add(builtin::ITERATIONS, tags, 0, 1.0);
    }
    let mut text = Vec::new();
    JsonFormat::new(registry, Epoch::now(), &[]).batch(&recorder.drain(), &mut text);
    let text = String::from_utf8(text).unwrap();
    let ends: Vec<&str> = text
        .lines()
        .filter_map(|line| Some(line.split_once("\"value\":1,")?.1))
        .collect();
    let whole = r#""tags":{"mine":"1"}"#;
    assert_eq!(
        ends,
        [
            format!(r#"{whole},"metadata":{{"trace":"a\"b","vu":"3"}}}}}}"#),
            format!(r#"{whole},"metadata":{{"trace":"a\"b"}}}}}}"#),
            format!(r#"{whole},"metadata":{{"vu":"3"}}}}}}"#),
            format!("{whole}}}}}"),
        ]
    );
}
