//! Several generators and one test: their segments add up to the whole, they begin at one instant, and `loadgen merge` makes one
//! run of theirs.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]
#![allow(clippy::float_cmp, reason = "what is exact is compared exactly")]

mod run_support;
mod schema_support;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loadgen::metrics::utc::parse_rfc3339;
use loadgen::report::saved::{SavedBuckets, SavedRun, SavedTrend, count, trend};
use run_support::{Ended, Running, Scripted, Server, run};

/// Each iteration tells its number in the whole test, so that a sum of runs shows which there were.
const SCRIPT: &str = "
    import http from 'k6/http';
    import exec from 'k6/execution';
    import { check, group } from 'k6';
    import { Counter, Rate, Trend } from 'k6/metrics';
    const item = new Trend('item'), odd = new Rate('odd'), sum = new Counter('sum');
    export const options = {
      scenarios: {
        shared: { executor: 'shared-iterations', vus: 8, iterations: 600, maxDuration: '60s' },
        rate: { executor: 'constant-arrival-rate', rate: 80, duration: '3s', preAllocatedVUs: 40, exec: 'due' },
      },
      thresholds: {
        sum: ['count==179700'], odd: ['rate==0.5'], item: ['max==599', 'p(50)>200'],
        'http_reqs{scenario:shared}': ['count==600'], 'iterations{scenario:rate}': ['count>=239'],
      },
    };
    export default function () {
      const number = exec.scenario.iterationInTest;
      item.add(number); odd.add(number % 2); sum.add(number);
      group('get', () => check(http.get(__ENV.BASE_URL), { answered: (r) => r.status === 200 }));
    }
    export function due() { http.get(__ENV.BASE_URL, { tags: { name: 'due' } }); }";

/// Ranges of a histogram by where they begin, as the file's description says it.
fn buckets(list: &[&SavedTrend]) -> BTreeMap<u64, u64> {
    let mut sum = BTreeMap::new();
    for SavedBuckets { positive, .. } in list.iter().filter_map(|series| series.buckets.as_ref()) {
        let mut at = 0;
        for pair in positive.chunks(2) {
            at += pair[0];
            *sum.entry(at).or_insert(0) += pair[1];
        }
    }
    sum
}

fn series<'r>(run: &'r SavedRun, metric: &str, scenario: &str) -> Vec<&'r SavedTrend> {
    let found = run.metrics.trends.iter().filter(|found| found.name == metric);
    let of = |series: &&SavedTrend| {
        run.tags[series.tags]
            .get("scenario")
            .is_some_and(|name| name == scenario)
    };
    found.flat_map(|found| &found.series).filter(of).collect()
}

struct Test {
    server: Server,
    scripted: Scripted,
}

impl Test {
    fn new() -> Test {
        Test {
            server: Server::start(),
            scripted: Scripted::new(SCRIPT),
        }
    }

    fn file(&self, name: &str) -> String {
        self.scripted.file(name)
    }

    fn start(&self, file: &str, more: &[&str]) -> Running {
        let url = format!("BASE_URL={}", self.server.url("/"));
        let file = self.file(file);
        let fixed = [
            "run",
            "--metrics-addr",
            "off",
            "--workers",
            "1",
            "-e",
            &url,
            "--save",
            &file,
        ];
        Running::start(&[&fixed[..], more, &[self.scripted.path()]].concat())
    }

    /// Runs these segments at one instant, and says which that was.
    fn segments(&self, segments: &[&str]) -> SystemTime {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let moment = now.as_secs() + 5;
        let running: Vec<Running> = segments
            .iter()
            .enumerate()
            .map(|(at, segment)| {
                let more = ["--execution-segment", segment, "--start-at", &moment.to_string()];
                self.start(&format!("part{at}.json"), &more)
            })
            .collect();
        for ended in running.into_iter().map(Running::wait) {
            // Only the sum meets the thresholds.
            assert!([0, 99].contains(&ended.code), "{}", ended.stderr);
        }
        UNIX_EPOCH + Duration::from_secs(moment)
    }

    fn parts(&self, count: usize) -> Vec<String> {
        (0..count)
            .map(|at| self.file(&format!("part{at}.json")))
            .collect()
    }

    fn read(&self, name: &str) -> SavedRun {
        SavedRun::read(self.file(name).as_ref()).unwrap()
    }
}

fn merge(files: &[String], more: &[&str]) -> Ended {
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    run(&[&["merge"][..], &files, more].concat())
}

