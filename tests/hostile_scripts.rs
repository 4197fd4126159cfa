//! Scripts that loop for ever, eat memory, recurse and break what they run on: a run of them ends as documented, the other
//! virtual users go on, and memory stays within `--max-vu-memory`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::time::Duration;

use run_support::{Ended, Points, Running, Scripted, eventually};

/// What the other virtual users have done at least, of some 40 iterations.
const FINE: f64 = 5.0;

/// A run of 2 s in which one virtual user calls `hostile` and two others go about their business.
fn beside(hostile: &str) -> (Ended, f64, u64) {
    let script = Scripted::new(&format!(
        "import {{ sleep, check, group }} from 'k6';
import {{ Counter }} from 'k6/metrics';
const fine = new Counter('fine');
export const options = {{
  thresholds: {{ fine: ['count>0'] }},
  scenarios: {{
    hostile: {{ executor: 'constant-vus', vus: 1, duration: '2s', gracefulStop: '500ms', exec: 'hostile' }},
    others: {{ executor: 'constant-vus', vus: 2, duration: '2s', gracefulStop: '5s', exec: 'other' }},
  }},
}};
export function other() {{ fine.add(1); sleep(0.05); }}
export {hostile}"
    ));
    let samples = script.file("samples.json");
    let running = Running::start(&[
        "run",
        "--metrics-addr",
        "off",
        "--quiet",
        "--max-vu-memory",
        "32MiB",
        "--out",
        &format!("json={samples}"),
        script.path(),
    ]);
    let pid = running.pid();
    let (stop, stopped) = std::sync::mpsc::channel();
    let watch = std::thread::spawn(move || {
        let mut most = 0;
        while stopped.recv_timeout(Duration::from_millis(20)).is_err() {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find(|line| line.starts_with("VmHWM:"));
            let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            most = most.max(kilobytes.unwrap_or(0) / 1024);
        }
        most
    });
    let ended = running.wait();
    stop.send(()).unwrap();
    let most = watch.join().unwrap();
    (ended, Points::read(&samples).sum("fine"), most)
}

/// Runs each beside others, and shows which of them went wrong.
fn all_beside(hostiles: &[(&str, &str)]) {
    for (what, hostile) in hostiles {
        let (ended, fine, megabytes) = beside(hostile);
        println!("{what}: code {}, {fine} fine, {megabytes} MB", ended.code);
        assert_eq!(ended.code, 0, "{what}\n{}\n{}", ended.stdout, ended.stderr);
        assert!(
            fine >= FINE,
            "{what}: the others did only {fine}\n{}",
            ended.stderr
        );
        assert!(megabytes < 400, "{what}: {megabytes} MB");
    }
}

#[test]
fn loops_without_an_end() {
    all_beside(&[
        ("a loop", "function hostile() { for (;;) {} }"),
        (
            "that catches",
            "function hostile() { for (;;) { try { for (;;) {} } catch (e) {} finally { continue; } } }",
        ),
        (
            "a getter",
            "function hostile() { ({ get a() { for (;;) {} } }).a; }",
        ),
        (
            "a comparison",
            "function hostile() { [3, 1, 2].sort(() => { for (;;) {} }); }",
        ),
        (
            "a conversion",
            "function hostile() { `${{ toString() { for (;;) {} } }}`; }",
        ),
        (
            "a proxy",
            "function hostile() { JSON.stringify(new Proxy({}, { ownKeys() { for (;;) {} } })); }",
        ),
        (
            "a generator",
            "function hostile() { function* g() { for (;;) yield 1; } for (const x of g()) {} }",
        ),
        (
            "a check",
            "function hostile() { check(1, { a: () => { for (;;) {} } }); }",
        ),
    ]);
}

