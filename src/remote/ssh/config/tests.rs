//! Tables of configuration files.

use super::*;

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("folder");
    std::fs::create_dir(home.path().join(".ssh")).expect("folder");
    home
}

fn try_in(home: &Path, text: &str, destination: &str) -> Result<(HostConfig, Vec<String>), SshError> {
    let file = home.join("config");
    std::fs::write(&file, text).expect("file");
    let surroundings = Surroundings {
        home: home.to_owned(),
        user: "me".to_owned(),
    };
    resolve(
        &destination.parse().expect("destination"),
        Some(&file),
        &surroundings,
    )
}

fn of(text: &str, destination: &str) -> HostConfig {
    try_in(home().path(), text, destination).expect(text).0
}

fn error(text: &str) -> String {
    try_in(home().path(), text, "vps").expect_err(text).to_string()
}

#[test]
fn nothing_written_means_the_usual() {
    let home = home();
    let (config, warnings) = try_in(home.path(), "", "vps").expect("config");
    assert_eq!(
        (config.host.as_str(), config.port, config.user.as_str()),
        ("vps", 22, "me")
    );
    assert_eq!(config.known_hosts[0], home.path().join(".ssh/known_hosts"));
    assert_eq!(config.new_hosts, NewHosts::Refuse);
    assert_eq!(
        (config.jump, config.identities_only, config.alias),
        (None, false, None)
    );
    assert!(config.identities.is_empty() && warnings.is_empty());
}

#[test]
fn the_first_value_wins_and_what_is_typed_before_it() {
    let text = "
        # by alias
        Host vps other
          HostName 203.0.113.7
          Port=2222
          user = root
        Host *
          User nobody
          Port 99
          StrictHostKeyChecking accept-new";
    let config = of(text, "vps");
    assert_eq!(
        (config.host.as_str(), config.port, config.user.as_str()),
        ("203.0.113.7", 2222, "root")
    );
    assert_eq!(config.new_hosts, NewHosts::Accept);
    let typed = of(text, "admin@vps:22");
    assert_eq!((typed.port, typed.user.as_str()), (22, "admin"));
    assert_eq!(of(text, "elsewhere").user, "nobody");
}

#[test]
fn patterns_choose_hosts() {
    let text = "User first\nHost *.lab !db.lab\n Port 1\nHost db.*\n Port 2\n";
    assert_eq!(of(text, "a.lab").port, 1);
    assert_eq!(of(text, "db.lab").port, 2);
    assert_eq!(of(text, "vps").port, 22);
    assert_eq!(of(text, "vps").user, "first", "before any Host it is for all");
}

#[test]
fn identities_add_up_and_tokens_are_filled_in() {
    let home = home();
    let text = "
        Host vps
          HostName %h.example.com
          User deploy
          IdentityFile ~/.ssh/id_%r_%h
          IdentityFile \"%d/with space\"   # a comment
          IdentityFile /abs/100%%
          IdentitiesOnly yes
          CertificateFile ~/cert.pub
          UserKnownHostsFile ~/kh1 /kh2
          GlobalKnownHostsFile none
          HostKeyAlias door
          ConnectTimeout 3";
    let (config, _) = try_in(home.path(), text, "vps").expect("config");
    let names = [
        home.path().join(".ssh/id_deploy_vps.example.com"),
        home.path().join("with space"),
        PathBuf::from("/abs/100%"),
    ];
    assert_eq!(config.identities, names);
    assert_eq!(config.certificates, [home.path().join("cert.pub")]);
    assert_eq!(
        config.known_hosts,
        [home.path().join("kh1"), PathBuf::from("/kh2")]
    );
    assert!(config.identities_only);
    assert_eq!(config.alias.as_deref(), Some("door"));
    assert_eq!(config.connect_timeout, Some(Duration::from_secs(3)));
}

