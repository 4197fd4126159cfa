//! The options that shape requests: names, addresses, TLS, and their defaults.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::time::Duration;

use loadgen::config::{
    Cidr, Config, DnsPolicy, DnsSelect, HostPattern, HttpDebug, RawOptions, Tier, TlsVersion, check,
};
use serde_json::{Value, json};

fn config(options: &Value) -> Config {
    let raw = RawOptions::from_json(options.as_object().unwrap(), Tier::Script);
    check(&raw, &|_| None).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn defaults_are_the_dialects() {
    let config = config(&json!({}));
    let http = &config.http;
    assert_eq!((http.batch, http.batch_per_host, http.max_redirects), (20, 6, 10));
    assert_eq!(http.debug, HttpDebug::Off);
    assert!(!http.no_connection_reuse && !http.no_vu_connection_reuse && !http.no_cookies_reset);
    assert!(!http.insecure_skip_tls_verify && !http.discard_response_bodies && !config.throw);
    assert_eq!(
        (http.dns.ttl, http.dns.select, http.dns.policy),
        (
            Some(Duration::from_mins(5)),
            DnsSelect::Random,
            DnsPolicy::PreferIpv4
        )
    );
    assert_eq!(
        (http.tls.min, http.tls.max),
        (TlsVersion::Tls12, TlsVersion::Tls13)
    );
    assert_eq!(
        [
            config.setup_timeout,
            config.teardown_timeout,
            config.handle_summary_timeout
        ]
        .map(|t| t.as_secs()),
        [60, 60, 120]
    );
    assert_eq!(config.min_iteration_duration, Duration::ZERO);
    assert_eq!(config.rps, None);
    let stats: Vec<String> = config
        .summary_trend_stats
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(stats, ["avg", "min", "med", "max", "p(90)", "p(95)"]);
}

#[test]
fn host_patterns_cover_names_without_case() {
    for (pattern, host, covers) in [
        ("example.com", "EXAMPLE.com", true),
        ("example.com", "example.com.", true),
        ("example.com", "a.example.com", false),
        ("*.example.com", "a.b.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", ".example.com", false),
        ("*", "anything", true),
        ("*é.fr", "caf\u{e9}.fr", true),
        ("*x", "\u{1f600}", false),
    ] {
        let parsed: HostPattern = pattern.parse().unwrap();
        assert_eq!(parsed.covers(host), covers, "{pattern} {host}");
    }
    for wrong in ["", "a*.com", "**", "a b", "a/b"] {
        assert!(wrong.parse::<HostPattern>().is_err(), "{wrong:?}");
    }
}

#[test]
fn networks_contain_their_addresses() {
    for (network, address, contains) in [
        ("10.0.0.0/8", "10.255.255.255", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.3/8", "10.0.0.0", true),
        ("192.168.1.7", "192.168.1.7", true),
        ("192.168.1.7", "192.168.1.8", false),
        ("0.0.0.0/0", "255.255.255.255", true),
        ("0.0.0.0/0", "::1", false),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false),
        ("::/0", "::ffff:1.2.3.4", true),
        ("::/0", "1.2.3.4", false),
    ] {
        let cidr: Cidr = network.parse().unwrap();
        assert_eq!(cidr.contains(ip(address)), contains, "{network} {address}");
    }
    for wrong in ["10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "", "host"] {
        assert!(wrong.parse::<Cidr>().is_err(), "{wrong:?}");
    }
}

#[test]
fn the_most_specific_override_is_found_first() {
    let config = config(&json!({ "hosts": {
        "*": "127.0.0.9", "*.example.com": "127.0.0.3", "*.api.example.com": "127.0.0.2", "example.com": "127.0.0.4",
        "example.com:443": "127.0.0.1:8443", "v6.test": "::1", "v6.test:1": "[::1]:8080",
    }}));
    let found = |host: &str, port: u16| {
        let hosts = &config.http.hosts;
        let entry = hosts
            .iter()
            .find(|entry| entry.host.covers(host) && entry.port.is_none_or(|p| p == port));
        entry.map(|entry| (entry.to, entry.to_port))
    };
    for (host, port, to, to_port) in [
        ("example.com", 443, "127.0.0.1", Some(8443)),
        ("example.com", 80, "127.0.0.4", None),
        ("a.api.example.com", 80, "127.0.0.2", None),
        ("a.example.com", 80, "127.0.0.3", None),
        ("elsewhere", 80, "127.0.0.9", None),
        ("v6.test", 2, "::1", None),
        ("v6.test", 1, "::1", Some(8080)),
    ] {
        assert_eq!(found(host, port), Some((ip(to), to_port)), "{host}:{port}");
    }
}

#[test]
fn name_resolution_as_text_and_as_object() {
    for (dns, ttl, select, policy) in [
        (
            json!("ttl=inf,select=first,policy=onlyIPv6"),
            None,
            DnsSelect::First,
            DnsPolicy::OnlyIpv6,
        ),
        (
            json!({ "ttl": 0, "select": "roundrobin" }),
            Some(0),
            DnsSelect::RoundRobin,
            DnsPolicy::PreferIpv4,
        ),
        (
            json!({ "ttl": "1m30s", "policy": "any" }),
            Some(90_000),
            DnsSelect::Random,
            DnsPolicy::Any,
        ),
        (
            json!("ttl=500"),
            Some(500),
            DnsSelect::Random,
            DnsPolicy::PreferIpv4,
        ),
    ] {
        let got = config(&json!({ "dns": dns })).http.dns;
        assert_eq!(
            (got.ttl, got.select, got.policy),
            (ttl.map(Duration::from_millis), select, policy),
            "{dns}"
        );
    }
}

#[test]
fn local_addresses_are_single_ranged_or_networks() {
    let config = config(&json!({ "localIPs": "192.168.220.1, 192.168.0.10-192.168.0.25,fd:1::0/120" }));
    assert_eq!(
        config.http.local_ips,
        [
            ip("192.168.220.1")..=ip("192.168.220.1"),
            ip("192.168.0.10")..=ip("192.168.0.25"),
            ip("fd:1::")..=ip("fd:1::ff"),
        ]
    );
}

#[test]
fn tls_in_every_form() {
    let tls = |options: Value| config(&options).http.tls;
    let only = tls(json!({ "tlsVersion": "tls1.3" }));
    assert_eq!((only.min, only.max), (TlsVersion::Tls13, TlsVersion::Tls13));
    let range = tls(json!({ "tlsVersion": { "min": "tls1.2", "max": "tls1.2" } }));
    assert_eq!((range.min, range.max), (TlsVersion::Tls12, TlsVersion::Tls12));

    let old = config(&json!({ "tlsVersion": { "min": "tls1.0" } }));
    assert_eq!(old.http.tls.min, TlsVersion::Tls12);
    assert_eq!(
        old.warnings,
        ["options.tlsVersion.min: TLS before 1.2 is not spoken; tls1.2 takes its place"]
    );

    let auth = tls(
        json!({ "tlsAuth": [{ "domains": ["*.example.com"], "cert": "C", "key": "K", "password": "" }] }),
    )
    .auth;
    assert!(auth[0].domains[0].covers("a.example.com"));
    assert!(!format!("{auth:?}").contains('K'), "a key must not be shown");

    let suites =
        config(&json!({ "tlsCipherSuites": ["TLS_RSA_WITH_RC4_128_SHA", "TLS_AES_128_GCM_SHA256"] }));
    assert_eq!(suites.http.tls.cipher_suites, ["TLS_AES_128_GCM_SHA256"]);
    assert_eq!(
        suites.warnings,
        ["options.tlsCipherSuites: not supported and not offered: TLS_RSA_WITH_RC4_128_SHA"]
    );
}

#[test]
fn a_private_key_is_not_shown_in_the_options() {
    let config = config(&json!({ "tlsAuth": [{ "cert": "C", "key": "SECRET" }] }));
    assert!(!config.options.to_string().contains("SECRET"));
    assert!(!format!("{config:?}").contains("SECRET"));
}

#[test]
fn what_is_logged_of_requests() {
    for (given, expected) in [
        (json!(true), HttpDebug::Headers),
        (json!("full"), HttpDebug::Full),
        (json!("headers"), HttpDebug::Headers),
        (json!(false), HttpDebug::Off),
        (json!(""), HttpDebug::Off),
    ] {
        assert_eq!(config(&json!({ "httpDebug": given })).http.debug, expected);
    }
}
