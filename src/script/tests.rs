//! The script room as a whole: virtual users started, run, interrupted and dropped.

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::LocalSet,
};

use super::*;
use crate::{
    metrics::{Epoch, Recorder, Registry, SystemTags, builtin},
    net::{NetOptions, Shared},
};

mod sharing;
mod shelf;

const NAME: &str = "file:///test/script.js";

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test)
}

fn workshop(text: &str) -> Rc<Workshop> {
    let program = Arc::new(Program::from_text(NAME, text.to_owned(), BTreeMap::new()));
    let recorder = Recorder::new(Registry::new(SystemTags::default()), 0);
    let net = Shared::new(NetOptions::default()).unwrap();
    Rc::new(Workshop::new(
        program,
        recorder,
        Epoch::now(),
        net,
        HttpDefaults::default(),
    ))
}

fn seat(vu: u64) -> Seat {
    Seat {
        vu,
        exec: "default".into(),
        ..Seat::default()
    }
}

async fn start(text: &str) -> Result<(ScriptUser, Exports), ScriptError> {
    ScriptUser::start(workshop(text), seat(1)).await
}

/// Runs one iteration of `body` as the default function.
fn once(body: &str) -> Verdict {
    run(async {
        let (mut user, _) = start(body).await.unwrap();
        user.iterate(0).await
    })
}

fn thrown(verdict: Verdict) -> ScriptError {
    match verdict {
        Verdict::Threw(error) => error,
        other => panic!("{other:?}"),
    }
}

/// A server on a free port that answers every request with `200 ok`.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let mut buffer = [0; 4096];
                while let Ok(read) = stream.read(&mut buffer).await {
                    if read == 0 {
                        break;
                    }
                    let body = "{\"a\":{\"b\":[1,2]}}";
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all((head + body).as_bytes()).await;
                }
            });
        }
    });
    format!("http://{address}")
}

#[test]
fn a_module_tells_its_options_and_functions() {
    run(async {
        let text = "export const options = { vus: 3, stages: [{ duration: '1s', target: 2 }] };
            export function setup() { return { token: 7 }; }
            export default function (data) { if (data !== undefined) throw new Error('data'); }";
        let (mut user, exports) = start(text).await.unwrap();
        assert_eq!(exports.options.unwrap()["stages"][0]["target"], 2);
        assert!(exports.functions.iter().any(|name| name == "setup"));
        assert_eq!(
            user.call("setup", Vec::new()).await.unwrap().as_deref(),
            Some("{\"token\":7}")
        );
        assert!(matches!(user.iterate(0).await, Verdict::Complete));
    });
}

#[test]
fn setup_data_env_and_counters_reach_the_iteration() {
    run(async {
        let workshop = workshop(
            "export default function (data) {
                if (__VU !== 4 || __ITER !== 9 || __ENV.COLOUR !== 'red' || data.token !== 7)
                    throw new Error(JSON.stringify([__VU, __ITER, __ENV.COLOUR, data]));
            }",
        );
        workshop.program.set_data(Some("{\"token\":7}"));
        let env = BTreeMap::from([("COLOUR".to_owned(), "red".to_owned())]);
        let (mut user, _) = ScriptUser::start(workshop, Seat { env, ..seat(4) })
            .await
            .unwrap();
        assert!(matches!(user.iterate(9).await, Verdict::Complete));
    });
}

#[test]
fn an_error_shows_message_place_and_source_line() {
    let error = thrown(once(
        "function f() {\n  nowhere();\n}\nexport default function () { f(); }",
    ));
    assert_eq!(error.message, "ReferenceError: nowhere is not defined");
    let place = error.location.unwrap();
    assert_eq!((place.line, place.source.as_deref()), (2, Some("  nowhere();")));
}

#[test]
fn a_syntax_error_shows_its_line() {
    let error = run(start("const a = 1;\nconst b = ;\n")).err().unwrap();
    assert!(error.message.starts_with("SyntaxError"), "{error}");
    assert_eq!(error.location.unwrap().source.as_deref(), Some("const b = ;"));
}

