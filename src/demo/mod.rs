//! The embedded target: the endpoints of the systems under test, with an adjustable capacity, so that overload looks
//! like overload.
//!
//! `loadgen demo` calls [`serve`]; `loadgen run --demo` starts that command as a child process through [`DemoChild`],
//! so that its CPU and memory can be told from the generator's. One system is one file that lists its routes and keeps
//! its state: [`prim`], [`tachikoma`], [`sequencer`], [`flux_gate`], [`happy`], and [`sockets`] for `/ws`. [`router`]
//! serves any of them, and [`capacity`] decides what each request costs.

pub mod args;
mod burn;
pub mod capacity;
pub mod child;
mod dice;
mod error;
mod flux_gate;
mod happy;
mod kept;
mod prim;
mod route;
mod router;
mod sequencer;
pub mod server;
mod sockets;
mod tachikoma;
#[cfg(test)]
mod testing;
mod tokens;
mod upgrade;
mod window;

use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use http::Method;
use serde_json::json;

use route::{Call, LARGE_BODY, Reply, Route};
use router::{Service, Table};
use sockets::Hub;
use tokens::Tokens;

pub use args::{DemoArgs, DemoOptions, Fault};
pub use child::DemoChild;
pub use error::DemoError;
pub use server::Server;

/// All services, in the order in which they take ports.
///
/// The last three serve the same: all systems but the first. Their paths do not collide, so any of them will do for any
/// of the systems, and one address (`BASE_URL`) for all.
fn services(options: &DemoOptions) -> Vec<Service> {
    let tokens = Arc::new(Tokens::new(&options.tokens));
    let authorised = tokens.gate();
    let hub = Arc::new(Hub::new(options.max_body.saturating_mul(LARGE_BODY)));
    let mut routes = vec![
        Route::new(Method::GET, "/", healthy).cheap(),
        Route::new(Method::GET, "/health", healthy).cheap(),
        Route::socket("/ws", &hub).behind(&tokens.socket_gate()),
    ];
    routes.extend(tachikoma::routes(options.max_keys, &authorised, &hub));
    routes.extend(sequencer::routes(
        options.max_keys,
        options.rate_limit_per_minute,
        &authorised,
    ));
    routes.extend(flux_gate::routes(flux_gate::Rules {
        max_keys: options.max_keys,
        waiting_room: options.waiting_room,
        oversell: options.faults.contains(&Fault::Oversell),
        seed: options.limits.seed,
    }));
    routes.extend(happy::routes(options.max_keys, &tokens, &authorised, &hub));
    let table = Arc::new(Table::new(routes));
    let mut services = prim::services(options.max_keys, options.payment_required);
    services.extend(
        [("app", 3000), ("sequencer", 8080), ("happy", 8787)].map(|(name, usual_port)| Service {
            name,
            usual_port,
            table: Arc::clone(&table),
        }),
    );
    services
}

/// Takes a lock. Nothing in this room panics while it holds one, and what they guard is whole at every step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a service says of itself.
fn healthy(call: &Call<'_>) -> Reply {
    let body = json!({ "service": call.service, "status": "ok", "version": env!("CARGO_PKG_VERSION") });
    Reply::ok(body.to_string())
}

/// Serves until `shutdown` resolves; [`stop_requested`] is what the command line passes.
///
/// Prints where each service listens as soon as it does: for people, or as one line of JSON for the parent process.
/// Blocks the calling thread, which must not be one of an async runtime.
pub fn serve(options: &DemoOptions, shutdown: impl Future<Output = ()>) -> Result<(), DemoError> {
    let server = Server::start(options)?;
    let text = if options.print_ports {
        ready_line(server.addresses())
    } else {
        greeting(server.addresses())
    };
    let waiting = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DemoError::Start)?;
    waiting.block_on(async {
        let mut shutdown = pin!(shutdown);
        // Polled before anybody is told that the target is ready, so that its signal handlers are in place by then.
        if poll_fn(|context| Poll::Ready(shutdown.as_mut().poll(context)))
            .await
            .is_pending()
        {
            announce(&text).map_err(DemoError::Start)?;
            shutdown.await;
        }
        Ok(())
    })?;
    server.stop();
    Ok(())
}

fn announce(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Resolves on SIGINT or SIGTERM and, if asked for, when standard input is closed. For use inside [`serve`].
pub async fn stop_requested(or_stdin_closed: bool) {
    let stdin = async {
        if or_stdin_closed {
            stdin_closed().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = stdin => {}
        () = signalled() => {}
    }
}

#[cfg(unix)]
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals do what they do by themselves: they end the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signalled() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// Waits for the end of standard input on a thread of its own, which a blocking read needs.
async fn stdin_closed() {
    let (closed, end) = tokio::sync::oneshot::channel();
    let reading = std::thread::Builder::new()
        .name("demo-stdin".to_owned())
        .spawn(move || {
            let mut stdin = io::stdin().lock();
            let mut ignored = [0; 256];
            loop {
                match stdin.read(&mut ignored) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            let _ = closed.send(());
        });
    // Without the thread nobody would notice the end of the parent, so the target had better not run at all.
    if reading.is_ok() {
        let _ = end.await;
    }
}

/// What `--print-ports` prints: `{"pid":123,"services":{"wallet":"127.0.0.1:3001",…}}` and a newline.
fn ready_line(addresses: &[(&'static str, SocketAddr)]) -> String {
    let services: serde_json::Map<_, _> = addresses
        .iter()
        .map(|(name, address)| ((*name).to_owned(), address.to_string().into()))
        .collect();
    format!("{}\n", json!({ "pid": std::process::id(), "services": services }))
}

fn greeting(addresses: &[(&'static str, SocketAddr)]) -> String {
    let lines: Vec<String> = addresses
        .iter()
        .map(|(name, address)| format!("{name:<9} http://{address}\n"))
        .collect();
    lines.concat()
}
