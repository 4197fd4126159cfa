//! How a script says where its Redis is: an address (`redis://user:password@host:6379/0`), an object with a `socket`, or
//! the flat object of earlier versions; or a cluster by some of its nodes. As in the dialect, an option that is not known is an error.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use rquickjs::{Ctx, Result, Value};
use serde::Deserialize;
use url::Url;

use crate::net::{RedisOptions, RedisPlan, TlsMaterial};

const SENTINEL: &str = "sentinels are not supported: connect to the master, by a socket or an address";
/// How often a command is sent elsewhere unless a script says otherwise.
const REDIRECTS: usize = 3;

/// What says that there is a cluster.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Cluster {
    max_redirects: i64,
    // Commands go to masters.
    #[serde(rename = "readOnly")]
    _read_only: bool,
    #[serde(rename = "routeByLatency")]
    _route_by_latency: bool,
    #[serde(rename = "routeRandomly")]
    _route_randomly: bool,
    nodes: Vec<serde_json::Value>,
}

/// The object form. Every option of the dialect has its place; those without an effect here say why.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Given {
    socket: Option<Socket>,
    username: String,
    password: String,
    database: u32,
    // A command is sent again only where it cannot have arrived.
    #[serde(rename = "maxRetries")]
    _max_retries: i64,
    #[serde(rename = "minRetryBackoff")]
    _min_retry_backoff: i64,
    #[serde(rename = "maxRetryBackoff")]
    _max_retry_backoff: i64,
    // Of earlier versions.
    addrs: Vec<String>,
    db: u32,
    dial_timeout: i64,
    read_timeout: i64,
    #[serde(rename = "writeTimeout")]
    _write_timeout: i64,
    pool_size: usize,
    #[serde(rename = "minIdleConns")]
    _min_idle_conns: usize,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Socket {
    host: String,
    port: u16,
    tls: Option<Tls>,
    dial_timeout: i64,
    read_timeout: i64,
    // Writing is part of a command, which has its limit.
    #[serde(rename = "writeTimeout")]
    _write_timeout: i64,
    pool_size: usize,
    // Connections are opened when they are needed, and last as long as the virtual user.
    #[serde(rename = "minIdleConns")]
    _min_idle_conns: usize,
    #[serde(rename = "maxConnAge")]
    _max_conn_age: i64,
    #[serde(rename = "poolTimeout")]
    _pool_timeout: i64,
    #[serde(rename = "idleTimeout")]
    _idle_timeout: i64,
    #[serde(rename = "idleCheckFrequency")]
    _idle_check_frequency: i64,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tls {
    ca: Vec<String>,
    cert: String,
    key: String,
}

/// Reads the argument of `new Client(…)`. The inner error says what is wrong.
pub fn read<'js>(
    ctx: &Ctx<'js>,
    options: Option<Value<'js>>,
) -> Result<std::result::Result<RedisPlan, String>> {
    let Some(options) = options.filter(|value| !value.is_undefined() && !value.is_null()) else {
        return Ok(Err(
            "none are given; expected an address such as 'redis://localhost:6379' or an object".to_owned(),
        ));
    };
    if let Some(address) = options.as_string() {
        return Ok(from_address(&address.to_string()?).map(RedisPlan::One));
    }
    if !options.is_object() {
        let kind = options.type_name();
        return Ok(Err(format!(
            "invalid options type: {kind}; expected string or object"
        )));
    }
    let json = ctx.json_stringify(options)?;
    let json = json.map(|json| json.to_string()).transpose()?.unwrap_or_default();
    Ok(plan(&json))
}

/// A cluster, if the object says so, else one server.
fn plan(json: &str) -> std::result::Result<RedisPlan, String> {
    let wrong = |error: serde_json::Error| error.to_string();
    let mut value: serde_json::Value = serde_json::from_str(json).map_err(wrong)?;
    if value.get("masterName").is_some() {
        return Err(SENTINEL.to_owned());
    }
    if let Some(cluster) = value.get("cluster") {
        let cluster = Cluster::deserialize(cluster).map_err(wrong)?;
        let node = |node: &serde_json::Value| match node.as_str() {
            Some(address) => from_address(address),
            None => from_json(&node.to_string()),
        };
        let nodes = cluster
            .nodes
            .iter()
            .map(node)
            .collect::<std::result::Result<_, _>>()?;
        return of_nodes(nodes, cluster.max_redirects);
    }
    // Several addresses were a cluster in earlier versions.
    let addresses = value.get("addrs").and_then(|list| list.as_array()).cloned();
    let Some(addresses) = addresses.filter(|list| list.len() > 1) else {
        return from_json(json).map(RedisPlan::One);
    };
    let one = |address: serde_json::Value| {
        value["addrs"] = serde_json::Value::Array(vec![address]);
        from_json(&value.to_string())
    };
    let nodes = addresses
        .into_iter()
        .map(one)
        .collect::<std::result::Result<_, _>>()?;
    of_nodes(nodes, 0)
}

