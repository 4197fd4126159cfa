//! A real OpenSSH server for a test, with its own keys and its own users, and a home folder to connect from.
//!
//! Users come from files of the test, through libnss-wrapper, so that passwords can be tried and no account of this machine
//! is touched; PAM's services through libpam-wrapper.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::run_support::{Ended, Running, eventually, free_port, loadgen};

/// The password of every user.
pub const PASSWORD: &str = "Corr3ct-horse";
/// Its hash (`openssl passwd -6`).
const HASH: &str =
    "$6$loadgentest$lZvys67cHyFzlDMKKk9tZdggDQjxFAoFbcULrMIGqMNmGdWsmfqqwKk8sQL5srRdyphWxLZEDdD9BtLZqsiAY1";
/// How long anything may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A server. It and its sessions end with it.
pub struct Sshd {
    pub port: u16,
    pub folder: tempfile::TempDir,
    child: Option<Child>,
}

/// What a server is to be like.
#[derive(Default)]
pub struct Setup<'a> {
    /// More lines of `sshd_config`.
    pub config: &'a str,
    /// Users beside `tester`: name and shell.
    pub users: &'a [(&'a str, &'a str)],
    /// Kinds of host keys; ed25519 if none is given.
    pub host_keys: &'a [&'a str],
}

impl Sshd {
    pub fn start() -> Sshd {
        Sshd::with(&Setup::default())
    }

    pub fn with(setup: &Setup) -> Sshd {
        let folder = tempfile::tempdir().unwrap();
        // Users of the test, not of the machine, read it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let sshd = Sshd {
            port: free_port(),
            folder,
            child: None,
        };
        let mut config = String::new();
        let kinds: &[&str] = if setup.host_keys.is_empty() {
            &["ed25519"]
        } else {
            setup.host_keys
        };
        for kind in kinds {
            keygen(kind, "", &sshd.file(&format!("host_{kind}")));
            let _ = writeln!(config, "HostKey {}", sshd.file(&format!("host_{kind}")).display());
        }
        let root = nix::unistd::geteuid().is_root();
        let (uid, gid) = if root {
            (4321, 4321)
        } else {
            (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
        };
        let home = sshd.file("home");
        fs::create_dir(&home).unwrap();
        if root {
            // Where the package puts it when the machine starts; sshd insists.
            fs::create_dir_all("/run/sshd").unwrap();
            std::os::unix::fs::chown(&home, Some(uid), Some(gid)).unwrap();
        }
        let mut users = "root:*:0:0::/root:/bin/sh\nsshd:*:102:65534::/run/sshd:/usr/sbin/nologin\n\
                         nobody:*:65534:65534::/nonexistent:/usr/sbin/nologin\n"
            .to_owned();
        for (name, shell) in [("tester", "/bin/sh")].iter().chain(setup.users) {
            let _ = writeln!(users, "{name}:{HASH}:{uid}:{gid}::{}:{shell}", home.display());
        }
        sshd.write("passwd", &users);
        sshd.write(
            "group",
            &format!("root:x:0:\nnogroup:x:65534:\ntesters:x:{gid}:\n"),
        );
        sshd.write("authorized_keys", "");
        fs::create_dir(sshd.file("pam")).unwrap();
        let pam = "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n";
        sshd.write("pam/sshd", pam);
        sshd.write("pam/other", pam);
        let _ = writeln!(
            config,
            "{}\nPort {}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\nAuthorizedKeysFile {}",
            // The first value counts.
            setup
                .config
                .replace("FOLDER", sshd.folder.path().to_str().unwrap()),
            sshd.port,
            sshd.file("authorized_keys").display()
        );
        sshd.write("sshd_config", &config);
        sshd.up()
    }

