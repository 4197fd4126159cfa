//! Keeps secrets out of what is written down.
//!
//! Two nets, because each has holes: what a name says is secret (a variable, an option, a query parameter, a header) is
//! hidden where it stands; and the values found that way are hidden wherever else they occur, in a URL, a tag or a
//! message.

use std::collections::BTreeMap;

use serde_json::Value;

use super::HIDDEN;

/// Shorter values of variables given with `-e` are not looked for: they would be found in the middle of words.
const SHORTEST: usize = 6;
/// The same for the variables of the system, which nobody chose for this run.
const SHORTEST_OF_SYSTEM: usize = 12;

/// Parts of names that look secret.
const TELLTALES: [&str; 16] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASSCODE",
    "PWD",
    "AUTH",
    "CREDENTIAL",
    "COOKIE",
    "PRIVATE",
    "SIGNATURE",
    "BEARER",
    "JWT",
    "SESSIONID",
    "APIKEY",
];

/// Whether a name looks like that of a secret: `API_KEY`, `authToken`, `x-amz-signature`.
pub(super) fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_uppercase();
    // The working directory of a shell is none.
    if name == "PWD" || name == "OLDPWD" {
        return false;
    }
    // A key's prefix or size is not the key.
    let about = ["PREFIX", "SIZE", "COUNT", "LENGTH", "SPACE", "NAME"]
        .iter()
        .any(|end| name.ends_with(end));
    TELLTALES.iter().any(|part| name.contains(part)) || (name.contains("KEY") && !about) || name == "SIG"
}

/// Knows the secrets of a run, as far as names give them away.
#[derive(Debug, Default, Clone)]
pub struct Scrubber {
    /// Longest first, so that none is left half hidden.
    values: Vec<String>,
}

