//! Every way to log in, against a real OpenSSH server: what lets us in, and what is said when nothing does. A refusal is
//! never tried again, nobody is asked where nobody can answer, and no secret is shown.
#![allow(clippy::unwrap_used)]

mod run_support;
mod ssh_support;

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use run_support::{Running, Server};
use ssh_support::{Home, PASSWORD, Setup, Sshd, fetch, keygen};

/// Opens a tunnel, sends a request through it, and closes it.
fn works(sshd: &Sshd, home: &Home, arguments: &[&str]) {
    works_over(2, sshd, home, arguments);
}

/// The same over so many connections to the server.
fn works_over(lanes: u32, sshd: &Sshd, home: &Home, arguments: &[&str]) {
    let server = Server::start();
    let (forward, count) = (format!("auto:{}", server.address), lanes.to_string());
    let all = [&["--forward", &forward, "--ssh-lanes", &count], arguments].concat();
    let open = home.tunnel(&sshd.to("tester"), &all);
    assert_eq!(fetch(&open.address(), "/").unwrap(), "xx");
    assert_eq!(server.count(), 1);
    let (last, ended) = open.stop();
    assert!(
        last.contains(" 1 in all") && last.contains(&format!("lanes {lanes}/{lanes}")),
        "{last}"
    );
    for secret in [PASSWORD, "open sesame"] {
        assert!(!ended.stderr.contains(secret) && !last.contains(secret));
    }
}

#[test]
fn keys_of_all_kinds() {
    let sshd = Sshd::start();
    for kind in ["ed25519", "rsa", "ecdsa"] {
        let home = Home::without_key(&sshd);
        // By its usual name, and by naming it.
        sshd.authorize(&home.key(&format!("id_{kind}"), kind, ""));
        works(&sshd, &home, &[]);
        let other = home.key("other", kind, "");
        sshd.authorize(&other);
        std::fs::remove_file(home.file(&format!("id_{kind}"))).unwrap();
        works(&sshd, &home, &["--ssh-identity", other.to_str().unwrap()]);
    }
}

#[test]
fn an_encrypted_key_wants_its_passphrase() {
    let sshd = Sshd::start();
    let home = Home::without_key(&sshd);
    let key = home.key("locked", "ed25519", "open sesame");
    sshd.authorize(&key);
    let identity = ["--ssh-identity", key.to_str().unwrap()];
    home.refused(&sshd.to("tester"), &identity)
        .says(&["locked", "it is encrypted: set LOADGEN_SSH_PASSPHRASE"]);
    let wrong = Home {
        variables: vec![("LOADGEN_SSH_PASSPHRASE".into(), "open barley".into())],
        ..home
    };
    let ended = wrong.refused(&sshd.to("tester"), &identity);
    assert!(!ended.stderr.contains("barley"), "{}", ended.stderr);
    ended.says(&["the passphrase in LOADGEN_SSH_PASSPHRASE is wrong"]);
    assert_eq!(sshd.refusals(), 0, "the server was never asked: {}", sshd.log());
    let right = Home {
        variables: vec![("LOADGEN_SSH_PASSPHRASE".into(), "open sesame".into())],
        ..wrong
    };
    works(&sshd, &right, &identity);
}

#[test]
fn a_password_and_the_servers_questions() {
    let questions = "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication yes";
    for (config, refused, lanes) in [
        ("KbdInteractiveAuthentication no", "password (refused)", 2),
        // libpam-wrapper picks the folder of its files without regard to another process that picks at the same time.
        (questions, "answers to the server's questions (refused)", 1),
    ] {
        let sshd = Sshd::with(&Setup {
            config,
            ..Setup::default()
        });
        let home = Home::without_key(&sshd).set("LOADGEN_SSH_PASSWORD", PASSWORD);
        works_over(lanes, &sshd, &home, &[]);
        let home = Home::without_key(&sshd).set("LOADGEN_SSH_PASSWORD", "wr0ng-pony");
        let ended = home.refused(&sshd.to("tester"), &[]);
        assert!(!ended.stderr.contains("pony"), "{}", ended.stderr);
        ended.says(&["does not let tester in", refused]);
        assert_eq!(sshd.refusals(), 1, "asked once and never again: {}", sshd.log());
        // Standard input is no terminal: nobody is asked.
        Home::without_key(&sshd).refused(&sshd.to("tester"), &[]).says(&[
            "none in LOADGEN_SSH_PASSWORD, and no terminal to ask on",
            "no agent (SSH_AUTH_SOCK is not set)",
        ]);
    }
}