    fn up(mut self) -> Sshd {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.file("log"))
            .unwrap();
        let before = self.log().matches("Server listening").count();
        let config = fs::read_to_string(self.file("sshd_config")).unwrap();
        let preloaded = if config.contains("UsePAM yes") {
            "libnss_wrapper.so:libpam_wrapper.so"
        } else {
            "libnss_wrapper.so"
        };
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(self.file("sshd_config"))
            .env("LD_PRELOAD", preloaded)
            .env("NSS_WRAPPER_PASSWD", self.file("passwd"))
            .env("NSS_WRAPPER_GROUP", self.file("group"))
            .env("PAM_WRAPPER", "1")
            .env("PAM_WRAPPER_SERVICE_DIR", self.file("pam"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("openssh-server is installed");
        self.child = Some(child);
        eventually(LIMIT, "sshd listens", || {
            let log = self.log();
            assert!(
                !log.contains("Cannot bind") && !log.contains("Missing privilege"),
                "{log}"
            );
            (log.matches("Server listening").count() > before).then_some(())
        });
        self
    }

    /// Ends the server and all its sessions at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let all = descendants(child.id());
            let _ = child.kill();
            all.into_iter().for_each(kill);
            let _ = child.wait();
        }
    }

    /// The same server once more.
    pub fn restart(mut self) -> Sshd {
        self.kill();
        self.up()
    }

    /// The processes of the sessions, one for each connection.
    pub fn sessions(&self) -> Vec<u32> {
        children(self.child.as_ref().unwrap().id())
    }

    /// Ends a session as a crash would: its process, and the one that it has for what needs no privileges.
    pub fn cut(&self, session: u32) {
        assert!(self.sessions().contains(&session));
        let all = descendants(session);
        kill(session);
        all.into_iter().for_each(kill);
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    /// What it has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Lets the owner of a key in.
    pub fn authorize(&self, key: &Path) {
        let public = fs::read_to_string(key.with_extension("pub")).unwrap();
        let file = self.file("authorized_keys");
        fs::write(&file, fs::read_to_string(&file).unwrap() + &public).unwrap();
    }

    /// `kind base64` of one of its host keys.
    pub fn host_key(&self, kind: &str) -> String {
        let public = fs::read_to_string(self.file(&format!("host_{kind}.pub"))).unwrap();
        public.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// The line of `known_hosts` for its ed25519 key.
    pub fn known(&self) -> String {
        format!("[127.0.0.1]:{} {}\n", self.port, self.host_key("ed25519"))
    }

    /// `tester@127.0.0.1:PORT`.
    pub fn to(&self, user: &str) -> String {
        format!("{user}@127.0.0.1:{}", self.port)
    }

    /// How many logins were refused.
    pub fn refusals(&self) -> usize {
        let log = self.log();
        // "Failed none" is the question which ways there are.
        let refused = [
            "Failed password",
            "Failed publickey",
            "Failed keyboard",
            "PAM: Auth",
        ];
        refused.iter().map(|part| log.matches(part).count()).sum()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn kill(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
}

/// The processes that a process has started and that are alive.
pub fn children(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, ppid) = (fields.next(), fields.next());
        state != Some("Z") && ppid == Some(&parent.to_string())
    })
    .collect()
}

fn descendants(parent: u32) -> Vec<u32> {
    let own = children(parent);
    let below: Vec<u32> = own.iter().flat_map(|pid| descendants(*pid)).collect();
    own.into_iter().chain(below).collect()
}

/// Makes a key pair.
pub fn keygen(kind: &str, passphrase: &str, file: &Path) {
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-q", "-C", "test", "-t", kind, "-N", passphrase, "-f"])
        .arg(file);
    if kind == "rsa" {
        command.args(["-b", "2048"]);
    }
    assert!(command.status().expect("openssh-client is installed").success());
}

/// Who connects: a home folder of its own, without agent and variables.
pub struct Home {
    pub folder: tempfile::TempDir,
    pub variables: Vec<(String, String)>,
}

impl Home {
    /// One that knows the server, and whose ed25519 key lets it in.
    pub fn of(sshd: &Sshd) -> Home {
        let home = Home::empty();
        home.write("known_hosts", &sshd.known());
        sshd.authorize(&home.key("id_ed25519", "ed25519", ""));
        home
    }

