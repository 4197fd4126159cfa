//! `loadgen run --tunnel`, with a real OpenSSH server between the test and the service: what the results say of the tunnel,
//! what happens when it is lost, and that nothing stays behind.
#![allow(clippy::unwrap_used)]

mod run_support;
mod schema_support;
mod ssh_support;

use std::process::{Command, Stdio};
use std::time::Duration;

use run_support::{Points, Running, Scripted, Server, eventually, free_port, sum};
use serde_json::Value;
use ssh_support::{Home, LIMIT, Setup, Sshd};

/// Virtual users that request again and again, for so long; each remembers where it was sent.
fn script(seconds: u32, thresholds: &str) -> Scripted {
    script_of("get", "", seconds, thresholds)
}

/// The same with a method and a path of the server.
fn script_of(method: &str, path: &str, seconds: u32, thresholds: &str) -> Scripted {
    Scripted::new(&format!(
        "import http from 'k6/http';\nimport {{ sleep }} from 'k6';\n\
         const request = {{ get: (url, options) => http.get(url, options), post: (url, options) => http.post(url, 'x', options) }};\n\
         export const options = {{ vus: 6, duration: '{seconds}s', thresholds: {{ {thresholds} }} }};\n\
         export default function () {{ request.{method}(`${{__ENV.BASE_URL}}/{path}`, {{ timeout: '10s' }}); sleep(0.01); }}\n"
    ))
}

struct Setting {
    sshd: Sshd,
    home: Home,
    server: Server,
}

impl Setting {
    fn new() -> Setting {
        let sshd = Sshd::start();
        Setting {
            home: Home::of(&sshd),
            sshd,
            server: Server::start(),
        }
    }

    fn arguments<'a>(&self, script: &'a str, more: &[&'a str]) -> Vec<String> {
        let forward = format!("auto:{}", self.server.address);
        let host = self.sshd.to("tester");
        let mut all: Vec<String> = ["run", "--tunnel", &host, "--forward", &forward]
            .map(str::to_owned)
            .to_vec();
        if !more.contains(&"--metrics-addr") {
            all.extend(["--metrics-addr", "off"].map(str::to_owned));
        }
        all.extend(more.iter().map(|text| (*text).to_owned()));
        all.push(script.to_owned());
        all
    }

    fn run(&self, script: &str, more: &[&str]) -> run_support::Ended {
        let all = self.arguments(script, more);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.home.run(&all)
    }

    fn start(&self, script: &str, more: &[&str]) -> Running {
        let all = self.arguments(script, more);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        Running(Some(self.home.command(&all).spawn().unwrap()))
    }
}

/// A saved run, which is as its schema says.
fn saved(path: &str) -> Value {
    let run = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../docs/saved-run.schema.json")).unwrap();
    let faults = schema_support::faults(&schema, &run);
    assert!(faults.is_empty(), "{faults:?}");
    run
}

fn promtool_accepts(page: &str) {
    let said = advice(page);
    assert!(said.is_empty(), "{said:?}");
}

/// What promtool says of a page that it can read.
fn advice(page: &str) -> Vec<String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("apt-get install prometheus");
    std::io::Write::write_all(&mut promtool.stdin.take().unwrap(), page.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    // 3: there is advice. 1: it cannot be read.
    assert!(matches!(checked.status.code(), Some(0 | 3)), "{said}");
    said.lines().map(str::to_owned).collect()
}

