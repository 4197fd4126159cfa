//! Children that behave and children that do not: every start has an answer, and none outlives its handle.

use super::*;

/// A program that stands in for the target: a line of shell.
fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

const READY: &str =
    r#"echo '{"pid":1,"services":{"wallet":"127.0.0.1:41","app":"0.0.0.0:42","sequencer":"[::1]:43"}}'"#;

fn start(script: &str) -> Result<DemoChild, DemoError> {
    DemoChild::spawn(shell(script), Duration::from_secs(5))
}

fn alive(pid: u32) -> bool {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.try_into().expect("a pid")), None).is_ok()
}

#[tokio::test]
async fn a_ready_line_gives_addresses_and_variables() {
    let demo = start(&format!("{READY}; exec cat")).expect("it is ready");
    let expected = [
        ("WALLET_URL", "http://127.0.0.1:41"),
        ("APP_URL", "http://127.0.0.1:42"),
        ("SEQUENCER_URL", "http://[::1]:43"),
        ("BASE_URL", "http://127.0.0.1:42"),
        ("WS_URL", "ws://127.0.0.1:42/ws"),
        ("SEQUENCER_BASE_URL", "http://[::1]:43"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(demo.variables(), expected);
    assert_eq!(
        demo.addresses()[0],
        ("wallet".to_owned(), "127.0.0.1:41".parse().expect("an address"))
    );
    assert!(
        demo.stop()
            .await
            .expect("it ends with its standard input")
            .success()
    );
}

#[test]
fn one_that_fails_is_quoted() {
    let error = start("echo 'port 3001 is already in use' >&2; exit 3")
        .expect_err("it is not ready")
        .to_string();
    assert!(
        error.contains("exit status: 3") && error.contains("port 3001 is already in use"),
        "{error}"
    );
}

#[test]
fn one_that_never_says_that_it_is_ready_is_killed() {
    let started = Instant::now();
    let error = DemoChild::spawn(
        shell("echo thinking >&2; exec sleep 60"),
        Duration::from_millis(300),
    );
    let error = error.expect_err("it is not ready").to_string();
    assert!(
        error.contains("within 0.3 s") && error.contains("thinking"),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn one_that_talks_nonsense_is_refused() {
    for line in [
        "hello",
        "{}",
        r#"{"services":{"wallet":7}}"#,
        r#"{"services":{"wallet":"nowhere"}}"#,
    ] {
        let error = start(&format!("echo '{line}'; exec sleep 60"))
            .expect_err("not the line")
            .to_string();
        assert!(error.contains(line), "{error}");
    }
    let error = start("yes | tr -d '\\n'")
        .expect_err("no line at all")
        .to_string();
    assert!(error.len() < 500, "an endless line is cut: {error}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = DemoChild::start(Path::new("/nonexistent/loadgen"), &[], None)
        .expect_err("no such file")
        .to_string();
    assert!(error.contains("/nonexistent/loadgen"), "{error}");
}

#[test]
fn one_that_dies_later_is_noticed() {
    let mut demo =
        start(&format!("{READY}; read line; echo 'out of memory' >&2; exit 9")).expect("it is ready");
    assert!(demo.died().is_none());
    drop(demo.stdin.take());
    let since = Instant::now();
    let error = loop {
        if let Some(error) = demo.died() {
            break error.to_string();
        }
        assert!(since.elapsed() < Duration::from_secs(5), "it never ended");
        thread::sleep(Duration::from_millis(5));
    };
    assert!(
        error.contains("during the run") && error.contains("exit status: 9"),
        "{error}"
    );
}

#[tokio::test]
async fn one_that_will_not_end_is_killed() {
    let demo = start(&format!("{READY}; trap '' TERM; exec sleep 60")).expect("it is ready");
    let pid = demo.pid();
    let status = demo.stop().await.expect("it is killed");
    assert!(!status.success() && !alive(pid));
}

#[test]
fn dropping_it_ends_it() {
    let demo = start(&format!("{READY}; exec sleep 60")).expect("it is ready");
    let pid = demo.pid();
    assert!(alive(pid));
    drop(demo);
    assert!(!alive(pid));
}

#[test]
fn much_output_does_not_block_it() {
    let script = format!(
        "{READY}; i=0; while [ $i -lt 2000 ]; do echo 'x {}'; echo 'y {}' >&2; i=$((i+1)); done; exec cat",
        "x".repeat(100),
        "y".repeat(100)
    );
    let demo = start(&script).expect("it is ready");
    let since = Instant::now();
    while demo.stderr.text().len() < STDERR_KEPT {
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "its output is not read"
        );
        thread::sleep(Duration::from_millis(5));
    }
    assert!(demo.stderr.text().len() <= STDERR_KEPT);
}
