//! What goes through a tunnel, against a real OpenSSH server: bytes intact both ways, ends of either side, many
//! connections, refusals, and lanes that are lost.
#![allow(clippy::unwrap_used)]

mod run_support;
mod ssh_support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use run_support::{Server, eventually, free_port};
use ssh_support::{Home, LIMIT, Open, Setup, Sshd, children, fetch};

/// A service that does `serve` with each connection.
fn service(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// A tunnel to this port; the home is kept, for it is looked at again when a lane is lost.
fn open<'a>(home: &'a Home, sshd: &Sshd, port: u16, arguments: &[&str]) -> Open<'a> {
    let forward = format!("auto:{port}");
    home.tunnel(
        &sshd.to("tester"),
        &[&["--forward", &forward], arguments].concat(),
    )
}

/// Bytes that a mistake in the order would change.
fn pattern(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(next).collect()
}

fn echo(mut stream: TcpStream) {
    let mut copy = stream.try_clone().unwrap();
    let _ = std::io::copy(&mut copy, &mut stream);
    let _ = stream.shutdown(Shutdown::Write);
}

#[test]
fn bytes_come_back_as_they_were_and_the_end_is_passed_on() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, service(echo), &["--ssh-lanes", "2"]);
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let mut stream = tunnel.connect();
            thread::spawn(move || {
                let sent = pattern(5_000_000);
                let mut writer = stream.try_clone().unwrap();
                let copy = sent.clone();
                let writing = thread::spawn(move || {
                    writer.write_all(&copy).unwrap();
                    // The other direction stays open.
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                let mut back = Vec::new();
                stream.read_to_end(&mut back).unwrap();
                writing.join().unwrap();
                assert!(back == sent, "{} of {} bytes", back.len(), sent.len());
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    let (last, _) = tunnel.stop();
    assert!(last.contains("6 in all | up 30 MB, down 30 MB"), "{last}");
}

#[test]
fn a_side_that_does_not_read_holds_the_other_back() {
    let sshd = Sshd::start();
    let written = Arc::new(AtomicUsize::new(0));
    let counter = written.clone();
    let source = service(move |mut stream| {
        let chunk = pattern(65_536);
        while stream.write_all(&chunk).is_ok() {
            counter.fetch_add(chunk.len(), Ordering::SeqCst);
        }
    });
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, source, &["--ssh-lanes", "1"]);
    let mut idle = tunnel.connect();
    let mut before = 0;
    // It goes on until everything between is full, and then it stops.
    let full = eventually(LIMIT, "the source is held back", || {
        thread::sleep(Duration::from_millis(300));
        let now = written.load(Ordering::SeqCst);
        (now > 0 && std::mem::replace(&mut before, now) == now).then_some(now)
    });
    assert!(full < 64 << 20, "{full} bytes for nobody");
    // Another connection of the same lane is not held back with it.
    let mut other = tunnel.connect();
    let mut buffer = vec![0; 3_000_000];
    other.read_exact(&mut buffer).unwrap();
    assert!(buffer[..65_536] == pattern(65_536)[..]);
    // And when it reads again, all is there.
    let mut rest = vec![0; full];
    idle.read_exact(&mut rest).unwrap();
    assert!(
        rest.chunks(65_536)
            .all(|chunk| chunk == &pattern(65_536)[..chunk.len()])
    );
}

#[test]
fn the_end_is_passed_on_behind_bytes_that_waited_for_the_client() {
    let sshd = Sshd::start();
    // Each connection gets a megabyte more, so that of some all is in the tunnel, with the end, before the client reads.
    let next = AtomicUsize::new(1);
    let port = service(move |mut stream| {
        let length = next.fetch_add(1, Ordering::SeqCst) << 20;
        // A client that was given up is gone.
        let _ = stream.write_all(&pattern(length));
    });
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, port, &["--ssh-lanes", "1"]);
    let streams: Vec<TcpStream> = (0..10).map(|_| tunnel.connect()).collect();
    thread::sleep(Duration::from_millis(1500));
    let mut lengths: Vec<usize> = streams
        .into_iter()
        .map(|mut stream| {
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).expect("the end is passed on");
            assert!(bytes == pattern(bytes.len()));
            bytes.len() >> 20
        })
        .collect();
    lengths.sort_unstable();
    assert_eq!(lengths, (1..=10).collect::<Vec<_>>());
}

