//! What the dialect's tests share: a server that tells what it was sent, and a virtual user for a few lines of script.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

pub mod room;

use loadgen::metrics::{Batch, Epoch, Recorder, Registry, SystemTags};
use loadgen::net::{NetOptions, Shared};
use loadgen::script::{HttpDefaults, Program, ScriptUser, Seat, Verdict, Workshop};
use serde_json::{Value, json};

/// One request as the server read it.
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    /// As JSON: method, path, headers in lower case, the body as text and its bytes.
    fn echo(&self) -> Value {
        let headers: BTreeMap<String, &String> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect();
        json!({
            "method": self.method,
            "path": self.path,
            "headers": headers,
            "body": String::from_utf8_lossy(&self.body),
            "bytes": self.body,
        })
    }
}

/// Starts a server for the rest of the process. `/echo` tells what it was sent, `/digest` wants `user`/`secret` by
/// Digest (`/digest-sha256` with that algorithm, `/digest-never` refuses every answer), anything else is echoed too.
pub fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(stream: TcpStream) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let asked = read(&mut reader)?;
        let (status, extra, body) = answer(&asked);
        // A request can ask for its own body instead of what is told of it.
        let body = match asked.header("x-echo") {
            Some("raw") => String::from_utf8_lossy(&asked.body).into_owned(),
            _ => body.to_string(),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{extra}\r\n",
            body.len()
        );
        writer.write_all(head.as_bytes()).ok()?;
        writer.write_all(body.as_bytes()).ok()?;
    }
}

pub fn read(reader: &mut BufReader<impl Read>) -> Option<Asked> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut asked = Asked {
        method,
        path,
        headers,
        body: Vec::new(),
    };
    let length = asked
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    asked.body = vec![0; length];
    reader.read_exact(&mut asked.body).ok()?;
    Some(asked)
}

fn answer(asked: &Asked) -> (&'static str, String, Value) {
    if !asked.path.starts_with("/digest") {
        return ("200 OK", String::new(), asked.echo());
    }
    let algorithm = if asked.path == "/digest-sha256" {
        "SHA-256"
    } else {
        "MD5"
    };
    let answered = asked.header("authorization").is_some_and(|value| {
        value.starts_with("Digest ")
            && value.contains("username=\"user\"")
            && value.contains(&format!("algorithm={algorithm}"))
            && value.contains(&format!("uri=\"{}\"", asked.path))
    });
    if answered && asked.path != "/digest-never" {
        return ("200 OK", String::new(), asked.echo());
    }
    let challenge = format!(
        "www-authenticate: Digest realm=\"r\", qop=\"auth\", algorithm={algorithm}, nonce=\"n1\"\r\n"
    );
    ("401 Unauthorized", challenge, json!({}))
}

/// Runs `body` as one iteration, with `http`, `check`, a strict `eq(actual, expected)` and the server's `url` in scope.
/// What was recorded comes back.
pub fn iterate(url: &str, body: &str) -> Vec<Batch> {
    let text = format!(
        "import http from 'k6/http'; import {{ check, group, sleep }} from 'k6';
         const url = '{url}';
         function eq(actual, expected) {{
           const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
           if (a !== b) throw new Error(`got ${{a}}, expected ${{b}}`);
         }}
         export default async function () {{ {body} }}"
    );
    let program = Arc::new(Program::from_text(
        "file:///dialect/case.js",
        text,
        BTreeMap::new(),
    ));
    let recorder = Recorder::new(Registry::new(SystemTags::default()), 0);
    let net = Shared::new(NetOptions::default()).unwrap();
    let shop = Workshop::new(program, recorder, Epoch::now(), net, HttpDefaults::default());
    let shop = Rc::new(shop);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let seat = Seat {
            vu: 1,
            exec: "default".into(),
            ..Seat::default()
        };
        let (mut user, _) = ScriptUser::start(shop.clone(), seat).await.unwrap();
        match user.iterate(0).await {
            Verdict::Complete => {}
            other => panic!("{other:?}\n{body}"),
        }
    });
    vec![shop.recorder.drain()]
}
