//! An HTTP server that echoes, redirects, sets cookies, asks for passwords, compresses, delays and fails on demand.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder, write::ZlibEncoder};
use md5::Digest;
use serde_json::{Map, Value, json};

use super::{Asked, read};

const PAGE: &str = r#"<!DOCTYPE html><html><head><title>Room</title></head><body><h1 class="top">Welcome</h1>
<ul><li>one</li><li>two</li></ul>
<form action="/post" method="post"><input name="user" value="u"><input type="hidden" name="token" value="t1">
<input type="submit" value="Send"></form><a id="more" href="/get?from=link">more</a></body></html>"#;

/// Starts the server for the rest of the process.
pub fn room() -> SocketAddr {
    start(serve)
}

/// The same over TLS, with a certificate that nobody has to trust.
pub fn tls_room(config: rustls::ServerConfig) -> SocketAddr {
    let config = Arc::new(config);
    start(move |stream| {
        let connection = rustls::ServerConnection::new(config.clone()).ok()?;
        serve(rustls::StreamOwned::new(connection, stream))
    })
}

/// Any server of this kind: `serve` has a connection each time, in a thread of its own.
pub fn start(serve: impl Fn(TcpStream) -> Option<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || {
                stream.set_nodelay(true).ok()?;
                serve(stream)
            });
        }
    });
    address
}

/// How many requests `/together/MS` has under way, and the most of them since it had none, for each MS: one for each script.
static TOGETHER: Mutex<BTreeMap<u64, (u64, u64)>> = Mutex::new(BTreeMap::new());

/// Connections so far.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// How the body goes out.
#[derive(PartialEq)]
enum Delivery {
    Whole,
    /// A line at a time, chunked.
    Lines,
    /// The half of it, and then the connection ends.
    Half,
}

struct Answer {
    status: u16,
    kind: &'static str,
    headers: Vec<String>,
    body: Vec<u8>,
    delivery: Delivery,
}

fn serve(stream: impl Read + Write) -> Option<()> {
    let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let mut reader = BufReader::new(stream);
    loop {
        let asked = read(&mut reader)?;
        let answer = answer(&asked, connection)?;
        let mut text = format!(
            "HTTP/1.1 {} Said\r\nContent-Type: {}\r\n",
            answer.status, answer.kind
        );
        match answer.delivery {
            Delivery::Lines => text.push_str("Transfer-Encoding: chunked\r\n"),
            _ => text.extend(["Content-Length: ", &answer.body.len().to_string(), "\r\n"]),
        }
        for header in &answer.headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        if answer.delivery == Delivery::Lines {
            reader.get_mut().write_all(&bytes).ok()?;
            reader.get_mut().flush().ok()?;
            bytes.clear();
            for line in answer.body.split_inclusive(|byte| *byte == b'\n') {
                let mut chunk = format!("{:x}\r\n", line.len()).into_bytes();
                chunk.extend(line);
                chunk.extend(b"\r\n");
                reader.get_mut().write_all(&chunk).ok()?;
                reader.get_mut().flush().ok()?;
            }
            bytes.extend(b"0\r\n\r\n");
        } else if answer.delivery == Delivery::Half {
            bytes.extend(&answer.body[..answer.body.len() / 2]);
        } else if asked.method != "HEAD" {
            bytes.extend(&answer.body);
        }
        reader.get_mut().write_all(&bytes).ok()?;
        reader.get_mut().flush().ok()?;
        if answer.delivery == Delivery::Half {
            return None;
        }
    }
}

