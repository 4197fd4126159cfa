//! `k6/websockets`, end to end: sockets on the event loop, their events, metrics and ends.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;
mod ws_support;

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use run_support::{Ended, Points, Scripted, loadgen};
use ws_support::WsServer;

/// Runs a script against a server; `WS` is its address.
fn run(script: &Scripted, server: &WsServer, more: &[&str]) -> (Ended, Points) {
    let out = format!("json={}", script.file("out.json"));
    let url = format!("WS={}", server.url(""));
    let mut arguments = vec!["run", script.path(), "-q", "--metrics-addr", "off"];
    arguments.extend(["-o", &out, "-e", &url]);
    arguments.extend(more);
    let ended: Ended = loadgen(&arguments).output().unwrap().into();
    let points = Points::read(&script.file("out.json"));
    (ended, points)
}

#[test]
fn an_iteration_lasts_until_its_sockets_are_closed() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import { WebSocket, Blob } from 'k6/websockets';
        import { check } from 'k6';
        export const options = { vus: 2, iterations: 4 };
        export default function () {
            for (let i = 0; i < 3; i++) {
                const order = [], note = (what) => order.push(what);
                const params = { tags: { kind: 'x' }, headers: { 'X-Own': 'yes' } };
                const ws = new WebSocket(`${__ENV.WS}/echo/subprotocol/b`, ['a', 'b'], params);
                check(ws, {
                    connecting: (s) => s.readyState === WebSocket.CONNECTING && s.readyState === s.CONNECTING && s.protocol === '',
                    'send before open throws': (s) => { try { s.send('x'); } catch (e) { return e.message.includes('InvalidStateError'); } },
                });
                const parts = [];
                ws.addEventListener('open', (e) => {
                    note(e.type);
                    check(ws, { open: (s) => s.readyState === 1 && s.protocol === 'b' && s.url.endsWith('/echo/subprotocol/b') });
                    ws.send('text');
                    ws.send(new Uint8Array([9, 1, 2, 9]).subarray(1, 3));
                    check(ws, { buffered: (s) => s.bufferedAmount === 6 });
                    ws.ping();
                });
                const removed = () => note('removed');
                ws.addEventListener('message', removed);
                ws.removeEventListener('message', removed);
                ws.addEventListener('message', () => note('second'));
                ws.onmessage = function (e) {
                    if (this !== ws || e.target !== ws || !(e.timestamp > 1e12)) note('event');
                    if (typeof e.data === 'string') { note(e.data); ws.binaryType = 'blob'; return; }
                    if (e.data instanceof ArrayBuffer) { note('buffer ' + e.data.byteLength); ws.close(3456, 'enough'); return; }
                    note('blob ' + e.data.size);
                    e.data.arrayBuffer().then((data) => {
                        note('read ' + new Uint8Array(data).join('.'));
                        ws.binaryType = 'arraybuffer';
                        ws.send(new Blob(['a', e.data.slice(1), new Uint8Array([7])]));
                    });
                };
                ws.onpong = () => note('pong');
                ws.onerror = (e) => note('error ' + e.error);
                ws.onclose = (e) => {
                    note(`close ${e.code} ${e.reason} ${e.wasClean} ${ws.readyState} ${ws.bufferedAmount}`);
                    const all = 'open,text,second,blob 2,second,pong,read 1.2,buffer 3,second,close 3456 enough true 3 0';
                    if (order.filter((w) => w !== 'pong' && w !== 'read 1.2').join() !== all.replace('pong,read 1.2,', '')) console.error(order.join());
                    check(order, { 'in order': (o) => o.length === 10 });
                };
            }
        }",
    );
    let (ended, points) = run(&script, &server, &[]);
    let ended = ended.expect(0);
    assert_eq!(ended.shown("checks_succeeded"), "100.00%", "{}", ended.stdout);
    assert!(!ended.stderr.contains("open,"), "{}", ended.stderr);
    for (metric, count) in [
        ("iterations", 4.0),
        ("ws_sessions", 12.0),
        // Three messages, a ping and a close each.
        ("ws_msgs_sent", 60.0),
        ("ws_msgs_received", 36.0),
        ("checks", 60.0),
    ] {
        assert_eq!(points.sum(metric), count, "{metric}");
    }
    for metric in ["ws_connecting", "ws_session_duration", "ws_ping"] {
        assert_eq!(points.count(metric), 12, "{metric}");
    }
    for (tag, value) in [("subproto", "b"), ("status", "101"), ("kind", "x"), ("group", "")] {
        assert_eq!(points.tagged("ws_sessions", tag, value), 12.0, "{tag}");
    }
    assert!(points.sum("data_sent") > 1200.0);
    server.settled();
    assert_eq!(server.closes(), [3456; 12]);
    let head = server.log.heads.lock().unwrap()[0].clone();
    assert!(
        head.contains("a, b") && head.contains("X-Own: yes") && head.contains("User-Agent: "),
        "{head}"
    );
}

