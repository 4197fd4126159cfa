//! Redis as a client: commands and replies over a few connections of one virtual user (protocol RESP 2).
//!
//! What a command is on the wire takes ten lines, and a reply fifty (`resp.rs`); a client from elsewhere would bring its own
//! sockets, names and TLS, and here those are the run's: `hosts`, `dns`, `blacklistIPs`, `insecureSkipTLSVerify` and the
//! bytes that are counted. A connection has one command under way; a command that finds none free opens one, or waits its
//! turn when there are as many as the pool may have.

mod cluster;
mod resp;

pub use resp::Reply;

use cluster::Cluster;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::client::Client;
use super::direct::Endpoint;
use super::error::{NetError, code};
use super::progress::Progress;
use super::shared::Shared;
use super::target::Target;
use super::tls::TlsMaterial;
use super::wire::{Marks, Wire};

/// Where a server is, and how to talk to it.
#[derive(Clone)]
pub struct RedisOptions {
    pub host: String,
    pub port: u16,
    /// With TLS, and what its settings are beside the run's.
    pub tls: Option<TlsMaterial>,
    pub username: String,
    pub password: String,
    pub database: u32,
    /// For making a connection, with TLS and the login.
    pub dial_timeout: Duration,
    /// For a command's reply; `None` waits as long as it takes.
    pub read_timeout: Option<Duration>,
    /// The most connections at a time.
    pub pool_size: usize,
}

impl Default for RedisOptions {
    /// The dialect's defaults.
    fn default() -> RedisOptions {
        RedisOptions {
            host: "localhost".to_owned(),
            port: 6379,
            tls: None,
            username: String::new(),
            password: String::new(),
            database: 0,
            dial_timeout: Duration::from_secs(5),
            read_timeout: Some(Duration::from_secs(3)),
            pool_size: 10,
        }
    }
}

impl std::fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RedisOptions({}:{})", self.host, self.port)
    }
}

/// Why a command has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// The server said so.
    #[error("{0}")]
    Refused(String),
    /// No connection, so that nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// A connection that broke, or gave no reply.
    #[error("{0}")]
    Network(String),
}

/// What there is to connect to.
#[derive(Debug, Clone)]
pub enum RedisPlan {
    /// One server.
    One(RedisOptions),
    /// Servers that share the keys. These tell of the others; a command is sent elsewhere this often.
    Cluster(Vec<RedisOptions>, usize),
}

/// One virtual user's connections, to one server or to many.
pub enum RedisStore {
    /// To one server.
    One(Box<Redis>),
    /// To servers that share the keys.
    Many(Cluster),
}

