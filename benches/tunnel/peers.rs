//! The real programs on both ends: sshd, nginx, a server of endless bytes, and the two that forward.

use std::fmt;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::clients::Noise;

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A process that ends with its owner.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // As Ctrl-C does, so that it can take its own children along; sshd's and nginx's would stay otherwise.
        let pid = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

fn start(what: &str, command: &mut Command, port: u16) -> Ends {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    let mut child = Ends(child.unwrap_or_else(|error| {
        panic!("{what}: {error}. On Debian, as root: apt-get install openssh-server nginx-light wrk")
    }));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !answers(port) {
        assert!(child.0.try_wait().unwrap().is_none(), "{what} ended by itself");
        assert!(Instant::now() < deadline, "{what} does not answer on port {port}");
        thread::sleep(Duration::from_millis(20));
    }
    child
}

fn keygen(file: &Path) {
    let done = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(file)
        .status();
    assert!(done.expect("ssh-keygen").success());
}

/// The folder of all files, and the configuration that both clients read.
pub struct Place {
    folder: tempfile::TempDir,
    loadgen: PathBuf,
}

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        keygen(&folder.path().join("host"));
        keygen(&folder.path().join("key"));
        fs::copy(
            folder.path().join("key.pub"),
            folder.path().join("authorized_keys"),
        )
        .unwrap();
        let loadgen = std::env::var_os("LOADGEN")
            .map_or_else(|| PathBuf::from("target/release/loadgen"), PathBuf::from);
        assert!(
            loadgen.exists(),
            "{} is missing: cargo build --release",
            loadgen.display()
        );
        Place { folder, loadgen }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `ssh_config` and `known_hosts` for an sshd, or what leads to it, on this port.
    fn config(&self, port: u16) -> PathBuf {
        let public = fs::read_to_string(self.file("host.pub")).unwrap();
        let known = self.file(&format!("known-{port}"));
        fs::write(&known, format!("[127.0.0.1]:{port} {public}")).unwrap();
        let config = self.file(&format!("config-{port}"));
        let text = format!(
            "Host bench\n  HostName 127.0.0.1\n  Port {port}\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {}\n  StrictHostKeyChecking yes\n",
            self.file("key").display(),
            known.display()
        );
        fs::write(&config, text).unwrap();
        config
    }
}

/// What is on the far end.
pub struct Server {
    /// sshd's port.
    pub ssh: u16,
    /// nginx's.
    pub http: u16,
    /// That of a server which sends noise to whoever connects, for as long as it is read.
    pub bytes: u16,
    _children: [Ends; 2],
}

impl Server {
    pub fn start(place: &Place) -> Server {
        let ssh = free_port();
        // Where the package puts it when the machine starts; sshd insists.
        let _ = fs::create_dir_all("/run/sshd");
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {ssh}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin prohibit-password\nLogLevel ERROR\n",
            place.file("host").display(),
            place.file("authorized_keys").display()
        );
        fs::write(place.file("sshd_config"), config).unwrap();
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f"]).arg(place.file("sshd_config"));
        let sshd = start("sshd", &mut sshd, ssh);

        let http = free_port();
        let folder = place.folder.path().display();
        let config = format!(
            "daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n\
             events {{ worker_connections 8192; }}\n\
             http {{\n  access_log off;\n  keepalive_requests 1000000000;\n  keepalive_timeout 300s;\n  \
             client_body_temp_path {folder}/body;\n  proxy_temp_path {folder}/proxy;\n  fastcgi_temp_path {folder}/fastcgi;\n  \
             uwsgi_temp_path {folder}/uwsgi;\n  scgi_temp_path {folder}/scgi;\n  \
             server {{\n    listen 127.0.0.1:{http} backlog=8192;\n    \
             location / {{ default_type text/plain; return 200 ok; }}\n  }}\n}}\n"
        );
        fs::write(place.file("nginx.conf"), config).unwrap();
        let mut nginx = Command::new("nginx");
        nginx
            .arg("-e")
            .arg(place.file("nginx.log"))
            .arg("-c")
            .arg(place.file("nginx.conf"));
        let nginx = start("nginx", &mut nginx, http);
        Server {
            ssh,
            http,
            bytes: noise_server(),
            _children: [sshd, nginx],
        }
    }
}

fn noise_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut noise = Noise::new();
                let mut buffer = vec![0; 256 << 10];
                loop {
                    noise.fill(&mut buffer);
                    if stream.write_all(&buffer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// Who forwards.
#[derive(Clone, Copy)]
pub enum Way {
    OpenSsh,
    Loadgen,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Way::OpenSsh => "ssh -L",
            Way::Loadgen => "loadgen tunnel",
        })
    }
}

/// A running forward from a port of this machine.
pub struct Tunnel {
    pub port: u16,
    child: Ends,
}

impl Tunnel {
    /// By way of the sshd on port `ssh` to port `to` of its machine, which is this one.
    pub fn open(place: &Place, way: Way, ssh: u16, to: u16) -> Tunnel {
        Tunnel::warm(place, way, ssh, to, 0)
    }

    /// The same, with so many channels opened ahead; ssh has no such thing.
    pub fn warm(place: &Place, way: Way, ssh: u16, to: u16, channels: usize) -> Tunnel {
        let port = free_port();
        let config = place.config(ssh);
        let forward = format!("{port}:127.0.0.1:{to}");
        let mut command;
        match way {
            Way::OpenSsh => {
                command = Command::new("ssh");
                // loadgen's first choice: on processors with AES instructions faster than ssh's own.
                command.args([
                    "-N",
                    "-T",
                    "-c",
                    "aes128-gcm@openssh.com",
                    "-o",
                    "ExitOnForwardFailure=yes",
                ]);
                command.arg("-F").arg(config).args(["-L", &forward, "bench"]);
            }
            Way::Loadgen => {
                command = Command::new(&place.loadgen);
                command.args(["tunnel", "bench", "--quiet", "--forward", &forward]);
                command.arg("--ssh-config").arg(config);
                command.args(["--ssh-warm", &channels.to_string()]);
                if let Ok(lanes) = std::env::var("LANES") {
                    command.args(["--ssh-lanes", &lanes]);
                }
            }
        }
        let child = start(&way.to_string(), &mut command, port);
        Tunnel { port, child }
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.0.id())).unwrap()
    }

    /// User and system time so far, in seconds.
    pub fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        // After the name in brackets, which may hold anything: the state is field 3, utime 14, stime 15.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // USER_HZ, which is 100 on every Linux.
        ticks as f64 / 100.0
    }

    /// Resident memory now.
    pub fn memory_mb(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
    }

    /// Sockets that it has open.
    pub fn open_sockets(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.0.id());
        let links = fs::read_dir(folder).unwrap().flatten();
        links
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .filter(|link| link.to_string_lossy().starts_with("socket:"))
            .count()
    }
}
