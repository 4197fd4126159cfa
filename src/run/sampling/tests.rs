//! Hosts that are this machine, at the other end of a shell: lost, found again, or not to be sampled at all.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::remote::LocalPipe;

const INTERVAL: Duration = Duration::from_millis(20);

/// A host behind shells of `command`, whose process ids are kept.
fn host(name: &str, command: &'static [&'static str]) -> (RemoteHost, Arc<Mutex<Vec<u32>>>) {
    let pids = Arc::new(Mutex::new(Vec::new()));
    let kept = pids.clone();
    let host = RemoteHost {
        name: name.into(),
        pipe: Box::new(move || {
            let pipe = LocalPipe::open(command, Duration::from_secs(20))?;
            kept.lock().expect("pids").push(pipe.pid());
            Ok(Box::new(pipe))
        }),
        ports: Vec::new(),
    };
    (host, pids)
}

/// Ends the first of these shells.
fn kill(shells: &Mutex<Vec<u32>>) {
    use nix::sys::signal::{Signal, kill};
    let shell = nix::unistd::Pid::from_raw(shells.lock().expect("pids")[0].cast_signed());
    kill(shell, Signal::SIGKILL).expect("killed");
}

fn watching(watches: &[&str]) -> SamplingOrder {
    SamplingOrder {
        watches: watches.iter().map(|text| text.parse().expect(text)).collect(),
        ..SamplingOrder::default()
    }
}

#[tokio::test]
async fn a_host_that_was_lost_is_reached_again_and_the_last_reading_comes() {
    let (host, shells) = host("vps", &["sh"]);
    let epoch = Epoch::now();
    let opened = open(&SamplingOrder::default(), None, vec![host], epoch).await;
    let mut sampling = Sampling::start(opened.expect("opened"), epoch, INTERVAL);
    let mut seen = (0, 0, 0);
    while seen.2 < 3 {
        match sampling.next().await {
            Reading::Sample(sample) => {
                assert_eq!(&*sample.host, "vps");
                if seen.1 > 0 {
                    seen.2 += 1;
                } else {
                    seen.0 += 1;
                    if seen.0 == 2 {
                        kill(&shells);
                    }
                }
            }
            Reading::Lost(host) => {
                assert_eq!(&*host, "vps");
                seen.1 += 1;
            }
        }
    }
    assert!(matches!(sampling.last().await.last(), Some(Reading::Sample(_))));
    assert_eq!(shells.lock().expect("pids").len(), 2);
}

#[tokio::test]
async fn a_host_that_stays_away_is_asked_less_and_less_often() {
    let tries = Arc::new(AtomicU32::new(0));
    let count = tries.clone();
    let (RemoteHost { mut pipe, .. }, shells) = host("vps", &["sh"]);
    let host = RemoteHost {
        name: "vps".into(),
        pipe: Box::new(move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => pipe(),
            _ => Err(io::ErrorKind::ConnectionRefused.into()),
        }),
        ports: Vec::new(),
    };
    let epoch = Epoch::now();
    let opened = open(&SamplingOrder::default(), None, vec![host], epoch).await;
    kill(&shells);
    let begun = Instant::now();
    let mut sampling = Sampling::start(opened.expect("opened"), epoch, Duration::from_millis(5));
    for _ in 0..5 {
        assert!(matches!(sampling.next().await, Reading::Lost(_)));
    }
    // 10, 20, 40 and 80 ms between them.
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert_eq!(
        tries.load(Ordering::SeqCst),
        5,
        "one try is the first, four found nobody"
    );
    sampling.last().await;
}

#[tokio::test]
async fn what_was_not_asked_for_by_name_is_no_error() {
    let (host_a, _) = host("a", &["sh", "-c", "echo no login here"]);
    let none = open(&SamplingOrder::default(), None, vec![host_a], Epoch::now()).await;
    assert!(none.expect("only told").is_empty());
    let (host_a, _) = host("a", &["sh", "-c", "echo no login here"]);
    let error = open(&watching(&["sshd"]), None, vec![host_a], Epoch::now()).await;
    let error = error.err().expect("asked for").to_string();
    assert!(error.contains("no login here"), "{error}");
}

#[tokio::test]
async fn what_is_watched_is_on_one_of_the_hosts_or_it_is_an_error() {
    let own = format!("pid:{}", std::process::id());
    for watches in [vec![own.as_str()], vec![own.as_str(), "no-such-program"]] {
        let hosts = vec![host("a", &["sh"]).0, host("b", &["sh"]).0];
        let opened = open(&watching(&watches), None, hosts, Epoch::now()).await;
        match opened {
            Ok(opened) => assert_eq!((opened.len(), watches.len()), (2, 1)),
            Err(error) => {
                assert!(error.to_string().contains("no-such-program"), "{error}");
                assert_eq!(watches.len(), 2);
            }
        }
    }
}

#[test]
fn a_port_that_is_watched_anyway_is_not_watched_twice() {
    let asked = watching(&["3001", ":3002", "redis"]).watches;
    let watches = watches_of(&asked, true, &[3001, 3002, 3003]);
    assert_eq!(watches.len(), 4);
    assert!(watches.iter().all(|watch| !watch.required));
    assert_eq!(watches[3].wanted, Wanted::Port(3003));
    assert!(watches_of(&asked, false, &[])[0].required);
}

#[tokio::test]
async fn without_a_host_nothing_comes_and_nothing_is_waited_for() {
    let mut sampling = Sampling::start(Vec::new(), Epoch::now(), INTERVAL);
    let never = tokio::time::timeout(Duration::from_millis(20), sampling.next()).await;
    assert!(never.is_err());
    assert!(sampling.last().await.is_empty());
}
