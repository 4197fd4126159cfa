//! Several servers that share the keys among them (Redis Cluster): which has which, and what to do when they move
//! (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::{Redis, RedisError, RedisOptions, Reply};
use crate::net::client::Client;
use crate::net::error::NetError;

/// Into how many parts the keys are divided.
const SLOTS: u16 = 16384;
/// How long to wait for a cluster that is busy with itself, the first time; then twice as long.
const PATIENCE: Duration = Duration::from_millis(50);

/// One virtual user's connections to a cluster.
pub struct Cluster {
    client: Rc<Client>,
    /// Nodes that were named; all others are talked to as the first of them is.
    seeds: Vec<RedisOptions>,
    /// How often a command goes elsewhere before its error is one.
    redirects: usize,
    /// By `host:port`.
    nodes: RefCell<FxHashMap<String, Rc<Redis>>>,
    table: RefCell<Vec<Part>>,
    /// Whether somebody has to be asked who has which keys.
    stale: Cell<bool>,
    asking: tokio::sync::Mutex<()>,
}

/// Slots that one node has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    first: u16,
    last: u16,
    node: String,
}

/// What a node says of a command that is not for it, or not yet.
#[derive(Debug, PartialEq, Eq)]
enum Elsewhere<'a> {
    /// For good.
    Moved(&'a str),
    /// This one time.
    Ask(&'a str),
    /// Later.
    Later,
}

impl Elsewhere<'_> {
    fn read(error: &RedisError) -> Option<Elsewhere<'_>> {
        let RedisError::Refused(text) = error else {
            return None;
        };
        let mut words = text.split(' ');
        match (words.next()?, words.next(), words.next()) {
            ("MOVED", Some(_), Some(node)) => Some(Elsewhere::Moved(node)),
            ("ASK", Some(_), Some(node)) => Some(Elsewhere::Ask(node)),
            ("TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN", ..) => Some(Elsewhere::Later),
            _ => None,
        }
    }
}

