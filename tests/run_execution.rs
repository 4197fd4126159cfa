//! `k6/execution` end to end: numbers over workers, tags, aborting and failing; and arrays that virtual users share.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use run_support::{Ended, Scripted, run};

fn ended(text: &str, arguments: &[&str]) -> (Scripted, Ended) {
    let script = Scripted::new(text);
    let mut all = vec!["run", script.path(), "--metrics-addr", "off", "-q"];
    all.extend(arguments);
    let ended = run(&all);
    (script, ended)
}

/// The samples of a metric in a file of `--out json`: value and tags.
fn samples(script: &Scripted, metric: &str) -> Vec<(f64, serde_json::Value)> {
    let lines = script.read("out.json");
    let points = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    points
        .filter(|point| point["type"] == "Point" && point["metric"] == metric)
        .map(|point| {
            (
                point["data"]["value"].as_f64().unwrap(),
                point["data"]["tags"].clone(),
            )
        })
        .collect()
}

/// Runs with the samples as JSON.
fn sampled(text: &str, arguments: &[&str]) -> Scripted {
    let script = Scripted::new(text);
    let out = format!("json={}", script.file("out.json"));
    let mut all = vec!["run", script.path(), "--metrics-addr", "off", "-q", "--out", &out];
    all.extend(arguments);
    run(&all).expect(0);
    script
}

#[test]
fn iterations_are_numbered_without_gaps_over_all_workers() {
    let script = sampled(
        "import exec from 'k6/execution';
        import { Trend } from 'k6/metrics';
        import { sleep } from 'k6';
        const shared = new Trend('n_shared'), arriving = new Trend('n_arriving'), ids = new Trend('ids');
        const looping = new Trend('n_looping'), late = new Trend('n_late');
        export const options = { scenarios: {
            shared: { executor: 'shared-iterations', vus: 6, iterations: 200, exec: 'a' },
            arriving: { executor: 'constant-arrival-rate', rate: 100, duration: '1s', preAllocatedVUs: 20, exec: 'b' },
            looping: { executor: 'constant-vus', vus: 5, duration: '1s', exec: 'c' },
            late: { executor: 'constant-arrival-rate', rate: 100, duration: '1s', preAllocatedVUs: 3, maxVUs: 3, exec: 'd' },
        } };
        export function a() {
            shared.add(exec.scenario.iterationInTest);
            if (exec.scenario.iterationInInstance !== exec.scenario.iterationInTest) throw new Error('instance');
            if (exec.vu.iterationInScenario !== __ITER || exec.vu.iterationInInstance !== __ITER) throw new Error('iter');
            if (exec.vu.idInInstance !== __VU || exec.vu.idInTest !== __VU) throw new Error('id');
            ids.add(__VU);
            sleep(0.001);
        }
        export function b() { arriving.add(exec.scenario.iterationInTest); }
        // Each user at a speed of its own, on workers that have more or fewer of them.
        export function c() { looping.add(exec.scenario.iterationInTest); sleep(0.002 + 0.004 * (exec.vu.idInTest % 5)); }
        // Most have nobody to run them.
        export function d() { late.add(exec.scenario.iterationInInstance); sleep(0.2); }",
        &["--workers", "3"],
    );
    for metric in ["n_looping", "n_late"] {
        let seen = samples(&script, metric);
        let numbers: BTreeSet<u64> = seen.iter().map(|(value, _)| *value as u64).collect();
        assert!(seen.len() > 3, "{metric}: {}", seen.len());
        assert_eq!(numbers, (0..seen.len() as u64).collect(), "{metric}");
    }
    for (metric, count) in [("n_shared", 200), ("n_arriving", 100)] {
        let seen: Vec<u64> = samples(&script, metric)
            .iter()
            .map(|(value, _)| *value as u64)
            .collect();
        let different: BTreeSet<u64> = seen.iter().copied().collect();
        assert_eq!(seen.len(), count, "{metric}");
        assert_eq!(different, (0..count as u64).collect(), "{metric}");
    }
    assert!(samples(&script, "ids").len() == 200);
}

