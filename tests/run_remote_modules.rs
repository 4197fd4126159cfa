//! Modules by address: fetched once and only when allowed, pinned, and never taken for what they are not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;
mod tls_support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use run_support::{Ended, Scripted, loadgen};
use tls_support::{Pki, pki, server_config};

/// Status, more headers, body.
type Page = (u16, String, String);

/// An https server for a few pages, which notes what it was asked.
struct Site {
    port: u16,
    pages: Arc<Mutex<BTreeMap<String, Page>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn start(pki: &Pki) -> Site {
        let config = Arc::new(server_config(pki, &["http/1.1"], false));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Site {
            port: listener.local_addr().unwrap().port(),
            pages: Arc::default(),
            asked: Arc::default(),
        };
        let (pages, asked) = (site.pages.clone(), site.asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = rustls::ServerConnection::new(config.clone()).unwrap();
                let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream));
                let mut first = String::new();
                if stream.read_line(&mut first).unwrap_or(0) == 0 {
                    continue;
                }
                let mut line = String::new();
                while stream.read_line(&mut line).unwrap_or(0) > 2 {
                    line.clear();
                }
                let path = first.split(' ').nth(1).unwrap_or("").to_owned();
                let found = pages.lock().unwrap().get(&path).cloned();
                let (status, headers, body) = found.unwrap_or((404, String::new(), String::new()));
                asked.lock().unwrap().push(path);
                let length = body.len();
                let _ = write!(
                    stream.get_mut(),
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
                );
                let tls = stream.get_mut();
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        });
        site
    }

    fn page(&self, path: &str, body: &str) {
        let page = (200, String::new(), body.to_owned());
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// A script with a cache of its own.
struct Case {
    script: Scripted,
    roots: PathBuf,
}

impl Case {
    fn new(pki: &Pki, text: &str) -> Case {
        let script = Scripted::new(text);
        let roots = PathBuf::from(script.file("roots.pem"));
        std::fs::write(&roots, &pki.authority).unwrap();
        Case { script, roots }
    }

    fn run(&self, cache: &str, more: &[&str]) -> Ended {
        let path = self.script.path();
        let mut arguments = vec!["run", "--metrics-addr=off", "--quiet"];
        arguments.extend(more);
        arguments.push(path);
        let mut command = loadgen(&arguments);
        command
            .env("SSL_CERT_FILE", &self.roots)
            .env("XDG_CACHE_HOME", self.script.file(cache));
        command.output().unwrap().into()
    }

    fn lock(&self) -> String {
        self.script.read("loadgen-modules.lock")
    }
}

const ALLOWED: &[&str] = &["--allow-remote-modules"];

#[test]
fn a_module_is_fetched_once_pinned_and_then_what_it_was() {
    let pki = pki();
    let site = Site::start(&pki);
    site.page("/lib/v2/main.js", "import { part } from './part.js'; import http from 'k6/http'; export const sum = (n) => n + part + typeof http.get;");
    site.page("/lib/v2/part.js", "export const part = 40;");
    site.page("/old.js", "module.exports = { two: 2 };");
    let leads = (302, "location: /lib/v2/main.js\r\n".to_owned(), String::new());
    site.pages.lock().unwrap().insert("/lib/latest".to_owned(), leads);
    let (latest, old) = (site.url("/lib/latest"), site.url("/old.js"));
    let case = Case::new(
        &pki,
        &format!(
            "import {{ sum }} from '{latest}'; import {{ two }} from '{old}';
            export const options = {{ vus: 3, iterations: 3 }};
            export default function () {{ console.log(`it is ${{sum(two)}}`); }}"
        ),
    );
    let ended = case.run("cache", &[]);
    assert_ne!(ended.code, 0);
    ended.says(&["--allow-remote-modules", "is not built in", &latest]);
    assert!(site.asked().is_empty());

    case.run("cache", ALLOWED)
        .expect(0)
        .says(&["it is 42function", "pinned it in", "sha256 "]);
    let mut asked = site.asked();
    asked.sort();
    assert_eq!(
        asked,
        ["/lib/latest", "/lib/v2/main.js", "/lib/v2/part.js", "/old.js"]
    );
    let lock = case.lock();
    let read: serde_json::Value = serde_json::from_str(&lock).unwrap();
    assert_eq!(read["modules"][&latest]["from"], site.url("/lib/v2/main.js"));
    assert_eq!(read["modules"].as_object().unwrap().len(), 3, "{lock}");

    // From now on neither the flag nor the server is needed.
    for more in [&[][..], ALLOWED] {
        case.run("cache", more).expect(0).says(&["it is 42function"]);
    }
    assert!(site.asked().is_empty());

    // Another machine has the lock, and not the cache.
    case.run("empty", &[])
        .says(&["is pinned in loadgen-modules.lock, but not in this machine's cache"]);
    case.run("empty", ALLOWED)
        .expect(0)
        .says(&["it is what loadgen-modules.lock pins"]);
    assert_eq!(site.asked().len(), 4);
    assert_eq!(case.lock(), lock);

    // What has changed on the way is not run, and what was changed in the cache is not taken.
    site.page("/lib/v2/part.js", "export const part = 41;");
    let ended = case.run("third", ALLOWED);
    assert_ne!(ended.code, 0);
    ended.says(&["has changed", "remove its entry there", "/lib/v2/part.js"]);
    assert_eq!(case.lock(), lock);
    let part = read["modules"][&site.url("/lib/v2/part.js")]["sha256"]
        .as_str()
        .unwrap();
    let kept = case.script.file(&format!("cache/loadgen/modules/{part}"));
    std::fs::write(&kept, "export const part = 1;").unwrap();
    case.run("cache", &[]).says(&["but not in this machine's cache"]);
}

#[test]
fn what_cannot_be_fetched_says_why() {
    let pki = pki();
    let site = Site::start(&pki);
    site.page(
        "/thief.js",
        "import x from 'file:///etc/hostname'; export default x;",
    );
    site.page("/broken.js", "export const = 1;");
    for (address, parts) in [
        (
            site.url("/none.js"),
            &["cannot be fetched: the server answered 404"][..],
        ),
        ("http://localhost:1/x.js".to_owned(), &["only https is"]),
        (
            "https://localhost:1/x.js".to_owned(),
            &["cannot be fetched: dial: connection refused"],
        ),
        (site.url("/thief.js"), &["must not import 'file:///etc/hostname'"]),
        (site.url("/broken.js"), &["/broken.js:1"]),
        (
            "https://jslib.k6.io/kafka/0.1.0/index.js".to_owned(),
            &["is not built in", "k6-utils"],
        ),
    ] {
        let case = Case::new(
            &pki,
            &format!("import x from '{address}'; export default function () {{}}"),
        );
        // Nothing of jslib's is asked for in a test.
        let more = if address.contains("jslib") {
            &[][..]
        } else {
            ALLOWED
        };
        let ended = case.run("cache", more);
        assert_ne!(ended.code, 0, "{address}");
        ended.says(parts);
    }
    // A lock that somebody has broken is not written over.
    let case = Case::new(
        &pki,
        &format!(
            "import x from '{}'; export default function () {{}}",
            site.url("/none.js")
        ),
    );
    std::fs::write(case.script.file("loadgen-modules.lock"), "{").unwrap();
    case.run("cache", ALLOWED)
        .says(&["loadgen-modules.lock cannot be read", "mend it, or remove it"]);
    assert_eq!(case.lock(), "{");
}