#[test]
fn an_unknown_import_names_what_there_is() {
    let error = run(start("import x from 'k6/nope';")).err().unwrap();
    assert!(
        error.to_string().contains("unknown module `k6/nope`") && error.to_string().contains("k6/http"),
        "{error}"
    );
}

#[test]
fn async_functions_timers_and_promises_are_awaited() {
    let body = "export default async function () {
        const seen = [];
        await new Promise((resolve) => {
            const timer = setInterval(() => {
                seen.push('tick');
                if (seen.length === 3) { clearInterval(timer); resolve(); }
            }, 1);
        });
        await new Promise((resolve) => setTimeout(resolve, 20));
        setTimeout((word) => { if (word !== 'late') throw new Error('argument'); }, 1, 'late');
        if (seen.length !== 3) throw new Error(seen.join());
    }";
    let verdict = once(body);
    assert!(matches!(verdict, Verdict::Complete), "{verdict:?}");
}

#[test]
fn a_rejected_promise_fails_the_iteration() {
    let error = thrown(once(
        "export default async function () { await null; throw new TypeError('late'); }",
    ));
    assert_eq!(error.message, "TypeError: late");
    let floating = "export default function () { Promise.reject(new Error('floating')); }";
    assert_eq!(thrown(once(floating)).message, "Error: floating");
    let stuck = "export default async function () { await new Promise(() => {}); }";
    assert!(thrown(once(stuck)).message.contains("never settles"));
}

#[test]
fn deep_recursion_is_an_error_and_the_user_lives_on() {
    run(async {
        let text = "function f(n) { return 1 + f(n + 1); }
            export default function () { if (__ITER === 0) f(0); }";
        let (mut user, _) = start(text).await.unwrap();
        let error = thrown(user.iterate(0).await);
        assert!(error.message.starts_with("RangeError"), "{error}");
        assert!(matches!(user.iterate(1).await, Verdict::Complete));
    });
}