#[test]
fn a_script_learns_of_its_scenario_its_instance_and_its_options() {
    let text = "import exec, { scenario, instance, vu, test } from 'k6/execution';
        import { sleep } from 'k6';
        function must(what, held) { if (!held) throw new Error(what); }
        function refused(what, f, part) {
            let message = '';
            try { f(); } catch (e) { message = e.message; }
            must(`${what}: ${message}`, message.includes(part));
        }
        refused('vu', () => vu.idInTest, 'init context');
        refused('scenario', () => scenario.name, 'init context');
        refused('instance', () => instance.vusActive, 'init context');
        refused('options', () => test.options, 'init context');
        export const options = { scenarios: {
            first: { executor: 'per-vu-iterations', vus: 2, iterations: 2, maxDuration: '30s' },
            later: { executor: 'constant-vus', vus: 1, duration: '2s', startTime: '500ms', exec: 'later' },
        }, tags: { run: 'r' }, thresholds: { iterations: ['count>0'] } };
        let begun;
        export function setup() {
            refused('scenario', () => scenario.name, 'in the function of a scenario');
            must('initialised', instance.vusInitialized === 3 && instance.iterationsCompleted === 0);
            return Date.now();
        }
        export default function (begun) {
            must('name', scenario.name === 'first' && scenario.executor === 'per-vu-iterations');
            must(`start ${scenario.startTime - begun}`, Math.abs(scenario.startTime - begun) < 5000);
            must('active', instance.vusActive >= 1 && instance.vusInitialized === 3);
            must('duration', instance.currentTestRunDuration > 0);
            if (__ITER === 1) must(`progress ${scenario.progress}`, scenario.progress >= 0.25 && scenario.progress < 1);
            must('options', test.options.scenarios.first.iterations === 2 && test.options.tags.run === 'r');
            must('options', exec.test.options === test.options && Object.isFrozen(test.options.scenarios.first));
        }
        export function later(begun) {
            if (__ITER > 0) return sleep(0.1);
            must('completed', instance.iterationsCompleted >= 4 && instance.iterationsInterrupted === 0);
            const late = scenario.startTime - begun;
            must(`late ${late}`, late >= 500 && late < 5500 && scenario.progress < 0.9);
            must('keys', Object.keys(scenario).includes('iterationInTest'));
        }
        export function teardown() { must('completed', instance.iterationsCompleted >= 5); }";
    let (_, ended) = ended(text, &[]);
    let ended = ended.expect(0);
    assert!(!ended.stderr.contains("Error"), "{}", ended.stderr);
}

#[test]
fn tags_of_a_user_are_on_its_later_samples() {
    let script = sampled(
        "import exec from 'k6/execution';
        import { group } from 'k6';
        import { Counter } from 'k6/metrics';
        const c = new Counter('cc');
        function must(what, held) { if (!held) throw new Error(what); }
        export const options = { iterations: 2, tags: { run: 'r' } };
        export default function () {
            const tags = exec.vu.metrics.tags;
            must('begin', tags.scenario === 'default' && tags.run === 'r' && (__ITER === 1) === ('stage' in tags));
            c.add(1);
            group('g', () => {
                exec.vu.tags.stage = __ITER;
                c.add(2);
                must('inside', tags.group === '::g' && tags.stage === String(__ITER));
            });
            c.add(3, { own: 'x' });
            must('keys', JSON.stringify(Object.keys(tags).sort()) === '[\"group\",\"run\",\"scenario\",\"stage\"]');
            if (__ITER === 1) { delete tags.stage; c.add(4); }
            let refused = 0;
            try { tags.bad = {}; } catch (e) { refused = e instanceof TypeError; }
            must('refused', refused);
            exec.vu.metrics.metadata.trace = 7;
            must('metadata', exec.vu.metrics.metadata.trace === '7' && !('trace' in tags));
        }",
        &[],
    );
    let tag = |tags: &serde_json::Value, name: &str| tags[name].as_str().map(str::to_owned);
    let seen: Vec<_> = samples(&script, "cc")
        .into_iter()
        .map(|(value, tags)| {
            (
                value as u32,
                tag(&tags, "stage"),
                tag(&tags, "group"),
                tag(&tags, "own"),
            )
        })
        .collect();
    let (g, own) = (Some("::g".to_owned()), Some("x".to_owned()));
    let (root, none) = (Some(String::new()), None);
    let stage = |n: u32| Some(n.to_string());
    assert_eq!(
        seen,
        [
            (1, None, root.clone(), none.clone()),
            (2, stage(0), g.clone(), none.clone()),
            (3, stage(0), root.clone(), own.clone()),
            (1, stage(0), root.clone(), none.clone()),
            (2, stage(1), g, none.clone()),
            (3, stage(1), root.clone(), own),
            (4, None, root, none),
        ]
    );
    // The tag that was there when the iteration ended is on the samples of the whole iteration.
    for metric in ["iterations", "iteration_duration"] {
        let stages: Vec<_> = samples(&script, metric)
            .iter()
            .map(|(_, tags)| tag(tags, "stage"))
            .collect();
        assert_eq!(stages, [stage(0), None], "{metric}");
    }
}