#[test]
fn a_jump_is_a_destination() {
    let jump = of("ProxyJump ops@gate:2200\n", "vps").jump.expect("jump");
    assert_eq!(jump.to_string(), "ops@gate:2200");
    assert_eq!(
        of("ProxyJump none\nProxyJump gate\n", "vps").jump,
        None,
        "the first value wins"
    );
    assert!(error("ProxyJump a,b\n").contains("only one host"));
}

#[test]
fn what_would_lead_elsewhere_is_an_error() {
    assert!(error("ProxyCommand nc %h %p\n").contains("ProxyCommand is not supported"));
    assert!(of("ProxyJump gate\nProxyCommand nc\n", "vps").jump.is_some());
    assert_eq!(of("ProxyCommand none\nProxyJump gate\n", "vps").jump, None);
}

#[test]
fn lines_of_a_match_are_nobodys() {
    let text = "Host vps\n Port 1\nMatch user root\n Port 2\n User evil\nMatch all\n User all\n";
    let (config, warnings) = try_in(home().path(), text, "vps").expect("config");
    assert_eq!((config.port, config.user.as_str()), (1, "all"));
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("line 3") && warnings[0].contains("Match"),
        "{warnings:?}"
    );
}

#[test]
fn files_are_included_in_place() {
    let home = home();
    let folder = home.path().join(".ssh/config.d");
    std::fs::create_dir(&folder).expect("folder");
    std::fs::write(folder.join("10-a.conf"), "Host vps\n  User from-a\n").expect("file");
    std::fs::write(folder.join("20-b.conf"), "Host *\n  User from-b\n  Port 7\n").expect("file");
    std::fs::write(folder.join(".hidden.conf"), "Port 1\n").expect("file");
    let text = "Include config.d/*.conf missing\nHost other\n  Include ~/.ssh/config.d/10-a.conf\n Port 9\n";
    let (config, _) = try_in(home.path(), text, "vps").expect("config");
    assert_eq!((config.user.as_str(), config.port), ("from-a", 7));
    let (other, _) = try_in(home.path(), text, "other").expect("config");
    assert_eq!((other.user.as_str(), other.port), ("from-b", 7));
    let within = "Host vps\n Include config.d/20-b.conf\n HostName here\n";
    let (config, _) = try_in(home.path(), within, "vps").expect("config");
    assert_eq!(
        (config.host.as_str(), config.port),
        ("here", 7),
        "the Host around it goes on after it"
    );
    let (elsewhere, _) = try_in(home.path(), within, "elsewhere").expect("config");
    assert_eq!(elsewhere.port, 22, "an Include is its Host's");
    std::fs::write(home.path().join(".ssh/loop"), "Include loop\n").expect("file");
    let error = try_in(home.path(), "Include loop\n", "vps").expect_err("a loop");
    assert!(error.to_string().contains("include each other"), "{error}");
}

#[test]
fn mistakes_name_the_line() {
    for (text, part) in [
        ("Host vps\n Port ssh\n", "line 2: Port ssh"),
        ("Port\n", "line 1: port has no value"),
        ("IdentityFile \"~/x\n", "not closed"),
        ("IdentitiesOnly maybe\n", "yes or no"),
        ("StrictHostKeyChecking perhaps\n", "accept-new"),
        ("IdentityFile %Z\n", "%Z"),
        ("ConnectTimeout 0\n", "seconds"),
    ] {
        let error = error(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    assert_eq!(
        of("Host other\n Port ssh\n", "vps").port,
        22,
        "what is others' is not read"
    );
    let missing = resolve(
        &"vps".parse().expect("destination"),
        Some(Path::new("/nowhere/config")),
        &Surroundings {
            home: "/".into(),
            user: "me".into(),
        },
    );
    assert!(
        missing
            .expect_err("no file")
            .to_string()
            .contains("/nowhere/config")
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
        let _ = words(&text);
        let _ = tokens(&text, &[('h', "x")]);
    }
}
