//! A real Redis for a test.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::run_support::{eventually, free_port};

/// A Redis of our own, gone with the test.
pub struct Redis {
    server: Child,
    pub port: String,
    arguments: Vec<String>,
    folder: tempfile::TempDir,
}

impl Redis {
    pub fn start() -> Redis {
        Redis::with(&free_port().to_string(), &[])
    }

    /// On this port, with more arguments.
    pub fn with(port: &str, more: &[&str]) -> Redis {
        let folder = tempfile::tempdir().unwrap();
        let plain = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let mut arguments: Vec<String> = ["--port", port].map(str::to_owned).to_vec();
        arguments.extend(plain.iter().chain(more).map(|word| (*word).to_owned()));
        let redis = Redis {
            server: serve(&arguments, folder.path()),
            port: port.to_owned(),
            arguments,
            folder,
        };
        redis.answers();
        redis
    }

    /// Waits until it takes connections.
    fn answers(&self) {
        let port: u16 = self.port.parse().unwrap();
        eventually(Duration::from_secs(20), "redis answers", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
    }

    /// Ends it and starts it again: it has forgotten everything, and its connections are gone.
    pub fn restart(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        self.server = serve(&self.arguments, self.folder.path());
        self.answers();
    }

    pub fn ask(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

fn serve(arguments: &[String], folder: &Path) -> Child {
    Command::new("redis-server")
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server: the README's set-up line installs it")
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