#[test]
fn whatever_the_server_does_ends_in_events() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import { WebSocket } from 'k6/experimental/websockets';
        export default function () {
            for (const path of __ENV.PATHS.split(',')) {
                const order = [];
                const ws = new WebSocket(path.startsWith('ws') ? path : __ENV.WS + path, null, { timeout: '1s' });
                ws.binaryType = 'arraybuffer';
                ws.onopen = () => order.push('open');
                ws.onping = () => { order.push('ping'); ws.close(); };
                ws.onmessage = (e) => { order.push(e.data.byteLength || e.data); if (e.data.byteLength) ws.close(1000); };
                ws.onerror = (e) => order.push(`error ${e.error}`);
                ws.onclose = (e) => console.log(`${path}: ${order.join('; ')} | ${e.code} ${e.reason}.`);
            }
        }",
    );
    let expected = [
        (
            "/status/401",
            "error websocket: bad handshake: the server answered 401 Unauthorized | 1006 .",
        ),
        ("/silent", "error request timeout | 1006 ."),
        ("ws://127.0.0.1:1/", "error dial: connection refused | 1006 ."),
        ("/close/1000", "open | 1000 bye."),
        (
            "/close/0",
            "open; error websocket: close 1005 (no status) | 1005 .",
        ),
        (
            "/drop",
            "open; error websocket: close 1006 (abnormal closure): unexpected EOF | 1006 .",
        ),
        (
            "/invalid",
            "open; error websocket: the server sent text that is not valid UTF-8 (close 1007) | 1007 ",
        ),
        ("/binary/10485760", "open; 10485760 | 1000 ."),
        ("/ping", "open; ping | 1000 ."),
    ];
    let paths: Vec<&str> = expected.iter().map(|(path, _)| *path).collect();
    let paths = format!("PATHS={}", paths.join(","));
    let (ended, points) = run(&script, &server, &["-e", &paths]);
    let ended = ended.expect(0);
    for (path, events) in expected {
        let line = format!("{path}: {events}");
        assert!(ended.stderr.contains(&line), "{line}\n{}", ended.stderr);
    }
    assert_eq!(points.sum("ws_sessions"), 9.0);
    assert_eq!(points.count("ws_connecting"), 9);
    assert_eq!(points.count("ws_session_duration"), 6, "of those that opened");
    assert_eq!(points.sum("ws_msgs_received"), 1.0);
}

#[test]
fn wrong_use_throws_a_clear_error() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import { WebSocket } from 'k6/websockets';
        const says = (what, f) => { try { f(); console.error('nothing thrown: ' + what); } catch (e) { if (!`${e}`.includes(what)) console.error(`${e}`, 'instead of', what); } };
        says('init context', () => new WebSocket('ws://x/'));
        export default function () {
            says('requires a url', () => new WebSocket());
            says('unsupported protocol scheme \"http\"', () => new WebSocket('http://x/'));
            says('without a fragment', () => new WebSocket('ws://x/#a'));
            says('unknown WebSocket\\'s option nope', () => new WebSocket('ws://x/', [], { nope: 1 }));
            says('supported algorithm is \\'deflate\\'', () => new WebSocket('ws://x/', [], { compression: 'gzip' }));
            const ws = new WebSocket(`${__ENV.WS}/echo`, null, { compression: 'deflate' });
            says('unknown binaryType', () => { ws.binaryType = 'text'; });
            says('should be callable', () => { ws.onopen = 5; });
            says('isn\\'t a callable', () => ws.addEventListener('open', 'x'));
            ws.addEventListener('nope', () => {});
            ws.onopen = () => {
                says('unsupported send type', () => ws.send(5));
                says('either 1000, or between 3000 and 4999', () => ws.close(1001));
                says('greater than 123 bytes', () => ws.close(1000, 'x'.repeat(124)));
                ws.close();
                says('this one is CLOSING', () => ws.send('late'));
                ws.close();
            };
            const early = new WebSocket(`${__ENV.WS}/silent`);
            early.onerror = (e) => console.log('early: ' + e.error);
            early.onclose = (e) => console.log('early closed ' + e.code);
            early.close();
        }",
    );
    let (ended, points) = run(&script, &server, &[]);
    let ended = ended.expect(0).says(&[
        "early: websocket: closed before the connection was established",
        "early closed 1006",
        "has no event \"nope\"",
        "`compression: 'deflate'` has no effect",
    ]);
    assert!(
        !ended.stderr.contains("nothing thrown") && !ended.stderr.contains("instead of"),
        "{}",
        ended.stderr
    );
    assert_eq!(points.count("ws_session_duration"), 1);
    server.settled();
    assert_eq!(server.closes(), [1000]);
}