#[test]
fn promises_and_patterns_without_an_end() {
    all_beside(&[
        ("awaits", "async function hostile() { for (;;) await null; }"),
        (
            "a chain",
            "function hostile() { const again = () => Promise.resolve().then(again); return again(); }",
        ),
        (
            "a promise that never settles",
            "async function hostile() { await new Promise(() => {}); }",
        ),
        (
            "a thenable",
            "async function hostile() { const t = { then(ok) { ok(t); } }; await t; }",
        ),
        ("an interval", "function hostile() { setInterval(() => {}, 0); }"),
        (
            "a pattern",
            "function hostile() { /^(a+)+$/.test('a'.repeat(64) + '!'); }",
        ),
        (
            "a replacement",
            "function hostile() { 'a'.repeat(64).replace(/(a|aa)+b/g, ''); }",
        ),
    ]);
}

#[test]
fn more_memory_than_there_is() {
    all_beside(&[
        (
            "a text of 1 GB",
            "function hostile() { globalThis.kept = 'x'.repeat(1e9); sleep(0.01); }",
        ),
        (
            "a text that doubles",
            "function hostile() { let s = 'xy'; for (;;) s += s; }",
        ),
        (
            "a list",
            "function hostile() { const a = []; for (;;) a.push(new Array(1000).fill(0.5)); }",
        ),
        (
            "buffers",
            "function hostile() { const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1)); }",
        ),
        ("a buffer of 4 GB", "function hostile() { new ArrayBuffer(4e9); }"),
        (
            "a map",
            "function hostile() { const m = new Map(); for (let i = 0; ; i++) m.set(i, { i }); }",
        ),
        (
            "what is kept",
            "function hostile() { const all = (globalThis.all ??= []); for (;;) all.push('x'.repeat(1000) + all.length); }",
        ),
        (
            "JSON",
            "function hostile() { let o = { a: 'x'.repeat(1e6) }; for (;;) o = { a: JSON.stringify(o), b: o }; }",
        ),
    ]);
}

#[test]
fn depths_without_a_floor() {
    all_beside(&[
        (
            "a function",
            "function hostile() { const f = () => f() + 1; f(); }",
        ),
        (
            "a getter",
            "function hostile() { const o = { get a() { return o.a; } }; o.a; }",
        ),
        (
            "a conversion",
            "function hostile() { const o = { toString() { return `${o}`; } }; `${o}`; }",
        ),
        (
            "a list in a list",
            "function hostile() { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; try { JSON.stringify(a); } finally { String(a); } }",
        ),
        ("JSON", "function hostile() { JSON.parse('['.repeat(1e6)); }"),
        (
            "a pattern",
            "function hostile() { new RegExp('('.repeat(1e5) + ')'.repeat(1e5)); }",
        ),
        (
            "code",
            "function hostile() { new Function('return ' + '('.repeat(1e5) + '1' + ')'.repeat(1e5)); }",
        ),
        (
            "a proxy",
            "function hostile() { let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.a; }",
        ),
        (
            "groups",
            "function hostile() { const f = () => group('g', f); f(); }",
        ),
        (
            "bound functions",
            "function hostile() { let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); f(); }",
        ),
    ]);
}

#[test]
fn what_a_script_takes_away_it_takes_from_itself() {
    all_beside(&[
        (
            "globals",
            "function hostile() { for (const k of Object.getOwnPropertyNames(globalThis)) { try { delete globalThis[k]; } catch (e) {} } sleep(0.01); }",
        ),
        (
            "prototypes",
            "function hostile() { for (const c of [Array, Object, Promise, String, Function, Error, Map]) { for (const k of Object.getOwnPropertyNames(c.prototype)) { try { c.prototype[k] = null; } catch (e) {} } } sleep(0.01); check(1, { a: () => true }); }",
        ),
        (
            "a setter for all",
            "function hostile() { Object.defineProperty(Object.prototype, 'status', { set() { throw 1; }, get() { throw 2; } }); Object.defineProperty(Object.prototype, 'then', { get() { throw 3; } }); sleep(0.01); }",
        ),
        (
            "JSON",
            "function hostile() { globalThis.JSON = globalThis.Promise = globalThis.Error = null; sleep(0.01); throw 1; }",
        ),
        (
            "nothing thrown",
            "function hostile() { sleep(0.01); throw undefined; }",
        ),
        (
            "a proxy thrown",
            "function hostile() { sleep(0.01); throw new Proxy({}, { get() { throw new Proxy({}, {}); } }); }",
        ),
        (
            "an error that throws",
            "function hostile() { sleep(0.01); const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw e; } }); Object.defineProperty(e, 'stack', { get() { throw e; } }); throw e; }",
        ),
        (
            "what cannot be shown",
            "function hostile() { sleep(0.01); const o = {}; o.o = o; console.log(o, 1n, Symbol('s'), { toString() { throw 1; } }, { toJSON() { throw 2; } }); }",
        ),
    ]);
}

