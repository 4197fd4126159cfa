//! What is refused of what was typed, and that a token does not show.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn addresses_are_those_of_servers() {
    assert!(TellOptions::new(None, None, Some("t")).unwrap().is_none());
    let both = TellOptions::new(
        Some("http://a:9093/prefix/"),
        Some("https://user:pass@g"),
        Some(" t0ken \n"),
    );
    let both = both.unwrap().unwrap();
    let url = |target: &Option<Target>| target.as_ref().unwrap().as_str().to_owned();
    assert_eq!(url(&both.alertmanager), "http://a:9093/prefix/api/v2/alerts");
    assert!(url(&both.grafana).ends_with("@g/api/annotations"));
    assert_eq!(both.headers[header::AUTHORIZATION], "Bearer t0ken");
    let shown = format!("{both:?}");
    assert!(!shown.contains("t0ken") && !shown.contains("pass"), "{shown}");
}

#[test]
fn what_is_wrong_is_said_without_secrets() {
    let error = TellOptions::new(Some("me:secret@alertmanager"), None, None).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("--alertmanager alertmanager: ") && text.contains("such as http://localhost:9093"),
        "{text}"
    );
    let error = TellOptions::new(None, Some("grafana:3000"), None)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("--grafana grafana:3000: "), "{error}");
    let error = TellOptions::new(None, Some("http://g"), Some("a\nb")).unwrap_err();
    assert!(matches!(error, TellError::Token));
}
