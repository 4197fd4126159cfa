//! Spans at a collector that no one here wrote: they are what the target saw, and hang together.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod otlp_support;
mod run_support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use otlp_support::{Collector, Seen, Span, Target};
use run_support::{Ended, Running, Scripted, eventually, free_port, loadgen, run};

const SCRIPT: &str = r"
import http from 'k6/http';
import { group, sleep } from 'k6';
export const options = { scenarios: { buy: { executor: 'per-vu-iterations', vus: 3, iterations: 4 } } };
export function setup() { http.get(`${__ENV.TARGET}/setup`); }
export default function () {
  group('shop', () => http.get(`${__ENV.TARGET}/items/${__ITER + 1000}?sig=hidden&page=2`, { tags: { kind: 'list' } }));
  http.get(`${__ENV.TARGET}/to/landing`, { tags: { name: 'landing' } });
  http.get(`${__ENV.TARGET}/status/404`);
}
";

fn traced(script: &Scripted, target: &Target, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let environment = format!("TARGET={}", target.url(""));
    let mut all = vec!["run", "--metrics-addr", "off", "-e", &environment];
    all.extend(arguments);
    all.push(script.path());
    let mut command = loadgen(&all);
    command.envs(variables.iter().copied());
    Ended::from(command.output().unwrap())
}

fn by_id(spans: &[Span]) -> BTreeMap<&str, &Span> {
    spans.iter().map(|span| (span.id.as_str(), span)).collect()
}

/// Every request that the target saw is a span, and the other way round.
fn same(spans: &[Span], seen: &[Seen]) {
    let exported: BTreeSet<(&str, &str)> = spans
        .iter()
        .filter(|span| span.is_request())
        .map(|span| (span.trace.as_str(), span.id.as_str()))
        .collect();
    let told: BTreeSet<(&str, &str)> = seen.iter().map(|seen| (seen.trace(), seen.span())).collect();
    assert_eq!(exported, told);
    assert_eq!(told.len(), seen.len(), "each request has an id of its own");
}

#[test]
fn over_grpc_each_request_is_the_span_that_the_target_saw() {
    let collector = Collector::start();
    whole(
        &collector,
        &collector.grpc(),
        &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
    );
}

