//! Each rule on scripts that have its mistake, and on those that nearly have it.

use super::{lint_text, rules};

const HEAD: &str = "import http from 'k6/http'; import { check, sleep, group } from 'k6'; import { Rate, Counter, Trend } from 'k6/metrics';\n";

/// Findings of a script that begins with [`HEAD`]: rule, line without the head, column.
fn found(text: &str) -> Vec<(&'static str, u32, u32)> {
    let findings = lint_text("file:///nowhere/a.js", &format!("{HEAD}{text}")).unwrap();
    let places = findings.iter().map(|one| (one.rule, one.line - 1, one.column));
    places.collect()
}

/// Findings of a check with this function on a response.
fn of_predicate(predicate: &str) -> Vec<&'static str> {
    let text =
        format!("export default function () {{\n  check(http.get('http://h/'), {{ 'c': {predicate} }});\n}}");
    found(&text).into_iter().map(|(rule, ..)| rule).collect()
}

#[test]
fn rules_are_in_the_order_of_their_names() {
    let names: Vec<&str> = rules().iter().map(|rule| rule.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(names, sorted);
}

#[test]
fn checks_that_can_never_fail() {
    for predicate in [
        "true",
        "() => true",
        "(r) => r.status === 200 || 201",
        "(r) => r.status === 200 || true",
        "(r) => { return r.status == 200 || 'ok'; }",
        "(r) => r.status = 200",
        "async (r) => r.status === 200",
        "(r) => r",
        "(r) => r.json",
        "(r) => r.headers",
        "(r) => r.body.includes",
        "(r) => r.body.includes('x') !== -1",
        "(r) => r.body.indexOf('x')",
        "(r) => r.status !== undefined",
        "(r) => r.status != null && r.headers !== undefined",
        "(r) => r.status >= 0",
        "(r) => r.timings.duration > -1",
        "(r) => r.body.length >= 0",
        "(r) => r.status !== 200 || r.status !== 201",
        "(r) => r.status !== '200'",
        "function (r) { return [r.status === 200]; }",
        "(r) => { if (r.status === 200) { return true; } else { return true; } }",
        "(r) => /ok/",
    ] {
        assert_eq!(of_predicate(predicate), ["check-never-fails"], "{predicate}");
    }
}

#[test]
fn checks_that_can_never_pass() {
    for predicate in [
        "false",
        "(r) => { r.status === 200 }",
        "(r) => { r.status === 200; return; }",
        "(r) => r.status === '200'",
        "(r) => r.status === 200 && r.status === 201",
        "(r) => r.status === undefined",
        "() => null",
    ] {
        assert_eq!(of_predicate(predicate), ["check-never-passes"], "{predicate}");
    }
}

#[test]
fn checks_that_can_do_both() {
    for predicate in [
        "(r) => r.status === 200",
        "(r) => r.status === 200 || r.status === 201",
        "(r) => r && r.status === 200",
        "(r) => r.status == '200'",
        "(r) => r.body && r.body.includes('x')",
        "(r) => r.body.indexOf('x') !== -1",
        "(r) => r.body !== null",
        "(r) => r.json().id !== undefined",
        "(r) => r.json('items').every",
        "(r) => !!r.headers['Content-Type']",
        "(r) => r.timings.duration < 500",
        "(r) => { try { return r.json().ok; } catch (e) { return false; } }",
        "(r) => { if (r.status !== 200) { return false; } return true; }",
        "(r) => { for (const x of r.json()) { if (!x.ok) return false; } return true; }",
        "(r) => r.error === ''",
        "(r) => r.status !== 500 && r.status !== 502",
        "(r) => r.status > 0",
        "ok",
        "(r) => isOk(r)",
        "(r) => (r.status === 200 ? r.json().done : false)",
        "(r) => r.cookies.session !== undefined",
    ] {
        assert_eq!(of_predicate(predicate), [] as [&str; 0], "{predicate}");
    }
    // What is not a response for sure may have anything.
    assert!(found("const f = (m) => m;\nexport default function (data) { check(data, { a: (m) => m.status !== undefined, b: f, c: (m) => m.json }); }").is_empty());
}

#[test]
fn rates_to_which_only_one_thing_is_added() {
    let script =
        |adds: &str| format!("const errors = new Rate('errors');\nexport default function () {{\n{adds}\n}}");
    assert_eq!(
        found(&script("  if (Math.random() > 1) errors.add(1);")),
        [("rate-one-sided", 3, 26)]
    );
    assert_eq!(
        found(&script("errors.add(true); errors.add(1)")),
        [("rate-one-sided", 3, 1)]
    );
    assert_eq!(found(&script("errors.add(false)")), [("rate-one-sided", 3, 1)]);
    for fine in [
        "errors.add(1); errors.add(0);",
        "errors.add(!check(null, {}));",
        "errors.add(true); note(errors);",
        "const all = { errors }; errors.add(1);",
    ] {
        assert!(found(&script(fine)).is_empty(), "{fine}");
    }
}

#[test]
fn thresholds_without_samples_or_sense() {
    let script = |thresholds: &str| {
        format!(
            "const seen = new Counter('seen'); const time = new Trend('time', true);\nexport const options = {{ thresholds: {{\n{thresholds}\n}} }};\nexport default function () {{ time.add(1); check(http.get('http://h/'), {{ c: (r) => r.status === 200 }}); }}"
        )
    };
    for (thresholds, expected) in [
        ("seen: ['count>5']", Some("metric-never-written")),
        ("'ws_connecting': ['p(95)<100']", Some("metric-never-written")),
        ("group_duration: ['avg<100']", Some("metric-never-written")),
        ("http_req_duraton: ['p(95)<5']", Some("threshold-misspelt")),
        ("time: ['p95<5']", Some("threshold-misspelt")),
        ("time: ['rate<5']", Some("threshold-misspelt")),
        ("'time{': ['max<5']", Some("threshold-misspelt")),
        ("http_req_failed: ['rate<1.5']", Some("threshold-always-holds")),
        ("http_req_failed: ['rate<=1']", Some("threshold-always-holds")),
        ("http_reqs: ['count>=0']", Some("threshold-always-holds")),
        ("http_req_duration: ['p(95)<0.5']", Some("unit-mistaken")),
        ("checks: ['rate>0.9'], checks: ['rate>0.5']", Some("key-twice")),
        ("'http_reqs{status:409}': ['count>=0']", None),
        ("seen: [{ threshold: 'count>5', onEmpty: 'pass' }]", None),
        (
            "time: ['p(95)<500', { threshold: 'max<9', abortOnFail: true }]",
            None,
        ),
        ("checks: ['rate>0.9'], http_req_failed: ['rate<0.01']", None),
        ("target_cpu_utilization: ['max<0.9']", None),
    ] {
        let rules: Vec<&str> = found(&script(thresholds))
            .into_iter()
            .map(|(rule, ..)| rule)
            .collect();
        assert_eq!(rules, expected.into_iter().collect::<Vec<_>>(), "{thresholds}");
    }
}

#[test]
fn statuses_that_are_expected_and_fail() {
    let script = |callback: &str, params: &str, check: &str| {
        format!(
            "{callback}\nexport default function () {{\n  const res = http.post('http://h/', null, {params});\n  check(res, {{ c: (r) => {check} }});\n}}"
        )
    };
    let rule = [("expected-status-fails", 4, 26)];
    assert_eq!(found(&script("", "{}", "[200, 409].includes(r.status)")), rule);
    assert_eq!(
        found(&script(
            "",
            "{ headers: {} }",
            "r.status === 200 || r.status === 409"
        )),
        rule
    );
    assert_eq!(
        found(&script(
            "http.setResponseCallback(http.expectedStatuses(200, 404));",
            "{}",
            "r.status === 409"
        )),
        rule
    );
    for (callback, params, check) in [
        (
            "",
            "{ responseCallback: http.expectedStatuses(409) }",
            "r.status === 409",
        ),
        (
            "http.setResponseCallback(http.expectedStatuses({ min: 200, max: 499 }));",
            "{}",
            "r.status === 409",
        ),
        ("http.setResponseCallback(null);", "{}", "r.status === 409"),
        ("", "{}", "r.status !== 409"),
        ("", "{}", "r.status === 201 || r.status === 302"),
        ("", "globalThis.params", "r.status === 409"),
    ] {
        assert!(
            found(&script(callback, params, check)).is_empty(),
            "{callback} {params} {check}"
        );
    }
}

#[test]
fn names_that_never_end() {
    let script = |body: &str| {
        format!(
            "const BASE = __ENV.BASE || 'http://h';\nconst few = ['a', 'b'];\nexport default function (data) {{\n{body}\n}}\nfunction user(id) {{ return http.get(`${{BASE}}/users/${{id}}`); }}\nconst sent = (id, params) => http.post(`${{BASE}}/users/${{id}}`, null, params);"
        )
    };
    for body in [
        "http.get(`${BASE}/users/${__ITER}`);",
        "http.get(BASE + '/users/' + Math.floor(Math.random() * 1000));",
        "const id = http.get(`${BASE}/new`).json('id'); http.del(`${BASE}/users/${id}`);",
        "const made = http.get(`${BASE}/new`); const { id } = made.json(); http.put(`${BASE}/users/${id}`, 'x', { headers: {} });",
        "const user = data.users[__VU % data.users.length]; http.get(`${BASE}/users/${user.id}`);",
        "for (const item of data.items) { http.get(`${BASE}/items/${item}`); }",
        "data.items.forEach((item) => { http.get(`${BASE}/items/${item.id}`); });",
        "http.batch([`${BASE}/a/${Date.now()}`, `${BASE}/b`]);",
        "http.request('GET', `${BASE}/${__VU}`);",
    ] {
        let rules: Vec<&str> = found(&script(body)).into_iter().map(|(rule, ..)| rule).collect();
        assert_eq!(rules, ["unbounded-name"], "{body}");
    }
    assert_eq!(found(&script("user(__ITER);")), [("unbounded-name", 6, 37)]);
    for body in [
        "http.get(`${BASE}/users`);",
        "http.get(`${data.base}/users/${data.id}`);",
        "http.get(`${BASE}/users/${__ITER}`, { tags: { name: 'user' } });",
        "http.get(http.url`${BASE}/users/${__ITER}`);",
        "http.get(`${BASE}/${few[__ITER % few.length]}`);",
        "http.get(`${BASE}/${few[Math.floor(Math.random() * few.length)]}?q=x`);",
        "for (const one of few) http.get(`${BASE}/${one}`);",
        "for (let i = 0; i < 3; i++) http.get(`${BASE}/${i}`);",
        "user('me'); user('you');",
        "sent(__ITER, { tags: { name: 'sent' } });",
        "http.get(`${BASE}/${data.fast ? 'fast' : 'slow'}`);",
    ] {
        assert!(
            found(&script(body)).is_empty(),
            "{body}: {:?}",
            found(&script(body))
        );
    }
}

#[test]
fn long_closed_runs_without_a_pause() {
    let script = |options: &str, body: &str| {
        format!(
            "export const options = {options};\nexport default function () {{ http.get('http://h/'); {body} }}"
        )
    };
    for options in [
        "{ vus: 10, duration: '30m' }",
        "{ stages: [{ duration: '5m', target: 10 }, { duration: '1h', target: 10 }] }",
        "{ scenarios: { soak: { executor: 'constant-vus', vus: 5, duration: '2h' } } }",
    ] {
        let rules: Vec<&str> = found(&script(options, ""))
            .into_iter()
            .map(|(rule, ..)| rule)
            .collect();
        assert_eq!(rules, ["soak-without-pause"], "{options}");
        assert!(found(&script(options, "sleep(1);")).is_empty(), "{options}");
    }
    for options in [
        "{ vus: 10, duration: '30s' }",
        "{ vus: 10, duration: '30m', minIterationDuration: '1s' }",
        "{ scenarios: { soak: { executor: 'constant-arrival-rate', rate: 5, preAllocatedVUs: 5, duration: '2h' } } }",
    ] {
        assert!(found(&script(options, "")).is_empty(), "{options}");
    }
}

#[test]
fn what_is_written_and_has_no_effect() {
    for (text, rule, place) in [
        (
            "// k6 run -e PROFILE=stress a.js\nexport default function () {}",
            "variable-never-read",
            (1, 14),
        ),
        (
            "// Variable  Default  Meaning\n// PROFILE   smoke    the load\nexport default function () {}",
            "variable-never-read",
            (2, 4),
        ),
        (
            "const profile = __ENV.PROFILE || 'smoke';\nexport default function () {}",
            "variable-never-read",
            (1, 7),
        ),
        (
            "const options = { vus: 5 };\nexport default function () {}",
            "not-exported",
            (1, 7),
        ),
        (
            "function setup() {}\nexport default function () {}",
            "not-exported",
            (1, 10),
        ),
        (
            "export const options = { treshholds: {} };\nexport default function () {}",
            "option-misspelt",
            (1, 26),
        ),
        (
            "export default function () { http.asyncRequest('GET', 'http://h/'); }",
            "promise-not-awaited",
            (1, 30),
        ),
        (
            "export default function () { sleep(1000); }",
            "unit-mistaken",
            (1, 30),
        ),
        (
            "export default function () { http.get('http://h/', { timeout: 30 }); }",
            "unit-mistaken",
            (1, 63),
        ),
        (
            "export const options = { discardResponseBodies: true };\nexport default function () { check(http.get('http://h/'), { c: (r) => r.json().ok }); }",
            "body-discarded",
            (2, 71),
        ),
        (
            "export default function () { check(http.get('http://h/'), { a: (r) => r.status === 200, a: (r) => r.error === '' }); }",
            "key-twice",
            (1, 89),
        ),
    ] {
        // The opening comment is the first thing in a text.
        let whole = if text.starts_with("//") {
            format!("{text}\n{HEAD}")
        } else {
            format!("{HEAD}{text}")
        };
        let skipped = u32::from(!text.starts_with("//"));
        let findings = lint_text("file:///nowhere/a.js", &whole).unwrap();
        let places: Vec<_> = findings
            .iter()
            .map(|one| (one.rule, (one.line - skipped, one.column)))
            .collect();
        assert_eq!(places, [(rule, place)], "{text}");
    }
    for fine in [
        "// k6 run -e PROFILE=stress a.js\nconst p = __ENV.PROFILE;\nexport const options = { vus: p ? 1 : 2 };\nexport default function () {}",
        "// k6 run -e K6_VUS=5 a.js\nexport default function () {}",
        "const options = { vus: 5 };\nexport { options };\nexport default function () {}",
        "export default async function () { const r = await http.asyncRequest('GET', 'http://h/'); check(r, { c: (x) => x.status === 200 }); }",
        "export const options = { vus: 1, cloud: {}, tags: { a: 'b' } };\nexport default function () { sleep(30); http.get('http://h/', { timeout: '30s' }); }",
    ] {
        assert!(found(fine).is_empty(), "{fine}: {:?}", found(fine));
    }
}

#[test]
fn a_comment_silences_a_line() {
    let script = |before: &str, after: &str| {
        format!("export default function () {{\n{before}\n  check(null, {{ a: () => true }}); {after}\n}}")
    };
    assert_eq!(found(&script("", "")), [("check-never-fails", 3, 26)]);
    for (before, after) in [
        ("", "// loadgen-lint-ignore check-never-fails"),
        (
            "  // loadgen-lint-ignore check-never-fails -- it is a mark in the summary",
            "",
        ),
        ("", "// loadgen-lint-ignore"),
        ("", "/* loadgen-lint-ignore unit-mistaken, check-never-fails */"),
    ] {
        assert!(found(&script(before, after)).is_empty(), "{before} {after}");
    }
    assert_eq!(
        found(&script("", "// loadgen-lint-ignore unit-mistaken")).len(),
        1
    );
    let unknown = found(&script("", "// loadgen-lint-ignore check-never-fails, nonsense"));
    assert_eq!(unknown, [("ignore-unknown", 3, 35)]);
}

#[test]
fn commonjs_and_typescript_are_read_too() {
    let common = "const http = require('k6/http');\nconst { check } = require('k6');\nexports.options = { vus: 1, duration: '1h' };\nexports.default = function () { check(http.get('http://h/'), { a: () => true }); };";
    let findings = lint_text("file:///nowhere/a.js", common).unwrap();
    let rules: Vec<_> = findings.iter().map(|one| (one.rule, one.line)).collect();
    assert_eq!(rules, [("soak-without-pause", 3), ("check-never-fails", 4)]);
    let typed = "import { check } from 'k6';\ninterface A { a: number }\nexport default (a: A): void => { check(a, { c: (x: A): boolean => true as boolean }); };";
    let findings = lint_text("file:///nowhere/a.ts", typed).unwrap();
    assert_eq!(
        findings
            .iter()
            .map(|one| (one.rule, one.line))
            .collect::<Vec<_>>(),
        [("check-never-fails", 3)]
    );
}

#[test]
fn what_is_no_script_is_an_error_with_its_place() {
    let error = lint_text("file:///nowhere/a.js", "export default function ( {").unwrap_err();
    assert!(error.to_string().contains("/nowhere/a.js:1:"), "{error}");
}
