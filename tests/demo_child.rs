//! The embedded target as a child process: `loadgen demo` started, used, stopped, and gone with its parent.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loadgen::demo::{DemoChild, DemoError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn start(args: &[&str], capacity: Option<u32>) -> Result<DemoChild, DemoError> {
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    DemoChild::start(Path::new(env!("CARGO_BIN_EXE_loadgen")), &args, capacity)
}

fn get(to: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(to).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().expect("a process id"))
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "it did not happen: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn it_serves_where_its_variables_say_and_stops_when_asked() {
    let demo = start(&["--cpu-cost", "0"], None).expect("it starts");
    let variables = demo.variables();
    assert_eq!(variables.len(), 9, "{variables:?}");
    for (service, address) in demo.addresses() {
        let answer = get(*address, "/");
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(service),
            "{answer}"
        );
        let url = (
            format!("{}_URL", service.to_uppercase()),
            format!("http://{address}"),
        );
        assert!(variables.contains(&url), "{variables:?}");
    }
    let (wallet, began) = (demo.addresses()[0].1, Instant::now());
    assert!(demo.stop().await.expect("it ends").success());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(TcpStream::connect(wallet).is_err(), "nobody listens any more");
}

#[test]
fn its_capacity_is_what_was_asked_for() {
    let demo = start(&["--cpu-cost", "0", "--queue", "0"], Some(1)).expect("it starts");
    let wallet = demo.addresses()[0].1;
    assert!(get(wallet, "/").starts_with("HTTP/1.1 200"));
    assert!(get(wallet, "/").starts_with("HTTP/1.1 503"));
}

#[test]
fn a_taken_port_and_a_wrong_argument_are_told_in_its_own_words() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let error = start(&["--ports", &format!("0,{port},0,0,0,0")], None)
        .expect_err("the port is taken")
        .to_string();
    assert!(
        error.contains(&format!("port {port} for store is already in use")),
        "{error}"
    );
    let error = start(&["--quueue", "1"], None)
        .expect_err("no such argument")
        .to_string();
    assert!(error.contains("--quueue"), "{error}");
}

#[test]
fn its_death_is_noticed_and_its_end_frees_the_process_table() {
    let mut demo = start(&[], None).expect("it starts");
    assert!(demo.died().is_none());
    kill(pid(demo.pid()), Signal::SIGKILL).expect("it is ours");
    let since = Instant::now();
    let error = loop {
        if let Some(error) = demo.died() {
            break error.to_string();
        }
        assert!(since.elapsed() < Duration::from_secs(5), "nobody noticed");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(error.contains("ended during the run"), "{error}");
    let id = demo.pid();
    drop(demo);
    assert!(kill(pid(id), None).is_err(), "it was waited for");
}

#[test]
fn signals_end_it_without_an_error() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut demo = run_alone(&["--port", "0"]);
        let mut lines = BufReader::new(demo.stdout.take().expect("a pipe")).lines();
        let first = lines.next().expect("a line").expect("text");
        assert!(
            first.starts_with("wallet") && first.contains("http://127.0.0.1:"),
            "{first}"
        );
        kill(pid(demo.id()), signal).expect("it is ours");
        assert!(demo.wait().expect("it ends").success(), "{signal}");
    }
}

#[test]
fn the_end_of_its_input_is_no_end_unless_asked_for() {
    let mut demo = run_alone(&["--port", "0"]);
    let mut lines = BufReader::new(demo.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a line").expect("text");
    std::thread::sleep(Duration::from_millis(200));
    assert!(
        demo.try_wait().expect("a child").is_none(),
        "its input is empty and it runs on"
    );
    kill(pid(demo.id()), Signal::SIGTERM).expect("it is ours");
    demo.wait().expect("it ends");
}

fn run_alone(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command
        .arg("demo")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.spawn().expect("it starts")
}

/// Set for the process that plays the parent in the test below.
const PARENT: &str = "LOADGEN_TEST_DEMO_PARENT";

/// Not a test by itself: the parent that [`a_parent_that_is_killed_takes_it_along`] kills.
#[test]
fn parent() {
    if std::env::var_os(PARENT).is_none() {
        return;
    }
    let demo = start(&[], None).expect("it starts");
    eprintln!("demo {}", demo.pid());
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn a_parent_that_is_killed_takes_it_along() {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args(["--exact", "parent", "--nocapture"])
        .env(PARENT, "1");
    let mut parent = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(parent.stderr.take().expect("a pipe")).lines();
    let demo = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("demo ")?.parse().ok());
    let demo = pid(demo.expect("its process id"));
    assert!(kill(demo, None).is_ok(), "it runs");
    parent.kill().expect("it is ours");
    parent.wait().expect("it ends");
    wait_until("the demo ends with its parent", || gone(demo));
}

/// Ended, and no more than an entry that init has yet to clear away.
fn gone(process: Pid) -> bool {
    kill(process, None).is_err()
        || std::fs::read_to_string(format!("/proc/{process}/stat"))
            .ok()
            .and_then(|text| loadgen::remote::procfs::process_stat(&text))
            .is_some_and(|stat| stat.is_zombie())
}