#[test]
fn many_short_connections_leave_nothing_behind() {
    let sshd = Sshd::start();
    let server = Server::start();
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, server.address.port(), &[]);
    let address = tunnel.address();
    let churn = |count: usize| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let address = address.clone();
                thread::spawn(move || {
                    for _ in 0..count {
                        assert_eq!(fetch(&address, "/").unwrap(), "xx");
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
    };
    let descriptors = || {
        std::fs::read_dir(format!("/proc/{}/fd", tunnel.running.pid()))
            .unwrap()
            .count()
    };
    churn(25);
    let before = eventually(LIMIT, "all are closed", || {
        Some(descriptors()).filter(|count| *count < 60)
    });
    churn(100);
    eventually(LIMIT, "all are closed", || {
        (descriptors() <= before + 2).then_some(())
    });
    let (last, ended) = tunnel.stop();
    assert!(last.contains("1000 in all"), "{last}");
    assert!(!ended.stderr.contains("WARN"), "{}", ended.stderr);
    // Nobody asked for them, and nobody saw an error: 1000 connections, 1000 requests.
    assert_eq!(server.count(), 1000);
}

#[test]
fn a_service_that_is_not_there_is_said_to_be_so() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, free_port(), &[]);
    assert!(fetch(&tunnel.address(), "/").is_err());
    let (last, ended) = tunnel.stop();
    assert!(last.contains("| refused 1"), "{last}");
    ended.says(&[
        "the server does not connect to localhost port",
        "is the service running there?",
    ]);
    let strict = Sshd::with(&Setup {
        config: "AllowTcpForwarding no",
        ..Setup::default()
    });
    let home = Home::of(&strict);
    let tunnel = open(&home, &strict, free_port(), &[]);
    assert!(fetch(&tunnel.address(), "/").is_err());
    tunnel.stop().1.says(&["AllowTcpForwarding"]);
}

#[test]
fn channels_are_opened_ahead_and_used() {
    let sshd = Sshd::start();
    let connected = Arc::new(AtomicUsize::new(0));
    let counter = connected.clone();
    let port = service(move |stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        echo(stream);
    });
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, port, &["--ssh-warm", "8"]);
    eventually(LIMIT, "eight connections ahead", || {
        (connected.load(Ordering::SeqCst) == 8).then_some(())
    });
    let used = || {
        let mut stream = tunnel.connect();
        stream.write_all(b"hello").unwrap();
        let mut back = [0; 5];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"hello");
        stream
    };
    for _ in 0..20 {
        used();
    }
    eventually(LIMIT, "as many ahead as before", || {
        (connected.load(Ordering::SeqCst) == 28).then_some(())
    });
    // Who has a channel needs none ahead, but for some while connections come.
    let held: Vec<TcpStream> = (0..8).map(|_| used()).collect();
    thread::sleep(Duration::from_millis(2500));
    let ahead = connected.load(Ordering::SeqCst) - 28;
    assert!(ahead < 8, "{ahead} ahead of 8 in use");
    drop(held);
    eventually(LIMIT, "as many ahead as before", || {
        (connected.load(Ordering::SeqCst) >= 36).then_some(())
    });
    let (last, _) = tunnel.stop();
    assert!(last.contains("28 in all"), "{last}");
}

