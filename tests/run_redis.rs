//! `k6/experimental/redis` from end to end, against a real Redis: logins, TLS, servers that go away, and what is counted.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are exact"
)]

mod redis_support;
mod run_support;
mod tls_support;

use std::time::Duration;

use redis_support::Redis;
use run_support::{Ended, Points, Running, Scripted, Server, eventually, free_port, get, loadgen, sum};

fn run(script: &Scripted, arguments: &[&str]) -> (Ended, Points) {
    let out = format!("json={}", script.file("out.json"));
    let mut all = vec!["run", "--metrics-addr=off", "--out", &out];
    all.extend(arguments);
    all.push(script.path());
    let ended = Ended::from(loadgen(&all).output().unwrap());
    (ended, Points::read(&script.file("out.json")))
}

const HEAD: &str = "import redis from 'k6/experimental/redis';
    const said = (promise) => promise.then((value) => `${value}`, (e) => `! ${e.message}`);\n";

#[test]
fn logins_databases_and_what_refuses_them() {
    let redis = Redis::with(&free_port().to_string(), &["--requirepass", "p@ss"]);
    let login = [
        "-a",
        "p@ss",
        "--no-auth-warning",
        "ACL",
        "SETUSER",
        "ann",
        "on",
        ">w:rd",
        "~*",
        "+@all",
    ];
    assert!(redis.ask(&login).contains("OK"));
    let script = Scripted::new(&format!(
        "{HEAD}
        const port = Number(__ENV.PORT);
        const socket = {{ host: '127.0.0.1', port }};
        const clients = {{
            password: new redis.Client(`redis://:p%40ss@127.0.0.1:${{port}}`),
            user: new redis.Client(`redis://ann:w%3Ard@127.0.0.1:${{port}}/2`),
            object: new redis.Client({{ socket, username: 'ann', password: 'w:rd', database: 2 }}),
            wrong: new redis.Client({{ socket, password: 'no' }}),
            without: new redis.Client({{ socket }}),
            nowhere: new redis.Client({{ socket: {{ host: '127.0.0.1', port: 1 }} }}),
            database: new redis.Client({{ socket, password: 'p@ss', database: 99 }}),
        }};
        export default async function () {{
            for (const [name, client] of Object.entries(clients)) console.log(`${{name}}: ${{await said(client.set('who', name))}}`);
            console.log(`0: ${{await clients.password.get('who')}}, 2: ${{await clients.user.get('who')}}`);
            for (const options of [undefined, 7, 'http://x', {{ nope: 1 }}, {{ cluster: {{ nodes: [] }} }}]) {{
                try {{ new redis.Client(options); }} catch (e) {{ console.log(`thrown: ${{e.message}}`); }}
            }}
        }}"
    ));
    let port = format!("PORT={}", redis.port);
    let (ended, _) = run(&script, &["--env", &port]);
    ended.expect(0).says(&[
        "password: OK",
        "user: OK",
        "object: OK",
        "wrong: ! WRONGPASS",
        "without: ! NOAUTH",
        "nowhere: ! dial tcp 127.0.0.1:1: connect: connection refused",
        "database: ! ERR DB index is out of range",
        "0: password, 2: object",
        "thrown: invalid options; reason: none are given",
        "thrown: invalid options; reason: invalid options type: int; expected string or object",
        "thrown: invalid options; reason: redis: invalid URL scheme: http",
        "thrown: invalid options; reason: unknown field `nope`",
        "thrown: invalid options; reason: clusters and sentinels are not supported",
    ]);
}

#[test]
fn over_tls_with_certificates_of_both_sides() {
    let known = tls_support::pki();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (authority, certificate) = (file("ca", &known.authority), file("cert", &known.certificate));
    let (key, port) = (file("key", &known.key), free_port().to_string());
    let _redis = Redis::with(
        &free_port().to_string(),
        &[
            "--tls-port",
            &port,
            "--tls-ca-cert-file",
            &authority,
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
        ],
    );
    let script = Scripted::new(&format!(
        "{HEAD}
        const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => open(name));
        const make = (tls) => new redis.Client({{ socket: {{ host: 'localhost', port: Number(__ENV.PORT), tls }} }});
        const clients = {{ both: make({{ ca: [ca], cert, key }}), one: make({{ ca: [ca] }}), system: make({{ cert, key }}) }};
        const address = new redis.Client(`rediss://localhost:${{__ENV.PORT}}`);
        export default async function () {{
            for (const [name, client] of Object.entries(clients)) console.log(`${{name}}: ${{await said(client.set('k', name))}}`);
            console.log(`address: ${{await said(address.get('k'))}}`);
        }}"
    ));
    for (name, text) in [
        ("ca", &known.authority),
        ("cert", &known.client),
        ("key", &known.client_key),
    ] {
        std::fs::write(script.file(name), text).unwrap();
    }
    let port = format!("PORT={port}");
    let (ended, points) = run(&script, &["--env", &port, "--dns", "policy=onlyIPv4"]);
    let ended = ended.expect(0).says(&[
        "both: OK",
        "system: ! dial tcp localhost:",
        "x509: certificate signed by unknown authority",
    ]);
    // TLS 1.3 tells a client only when it reads on that its certificate was missed.
    assert!(ended.stderr.contains("one: ! "), "{}", ended.stderr);
    assert!(ended.stderr.contains("address: ! "), "{}", ended.stderr);
    assert!(points.sum("data_sent") > 500.0 && points.sum("data_received") > 500.0);
}