#[test]
fn metadata_go_with_single_samples_and_make_no_series() {
    let script = Scripted::new(
        "import exec from 'k6/execution';
        import { sleep } from 'k6';
        import { Counter } from 'k6/metrics';
        const c = new Counter('cc');
        export const options = { vus: 3, iterations: 12, thresholds: { cc: ['count==120'] } };
        export function setup() { exec.vu.metrics.metadata.part = 'setup'; c.add(0); }
        export default function () {
            const n = String(exec.scenario.iterationInTest), metadata = exec.vu.metrics.metadata;
            delete metadata.end;
            c.add(1, { n });
            metadata.trace = `t${n}`;
            c.add(2, { n });
            // Others record what is theirs meanwhile.
            sleep(0.01);
            c.add(3, { n });
            delete metadata.trace;
            if (Object.keys(metadata).length > 0) throw new Error('keys');
            sleep(0.01);
            c.add(4, { n });
            metadata.end = `e${n}`;
        }",
    );
    let (json, csv) = (script.file("out.json"), script.file("out.csv"));
    let (json, csv) = (format!("json={json}"), format!("csv={csv}"));
    let ended = run(&[
        "run",
        script.path(),
        "--metrics-addr",
        "off",
        "-q",
        "--out",
        &json,
        "--out",
        &csv,
    ]);
    ended.expect(0);
    let lines = script.read("out.json");
    let points = |metric: &'static str| {
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(move |point| point["type"] == "Point" && point["metric"] == metric)
    };
    let mut seen = 0;
    for point in points("cc") {
        let data = &point["data"];
        let n = data["tags"]["n"].as_str().unwrap_or_default();
        let expected = match data["value"].as_f64().unwrap() as u32 {
            0 => serde_json::json!({ "part": "setup" }),
            2 | 3 => serde_json::json!({ "trace": format!("t{n}") }),
            _ => serde_json::Value::Null,
        };
        assert_eq!(data["metadata"], expected, "{point}");
        assert!(data["tags"].get("trace").is_none(), "{point}");
        seen += 1;
    }
    assert_eq!(seen, 1 + 4 * 12);
    // What is there when the iteration ends is on the samples of the whole iteration.
    for metric in ["iterations", "iteration_duration"] {
        let ends: BTreeSet<String> = points(metric)
            .map(|point| point["data"]["metadata"]["end"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ends, (0..12).map(|n| format!("e{n}")).collect(), "{metric}");
    }
    let rows = script.read("out.csv");
    assert!(
        rows.lines().next().unwrap().ends_with(",extra_tags,metadata"),
        "{rows}"
    );
    for n in 0..12 {
        let ends = format!(",n={n},trace=t{n}");
        assert_eq!(
            rows.lines().filter(|row| row.ends_with(&ends)).count(),
            2,
            "{n}: {rows}"
        );
    }
}

#[test]
fn the_stage_of_a_ramp_is_known_and_tagged() {
    let script = sampled(
        "import { getCurrentStageIndex, tagWithCurrentStageIndex, tagWithCurrentStageProfile }
            from 'https://jslib.k6.io/k6-utils/1.4.0/index.js';
        import { Counter } from 'k6/metrics';
        import { sleep } from 'k6';
        const c = new Counter('cc');
        export const options = { stages: [
            { duration: '400ms', target: 2 }, { duration: '400ms', target: 2 }, { duration: '400ms', target: 1 }] };
        export default function () {
            tagWithCurrentStageIndex();
            tagWithCurrentStageProfile();
            c.add(getCurrentStageIndex());
            sleep(0.05);
        }",
        &[],
    );
    let seen: BTreeSet<(String, String)> = samples(&script, "cc")
        .iter()
        .map(|(_, tags)| (tags["stage"].to_string(), tags["stage_profile"].to_string()))
        .collect();
    let all = [(0, "ramp-up"), (1, "steady"), (2, "ramp-down")];
    let all = all.map(|(index, profile)| (format!("\"{index}\""), format!("\"{profile}\"")));
    assert_eq!(seen, all.into());
}

