//! A run that samples its target: in thresholds, the summary, the saved run, and on `/metrics/remote`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loadgen::report::saved::SavedRun;
use run_support::{Running, Scripted, Server, eventually, free_port, get, run};

/// A program that is killed when the test is over.
struct Background(Child);

impl Background {
    fn start(program: &str, arguments: &[String]) -> Background {
        let child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Background(
            child.unwrap_or_else(|error| panic!("{program}: {error}; the README says what to install")),
        )
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn redis(port: u16) -> Background {
    let redis = ["--port", &port.to_string(), "--save", ""].map(str::to_owned);
    let redis = Background::start("redis-server", &redis);
    eventually(Duration::from_secs(20), "redis", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    redis
}

/// A script that asks for `url` until it is over.
fn script(url: &str, options: &str) -> Scripted {
    Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ sleep }} from 'k6';
        export const options = {{ vus: 2, {options} }};
        export default function () {{ http.get('{url}'); sleep(0.02); }}"
    ))
}

#[test]
fn a_target_that_is_sampled_is_in_thresholds_summary_samples_and_the_saved_run() {
    let server = Server::start();
    let script = script(
        &server.url("/"),
        "duration: '3s', thresholds: {
            target_cpu_utilization: ['max<=1', 'avg>=0'],
            'target_memory_utilization{host:localhost}': ['max<0.000001'],
            'target_process_memory{process:tester}': ['max>0'],
        }",
    );
    let own = format!("pid:{}", std::process::id());
    let (saved, samples) = (script.file("run.json"), script.file("samples.json"));
    let out = format!("json={samples}");
    let ended = run(&[
        "run",
        script.path(),
        "--metrics-addr",
        "off",
        "--watch",
        &own,
        "--sample-interval",
        "250ms",
        "--save",
        &saved,
        "--out",
        &out,
    ])
    .expect(99);
    let name = format!("({})", std::process::id());
    for part in [
        "target_memory_utilization",
        "✗ 'max<0.000001'",
        "✓ 'max<=1'",
        "█ TARGET",
        "localhost cpu (of ",
        "busiest core",
        "localhost memory (of ",
        "sampling, CPU per reading",
        "component",
        &name,
    ] {
        assert!(ended.stdout.contains(part), "no {part}:\n{}", ended.stdout);
    }
    // The name is what it turned out to be, so a threshold on another one has seen nothing, and fails.
    assert!(ended.stdout.contains("✗ 'max>0'"), "{}", ended.stdout);
    let saved = SavedRun::read(std::path::Path::new(&saved)).unwrap();
    let (machine, generator) = (saved.target.machine.unwrap(), &saved.environment);
    assert_eq!(
        (
            &machine.host,
            &machine.kernel,
            &machine.architecture,
            machine.cores,
            machine.memory
        ),
        (
            &generator.host,
            &generator.kernel,
            &generator.architecture,
            generator.cores,
            generator.memory
        )
    );
    assert_eq!(
        (&machine.os, &machine.cpu_model),
        (&generator.os, &generator.cpu_model)
    );
    let host = &saved.hosts[0];
    assert!(
        host.at.len() >= 8,
        "{} readings in 3 s, one each 250 ms",
        host.at.len()
    );
    for column in [
        "cpu_utilization",
        "memory_utilization",
        "cpu_user",
        "sampling_cpu_seconds",
    ] {
        assert!(host.series[column].iter().any(Option::is_some), "{column}");
    }
    assert!(
        host.processes[0].name.ends_with(&name),
        "{}",
        host.processes[0].name
    );
    let points = run_support::Points::read(&samples);
    assert!(points.count("target_cpu_utilization") >= 8);
    assert!(points.tagged("target_cpu_utilization", "host", "localhost") > 0.0);
}

#[test]
fn metrics_of_a_target_that_is_not_sampled_are_named_with_what_would() {
    let script = script(
        "http://127.0.0.1:9/",
        "thresholds: { target_cpu_utilization: ['max<1'] }",
    );
    let ended = run(&["run", script.path(), "--metrics-addr", "off"]).expect(104);
    ended.says(&["there is no metric \"target_cpu_utilization\"", "--sample-local"]);
}

#[test]
fn what_cannot_be_watched_stops_the_run_before_it_begins() {
    let script = script("http://127.0.0.1:9/", "duration: '1s'");
    let nobody = free_port().to_string();
    for (watch, said) in [
        (
            "no-such-program",
            "there is no process no-such-program on localhost",
        ),
        (&format!("port:{nobody}"), "nobody listens on port"),
        ("port:99999", "a port is a number from 1 to 65535"),
    ] {
        let arguments = ["run", script.path(), "--metrics-addr", "off", "--watch", watch];
        run(&arguments).expect(104).says(&[said]);
    }
}

#[test]
fn a_server_that_is_restarted_is_found_again_by_its_port() {
    let server = Server::start();
    let script = script(&server.url("/"), "duration: '6s'");
    let port = free_port();
    let first = redis(port);
    let mut running = Running::start(&[
        "run",
        script.path(),
        "--metrics-addr",
        "off",
        "--watch",
        &port.to_string(),
        "--sample-interval",
        "100ms",
    ]);
    running.until_said("looping VUs");
    std::thread::sleep(Duration::from_millis(1500));
    drop(first);
    let _second = redis(port);
    let ended = running.wait().expect(0);
    let row = ended
        .stdout
        .lines()
        .find(|line| line.contains(&format!(":{port}")));
    let row = row.unwrap_or_else(|| panic!("no row:\n{}", ended.stdout)).trim();
    assert!(row.starts_with("redis-server") && row.ends_with(" 1"), "{row}");
}

