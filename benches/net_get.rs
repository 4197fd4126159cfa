//! What a keep-alive GET costs: allocations and CPU per request, next to bare hyper.
//!
//!     cargo bench --bench net_get                                   # against a tiny server in this process
//!     URL=http://127.0.0.1:8081/ cargo bench --bench net_get        # against a real one: CPU is then the client's
//!
//! `VUS` (50), `SECONDS` (3), `THREADS` (1) and `MODE` (`hyper`, `client`, or `traced`, the
//! client with a `traceparent`; all by default) change the measurement.
//! CPU is user and system time of the whole process, so against the server in this process it includes the
//! server's work; the allocations are counted on the client's threads only.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
// A counting allocator cannot be written otherwise.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use loadgen::net::{Client, NetOptions, Request, Shared, Target, TraceContext};
use nix::sys::resource::{UsageWho, getrusage};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn count(size: usize) {
    // A thread that is being torn down has nothing to count any more.
    let _ = ALLOCATIONS.try_with(|total| total.set(total.get() + 1));
    let _ = BYTES.try_with(|total| total.set(total.get() + size as u64));
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are those that `System` needs.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Requests made, allocations, bytes allocated.
#[derive(Default, Clone, Copy)]
struct Total(u64, u64, u64);

fn main() {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    let (vus, threads) = (number("VUS", 50), number("THREADS", 1).max(1));
    let length = Duration::from_secs(number("SECONDS", 3));
    let url = std::env::var("URL").unwrap_or_else(|_| local_server());
    let modes = std::env::var("MODE").map_or(
        ["hyper", "client", "traced"].map(str::to_owned).to_vec(),
        |mode| vec![mode],
    );
    for mode in modes {
        let before = cpu();
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                let (mode, url) = (mode.clone(), url.clone());
                let share = vus / threads + u64::from(index < vus % threads);
                std::thread::spawn(move || worker(&mode, &url, share, length))
            })
            .collect();
        let mut total = Total::default();
        for worker in workers {
            let part = worker.join().unwrap();
            total = Total(total.0 + part.0, total.1 + part.1, total.2 + part.2);
        }
        let requests = total.0.max(1) as f64;
        println!(
            "{mode:<7} vus={vus} threads={threads} requests={} rps={:.0} cpu={:.2} µs/req allocations={:.2}/req ({:.0} B)",
            total.0,
            requests / length.as_secs_f64(),
            (cpu() - before) * 1e6 / requests,
            total.1 as f64 / requests,
            total.2 as f64 / requests,
        );
    }
}

fn worker(mode: &str, url: &str, vus: u64, length: Duration) -> Total {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    let shared = Shared::new(NetOptions::default()).unwrap();
    let target = Target::parse(url).unwrap();
    let end = Instant::now() + length;
    let tasks: Vec<_> = (0..vus)
        .map(|_| {
            let (shared, target, mode) = (shared.clone(), target.clone(), mode.to_owned());
            local.spawn_local(async move {
                match mode.as_str() {
                    "client" => over_client(Client::new(shared), target, end).await,
                    "traced" => {
                        let client = Client::new(shared);
                        let (trace, span) = (fastrand::u128(1..), fastrand::u64(1..));
                        client.trace(Some(TraceContext {
                            trace,
                            span,
                            sampled: true,
                        }));
                        over_client(client, target, end).await
                    }
                    _ => over_hyper(&target, end).await,
                }
            })
        })
        .collect();
    local.block_on(&runtime, async {
        let mut requests = 0;
        for task in tasks {
            requests += task.await.unwrap();
        }
        Total(requests, ALLOCATIONS.get(), BYTES.get())
    })
}

async fn over_client(client: Client, target: Target, end: Instant) -> u64 {
    let mut requests = 0;
    while Instant::now() < end {
        let response = client
            .send(Request::get(target.clone()), &mut |_| requests += 1)
            .await;
        assert_eq!(response.status, 200, "{:?}", response.error);
    }
    requests
}

/// hyper's connection API as its documentation shows it: the connection in a task of its own.
async fn over_hyper(target: &Target, end: Instant) -> u64 {
    let host = format!("{}:{}", target.host(), target.port());
    let stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::task::spawn_local(connection);
    let mut requests = 0;
    while Instant::now() < end {
        sender.ready().await.unwrap();
        let request = http::Request::get("/")
            .header("host", &host)
            .header("user-agent", "loadgen")
            .body(Empty::<Bytes>::new());
        let mut body = sender.send_request(request.unwrap()).await.unwrap().into_body();
        while let Some(frame) = body.frame().await {
            frame.unwrap();
        }
        requests += 1;
    }
    requests
}

/// User and system time of this process in seconds.
fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Answers "ok" to everything, a thread per connection.
fn local_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                // A request of these clients is one segment.
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    if stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    url
}
