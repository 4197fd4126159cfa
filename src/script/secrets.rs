//! What `k6/secrets` knows: values from files, from the command line and from services, by name, that no message shows.

mod url;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

pub use self::url::UrlSource;

/// All sources of secrets.
#[derive(Clone, Default)]
pub struct Secrets(Vec<Source>);

#[derive(Clone)]
struct Source {
    name: String,
    default: bool,
    /// What it has, and what a service has told so far.
    values: Arc<RwLock<BTreeMap<String, String>>>,
    service: Option<Arc<UrlSource>>,
}

/// What a source says of a key.
#[derive(Debug)]
pub enum Held {
    /// This value.
    Value(String),
    /// To ask this service, and to [`Secrets::keep`] what it says.
    At(Arc<UrlSource>),
}

/// What a message shows instead of a secret.
const HIDDEN: &str = "***SECRET_REDACTED***";

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|source| source.name.as_str()).collect();
        f.debug_tuple("Secrets").field(&names).finish()
    }
}

impl Secrets {
    /// Reads the values of `--secret-source`: `file=PATH`, or with more to say `file=filename=PATH,name=NAME,default`,
    /// `url=urlTemplate=…` for a service, and `mock=NAME=VALUE,…` for trying things out.
    ///
    /// # Errors
    /// A sentence that names the source and the mend.
    pub fn read(given: &[String], variables: &BTreeMap<String, String>) -> Result<Secrets, String> {
        let mut sources = given
            .iter()
            .map(|text| {
                Source::read(text, variables).map_err(|why| format!("--secret-source {}: {why}", kind(text)))
            })
            .collect::<Result<Vec<Source>, String>>()?;
        for (i, source) in sources.iter().enumerate() {
            if sources[..i].iter().any(|other| other.name == source.name) {
                let name = &source.name;
                return Err(format!(
                    "two secret sources are called `{name}`: give one of them a name=…"
                ));
            }
        }
        if let [only] = sources.as_mut_slice() {
            only.default = true;
        }
        if sources.iter().filter(|source| source.default).count() > 1 {
            return Err("two secret sources are the default: leave `default` out of one".into());
        }
        Ok(Secrets(sources))
    }

    fn source(&self, name: Option<&str>) -> Result<&Source, String> {
        if self.0.is_empty() {
            return Err("no secret sources are configured: give one with --secret-source file=PATH".into());
        }
        let found = match name {
            Some(name) => self.0.iter().find(|known| known.name == name),
            None => self.0.iter().find(|known| known.default),
        };
        found.ok_or_else(|| match name {
            Some(name) => format!("no secret source is called `{name}`"),
            None => "no secret source is the default: add `,default` to one of them".into(),
        })
    }

    /// The value of this key, in this source or in the default one.
    ///
    /// # Errors
    /// A sentence that says which of the two there is not.
    pub fn get(&self, source: Option<&str>, key: &str) -> Result<Held, String> {
        let source = self.source(source)?;
        let values = source.values.read().unwrap_or_else(PoisonError::into_inner);
        match (values.get(key), &source.service) {
            (Some(value), _) => Ok(Held::Value(value.clone())),
            (None, Some(service)) => Ok(Held::At(service.clone())),
            (None, None) => Err(format!(
                "the secret source `{}` has no value for `{key}`",
                source.name
            )),
        }
    }

