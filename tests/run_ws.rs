//! `k6/ws`, end to end: sessions, their metrics, and every way they end.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;
mod ws_support;

use std::time::{Duration, Instant};

use run_support::{Ended, Points, Running, Scripted, loadgen};
use ws_support::WsServer;

/// Runs a script against a server; `WS` is its address.
fn run(script: &Scripted, server: &WsServer, more: &[&str]) -> (Ended, Points) {
    let out = format!("json={}", script.file("out.json"));
    let url = format!("WS={}", server.url(""));
    let mut arguments = vec!["run", script.path(), "-q", "--metrics-addr", "off"];
    arguments.extend(["-o", &out, "-e", &url, "-e", "TOKEN=t"]);
    arguments.extend(more);
    let ended: Ended = loadgen(&arguments).output().unwrap().into();
    let points = Points::read(&script.file("out.json"));
    (ended, points)
}

#[test]
fn a_session_is_counted_to_the_last_message() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import ws from 'k6/ws';
        import { check, group } from 'k6';
        import { Counter } from 'k6/metrics';
        export const options = { vus: 2, iterations: 6 };
        const seen = new Counter('seen');
        export default function () {
            const order = [];
            const params = { headers: { 'X-Own': 'yes' }, tags: { kind: 'x' } };
            const response = group('chat', () => ws.connect(`${__ENV.WS}/echo/12345?token=t`, params, (socket) => {
                let left = 5;
                socket.on('open', () => {
                    order.push('open');
                    for (let i = 0; i < 3; i++) socket.send('text ' + i);
                    socket.sendBinary(new Uint8Array([1, 2, 3]).buffer);
                    socket.ping();
                });
                const one = () => { seen.add(1); if (--left === 0) socket.close(1000); };
                socket.on('message', (message) => {
                    if (!message.startsWith('text ')) throw new Error(message);
                    one();
                });
                socket.on('binaryMessage', (data) => {
                    if (!(data instanceof ArrayBuffer) || new Uint8Array(data)[2] !== 3) throw new Error('binary');
                    one();
                });
                socket.on('pong', () => { order.push('pong'); one(); });
                socket.on('close', (code) => order.push('close ' + code));
                socket.on('error', (e) => order.push('error ' + e.error()));
            }));
            check(response, {
                'status is 101': (r) => r && r.status === 101 && r.error === '',
                'has headers': (r) => r.headers.Upgrade === 'websocket' && r.url.endsWith('?token=t'),
                'in order': () => order.join() === 'open,pong,close 1000',
            });
        }",
    );
    let (ended, points) = run(&script, &server, &[]);
    let ended = ended.expect(0);
    assert_eq!(ended.shown("checks_succeeded"), "100.00%");
    for (metric, count) in [
        ("ws_sessions", 6.0),
        ("ws_msgs_sent", 24.0),
        ("ws_msgs_received", 24.0),
        ("seen", 30.0),
        ("checks", 18.0),
    ] {
        assert_eq!(points.sum(metric), count, "{metric}");
    }
    for metric in ["ws_connecting", "ws_session_duration", "ws_ping"] {
        assert_eq!(points.count(metric), 6, "{metric}");
        assert!(points.sum(metric) > 0.0, "{metric}");
    }
    assert!(points.sum("ws_session_duration") > points.sum("ws_connecting"));
    // The handshake each way is more than 100 bytes, and there were no other requests.
    assert!(points.sum("data_sent") > 600.0 && points.sum("data_received") > 600.0);
    assert_eq!(points.count("http_reqs"), 0);
    let name = format!("{}/echo/:id?token=t", server.url(""));
    for (tag, value) in [
        ("url", &*name),
        ("name", &*name),
        ("status", "101"),
        ("group", "::chat"),
        ("scenario", "default"),
        ("kind", "x"),
    ] {
        assert_eq!(points.tagged("ws_msgs_received", tag, value), 24.0, "{tag}");
    }
    server.settled();
    assert_eq!((server.opened(), server.messages()), (6, 24));
    assert_eq!(server.closes(), [1000; 6]);
    assert!(server.log.heads.lock().unwrap()[0].contains("\r\nX-Own: yes\r\n"));
}

