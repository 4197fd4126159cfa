//! Every script of `tests/dialect/` is run unmodified against rooms of our own, for HTTP, sockets and gRPC, and a real Redis.
//! Comments at its head say how it is run and what is expected: `dialect_support/head.rs` has their forms. Which script shows
//! which behaviour is in `tests/dialect/README.md`.
#![allow(clippy::unwrap_used)]

#[path = "dialect_support/aws.rs"]
mod aws;
mod dialect_support;
mod grpc_support;
#[path = "dialect_support/head.rs"]
mod head;
mod redis_support;
mod run_support;
mod tls_support;
mod ws_support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dialect_support::room::{room, tls_room};
use grpc_support::Room;
use head::faults;
use openssl::pkey::PKey;
use openssl::symm::Cipher;
use redis_support::Redis;
use tls_support::{pki, server_config};
use ws_support::WsServer;

/// How many scripts run at a time: most of them wait more than they work.
const TOGETHER: usize = 4;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialect")
}

fn scripts() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.is_file() && matches!(path.extension().and_then(|e| e.to_str()), Some("js" | "ts"))
        })
        .collect();
    found.sort();
    found
}

/// A key under the password `secret`: as PKCS #8, and as OpenSSL wrote keys before.
fn sealed(key: &str) -> (String, String) {
    let key = PKey::private_key_from_pem(key.as_bytes()).unwrap();
    let new = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret");
    let curve = key.ec_key().unwrap();
    let old = curve.private_key_to_pem_passphrase(Cipher::des_ede3_cbc(), b"secret");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(new.unwrap()), text(old.unwrap()))
}

#[test]
fn every_script_gives_what_its_head_says() {
    let redis = Redis::start();
    let server = WsServer::start();
    let base = room();
    let known = pki();
    let (sealed, old) = sealed(&known.client_key);
    let peers = [
        format!("BASE=http://{base}"),
        format!("TLS=https://{}", tls_room(server_config(&known, &[], false))),
        // Wants a certificate: this one, whose key is sealed with `secret`, in the new form and in the old one.
        format!("MUTUAL=https://{}", tls_room(server_config(&known, &[], true))),
        format!("CERT={}", known.client),
        format!("KEY={sealed}"),
        format!("OLD_KEY={old}"),
        format!("WS={}", server.url("")),
        format!("AWS=http://{}", aws::services()),
        format!("GRPC={}", Room::start().leave()),
        format!("REDIS=127.0.0.1:{}", redis.port),
    ];
    let only = std::env::var("DIALECT_SCRIPT").unwrap_or_default();
    let mut scripts = scripts();
    assert!(scripts.len() > 5, "{scripts:?}");
    scripts.retain(|script| script.to_string_lossy().contains(&only));
    let (left, failed) = (Mutex::new(scripts), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| {
                loop {
                    let Some(script) = left.lock().unwrap().pop() else {
                        break;
                    };
                    let faults = faults(&script, &peers);
                    if !faults.is_empty() {
                        let told = format!("== {}\n{}", script.display(), faults.join("\n"));
                        failed.lock().unwrap().push(told);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The words in backticks of the table's last column.
fn named_in_table() -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let columns = rows.filter_map(|row| row.trim_end_matches(['|', ' ']).rsplit(" | ").next());
    columns
        .flat_map(|column| {
            column
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The table names every script, and nothing that is not there: a script of the folder, or `tests/FILE.rs::TEST`.
#[test]
fn the_table_has_every_script_and_every_row_has_its_test() {
    let named = named_in_table();
    let mut wrong = Vec::new();
    for name in &named {
        if let Some((file, test)) = name.split_once("::") {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if !text.contains(&format!("fn {test}(")) {
                wrong.push(format!("`{name}` is no test"));
            }
        } else if !folder().join(name).is_file() {
            wrong.push(format!("`{name}` is not there"));
        }
    }
    for script in scripts() {
        let name = script.file_name().unwrap().to_string_lossy().into_owned();
        if !named.contains(&name) {
            wrong.push(format!("{name} is in no row of README.md"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