impl RedisStore {
    /// A client, not yet connected.
    ///
    /// # Errors
    /// The host is none, or TLS settings cannot be used.
    pub fn open(client: &Rc<Client>, plan: RedisPlan) -> Result<RedisStore, NetError> {
        Ok(match plan {
            RedisPlan::One(options) => RedisStore::One(Box::new(client.redis(options)?)),
            RedisPlan::Cluster(seeds, redirects) => {
                RedisStore::Many(Cluster::new(Rc::clone(client), seeds, redirects))
            }
        })
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    /// The server refuses the command or cannot be reached.
    pub async fn call(&self, command: &[Vec<u8>]) -> Result<Reply, RedisError> {
        match self {
            RedisStore::One(redis) => redis.call(command).await,
            RedisStore::Many(cluster) => cluster.call(command).await,
        }
    }

    /// Wire bytes (sent, received) since this was last asked.
    pub fn take_bytes(&self) -> (u64, u64) {
        match self {
            RedisStore::One(redis) => redis.take_bytes(),
            RedisStore::Many(cluster) => cluster.take_bytes(),
        }
    }
}

/// One virtual user's connections to a server.
pub struct Redis {
    shared: Arc<Shared>,
    endpoint: Endpoint,
    options: RedisOptions,
    idle: RefCell<Vec<Connection>>,
    turns: Semaphore,
    bytes: Rc<Cell<(u64, u64)>>,
}

struct Connection {
    wire: Wire,
    marks: Rc<Marks>,
    buffer: BytesMut,
    bytes: Rc<Cell<(u64, u64)>>,
}

impl Connection {
    /// Hands over what it counted since the last time.
    fn count(&self) {
        let ((sent, received), (more_sent, more_received)) = (self.bytes.get(), self.marks.take());
        self.bytes.set((sent + more_sent, received + more_received));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.count();
    }
}

impl Client {
    /// A client for a server, not yet connected.
    ///
    /// # Errors
    /// The host is none, or TLS settings cannot be used.
    pub fn redis(&self, options: RedisOptions) -> Result<Redis, NetError> {
        let bracketed = options.host.contains(':') && !options.host.starts_with('[');
        let host = if bracketed {
            format!("[{}]", options.host)
        } else {
            options.host.clone()
        };
        let target = Target::parse(&format!("http://{host}:{}", options.port))
            .ok()
            .filter(|target| target.url().path() == "/");
        let target = target.ok_or_else(|| {
            NetError::new(
                code::INVALID_URL,
                format!("`{}:{}` is no address of a Redis", options.host, options.port),
            )
        })?;
        let name = target.origin().host.clone();
        let tls = match &options.tls {
            Some(material) => {
                let own = (*material != TlsMaterial::default()).then_some(material);
                Some((self.shared().tls_for(&name, own, &[])?, name.clone()))
            }
            None => None,
        };
        Ok(Redis {
            shared: Arc::clone(self.shared()),
            endpoint: Endpoint {
                host: name,
                port: options.port,
                tls,
                local: self.local_ip(),
            },
            turns: Semaphore::new(options.pool_size.max(1)),
            options,
            idle: RefCell::default(),
            bytes: Rc::default(),
        })
    }
}

impl Redis {
    /// Sends a command and waits for its reply. A connection that was idle and turns out to be closed before a byte of the
    /// reply is replaced once.
    ///
    /// # Errors
    /// The server refuses the command or cannot be reached.
    pub async fn call(&self, command: &[Vec<u8>]) -> Result<Reply, RedisError> {
        self.send(&[command]).await
    }

    /// The same, of keys that are about to become this server's.
    async fn call_asking(&self, command: &[Vec<u8>]) -> Result<Reply, RedisError> {
        self.send(&[&[b"ASKING".to_vec()], command]).await
    }

    /// Sends commands over one connection, and waits for the reply to the last.
    async fn send(&self, commands: &[&[Vec<u8>]]) -> Result<Reply, RedisError> {
        // Nobody closes it.
        let _turn = self.turns.acquire().await;
        let idle = self.idle.borrow_mut().pop();
        if let Some(mut connection) = idle {
            match self.exchange_all(&mut connection, commands).await {
                Ok(reply) => return self.done(connection, reply),
                Err((_, true)) => {}
                Err((error, false)) => return Err(error),
            }
        }
        let mut connection = self.connect().await?;
        match self.exchange_all(&mut connection, commands).await {
            Ok(reply) => self.done(connection, reply),
            Err((error, _)) => Err(error),
        }
    }

    /// Wire bytes (sent, received) since this was last asked.
    pub fn take_bytes(&self) -> (u64, u64) {
        for connection in &*self.idle.borrow() {
            connection.count();
        }
        self.bytes.take()
    }

    fn done(&self, connection: Connection, reply: Reply) -> Result<Reply, RedisError> {
        connection.count();
        self.idle.borrow_mut().push(connection);
        match reply {
            Reply::Error(message) => Err(RedisError::Refused(message)),
            reply => Ok(reply),
        }
    }

    async fn connect(&self) -> Result<Connection, RedisError> {
        let made = tokio::time::timeout(self.options.dial_timeout, self.greet()).await;
        made.map_err(|_| self.unreachable("i/o timeout"))?
    }