#[test]
fn the_script_of_the_seed_document_runs_as_it_is() {
    let server = WsServer::start();
    // As it stands in the document, but for the 30 seconds.
    let script = Scripted::new(
        "import ws from 'k6/ws';
import { check } from 'k6';
import { Rate, Counter } from 'k6/metrics';

const errorRate = new Rate('ws_errors');
const messagesReceived = new Counter('ws_messages_received');
const messagesSent = new Counter('ws_messages_sent');

export const options = {
  thresholds: {
    ws_errors: ['rate<0.01'],
  },
};

const WS_URL = __ENV.WS_URL || 'ws://localhost:3000/ws';
const API_KEY = __ENV.API_KEY || 'test-api-key';

export default function () {
  const response = ws.connect(
    `${WS_URL}?token=${API_KEY}`,
    {},
    function (socket) {
      socket.on('open', () => {
        // Subscribe to mission updates
        socket.send(JSON.stringify({
          type: 'subscribe',
          channel: 'missions',
        }));
        messagesSent.add(1);
      });

      socket.on('message', (msg) => {
        messagesReceived.add(1);

        const data = JSON.parse(msg);
        check(data, {
          'message has type': (d) => d.type !== undefined,
        });
      });

      socket.on('error', (e) => {
        errorRate.add(1);
        console.error('WebSocket error:', e);
      });

      // Keep connection open for 30 seconds
      socket.setTimeout(() => {
        socket.close();
      }, 300);
    }
  );

  check(response, {
    'WebSocket connection successful': (r) => r && r.status === 101,
  });
}
",
    );
    let url = format!("WS_URL={}", server.url("/echo"));
    // The rate has no samples when nothing fails, which a threshold takes for a failure: it is not what is tested.
    let (ended, points) = run(&script, &server, &["-e", &url, "--no-thresholds"]);
    let ended = ended.expect(0);
    assert_eq!(ended.shown("checks_succeeded"), "100.00%");
    assert_eq!(points.sum("ws_messages_sent"), 1.0);
    assert_eq!(points.sum("ws_messages_received"), 1.0);
    assert!(points.sum("ws_session_duration") >= 300.0);
    server.settled();
    assert_eq!(server.closes(), [1001]);
    // Where nothing answers, the check fails and the iteration goes on.
    let (ended, points) = run(
        &script,
        &server,
        &["-e", "WS_URL=ws://127.0.0.1:1/", "--no-thresholds"],
    );
    let ended = ended.expect(0).says(&["connection refused"]);
    assert_eq!(ended.shown("checks_failed"), "100.00%");
    assert_eq!((points.sum("ws_sessions"), points.sum("iterations")), (1.0, 1.0));
}

/// Opens each path once and logs what happens, as `PATH: EVENTS`.
const JOURNAL: &str = "import ws from 'k6/ws';
    export default function () {
        for (const path of __ENV.PATHS.split(',')) {
            const order = [];
            const r = ws.connect(__ENV.WS + path, { timeout: '1s' }, (socket) => {
                for (const name of ['open', 'ping', 'message', 'close']) {
                    socket.on(name, (x) => order.push(x === undefined ? name : `${name} ${x}`));
                }
                socket.on('binaryMessage', (data) => { order.push(`binary ${data.byteLength}`); socket.close(1000); });
                socket.on('error', (e) => order.push(`error ${e.error()}`));
            });
            console.log(`${path}: ${order.join('; ')} | ${r.status} ${r.body} ${r.error}`);
        }
    }";

#[test]
fn whatever_the_server_does_ends_in_an_event() {
    let server = WsServer::start();
    let script = Scripted::new(JOURNAL);
    let expected = [
        (
            "/status/401",
            " | 401 no token websocket: bad handshake: the server answered 401 Unauthorized",
        ),
        ("/silent", " | 0  request timeout"),
        ("/close/1000", "open; close 1000 | 101"),
        (
            "/close/1011",
            "open; error websocket: close 1011 (internal server error): bye; close 1011 | 101",
        ),
        (
            "/drop",
            "open; error websocket: close 1006 (abnormal closure): unexpected EOF; close 1006 | 101",
        ),
        (
            "/invalid",
            "open; error websocket: the server sent text that is not valid UTF-8 (close 1007); close 1007 | 101",
        ),
        ("/binary/10485760", "open; binary 10485760; close 1000 | 101"),
    ];
    let paths: Vec<&str> = expected.iter().map(|(path, _)| *path).collect();
    let paths = format!("PATHS={}", paths.join(","));
    let (ended, points) = run(&script, &server, &["-e", &paths]);
    let ended = ended.expect(0);
    for (path, events) in expected {
        let line = format!("{path}: {events}");
        assert!(ended.stderr.contains(&line), "{line}\n{}", ended.stderr);
    }
    assert_eq!(points.sum("ws_sessions"), 7.0);
    assert_eq!(points.tagged("ws_sessions", "status", "101"), 5.0);
    assert_eq!(points.tagged("ws_sessions", "status", "401"), 1.0);
    assert_eq!(points.count("ws_session_duration"), 7);
    server.settled();
    assert_eq!(server.closes(), [1000, 1000, 1007, 1011]);
}