impl Scrubber {
    /// Learns from what was given for this run, variables and headers, and from the system's variables.
    pub fn new<'a>(
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
        system: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Scrubber {
        let given = given.into_iter().map(|pair| (pair, SHORTEST));
        let system = system.into_iter().map(|pair| (pair, SHORTEST_OF_SYSTEM));
        let mut values = Vec::new();
        for ((name, value), shortest) in given.chain(system) {
            let value = value.trim();
            if !is_secret(name) {
                continue;
            }
            // `Bearer …`: the word after it is what is secret.
            let word = value.split_once(' ').map(|(_, word)| word);
            let learnt = [Some(value), word].into_iter().flatten();
            values.extend(learnt.filter(|value| value.len() >= shortest).map(str::to_owned));
        }
        values.sort_by(|a: &String, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Scrubber { values }
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), HIDDEN);
            }
        }
        parameters(&credentials(&user_info(&text)))
    }

    /// A value that has a name.
    pub fn value(&self, name: &str, value: &str) -> String {
        if is_secret(name) && !value.is_empty() {
            HIDDEN.to_owned()
        } else {
            self.text(value)
        }
    }

    /// Variables, those that look secret without their values.
    pub fn variables(&self, variables: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        variables
            .iter()
            .map(|(name, value)| (name.clone(), self.value(name, value)))
            .collect()
    }

    /// Options: certificates' keys, passwords and the variables of scenarios are hidden.
    pub fn options(&self, options: &Value) -> Value {
        match options {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(list) => list.iter().map(|value| self.options(value)).collect(),
            Value::Object(fields) => {
                let scrubbed = fields.iter().map(|(key, value)| match value {
                    // Thresholds: what looks secret there is a metric's name.
                    _ if key == "thresholds" => (key.clone(), self.expressions(value)),
                    Value::String(text) => (key.clone(), self.value(key, text).into()),
                    Value::Number(_) if is_secret(key) => (key.clone(), HIDDEN.into()),
                    value => (self.text(key), self.options(value)),
                });
                Value::Object(scrubbed.collect())
            }
            other => other.clone(),
        }
    }

    fn expressions(&self, thresholds: &Value) -> Value {
        match thresholds {
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| (self.text(key), value.clone()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    /// A command line. What is said with `-H` and `-b` is hidden altogether: headers and bodies carry secrets under any
    /// name.
    pub fn command(&self, arguments: &[String]) -> Vec<String> {
        let before = std::iter::once("").chain(arguments.iter().map(String::as_str));
        let pairs = before.zip(arguments);
        pairs
            .map(|(before, argument)| self.argument(before, argument))
            .collect()
    }

    fn argument(&self, before: &str, argument: &str) -> String {
        match before {
            "-H" | "--header" | "--remote-write-header" => return header(argument),
            "-b" | "--body" if !argument.starts_with('@') => return HIDDEN.to_owned(),
            "--demo-args" => {
                let words: Vec<String> = argument.split_whitespace().map(str::to_owned).collect();
                return self.command(&words).join(" ");
            }
            _ if before.starts_with("--") && !before.contains('=') && is_secret(before) => {
                return HIDDEN.to_owned();
            }
            _ => {}
        }
        if argument.starts_with("--") {
            let Some((flag, value)) = argument.split_once('=') else {
                return argument.to_owned();
            };
            return format!("{flag}={}", self.argument(flag, value));
        }
        for (short, hides) in [("-H", true), ("-b", true), ("-e", false)] {
            if let Some(value) = argument.strip_prefix(short).filter(|value| !value.is_empty()) {
                let value = value.strip_prefix('=').unwrap_or(value);
                let value = if hides {
                    self.argument(short, value)
                } else {
                    self.pair(value)
                };
                return format!("{short}{value}");
            }
        }
        self.pair(argument)
    }

    /// `NAME=VALUE`, or any text.
    fn pair(&self, text: &str) -> String {
        match text.split_once('=') {
            Some((name, value)) if is_word(name) => format!("{name}={}", self.value(name, value)),
            _ => self.text(text),
        }
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// `Name: (hidden)`.
fn header(text: &str) -> String {
    match text.split_once(':') {
        Some((name, _)) => format!("{name}: {HIDDEN}"),
        None => HIDDEN.to_owned(),
    }
}

/// URLs without user and password.
fn user_info(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''))
            .unwrap_or(after.len());
        let host = after[..end].rfind('@').map_or(0, |at| at + 1);
        clean.push_str(&after[host..end]);
        rest = &after[end..];
    }
    clean.push_str(rest);
    clean
}

/// `Bearer x` and `Basic x` without the x.
fn credentials(text: &str) -> String {
    let mut clean = text.to_owned();
    for scheme in ["Bearer ", "bearer ", "Basic ", "Token "] {
        let mut from = 0;
        while let Some(at) = clean[from..].find(scheme) {
            let start = from + at + scheme.len();
            let word = clean[start..].find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ','));
            let end = word.map_or(clean.len(), |word| start + word);
            // A word of prose after "Basic" is not a secret: those are long.
            if end - start >= 8 {
                clean.replace_range(start..end, HIDDEN);
                from = start + HIDDEN.len();
            } else {
                from = start;
            }
        }
    }
    clean
}

