//! Host keys, against a real OpenSSH server: known, unknown, changed, revoked, and files that cannot be read. Nothing but a
//! key that is known, or new and accepted, gets as far as a login.
#![allow(clippy::unwrap_used)]

mod run_support;
mod ssh_support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use ssh_support::{Home, Setup, Sshd, keygen};

fn refused(sshd: &Sshd, home: &Home, parts: &[&str]) {
    for arguments in [&[][..], &["--ssh-accept-new"]] {
        home.refused(&sshd.to("tester"), arguments).says(parts);
    }
    let log = sshd.log();
    assert!(
        !log.contains("Accepted") && !log.contains("Failed"),
        "nobody tried to log in: {log}"
    );
}

#[test]
fn an_unknown_host_is_shown_and_accepted_when_asked() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    home.write("known_hosts", "");
    let print = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(sshd.file("host_ed25519.pub"))
        .output()
        .unwrap();
    let fingerprint = String::from_utf8(print.stdout).unwrap();
    let fingerprint = fingerprint.split(' ').nth(1).unwrap();
    home.refused(&sshd.to("tester"), &[]).says(&[
        "is not known",
        fingerprint,
        "--ssh-accept-new",
        "known_hosts",
    ]);
    assert_eq!(home.read("known_hosts"), "");
    let open = home.tunnel(&sshd.to("tester"), &["--forward", "auto", "--ssh-accept-new"]);
    let (_, ended) = open.stop();
    ended.says(&["accepted the host key", fingerprint]);
    assert_eq!(
        home.read("known_hosts"),
        sshd.known(),
        "added once, for four connections"
    );
    // From here on it is known; ssh-keygen finds it too.
    home.tunnel(&sshd.to("tester"), &["--forward", "auto"]).stop();
    let found = Command::new("ssh-keygen")
        .args(["-F", &format!("[127.0.0.1]:{}", sshd.port), "-f"])
        .arg(home.file("known_hosts"))
        .status();
    assert!(found.unwrap().success());
}

#[test]
fn a_key_that_has_changed_is_always_refused() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    keygen("ed25519", "", &sshd.file("other"));
    let other = std::fs::read_to_string(sshd.file("other.pub")).unwrap();
    home.write(
        "known_hosts",
        &format!("# a comment\n[127.0.0.1]:{} {other}", sshd.port),
    );
    refused(
        &sshd,
        &home,
        &["has changed", "line 2", "ssh-keygen -R", "SHA256:"],
    );
    home.write("config", "StrictHostKeyChecking no\n");
    refused(&sshd, &home, &["has changed"]);
}

#[test]
fn a_revoked_key_is_refused_although_it_is_known() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    home.write(
        "known_hosts",
        &format!("{}@revoked * {}\n", sshd.known(), sshd.host_key("ed25519")),
    );
    refused(&sshd, &home, &["is revoked", "line 2"]);
}

#[test]
fn a_line_that_cannot_be_read_weakens_nothing() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let good = sshd.known();
    // A damaged line before and after does not hide a good one,
    home.write(
        "known_hosts",
        &format!("vps ssh-ed25519 AAAAbroken\n{good}|1|x|y ssh-rsa !\n"),
    );
    home.tunnel(&sshd.to("tester"), &["--forward", "auto"]).stop();
    // and one that may be about this host lets no new key in.
    let damaged = good.replace("AAAA", "AAA!");
    home.write("known_hosts", &damaged);
    let log = sshd.log().matches("Accepted").count();
    for arguments in [&[][..], &["--ssh-accept-new"]] {
        home.refused(&sshd.to("tester"), arguments)
            .says(&["cannot be checked", "line 1", "cut or damaged"]);
    }
    assert_eq!(sshd.log().matches("Accepted").count(), log);
    assert_eq!(home.read("known_hosts"), damaged);
}

#[test]
fn hashed_names_wildcards_and_other_kinds_of_keys() {
    let sshd = Sshd::with(&Setup {
        host_keys: &["ed25519", "ecdsa", "rsa"],
        ..Setup::default()
    });
    let home = Home::of(&sshd);
    let works = || {
        home.tunnel(&sshd.to("tester"), &["--forward", "auto"]).stop();
    };
    let hashed = Command::new("ssh-keygen")
        .arg("-Hf")
        .arg(home.file("known_hosts"))
        .output()
        .unwrap();
    assert!(hashed.status.success() && home.read("known_hosts").starts_with("|1|"));
    works();
    home.write(
        "known_hosts",
        &format!("[127.0.0.?]:* {}\n", sshd.host_key("ed25519")),
    );
    works();
    // The server would show its ed25519 key first, but only another one is known.
    for kind in ["ecdsa", "rsa"] {
        home.write(
            "known_hosts",
            &format!("[127.0.0.1]:{} {}\n", sshd.port, sshd.host_key(kind)),
        );
        works();
    }
    home.write(
        "known_hosts",
        &format!("*,!*127.0.0.1* {}\n", sshd.host_key("ed25519")),
    );
    home.refused(&sshd.to("tester"), &[]).says(&["is not known"]);
}

#[test]
fn a_file_of_known_hosts_that_cannot_be_read_is_no_empty_one() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    std::fs::remove_file(home.file("known_hosts")).unwrap();
    // A folder cannot be read as a file, by nobody.
    std::fs::create_dir(home.file("known_hosts")).unwrap();
    home.refused(&sshd.to("tester"), &["--ssh-accept-new"])
        .says(&["cannot read", "known_hosts"]);
    std::fs::remove_dir(home.file("known_hosts")).unwrap();
    std::fs::set_permissions(home.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    home.tunnel(&sshd.to("tester"), &["--forward", "auto", "--ssh-accept-new"])
        .stop();
    let mode = std::fs::metadata(home.file("known_hosts"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}
