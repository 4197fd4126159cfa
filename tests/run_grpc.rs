//! gRPC from end to end: what is counted and shown, TLS, servers that come and go, and a peer by other people.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are exact"
)]

mod grpc_support;
mod run_support;
mod tls_support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use grpc_support::{Reflection, Room, descriptors};
use run_support::{Ended, Points, Running, Scripted, Server, eventually, free_port, get, loadgen, sum};
use tls_support::{pki, server_config};

/// A script in a folder that has the protos, too.
fn script(text: &str) -> Scripted {
    let script = Scripted::new(text);
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialect/protos");
    std::fs::create_dir(script.file("kinds")).unwrap();
    for name in ["room.proto", "kinds/kinds.proto"] {
        std::fs::copy(protos.join(name), script.file(name)).unwrap();
    }
    script
}

fn run(script: &Scripted, address: &str, arguments: &[&str]) -> (Ended, Points) {
    let (out, grpc) = (
        format!("json={}", script.file("out.json")),
        format!("GRPC={address}"),
    );
    let mut all = vec!["run", "--metrics-addr=off", "--out", &out, "--env", &grpc];
    all.extend(arguments);
    all.push(script.path());
    let ended = Ended::from(loadgen(&all).output().unwrap());
    let points = Points::read(&script.file("out.json"));
    (ended, points)
}

const HEAD: &str = "import { check, group } from 'k6'; import grpc from 'k6/net/grpc';
    const client = new grpc.Client(); client.load([], 'room.proto');\n";

#[test]
fn calls_and_streams_are_counted_with_their_tags() {
    let room = Room::start();
    let script = script(&format!(
        "{HEAD}
        export const options = {{
            scenarios: {{ talk: {{ executor: 'per-vu-iterations', vus: 2, iterations: 3 }} }},
            thresholds: {{
                'grpc_req_duration{{status:5}}': ['max<60000'], 'grpc_req_duration': ['count>=0', 'p(95)<60000'].slice(1),
                'grpc_streams{{way:both}}': ['count==6'], 'grpc_streams_msgs_received': ['count==12'],
            }},
        }};
        export default function () {{
            if (__ITER === 0) client.connect(__ENV.GRPC, {{ plaintext: true }});
            group('shop', () => client.invoke('room.v1.Room/Greet', 'a', {{ tags: {{ kind: 'x' }} }}));
            client.invoke('room.v1.Room/Fail', {{ code: 5 }}, {{ tags: {{ name: 'mine' }} }});
            const stream = new grpc.Stream(client, 'room.v1.Room/Chat', {{ tags: {{ way: 'both' }} }});
            stream.on('data', () => stream.end());
            stream.on('data', () => {{}});
            stream.write({{ text: 'one' }});
            const numbers = new grpc.Stream(client, 'room.v1.Room/Count');
            numbers.write({{ first: 5, last: 5 }});
        }}"
    ));
    let address = room.address.to_string();
    let saved = script.file("run.json");
    let (ended, points) = run(&script, &address, &["--save", &saved]);
    let ended = ended.expect(0);
    for (metric, count) in [
        ("iterations", 6.0),
        ("grpc_streams", 12.0),
        ("grpc_streams_msgs_sent", 12.0),
        ("grpc_streams_msgs_received", 12.0),
    ] {
        assert_eq!(points.sum(metric), count, "{metric}");
        assert_eq!(ended.shown(metric), count.to_string(), "{metric}");
    }
    assert_eq!(points.count("grpc_req_duration"), 24);
    let of = |tag: &str, value: &str| points.tagged_count("grpc_req_duration", tag, value);
    for (tag, value, count) in [
        ("service", "room.v1.Room", 24),
        ("method", "Greet", 6),
        ("name", "/room.v1.Room/Greet", 6),
        ("name", "mine", 6),
        ("kind", "x", 6),
        ("group", "::shop", 6),
        ("group", "", 18),
        ("status", "0", 18),
        ("status", "5", 6),
        ("scenario", "talk", 24),
        ("way", "both", 6),
    ] {
        assert_eq!(of(tag, value), count, "{tag}={value}");
    }
    assert_eq!(of("url", &format!("{address}/room.v1.Room/Greet")), 6);
    assert_eq!(points.tagged("grpc_streams", "method", "Chat"), 6.0);
    // A connection each, kept from iteration to iteration.
    assert_eq!(room.counts.connections.load(SeqCst), 2);
    assert!(
        points.sum("data_sent") > 24.0 * 20.0,
        "{}",
        points.sum("data_sent")
    );
    assert!(points.sum("data_received") > 24.0 * 20.0);
    assert!(ended.stdout.contains("GRPC\n"), "{}", ended.stdout);
    assert_eq!(points.count("http_reqs"), 0);
    // The run can be saved, and compared with itself.
    let compared = Ended::from(loadgen(&["compare", &saved, &saved]).output().unwrap()).expect(0);
    assert!(
        compared.stdout.contains("grpc_req_duration"),
        "{}",
        compared.stdout
    );
}