#[test]
fn and_so_it_is_over_http_compressed() {
    let collector = Collector::start();
    whole(
        &collector,
        &collector.http(),
        &[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")],
    );
}

fn whole(collector: &Collector, otlp: &str, variables: &[(&str, &str)]) {
    let (script, target) = (Scripted::new(SCRIPT), Target::start());
    let mut variables = variables.to_vec();
    variables.extend([
        ("OTEL_RESOURCE_ATTRIBUTES", "team=a%20b"),
        ("OTEL_SERVICE_NAME", "shop-load"),
    ]);
    let ended = traced(&script, &target, &[otlp], &variables).expect(0);
    assert!(!ended.stderr.contains("traces:"), "{}", ended.stderr);
    let (spans, seen) = (collector.spans(), target.seen());
    assert_eq!(seen.len(), 1 + 12 * 4);
    assert!(seen.iter().all(|seen| seen.flags() == "01"));
    same(&spans, &seen);

    let of = |start: &'static str| spans.iter().filter(move |span| span.name.starts_with(start));
    let runs: Vec<&Span> = of("run ").collect();
    let [own] = runs.as_slice() else {
        panic!("{runs:?}")
    };
    assert_eq!(of("iteration buy").count(), 12);
    assert_eq!(of("setup").count(), 1);
    assert_eq!(spans.len(), seen.len() + 12 + 1 + 1, "and nothing else");
    let known = by_id(&spans);
    for span in &spans {
        assert!(span.start < span.end, "{span:?}");
        assert_eq!(span.resource["service.name"], "shop-load");
        assert_eq!(span.resource["team"], "a b");
        assert_eq!(span.resource["loadgen.run.id"].len(), 16);
        assert_eq!(span.resource["loadgen.scenarios"], "buy");
        if span.is_request() {
            let parent = known[span.parent.as_str()];
            assert_eq!((&*parent.trace, &*parent.parent), (&*span.trace, ""));
            assert!(parent.start <= span.start && span.end <= parent.end);
        } else if span.id != own.id {
            assert_eq!(span.links, [(own.trace.clone(), own.id.clone())]);
            assert_ne!(span.trace, own.trace, "each iteration is a trace");
        }
    }
    let iterations: BTreeSet<&str> = of("iteration")
        .map(|span| span.get("loadgen.iteration"))
        .collect();
    assert_eq!(iterations.len(), 12);

    attributes(&spans, &target);
}

fn attributes(spans: &[Span], target: &Target) {
    let port = target.address.port().to_string();
    let find = |url: &str| {
        let url = target.url(url);
        let found = spans.iter().find(|span| span.get("url.full") == url);
        found.unwrap_or_else(|| panic!("no {url} in {spans:#?}"))
    };
    let list = find("/items/1000?sig=REDACTED&page=2");
    assert_eq!(list.name, "GET /items/:id");
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("server.address", "127.0.0.1"),
        ("server.port", port.as_str()),
        ("network.peer.address", "127.0.0.1"),
        ("network.peer.port", port.as_str()),
        ("network.protocol.name", "http"),
        ("network.protocol.version", "1.1"),
        ("url.template", "/items/:id"),
        ("loadgen.scenario", "buy"),
        ("loadgen.group", "::shop"),
        ("loadgen.tag.kind", "list"),
        ("error.type", ""),
    ] {
        assert_eq!(list.get(key), value, "{key}");
    }
    assert!(list.get("loadgen.phase.waiting").parse::<f64>().unwrap() > 0.0);
    let redirect = find("/to/landing");
    assert_eq!(
        (&*redirect.name, redirect.get("http.request.resend_count")),
        ("GET landing", "")
    );
    assert_eq!(find("/landing").get("http.request.resend_count"), "1");
    let missing = find("/status/404");
    assert_eq!((missing.get("error.type"), missing.error), ("404", true));
    assert!(!list.error && !redirect.error);
}

#[test]
fn at_ratio_zero_failures_and_the_slowest_are_kept_with_their_iterations() {
    let (collector, target) = (Collector::start(), Target::start());
    let script = Scripted::new(
        r"
        import http from 'k6/http';
        export const options = { vus: 1, iterations: 60 };
        export default function () {
          const path = __ITER == 30 ? '/status/500' : __ITER == 40 ? '/delay/400' : __ITER == 50 ? '/status/404' : '/';
          http.get(`${__ENV.TARGET}${path}`, path == '/status/404' ? { responseCallback: http.expectedStatuses(404) } : {});
        }
        ",
    );
    traced(&script, &target, &[&collector.http(), "--trace-sample", "0"], &[]).expect(0);
    let (spans, seen) = (collector.spans(), target.seen());
    assert!(seen.iter().all(|seen| seen.flags() == "00"), "nothing was picked");
    let requests: Vec<&Span> = spans.iter().filter(|span| span.is_request()).collect();
    let paths: Vec<&str> = requests
        .iter()
        .map(|span| span.get("url.full").rsplit_once(&target.url("")).unwrap().1)
        .collect();
    assert!(
        paths.contains(&"/status/500") && paths.contains(&"/delay/400"),
        "{paths:?}"
    );
    assert!(!paths.contains(&"/status/404"), "it was expected: {paths:?}");
    // What else was kept was the slowest when it ended: few of many.
    assert!(paths.len() < 25, "{paths:?}");
    let known = by_id(&spans);
    for span in requests {
        assert_eq!(known[span.parent.as_str()].name, "iteration default");
        assert!(
            seen.iter()
                .any(|seen| (seen.trace(), seen.span()) == (&*span.trace, &*span.id))
        );
    }
}