/// A few functions of the engine cannot be interrupted. They keep a worker's thread, and nobody waits for that longer than
/// the test lasts.
#[test]
fn what_cannot_be_interrupted_is_left_behind() {
    let endless = "new Array(4e9).sort()";
    let script = Scripted::new(&format!(
        "import {{ sleep }} from 'k6';
import {{ Counter }} from 'k6/metrics';
const fine = new Counter('fine');
const load = {{ executor: 'constant-vus', vus: 1, duration: '2s', gracefulStop: '1s' }};
export const options = {{ scenarios: {{ hostile: {{ ...load, exec: 'hostile' }}, others: {{ ...load, exec: 'other' }} }} }};
export function hostile() {{ {endless}; }}
export function other() {{ fine.add(1); sleep(0.05); }}
export function teardown() {{ console.log('torn down'); }}"
    ));
    let samples = script.file("samples.json");
    let out = format!("json={samples}");
    let arguments = [
        "run",
        "--metrics-addr",
        "off",
        "--workers",
        "2",
        "--out",
        &out,
        script.path(),
    ];
    let ended = run_support::run(&arguments).expect(107);
    let ended = ended.says(&["cannot be interrupted", "torn down"]);
    assert!(
        ended.stdout.contains("fine"),
        "the summary is there: {}",
        ended.stdout
    );
    assert!(Points::read(&samples).sum("fine") >= FINE);

    for (function, option, code) in [
        ("setup", "setupTimeout", 100),
        ("teardown", "teardownTimeout", 101),
    ] {
        let script = Scripted::new(&format!(
            "export const options = {{ iterations: 1, {option}: '1s' }};
export function {function}() {{ {endless}; }}
export default function () {{}}"
        ));
        run_support::run(&["run", "--metrics-addr", "off", script.path()]).expect(code);
    }
    let script = Scripted::new(&format!(
        "console.log('begun');\n{endless};\nexport default function () {{}}"
    ));
    let mut running = Running::start(&["run", "--metrics-addr", "off", script.path()]);
    running.until_said("begun");
    running.signal("INT");
    running.wait().expect(105);
}

#[test]
fn setup_and_teardown_have_their_time() {
    for (function, option, code) in [
        ("setup", "setupTimeout", 100),
        ("teardown", "teardownTimeout", 101),
    ] {
        let script = Scripted::new(&format!(
            "export const options = {{ iterations: 1, {option}: '1s' }};
export function {function}() {{ for (;;) {{ try {{ for (;;) {{}} }} catch (e) {{}} }} }}
export default function () {{}}"
        ));
        run_support::run(&["run", "--metrics-addr", "off", script.path()]).expect(code);
    }
}