#[test]
fn the_page_shows_them() {
    let room = Room::start();
    let script = script(&format!(
        "{HEAD}
        export const options = {{ scenarios: {{ s: {{ executor: 'shared-iterations', vus: 1, iterations: 5 }} }} }};
        export default function () {{
            client.connect(__ENV.GRPC, {{ plaintext: true }});
            client.invoke('room.v1.Room/Greet', 'a');
            const stream = new grpc.Stream(client, 'room.v1.Room/Sum');
            stream.on('end', () => client.close());
            stream.write({{ value: 1 }});
            stream.end();
        }}"
    ));
    let port = free_port();
    let (at, grpc) = (
        format!("--metrics-addr=127.0.0.1:{port}"),
        format!("GRPC={}", room.address),
    );
    let run = Running::start(&["run", "--linger", &at, "--env", &grpc, script.path()]);
    let address = format!("127.0.0.1:{port}");
    let page = eventually(Duration::from_mins(1), "the page with all calls", || {
        let page = get(&address, "/metrics").ok()?;
        let calls = sum(&page, "loadgen_grpc_request_duration_seconds_count", &[]);
        (calls == 10.0).then_some(page)
    });
    for (metric, labels, count) in [
        (
            "loadgen_grpc_request_duration_seconds_count",
            &[
                "method=\"Greet\"",
                "status=\"0\"",
                "service=\"room.v1.Room\"",
                "name=\"/room.v1.Room/Greet\"",
            ][..],
            5.0,
        ),
        ("loadgen_grpc_streams_total", &["scenario=\"s\""], 5.0),
        ("loadgen_grpc_messages_sent_total", &[], 5.0),
        ("loadgen_grpc_messages_received_total", &[], 5.0),
    ] {
        assert_eq!(sum(&page, metric, labels), count, "{metric}\n{page}");
    }
    run.signal("INT");
    run.wait();
}

