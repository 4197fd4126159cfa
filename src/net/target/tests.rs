//! What a target makes of a URL: of a good one, of one that leads nowhere, of none.

use super::*;

#[test]
fn keeps_the_given_text_and_computes_the_request_line() {
    let target = Target::parse(" http://Example.com:8080/a b?q={x}#top ").unwrap();
    assert_eq!(target.as_str(), "http://Example.com:8080/a b?q={x}#top");
    assert_eq!(target.path().to_string(), "/a%20b?q={x}");
    assert_eq!(target.host_header(), "example.com:8080");
    assert_eq!(
        (target.host().as_str(), target.port(), target.is_https()),
        ("example.com", 8080, false)
    );
}

#[test]
fn default_ports_leave_the_host_header() {
    assert_eq!(
        Target::parse("https://a.test:443/").unwrap().host_header(),
        "a.test"
    );
    assert_eq!(
        Target::parse("http://[::1]:81").unwrap().host_header(),
        "[::1]:81"
    );
    assert_eq!(Target::parse("http://[::1]").unwrap().host(), "::1");
    assert_eq!(
        Target::parse("https://a.test/x?y")
            .unwrap()
            .absolute()
            .to_string(),
        "https://a.test/x?y"
    );
}

#[test]
fn credentials_become_a_header_and_are_masked() {
    let target = Target::parse("http://us%40er:p%3Ass@h.test/x").unwrap();
    assert_eq!(target.as_str(), "http://****:****@h.test/x");
    // base64("us@er:p:ss")
    assert_eq!(target.authorization().unwrap(), "Basic dXNAZXI6cDpzcw==");
    assert!(target.authorization().unwrap().is_sensitive());
}

#[test]
fn a_websocket_is_requested_over_http() {
    let target = Target::websocket("ws://h.test/ws?token=a").unwrap();
    assert_eq!(target.as_str(), "ws://h.test/ws?token=a");
    assert_eq!((target.port(), target.is_https()), (80, false));
    assert_eq!(target.absolute().to_string(), "http://h.test/ws?token=a");
    let target = Target::websocket("wss://u:p@h.test").unwrap();
    assert_eq!((target.port(), target.is_https()), (443, true));
    assert_eq!(target.as_str(), "wss://****:****@h.test/");
    for text in ["http://h.test/", "h.test/ws", "ws://", ""] {
        assert_eq!(
            Target::websocket(text).unwrap_err().code,
            code::INVALID_URL,
            "{text}"
        );
    }
}

#[test]
fn refuses_what_cannot_be_requested() {
    for text in [
        "",
        "nonsense",
        "/relative",
        "ftp://h/x",
        "http://",
        "http://h:99999/",
        "mailto:a@b",
    ] {
        let error = Target::parse(text).unwrap_err();
        assert_eq!(error.code, code::INVALID_URL, "{text}");
    }
}

#[test]
fn what_a_script_requests_may_lead_nowhere() {
    for (text, code, message) in [
        ("", 1000, "unsupported protocol scheme \"\""),
        ("undefined/items?a=b:c", 1000, "unsupported protocol scheme \"\""),
        ("/relative", 1000, "unsupported protocol scheme \"\""),
        ("ftp://h/x", 1000, "unsupported protocol scheme \"ftp\""),
        (
            "localhost:8080/x",
            1000,
            "unsupported protocol scheme \"localhost\"",
        ),
        ("http://", 1000, "http: no Host in request URL"),
        ("http://1.2.3.256/", 1101, "lookup: no such host"),
        ("http://h:99999/", 1210, "dial: invalid port"),
    ] {
        let target = Target::requested(text).unwrap();
        assert_eq!(target.as_str(), text);
        assert_eq!(
            target.flaw(),
            Some(&NetError::new(code, message.to_owned())),
            "{text}"
        );
    }
    let secret = Target::requested("ftp://me:mine@h/x").unwrap();
    assert_eq!(
        (secret.as_str(), secret.given()),
        ("ftp://****:****@h/x", "ftp://me:mine@h/x")
    );
    for text in [
        "127.0.0.1:8080/x",
        ":8080/x",
        "http://h:undefined/",
        "https:// x",
        "a\nb",
    ] {
        let error = Target::requested(text).unwrap_err();
        assert_eq!(error.code, code::INVALID_URL, "{text}");
    }
    assert_eq!(Target::requested("http://h/x").unwrap().flaw(), None);
}

#[test]
fn locations_resolve_against_the_request() {
    let target = Target::parse("http://h.test/a/b?c#frag").unwrap();
    assert_eq!(target.join("d").unwrap().as_str(), "http://h.test/a/d#frag");
    assert_eq!(target.join("//o.test/x#y").unwrap().as_str(), "http://o.test/x#y");
    assert_eq!(target.join("?z").unwrap().as_str(), "http://h.test/a/b?z#frag");
    // A hop of its own, and a failed one.
    assert_eq!(
        target.join("gopher://x").unwrap().flaw(),
        Some(&unsupported("gopher"))
    );
    assert_eq!(target.join("http://[").unwrap_err().code, code::INVALID_URL);
}