#[test]
fn a_computing_script_does_not_starve_its_neighbours() {
    run(async {
        let text =
            "export default function () { const until = Date.now() + 20000; while (Date.now() < until) {} }";
        let (mut user, _) = start(text).await.unwrap();
        let neighbour = tokio::task::spawn_local(async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        tokio::select! {
            verdict = user.iterate(0) => panic!("the neighbour waited all the time: {verdict:?}"),
            ended = neighbour => ended.unwrap(),
        }
    });
}

/// Every place a script can be in when it is ended. Each waits or computes for ever.
const PLACES: [(&str, &str); 12] = [
    ("a sleep", "export default function () { sleep(1000); }"),
    (
        "try and catch",
        "export default function () { for (;;) { try { sleep(1000); } catch (e) { leak(); } } }",
    ),
    (
        "finally",
        "export default function () { try { sleep(1000); } finally { leak(); for (;;) {} } }",
    ),
    (
        "a catch block",
        "export default function () { try { throw 1; } catch (e) { sleep(1000); leak(); } }",
    ),
    (
        "a sort callback",
        "export default function () { [3, 1, 2].sort(() => { sleep(1000); leak(); return 1; }); }",
    ),
    (
        "JSON.stringify",
        "export default function () { JSON.stringify({ toJSON() { sleep(1000); leak(); } }); }",
    ),
    (
        "a getter",
        "export default function () { ({ get a() { sleep(1000); leak(); } }).a; }",
    ),
    (
        "an await",
        "export default async function () { await null; sleep(1000); leak(); }",
    ),
    (
        "a timer",
        "export default async function () { await new Promise((r) => setTimeout(r, 1e6)); leak(); }",
    ),
    (
        "a group",
        "export default function () { group('g', () => { sleep(1000); leak(); }); }",
    ),
    (
        "a check",
        "export default function () { check(1, { c: () => { sleep(1000); leak(); } }); }",
    ),
    (
        "an endless loop",
        "export default function () { for (;;) { try { for (;;) {} } finally { leak(); } } }",
    ),
];

#[test]
fn a_user_is_interrupted_in_every_place_and_can_go_on() {
    for (place, body) in PLACES {
        run(async {
            let text = format!(
                "import {{ sleep, group, check }} from 'k6';
                import {{ Counter }} from 'k6/metrics';
                const leaks = new Counter('leaks');
                function leak() {{ leaks.add(1); }}
                export function idle() {{ return 'alive'; }}\n{body}"
            );
            let workshop = workshop(&text);
            let leaks = |workshop: &Workshop| {
                let id = workshop.registry.lookup("leaks").unwrap();
                workshop
                    .recorder
                    .drain()
                    .samples
                    .iter()
                    .filter(|sample| sample.metric == id)
                    .count()
            };
            let (mut user, _) = ScriptUser::start(workshop.clone(), seat(1)).await.unwrap();
            for _ in 0..3 {
                let ended = tokio::time::timeout(Duration::from_millis(20), user.iterate(0)).await;
                assert!(ended.is_err(), "{place}: {ended:?}");
                let before = Instant::now();
                user.interrupt();
                assert!(before.elapsed() < Duration::from_secs(1), "{place}");
                assert_eq!(
                    user.call("idle", Vec::new()).await.unwrap().as_deref(),
                    Some("\"alive\""),
                    "{place}"
                );
            }
            assert_eq!(
                leaks(&workshop),
                0,
                "{place}: no catch, no finally, no later line may run"
            );
            // Dropped half-way: everything it shares is let go.
            let _ = tokio::time::timeout(Duration::from_millis(10), user.iterate(0)).await;
            drop(user);
            assert_eq!(Rc::strong_count(&workshop), 1, "{place}: the user's side is gone");
        });
    }
}

#[test]
fn a_user_is_dropped_while_its_module_loads() {
    for body in [
        "for (;;) {}",
        "await new Promise((resolve) => setTimeout(resolve, 1e6));",
    ] {
        run(async {
            let workshop = workshop(&format!("{body}\nexport default function () {{}}"));
            let started = ScriptUser::start(workshop.clone(), seat(1));
            assert!(
                tokio::time::timeout(Duration::from_millis(20), started)
                    .await
                    .is_err()
            );
            assert_eq!(Rc::strong_count(&workshop), 1, "{body}");
        });
    }
}

#[test]
fn requests_checks_and_metrics_are_recorded() {
    run(async {
        let url = serve().await;
        let text = format!(
            "import http from 'k6/http';
            import {{ check, group }} from 'k6';
            import {{ Trend }} from 'k6/metrics';
            const size = new Trend('size');
            export default function () {{
                group('outer', () => {{
                    const res = http.get('{url}/users/12345', {{ tags: {{ kind: 'x' }} }});
                    check(res, {{
                        'is 200': (r) => r.status === 200 && r.status_text === '200 OK',
                        'has json': (r) => r.json().a.b[1] === 2 && r.json('a.b.1') === 2,
                        'has header': (r) => r.headers['Content-Type'] === 'application/json',
                        'has timings': (r) => r.timings.duration > 0 && r.body.length === 17,
                        'fails': (r) => r.status === 201,
                    }});
                    size.add(res.body.length);
                }});
                const both = http.batch([['GET', '{url}/'], '{url}/']);
                if (both.length !== 2 || both[1].status !== 200) throw new Error('batch');
                const refused = http.get('http://127.0.0.1:1/');
                if (refused.status !== 0 || refused.error_code !== 1212) throw new Error(JSON.stringify(refused.error));
            }}"
        );
        let workshop = workshop(&text);
        let (mut user, _) = ScriptUser::start(workshop.clone(), seat(1)).await.unwrap();
        let verdict = user.iterate(0).await;
        assert!(matches!(verdict, Verdict::Complete), "{verdict:?}");
        let batch = workshop.recorder.drain();
        assert_eq!(batch.http.len(), 4);
        let tags = workshop.registry.tags(batch.http[0].tags);
        assert_eq!(tags.get("group"), Some("::outer"));
        assert_eq!((tags.get("kind"), tags.get("status")), (Some("x"), Some("200")));
        assert_eq!(tags.get("name"), Some(format!("{url}/users/:id").as_str()));
        assert_eq!(batch.http[3].failed, Some(true));
        let of = |metric| batch.samples.iter().filter(move |sample| sample.metric == metric);
        assert_eq!(of(builtin::CHECKS).filter(|sample| sample.value > 0.5).count(), 4);
        assert_eq!(of(builtin::CHECKS).count(), 5);
        assert_eq!(of(builtin::GROUP_DURATION).count(), 1);
        assert!(of(builtin::DATA_RECEIVED).next().unwrap().value > 200.0);
        let size = workshop.registry.lookup("size").unwrap();
        assert!((of(size).next().unwrap().value - 17.0).abs() < f64::EPSILON);
    });
}

#[test]
fn an_async_request_resolves_and_requests_in_init_are_refused() {
    run(async {
        let url = serve().await;
        let text = format!(
            "import http from 'k6/http';
            export default async function () {{
                const all = await Promise.all([http.asyncRequest('GET', '{url}/'), http.asyncRequest('GET', '{url}/')]);
                if (all[0].status !== 200 || all[1].status !== 200) throw new Error('status');
            }}"
        );
        let (mut user, _) = start(&text).await.unwrap();
        let verdict = user.iterate(0).await;
        assert!(matches!(verdict, Verdict::Complete), "{verdict:?}");
        let error = start(&format!("import http from 'k6/http'; http.get('{url}/');"))
            .await
            .err()
            .unwrap();
        assert!(error.message.contains("init context"), "{error}");
    });
}

#[test]
fn open_reads_beside_the_script_and_only_in_init() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.txt"), "content").unwrap();
    let name = format!("file://{}/script.js", folder.path().display());
    let text = "const text = open('./data.txt'); const bytes = open('data.txt', 'b');
        export default function () {
            if (text !== 'content' || bytes.byteLength !== 7) throw new Error(text);
            open('./data.txt');
        }";
    run(async {
        let mut shop = workshop("");
        Rc::get_mut(&mut shop).unwrap().program =
            Arc::new(Program::from_text(&name, text.into(), BTreeMap::new()));
        let (mut user, _) = ScriptUser::start(shop, seat(1)).await.unwrap();
        assert!(thrown(user.iterate(0).await).message.contains("init context"));
    });
    let error = run(start("open('./missing.txt');")).err().unwrap();
    assert!(error.message.contains("missing.txt"), "{error}");
}