#[test]
fn tls_is_the_run_s_with_what_connect_adds() {
    let known = pki();
    let room = Room::with(
        None,
        Reflection::Both,
        Some(server_config(&known, &["h2"], false)),
    );
    let script = script(&format!(
        "{HEAD}
        const authority = open('authority.pem');
        const tries = {{
            unknown: {{}}, trusted: {{ tls: {{ cacerts: [authority] }} }}, text: {{ tls: {{ cacerts: authority }} }},
            other: {{ authority: 'other.test', tls: {{ cacerts: authority }} }}, none: {{ tls: {{ cacerts: 'x' }} }},
        }};
        export default function () {{
            for (const [name, params] of Object.entries(tries)) {{
                try {{
                    client.connect(__ENV.GRPC, params);
                    const told = client.invoke('room.v1.Room/Tell', {{}});
                    console.log(`${{name}}: ${{told.status}} ${{told.message.authority}}`);
                }} catch (e) {{ console.log(`${{name}}: ${{e.message}}`); }}
            }}
        }}"
    ));
    std::fs::write(script.file("authority.pem"), &known.authority).unwrap();
    let address = format!("localhost:{}", room.address.port());
    // The name leads to IPv4 here: the server listens there only.
    let policy = ["--dns", "policy=onlyIPv4"];
    let (ended, _) = run(&script, &address, &policy);
    let ended = ended.expect(0);
    for line in [
        "unknown: connection error: desc = \"transport: authentication handshake failed: x509: certificate signed by unknown authority\"".to_owned(),
        format!("trusted: 0 {address}"),
        format!("text: 0 {address}"),
        "other: connection error: desc = \"transport: authentication handshake failed: x509: certificate is not valid for this hostname\"".to_owned(),
        "none: failed to append ca certificate [0] from PEM".to_owned(),
    ] {
        assert!(ended.stderr.contains(&line), "{line}\n{}", ended.stderr);
    }
    let (ended, _) = run(
        &script,
        &address,
        &[&policy[..], &["--insecure-skip-tls-verify"]].concat(),
    );
    let ended = ended
        .expect(0)
        .says(&[&format!("unknown: 0 {address}"), "other: 0 other.test"]);
    drop(ended);
}

#[test]
fn a_client_can_show_a_certificate_whose_key_has_a_password() {
    let known = pki();
    let room = Room::with(None, Reflection::None, Some(server_config(&known, &["h2"], true)));
    let script = script(&format!(
        "{HEAD}
        const tls = {{ cacerts: open('authority.pem'), cert: open('client.pem'), key: open('client.key') }};
        export default function () {{
            for (const more of [{{}}, {{ key: open.sealed, password: 'secret' }}, {{ key: open.sealed, password: 'wrong' }}, {{ cert: '', key: '' }}]) {{
                try {{
                    client.connect(__ENV.GRPC, {{ timeout: '20s', tls: {{ ...tls, ...more }} }});
                    const greeted = client.invoke('room.v1.Room/Greet', 'x');
                    console.log(`status ${{greeted.status}}: ${{greeted.error && greeted.error.message}}`);
                }} catch (e) {{ console.log(`thrown: ${{e.message}}`); }}
            }}
        }}"
    ).replace("open.sealed", "sealed").replace("const tls", "const sealed = open('sealed.key'); const tls"));
    for (name, text) in [
        ("authority.pem", &known.authority),
        ("client.pem", &known.client),
        ("client.key", &known.client_key),
    ] {
        std::fs::write(script.file(name), text).unwrap();
    }
    let sealed = Command::new("openssl")
        .args([
            "ec",
            "-aes256",
            "-passout",
            "pass:secret",
            "-in",
            "client.key",
            "-out",
            "sealed.key",
        ])
        .current_dir(script.folder.path())
        .stderr(Stdio::null())
        .status();
    assert!(sealed.unwrap().success());
    let address = format!("localhost:{}", room.address.port());
    let (ended, _) = run(&script, &address, &["--dns", "policy=onlyIPv4"]);
    let said = ended.expect(0).stderr;
    let lines: Vec<&str> = said
        .lines()
        .filter_map(|line| {
            line.find("status ")
                .or(line.find("thrown: "))
                .map(|at| &line[at..])
        })
        .collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(
        lines[0].starts_with("status 0: null") && lines[1].starts_with("status 0: null"),
        "{said}"
    );
    assert!(lines[2].contains("x509: decryption password incorrect"), "{said}");
    // TLS 1.3 tells a client only when it reads on that its certificate was missed.
    assert!(
        lines[3].starts_with("status 14: ") || lines[3].starts_with("thrown: connection error"),
        "{said}"
    );
}

