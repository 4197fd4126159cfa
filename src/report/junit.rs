//! A run as `JUnit` XML: one suite, whose test cases are how the run ended, its thresholds, its checks and what `verify()`
//! asserts.

use super::saved::{SavedCheck, SavedRun, SavedThreshold};
use super::values::threshold_value;

/// What became of a test case.
enum Outcome {
    Passed,
    Failed(String),
    /// It could not be told.
    Error(String),
}

struct Case {
    class: &'static str,
    name: String,
    outcome: Outcome,
}

/// The document.
pub(super) fn junit(run: &SavedRun) -> String {
    let mut cases = vec![ending(run)];
    cases.extend(run.thresholds.iter().map(|one| threshold(run, one)));
    cases.extend(run.checks.iter().map(check));
    for assertion in run
        .verification
        .iter()
        .flat_map(|verification| &verification.checks)
    {
        cases.push(Case {
            class: "verify",
            name: assertion.name.clone(),
            outcome: if assertion.held {
                Outcome::Passed
            } else {
                Outcome::Failed("did not hold".to_owned())
            },
        });
    }
    let count = |wanted: fn(&Outcome) -> bool| cases.iter().filter(|case| wanted(&case.outcome)).count();
    let totals = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\"",
        cases.len(),
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
        count(|outcome| matches!(outcome, Outcome::Error(_))),
        run.run.duration
    );
    // The format's time has no zone and no fraction; it is UTC.
    let started = run.run.started.get(..19).unwrap_or_default();
    let name = escape(&run.run.name);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"loadgen\" {totals}>\n  <testsuite name=\"{name}\" {totals} skipped=\"0\" timestamp=\"{}\" hostname=\"{}\">\n",
        escape(started),
        escape(&run.environment.host)
    );
    for case in &cases {
        text += &case.element();
    }
    text + "  </testsuite>\n</testsuites>\n"
}

impl Case {
    fn element(&self) -> String {
        let open = format!(
            "    <testcase classname=\"{}\" name=\"{}\" time=\"0\"",
            self.class,
            escape(&self.name)
        );
        match &self.outcome {
            Outcome::Passed => format!("{open}/>\n"),
            Outcome::Failed(why) => format!(
                "{open}>\n      <failure message=\"{}\"/>\n    </testcase>\n",
                escape(why)
            ),
            Outcome::Error(why) => format!(
                "{open}>\n      <error message=\"{}\"/>\n    </testcase>\n",
                escape(why)
            ),
        }
    }
}

/// A run that broke off is an error, whatever its thresholds say.
fn ending(run: &SavedRun) -> Case {
    let outcome = match (run.ending.name.as_str(), &run.ending.message) {
        ("passed" | "thresholds", _) => Outcome::Passed,
        ("verify" | "failed", message) => Outcome::Failed(message.clone().unwrap_or_default()),
        (name, None) => Outcome::Error(name.to_owned()),
        (name, Some(message)) => Outcome::Error(format!("{name}: {message}")),
    };
    Case {
        class: "run",
        name: "ran to its end".to_owned(),
        outcome,
    }
}

fn threshold(run: &SavedRun, threshold: &SavedThreshold) -> Case {
    let outcome = match (threshold.ok, threshold.value) {
        (true, _) => Outcome::Passed,
        (false, Some(_)) => Outcome::Failed(format!("was {}", threshold_value(run, threshold))),
        (false, None) => Outcome::Failed("there were no samples to judge".to_owned()),
    };
    Case {
        class: "thresholds",
        name: format!("{}: {}", threshold.metric, threshold.threshold),
        outcome,
    }
}

fn check(check: &SavedCheck) -> Case {
    let group = check.group.trim_start_matches("::");
    let name = if group.is_empty() {
        check.name.clone()
    } else {
        format!("{group}: {}", check.name)
    };
    let total = check.passes + check.fails;
    Case {
        class: "checks",
        name,
        outcome: match check.fails {
            0 => Outcome::Passed,
            fails => Outcome::Failed(format!("{fails} of {total} did not hold")),
        },
    }
}

/// Text for an attribute. Line breaks survive as references; what XML 1.0 cannot say at all becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\t' | '\n' | '\r' => escaped += &format!("&#{};", u32::from(c)),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::saved::fixture::saved_run;
    use crate::report::saved::{SavedAssertion, SavedVerification};

    fn run() -> SavedRun {
        let mut run = saved_run("a & b.js", 12.5, &[]);
        let threshold = |metric: &str, ok, value| SavedThreshold {
            metric: metric.to_owned(),
            threshold: "p(95)<200".to_owned(),
            value,
            ok,
            empty: value.is_none(),
        };
        run.thresholds = vec![
            threshold("http_req_duration{name:\"<x>\"}", true, Some(1.0)),
            threshold("http_req_duration", false, Some(312.5)),
            threshold("nothing", false, None),
        ];
        let check = |name: &str, group: &str, fails| SavedCheck {
            name: name.to_owned(),
            group: group.to_owned(),
            passes: 10,
            fails,
        };
        run.checks = vec![
            check("is\u{1b}[31m 200\n", "", 0),
            check("b", "::outer::inner", 3),
        ];
        run.verification = Some(SavedVerification {
            checks: vec![SavedAssertion {
                name: "stock is 0".to_owned(),
                held: false,
            }],
            error: None,
        });
        run
    }

    #[test]
    fn the_document_is_what_is_expected() {
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="loadgen" tests="7" failures="4" errors="0" time="12.500">
  <testsuite name="a &amp; b.js" tests="7" failures="4" errors="0" time="12.500" skipped="0" timestamp="2026-11-21T03:15:06" hostname="h">
    <testcase classname="run" name="ran to its end" time="0"/>
    <testcase classname="thresholds" name="http_req_duration{name:&quot;&lt;x&gt;&quot;}: p(95)&lt;200" time="0"/>
    <testcase classname="thresholds" name="http_req_duration: p(95)&lt;200" time="0">
      <failure message="was 312.5ms"/>
    </testcase>
    <testcase classname="thresholds" name="nothing: p(95)&lt;200" time="0">
      <failure message="there were no samples to judge"/>
    </testcase>
    <testcase classname="checks" name="is�[31m 200&#10;" time="0"/>
    <testcase classname="checks" name="outer::inner: b" time="0">
      <failure message="3 of 13 did not hold"/>
    </testcase>
    <testcase classname="verify" name="stock is 0" time="0">
      <failure message="did not hold"/>
    </testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(junit(&run()), expected);
    }

    #[test]
    fn a_run_that_broke_off_is_an_error() {
        let mut run = run();
        run.ending.name = "exception".to_owned();
        run.ending.message = Some("no \"way\"".to_owned());
        let text = junit(&run);
        assert!(
            text.contains("errors=\"1\"")
                && text.contains("<error message=\"exception: no &quot;way&quot;\"/>"),
            "{text}"
        );
    }

    #[test]
    fn every_character_is_one_that_xml_has() {
        let all: String = (0..=u32::from(char::MAX)).filter_map(char::from_u32).collect();
        let escaped = escape(&all);
        let allowed = |c: char| c >= ' ' && !matches!(c, '<' | '>' | '"' | '\u{fffe}' | '\u{ffff}');
        assert!(escaped.chars().all(allowed));
        let bare = escaped
            .split('&')
            .skip(1)
            .filter(|rest| rest.split_once(';').is_none_or(|(name, _)| name.len() > 4));
        assert_eq!(bare.count(), 0);
    }
}