/// Query parameters whose names look secret, without their values.
fn parameters(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['?', '&']) {
        let (before, after) = rest.split_at(at + 1);
        clean.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '&' | '#' | '"' | '\'' | '?'))
            .unwrap_or(after.len());
        match after[..end].split_once('=') {
            Some((name, value)) if is_secret(name) && !value.is_empty() => {
                clean.push_str(name);
                clean.push('=');
                clean.push_str(HIDDEN);
            }
            _ => clean.push_str(&after[..end]),
        }
        rest = &after[end..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_give_secrets_away() {
        for name in [
            "API_KEY",
            "apiKey",
            "AUTH_TOKEN",
            "db_password",
            "x-api-key",
            "X-Amz-Signature",
            "sig",
            "AWS_SECRET_ACCESS_KEY",
            "Authorization",
            "CREDENTIALS",
            "session-id",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "BASE_URL",
            "KEY_PREFIX",
            "VALUE_SIZE",
            "PROFILE",
            "VUS",
            "PWD",
            "name",
            "THINK_TIME",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn texts_lose_user_info_and_secret_parameters() {
        let scrubber = Scrubber::default();
        for (text, clean) in [
            ("http://u:p@h:1/a?x=1", "http://h:1/a?x=1"),
            ("see https://u@h/p@q, done", "see https://h/p@q, done"),
            ("ws://h/ws?token=abc&x=1#f", "ws://h/ws?token=(hidden)&x=1#f"),
            ("/ws?a=1&access_token=abc", "/ws?a=1&access_token=(hidden)"),
            (
                "Authorization: Bearer abcdefghij, more",
                "Authorization: Bearer (hidden), more",
            ),
            ("Basic needs", "Basic needs"),
            ("http_req_duration{name:GET /}", "http_req_duration{name:GET /}"),
            ("Größe ?ü=1", "Größe ?ü=1"),
        ] {
            assert_eq!(scrubber.text(text), clean);
        }
    }

    #[test]
    fn a_value_known_to_be_secret_is_found_everywhere() {
        let scrubber = Scrubber::new(
            [
                ("API_KEY", "test-api-key"),
                ("PIN_TOKEN", "123"),
                ("NAME", "not secret"),
                ("authorization", "Bearer s3cr3t.s3cr3t"),
            ],
            [
                ("HOME_TOKEN", "eleven char"),
                ("CI_JOB_TOKEN", "0123456789abcdef"),
            ],
        );
        assert_eq!(
            scrubber.text("test-api-key 123 not secret eleven char 0123456789abcdef s3cr3t.s3cr3t"),
            "(hidden) 123 not secret eleven char (hidden) (hidden)"
        );
    }

    #[test]
    fn options_lose_keys_and_passwords_but_not_thresholds() {
        let options = json!({
            "scenarios": { "auth": { "env": { "TOKEN": "abc", "URL": "http://u:p@h/" }, "vus": 2, "exec": "login" } },
            "tlsAuth": [{ "cert": "C", "key": "K", "password": "P", "domains": ["h"] }],
            "thresholds": { "auth_duration": ["p(95)<200"] },
        });
        let clean = json!({
            "scenarios": { "auth": { "env": { "TOKEN": HIDDEN, "URL": "http://h/" }, "vus": 2, "exec": "login" } },
            "tlsAuth": [{ "cert": "C", "key": HIDDEN, "password": HIDDEN, "domains": ["h"] }],
            "thresholds": { "auth_duration": ["p(95)<200"] },
        });
        assert_eq!(Scrubber::default().options(&options), clean);
    }

    #[test]
    fn command_lines_are_written_without_secrets() {
        let clean = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
            Scrubber::default().command(&arguments).join(" ")
        };
        for (arguments, text) in [
            (
                &["run", "-e", "API_KEY=abc", "x.js"][..],
                "run -e API_KEY=(hidden) x.js",
            ),
            (
                &["-eAPI_KEY=abc", "-e=TOKEN=x"],
                "-eAPI_KEY=(hidden) -eTOKEN=(hidden)",
            ),
            (&["--env=API_KEY=abc"], "--env=API_KEY=(hidden)"),
            (&["--env", "BASE_URL=http://u:p@h/"], "--env BASE_URL=http://h/"),
            (
                &["hit", "-H", "X-Any: abc", "-HCookie: x"],
                "hit -H X-Any: (hidden) -HCookie: (hidden)",
            ),
            (
                &["--header=Authorization: Bearer x"],
                "--header=Authorization: (hidden)",
            ),
            (
                &["-b", "{\"password\":1}", "--body", "@file"],
                "-b (hidden) --body @file",
            ),
            (
                &["--demo-args", "--token abc --queue 5"],
                "--demo-args --token (hidden) --queue 5",
            ),
            (
                &["--api-token", "abc", "--vus", "5"],
                "--api-token (hidden) --vus 5",
            ),
            (
                &["--threshold", "http_req_duration=p(95)<200"],
                "--threshold http_req_duration=p(95)<200",
            ),
        ] {
            assert_eq!(clean(arguments), text);
        }
    }
}