#[test]
fn names_and_addresses_go_by_the_run_s_rules() {
    let room = Room::start();
    let script = script(&format!(
        "{HEAD}
        export const options = {{ hosts: {{ 'shop.test': '127.0.0.1' }}, blacklistIPs: ['127.0.0.9/32'], blockHostnames: ['*.blocked.test'] }};
        export default function () {{
            for (const host of ['shop.test', '127.0.0.9', 'x.blocked.test']) {{
                try {{
                    client.connect(`${{host}}:${{__ENV.GRPC}}`, {{ plaintext: true }});
                    console.log(`${{host}}: ${{client.invoke('room.v1.Room/Tell', {{}}).message.authority}}`);
                }} catch (e) {{ console.log(`${{host}}: ${{e.message}}`); }}
            }}
        }}"
    ));
    let port = room.address.port();
    let (ended, _) = run(&script, &port.to_string(), &[]);
    ended.expect(0).says(&[
        &format!("shop.test: shop.test:{port}"),
        "127.0.0.9: connection error",
        "IP (127.0.0.9)",
        "x.blocked.test: connection error",
    ]);
}

#[test]
fn a_connection_can_be_that_of_all_users_of_a_thread() {
    let room = Room::start();
    let script = script(&format!(
        "{HEAD} import {{ sleep }} from 'k6';
        const other = new grpc.Client(); other.load([], 'room.proto');
        export const options = {{ scenarios: {{ s: {{ executor: 'per-vu-iterations', vus: 20 }} }} }};
        const shared = {{ plaintext: true, connectionSharing: true, maxReceiveSize: 4000 }};
        const greeted = (c) => check(c.invoke('room.v1.Room/Greet', 'x'), {{ greeted: (r) => r.status === 0 }});
        export function setup() {{
            try {{ client.connect(__ENV.GRPC, {{ ...shared, connectionSharing: 5 }}); }} catch (e) {{ console.warn(e.message); }}
        }}
        export default function () {{
            client.connect(__ENV.GRPC, shared);
            other.connect(__ENV.GRPC.toUpperCase(), shared);
            greeted(client); greeted(other);
            sleep(0.3);
            client.close();
            greeted(other);
        }}"
    ));
    let address = room.address.to_string();
    let (ended, points) = run(&script, &address, &[]);
    ended
        .expect(0)
        .says(&["invalid connectionSharing value: '5', it needs to be boolean"]);
    assert_eq!((points.count("checks"), points.sum("checks")), (60, 60.0));
    assert_eq!(room.counts.calls.load(SeqCst), 60);
    let threads = thread::available_parallelism().unwrap().get() as u64;
    let connections = room.counts.connections.load(SeqCst);
    assert!((1..=threads).contains(&connections), "{connections} of {threads}");
}

#[test]
fn a_server_that_goes_and_comes_back_is_connected_to_again() {
    let room = Room::start();
    let address = room.address;
    let web = Server::start();
    let script = script(&format!(
        "{HEAD} import {{ sleep }} from 'k6'; import http from 'k6/http';
        export const options = {{ thresholds: {{ checks: ['rate==1'] }} }};
        const greet = () => client.invoke('room.v1.Room/Greet', 'x');
        function until(status) {{
            let answer = greet();
            while (answer.status !== status) {{ sleep(0.05); answer = greet(); }}
            return answer;
        }}
        export default function () {{
            client.connect(__ENV.GRPC, {{ plaintext: true }});
            console.log(`first ${{greet().status}}`);
            check(until(14), {{ 'an error that says so': (lost) => lost.error.message.length > 10 && lost.message === '' }});
            let stream = '';
            try {{ new grpc.Stream(client, 'room.v1.Room/Chat'); }} catch (e) {{ stream = e.message; }}
            const expected = 'failed to create a new stream: rpc error: code = Unavailable desc = connection error';
            check(stream, {{ 'no stream': (s) => s.startsWith(expected) }});
            http.get(__ENV.WEB);
            check(until(0), {{ 'it is back': (back) => back.message === 'hey x' }});
        }}"
    ));
    let (grpc, web_url) = (format!("GRPC={address}"), format!("WEB={}", web.url("/")));
    let arguments = [
        "run",
        "--metrics-addr=off",
        "--env",
        &grpc,
        "--env",
        &web_url,
        script.path(),
    ];
    let mut run = Running::start(&arguments);
    run.until_said("first 0");
    room.stop();
    eventually(
        Duration::from_mins(1),
        "the script has seen that the server is gone",
        || (web.count() == 1).then_some(()),
    );
    let _room = Room::with(Some(address.port()), Reflection::None, None);
    run.wait().expect(0);
}