#[test]
fn a_server_that_comes_back_is_connected_to_again_and_connections_are_few() {
    let mut redis = Redis::start();
    let web = Server::start();
    let script = Scripted::new(&format!(
        "{HEAD} import http from 'k6/http'; import {{ check, sleep }} from 'k6';
        export const options = {{ thresholds: {{ checks: ['rate==1'] }} }};
        const client = new redis.Client({{ socket: {{ host: '127.0.0.1', port: Number(__ENV.PORT), poolSize: 3 }} }});
        export default async function () {{
            await Promise.all([...Array(40).keys()].map((n) => client.rpush('list', n)));
            const connections = (await client.sendCommand('CLIENT', 'LIST')).trim().split('\\n').length;
            check(connections, {{ 'as many as the pool has': (n) => n === 3 }});
            check(await client.llen('list'), {{ 'all are there': (n) => n === 40 }});
            http.get(__ENV.WEB);
            while ((await said(client.exists('list'))) === '1') sleep(0.05);
            while ((await said(client.set('a', 1))) !== 'OK') sleep(0.05);
            check(await said(client.get('list')), {{ 'it is another one': (s) => s === '! redis: nil' }});
        }}"
    ));
    let (port, url) = (format!("PORT={}", redis.port), format!("WEB={}", web.url("/")));
    let arguments = [
        "run",
        "--metrics-addr=off",
        "--env",
        &port,
        "--env",
        &url,
        script.path(),
    ];
    let run = Running::start(&arguments);
    eventually(Duration::from_mins(1), "the list is there", || {
        (web.count() == 1).then_some(())
    });
    redis.restart();
    run.wait().expect(0);
}

/// Commands are no requests of any metric, so it is the bytes that tell a long iteration from one that stands still.
#[test]
fn a_long_iteration_shows_what_comes_in_while_it_goes_on() {
    let redis = Redis::start();
    let script = Scripted::new(&format!(
        "{HEAD} import {{ group, sleep }} from 'k6';
        export const options = {{ scenarios: {{ s: {{ executor: 'shared-iterations', gracefulStop: '0s' }} }} }};
        const client = new redis.Client({{ socket: {{ host: '127.0.0.1', port: Number(__ENV.PORT) }} }});
        export default async function () {{
            for (;;) {{ await client.set('a', 'b'); group('waiting', () => sleep(0.2)); }}
        }}"
    ));
    let (port, address) = (
        format!("PORT={}", redis.port),
        format!("127.0.0.1:{}", free_port()),
    );
    let flags = ["-q", "--metrics-addr", &address, "--env", &port];
    let running = Running::start(&[&["run", script.path()], &flags[..]].concat());
    let page = eventually(Duration::from_mins(2), "bytes of an iteration under way", || {
        let page = get(&address, "/metrics").ok()?;
        (sum(&page, "loadgen_data_received_bytes_total", &[]) > 0.0).then_some(page)
    });
    assert!(sum(&page, "loadgen_data_sent_bytes_total", &[]) > 0.0, "{page}");
    assert_eq!(sum(&page, "loadgen_iterations_total", &[]), 0.0, "{page}");
    running.signal("INT");
    running.wait().expect(105);
}

#[test]
fn what_takes_too_long_ends_and_what_is_interrupted_is_forgotten() {
    let redis = Redis::start();
    let script = Scripted::new(&format!(
        "{HEAD}
        export const options = {{ scenarios: {{
            late: {{ executor: 'shared-iterations', exec: 'late' }},
            cut: {{ executor: 'constant-vus', vus: 2, duration: '2s', gracefulStop: '0s', exec: 'cut' }},
        }} }};
        const make = (readTimeout) => new redis.Client({{ socket: {{ host: '127.0.0.1', port: Number(__ENV.PORT), readTimeout }} }});
        const [short, endless] = [make(300), make(-1)];
        export async function late() {{
            console.log(`late: ${{await said(short.sendCommand('BLPOP', 'nothing', 0))}}`);
            console.log(`then: ${{await said(short.set('a', 'x'.repeat(100000)))}} ${{(await short.get('a')).length}}`);
        }}
        export async function cut() {{ await endless.sendCommand('BLPOP', 'nothing', 0); }}"
    ));
    let port = format!("PORT={}", redis.port);
    let (ended, points) = run(&script, &["--env", &port]);
    let read = format!("late: ! read tcp 127.0.0.1:{}: i/o timeout", redis.port);
    ended.expect(0).says(&[&read, "then: OK 100000"]);
    assert_eq!(points.sum("iterations"), 1.0);
    assert!(points.sum("data_sent") > 100_000.0 && points.sum("data_received") > 100_000.0);
    // As with k6 it is no request of any metric.
    assert_eq!(points.count("http_reqs"), 0);
}