    /// One that knows the server, and has no key.
    pub fn without_key(sshd: &Sshd) -> Home {
        let home = Home::empty();
        home.write("known_hosts", &sshd.known());
        home
    }

    pub fn empty() -> Home {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".ssh")).unwrap();
        Home {
            folder,
            variables: Vec::new(),
        }
    }

    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Home {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file in `~/.ssh`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(".ssh").join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Makes a key in `~/.ssh`.
    pub fn key(&self, name: &str, kind: &str, passphrase: &str) -> PathBuf {
        let file = self.file(name);
        keygen(kind, passphrase, &file);
        file
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = loadgen(arguments);
        command
            .env("HOME", self.folder.path())
            .env_remove("SSH_AUTH_SOCK")
            .envs(self.variables.iter().cloned());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let mut child = self.command(arguments).spawn().unwrap();
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begin.elapsed() > 2 * LIMIT {
                child.kill().unwrap();
                panic!(
                    "it did not end: {:?}",
                    Ended::from(child.wait_with_output().unwrap())
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        child.wait_with_output().unwrap().into()
    }

    /// `loadgen tunnel`, which is to fail.
    pub fn refused(&self, host: &str, arguments: &[&str]) -> Ended {
        let all = [&["tunnel", host, "--forward", "auto"], arguments].concat();
        self.run(&all).expect(104)
    }

    /// `loadgen tunnel`, which is to open.
    pub fn tunnel(&self, host: &str, arguments: &[&str]) -> Open<'_> {
        let mut child = self
            .command(&[&["tunnel", host], arguments].concat())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut ports = Vec::new();
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap() == 0 {
                let ended = Ended::from(child.wait_with_output().unwrap());
                panic!("it did not open: {}\n{}", ended.stderr, said);
            }
            said += &line;
            if let Some(port) = line.trim().strip_prefix("localhost:") {
                ports.push(port.split(' ').next().unwrap().parse().unwrap());
            }
            if line.starts_with("open until") {
                break;
            }
        }
        let mut errors = child.stderr.take().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let kept = said.clone();
        let listening = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = errors.read(&mut buffer) {
                kept.lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Open {
            _home: self,
            running: Running(Some(child)),
            output,
            ports,
            said,
            listening,
        }
    }
}

/// GET, and as much as the answer says; the body.
pub fn fetch(address: &str, path: &str) -> std::io::Result<String> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    (&stream).write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())?;
    let mut reader = BufReader::new(&stream);
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim() {
            "" => break,
            line => length = length.or(line.strip_prefix("content-length: ").map(str::to_owned)),
        }
    }
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    reader.read_exact(&mut body)?;
    Ok(String::from_utf8(body).unwrap())
}

/// A tunnel that is open.
pub struct Open<'a> {
    _home: &'a Home,
    pub running: Running,
    output: BufReader<std::process::ChildStdout>,
    pub ports: Vec<u16>,
    said: Arc<Mutex<String>>,
    listening: std::thread::JoinHandle<()>,
}

impl Open<'_> {
    /// The first local port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// Waits until it has said something so often.
    pub fn until_said(&self, part: &str, times: usize) {
        let said = || self.said.lock().unwrap().clone();
        let begin = Instant::now();
        while said().matches(part).count() < times {
            assert!(
                begin.elapsed() < LIMIT,
                "`{part}` was not said {times} times:\n{}",
                said()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ctrl-C: the last line, with its counters.
    pub fn stop(self) -> (String, Ended) {
        self.running.signal("INT");
        self.end(0)
    }

    /// Waits until it ends by itself.
    pub fn end(mut self, code: i32) -> (String, Ended) {
        let mut last = String::new();
        while self.output.read_line(&mut last).unwrap() > 0 {}
        let mut ended = self.running.wait();
        self.listening.join().unwrap();
        ended.stderr.clone_from(&self.said.lock().unwrap());
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        (last.trim().to_owned(), ended.expect(code))
    }
}