/// Name and type of each family of a page, its help, and the names of its labels.
fn families(page: &str) -> BTreeMap<String, (String, String, Vec<String>)> {
    let mut families: BTreeMap<String, (String, String, Vec<String>)> = BTreeMap::new();
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help.clone_into(&mut families.entry(name.to_owned()).or_default().0);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            kind.clone_into(&mut families.entry(name.to_owned()).or_default().1);
        } else if line.starts_with("node_") {
            let end = line.find(['{', ' ']).unwrap();
            let labels = line
                .find('{')
                .map_or("", |open| &line[open + 1..line.rfind('}').unwrap()]);
            let labels = labels
                .split("\",")
                .filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
            families.entry(line[..end].to_owned()).or_default().2 = labels.collect();
        }
    }
    families.retain(|name, _| name.starts_with("node_") || name.starts_with("loadgen_"));
    families
}

/// A page as an old client gets it: in one piece, not in chunks.
fn get_whole(address: &str, path: &str) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text.split_once("\r\n\r\n")?.1.to_owned())
}

/// What `promtool check metrics` says, by line.
fn promtool(page: &str) -> Vec<String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: apt-get install prometheus");
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    // 3: there is advice. 1: it cannot be read.
    assert!(matches!(said.status.code(), Some(0 | 3)), "{said:?}");
    let said = String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
    said.lines().map(str::to_owned).collect()
}

#[test]
fn the_page_of_the_target_is_node_exporters() {
    let real_address = format!("127.0.0.1:{}", free_port());
    let _real = Background::start(
        "prometheus-node-exporter",
        &[format!("--web.listen-address={real_address}")],
    );
    let address = format!("127.0.0.1:{}", free_port());
    let server = Server::start();
    let script = script(&server.url("/"), "duration: '60s'");
    let own = format!("pid:{}", std::process::id());
    let running = Running::start(&[
        "run",
        script.path(),
        "-q",
        "--metrics-addr",
        &address,
        "--watch",
        &own,
    ]);
    let page_at = |path: &str| {
        eventually(Duration::from_secs(30), "a page of the target", || {
            let page = get(&address, path).ok()?;
            page.contains("loadgen_target_cpu_utilization_ratio")
                .then_some(page)
        })
    };
    // Every series says whose it is, unless one machine is asked for.
    let named = page_at("/metrics/remote");
    for line in named.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.contains("{host=\"localhost\""), "{line}");
    }
    let ours = page_at("/metrics/remote?host=localhost");
    let real = eventually(Duration::from_secs(30), "node_exporter's page", || {
        get_whole(&real_address, "/metrics").filter(|page| page.contains("node_load1 "))
    });
    drop(running);
    let (own_families, real_families) = (families(&ours), families(&real));
    let mut compared = 0;
    for (name, family) in own_families.iter().filter(|(name, _)| name.starts_with("node_")) {
        let theirs = real_families.get(name);
        assert_eq!(Some(family), theirs, "{name}");
        compared += 1;
    }
    assert!(compared > 60, "only {compared} families");
    let memory = |families: &BTreeMap<String, (String, String, Vec<String>)>| -> Vec<String> {
        let names = families.keys().filter(|name| name.starts_with("node_memory_"));
        names.cloned().collect()
    };
    assert_eq!(memory(&own_families), memory(&real_families));
    for name in [
        "node_cpu_seconds_total",
        "node_memory_MemAvailable_bytes",
        "node_load1",
        "node_boot_time_seconds",
        "node_uname_info",
        "node_sockstat_TCP_alloc",
        "node_filefd_allocated",
        "node_vmstat_oom_kill",
    ] {
        assert_eq!(
            own_families.contains_key(name),
            real_families.contains_key(name),
            "{name}"
        );
    }
    // The values are those of the same machine.
    for line in [
        "node_boot_time_seconds ",
        "node_memory_MemTotal_bytes ",
        "node_uname_info",
    ] {
        let of = |page: &str| {
            page.lines()
                .find(|found| found.starts_with(line))
                .map(str::to_owned)
        };
        let (one, other) = (of(&ours), of(&real));
        let number = |line: &Option<String>| line.as_ref()?.rsplit_once(' ')?.1.parse::<f64>().ok();
        assert!(
            (number(&one).unwrap() - number(&other).unwrap()).abs() < 2.0,
            "{one:?} {other:?}"
        );
    }
    for family in [
        "loadgen_remote_up",
        "loadgen_remote_samples_total",
        "loadgen_target_memory_utilization_ratio",
    ] {
        assert!(own_families.contains_key(family), "{family}");
    }
    // Nothing that it would not say of the real one too.
    let known = promtool(&real);
    for said in promtool(&ours) {
        assert!(known.contains(&said), "{said}");
    }
}

#[test]
fn an_interval_that_makes_no_sense_is_said() {
    for (interval, said) in [("10ms", "at least 100 ms"), ("31s", "at most 30 s")] {
        let arguments = [
            "hit",
            "http://127.0.0.1:9/",
            "-n",
            "1",
            "--sample-interval",
            interval,
        ];
        let ended = run_support::run(&arguments).expect(104);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}