/// A cluster by some of its nodes, which are to agree on how one logs in.
fn of_nodes(nodes: Vec<RedisOptions>, redirects: i64) -> std::result::Result<RedisPlan, String> {
    let Some(first) = nodes.first() else {
        return Err("the cluster has no nodes".to_owned());
    };
    for node in &nodes {
        if node.username != first.username {
            return Err(format!(
                "inconsistent username option: {} != {}",
                first.username, node.username
            ));
        }
        if node.password != first.password {
            return Err("inconsistent password option".to_owned());
        }
        if node.database != 0 {
            return Err(format!(
                "a cluster has only the database 0, not {}",
                node.database
            ));
        }
    }
    let redirects = usize::try_from(redirects).unwrap_or(0);
    let redirects = if redirects == 0 { REDIRECTS } else { redirects };
    Ok(RedisPlan::Cluster(nodes, redirects))
}

fn from_json(json: &str) -> std::result::Result<RedisOptions, String> {
    let given: Given = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let mut options = RedisOptions {
        username: given.username,
        password: given.password,
        database: given.database.max(given.db),
        ..RedisOptions::default()
    };
    let (mut dial, mut read, mut pool) = (given.dial_timeout, given.read_timeout, given.pool_size);
    if let Some(socket) = given.socket {
        if socket.host.is_empty() || socket.port == 0 {
            return Err("a socket needs a host and a port".to_owned());
        }
        options.host = socket.host;
        options.port = socket.port;
        options.tls = socket.tls.map(|tls| TlsMaterial {
            certificate: tls.cert,
            key: tls.key,
            only_these_roots: !tls.ca.is_empty(),
            roots: tls.ca,
        });
        (dial, read, pool) = (socket.dial_timeout, socket.read_timeout, socket.pool_size);
    } else if let Some(address) = given.addrs.first() {
        let parts = address.rsplit_once(':');
        let parts = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) =
            parts.ok_or_else(|| format!("the address `{address}` is none: write host:port"))?;
        (options.host, options.port) = (host.to_owned(), port);
    } else {
        return Err("there is no `socket` with a host and a port".to_owned());
    }
    limits(&mut options, dial, read, pool);
    Ok(options)
}

/// Milliseconds and a size; zero is the default, and less than that no limit.
fn limits(options: &mut RedisOptions, dial: i64, read: i64, pool: usize) {
    if let Ok(ms @ 1..) = u64::try_from(dial) {
        options.dial_timeout = Duration::from_millis(ms);
    }
    options.read_timeout = match u64::try_from(read) {
        Err(_) => None,
        Ok(0) => options.read_timeout,
        Ok(ms) => Some(Duration::from_millis(ms)),
    };
    if pool > 0 {
        options.pool_size = pool;
    }
}