#[test]
fn abort_ends_the_test_with_108_and_teardown_still_runs() {
    let text = "import exec from 'k6/execution';
        import { sleep } from 'k6';
        export const options = { vus: 4, duration: '60s' };
        export default function () {
            try {
                if (__VU === 3 && __ITER === 2) exec.test.abort('no stock left');
                sleep(0.05);
            } catch (e) { console.log('caught'); } finally { if (__VU === 3 && __ITER === 2) console.log('finally'); }
        }
        export function teardown() { sleep(0.3); console.log('tearing down'); }
        export function handleSummary(data) { return { stdout: 'interrupted=' + exec.instance.iterationsInterrupted +
            ' n=' + data.metrics.iterations.values.count }; }";
    let begin = Instant::now();
    let (_, ended) = ended(text, &["--workers", "2"]);
    let ended = ended.expect(108).says(&["no stock left", "tearing down"]);
    assert!(begin.elapsed() < Duration::from_secs(30));
    assert!(
        !ended.stderr.contains("caught") && !ended.stderr.contains("finally"),
        "{}",
        ended.stderr
    );
    let count: u32 = ended.stdout.rsplit("n=").next().unwrap().trim().parse().unwrap();
    assert!(count >= 2, "{}", ended.stdout);
}

#[test]
fn abort_works_in_async_code_and_in_every_part_of_a_script() {
    let import = "import exec from 'k6/execution'; import { sleep } from 'k6';";
    let stay = "export default function () { sleep(0.01); }
        export function teardown() { console.log('tearing down'); }";
    for (what, text, torn_down) in [
        (
            "async",
            "export default async function () { await null; exec.test.abort('reason: async'); }
            export function teardown() { console.log('tearing down'); }"
                .to_owned(),
            true,
        ),
        (
            "timer",
            "export default function () { setTimeout(() => exec.test.abort('reason: timer'), 1); }
            export function teardown() { console.log('tearing down'); }"
                .to_owned(),
            true,
        ),
        ("init", format!("exec.test.abort('reason: init'); {stay}"), false),
        (
            "init of a user",
            format!("if (__VU === 2) exec.test.abort('reason: init of a user'); {stay}"),
            false,
        ),
        (
            "setup",
            format!("export function setup() {{ exec.test.abort('reason: setup'); }} {stay}"),
            false,
        ),
        (
            "teardown",
            "export default function () {} export function teardown() { console.log('tearing down'); exec.test.abort('reason: teardown'); }"
                .to_owned(),
            true,
        ),
    ] {
        let (_, ended) = ended(&format!("{import}\n{text}"), &["-u", "2", "-d", "1s"]);
        let ended = ended.expect(108).says(&[&format!("reason: {what}")]);
        assert_eq!(
            ended.stderr.contains("tearing down"),
            torn_down,
            "{what}: {}",
            ended.stderr
        );
    }
}

#[test]
fn a_threshold_that_stops_the_test_lets_teardown_run() {
    let text = "import { sleep } from 'k6';
        import { Rate } from 'k6/metrics';
        const good = new Rate('good');
        export const options = { vus: 1, duration: '50s',
            thresholds: { good: [{ threshold: 'rate>0.9', abortOnFail: true }] } };
        export default function () { good.add(false); sleep(0.1); }
        export function teardown() { sleep(0.3); console.log('torn down'); }";
    ended(text, &[]).1.expect(99).says(&["torn down"]);
}

#[test]
fn fail_lets_the_run_go_on_and_ends_with_110() {
    let text = "import exec from 'k6/execution';
        export const options = { iterations: 5 };
        export default function () { if (__ITER === 1) exec.test.fail('the stock is wrong'); }";
    let (_, failed) = ended(text, &[]);
    let failed = failed.expect(110).says(&["the stock is wrong"]);
    assert_eq!(failed.shown("iterations"), "5");
}

#[cfg(target_os = "linux")]
#[test]
fn an_array_that_users_share_is_in_memory_once() {
    let script = Scripted::new(
        "import { SharedArray } from 'k6/data';
        import { sleep } from 'k6';
        const data = new SharedArray('big', () => JSON.parse(open('./data.json')));
        export const options = { vus: 200, duration: '2s' };
        export default function () {
            const one = data[(__VU * 97 + __ITER) % data.length];
            if (one.text.length !== 85) throw new Error('element');
            sleep(0.5);
        }",
    );
    let element = format!("{{\"text\":\"{}\"}}", "x".repeat(85));
    let data = format!("[{}]", vec![element; 50_000].join(","));
    assert!(data.len() > 4_500_000);
    std::fs::write(script.file("data.json"), data).unwrap();
    let running = run_support::Running::start(&["run", script.path(), "--metrics-addr", "off", "-q"]);
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    while let Ok(text) = std::fs::read_to_string(&status) {
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(line) = line else { break };
        peak = line.split_whitespace().next().unwrap().parse::<u64>().unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended = running.wait().expect(0);
    assert!(!ended.stderr.contains("Error"), "{}", ended.stderr);
    // A copy for each user would be a gigabyte, the users themselves are some fifty megabytes.
    assert!((20_000..400_000).contains(&peak), "{peak} kB");
}
