//! From a destination to a session that is logged in: configuration, TCP or a host in between, handshake, host key, login.

use std::fs;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ssh2::{DisconnectCode, MethodType, Session};

use super::SshError;
use super::auth::{Login, Way};
use super::config::{HostConfig, NewHosts, Surroundings, resolve};
use super::destination::{Destination, bracketed};
use super::jump::Jump;
use super::known_hosts::{KnownHosts, Place, Verdict, fingerprint, kind_of, line, name_of};
use super::options::SshOptions;
use super::questions::plain;

/// How long connecting, and each answer while logging in, may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// So many hosts may be in between.
const JUMPS: usize = 4;
/// The cipher that is the fastest with the instructions that processors have for it.
const FASTEST: &str = "aes128-gcm@openssh.com";

/// Makes sessions to one destination. Who was asked once is not asked again.
pub struct Connector {
    config: HostConfig,
    accept_new: bool,
    identities: Vec<PathBuf>,
    home: PathBuf,
    through: Option<Box<Connector>>,
    way: Mutex<Option<Way>>,
}

/// A session that is logged in, and blocks; and what it is over.
pub struct Connection {
    /// The session.
    pub session: Session,
    /// Its socket.
    pub socket: TcpStream,
    /// The way through a host in between, which ends when it is dropped.
    pub jump: Option<Jump>,
}

impl Connector {
    /// Reads the configuration for a destination; connects nowhere yet.
    pub fn new(destination: &Destination, options: &SshOptions) -> Result<Connector, SshError> {
        Connector::through(destination, options, &options.ssh_identity, JUMPS)
    }

    fn through(
        destination: &Destination,
        options: &SshOptions,
        identities: &[PathBuf],
        jumps: usize,
    ) -> Result<Connector, SshError> {
        let surroundings = Surroundings::current();
        let (config, warnings) = resolve(destination, options.ssh_config.as_deref(), &surroundings)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let through = match &config.jump {
            None => None,
            Some(jump) if jumps == 0 => {
                return Err(SshError::Jump {
                    jump: jump.to_string(),
                    source: Box::new(SshError::Destination {
                        text: jump.to_string(),
                        reason: "more than four hosts are in between; is there a ProxyJump in a circle?",
                    }),
                });
            }
            // As with `ssh -i`, the key on the command line is for the destination.
            Some(jump) => Some(Box::new(Connector::through(jump, options, &[], jumps - 1)?)),
        };
        Ok(Connector {
            accept_new: options.ssh_accept_new || config.new_hosts == NewHosts::Accept,
            identities: identities.to_vec(),
            home: surroundings.home,
            config,
            through,
            way: Mutex::new(None),
        })
    }

    /// The host, for messages.
    pub fn host(&self) -> &str {
        &self.config.host
    }

    /// Connects and logs in. The first time it may ask on the terminal.
    pub fn connect(&self, stop: &Stop) -> Result<Connection, SshError> {
        let timeout = self.config.connect_timeout.unwrap_or(TIMEOUT);
        let (socket, jump) = match &self.through {
            None => (self.dial(timeout)?, None),
            Some(through) => {
                let in_between = |source| SshError::Jump {
                    jump: through.host().to_owned(),
                    source: Box::new(source),
                };
                let first = through.connect(stop).map_err(in_between)?;
                let (socket, jump) = Jump::new(first, &self.config.host, self.config.port)
                    .map_err(|source| in_between(source.into()))?;
                (socket, Some(jump))
            }
        };
        let stoppable = stop.guard(&socket)?;
        let session = self.session(&socket, timeout).map_err(|error| match &jump {
            // That there is no connection is known where the channel was refused.
            Some(jump) => jump.explain(error),
            None => error,
        })?;
        drop(stoppable);
        Ok(Connection {
            session,
            socket,
            jump,
        })
    }