fn from_address(address: &str) -> std::result::Result<RedisOptions, String> {
    let url = Url::parse(address).map_err(|error| format!("redis: invalid URL: {error}"))?;
    let secure = match url.scheme() {
        "redis" => false,
        "rediss" => true,
        other => {
            return Err(format!(
                "redis: invalid URL scheme: {other}; there are redis and rediss"
            ));
        }
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut options = RedisOptions {
        username: decoded(url.username()),
        password: decoded(url.password().unwrap_or_default()),
        tls: secure.then(TlsMaterial::default),
        ..RedisOptions::default()
    };
    if let Some(host) = url.host_str().filter(|host| !host.is_empty()) {
        options.host = decoded(host);
    }
    options.port = url.port().unwrap_or(options.port);
    let number = |text: &str| {
        let number = text.parse();
        number.map_err(|_| format!("redis: invalid database number: \"{text}\""))
    };
    let path = url.path().trim_matches('/');
    if !path.is_empty() {
        options.database = number(path)?;
    }
    for (key, value) in url.query_pairs() {
        match &*key {
            "db" => options.database = number(&value)?,
            "dial_timeout" | "read_timeout" => {
                let time = match value.parse() {
                    // As in Go: a number without unit is seconds.
                    Ok(seconds) => Ok(Duration::from_secs(seconds)),
                    Err(_) => crate::pace::parse_duration(&value),
                };
                let time = time.map_err(|error| format!("redis: invalid {key} duration: {error}"))?;
                let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                let (dial, read) = if key == "dial_timeout" { (ms, 0) } else { (0, ms) };
                limits(&mut options, dial, read, 0);
            }
            "pool_size" => {
                let size = value.parse();
                let size = size.map_err(|_| format!("redis: invalid pool_size number: \"{value}\""))?;
                limits(&mut options, 0, 0, size);
            }
            // As in the object: known, and without an effect.
            "protocol" | "client_name" | "max_retries" | "min_retry_backoff" | "max_retry_backoff"
            | "write_timeout" | "pool_fifo" | "pool_timeout" | "min_idle_conns" | "max_idle_conns"
            | "max_active_conns" | "conn_max_idle_time" | "conn_max_lifetime" | "idle_timeout"
            | "max_conn_age" => {}
            other => return Err(format!("redis: unexpected option: {other}")),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_all_that_objects_do() {
        let options = from_address(
            "rediss://us%40er:p%3Aw@redis.test:7000/3?dial_timeout=2&read_timeout=250ms&pool_size=4",
        )
        .unwrap();
        assert_eq!(
            (&*options.host, options.port, options.database),
            ("redis.test", 7000, 3)
        );
        assert_eq!((&*options.username, &*options.password), ("us@er", "p:w"));
        assert_eq!(options.dial_timeout, Duration::from_secs(2));
        assert_eq!(options.read_timeout, Some(Duration::from_millis(250)));
        assert!(options.tls.is_some() && options.pool_size == 4);
        let options = from_address("redis://").unwrap();
        assert_eq!(
            (&*options.host, options.port, options.database),
            ("localhost", 6379, 0)
        );
        assert!(options.tls.is_none());
        for (address, part) in [
            ("http://x", "invalid URL scheme: http"),
            ("x", "invalid URL"),
            ("redis://x/nine", "invalid database number"),
            ("redis://x?nope=1", "unexpected option: nope"),
            ("redis://x?pool_size=many", "invalid pool_size"),
            ("redis://x?read_timeout=soon", "invalid read_timeout"),
        ] {
            let error = from_address(address).unwrap_err();
            assert!(error.contains(part), "{address}: {error}");
        }
    }

    #[test]
    fn objects_are_read_strictly() {
        let options = from_json(
            r#"{"socket":{"host":"h","port":1,"tls":{"ca":["x"]},"readTimeout":-1},"username":"u","password":"p","database":2}"#,
        )
        .unwrap();
        assert_eq!((&*options.host, options.port, options.database), ("h", 1, 2));
        assert!(options.read_timeout.is_none() && options.tls.unwrap().only_these_roots);
        let options = from_json(r#"{"addrs":["h:2"],"db":3}"#).unwrap();
        assert_eq!((&*options.host, options.port, options.database), ("h", 2, 3));
        for (json, part) in [
            (
                r#"{"socket":{"host":"h","port":1},"nope":1}"#,
                "unknown field `nope`",
            ),
            (r#"{"socket":{"host":"h","port":"1"}}"#, "invalid type"),
            (r#"{"socket":{"host":"h"}}"#, "a host and a port"),
            (r#"{"cluster":{"nodes":[]}}"#, "has no nodes"),
            (
                r#"{"cluster":{"nodes":["redis://h"],"nope":1}}"#,
                "unknown field `nope`",
            ),
            (r#"{"cluster":{"nodes":["redis://h/2"]}}"#, "only the database 0"),
            (
                r#"{"cluster":{"nodes":["redis://a:x@h","redis://b:x@h"]}}"#,
                "inconsistent username option: a != b",
            ),
            (
                r#"{"cluster":{"nodes":[{"cluster":{}}]}}"#,
                "unknown field `cluster`",
            ),
            (
                r#"{"masterName":"m","socket":{"host":"h","port":1}}"#,
                "sentinels are not",
            ),
            (r#"{"addrs":["a"]}"#, "write host:port"),
            ("{}", "no `socket`"),
        ] {
            let error = plan(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
    }

    #[test]
    fn a_cluster_is_some_of_its_nodes() {
        for (json, ports, most) in [
            (
                r#"{"cluster":{"nodes":["redis://h:1","redis://h:2"]}}"#,
                &[1, 2][..],
                3,
            ),
            (
                r#"{"cluster":{"maxRedirects":7,"readOnly":true,"nodes":[{"socket":{"host":"h","port":3}}]}}"#,
                &[3][..],
                7,
            ),
            (r#"{"addrs":["h:4","h:5"],"password":"p"}"#, &[4, 5][..], 3),
        ] {
            let RedisPlan::Cluster(nodes, redirects) = plan(json).unwrap() else {
                panic!("{json} is a cluster");
            };
            let found: Vec<u16> = nodes.iter().map(|node| node.port).collect();
            assert_eq!((found.as_slice(), redirects), (ports, most), "{json}");
        }
    }
}
