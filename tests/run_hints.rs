//! Hints: what is said, and where, when a target is not there or turns the test away.

#![allow(clippy::unwrap_used)]

mod run_support;

use run_support::{Scripted, Server, free_port, run};

const REFUSED: &str = "
// Refused: nobody listens there
//
// Variable   Default   Meaning
// BASE_URL   (none)    where
import http from 'k6/http';
export const options = { vus: 1, iterations: 3 };
export default function () { http.get(`${__ENV.BASE_URL}/a`); }
";

#[test]
fn a_server_that_is_not_there_is_said_at_once_and_at_the_end() {
    let script = Scripted::new(REFUSED);
    let url = format!("http://127.0.0.1:{}", free_port());
    let base = format!("BASE_URL={url}");
    let flags = ["run", "--metrics-addr", "off", "-e", &base, script.path()];
    let ended = run(&flags)
        .expect(0)
        .says(&["is the server running? set BASE_URL, or try --demo"]);
    let hint = format!(
        "  █ HINTS \n\n    {url} refused every connection: is the server running? set BASE_URL, or try --demo\n"
    );
    assert!(ended.stdout.contains(&hint), "{}", ended.stdout);

    // Without a summary of ours it is a message.
    let save = script.file("run.json");
    let quiet = [&flags[..], &["--summary-mode", "disabled", "--save", &save]].concat();
    let ended = run(&quiet)
        .expect(0)
        .says(&[&format!("{url} refused every connection")]);
    assert_eq!(ended.stdout, "");
    let saved: serde_json::Value = serde_json::from_str(&script.read("run.json")).unwrap();
    assert_eq!(saved["findings"][0]["name"], "hint-refused");
    let hit = run(&["hit", "-n", "2", "--metrics-addr", "off", &url]).expect(0);
    hit.says(&["is the server running?"]);
}

#[test]
fn a_status_is_hinted_at_only_if_the_script_did_not_expect_it() {
    let server = Server::start();
    let script = |expected: &str| {
        Scripted::new(&format!(
            "import http from 'k6/http';
             export const options = {{ vus: 1, iterations: 2 }};
             {expected}
             export default function () {{
               for (const status of [302, 409, 401, 402, 429]) http.get('{}' + status, {{ redirects: 0 }});
             }}",
            server.url("/status/")
        ))
    };
    let unexpected = script("");
    let ended = run(&["run", "--metrics-addr", "off", unexpected.path()]).expect(0);
    for (status, mend) in [
        (401, "the token was missing or rejected"),
        (402, "--tunnel"),
        (429, "the target limits the rate"),
    ] {
        let line = format!("    {status} on 2 of 10 requests: ");
        let line = ended.stdout.lines().find(|shown| shown.starts_with(&line));
        assert!(line.is_some_and(|line| line.contains(mend)), "{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("    409 on"), "{}", ended.stdout);
    let expected = script("http.setResponseCallback(http.expectedStatuses({ min: 200, max: 429 }));");
    let ended = run(&["run", "--metrics-addr", "off", expected.path()]).expect(0);
    assert!(!ended.stdout.contains("HINTS"), "{}", ended.stdout);
}

#[test]
fn a_websocket_whose_token_is_rejected_is_hinted_at() {
    let ended = run_support::run(&[
        "run",
        "--demo",
        "tachikoma/websocket",
        "-q",
        "--metrics-addr",
        "off",
        "--iterations",
        "2",
        "-e",
        "API_KEY=wrong",
    ]);
    let hint = "401 on all 2 WebSocket handshakes: the token was missing or rejected; set API_KEY";
    assert!(ended.stdout.contains(hint), "{}\n{}", ended.stdout, ended.stderr);
}