#[test]
fn what_is_interrupted_is_canceled_and_its_bytes_count() {
    let room = Room::start();
    let script = script(&format!(
        "{HEAD}
        export const options = {{ scenarios: {{
            calls: {{ executor: 'constant-vus', vus: 2, duration: '1s', gracefulStop: '0s', exec: 'call' }},
            streams: {{ executor: 'constant-vus', vus: 2, duration: '1s', gracefulStop: '0s', exec: 'talk' }},
        }} }};
        export function call() {{
            client.connect(__ENV.GRPC, {{ plaintext: true }});
            client.invoke('room.v1.Room/Fail', {{ afterMs: 600000 }});
        }}
        export function talk() {{
            client.connect(__ENV.GRPC, {{ plaintext: true }});
            const stream = new grpc.Stream(client, 'room.v1.Room/Chat');
            stream.write({{ text: 'x'.repeat(5000) }});
        }}"
    ));
    let (ended, points) = run(&script, &room.address.to_string(), &[]);
    ended.expect(0);
    assert_eq!(points.sum("iterations"), 0.0);
    assert_eq!(points.sum("grpc_streams"), 2.0);
    assert_eq!(points.sum("grpc_streams_msgs_received"), 2.0);
    assert_eq!(points.count("grpc_req_duration"), 0);
    assert!(points.sum("data_sent") > 10_000.0 && points.sum("data_received") > 10_000.0);
    eventually(Duration::from_secs(30), "the server is told of all four", || {
        (room.counts.canceled.load(SeqCst) == 4).then_some(())
    });
}

#[test]
fn closing_ends_what_is_under_way() {
    let room = Room::start();
    let script = script(&format!(
        "{HEAD}
        export default async function () {{
            client.connect(__ENV.GRPC, {{ plaintext: true }});
            const stream = new grpc.Stream(client, 'room.v1.Room/Chat');
            stream.on('error', (e) => console.log(`error ${{e.code}} ${{e.message}}`));
            stream.on('end', () => console.log('the end'));
            stream.on('data', () => client.close());
            stream.write({{ text: 'x' }});
        }}"
    ));
    let (ended, _) = run(&script, &room.address.to_string(), &[]);
    ended
        .expect(0)
        .says(&["error 1 grpc: the client connection is closing", "the end"]);
}

#[test]
fn a_server_without_reflection_says_so_and_an_older_one_will_do() {
    let script = script(
        "import grpc from 'k6/net/grpc'; const client = new grpc.Client();
        export default function () {
            client.connect(__ENV.GRPC, { plaintext: true, reflect: true });
            console.log(client.invoke('room.v1.Room/Greet', 'you').message);
        }",
    );
    let old = Room::with(None, Reflection::OnlyAlpha, None);
    let (ended, _) = run(&script, &old.address.to_string(), &[]);
    ended.expect(0).says(&["hey you"]);
    let none = Room::with(None, Reflection::None, None);
    let (ended, points) = run(&script, &none.address.to_string(), &[]);
    ended.says(&["rpc error: code = Unimplemented desc = "]);
    assert_eq!(points.sum("iterations"), 1.0);
}

#[test]
fn a_server_that_speaks_no_grpc_is_an_unavailable_one() {
    let web = Server::start();
    let script = script(&format!(
        "{HEAD}
        export default function () {{
            client.connect(__ENV.GRPC, {{ plaintext: true }});
            const answer = client.invoke('room.v1.Room/Greet', 'x', {{ timeout: '20s' }});
            console.log(`status ${{answer.status}}: ${{answer.error.message}}`);
        }}"
    ));
    let (ended, _) = run(&script, &web.address.to_string(), &[]);
    let ended = ended.expect(0);
    assert!(
        ended.stderr.contains("status 14: ") || ended.stderr.contains("status 13: "),
        "{}",
        ended.stderr
    );
}

