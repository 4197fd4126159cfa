//! `ProxyJump`: a session through a channel of another one.
//!
//! libssh2 wants a socket. So the second session gets one end of a TCP connection within this machine, and a thread pumps
//! between its other end and the channel, by the same loop as that of every lane.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Events, Poll, Waker};

use super::SshError;
use super::connect::{Connection, lock};
use super::pump::{Pump, WAKE};
use super::traffic::{Target, Traffic};
use super::transport::{Failed, Transport};

/// The way through. Dropping it ends it.
pub struct Jump {
    state: Arc<State>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    host: String,
}

#[derive(Default)]
struct State {
    stop: std::sync::atomic::AtomicBool,
    traffic: Traffic,
    /// Why the session in between ended.
    ended: Mutex<Option<String>>,
}

impl Jump {
    /// A socket that leads to `host` and `port` as `first` sees them.
    pub fn new(first: Connection, host: &str, port: u16) -> io::Result<(TcpStream, Jump)> {
        let (near, far) = pair()?;
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let state = Arc::new(State::default());
        let target = Target {
            host: host.to_owned(),
            port,
        };
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("ssh-jump".to_owned())
            .spawn(move || {
                if let Err(reason) = relay(first, far, target, poll, &shared) {
                    tracing::debug!("the session in between ended: {reason}");
                    *lock(&shared.ended) = Some(reason);
                }
            })?;
        let jump = Jump {
            state,
            waker,
            thread: Some(thread),
            host: host.to_owned(),
        };
        Ok((near, jump))
    }

    /// What an error of the second session is really about.
    pub fn explain(&self, error: SshError) -> SshError {
        if self.state.traffic.refused.load(Ordering::Relaxed) > 0 {
            return SshError::Denied {
                host: "the host in between".to_owned(),
                what: "a connection to the destination (AllowTcpForwarding there, and is sshd running?)",
                reason: format!("no connection to {}", self.host),
            };
        }
        match (&error, &*lock(&self.state.ended)) {
            (SshError::Handshake { .. }, Some(reason)) => SshError::Lost {
                host: self.host.clone(),
                reason: reason.clone(),
            },
            _ => error,
        }
    }
}

impl Drop for Jump {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        // Without a wake-up it ends at its next turn.
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Both ends of a connection within this machine.
fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let mine = near.local_addr()?;
    // Somebody else may have been faster.
    loop {
        let (far, from) = listener.accept()?;
        if from == mine {
            near.set_nodelay(true)?;
            return Ok((near, far));
        }
    }
}

fn relay(
    first: Connection,
    far: TcpStream,
    target: Target,
    mut poll: Poll,
    state: &State,
) -> Result<(), String> {
    let Connection {
        session,
        socket,
        jump: _further,
    } = first;
    let mut transport = Transport::new(session, socket).map_err(|error| error.to_string())?;
    let anchor = super::anchor(&mut transport, &state.stop).map_err(Failed::reason)?;
    far.set_nonblocking(true).map_err(|error| error.to_string())?;
    let targets = [target];
    let mut pump =
        Pump::new(transport, anchor, &poll, &targets, &state.traffic).map_err(|error| error.to_string())?;
    pump.adopt(mio::net::TcpStream::from_std(far), 0)?;
    let mut events = Events::with_capacity(64);
    while !state.stop.load(Ordering::SeqCst) && state.traffic.active.load(Ordering::Relaxed) > 0 {
        if let Err(reason) = pump.turn(&mut poll, &mut events, Duration::from_secs(1)) {
            pump.end(false);
            return Err(reason);
        }
    }
    pump.end(true);
    Ok(())
}