#[test]
fn a_top_level_without_an_end_is_ended_by_a_signal() {
    let script = Scripted::new(
        "console.log('begun');\nfor (;;) { try { for (;;) {} } catch (e) {} }\nexport default function () {}",
    );
    let mut running = Running::start(&["run", "--metrics-addr", "off", script.path()]);
    running.until_said("begun");
    running.signal("INT");
    running.wait().expect(105);
    // Of virtual users only: the first one loads the script.
    let script =
        Scripted::new("if (__VU > 0) { console.log('begun'); for (;;) {} }\nexport default function () {}");
    let mut running = Running::start(&["run", "--metrics-addr", "off", script.path()]);
    running.until_said("begun");
    running.signal("INT");
    running.wait().expect(105);
}

#[test]
fn a_second_signal_ends_what_does_not_end() {
    let script = Scripted::new(
        "export const options = { vus: 2, duration: '1h' };
export default function () { console.log('begun'); for (;;) { try { for (;;) {} } catch (e) {} } }",
    );
    let mut running = Running::start(&["run", "--metrics-addr", "off", script.path()]);
    running.until_said("begun");
    running.signal("INT");
    eventually(Duration::from_secs(30), "the second signal", || {
        running.signal("INT");
        std::thread::sleep(Duration::from_millis(200));
        // A process that has ended and was not waited for is a zombie.
        let status = std::fs::read_to_string(format!("/proc/{}/stat", running.pid())).unwrap_or_default();
        (status.is_empty() || status.contains(") Z ")).then_some(())
    });
    running.wait().expect(105);
}

#[test]
fn a_summary_that_fails_gives_way_to_the_usual_one() {
    for (what, function) in [
        ("throws", "throw new Error('no summary')"),
        ("throws nothing", "throw null"),
        ("never ends", "for (;;) {}"),
        ("recurses", "return (function f() { return f() + 1; })()"),
        ("returns a number", "return 5"),
        (
            "returns a trap",
            "return new Proxy({}, { ownKeys() { throw 1; } })",
        ),
        (
            "eats memory",
            "const a = []; for (;;) a.push('x'.repeat(1000) + a.length)",
        ),
    ] {
        let script = Scripted::new(&format!(
            "export const options = {{ iterations: 1, handleSummaryTimeout: '1s' }};
export default function () {{}}
export function handleSummary(data) {{ {function}; }}"
        ));
        let ended = run_support::run(&[
            "run",
            "--metrics-addr",
            "off",
            "--max-vu-memory",
            "32MiB",
            script.path(),
        ]);
        let ended = ended.expect(0).says(&["handleSummary()"]);
        assert_eq!(ended.shown("iterations"), "1", "{what}");
    }
}

#[test]
fn options_that_are_traps_are_an_error_of_the_script() {
    for options in [
        "new Proxy({}, { get() { throw new Error('a trap'); }, ownKeys() { throw new Error('a trap'); } })",
        "{ get vus() { throw new Error('a trap'); } }",
        "{ toJSON() { throw new Error('a trap'); } }",
    ] {
        let script = Scripted::new(&format!(
            "export const options = {options};\nexport default function () {{}}"
        ));
        run_support::run(&["run", "--metrics-addr", "off", script.path()])
            .expect(107)
            .says(&["a trap"]);
    }
}

#[test]
fn a_limit_of_memory_that_makes_no_sense_is_named() {
    let script = Scripted::new("export default function () {}");
    for limit in ["much", "5", "-1MB", "10 TB"] {
        let ended = run_support::run(&[
            "run",
            "--metrics-addr",
            "off",
            &format!("--max-vu-memory={limit}"),
            script.path(),
        ]);
        ended.expect(104).says(&["--max-vu-memory", limit]);
    }
    let big = Scripted::new(
        "const kept = 'x'.repeat(50e6);\nexport default function () { if (kept.length !== 50e6) throw 1; }",
    );
    run_support::run(&["run", "--metrics-addr", "off", "--max-vu-memory", "0", big.path()]).expect(0);
    let ended = run_support::run(&[
        "run",
        "--metrics-addr",
        "off",
        "--max-vu-memory",
        "16MiB",
        big.path(),
    ]);
    ended.expect(107).says(&["out of memory", "--max-vu-memory"]);
}
