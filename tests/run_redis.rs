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
        "thrown: invalid options; reason: the cluster has no nodes",
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

/// Three masters that share the keys among them, on free ports.
fn cluster() -> Vec<Redis> {
    let nodes: Vec<Redis> = (0..3)
        .map(|_| {
            let (port, bus) = (free_port().to_string(), free_port().to_string());
            let more = [
                "--cluster-enabled",
                "yes",
                "--cluster-require-full-coverage",
                "no",
                "--cluster-port",
                &bus,
            ];
            Redis::with(&port, &more)
        })
        .collect();
    let addresses: Vec<String> = nodes
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.port))
        .collect();
    let mut words = vec!["--cluster", "create"];
    words.extend(addresses.iter().map(String::as_str));
    words.push("--cluster-yes");
    let said = nodes[0].ask(&words);
    assert!(said.contains("All 16384 slots covered"), "{said}");
    eventually(
        Duration::from_mins(1),
        "every node knows that all is well",
        || {
            let well = |node: &Redis| node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
            nodes.iter().all(well).then_some(())
        },
    );
    nodes
}

#[test]
fn keys_are_found_in_a_cluster_wherever_they_are() {
    let nodes = cluster();
    let script = Scripted::new(&format!(
        "{HEAD}
        import {{ check }} from 'k6';
        const ports = __ENV.PORTS.split(',').map(Number);
        const address = (port) => `redis://127.0.0.1:${{port}}`;
        const client = new redis.Client({{ cluster: {{ nodes: [address(ports[1]), address(ports[0])] }} }});
        const single = new redis.Client({{ cluster: {{ maxRedirects: 5, nodes: [{{ socket: {{ host: '127.0.0.1', port: ports[2] }} }}] }} }});
        const direct = ports.map((port) => new redis.Client(address(port)));
        const all = (count, make) => Promise.all(Array.from({{ length: count }}, (_, i) => make(i)));
        export default async function () {{
            const found = {{}};
            await all(300, (i) => client.set(`key-${{i}}`, `value ${{i}}`));
            found.all = (await all(300, (i) => single.get(`key-${{i}}`))).every((value, i) => value === `value ${{i}}`);
            found['each has a part'] = (await Promise.all(direct.map((one) => one.sendCommand('DBSIZE')))).every((n) => n > 20 && n < 200);
            found['by their tag'] = (await client.set('{{t}}a', 1)) === 'OK' && (await client.set('{{t}}b', 2)) === 'OK' && (await client.mget('{{t}}a', '{{t}}b')).join() === '1,2';
            found['not by others'] = (await said(client.mget('key-1', 'key-2', 'key-3'))).startsWith('! CROSSSLOT');
            found['a node alone sends elsewhere'] = (await Promise.all(direct.map((one) => said(one.get('key-1'))))).filter((text) => text.startsWith('! MOVED')).length === 2;
            found['without a key'] = (await client.randomKey()).length > 2 && (await client.sendCommand('PING')) === 'PONG';

            // A part of the keys goes from one node to another while the client is connected.
            const ids = await Promise.all(direct.map((one) => one.sendCommand('CLUSTER', 'MYID')));
            const owner = async (key) => {{
                const answers = await Promise.all(direct.map((one) => said(one.get(key))));
                return answers.findIndex((text) => !text.startsWith('! MOVED'));
            }};
            const slot = (key) => direct[0].sendCommand('CLUSTER', 'KEYSLOT', key);
            const moved = 'a key that moves';
            let [from, number] = [await owner(moved), await slot(moved)];
            let to = (from + 1) % 3;
            await direct[to].sendCommand('CLUSTER', 'SETSLOT', number, 'IMPORTING', ids[from]);
            await direct[from].sendCommand('CLUSTER', 'SETSLOT', number, 'MIGRATING', ids[to]);
            for (const one of [direct[to], direct[from]]) await one.sendCommand('CLUSTER', 'SETSLOT', number, 'NODE', ids[to]);
            found['a part has moved'] = (await client.set(moved, 'there')) === 'OK' && (await direct[to].get(moved)) === 'there';

            // A part of which nobody knows yet where it is.
            const asked = 'a key on its way';
            [from, number] = [await owner(asked), await slot(asked)];
            to = (from + 1) % 3;
            await direct[to].sendCommand('CLUSTER', 'SETSLOT', number, 'IMPORTING', ids[from]);
            await direct[from].sendCommand('CLUSTER', 'SETSLOT', number, 'MIGRATING', ids[to]);
            found['a part is moving'] = (await client.set(asked, 'underway')) === 'OK' && (await client.get(asked)) === 'underway';
            found['and not all of it'] = (await said(direct[to].get(asked))).startsWith('! MOVED');
            check(found, Object.fromEntries(Object.keys(found).map((name) => [name, (f) => f[name] === true || (console.error(name), false)])));

            await said(direct[0].sendCommand('SHUTDOWN', 'NOSAVE'));
            const left = await all(60, (i) => said(client.get(`key-${{i}}`)));
            const lost = left.filter((text) => text.startsWith('! '));
            check(lost, {{
                'what a node had is lost with it': (list) => list.length > 0 && list.length < 60,
                'and it is said': (list) => list.every((text) => text.includes('connection refused') || text.includes('CLUSTERDOWN')) || (console.error(list[0]), false),
            }});
        }}"
    ));
    let ports: Vec<&str> = nodes.iter().map(|node| node.port.as_str()).collect();
    let (ended, points) = run(&script, &["--env", &format!("PORTS={}", ports.join(","))]);
    let ended = ended.expect(0);
    assert_eq!(points.sum("checks"), 11.0, "{}", ended.stderr);
    assert_eq!(points.count("checks"), 11);
    assert!(points.sum("data_sent") > 10_000.0);
}

#[test]
fn a_server_that_is_no_cluster_says_so() {
    let redis = Redis::start();
    let script = Scripted::new(&format!(
        "{HEAD}
        const address = `redis://127.0.0.1:${{__ENV.PORT}}`;
        const client = new redis.Client({{ cluster: {{ nodes: [address, address] }} }});
        export default async function () {{ console.log(await said(client.get('x'))); }}"
    ));
    let (ended, _) = run(&script, &["--env", &format!("PORT={}", redis.port)]);
    ended
        .expect(0)
        .says(&["ERR This instance has cluster support disabled"]);
}