impl Cluster {
    pub(super) fn new(client: Rc<Client>, seeds: Vec<RedisOptions>, redirects: usize) -> Cluster {
        Cluster {
            client,
            seeds,
            redirects,
            nodes: RefCell::default(),
            table: RefCell::default(),
            stale: Cell::new(true),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Sends a command to the node that has its key, wherever that is by now.
    ///
    /// # Errors
    /// The node refuses it, or none can be reached that would take it.
    pub async fn call(&self, command: &[Vec<u8>]) -> Result<Reply, RedisError> {
        let slot = key_of(command).map(slot_of);
        // Where it was sent to, and whether that is an exception.
        let mut sent_to: Option<(String, bool)> = None;
        let mut wait = PATIENCE;
        for left in (0..=self.redirects).rev() {
            let (address, asking) = match sent_to.take() {
                Some(place) => place,
                None => (self.owner(slot).await?, false),
            };
            let node = self.node(&address)?;
            let done = if asking {
                node.call_asking(command).await
            } else {
                node.call(command).await
            };
            let Err(error) = &done else {
                return done;
            };
            if left == 0 {
                return done;
            }
            match Elsewhere::read(error) {
                Some(Elsewhere::Moved(node)) => {
                    self.stale.set(true);
                    sent_to = Some((full(node, &address), false));
                }
                Some(Elsewhere::Ask(node)) => sent_to = Some((full(node, &address), true)),
                Some(Elsewhere::Later) => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                    self.stale.set(true);
                }
                // Nothing of it was sent; somebody else may have its keys by now.
                None if matches!(error, RedisError::Unreachable(_)) => self.stale.set(true),
                None => return done,
            }
        }
        Err(RedisError::Network("too many redirects".to_owned()))
    }

    /// Wire bytes (sent, received) since this was last asked.
    pub fn take_bytes(&self) -> (u64, u64) {
        let nodes = self.nodes.borrow();
        let each = nodes.values().map(|node| node.take_bytes());
        each.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    }

    fn node(&self, address: &str) -> Result<Rc<Redis>, RedisError> {
        if let Some(known) = self.nodes.borrow().get(address) {
            return Ok(Rc::clone(known));
        }
        let wrong = |what: &str| RedisError::Network(format!("`{address}` is no node of a cluster: {what}"));
        let (host, port) = address.rsplit_once(':').ok_or_else(|| wrong("it has no port"))?;
        let options = RedisOptions {
            host: host.to_owned(),
            port: port.parse().map_err(|_| wrong("its port is no number"))?,
            ..self.seeds.first().cloned().unwrap_or_default()
        };
        let node = self.client.redis(options);
        let node = Rc::new(node.map_err(|error: NetError| wrong(&error.message))?);
        self.nodes
            .borrow_mut()
            .insert(address.to_owned(), Rc::clone(&node));
        Ok(node)
    }

    /// Who has a slot; anybody, for a command without a key.
    async fn owner(&self, slot: Option<u16>) -> Result<String, RedisError> {
        if self.stale.get() {
            let _one_at_a_time = self.asking.lock().await;
            if self.stale.get() {
                self.learn().await?;
            }
        }
        let table = self.table.borrow();
        let found = match slot {
            Some(slot) => table.iter().find(|part| (part.first..=part.last).contains(&slot)),
            None if table.is_empty() => None,
            None => table.get(fastrand::usize(..table.len())),
        };
        found.map(|part| part.node.clone()).ok_or_else(|| {
            RedisError::Refused(format!(
                "CLUSTERDOWN no node has the hash slot {}",
                slot.unwrap_or_default()
            ))
        })
    }

    /// Asks one node after the other who has what, first those that are known to be there.
    async fn learn(&self) -> Result<(), RedisError> {
        let mut addresses: Vec<String> = self.nodes.borrow().keys().cloned().collect();
        for seed in &self.seeds {
            let address = format!("{}:{}", seed.host, seed.port);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let question = [b"CLUSTER".to_vec(), b"SLOTS".to_vec()];
        let mut last = RedisError::Network("the cluster has no nodes".to_owned());
        for address in addresses {
            match self.node(&address)?.call(&question).await {
                Ok(reply) => {
                    self.table.replace(parts(&reply, &address));
                    self.stale.set(false);
                    return Ok(());
                }
                // Not part of a cluster: what it says is what is wrong.
                Err(error @ RedisError::Refused(_)) => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// An address as a node says it: without a host it is on the one that was asked.
fn full(node: &str, asked: &str) -> String {
    if !node.starts_with(':') {
        return node.to_owned();
    }
    let host = asked.rsplit_once(':').map_or("", |(host, _)| host);
    format!("{host}{node}")
}

/// The answer to `CLUSTER SLOTS`: first and last slot, the master with its address, and others.
fn parts(reply: &Reply, asked: &str) -> Vec<Part> {
    let Reply::Array(rows) = reply else {
        return Vec::new();
    };
    let slot = |reply: &Reply| match reply {
        Reply::Integer(number) => u16::try_from(*number).ok(),
        _ => None,
    };
    let one = |row: &Reply| {
        let Reply::Array(row) = row else {
            return None;
        };
        let Reply::Array(master) = row.get(2)? else {
            return None;
        };
        let host = match master.first()? {
            Reply::Bulk(host) => String::from_utf8_lossy(host).into_owned(),
            _ => String::new(),
        };
        let port = slot(master.get(1)?)?;
        Some(Part {
            first: slot(row.first()?)?,
            last: slot(row.get(1)?)?,
            node: full(&format!("{host}:{port}"), asked),
        })
    };
    rows.iter().filter_map(one).collect()
}

/// The key that decides where a command goes: the first one.
fn key_of(command: &[Vec<u8>]) -> Option<&[u8]> {
    let name = String::from_utf8_lossy(command.first()?).to_ascii_uppercase();
    let at = match name.as_str() {
        "PING" | "ECHO" | "RANDOMKEY" | "DBSIZE" | "FLUSHALL" | "FLUSHDB" | "INFO" | "TIME" | "CONFIG"
        | "CLUSTER" | "CLIENT" | "COMMAND" | "KEYS" | "SCAN" | "SCRIPT" | "PUBLISH" | "WAIT" | "ACL"
        | "MEMORY" | "LATENCY" | "SLOWLOG" => return None,
        "OBJECT" | "BITOP" => 2,
        // A script says how many keys follow.
        "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" => {
            let none = command.get(2).is_none_or(|count| count == b"0");
            return if none {
                None
            } else {
                command.get(3).map(Vec::as_slice)
            };
        }
        "XREAD" | "XREADGROUP" => {
            1 + command
                .iter()
                .position(|word| word.eq_ignore_ascii_case(b"STREAMS"))?
        }
        _ => 1,
    };
    command.get(at).map(Vec::as_slice)
}

/// The slot of a key: of what is in its first braces, if there is anything.
fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM, which the specification names.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<u8>> {
        text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        // As `CLUSTER KEYSLOT` says.
        for (key, slot) in [
            ("foo", 12182),
            ("somekey", 11058),
            ("foo{hash_tag}", 2515),
            ("", 0),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        let same = |a: &str, b: &str| slot_of(a.as_bytes()) == slot_of(b.as_bytes());
        assert!(same("{user1000}.following", "{user1000}.followers") && same("a{b}{c}", "b"));
        assert!(!same("foo{}{bar}", "bar") && same("foo{{bar}}zap", "{bar"));
    }

    #[test]
    fn a_command_goes_by_its_first_key() {
        for (command, key) in [
            ("GET k", Some("k")),
            ("mget a b", Some("a")),
            ("PING", None),
            ("eval return 0", None),
            ("EVAL script 1 k v", Some("k")),
            ("OBJECT ENCODING k", Some("k")),
            ("XREAD COUNT 2 STREAMS s 0", Some("s")),
        ] {
            let found = key_of(&words(command)).map(|key| String::from_utf8_lossy(key).into_owned());
            assert_eq!(found.as_deref(), key, "{command}");
        }
    }

    #[test]
    fn what_nodes_say_is_understood() {
        let refused = |text: &str| RedisError::Refused(text.to_owned());
        let moved = refused("MOVED 3999 127.0.0.1:6381");
        assert_eq!(Elsewhere::read(&moved), Some(Elsewhere::Moved("127.0.0.1:6381")));
        assert_eq!(
            Elsewhere::read(&refused("ASK 1 :6381")),
            Some(Elsewhere::Ask(":6381"))
        );
        assert_eq!(
            Elsewhere::read(&refused("TRYAGAIN later")),
            Some(Elsewhere::Later)
        );
        assert_eq!(Elsewhere::read(&refused("WRONGTYPE no")), None);
        assert_eq!(full(":6381", "h:1"), "h:6381");
        let bulk = |text: &'static str| Reply::Bulk(bytes::Bytes::from_static(text.as_bytes()));
        let node = |host| Reply::Array(vec![bulk(host), Reply::Integer(7000), bulk("id")]);
        let row =
            |first, last, host| Reply::Array(vec![Reply::Integer(first), Reply::Integer(last), node(host)]);
        let reply = Reply::Array(vec![row(0, 5460, "a"), row(5461, 16383, ""), Reply::Nil]);
        let expected = [(0, 5460, "a:7000"), (5461, 16383, "me:7000")];
        let expected = expected.map(|(first, last, node)| Part {
            first,
            last,
            node: node.to_owned(),
        });
        assert_eq!(parts(&reply, "me:1"), expected);
    }
}
