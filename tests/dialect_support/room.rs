//! An HTTP server that echoes, redirects, sets cookies, asks for passwords, compresses, delays and fails on demand.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder, write::ZlibEncoder};
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

fn start(serve: impl Fn(TcpStream) -> Option<()> + Send + Sync + 'static) -> SocketAddr {
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

/// How many requests `/together` has under way, and the most of them since it had none.
static TOGETHER: Mutex<(u64, u64)> = Mutex::new((0, 0));

struct Answer {
    status: u16,
    kind: &'static str,
    headers: Vec<String>,
    body: Vec<u8>,
}

fn serve(stream: impl Read + Write) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let asked = read(&mut reader)?;
        let answer = answer(&asked)?;
        let mut text = format!(
            "HTTP/1.1 {} Said\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
            answer.status,
            answer.kind,
            answer.body.len()
        );
        for header in &answer.headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        if asked.method != "HEAD" {
            bytes.extend(&answer.body);
        }
        reader.get_mut().write_all(&bytes).ok()?;
        reader.get_mut().flush().ok()?;
    }
}

/// `None` ends the connection without an answer.
fn answer(asked: &Asked) -> Option<Answer> {
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
    };
    match parts[0] {
        "drop" => return None,
        // Says the most that were there at once while it was there itself.
        "together" => {
            {
                let mut together = TOGETHER.lock().unwrap();
                together.0 += 1;
                together.1 = together.1.max(together.0);
            }
            thread::sleep(Duration::from_millis(number(1)));
            let mut together = TOGETHER.lock().unwrap();
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
        "gzip" | "deflate" => {
            let said = echo(asked, query).to_string();
            answer.headers.push(format!("Content-Encoding: {}", parts[0]));
            answer.body = if parts[0] == "gzip" {
                let mut coder = GzEncoder::new(Vec::new(), Compression::fast());
                coder.write_all(said.as_bytes()).ok()?;
                coder.finish().ok()?
            } else {
                let mut coder = ZlibEncoder::new(Vec::new(), Compression::fast());
                coder.write_all(said.as_bytes()).ok()?;
                coder.finish().ok()?
            };
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
