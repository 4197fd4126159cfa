//! Tables and properties of the known hosts.

use proptest::prelude::*;

use super::*;

/// A key in SSH's encoding with a body of its own.
fn blob(kind: &str, body: &[u8]) -> Vec<u8> {
    let mut blob = u32::try_from(kind.len()).expect("short").to_be_bytes().to_vec();
    blob.extend_from_slice(kind.as_bytes());
    blob.extend_from_slice(&u32::try_from(body.len()).expect("short").to_be_bytes());
    blob.extend_from_slice(body);
    blob
}

fn ed(body: &[u8]) -> Vec<u8> {
    blob("ssh-ed25519", body)
}

/// A line's end: kind and key.
fn tail(blob: &[u8]) -> String {
    format!(
        "{} {} a comment",
        kind_of(blob).expect("kind"),
        BASE64.encode(blob)
    )
}

fn hashed(name: &str) -> String {
    let salt = [7_u8; 20];
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).expect("any length");
    mac.update(name.as_bytes());
    format!(
        "|1|{}|{}",
        BASE64.encode(&salt),
        BASE64.encode(&mac.finalize().into_bytes())
    )
}

fn known(text: &str) -> KnownHosts {
    let mut known = KnownHosts::default();
    known.read(Path::new("kh"), text);
    known
}

fn at(line: usize) -> Place {
    Place {
        file: "kh".into(),
        line,
    }
}

#[test]
fn names_of_every_form_are_found() {
    let key = ed(b"one");
    for (names, host, port, found) in [
        ("vps", "vps", 22, true),
        ("vps", "VPS", 22, true),
        ("VPS", "vps", 22, true),
        ("a,vps,b", "vps", 22, true),
        ("a,b", "vps", 22, false),
        ("[vps]:2222", "vps", 2222, true),
        ("[vps]:2222", "vps", 22, false),
        ("[vps]:2222", "vps", 2223, false),
        ("vps", "vps", 2222, true),
        ("*.example.com", "a.example.com", 22, true),
        ("*.example.com,!b.example.com", "b.example.com", 22, false),
        ("10.0.?.*", "10.0.3.17", 22, true),
        (&hashed("vps"), "vps", 22, true),
        (&hashed("vps"), "other", 22, false),
        (&hashed("[vps]:2222"), "vps", 2222, true),
        (&hashed("[vps]:2222"), "vps", 22, false),
    ] {
        let known = known(&format!("# comment\n\n{names} {}\r\n", tail(&key)));
        let verdict = known.check(host, port, &key);
        let expected = if found { Verdict::Known } else { Verdict::Unknown };
        assert_eq!(verdict, expected, "{names} {host} {port}");
    }
}

#[test]
fn another_key_of_a_known_host_is_a_change() {
    let known = known(&format!(
        "vps {}\nvps {}\n",
        tail(&ed(b"one")),
        tail(&blob("ssh-rsa", b"two"))
    ));
    assert_eq!(known.check("vps", 22, &ed(b"one")), Verdict::Known);
    assert_eq!(known.check("vps", 22, &blob("ssh-rsa", b"two")), Verdict::Known);
    assert_eq!(known.check("vps", 22, &ed(b"evil")), Verdict::Changed(at(1)));
    let other_kind = blob("ecdsa-sha2-nistp256", b"evil");
    assert_eq!(
        known.check("vps", 22, &other_kind),
        Verdict::Changed(at(1)),
        "also of another kind"
    );
    assert_eq!(known.kinds("vps", 22), ["ssh-ed25519", "ssh-rsa"]);
    assert_eq!(
        known.check("vps", 2222, &ed(b"evil")),
        Verdict::Unknown,
        "on another port it is another server"
    );
}

#[test]
fn a_revoked_key_is_never_known() {
    let key = ed(b"stolen");
    for (names, port) in [
        ("vps", 22),
        ("*", 22),
        ("*", 2222),
        ("vps", 2222),
        ("[vps]:2222", 2222),
    ] {
        for text in [
            format!("vps,[vps]:2222 {0}\n@revoked {names} {0}\n", tail(&key)),
            format!("@revoked {names} {0}\nvps,[vps]:2222 {0}\n", tail(&key)),
        ] {
            assert!(
                matches!(known(&text).check("vps", port, &key), Verdict::Revoked(_)),
                "{text}"
            );
        }
    }
    let other = known(&format!(
        "@revoked * {}\nvps {}\n",
        tail(&key),
        tail(&ed(b"good"))
    ));
    assert_eq!(other.check("vps", 22, &ed(b"good")), Verdict::Known);
    assert_eq!(
        known(&format!("@revoked * {}\n", tail(&key))).check("vps", 22, &ed(b"x")),
        Verdict::Unknown
    );
}

#[test]
fn certificates_are_said_to_be_unsupported_only_when_they_would_be_needed() {
    let authority = format!("@cert-authority *.example.com {}\n", tail(&ed(b"ca")));
    let verdict = known(&authority).check("a.example.com", 22, &ed(b"host"));
    assert!(matches!(verdict, Verdict::Unclear(_, reason) if reason.contains("not supported")));
    assert_eq!(known(&authority).check("vps", 22, &ed(b"host")), Verdict::Unknown);
    let with_key = format!("{authority}a.example.com {}\n", tail(&ed(b"host")));
    assert_eq!(
        known(&with_key).check("a.example.com", 22, &ed(b"host")),
        Verdict::Known
    );
    assert!(
        matches!(
            known(&authority).check("a.example.com", 22, &ed(b"ca")),
            Verdict::Unclear(..)
        ),
        "an authority's key is not a host's"
    );
}

