//! Listens, accepts and serves: one accepting thread, and a few threads that each run their share of the connections.
//!
//! The accepting thread hands sockets out in turn, so the threads are evenly loaded however connections arrive. (Several
//! listeners with `SO_REUSEPORT` would need no hand-over, but would also let two targets share a port unnoticed.)

use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::args::{DemoOptions, Ports};
use super::capacity::{Capacity, Stats};
use super::error::DemoError;
use super::router::{self, Service, Shared};
use super::upgrade::Upgraded;

/// Connections that may wait to be accepted: a spike opens hundreds at once (the kernel caps it at `somaxconn`).
const BACKLOG: u32 = 4096;
/// How long requests under way are waited for when the target stops.
const DRAIN: Duration = Duration::from_secs(1);

/// A running target. Dropping it stops it, as [`Server::stop`] does.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<(&'static str, SocketAddr)>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// An accepted connection on its way to the thread that serves it.
struct Accepted {
    stream: StdTcpStream,
    service: Arc<Service>,
}

impl Server {
    /// Listens on every service's port and starts to serve.
    pub fn start(options: &DemoOptions) -> Result<Server, DemoError> {
        let services: Vec<Arc<Service>> = super::services(options).into_iter().map(Arc::new).collect();
        let ports = ports(&options.ports, &services)?;
        let accepting = OwnRuntime::new().map_err(DemoError::Start)?;
        let mut addresses = Vec::new();
        let mut listeners = Vec::new();
        for (service, port) in services.into_iter().zip(ports) {
            let wanted = SocketAddr::new(options.bind, port);
            let failed = |source: io::Error| match source.kind() {
                io::ErrorKind::AddrInUse => DemoError::PortTaken {
                    service: service.name,
                    address: wanted,
                },
                _ => DemoError::Listen {
                    service: service.name,
                    address: wanted,
                    source,
                },
            };
            let listener = accepting.within(|| listen(wanted)).map_err(failed)?;
            addresses.push((service.name, listener.local_addr().map_err(DemoError::Start)?));
            listeners.push((listener, service));
        }
        let shared = Arc::new(Shared {
            capacity: Capacity::new(options.limits.clone()).map_err(DemoError::Start)?,
            max_body: options.max_body,
        });
        let (stop, stopped) = watch::channel(false);
        // Made first: if a thread cannot be started, dropping this stops those that were.
        let mut server = Server {
            addresses,
            shared,
            stop,
            threads: Vec::new(),
        };
        let mut lanes = Vec::new();
        for number in 0..options.threads.max(1) {
            let (lane, connections) = mpsc::unbounded_channel();
            let (shared, stopped) = (Arc::clone(&server.shared), stopped.clone());
            let runtime = OwnRuntime::new().map_err(DemoError::Start)?;
            server.spawn(format!("demo-io-{number}"), move || {
                runtime.run(serve_lane(connections, shared, stopped));
            })?;
            lanes.push(lane);
        }
        server.spawn("demo-accept".to_owned(), move || {
            accepting.run(accept_all(listeners, lanes, stopped));
        })?;
        Ok(server)
    }

    /// Each service and where it listens.
    pub fn addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        self.shared.capacity.stats()
    }

    /// Stops accepting, lets requests under way finish (up to a second), and waits until all threads have ended.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }

    fn spawn(&mut self, name: String, work: impl FnOnce() + Send + 'static) -> Result<(), DemoError> {
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(work)
            .map_err(DemoError::Start)?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A thread's runtime on its way to the thread. It may be dropped anywhere: where starting fails, that can be inside
/// the caller's own async context, in which a bare [`Runtime`] panics when dropped.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new() -> io::Result<OwnRuntime> {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .map(|runtime| OwnRuntime(Some(runtime)))
    }

    /// Runs `work` inside the runtime's context without running the runtime.
    fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let _context = self.0.as_ref().map(Runtime::enter);
        work()
    }

    fn run(self, work: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(work);
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// One port for each service.
fn ports(wanted: &Ports, services: &[Arc<Service>]) -> Result<Vec<u16>, DemoError> {
    match wanted {
        Ports::Usual => Ok(services.iter().map(|service| service.usual_port).collect()),
        Ports::Free => Ok(vec![0; services.len()]),
        Ports::From(first) => {
            let ports: Vec<u16> = (*first..=u16::MAX).take(services.len()).collect();
            if ports.len() < services.len() {
                return Err(DemoError::PortRange {
                    first: *first,
                    services: services.len(),
                });
            }
            Ok(ports)
        }
        Ports::These(ports) if ports.len() == services.len() => Ok(ports.clone()),
        Ports::These(ports) => Err(DemoError::PortCount {
            services: services.iter().map(|service| service.name).collect(),
            given: ports.len(),
        }),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // So that a target can be restarted at once, while old connections of its port are still in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept_all(
    listeners: Vec<(TcpListener, Arc<Service>)>,
    lanes: Vec<mpsc::UnboundedSender<Accepted>>,
    mut stopped: watch::Receiver<bool>,
) {
    let lanes = Arc::new(lanes);
    let mut accepting = JoinSet::new();
    for (offset, (listener, service)) in listeners.into_iter().enumerate() {
        accepting.spawn(accept(listener, service, Arc::clone(&lanes), offset));
    }
    stop(&mut stopped).await;
}

/// Resolves when the target is told to stop, or is gone.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    lanes: Arc<Vec<mpsc::UnboundedSender<Accepted>>>,
    offset: usize,
) {
    for lane in lanes.iter().cycle().skip(offset) {
        let stream = loop {
            match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => break stream,
                // A connection that was reset before it was accepted is its own affair; out of file descriptors is
                // ours, and passes when connections close.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        if lane
            .send(Accepted {
                stream,
                service: Arc::clone(&service),
            })
            .is_err()
        {
            return;
        }
    }
}

/// Serves the connections of one thread until the target stops, then lets those with a request under way finish.
async fn serve_lane(
    mut accepted: mpsc::UnboundedReceiver<Accepted>,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            next = accepted.recv() => match next {
                Some(next) => { connections.spawn(serve(next, Arc::clone(&shared), stopped.clone())); }
                None => break,
            },
            // Keeps the set as small as the number of open connections.
            Some(_) = connections.join_next() => {}
            () = stop(&mut stopped) => break,
        }
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN, drained).await;
}

async fn serve(accepted: Accepted, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let Accepted { stream, service } = accepted;
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    let _ = stream.set_nodelay(true);
    let upgraded = Arc::new(Upgraded::default());
    let handler = service_fn(|request| {
        let (service, shared, upgraded) = (Arc::clone(&service), Arc::clone(&shared), Arc::clone(&upgraded));
        async move {
            let response = router::answer(&service, &shared, &upgraded, request).await;
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), handler);
    let mut connection = pin!(connection.with_upgrades());
    // How a connection ends is the client's affair.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    upgraded.serve(stopped).await;
}
