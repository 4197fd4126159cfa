//! `verify()`: asserted after the run, with the results at hand, against the server and against a real database.
#![allow(clippy::unwrap_used)]

mod redis_support;
mod run_support;

use redis_support::Redis;
use run_support::{Ended, Scripted, Server, run};

const QUIET: [&str; 3] = ["run", "--metrics-addr=off", "-q"];

fn ran(script: &Scripted, more: &[&str]) -> Ended {
    run(&[&QUIET, more, &[script.path()]].concat())
}

#[test]
fn it_sees_what_setup_returned_and_the_results_and_comes_after_teardown() {
    let server = Server::start();
    let url = server.url("/");
    let script = Scripted::new(&format!(
        "import http from 'k6/http'; import {{ check }} from 'k6';
         export const options = {{ iterations: 3, thresholds: {{ http_reqs: ['count==4'], checks: ['rate==1'] }} }};
         export function setup() {{ return {{ wanted: 3 }}; }}
         export default function () {{ check(http.get('{url}'), {{ fine: (r) => r.status === 200 }}); }}
         export function teardown() {{ http.get('{url}'); console.log('torn down'); }}
         export function verify(data, summary) {{
           console.log('verified');
           http.get('{url}');
           check(summary, {{
             'setup told': () => data.wanted === 3,
             'iterations are counted': (s) => s.metrics.iterations.values.count === data.wanted,
             'teardown is in': (s) => s.metrics.http_reqs.values.count === 4,
           }});
         }}"
    ));
    let ended = ran(&script, &[]).expect(0);
    assert_eq!(server.count(), 5);
    assert_eq!(
        ended.shown("http_reqs"),
        "4",
        "what verify() requests is not among the run's requests"
    );
    let (torn, verified) = (ended.stderr.find("torn down"), ended.stderr.find("verified"));
    assert!(torn.unwrap() < verified.unwrap(), "{}", ended.stderr);
    assert!(ended.stdout.contains("█ VERIFY"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("✓ iterations are counted"),
        "{}",
        ended.stdout
    );
}

#[test]
fn what_does_not_hold_is_112_and_named_also_beside_a_failed_threshold() {
    let script = Scripted::new(
        "import { check } from 'k6';
         export const options = { iterations: 1, thresholds: { iterations: ['count>5'] } };
         export default function () {}
         export function verify() { check(7, { 'stock is 0, it is 7': (stock) => stock === 0, 'is a number': (n) => n > 0 }); }",
    );
    let ended = ran(&script, &["--save", &script.file("run.json")]).expect(112);
    let ended = ended.says(&["the verification failed: `stock is 0, it is 7` did not hold"]);
    assert!(ended.stdout.contains("✗ stock is 0, it is 7"), "{}", ended.stdout);
    assert!(ended.stdout.contains("✓ is a number"));
    assert!(script.read("run.json").contains("\"verify\""));
    ran(&script, &["--no-verify"]).expect(99);
}

#[test]
fn an_exception_is_107_and_too_long_is_112() {
    let throws = Scripted::new(
        "export const options = { iterations: 1 }; export default function () {}
         export function verify() { throw new Error('no such table'); }",
    );
    let ended = ran(&throws, &[]).expect(107).says(&["no such table"]);
    assert!(ended.stdout.contains("✗ verify() threw: "), "{}", ended.stdout);
    let slow = Scripted::new(
        "import { sleep } from 'k6'; export const options = { iterations: 1, verifyTimeout: '1s' };
         export default function () {} export function verify() { sleep(60); }",
    );
    ran(&slow, &[])
        .expect(112)
        .says(&["verify() took longer than 1 s"]);
}

#[test]
fn it_is_not_asked_when_the_load_never_began() {
    let script = Scripted::new(
        "export const options = { iterations: 1 };
         export function setup() { throw new Error('no'); }
         export default function () {} export function teardown() { console.log('torn down'); }
         export function verify() { console.log('verified'); }",
    );
    let ended = ran(&script, &[]).expect(107);
    assert!(
        !ended.stderr.contains("verified") && !ended.stderr.contains("torn down"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_command_needs_leave_and_runs_in_verify_only() {
    let script = |where_: &str| {
        Scripted::new(&format!(
            "import {{ check }} from 'k6'; import {{ exec }} from 'loadgen/verify';
             export const options = {{ iterations: 1 }};
             export default function () {{ {} }}
             export function verify() {{ {} }}",
            if where_ == "default" { "exec('true')" } else { "" },
            if where_ == "verify" { "exec('true')" } else { "" },
        ))
    };
    ran(&script("verify"), &[]).expect(107).says(&["--allow-exec"]);
    ran(&script("verify"), &["--allow-exec"]).expect(0);
    ran(&script("default"), &["--allow-exec"])
        .expect(0)
        .says(&["exec() is for verify() only"]);
}

#[test]
fn a_command_tells_how_it_ended() {
    let script = Scripted::new(
        r#"import { exec } from 'loadgen/verify';
         export const options = { iterations: 1 };
         export default function () {}
         function eq(a, b) { if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`${JSON.stringify(a)} is not ${JSON.stringify(b)}`); }
         function thrown(call) { try { call(); } catch (e) { return e.message; } return 'nothing'; }
         export function verify() {
           eq(exec("echo out; echo err >&2; exit 3"), { code: 3, stdout: 'out\n', stderr: 'err\n', timedOut: false });
           eq(exec(['printf', '%s-', 'a b', '$HOME']).stdout, 'a b-$HOME-');
           eq(exec('cat; echo $WORD; pwd', { input: 'typed ', env: { WORD: 'w' }, cwd: '/' }).stdout, 'typed w\n/\n');
           const late = exec('sleep 30 & echo started; sleep 30', { timeout: '500ms' });
           eq([late.timedOut, late.code], [true, null]);
           eq(exec('head -c 3000000 /dev/zero').stdout.length, 1048576);
           eq(thrown(() => exec(['no-such-program-here'])).includes('cannot run `no-such-program-here`'), true);
           eq(thrown(() => exec([])).includes('takes a shell command'), true);
           eq(thrown(() => exec('true', { shell: 'fish' })), 'exec() has no option `shell`; there are timeout, env, cwd, input and on');
         }"#,
    );
    ran(&script, &["--allow-exec"]).expect(0);
}

/// The assertion of a flash sale, against the database itself: 100 orders, and nothing left in stock.
#[test]
fn orders_and_stock_are_asserted_in_a_real_redis() {
    let redis = Redis::start();
    let script = Scripted::new(
        "import { check } from 'k6'; import { exec } from 'loadgen/verify';
         export const options = { iterations: 5 };
         export default function () {}
         const ask = (...words) => exec(['redis-cli', '-p', __ENV.REDIS_PORT, ...words]).stdout.trim();
         export function verify() {
           const [orders, stock] = [ask('SCARD', 'orders'), ask('GET', 'product:iphone-15:stock')];
           check(null, { [`orders = 100 (${orders})`]: () => orders === '100', [`stock = 0 (${stock})`]: () => stock === '0' });
         }",
    );
    let port = format!("REDIS_PORT={}", redis.port);
    let members: Vec<String> = (0..100).map(|n| format!("order-{n}")).collect();
    let add: Vec<&str> = ["SADD", "orders"]
        .into_iter()
        .chain(members.iter().map(String::as_str))
        .collect();
    redis.ask(&add);
    redis.ask(&["SET", "product:iphone-15:stock", "0"]);
    let sold = ran(&script, &["--allow-exec", "-e", &port]).expect(0);
    assert!(sold.stdout.contains("✓ orders = 100 (100)"), "{}", sold.stdout);
    redis.ask(&["SADD", "orders", "one-too-many"]);
    redis.ask(&["DECR", "product:iphone-15:stock"]);
    let oversold = ran(&script, &["--allow-exec", "-e", &port]).expect(112);
    oversold.says(&["`orders = 100 (101)`", "`stock = 0 (-1)`"]);
}