#[test]
fn a_result_measured_through_a_tunnel_says_so() {
    let setting = Setting::new();
    let script = script(3, "tunnel_round_trip: ['max<5000'], http_req_failed: ['rate==0']");
    let (file, port) = (script.file("run.json"), free_port());
    let address = format!("127.0.0.1:{port}");
    let running = setting.start(
        script.path(),
        &["--ssh-lanes", "4", "--save", &file, "--metrics-addr", &address],
    );
    let page = eventually(LIMIT, "a page with requests", || {
        run_support::get(&address, "/metrics")
            .ok()
            .filter(|page| sum(page, "loadgen_http_requests_total", &[]) > 50.0)
    });
    let host = format!("host=\"{}\"", setting.sshd.to("tester"));
    promtool_accepts(&page);
    assert!(sum(&page, "loadgen_tunnel_lanes_up", &[&host]) > 3.9, "{page}");
    assert!(
        sum(&page, "loadgen_tunnel_connections_opened_total", &[&host]) >= 6.0,
        "{page}"
    );
    assert!(sum(&page, "loadgen_tunnel_bytes_total", &["direction=\"down\""]) > 1000.0);
    let count = |page: &str| sum(page, "loadgen_tunnel_round_trip_seconds_count", &[]);
    eventually(LIMIT, "round trips", || {
        let page = run_support::get(&address, "/metrics").ok()?;
        (count(&page) >= 4.0).then_some(())
    });
    let ended = running.wait().expect(0);
    for part in [
        "tunnel_round_trip",
        "█ TUNNEL",
        "Measured through SSH to tester@127.0.0.1",
        "lanes.........: 4 of 4",
    ] {
        assert!(ended.stdout.contains(part), "{part} in\n{}", ended.stdout);
    }
    assert!(
        ended.stderr.contains("target: through tester@127.0.0.1"),
        "{}",
        ended.stderr
    );
    assert!(setting.server.count() > 100);
    let run = saved(&file);
    assert_eq!(run["target"]["tunnel"], setting.sshd.to("tester"));
    assert!(run["target"]["outages"].is_null());
    assert!(
        setting.sshd.sessions().is_empty(),
        "all sessions have ended with the run"
    );
}

#[test]
fn requests_are_sent_over_channels_that_were_opened_ahead() {
    let setting = Setting::new();
    let script = script(1, "");
    let ended = setting.run(script.path(), &["--verbose"]).expect(0);
    ended.says(&["channels were opened ahead within"]);
    assert!(setting.server.count() > 6);
}

#[test]
fn a_lost_lane_is_told_and_its_requests_can_be_left_out() {
    for ignore in [false, true] {
        let setting = Setting::new();
        // So slow that each lane has requests on the way at all times, and of a kind that is not sent twice.
        let script = script_of("post", "slow", 4, "http_req_failed: ['rate==0']");
        let (file, samples) = (script.file("run.json"), script.file("samples.json"));
        let out = format!("json={samples}");
        let mut more = vec!["--ssh-lanes", "2", "--save", &file, "--out", &out];
        more.extend(ignore.then_some("--ignore-outages"));
        let running = setting.start(script.path(), &more);
        eventually(LIMIT, "the load", || (setting.server.count() > 30).then_some(()));
        setting.sshd.cut(setting.sshd.sessions()[0]);
        let ended = running.wait().expect(if ignore { 0 } else { 99 });
        let verdict = if ignore {
            "thresholds leave them out"
        } else {
            "--ignore-outages leaves them out"
        };
        for part in [
            "outages.......: 1 ",
            "lost at ",
            "requests overlapped an outage",
            verdict,
            "lanes.........: 2 of 2",
        ] {
            assert!(ended.stdout.contains(part), "{part} in\n{}", ended.stdout);
        }
        // They are counted all the same, and marked.
        let points = Points::read(&samples);
        let (failed, marked) = (
            points.sum("http_req_failed"),
            points.tagged("http_req_failed", "outage", "true"),
        );
        assert!(
            failed >= 1.0 && (failed - marked).abs() < 0.1,
            "{failed} failed, {marked} of them marked"
        );
        let run = saved(&file);
        let outage = &run["target"]["outages"][0];
        let length = outage["until"].as_f64().unwrap() - outage["from"].as_f64().unwrap();
        assert!((0.0..5.0).contains(&length), "{outage}");
        let slices = run["timeline"]["outage"].as_array().unwrap();
        assert!(
            slices.iter().any(|share| share.as_f64().unwrap() > 0.0),
            "{slices:?}"
        );
    }
}

#[test]
fn a_server_that_is_gone_for_good_ends_the_run_with_its_results() {
    let mut setting = Setting::new();
    let script = script(60, "");
    let file = script.file("run.json");
    let running = setting.start(
        script.path(),
        &["--ssh-lanes", "4", "--ssh-patience", "1s", "--save", &file],
    );
    eventually(LIMIT, "the load", || (setting.server.count() > 100).then_some(()));
    setting.sshd.kill();
    let ended = running.wait().expect(114);
    assert!(ended.stdout.contains("never came back"), "{}", ended.stdout);
    ended.says(&["the test was stopped", "has not been reachable for"]);
    let run = saved(&file);
    assert_eq!(
        (
            run["ending"]["name"].as_str(),
            run["ending"]["exit_code"].as_i64()
        ),
        (Some("tunnel"), Some(114))
    );
    assert!(
        run["target"]["outages"].as_array().unwrap().len() == 4,
        "{}",
        run["target"]
    );
}