    fn dial(&self, timeout: Duration) -> Result<TcpStream, SshError> {
        let HostConfig { host, port, .. } = &self.config;
        let addresses = (host.as_str(), *port).to_socket_addrs();
        let addresses = addresses.map_err(|source| SshError::Resolve {
            host: host.clone(),
            source,
        })?;
        let deadline = Instant::now() + timeout;
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    return Ok(socket);
                }
                Err(error) => failed = error,
            }
        }
        Err(SshError::Connect {
            host: host.clone(),
            port: *port,
            source: failed,
        })
    }

    /// Handshake, host key, login.
    fn session(&self, socket: &TcpStream, timeout: Duration) -> Result<Session, SshError> {
        let known = self.known_hosts()?;
        let failed = |error: ssh2::Error| SshError::Handshake {
            host: self.config.host.clone(),
            port: self.config.port,
            reason: error.message().to_owned(),
        };
        let mut session = Session::new().map_err(failed)?;
        session.set_timeout(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
        prefer(&session, &known.kinds(self.name(), self.config.port)).map_err(failed)?;
        session.set_tcp_stream(socket.try_clone()?);
        session.handshake().map_err(failed)?;
        if let Err(error) = self.check_host(&session, &known) {
            // So that the server's log does not blame the network.
            let _ = session.disconnect(
                Some(DisconnectCode::HostKeyNotVerifiable),
                "host key not accepted",
                None,
            );
            return Err(error);
        }
        self.log_in(&session)?;
        if let Ok(Some(banner)) = session.userauth_banner() {
            tracing::debug!("{} says: {}", self.config.host, plain(banner).trim_end());
        }
        tracing::debug!(
            "connected to {}: {} {}",
            self.config.host,
            session.methods(MethodType::Kex).unwrap_or_default(),
            session.methods(MethodType::CryptCs).unwrap_or_default()
        );
        Ok(session)
    }

    fn log_in(&self, session: &Session) -> Result<(), SshError> {
        // Held for the whole login: if several begin at once, one finds the way, and asks.
        let mut way = lock(&self.way);
        let before = way.clone();
        let login = Login::new(session, &self.config, &self.identities, &self.home);
        if let Some(before) = before {
            drop(way);
            login.log_in(Some(&before))?;
        } else {
            *way = Some(login.log_in(None)?);
        }
        Ok(())
    }

    /// The name that the host has in `known_hosts`.
    fn name(&self) -> &str {
        self.config.alias.as_deref().unwrap_or(&self.config.host)
    }

    /// The port that counts for `known_hosts`: an alias has none.
    fn port(&self) -> u16 {
        if self.config.alias.is_some() {
            22
        } else {
            self.config.port
        }
    }

    fn known_hosts(&self) -> Result<KnownHosts, SshError> {
        let mut known = KnownHosts::default();
        for path in &self.config.known_hosts {
            let bytes = match fs::read(path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                // What cannot be read may revoke a key.
                Err(source) => {
                    return Err(SshError::Read {
                        path: path.clone(),
                        source,
                    });
                }
            };
            for fault in known.read(path, &String::from_utf8_lossy(&bytes)) {
                tracing::warn!("{fault}");
            }
        }
        Ok(known)
    }

    fn check_host(&self, session: &Session, known: &KnownHosts) -> Result<(), SshError> {
        let (name, port) = (self.name(), self.port());
        let Some((key, _)) = session.host_key() else {
            return Err(SshError::Handshake {
                host: self.config.host.clone(),
                port,
                reason: "it shows no host key".to_owned(),
            });
        };
        let host = name_of(name, port);
        let (kind, fingerprint) = (kind_of(key).unwrap_or("?").to_owned(), fingerprint(key));
        match known.check(name, port, key) {
            Verdict::Known => Ok(()),
            Verdict::Revoked(Place { file, line }) => Err(SshError::HostRevoked {
                host,
                kind,
                fingerprint,
                file,
                line,
            }),
            Verdict::Changed(Place { file, line }) => Err(SshError::HostChanged {
                host,
                kind,
                fingerprint,
                file,
                line,
            }),
            Verdict::Unclear(Place { file, line }, reason) => Err(SshError::HostUnclear {
                host,
                kind,
                fingerprint,
                file,
                line,
                reason,
            }),
            Verdict::Unknown => {
                let file = self.config.known_hosts.first().cloned().unwrap_or_default();
                if !self.accept_new {
                    return Err(SshError::HostUnknown {
                        host,
                        kind,
                        fingerprint,
                        file,
                    });
                }
                append(&file, &line(name, port, key)).map_err(|source| SshError::KnownHostsWrite {
                    path: file.clone(),
                    source,
                })?;
                tracing::warn!(
                    "accepted the host key of {host}: {kind} {fingerprint}, written to {}",
                    file.display()
                );
                Ok(())
            }
        }
    }
}