/// `None` ends the connection without an answer.
fn answer(asked: &Asked, connection: u64) -> Option<Answer> {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let number = |i: usize| {
        parts
            .get(i)
            .and_then(|part| part.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let mut answer = Answer {
        status: 200,
        kind: "application/json",
        headers: Vec::new(),
        body: Vec::new(),
        delivery: Delivery::Whole,
    };
    match parts[0] {
        "drop" => return None,
        "cut" => {
            answer.body = vec![b'x'; 1000];
            answer.delivery = Delivery::Half;
        }
        "stream" => {
            answer.kind = "text/plain";
            let lines: Vec<String> = (0..number(1)).map(|i| format!("{i}\n")).collect();
            answer.body = lines.concat().into_bytes();
            answer.delivery = Delivery::Lines;
        }
        "connection" => answer.body = json!({ "connection": connection }).to_string().into_bytes(),
        "response-headers" => {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            answer.headers = pairs.map(|(name, value)| format!("{name}: {value}")).collect();
        }
        // Says the most that were there at once while it was there itself.
        "together" => {
            {
                let mut all = TOGETHER.lock().unwrap();
                let together = all.entry(number(1)).or_default();
                together.0 += 1;
                together.1 = together.1.max(together.0);
            }
            thread::sleep(Duration::from_millis(number(1)));
            let mut all = TOGETHER.lock().unwrap();
            let together = all.entry(number(1)).or_default();
            answer.body = json!({ "most": together.1 }).to_string().into_bytes();
            together.0 -= 1;
            if together.0 == 0 {
                together.1 = 0;
            }
        }
        "status" => answer.status = number(1) as u16,
        "redirect" => {
            let left = number(1);
            answer.status = 302;
            let next = if left > 1 {
                format!("/redirect/{}", left - 1)
            } else {
                "/get".to_owned()
            };
            answer.headers.push(format!("Location: {next}"));
        }
        "redirect-to" => {
            let value = |name: &str| {
                let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                pairs
                    .find(|(known, _)| *known == name)
                    .map_or("", |(_, value)| value)
            };
            answer.status = value("status").parse().unwrap_or(302);
            answer.headers.push(format!("Location: {}", value("url")));
        }
        "cookies" if parts.get(1) == Some(&"set") => {
            answer.status = 302;
            answer.headers.push("Location: /cookies".to_owned());
            answer
                .headers
                .extend(query.split('&').map(|pair| format!("Set-Cookie: {pair}; Path=/")));
        }
        "html" => {
            answer.kind = "text/html";
            answer.body = PAGE.into();
        }
        "bytes" => {
            answer.kind = "application/octet-stream";
            answer.body = (0..number(1)).map(|i| i as u8).collect();
        }
        "gzip" | "deflate" | "brotli" | "zstd" => {
            let said = echo(asked, query).to_string();
            let name = if parts[0] == "brotli" { "br" } else { parts[0] };
            answer.headers.push(format!("Content-Encoding: {name}"));
            answer.body = compressed(name, said.as_bytes())?;
        }
        "digest-auth" if !digested(asked) => {
            answer.status = 401;
            answer
                .headers
                .push("WWW-Authenticate: Digest realm=\"room\", qop=\"auth\", nonce=\"n1\"".to_owned());
        }
        "basic-auth" if asked.header("authorization") != Some("Basic dXNlcjpwYXNzd2Q=") => {
            answer.status = 401;
            answer
                .headers
                .push("WWW-Authenticate: Basic realm=\"room\"".to_owned());
        }
        _ => {
            if parts[0] == "delay" {
                thread::sleep(Duration::from_millis(number(1)));
            }
            answer.body = echo(asked, query).to_string().into_bytes();
        }
    }
    Some(answer)
}

/// By the name of a content coding.
fn compressed(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match name {
        "gzip" => {
            let mut coder = GzEncoder::new(Vec::new(), Compression::fast());
            coder.write_all(bytes).ok()?;
            coder.finish().ok()
        }
        "deflate" => {
            let mut coder = ZlibEncoder::new(Vec::new(), Compression::fast());
            coder.write_all(bytes).ok()?;
            coder.finish().ok()
        }
        "br" => {
            let mut coded = Vec::new();
            brotli::CompressorWriter::new(&mut coded, 4096, 3, 20)
                .write_all(bytes)
                .ok()?;
            Some(coded)
        }
        _ => zstd::encode_all(bytes, 1).ok(),
    }
}

/// Whether the digest of `user` and `passwd` is right (RFC 7616, MD5).
fn digested(asked: &Asked) -> bool {
    let Some(answer) = asked
        .header("authorization")
        .and_then(|value| value.strip_prefix("Digest "))
    else {
        return false;
    };
    let part = |name: &str| {
        let mut pairs = answer.split(',').filter_map(|pair| pair.trim().split_once('='));
        let found = pairs.find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.trim_matches('"'))
    };
    let md5 = |text: String| data_encoding::HEXLOWER.encode(&md5::Md5::digest(text));
    let user = md5("user:room:passwd".to_owned());
    let what = md5(format!("{}:{}", asked.method, asked.path));
    let wanted = md5(format!(
        "{user}:n1:{}:{}:{}:{what}",
        part("nc"),
        part("cnonce"),
        part("qop")
    ));
    part("username") == "user" && part("uri") == asked.path && part("response") == wanted
}

fn echo(asked: &Asked, query: &str) -> Value {
    let text = String::from_utf8_lossy(&asked.body).into_owned();
    let pairs = |text: &str, mark: &str| -> Map<String, Value> {
        text.split(mark)
            .filter_map(|pair| pair.trim().split_once('='))
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    };
    let form = asked
        .header("content-type")
        .is_some_and(|kind| kind.contains("x-www-form-urlencoded"));
    let headers: Map<String, Value> = asked
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    json!({
        "method": asked.method,
        "path": asked.path,
        "args": pairs(query, "&"),
        "headers": headers,
        "cookies": pairs(asked.header("cookie").unwrap_or(""), ";"),
        "form": if form { pairs(&text, "&") } else { Map::new() },
        "json": serde_json::from_str::<Value>(&text).unwrap_or(Value::Null),
        "data": text,
    })
}