#[test]
fn handle_summary_returns_files() {
    run(async {
        let text = "export default function () {}
            export function handleSummary(data) { return { stdout: 'n=' + data.n, 'out.bin': new Uint8Array([1, 2]).buffer }; }";
        let (mut user, _) = start(text).await.unwrap();
        let files = user.summarize("{\"n\":5}".into()).await.unwrap();
        assert_eq!(
            files,
            vec![("stdout".into(), b"n=5".to_vec()), ("out.bin".into(), vec![1, 2])]
        );
    });
}

#[test]
fn a_panic_of_the_host_comes_out_of_the_fiber_without_running_finally() {
    let outcome = std::panic::catch_unwind(|| {
        run(async {
            let mut fiber = fiber::Fiber::new(1 << 20, |bridge| {
                let _ = bridge.wait_for(async { panic!("host") });
            })
            .unwrap();
            std::future::poll_fn(|cx| fiber.poll(cx)).await
        })
    });
    assert!(outcome.is_err());
}

/// The engine's own generator starts from the clock's microseconds, which several workers share.
#[test]
fn virtual_users_made_at_one_moment_draw_different_numbers() {
    let worker = || {
        run(async {
            let workshop = workshop("export default () => { throw new Error(`${Math.random()}`); }");
            let mut drawn = Vec::new();
            for vu in 1..=100 {
                let (mut user, _) = ScriptUser::start(workshop.clone(), seat(vu)).await.unwrap();
                drawn.push(thrown(user.iterate(0).await).to_string());
            }
            drawn
        })
    };
    let workers: Vec<_> = (0..8).map(|_| std::thread::spawn(worker)).collect();
    let drawn: Vec<String> = workers
        .into_iter()
        .flat_map(|worker| worker.join().unwrap())
        .collect();
    let different: std::collections::BTreeSet<_> = drawn.iter().collect();
    assert_eq!(different.len(), drawn.len());
}