    /// Keeps what a service has said: nobody asks for it again, and no message shows it.
    pub fn keep(&self, source: Option<&str>, key: &str, value: &str) {
        if let Ok(source) = self.source(source) {
            let mut values = source.values.write().unwrap_or_else(PoisonError::into_inner);
            values.insert(key.to_owned(), value.to_owned());
        }
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text without secrets.
    pub fn hide(&self, text: &str) -> String {
        let mut values: Vec<String> = Vec::new();
        for source in &self.0 {
            let held = source.values.read().unwrap_or_else(PoisonError::into_inner);
            values.extend(held.values().filter(|value| !value.is_empty()).cloned());
        }
        // The longest first: one may be a part of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let hidden = |text: String, value: &String| text.replace(value.as_str(), HIDDEN);
        values.iter().fold(text.to_owned(), hidden)
    }
}

/// What kind of source it is, without what it may contain.
fn kind(text: &str) -> &str {
    text.split('=').next().unwrap_or_default()
}

impl Source {
    fn read(text: &str, variables: &BTreeMap<String, String>) -> Result<Source, String> {
        let (kind, rest) = text.split_once('=').unwrap_or((text, ""));
        let (mut name, mut default, mut values) = (kind.to_owned(), false, BTreeMap::new());
        if !["file", "mock", "url"].contains(&kind) {
            return Err("there are file, url and mock".into());
        }
        let (mut file, mut settings) = (None, Vec::new());
        // Parts may be continued on the next line of a shell script.
        let parts = rest
            .split(',')
            .map(|part| part.trim_matches(|c: char| c.is_whitespace() || c == '\\'));
        for part in parts.filter(|part| !part.is_empty()) {
            match (part.split_once('='), kind) {
                (None, _) if part == "default" => default = true,
                (Some(("name", given)), _) => given.clone_into(&mut name),
                (_, "url") => settings.push(part),
                (Some(("filename", path)), "file") => file = Some(path),
                (None, "file") => file = Some(part),
                (Some((key, value)), "mock") => {
                    values.insert(key.to_owned(), value.trim_matches('"').to_owned());
                }
                _ => {
                    return Err("a part of it is not understood; known are filename=, name=, default".into());
                }
            }
        }
        let mut service = None;
        match (kind, file) {
            ("mock", _) => {}
            ("url", _) => service = Some(Arc::new(UrlSource::read(&settings, variables)?)),
            ("file", Some(path)) => {
                let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {path}: {e}"))?;
                for (number, line) in text
                    .lines()
                    .enumerate()
                    .filter(|(_, line)| !line.trim().is_empty())
                {
                    let pair = line.split_once('=');
                    let (key, value) =
                        pair.ok_or_else(|| format!("{path}:{}: expected NAME=VALUE", number + 1))?;
                    values.insert(key.trim().to_owned(), value.trim().to_owned());
                }
            }
            _ => return Err("which file? Write file=PATH".into()),
        }
        Ok(Source {
            name,
            default,
            values: Arc::new(RwLock::new(values)),
            service,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_names_and_one_is_the_default() {
        let given = [
            "mock=default,cool=\"some value\",cooler=some".to_owned(),
            "mock=name=other,a=b".to_owned(),
        ];
        let secrets = Secrets::read(&given, &BTreeMap::new()).unwrap();
        let value = |source, key| match secrets.get(source, key).unwrap() {
            Held::Value(value) => value,
            Held::At(_) => panic!("no service was given"),
        };
        assert_eq!(value(None, "cool"), "some value");
        assert_eq!(value(Some("other"), "a"), "b");
        assert!(secrets.get(Some("none"), "a").unwrap_err().contains("`none`"));
        assert!(secrets.get(None, "a").unwrap_err().contains("`a`"));
        assert_eq!(secrets.hide("it is some value"), format!("it is {HIDDEN}"));
        assert_eq!(format!("{secrets:?}"), "Secrets([\"mock\", \"other\"])");
    }

    #[test]
    fn what_a_service_has_said_is_kept_and_hidden() {
        let given = ["url=name=vault,urlTemplate=http://h/{key}, \\\n  timeout=1s".to_owned()];
        let secrets = Secrets::read(&given, &BTreeMap::new()).unwrap();
        let seen = secrets.clone();
        assert!(matches!(secrets.get(Some("vault"), "a"), Ok(Held::At(_))));
        secrets.keep(None, "a", "told");
        assert!(matches!(secrets.get(None, "a"), Ok(Held::Value(value)) if value == "told"));
        assert_eq!(seen.hide("it was told"), format!("it was {HIDDEN}"));
    }

    #[test]
    fn wrong_sources_say_what_is_wrong_and_show_no_value() {
        for (given, part) in [
            (vec!["vault=x"], "file, url and mock"),
            (vec!["url=timeout=1s"], "urlTemplate"),
            (vec!["file"], "which file"),
            (vec!["file=/does/not/exist"], "cannot read /does/not/exist"),
            (
                vec!["mock=a=1", "mock=b=2"],
                "two secret sources are called `mock`",
            ),
            (
                vec!["mock=a=1,default", "mock=name=x,default"],
                "two secret sources are the default",
            ),
        ] {
            let given: Vec<String> = given.into_iter().map(str::to_owned).collect();
            let message = Secrets::read(&given, &BTreeMap::new()).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
        assert!(
            Secrets::default()
                .get(None, "a")
                .unwrap_err()
                .contains("--secret-source")
        );
    }
}
