//! Runs of hours: what is left of one that is killed, a disk that is full, and memory that does not grow.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use loadgen::report::saved::SavedRun;
use run_support::{Running, Scripted, Server, eventually, free_port, get, run, sum};

const LIMIT: Duration = Duration::from_mins(1);

/// 50 iterations a second, with a virtual user for each of six seconds: none is dropped, however busy the machine is.
fn steady(server: &Server, duration: &str) -> Scripted {
    Scripted::new(&format!(
        "import http from 'k6/http';
        export const options = {{
          scenarios: {{ s: {{ executor: 'constant-arrival-rate', rate: 50, duration: '{duration}', preAllocatedVUs: 300 }} }},
          thresholds: {{ http_req_failed: ['rate<0.01'] }},
        }};
        export default function () {{ http.get('{}'); }}",
        server.url("/")
    ))
}

#[test]
fn a_run_that_is_killed_leaves_what_there_was() {
    let server = Server::start();
    let script = steady(&server, "5m");
    let file = script.file("run.json");
    fs::write(&file, "an earlier result").unwrap();
    let arguments = [
        "run",
        script.path(),
        "-q",
        "--metrics-addr",
        "off",
        "--save",
        &file,
    ];
    let killed = Running::start(&[&arguments[..], &["--save-every", "1s"]].concat());
    let checkpoint = format!("{file}.checkpoint");
    // Whole at any moment that it is looked at, and newer each time.
    let requests = |run: &SavedRun| run.timeline.requests.iter().sum::<u64>();
    let mut last = 0;
    for _ in 0..3 {
        last = eventually(LIMIT, "a newer checkpoint", || {
            if !Path::new(&checkpoint).exists() {
                return None;
            }
            let run = SavedRun::read(Path::new(&checkpoint)).unwrap();
            assert!(run.is_checkpoint() && run.ending.exit_code == -1);
            Some(requests(&run)).filter(|count| *count > last)
        });
    }
    let sent = server.count();
    killed.signal("KILL");
    killed.wait();
    let left = SavedRun::read(Path::new(&checkpoint)).unwrap();
    assert!(
        requests(&left) >= last && left.thresholds[0].ok,
        "{sent} were sent"
    );
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "an earlier result",
        "what is whole is not replaced by a piece"
    );

    // Whoever compares or reports it says what it is.
    let compared = run(&["compare", &checkpoint, &checkpoint]);
    let said = compared.stdout.clone() + &compared.stderr;
    assert!(
        said.contains("the base is a checkpoint: the first ")
            && said.contains("the new is a checkpoint: the first "),
        "{said}"
    );
    let reported = run(&["baseline", &checkpoint]).expect(0).stdout;
    assert!(
        reported.contains("a checkpoint of a run that was cut off"),
        "{reported}"
    );

    // The next run resumes nothing, and does not lose it either.
    let short = steady(&server, "2s");
    let arguments = [
        "run",
        short.path(),
        "-q",
        "--metrics-addr",
        "off",
        "--save",
        &file,
    ];
    let ended = run(&arguments).expect(0);
    assert!(
        ended
            .stderr
            .contains("an earlier run was killed before it was saved")
            && ended.stderr.contains("begins anew"),
        "{}",
        ended.stderr
    );
    let old = SavedRun::read(Path::new(&format!("{checkpoint}.old"))).unwrap();
    assert_eq!(old.run.id, left.run.id);
    let whole = SavedRun::read(Path::new(&file)).unwrap();
    assert!(!whole.is_checkpoint() && whole.run.id != left.run.id);
    assert!(requests(&whole) < 150, "none of the old run's");
    assert!(!Path::new(&checkpoint).exists(), "the whole run is there");
}

#[test]
fn checkpoints_that_cannot_be_written_are_said_once_and_counted() {
    let server = Server::start();
    let script = steady(&server, "6s");
    let (file, address) = (script.file("run.json.gz"), format!("127.0.0.1:{}", free_port()));
    // As a disk that is full: what is there takes nothing.
    fs::create_dir(format!("{file}.checkpoint.partial")).unwrap();
    let arguments = [
        "run",
        script.path(),
        "-q",
        "--metrics-addr",
        &address,
        "--save",
        &file,
    ];
    let running = Running::start(&[&arguments[..], &["--save-every", "1s"]].concat());
    eventually(LIMIT, "that it is counted", || {
        let page = get(&address, "/metrics").ok()?;
        (sum(&page, "loadgen_checkpoints_total", &["result=\"failed\""]) >= 2.0).then_some(())
    });
    let ended = running.wait().expect(0);
    assert_eq!(
        ended.stderr.matches("no checkpoint: ").count(),
        1,
        "{}",
        ended.stderr
    );
    assert_eq!(server.count(), 300, "the load is what it would be without");
    let whole = SavedRun::read(Path::new(&file)).unwrap();
    assert_eq!(whole.ending.name, "passed");
}

#[test]
fn what_makes_no_sense_is_said() {
    for (arguments, said) in [
        (&["--save-every", "1m"][..], "--save <FILE>"),
        (&["--save", "x.json", "--save-every", "10ms"], "at least 1 s"),
        (&["--out-rotate", "big"], "is no size"),
    ] {
        let ended = run(&[&["hit", "http://127.0.0.1:9/", "-n", "1"], arguments].concat()).expect(104);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

/// Everything that a script can make more of without end: names, tags, checks. Past the limits of each they
/// share series, and memory stays what it is.
#[test]
fn memory_does_not_grow_with_what_a_script_makes_up() {
    let server = Server::start();
    let script = Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ check, sleep }} from 'k6';
        import {{ Counter }} from 'k6/metrics';
        const own = new Counter('own_things');
        export const options = {{
          scenarios: {{ s: {{ executor: 'constant-vus', vus: 2, duration: '10m', gracefulStop: '1s' }} }},
        }};
        export default function () {{
          for (let i = 0; i < 100; i++) {{
            const id = `${{__VU}}-${{__ITER}}-${{i}}`;
            own.add(1, {{ id }});
            check(i, {{ [`c ${{id}}`]: () => true }});
          }}
          http.get(`{}?q=${{__ITER}}`, {{ tags: {{ name: `n ${{__VU}} ${{__ITER}}`, id: `${{__ITER}}` }} }});
          sleep(0.2);
        }}",
        server.url("/")
    ));
    let address = format!("127.0.0.1:{}", free_port());
    let samples = format!("json={}", script.file("samples.json.gz"));
    let running = Running::start(&[
        "run",
        script.path(),
        "-q",
        "--metrics-addr",
        &address,
        "--save",
        &script.file("run.json"),
        "--save-every",
        "5s",
        "--out",
        &samples,
        "--out-rotate",
        "1MB:2",
    ]);
    let resident = |collapsed: f64| {
        eventually(Duration::from_mins(4), "series past the limits", || {
            let page = get(&address, "/metrics").ok()?;
            let reached = sum(&page, "loadgen_collapsed_series_total", &[]);
            (reached >= collapsed).then(|| sum(&page, "loadgen_process_resident_memory_bytes", &[]))
        })
    };
    // All limits are reached, and what comes with that has been allocated, with the checkpoints and scrapes of it.
    let first = resident(15_000.0);
    let second = resident(60_000.0);
    running.signal("INT");
    running.wait().expect(105);
    assert!(first > 1e6, "{first}");
    assert!(
        second < first * 1.15 + 16e6,
        "{first} bytes grew to {second} with four times as many tag sets"
    );
}