#[test]
fn a_port_in_use_names_its_holder() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let ended = home
        .run(&["tunnel", &sshd.to("tester"), "--forward", &port])
        .expect(104);
    ended.says(&[
        &format!("port {port} is in use by "),
        &format!("(pid {})", std::process::id()),
        "--forward auto",
    ]);
    assert!(
        !sshd.log().contains("Accepted"),
        "nobody has logged in for nothing"
    );
}

#[test]
fn a_lane_that_is_lost_comes_back() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, service(echo), &["--ssh-lanes", "2"]);
    let sessions = sshd.sessions();
    assert_eq!(sessions.len(), 2);
    // One connection on each lane.
    let mut streams = [tunnel.connect(), tunnel.connect()];
    let talks = |stream: &mut TcpStream| {
        let mut back = [0; 2];
        stream
            .write_all(b"hi")
            .and_then(|()| stream.read_exact(&mut back))
            .is_ok()
    };
    assert!(streams.iter_mut().all(talks));
    sshd.cut(sessions[0]);
    let begin = Instant::now();
    tunnel.until_said("lost a connection", 1);
    eventually(LIMIT, "one is cut", || {
        (!talks(&mut streams[0]) || !talks(&mut streams[1])).then_some(())
    });
    assert_eq!(
        streams
            .iter_mut()
            .filter_map(|stream| talks(stream).then_some(()))
            .count(),
        1,
        "and only one"
    );
    // New ones work at once, over the lane that is left.
    assert!(talks(&mut tunnel.connect()));
    tunnel.until_said("again after", 1);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let (last, ended) = tunnel.stop();
    assert!(last.contains("lanes 2/2 | cut 1 | outages 1"), "{last}");
    ended.says(&["lost a connection to", "again after"]);
}

#[test]
fn while_the_server_is_away_clients_wait_instead_of_being_cut() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, service(echo), &["--ssh-lanes", "4"]);
    let mut sshd = sshd;
    sshd.kill();
    tunnel.until_said("lost a connection", 4);
    let mut stream = tunnel.connect();
    stream.write_all(b"patience").unwrap();
    let sshd = sshd.restart();
    let mut back = [0; 8];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"patience");
    tunnel.until_said("again after", 4);
    let (last, _) = tunnel.stop();
    assert!(last.contains("lanes 4/4 | outages 4"), "{last}");
    assert_eq!(sshd.log().matches("Accepted").count(), 8);
}

#[test]
fn a_server_that_stays_away_is_given_up() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, service(echo), &["--ssh-patience", "1s"]);
    let ports = tunnel.ports.clone();
    drop(sshd);
    let (_, ended) = tunnel.end(114);
    ended.says(&["has not been reachable for", "so the tunnel is given up"]);
    assert!(TcpStream::connect(("127.0.0.1", ports[0])).is_err());
}

#[test]
fn a_host_key_that_changes_meanwhile_ends_the_tunnel() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, service(echo), &["--ssh-lanes", "4"]);
    let mut sshd = sshd;
    sshd.kill();
    for name in ["host_ed25519", "host_ed25519.pub"] {
        std::fs::remove_file(sshd.file(name)).unwrap();
    }
    ssh_support::keygen("ed25519", "", &sshd.file("host_ed25519"));
    let sshd = sshd.restart();
    tunnel.end(114).1.says(&["has changed"]);
    assert_eq!(
        sshd.log().matches("Accepted").count(),
        4,
        "nobody has logged in to the other one"
    );
}

#[test]
fn nothing_stays_when_it_is_killed() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let tunnel = open(&home, &sshd, service(echo), &["--ssh-lanes", "4"]);
    let mut stream = tunnel.connect();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    assert_eq!(
        (sshd.sessions().len(), children(tunnel.running.pid()).len()),
        (4, 0)
    );
    tunnel.running.signal("KILL");
    eventually(LIMIT, "the sessions end", || {
        sshd.sessions().is_empty().then_some(())
    });
    assert!(TcpStream::connect(tunnel.address()).is_err());
}
