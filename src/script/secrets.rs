//! What `k6/secrets` knows: values from files and from the command line, by name, that no message shows.

use std::collections::BTreeMap;

/// All sources of secrets.
#[derive(Clone, Default)]
pub struct Secrets(Vec<Source>);

#[derive(Clone)]
struct Source {
    name: String,
    default: bool,
    values: BTreeMap<String, String>,
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
    /// Reads the values of `--secret-source`: `file=PATH`, or with more to say `file=filename=PATH,name=NAME,default`, and
    /// `mock=NAME=VALUE,…` for trying things out.
    ///
    /// # Errors
    /// A sentence that names the source and the mend.
    pub fn read(given: &[String]) -> Result<Secrets, String> {
        let mut sources = given
            .iter()
            .map(|text| Source::read(text).map_err(|why| format!("--secret-source {}: {why}", kind(text))))
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

    /// The value of this key, in this source or in the default one.
    ///
    /// # Errors
    /// A sentence that says which of the two there is not.
    pub fn get(&self, source: Option<&str>, key: &str) -> Result<&str, String> {
        if self.0.is_empty() {
            return Err("no secret sources are configured: give one with --secret-source file=PATH".into());
        }
        let found = match source {
            Some(name) => self.0.iter().find(|known| known.name == name),
            None => self.0.iter().find(|known| known.default),
        };
        let found = found.ok_or_else(|| match source {
            Some(name) => format!("no secret source is called `{name}`"),
            None => "no secret source is the default: add `,default` to one of them".into(),
        })?;
        let value = found.values.get(key);
        value
            .map(String::as_str)
            .ok_or_else(|| format!("the secret source `{}` has no value for `{key}`", found.name))
    }

    /// What must not be shown, the longest first.
    fn values(&self) -> Vec<&str> {
        let values = self.0.iter().flat_map(|source| source.values.values());
        let mut values: Vec<&str> = values
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text without secrets.
    pub fn hide(&self, text: &str) -> String {
        let hidden = |text: String, value: &str| text.replace(value, HIDDEN);
        self.values().into_iter().fold(text.to_owned(), hidden)
    }
}

/// What kind of source it is, without what it may contain.
fn kind(text: &str) -> &str {
    text.split('=').next().unwrap_or_default()
}

impl Source {
    fn read(text: &str) -> Result<Source, String> {
        let (kind, rest) = text.split_once('=').unwrap_or((text, ""));
        let mut source = Source {
            name: kind.to_owned(),
            default: false,
            values: BTreeMap::new(),
        };
        if !["file", "mock"].contains(&kind) {
            return Err("there are file and mock".into());
        }
        let mut file = None;
        for part in rest.split(',').filter(|part| !part.is_empty()) {
            match (part.split_once('='), kind) {
                (None, _) if part == "default" => source.default = true,
                (Some(("name", name)), _) => name.clone_into(&mut source.name),
                (Some(("filename", path)), "file") => file = Some(path),
                (None, "file") => file = Some(part),
                (Some((key, value)), "mock") => {
                    source
                        .values
                        .insert(key.to_owned(), value.trim_matches('"').to_owned());
                }
                _ => {
                    return Err("a part of it is not understood; known are filename=, name=, default".into());
                }
            }
        }
        match (kind, file) {
            ("mock", _) => {}
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
                    source
                        .values
                        .insert(key.trim().to_owned(), value.trim().to_owned());
                }
            }
            _ => return Err("which file? Write file=PATH".into()),
        }
        Ok(source)
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
        let secrets = Secrets::read(&given).unwrap();
        assert_eq!(secrets.get(None, "cool"), Ok("some value"));
        assert_eq!(secrets.get(Some("other"), "a"), Ok("b"));
        assert!(secrets.get(Some("none"), "a").unwrap_err().contains("`none`"));
        assert!(secrets.get(None, "a").unwrap_err().contains("`a`"));
        assert_eq!(secrets.hide("it is some value"), format!("it is {HIDDEN}"));
        assert_eq!(format!("{secrets:?}"), "Secrets([\"mock\", \"other\"])");
    }

    #[test]
    fn wrong_sources_say_what_is_wrong_and_show_no_value() {
        for (given, part) in [
            (vec!["vault=x"], "file and mock"),
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
            let message = Secrets::read(&given).unwrap_err();
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