#[test]
fn four_segments_are_the_whole() {
    let test = Test::new();
    let whole = test.start("whole.json", &[]).wait().expect(0);
    let moment = test.segments(&["0:1/4", "1/4:1/2", "1/2:3/4", "3/4:1"]);
    let merged = test.file("merged.json");
    let parts = test.parts(4);
    let ended = merge(&parts, &["-o", &merged]).expect(0);

    let (one, sum) = (test.read("whole.json"), test.read("merged.json"));
    let parts: Vec<SavedRun> = (0..4).map(|at| test.read(&format!("part{at}.json"))).collect();
    // Nobody began before the instant.
    for part in &parts {
        let zero = parse_rfc3339(&part.timeline.zero).unwrap();
        let begun = zero + Duration::from_secs_f64(part.timeline.load_start.unwrap());
        assert!(
            begun + Duration::from_millis(2) >= moment,
            "{begun:?} is before {moment:?}"
        );
        assert!(
            part.run.duration < 60.0,
            "waiting is no part of the test: {}",
            part.run.duration
        );
    }
    // Exactly the iterations of the whole, each once.
    let total = |run: &SavedRun, metric: &str| count(run.series(metric).total().as_ref());
    for metric in ["iterations", "http_reqs", "sum"] {
        let of = |run: &SavedRun| count(run.series(metric).of("scenario", "shared").as_ref());
        assert_eq!(of(&one), of(&sum), "{metric}");
        let due = |run: &SavedRun| count(run.series(metric).of("scenario", "rate").as_ref());
        assert_eq!(due(&one), due(&sum), "{metric}");
        let separate: f64 = parts.iter().map(|part| total(part, metric)).sum();
        assert_eq!(total(&sum, metric), separate, "{metric}");
    }
    let items = |run: &SavedRun| trend(run.series("item").total()).unwrap();
    assert_eq!(items(&one).parts(), items(&sum).parts());
    assert!(
        parts.iter().all(|part| items(part).count() > 100),
        "each had its share"
    );
    // Distributions of times differ from run to run; the sum is exactly that of its parts.
    let list: Vec<&SavedTrend> = parts
        .iter()
        .flat_map(|part| series(part, "http_req_duration", "shared"))
        .collect();
    let sums = series(&sum, "http_req_duration", "shared");
    assert_eq!(sums.iter().map(|series| series.count).sum::<u64>(), 600);
    assert_eq!(buckets(&sums), buckets(&list));
    assert_eq!(buckets(&sums).values().sum::<u64>(), 600);
    let least = list.iter().map(|series| series.min).fold(f64::INFINITY, f64::min);
    assert_eq!(
        sums.iter().map(|series| series.min).fold(f64::INFINITY, f64::min),
        least
    );
    // And the summary is that of one generator.
    for metric in ["item", "odd", "sum", "checks_total", "checks_succeeded"] {
        assert_eq!(whole.shown(metric), ended.shown(metric), "{metric}");
    }
    assert!(ended.stdout.contains("✓ 'count==179700'"), "{}", ended.stdout);
    let verdicts = |run: &SavedRun| -> Vec<_> {
        let list = run.thresholds.iter();
        list.map(|judged| (judged.metric.clone(), judged.threshold.clone(), judged.ok))
            .collect()
    };
    assert_eq!(verdicts(&one), verdicts(&sum));
    assert_eq!(one.checks, sum.checks);
    assert_eq!(one.groups, sum.groups);
    assert_eq!(
        sum.timeline.requests.iter().sum::<u64>() as f64,
        total(&sum, "http_reqs")
    );
    assert_eq!(sum.ending.name, "passed");
    assert_eq!(sum.parts.len(), 4);
    assert!(sum.options.get("executionSegment").is_none());

    // It is a saved run like any other.
    let schema = serde_json::from_str(include_str!("../docs/saved-run.schema.json")).unwrap();
    let text = std::fs::read_to_string(&merged).unwrap();
    let faults = schema_support::faults(&schema, &serde_json::from_str(&text).unwrap());
    assert!(faults.is_empty(), "{faults:#?}");
    run(&[
        "compare",
        &test.file("whole.json"),
        &merged,
        "--tolerance",
        "10000000%",
    ])
    .expect(0);
    run(&["report", &merged, "--format", "md"]).expect(0);

    // Some of them are not the whole, and what does not belong together is refused.
    let files = test.parts(4);
    merge(&files[..3], &["-o", &merged])
        .expect(99)
        .says(&["the segment 3/4:1 is missing: what is merged is 75 % of the test"]);
    merge(&[merged.clone(), files[3].clone()], &[]).expect(0);
    merge(&[merged, files[0].clone()], &[])
        .expect(104)
        .says(&["overlap"]);
    merge(&[files[0].clone(), files[0].clone()], &[])
        .expect(104)
        .says(&["is given twice, and would be counted twice"]);
    merge(&files[..1], &[])
        .expect(104)
        .says(&["name the saved runs of all generators"]);
    merge(&[files[0].clone(), test.file("whole.json")], &[])
        .expect(104)
        .says(&["these runs are not parts of one test", "overlap"]);
    let nowhere = test.file("no/such/merged.json");
    merge(&files, &["-o", &nowhere])
        .expect(104)
        .says(&["folder that exists"]);
}

#[test]
fn a_moment_that_is_none_ends_before_the_load() {
    let scripted = Scripted::new("export default function () {}");
    for (moment, said) in [
        ("2020-01-01T00:00:00Z", "s ago (it is 20"),
        ("0", "s ago (it is 20"),
        ("noon", "write a moment as 2026-11-21T03:15:06Z"),
        ("99999999999", "days ahead"),
    ] {
        run(&[
            "run",
            "--metrics-addr",
            "off",
            "--start-at",
            moment,
            scripted.path(),
        ])
        .expect(104)
        .says(&["--start-at", said]);
    }
}

#[test]
fn waiting_for_the_moment_can_be_cut_short() {
    let scripted = Scripted::new("export default function () { throw new Error('sent'); }");
    let mut running = Running::start(&[
        "run",
        "--metrics-addr",
        "off",
        "--start-at",
        "+10m",
        scripted.path(),
    ]);
    running.until_said("the load begins at");
    running.signal("INT");
    let ended = running.wait().expect(105);
    assert!(!ended.stderr.contains("sent"), "{}", ended.stderr);
}