#[test]
fn without_a_tunnel_nothing_is_sent() {
    let setting = Setting::new();
    let script = script(1, "");
    let stranger = Home::without_key(&setting.sshd).set("LOADGEN_SSH_PASSWORD", "wr0ng-pony");
    let all = setting.arguments(script.path(), &[]);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let ended = stranger.run(&all).expect(104);
    assert!(
        !ended.stderr.contains("pony") && ended.stdout.is_empty(),
        "{}",
        ended.stderr
    );
    ended.says(&["does not let tester in"]);
    assert_eq!(setting.server.count(), 0);
    setting.run("no-such-script", &[]).expect(104);
}

#[test]
fn secrets_of_the_tunnel_are_none_of_the_scripts() {
    let sshd = Sshd::with(&Setup {
        config: "KbdInteractiveAuthentication no",
        ..Setup::default()
    });
    let home = Home::without_key(&sshd).set("LOADGEN_SSH_PASSWORD", ssh_support::PASSWORD);
    let script = Scripted::new(
        "export default function () { console.log(JSON.stringify(__ENV)); }\nexport const options = { iterations: 1 };",
    );
    let file = script.file("run.json");
    let ended = home
        .run(&[
            "run",
            "--tunnel",
            &sshd.to("tester"),
            "--forward",
            "auto:1",
            "--metrics-addr",
            "off",
            "--save",
            &file,
            script.path(),
        ])
        .expect(0);
    assert!(
        ended.stderr.contains("BASE_URL") && !ended.stderr.contains(ssh_support::PASSWORD),
        "{}",
        ended.stderr
    );
    assert!(
        !std::fs::read_to_string(&file)
            .unwrap()
            .contains(ssh_support::PASSWORD)
    );
}

#[test]
fn nothing_stays_behind_when_a_run_is_killed() {
    let setting = Setting::new();
    let script = script(60, "");
    let running = setting.start(script.path(), &[]);
    eventually(LIMIT, "the load", || (setting.server.count() > 20).then_some(()));
    let pid = running.pid();
    assert_eq!(ssh_support::children(pid).len(), 0);
    running.signal("KILL");
    eventually(LIMIT, "the sessions end", || {
        setting.sshd.sessions().is_empty().then_some(())
    });
    drop(running);
    std::thread::sleep(Duration::from_millis(50));
    assert!(!run_support::alive(pid));
}

/// What a run says whose login shell is this one, with the sampler's section of the summary if there is one.
#[test]
fn a_tunnel_alone_has_pages_of_itself_and_of_the_server() {
    let setting = Setting::new();
    let (host, address) = (setting.sshd.to("tester"), format!("127.0.0.1:{}", free_port()));
    let forward = format!("auto:{}", setting.server.address);
    // This test is a process of that server.
    let pid = std::process::id().to_string();
    let open = setting.home.tunnel(
        &host,
        &[
            "--forward",
            &forward,
            "--metrics-addr",
            &address,
            "--watch",
            &pid,
            "--sample-interval",
            "200ms",
        ],
    );
    for _ in 0..3 {
        ssh_support::fetch(&open.address(), "/").unwrap();
    }
    let label = format!("host=\"{host}\"");
    let page = eventually(LIMIT, "a page with all numbers", || {
        let page = run_support::get(&address, "/metrics").ok()?;
        let whole = sum(&page, "loadgen_tunnel_connections_opened_total", &[&label]) >= 3.0
            && sum(&page, "loadgen_tunnel_round_trip_seconds_count", &[]) >= 2.0
            && sum(&page, "loadgen_target_process_resident_memory_bytes", &[&label]) > 1e6;
        whole.then_some(page)
    });
    promtool_accepts(&page);
    assert!(sum(&page, "loadgen_tunnel_lanes_up", &[&label]) > 0.9, "{page}");
    assert!(page.contains("loadgen_target_cpu_utilization_ratio{"), "{page}");
    // There is no run.
    for absent in [
        "loadgen_run",
        "loadgen_http",
        "loadgen_scenario",
        "loadgen_validity",
    ] {
        assert!(!page.contains(absent), "{absent} in\n{page}");
    }
    let remote = eventually(LIMIT, "the server's page", || {
        let page = run_support::get(&address, "/metrics/remote").ok()?;
        (sum(&page, "loadgen_remote_samples_total", &[&label]) >= 3.0).then_some(page)
    });
    // Names that node_exporter has given are as they are.
    let own = advice(&remote);
    assert!(own.iter().all(|line| line.starts_with("node_")), "{own:?}");
    for part in [
        "node_memory_MemAvailable_bytes{",
        "node_cpu_seconds_total{",
        "loadgen_remote_cpu_seconds_total{",
        "loadgen_target_process_cpu_cores{",
    ] {
        assert!(remote.contains(part), "{part} in\n{remote}");
    }
    assert!((sum(&remote, "loadgen_remote_up", &[&label]) - 1.0).abs() < 0.1);
    // Every field, as node_exporter has it.
    for line in std::fs::read_to_string("/proc/meminfo").unwrap().lines() {
        let (name, value) = line.split_once(':').unwrap();
        let unit = if value.ends_with(" kB") { "_bytes" } else { "" };
        let family = format!(
            "\nnode_memory_{}{unit}{{",
            name.replace('(', "_").replace(')', "")
        );
        assert!(remote.contains(&family), "{family} in\n{remote}");
    }
    open.stop();
    eventually(LIMIT, "all sessions end", || {
        setting.sshd.sessions().is_empty().then_some(())
    });

    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for (address, said) in [(&*taken, "is in use"), ("nowhere", "ADDRESS:PORT")] {
        let ended = setting.home.refused(&host, &["--metrics-addr", address]);
        ended.says(&["--metrics-addr", said]);
    }
}

