//! The local ends: ports of the loopback, and the thread that accepts on them.
//!
//! It does not accept while there is no connection to the server. Clients then wait in the system's queue, rather than
//! be accepted and cut, as often as they care to try.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use super::forward::Forward;
use super::shared::Shared;
use crate::net::port_holder;
use crate::remote::ssh::SshError;

/// The token of the acceptor's waker.
pub const WAKE: Token = Token(0);
/// So often a free port is looked for.
const TRIES: usize = 20;
/// After an error of the system, such as too many open files, it is tried again after this long.
const REST: Duration = Duration::from_millis(50);

/// A port that is listened on, on all of the machine's loopback addresses.
pub struct Listener {
    /// The port.
    pub port: u16,
    sockets: Vec<TcpListener>,
}

impl Listener {
    /// Takes the local port of a forward, or a free one.
    pub fn bind(forward: &Forward) -> Result<Listener, SshError> {
        let tries = if forward.local == 0 { TRIES } else { 1 };
        let mut result = Listener::on(forward.local, forward);
        for _ in 1..tries {
            if result.is_ok() {
                break;
            }
            result = Listener::on(0, forward);
        }
        result
    }

    fn on(port: u16, forward: &Forward) -> Result<Listener, SshError> {
        let failed = |address: SocketAddr, source: io::Error| match source.kind() {
            ErrorKind::AddrInUse => SshError::PortTaken {
                port: address.port(),
                holder: port_holder(address),
                free: proposal(address.port()),
                target: forward.target(),
            },
            _ => SshError::Listen { address, source },
        };
        let first = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let v4 = TcpListener::bind(first).map_err(|error| failed(first, error))?;
        let port = v4.local_addr().map_or(port, |address| address.port());
        // `localhost` is both. If another program has the second it would get what is meant for us.
        let second = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let v6 = match TcpListener::bind(second) {
            Ok(v6) => Some(v6),
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(failed(second, error)),
            // A machine without IPv6.
            Err(_) => None,
        };
        Ok(Listener {
            port,
            sockets: std::iter::once(v4).chain(v6).collect(),
        })
    }
}

/// Another port to use: one that reminds of the first if that is free, as 13002 for 3002.
fn proposal(taken: u16) -> u16 {
    let free = |port| TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let like = taken.checked_add(10_000).filter(|port| free(*port).is_ok());
    like.or_else(|| {
        free(0)
            .and_then(|socket| socket.local_addr())
            .ok()
            .map(|address| address.port())
    })
    .unwrap_or(taken.wrapping_add(1).max(1024))
}

struct Door {
    socket: mio::net::TcpListener,
    target: usize,
    /// Somebody may be waiting.
    waiting: bool,
}

/// Accepts until the tunnel ends. Afterwards nobody listens.
pub fn accept(shared: &Shared, listeners: Vec<Listener>, mut poll: Poll) -> io::Result<()> {
    let mut doors = Vec::new();
    for (target, listener) in listeners.into_iter().enumerate() {
        for socket in listener.sockets {
            socket.set_nonblocking(true)?;
            let mut socket = mio::net::TcpListener::from_std(socket);
            poll.registry()
                .register(&mut socket, Token(doors.len() + 1), Interest::READABLE)?;
            doors.push(Door {
                socket,
                target,
                waiting: true,
            });
        }
    }
    let mut events = Events::with_capacity(64);
    let mut rest = None;
    while !shared.is_stopped() {
        match poll.poll(&mut events, Some(rest.take().unwrap_or(Duration::from_secs(1)))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            if let Some(door) = event.token().0.checked_sub(1).and_then(|at| doors.get_mut(at)) {
                door.waiting = true;
            }
        }
        for door in doors.iter_mut().filter(|door| door.waiting) {
            while shared.is_up() && !shared.is_stopped() {
                match door.socket.accept() {
                    Ok((socket, _)) => shared.dispatch(socket, door.target),
                    Err(error) => match error.kind() {
                        ErrorKind::WouldBlock => {
                            door.waiting = false;
                            break;
                        }
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                        _ => {
                            tracing::warn!("a connection to the tunnel could not be accepted: {error}");
                            rest = Some(REST);
                            break;
                        }
                    },
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::tunnel::Forwards;

    fn forward(text: &str) -> Forward {
        let forwards = Forwards::parse(&[text.to_owned()]).expect("forward");
        forwards.as_slice()[0].clone()
    }

    #[test]
    fn a_port_in_use_is_told_with_who_has_it() {
        let holder = TcpListener::bind("127.0.0.1:0").expect("port");
        let port = holder.local_addr().expect("address").port();
        let error = Listener::bind(&forward(&format!("{port}:localhost:3002")))
            .err()
            .expect("taken");
        let text = error.to_string();
        let own = format!("(pid {})", std::process::id());
        assert!(
            text.starts_with(&format!("port {port} is in use by ")) && text.contains(&own),
            "{text}"
        );
        assert!(
            text.contains(":localhost:3002`") && text.contains("--forward auto"),
            "{text}"
        );
    }

    #[test]
    fn any_free_port_will_do_for_auto() {
        let one = Listener::bind(&forward("auto:x:1")).expect("port");
        let two = Listener::bind(&forward("auto:x:1")).expect("port");
        assert_ne!(one.port, two.port);
        assert!(std::net::TcpStream::connect(("127.0.0.1", one.port)).is_ok());
    }
}