#[test]
fn a_password_is_asked_for_on_a_terminal() {
    let sshd = Sshd::with(&Setup {
        config: "KbdInteractiveAuthentication no",
        ..Setup::default()
    });
    let home = Home::without_key(&sshd);
    let command = home.command(&[
        "tunnel",
        &sshd.to("tester"),
        "--forward",
        "auto",
        "--ssh-lanes",
        "4",
    ]);
    let terminal = nix::pty::openpty(None, None).unwrap();
    // setsid(1) makes it the terminal that the program belongs to, whose Ctrl-C it gets.
    let mut on_terminal = Command::new("setsid");
    on_terminal
        .arg("--ctty")
        .arg(command.get_program())
        .args(command.get_args())
        .env("HOME", home.folder.path())
        .env_remove("SSH_AUTH_SOCK")
        .stdin(terminal.slave.try_clone().unwrap())
        .stdout(terminal.slave.try_clone().unwrap())
        .stderr(terminal.slave);
    let mut child = Running(Some(on_terminal.spawn().unwrap()));
    // Its copies of the terminal's other side: reading ends when the program does.
    drop(on_terminal);
    let mut output = std::fs::File::from(terminal.master);
    let mut input = output.try_clone().unwrap();
    let mut shown = String::new();
    let mut type_at = |end: &str, typed: &str| {
        let mut byte = [0];
        while !shown.ends_with(end) {
            assert!(
                std::io::Read::read(&mut output, &mut byte).unwrap() > 0,
                "{end} was never shown: {shown}"
            );
            shown.push(char::from(byte[0]));
        }
        std::io::Write::write_all(&mut input, typed.as_bytes()).unwrap();
    };
    type_at("password of tester@127.0.0.1: ", "wr0ng-pony\r");
    type_at(
        "wrong; again: password of tester@127.0.0.1: ",
        &format!("{PASSWORD}\r"),
    );
    type_at("open until Ctrl-C", "\x03");
    type_at("in all", "");
    // To its end, which some kernels call an error.
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut output, &mut rest);
    shown += &String::from_utf8_lossy(&rest);
    let status = child.0.take().unwrap().wait().unwrap();
    assert!(status.success(), "{status}: {shown}");
    assert!(!shown.contains("pony") && !shown.contains(PASSWORD), "{shown}");
    // Four connections, one question: the others know the answer.
    assert_eq!(
        sshd.log().matches("Accepted password").count(),
        4,
        "{}",
        sshd.log()
    );
}

#[test]
fn an_agent_holds_the_key() {
    let sshd = Sshd::start();
    let home = Home::without_key(&sshd);
    let key = home.key("held", "ed25519", "");
    sshd.authorize(&key);
    let socket = home.file("agent");
    let agent = Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(Stdio::null())
        .spawn();
    let _agent = Running(Some(agent.unwrap()));
    run_support::eventually(ssh_support::LIMIT, "an agent takes the key", || {
        let add = Command::new("ssh-add")
            .arg("-q")
            .arg(&key)
            .env("SSH_AUTH_SOCK", &socket)
            .status();
        add.unwrap().success().then_some(())
    });
    std::fs::remove_file(&key).unwrap();
    let home = home.set("SSH_AUTH_SOCK", socket.to_str().unwrap());
    works(&sshd, &home, &[]);
    // Its public key picks it.
    let public = home.file("held.pub");
    works(&sshd, &home, &["--ssh-identity", public.to_str().unwrap()]);
    // Only the keys that are configured, and this is none of them.
    home.write("config", "Host *\n  IdentitiesOnly yes\n");
    home.refused(&sshd.to("tester"), &[])
        .says(&["does not let tester in"]);
}