#[test]
fn a_listener_that_throws_ends_the_iteration_and_its_sockets() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import { WebSocket } from 'k6/websockets';
        export const options = { iterations: 3 };
        let last;
        export default function () {
            if (last !== undefined && last.readyState !== 3) throw new Error('a socket is left');
            const idle = last = new WebSocket(`${__ENV.WS}/echo`);
            idle.onopen = () => {
                const ws = new WebSocket(`${__ENV.WS}/push/3`);
                ws.onmessage = () => { throw new Error('in a listener'); };
            };
        }",
    );
    let (ended, points) = run(&script, &server, &[]);
    let ended = ended.expect(0).says(&["in a listener"]);
    assert!(!ended.stderr.contains("is left"), "{}", ended.stderr);
    assert_eq!(points.sum("ws_sessions"), 6.0);
    assert_eq!(points.count("ws_session_duration"), 6);
    server.settled();
    assert_eq!(server.closes(), [1001; 6]);
}

#[test]
fn interrupted_sockets_are_closed_and_counted() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import { WebSocket } from 'k6/websockets';
        export default function () {
            for (const path of ['/echo', '/flood', '/stubborn', '/silent']) {
                const ws = new WebSocket(__ENV.WS + path);
                ws.onopen = () => { if (path === '/stubborn') ws.close(); };
                ws.onmessage = () => {};
            }
            setInterval(() => {}, 10);
        }",
    );
    let options = script.file("options.json");
    std::fs::write(
        &options,
        r#"{"scenarios":{"s":{"executor":"ramping-vus","startVUs":3,"gracefulRampDown":"0s","gracefulStop":"0s",
            "stages":[{"duration":"1s","target":3},{"duration":"0s","target":0}]}}}"#,
    )
    .unwrap();
    let begin = Instant::now();
    let (ended, points) = run(&script, &server, &["-c", &options]);
    ended.expect(0);
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    assert_eq!(points.sum("ws_sessions"), 9.0);
    assert_eq!(points.count("ws_session_duration"), 9);
    assert_eq!(server.opened(), 9);
}

#[test]
fn a_flood_does_not_keep_timers_waiting_and_ten_megabytes_pass() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import { WebSocket } from 'k6/websockets';
        export default function () {
            const flood = new WebSocket(__ENV.WS + '/flood');
            flood.onmessage = () => {};
            flood.onopen = () => setTimeout(() => flood.close(1000), 300);
            const big = new WebSocket(__ENV.WS + '/echo');
            big.binaryType = 'arraybuffer';
            let left = 3;
            big.onopen = () => {
                for (let i = 0; i < 3; i++) big.send(new Uint8Array(10 << 20).fill(i).buffer);
                if (big.bufferedAmount !== 30 << 20) throw new Error(big.bufferedAmount);
            };
            big.onmessage = (e) => {
                const data = new Uint8Array(e.data);
                if (data.length !== 10 << 20 || data[5 << 20] !== 3 - left) throw new Error('data');
                if (--left === 0) big.close(1000);
            };
        }",
    );
    let (ended, points) = run(&script, &server, &[]);
    let ended = ended.expect(0);
    assert!(!ended.stderr.contains("Error"), "{}", ended.stderr);
    assert_eq!(points.sum("ws_msgs_sent"), 3.0 + 2.0);
    assert!(points.sum("ws_msgs_received") > 10.0);
    assert!(points.sum("data_sent") > f64::from(30 << 20));
}

#[test]
fn five_hundred_sockets_at_once() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import { WebSocket } from 'k6/websockets';
        export const options = { vus: 20, iterations: 20 };
        export default function () {
            for (let i = 0; i < 25; i++) {
                const ws = new WebSocket(`${__ENV.WS}/echo`);
                let left = 4;
                ws.onopen = () => ws.send('hello');
                ws.onmessage = () => { if (--left > 0) setTimeout(() => ws.send('hello'), 1000); else ws.close(1000); };
            }
        }",
    );
    let (ended, points) = run(&script, &server, &[]);
    ended.expect(0);
    for (metric, count) in [
        ("ws_sessions", 500.0),
        // With the closes.
        ("ws_msgs_sent", 2500.0),
        ("ws_msgs_received", 2000.0),
    ] {
        assert_eq!(points.sum(metric), count, "{metric}");
    }
    for metric in ["ws_connecting", "ws_session_duration"] {
        assert_eq!(points.count(metric), 500, "{metric}");
    }
    server.settled();
    assert_eq!((server.opened(), server.messages()), (500, 2000));
    assert_eq!(server.log.most.load(SeqCst), 500);
    assert_eq!(server.closes(), [1000; 500]);
}