fn sampled(
    setup: &Setup,
    user: &str,
    thresholds: &str,
    more: &[&str],
    prepare: impl FnOnce(&Sshd),
) -> (run_support::Ended, Value) {
    let sshd = Sshd::with(setup);
    prepare(&sshd);
    let (home, server) = (Home::of(&sshd), Server::start());
    let script = script(3, thresholds);
    let file = script.file("run.json");
    let (host, forward) = (sshd.to(user), format!("auto:{}", server.address));
    let arguments = [
        "run",
        "--tunnel",
        &host,
        "--forward",
        &forward,
        "--metrics-addr",
        "off",
        "--save",
        &file,
        script.path(),
    ];
    let ended = home.run(&[&arguments, more].concat());
    assert!(server.count() > 20, "{}", ended.stderr);
    eventually(LIMIT, "all sessions end", || {
        sshd.sessions().is_empty().then_some(())
    });
    (ended.expect(0), saved(&file))
}

#[test]
fn the_server_is_sampled_and_who_listens_there() {
    // Only root, or the owner, can tell whose a socket is.
    let root = nix::unistd::geteuid().is_root();
    let (ended, run) = sampled(
        &Setup::default(),
        if root { "root" } else { "tester" },
        "target_cpu_utilization: ['max<=1']",
        &[],
        |_| {},
    );
    for part in ["TARGET", "TUNNEL", "target_cpu_utilization"] {
        assert!(ended.stdout.contains(part), "{part} in\n{}", ended.stdout);
    }
    let hosts = run["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), 1, "{hosts:?}");
    assert!(
        hosts[0]["host"].as_str().unwrap().contains("@127.0.0.1:"),
        "{}",
        hosts[0]["host"]
    );
    // The service is this test.
    let own = std::fs::read_to_string("/proc/self/comm").unwrap();
    let processes = hosts[0]["processes"].as_array().unwrap();
    assert!(
        processes[0]["name"].as_str().unwrap().starts_with(own.trim()),
        "{processes:?}"
    );
    assert!(run["target"]["machine"]["cores"].as_u64().unwrap() > 0);
}

#[test]
fn any_login_shell_will_do_that_can_start_another() {
    let noise = "echo '@noise from a start-up file'; echo more >&2";
    let users: &[(&str, &str)] = &[("fish", "/usr/bin/fish"), ("bash", "/bin/bash")];
    for (user, _) in users {
        let setup = Setup {
            config: "Banner FOLDER/banner",
            users,
            ..Setup::default()
        };
        let (ended, run) = sampled(&setup, user, "", &[], |sshd| {
            sshd.write("banner", "Authorised use only.\n\x1b[2J");
            std::fs::write(sshd.file("home/.bashrc"), noise).unwrap();
        });
        assert!(
            !ended.stderr.contains("not sampled") && !ended.stdout.contains("Authorised"),
            "{}",
            ended.stderr
        );
        assert_eq!(
            run["hosts"].as_array().unwrap().len(),
            1,
            "{user}: {}",
            ended.stderr
        );
    }
}

#[test]
fn a_server_with_busybox_alone_is_sampled() {
    let setup = Setup {
        config: "SetEnv PATH=FOLDER/bin",
        ..Setup::default()
    };
    let (ended, run) = sampled(&setup, "tester", "", &[], |sshd| {
        std::fs::create_dir(sshd.file("bin")).unwrap();
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(std::path::PathBuf::from);
        let busybox = busybox
            .iter()
            .find(|path| path.exists())
            .expect("apt-get install busybox");
        for applet in ["sh", "cat", "ls", "uname", "getconf"] {
            std::os::unix::fs::symlink(busybox, sshd.file("bin").join(applet)).unwrap();
        }
    });
    assert_eq!(run["hosts"].as_array().unwrap().len(), 1, "{}", ended.stderr);
}

#[test]
fn without_a_shell_the_run_goes_on_and_says_what_is_missing() {
    let setup = Setup {
        users: &[("closed", "/usr/sbin/nologin")],
        ..Setup::default()
    };
    let (ended, run) = sampled(&setup, "closed", "", &[], |_| {});
    assert!(run["hosts"].as_array().unwrap().is_empty());
    ended.says(&[
        "CPU and memory of closed@127.0.0.1",
        "are not sampled",
        "not available",
    ]);
    let (ended, run) = sampled(&setup, "closed", "", &["--no-sampling"], |_| {});
    assert!(
        run["hosts"].as_array().unwrap().is_empty() && !ended.stderr.contains("not sampled"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_host_without_ports_is_only_looked_at() {
    let (setting, other) = (Setting::new(), Sshd::start());
    setting
        .home
        .write("known_hosts", &(setting.sshd.known() + &other.known()));
    other.authorize(&setting.home.file("id_ed25519"));
    let script = script(2, "");
    let (file, host) = (script.file("run.json"), other.to("tester"));
    setting
        .run(script.path(), &["--tunnel", &host, "--save", &file])
        .expect(0);
    let run = saved(&file);
    let mut hosts: Vec<&str> = run["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| host["host"].as_str().unwrap())
        .collect();
    let mut both = [setting.sshd.to("tester"), host.clone()];
    hosts.sort_unstable();
    both.sort_unstable();
    assert_eq!(hosts, both);
    assert_eq!(run["target"]["tunnel"], setting.sshd.to("tester"));
    // The look whether it lets us in, and the sampler's session.
    assert_eq!(other.log().matches("Accepted").count(), 2, "{}", other.log());
}

/// Each run of a suite has a tunnel of its own, and leads where the one before it led.
#[test]
fn a_suite_goes_through_a_tunnel_too() {
    let setting = Setting::new();
    let folder = tempfile::tempdir().unwrap();
    let scenarios = folder.path().join("scenarios/shop");
    std::fs::create_dir_all(&scenarios).unwrap();
    let script = "import http from 'k6/http';
        export const options = { iterations: 3, thresholds: { http_reqs: ['count==3'], http_req_failed: ['rate==0'] } };
        export default function () { http.get(__ENV.BASE_URL); }";
    for name in ["one.js", "two.js"] {
        std::fs::write(scenarios.join(name), script).unwrap();
    }
    let forward = format!("auto:{}", setting.server.address);
    let host = setting.sshd.to("tester");
    let arguments = [
        "suite",
        "shop",
        "--save-dir",
        "saved",
        "--",
        "--metrics-addr",
        "off",
    ];
    let tunnel = ["--tunnel", &host, "--forward", &forward];
    let mut command = setting.home.command(&[&arguments[..], &tunnel].concat());
    let ended = run_support::Ended::from(command.current_dir(folder.path()).output().unwrap()).expect(0);
    assert!(
        ended.stderr.contains(&format!("target: through {host}")),
        "{}",
        ended.stderr
    );
    assert_eq!(setting.server.count(), 6);
    for name in ["shop-one.json", "shop-two.json"] {
        let run = saved(folder.path().join("saved").join(name).to_str().unwrap());
        assert_eq!(run["target"]["tunnel"], *host, "{name}");
    }
}