/// How the other implementation is installed, in the folder of all that is built.
const INSTALL: &str = "python3 -m venv grpcio.new && grpcio.new/bin/pip install --quiet grpcio==1.85.1 \
    grpcio-reflection==1.85.1 grpcio-health-checking==1.85.1 && rm -rf grpcio && mv grpcio.new grpcio";

#[test]
fn an_implementation_that_is_not_ours_understands_us() {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if !built.join("grpcio/bin/python3").exists() {
        let installed = Command::new("sh")
            .args(["-c", INSTALL])
            .current_dir(built)
            .status();
        assert!(installed.unwrap().success(), "grpcio comes from PyPI");
    }
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("room.protoset");
    let mut bytes = Vec::new();
    descriptors().encode(&mut bytes).unwrap();
    std::fs::write(&set, &bytes).unwrap();
    let server = Command::new(built.join("grpcio/bin/python3"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/grpc_support/room.py"))
        .arg(&set)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = Running(Some(server));
    let mut port = String::new();
    let out = server.0.as_mut().unwrap().stdout.take().unwrap();
    BufReader::new(out).read_line(&mut port).unwrap();
    let address = format!("127.0.0.1:{}", port.trim());
    let dialect = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialect");
    for (name, checks) in [("grpc-reflect.js", 12), ("grpc-unary.js", 26)] {
        let script = dialect.join(name).display().to_string();
        let grpc = format!("GRPC={address}");
        let ended = loadgen(&["run", "--metrics-addr=off", "--env", &grpc, &script]).output();
        let ended = Ended::from(ended.unwrap()).expect(0);
        assert_eq!(
            ended.shown("checks_succeeded"),
            "100.00%",
            "{name}\n{}",
            ended.stdout
        );
        assert!(
            ended.stdout.contains(&format!(
                "{} out of",
                if name == "grpc-reflect.js" {
                    checks / 2
                } else {
                    checks
                }
            )),
            "{}",
            ended.stdout
        );
    }
    let script = script(
        "import { check } from 'k6'; import { Client, Stream } from 'k6/net/grpc';
        const client = new Client(); client.loadProtoset('room.protoset');
        export default function () {
            client.connect(__ENV.GRPC, { plaintext: true });
            const failed = client.invoke('room.v1.Room/Fail', { code: 9, message: 'no: ü%' });
            check(failed, { 'a failure': (f) => f.status === 9 && f.error.message === 'no: ü%' });
            for (const [method, messages, expected] of [
                ['Count', [{ first: 1, last: 200 }], 200], ['Sum', Array(300).fill({ value: 2 }), 600], ['Chat', Array(100).fill({ text: 'x'.repeat(3000) }), 100],
            ]) {
                let seen = 0;
                const stream = new Stream(client, `room.v1.Room/${method}`);
                stream.on('data', (m) => (seen = method === 'Sum' ? m.value : seen + 1));
                stream.on('end', () => check(seen, { [method]: (s) => s === expected }));
                messages.forEach((m) => stream.write(m));
                stream.end();
            }
        }",
    );
    std::fs::write(script.file("room.protoset"), &bytes).unwrap();
    let (ended, points) = run(&script, &address, &["--vus", "3", "--iterations", "6"]);
    let ended = ended.expect(0);
    assert_eq!(
        ended.shown("checks_succeeded"),
        "100.00%",
        "{}\n{}",
        ended.stdout,
        ended.stderr
    );
    assert_eq!(points.sum("grpc_streams_msgs_sent"), 6.0 * 401.0);
    assert_eq!(points.sum("grpc_streams_msgs_received"), 6.0 * 301.0);
}