#[test]
fn what_handlers_throw_fails_the_iteration_and_closes_the_socket() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import ws from 'k6/ws';
        export const options = { iterations: 4 };
        export default function () {
            if (__ITER === 3) ws.connect('http://nowhere/', () => {}), ws.connect('ws://x/', {});
            ws.connect(__ENV.WS + '/push/2', function (socket) {
                if (__ITER === 0) throw new Error('in the function');
                socket.on('message', () => { throw new Error('in a handler'); });
                if (__ITER === 1) socket.setTimeout(() => {}, 0);
                socket.on('close', () => { throw new Error('in close'); });
            });
        }",
    );
    let (ended, points) = run(&script, &server, &[]);
    ended.expect(0).says(&[
        "in the function",
        "setTimeout requires a >0 timeout parameter",
        "in a handler",
        "unsupported protocol scheme \"http\"",
        "last argument to ws.connect must be a function",
    ]);
    // One of them to what is no WebSocket.
    assert_eq!(points.sum("ws_sessions"), 4.0);
    assert_eq!(points.count("ws_session_duration"), 4);
    server.settled();
    assert_eq!(server.closes(), [1001; 3]);
}

#[test]
fn with_throw_a_connection_that_fails_throws() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import { connect } from 'k6/ws';
        export const options = { throw: true };
        export default function () { connect(__ENV.WS + '/status/503', null, () => {}); }",
    );
    let (ended, _) = run(&script, &server, &[]);
    ended
        .expect(0)
        .says(&["/status/503: websocket: bad handshake: the server answered 503"]);
}

/// A script that stays in its session for ever.
const FOREVER: &str = "import ws from 'k6/ws';
    export default function () {
        ws.connect(__ENV.WS + __ENV.WHERE, (socket) => {
            socket.on('message', () => {});
            socket.setInterval(() => socket.ping(), 100);
            if (__ENV.WHERE === '/deaf') socket.on('open', () => { for (;;) socket.send('x'.repeat(1 << 20)); });
        });
    }";

#[test]
fn a_graceful_stop_that_runs_out_closes_and_counts_sessions() {
    let server = WsServer::start();
    let script = Scripted::new(FOREVER);
    let stop = script.file("options.json");
    std::fs::write(
        &stop,
        r#"{"scenarios":{"s":{"executor":"constant-vus","vus":3,"duration":"1s","gracefulStop":"0s"}}}"#,
    )
    .unwrap();
    for path in ["/echo", "/flood", "/deaf", "/silent"] {
        let begin = Instant::now();
        let place = format!("WHERE={path}");
        let (ended, points) = run(&script, &server, &["-c", &stop, "-e", &place]);
        ended.expect(0);
        assert!(
            begin.elapsed() < Duration::from_secs(8),
            "{path}: {:?}",
            begin.elapsed()
        );
        let sessions = if path == "/silent" { 0 } else { 3 };
        assert_eq!(points.count("ws_sessions"), sessions, "{path}");
        assert_eq!(points.count("ws_session_duration"), sessions, "{path}");
        assert!(points.sum("data_sent") > 300.0, "{path}");
    }
}

#[test]
fn ctrl_c_closes_sessions_at_once() {
    let server = WsServer::start();
    let script = Scripted::new(FOREVER);
    let url = format!("WS={}", server.url(""));
    let mut arguments = vec!["run", script.path(), "-u", "2", "-d", "1m"];
    arguments.extend(["-e", &url, "-e", "WHERE=/echo", "--metrics-addr", "off"]);
    let running = Running::start(&arguments);
    run_support::eventually(Duration::from_secs(10), "two sessions", || {
        (server.opened() == 2).then_some(())
    });
    let begin = Instant::now();
    running.signal("INT");
    // Sessions without an end of their own get their graceful stop; the second signal ends it.
    std::thread::sleep(Duration::from_millis(300));
    running.signal("INT");
    let ended = running.wait().expect(105);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(ended.shown("ws_sessions"), "2");
    server.settled();
    assert_eq!(server.closes(), [1001; 2]);
}

#[test]
fn three_hundred_idle_sockets_cost_little() {
    let server = WsServer::start();
    let script = Scripted::new(
        "import ws from 'k6/ws';
        export const options = { vus: 300, iterations: 300 };
        export default function () {
            ws.connect(__ENV.WS + '/echo', (socket) => {
                socket.on('open', () => socket.send('hello'));
                socket.setTimeout(() => socket.close(1000), 3000);
            });
        }",
    );
    let (ended, points) = run(&script, &server, &[]);
    ended.expect(0);
    for metric in ["ws_sessions", "ws_msgs_sent", "ws_msgs_received"] {
        assert_eq!(points.sum(metric), 300.0, "{metric}");
    }
    for metric in ["ws_connecting", "ws_session_duration"] {
        assert_eq!(points.count(metric), 300, "{metric}");
    }
    server.settled();
    assert_eq!(server.log.most.load(std::sync::atomic::Ordering::SeqCst), 300);
    assert_eq!(server.closes(), [1000; 300]);
}