    fn unreachable(&self, why: &str) -> RedisError {
        let (host, port) = (&self.options.host, self.options.port);
        RedisError::Unreachable(format!("dial tcp {host}:{port}: {why}"))
    }

    /// A connection that has logged in and chosen its database.
    async fn greet(&self) -> Result<Connection, RedisError> {
        let progress = Progress::new(Instant::now(), &self.bytes);
        let direct = self.endpoint.open(&self.shared, &progress).await;
        drop(progress);
        let direct = direct.map_err(|error| match error.code {
            code::DIAL_REFUSED => self.unreachable("connect: connection refused"),
            _ => self.unreachable(error.message.strip_prefix("dial: ").unwrap_or(&error.message)),
        })?;
        let mut connection = Connection {
            wire: direct.wire,
            marks: direct.marks,
            buffer: BytesMut::new(),
            bytes: Rc::clone(&self.bytes),
        };
        let text =
            |parts: &[&str]| -> Vec<Vec<u8>> { parts.iter().map(|part| part.as_bytes().to_vec()).collect() };
        let RedisOptions {
            username,
            password,
            database,
            ..
        } = &self.options;
        let mut greetings = Vec::new();
        match (username.as_str(), password.as_str()) {
            ("", "") => {}
            ("", password) => greetings.push(text(&["AUTH", password])),
            (username, password) => greetings.push(text(&["AUTH", username, password])),
        }
        if *database != 0 {
            greetings.push(text(&["SELECT", &database.to_string()]));
        }
        for greeting in greetings {
            match self.exchange(&mut connection, &greeting).await {
                Ok(Reply::Error(message)) => return Err(RedisError::Refused(message)),
                Ok(_) => {}
                Err((error, _)) => return Err(error),
            }
        }
        Ok(connection)
    }

    /// Commands one after the other, and the reply to the last; with an error, whether none of them can have had an effect.
    async fn exchange_all(
        &self,
        connection: &mut Connection,
        commands: &[&[Vec<u8>]],
    ) -> Result<Reply, (RedisError, bool)> {
        let mut last = Reply::Nil;
        for (index, command) in commands.iter().enumerate() {
            let done = self.exchange(connection, command).await;
            last = done.map_err(|(error, untouched)| (error, untouched && index == 0))?;
        }
        Ok(last)
    }

    /// One command and its reply; with an error, whether the connection was closed before a byte of a reply.
    async fn exchange(
        &self,
        connection: &mut Connection,
        command: &[Vec<u8>],
    ) -> Result<Reply, (RedisError, bool)> {
        let talk = async {
            let closed = |error: std::io::Error| {
                (
                    RedisError::Network(NetError::io(&error).message.into_owned()),
                    true,
                )
            };
            let Connection { wire, buffer, .. } = connection;
            wire.write_all(&resp::command(command)).await.map_err(closed)?;
            wire.flush().await.map_err(closed)?;
            loop {
                match resp::reply(buffer) {
                    Ok(Some(reply)) => return Ok(reply),
                    Ok(None) => {}
                    Err(why) => return Err((RedisError::Network(why.to_owned()), false)),
                }
                let begun = !buffer.is_empty();
                match wire.read_buf(buffer).await {
                    Ok(0) => return Err((RedisError::Network("EOF".to_owned()), !begun)),
                    Ok(_) => {}
                    Err(error) => {
                        let (error, _) = closed(error);
                        return Err((error, !begun));
                    }
                }
            }
        };
        match self.options.read_timeout {
            None => talk.await,
            Some(limit) => match tokio::time::timeout(limit, talk).await {
                Ok(done) => done,
                Err(_) => {
                    let (host, port) = (&self.options.host, self.options.port);
                    let message = format!("read tcp {host}:{port}: i/o timeout");
                    Err((RedisError::Network(message), false))
                }
            },
        }
    }
}