#[test]
fn a_certificate_lets_its_key_in() {
    let sshd = Sshd::with(&Setup {
        config: "TrustedUserCAKeys FOLDER/ca.pub",
        ..Setup::default()
    });
    keygen("ed25519", "", &sshd.file("ca"));
    let home = Home::without_key(&sshd);
    let key = home.key("id_ed25519", "ed25519", "");
    home.refused(&sshd.to("tester"), &[])
        .says(&["id_ed25519 (refused)"]);
    let signed = Command::new("ssh-keygen")
        .args(["-q", "-I", "test", "-n", "tester", "-s"])
        .arg(sshd.file("ca"))
        .arg(key.with_extension("pub"))
        .status();
    assert!(signed.unwrap().success());
    assert!(home.file("id_ed25519-cert.pub").exists());
    works(&sshd, &home, &[]);
}

#[test]
fn what_is_wrong_with_a_key_is_said() {
    let sshd = Sshd::start();
    let home = Home::without_key(&sshd);
    let stranger = home.key("stranger", "ed25519", "");
    home.write("notes", "buy milk\n");
    for (name, part) in [
        ("missing", "there is no such file"),
        ("notes", "it is no private key"),
        ("stranger.pub", "it is a public key"),
        ("stranger", "stranger (refused)"),
    ] {
        let path = home.file(name);
        home.refused(&sshd.to("tester"), &["--ssh-identity", path.to_str().unwrap()])
            .says(&[part]);
    }
    std::fs::set_permissions(&stranger, std::fs::Permissions::from_mode(0o600)).unwrap();
    home.refused(&sshd.to("nobody-here"), &[])
        .says(&["does not let nobody-here in"]);
}

#[test]
fn a_configuration_is_followed() {
    let sshd = Sshd::start();
    let home = Home::empty();
    let key = home.key("special", "ed25519", "");
    sshd.authorize(&key);
    home.write("hosts", &sshd.known());
    home.write(
        "config",
        &format!(
            "Host vps\n  HostName 127.0.0.1\n  Port {}\n  User tester\n  IdentityFile ~/.ssh/special\n  \
             IdentitiesOnly yes\n  UserKnownHostsFile ~/.ssh/hosts\n",
            sshd.port
        ),
    );
    let open = home.tunnel("vps", &["--forward", "auto"]);
    assert_eq!(open.ports.len(), 2);
    open.stop();
    home.write("config", "Host vps\n  ProxyCommand nc %h %p\n");
    home.refused("vps", &[])
        .says(&["config line 2", "ProxyCommand is not supported"]);
}

#[test]
fn a_host_in_between() {
    let (first, second) = (Sshd::start(), Sshd::start());
    let home = Home::of(&first);
    home.write("known_hosts", &(first.known() + &second.known()));
    second.authorize(&home.file("id_ed25519"));
    home.write(
        "config",
        &format!(
            "Host inner\n  HostName 127.0.0.1\n  Port {}\n  User tester\n  ProxyJump tester@127.0.0.1:{}\n",
            second.port, first.port
        ),
    );
    let server = Server::start();
    let open = home.tunnel(
        "inner",
        &[
            "--forward",
            &format!("auto:{}", server.address),
            "--ssh-lanes",
            "4",
        ],
    );
    for _ in 0..20 {
        assert_eq!(fetch(&open.address(), "/big/100000").unwrap().len(), 100_000);
    }
    open.stop();
    assert_eq!(
        second.log().matches("Accepted publickey").count(),
        4,
        "{}",
        second.log()
    );
    // What is wrong in between is said to be so.
    home.write("known_hosts", &second.known());
    home.refused("inner", &[])
        .says(&["on the way through 127.0.0.1", "is not known"]);
    home.write("known_hosts", &first.known());
    let ended = home.refused("inner", &[]).says(&["is not known"]);
    assert!(!ended.stderr.contains("on the way"), "{}", ended.stderr);
    drop(second);
    home.refused("inner", &[])
        .says(&["a connection to the destination"]);
}

#[test]
fn a_server_that_is_not_there() {
    let port = run_support::free_port();
    let home = Home::empty();
    home.refused(&format!("tester@127.0.0.1:{port}"), &[])
        .says(&["cannot connect to 127.0.0.1 port", "Is sshd running there"]);
    home.refused("tester@no-such-host.invalid", &[])
        .says(&["cannot find the address of no-such-host.invalid"]);
    home.refused("tester@", &[]).says(&["write [user@]host[:port]"]);
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = web.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = web.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    home.refused(&format!("tester@{address}"), &[])
        .says(&["does not complete the SSH handshake"]);
}