#[test]
fn damaged_lines_never_weaken_the_check() {
    let good = ed(b"good");
    let whole = tail(&good);
    for line in [
        "vps",
        "vps ssh-ed25519",
        "vps ssh-ed25519 !!!!",
        "vps ssh-rsa AAAA",
        "|1|xx|yy ssh-ed25519 AAAA",
        "vps 1024 35 1234567",
        "|2|a|b ssh-ed25519 AAAA",
        "@cert-authority vps ssh-ed25519 A",
    ] {
        let mut hosts = KnownHosts::default();
        let faults = hosts.read(Path::new("kh"), &format!("{line}\nvps {whole}\n"));
        assert_eq!(faults.len(), 1, "{line}");
        assert!(faults[0].starts_with("kh line 1: cannot be read"), "{faults:?}");
        assert_eq!(
            hosts.check("vps", 22, &good),
            Verdict::Known,
            "{line}: good lines still count"
        );
        assert_eq!(
            hosts.check("vps", 22, &ed(b"evil")),
            Verdict::Changed(at(2)),
            "{line}"
        );
        let alone = known(line);
        assert!(
            matches!(alone.check("vps", 22, &good), Verdict::Unclear(..)),
            "{line}: no new key is taken on"
        );
    }
    for line in [
        "@revoked vps ssh-ed25519 !!!",
        "@revoked",
        "@revokd * ssh-ed25519 AAAA",
        "@revoked vps",
    ] {
        let hosts = known(&format!("vps {whole}\n{line}\n"));
        assert!(
            matches!(hosts.check("vps", 22, &good), Verdict::Unclear(..)),
            "{line}: it may be about this key"
        );
    }
    let elsewhere = known(&format!(
        "other ssh-ed25519 !!!\n@revoked other ssh-ed25519 !!!\nvps {whole}"
    ));
    assert_eq!(
        elsewhere.check("vps", 22, &good),
        Verdict::Known,
        "what is about others does not matter"
    );
}

#[test]
fn fingerprints_are_those_of_ssh_keygen() {
    // ssh-keygen -lf of this very line.
    let line = "vps ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2iSg0UE0BwhmLjz0tpwZn2W8DB5ZMOSsp3fuhkfJmN";
    let blob = BASE64
        .decode(line.rsplit(' ').next().expect("key").as_bytes())
        .expect("base64");
    assert_eq!(fingerprint(&blob), FINGERPRINT);
    assert_eq!(super::line("vps", 22, &blob).trim_end(), line);
}

const FINGERPRINT: &str = "SHA256:r4pBRiRkR4kZV4tqOMlaS3k3u4/GAE8/sY30LByjQFI";

fn line_of_words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("vps".to_owned()),
        Just("*".to_owned()),
        Just("!vps".to_owned()),
        Just("@revoked".to_owned()),
        Just("@cert-authority".to_owned()),
        Just("ssh-ed25519".to_owned()),
        Just(BASE64.encode(&ed(b"good"))),
        Just(BASE64.encode(&ed(b"other"))),
        Just(hashed("vps")),
        "\\PC{0,12}",
    ];
    prop::collection::vec(word, 0..6).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}", host in "\\PC{0,20}", port: u16, key: Vec<u8>) {
        let _ = known(&text).check(&host, port, &key);
    }

    /// A key is only ever known by a whole line with that very key in it.
    #[test]
    fn no_line_makes_known_what_it_does_not_hold(lines in prop::collection::vec(line_of_words(), 0..8)) {
        let text = lines.join("\n");
        let verdict = known(&text).check("vps", 22, &ed(b"never written"));
        prop_assert_ne!(verdict, Verdict::Known);
    }

    /// A line more, whatever it is, never turns a refusal of a changed or revoked key into trust in it.
    #[test]
    fn a_line_more_never_weakens(lines in prop::collection::vec(line_of_words(), 0..5), before: bool) {
        let noise = lines.join("\n");
        let holds = lines.iter().any(|line| line.contains(&BASE64.encode(&ed(b"other"))));
        let revoked = format!("@revoked vps {}\nvps {}", tail(&ed(b"good")), tail(&ed(b"good")));
        let text = if before { format!("{noise}\n{revoked}\n") } else { format!("{revoked}\n{noise}\n") };
        prop_assert_ne!(known(&text).check("vps", 22, &ed(b"good")), Verdict::Known);
        prop_assume!(!holds);
        let changed = format!("{noise}\nvps {}\n", tail(&ed(b"good")));
        let verdict = known(&changed).check("vps", 22, &ed(b"other"));
        prop_assert!(!matches!(verdict, Verdict::Known | Verdict::Unknown), "{:?}", verdict);
    }

    /// What `line` writes is what is then known, and only that.
    #[test]
    fn what_is_written_is_known(host in "[A-Za-z0-9.:-]{1,20}", port in 1_u16.., body: Vec<u8>, other: Vec<u8>) {
        let (key, evil) = (ed(&body), ed(&other));
        let hosts = known(&line(&host, port, &key));
        prop_assert_eq!(hosts.check(&host, port, &key), Verdict::Known);
        if evil != key {
            let changed = matches!(hosts.check(&host, port, &evil), Verdict::Changed(_));
            prop_assert!(changed);
        }
    }
}