/// Orders what the server is offered: the kinds of host keys that are known before others, the fastest cipher first.
fn prefer(session: &Session, kinds: &[&str]) -> Result<(), ssh2::Error> {
    let mut keys = session.supported_algs(MethodType::HostKey)?;
    // Certificates of hosts are not understood, and nobody has DSA keys any more.
    keys.retain(|name| !name.contains("-cert-") && *name != "ssh-dss");
    keys.sort_by_key(|name| {
        let kind = if name.starts_with("rsa-sha2-") {
            "ssh-rsa"
        } else {
            name
        };
        !kinds.contains(&kind)
    });
    session.method_pref(MethodType::HostKey, &keys.join(","))?;
    for direction in [MethodType::CryptCs, MethodType::CryptSc] {
        let mut ciphers = session.supported_algs(direction)?;
        ciphers
            .retain(|name| !name.ends_with("-cbc") && !name.contains("arcfour") && !name.contains("-cbc@"));
        ciphers.sort_by_key(|name| *name != FASTEST);
        session.method_pref(direction, &ciphers.join(","))?;
    }
    Ok(())
}

/// Adds a whole line to a file that only its owner may read.
fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let before = match fs::read(path) {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let cut = before.last().is_some_and(|byte| *byte != b'\n');
    let text = if cut { format!("\n{line}") } else { line.to_owned() };
    file.write_all(text.as_bytes())
}

/// Lets somebody else end an attempt to connect, which waits for the server otherwise.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: AtomicBool,
    socket: Mutex<Option<TcpStream>>,
}

/// Takes the socket back from [`Stop`].
pub struct Stoppable<'a>(&'a Stop);

impl Drop for Stoppable<'_> {
    fn drop(&mut self) {
        *lock(&self.0.socket) = None;
    }
}

impl Stop {
    /// From now on no attempt goes on.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(socket) = lock(&self.socket).take() {
            // If it is closed already, so much the better.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn guard(&self, socket: &TcpStream) -> Result<Stoppable<'_>, SshError> {
        *lock(&self.socket) = Some(socket.try_clone()?);
        if self.is_stopped() {
            return Err(SshError::Cancelled);
        }
        Ok(Stoppable(self))
    }
}

/// What a thread that panicked left is as good as before.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Display for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.config.user, bracketed(&self.config.host))?;
        match self.config.port {
            22 => Ok(()),
            port => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_added_whole_to_a_private_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("ssh/known_hosts");
        append(&path, "a b c\n").expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(
            (mode(&path), mode(path.parent().expect("folder"))),
            (0o600, 0o700)
        );
        fs::write(&path, "a b c\ncut").expect("written");
        append(&path, "d e f\n").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "a b c\ncut\nd e f\n");
    }

    #[test]
    fn the_kinds_that_are_known_are_asked_for_first() {
        let session = Session::new().expect("session");
        prefer(&session, &["ssh-rsa"]).expect("preferred");
        let error = session.method_pref(MethodType::HostKey, "no-such-kind");
        assert!(error.is_err(), "names are checked");
    }
}