#[test]
fn a_traceparent_of_the_script_s_wins() {
    const OWN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (collector, target) = (Collector::start(), Target::start());
    let script = Scripted::new(&format!(
        "import http from 'k6/http';
         export default function () {{
           http.get(`${{__ENV.TARGET}}/own`, {{ headers: {{ Traceparent: '{OWN}' }} }});
           http.get(`${{__ENV.TARGET}}/ours`);
         }}"
    ));
    traced(
        &script,
        &target,
        &[&collector.grpc(), "-i", "1"],
        &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
    )
    .expect(0);
    let (spans, seen) = (collector.spans(), target.seen());
    assert_eq!(seen[0].traceparent, OWN);
    let own = spans
        .iter()
        .find(|span| span.get("url.full").ends_with("/own"))
        .unwrap();
    let ours = spans
        .iter()
        .find(|span| span.get("url.full").ends_with("/ours"))
        .unwrap();
    assert_eq!((&*own.trace, &*own.parent), (seen[0].trace(), seen[0].span()));
    assert_eq!(
        own.links,
        [(ours.trace.clone(), ours.parent.clone())],
        "the iteration"
    );
    assert_eq!((&*ours.trace, &*ours.id), (seen[1].trace(), seen[1].span()));
}

#[test]
fn an_exemplar_names_a_trace_that_the_collector_has() {
    let (collector, target) = (Collector::start(), Target::start());
    let address = format!("127.0.0.1:{}", free_port());
    let url = target.url("/delay/5");
    let running = Running::start(&[
        "hit",
        &url,
        "-u",
        "2",
        "-d",
        "2s",
        "--metrics-addr",
        &address,
        "--linger=20s",
        &collector.http(),
    ]);
    let mut shown = BTreeSet::new();
    let mut last = String::new();
    // Before the load, during it, and until the run is over.
    eventually(
        Duration::from_secs(30),
        "an exemplar on the page, and the run's end",
        || {
            match openmetrics(&address) {
                Ok(page) => last = page,
                Err(_) => return (!shown.is_empty()).then_some(()),
            }
            shown.extend(
                last.split("trace_id=\"")
                    .skip(1)
                    .map(|rest| rest[..32].to_owned()),
            );
            None
        },
    );
    running.wait().expect(0);
    let spans = collector.spans();
    for trace in &shown {
        assert!(
            spans.iter().any(|span| span.is_request() && span.trace == *trace),
            "{trace}"
        );
    }
    let dropped = last
        .lines()
        .filter(|line| line.starts_with("loadgen_otlp_spans_dropped_total"));
    assert_eq!(dropped.count(), 7, "a series for each reason");
    let dropped = run_support::sum(&last, "loadgen_otlp_spans_dropped_total", &[]);
    assert_eq!(dropped.to_string(), "0");
    let exported = run_support::sum(&last, "loadgen_otlp_spans_exported_total", &[]);
    assert_eq!(exported.to_string(), spans.len().to_string());
    same(&spans, &target.seen());
}

fn openmetrics(address: &str) -> std::io::Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address)?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn the_header_alone() {
    let target = Target::start();
    let url = target.url("/");
    run(&["hit", &url, "-n", "20", "--metrics-addr", "off"]).expect(0);
    assert!(target.seen().iter().all(|seen| seen.traceparent.is_empty()));
    run(&["hit", &url, "-n", "20", "--metrics-addr", "off", "--traceparent"]).expect(0);
    let seen = target.seen().split_off(20);
    let traces: BTreeSet<&str> = seen.iter().map(Seen::trace).collect();
    assert_eq!((seen.len(), traces.len()), (20, 20));
    assert!(
        seen.iter()
            .all(|seen| seen.traceparent.len() == 55 && seen.flags() == "01")
    );
    let unsampled = [
        "hit",
        &url,
        "-n",
        "5",
        "--metrics-addr",
        "off",
        "--traceparent",
        "--trace-sample",
        "0",
    ];
    run(&unsampled).expect(0);
    assert!(
        target
            .seen()
            .split_off(40)
            .iter()
            .all(|seen| seen.flags() == "00")
    );
}
