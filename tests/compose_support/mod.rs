//! `docker-compose.yml` as docker-compose understands it: merged, and with the defaults of its variables.

use yaml_rust2::Yaml;
use yaml_rust2::yaml::Hash;

use crate::grafana_support::yaml;

/// The file.
pub fn compose() -> Yaml {
    yaml("docker-compose.yml")
}

/// One service, with what it takes over by `<<`.
pub struct Service {
    pub name: String,
    pub yaml: Yaml,
}

/// What a map takes over comes first, and what it says itself stays.
fn merged(map: &Hash) -> Hash {
    let over = map.get(&Yaml::from_str("<<")).and_then(Yaml::as_hash);
    let mut all = over.map(merged).unwrap_or_default();
    for (key, value) in map {
        if key.as_str() != Some("<<") {
            all.insert(key.clone(), value.clone());
        }
    }
    all
}

pub fn services() -> Vec<Service> {
    let compose = compose();
    let services = compose["services"].as_hash().unwrap();
    let all: Vec<Service> = services
        .iter()
        .map(|(name, service)| Service {
            name: name.as_str().unwrap().to_owned(),
            yaml: Yaml::Hash(merged(service.as_hash().unwrap())),
        })
        .collect();
    assert!(all.len() >= 9);
    all
}

pub fn service(name: &str) -> Service {
    let found = services().into_iter().find(|service| service.name == name);
    found.unwrap_or_else(|| panic!("no service {name}"))
}

impl Service {
    pub fn text(&self, key: &str) -> &str {
        self.yaml[key].as_str().unwrap_or_default()
    }

    pub fn list(&self, key: &str) -> Vec<String> {
        let all = self.yaml[key].as_vec().map_or(&[][..], Vec::as_slice);
        all.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    }

    pub fn map(&self, key: &str) -> Hash {
        self.yaml[key].as_hash().map(merged).unwrap_or_default()
    }

    pub fn profiles(&self) -> Vec<String> {
        self.list("profiles")
    }

    /// Variables, and their values unless they are passed on from outside.
    pub fn environment(&self) -> Vec<(String, Option<String>)> {
        let as_text = |value: &Yaml| value.as_str().map(str::to_owned);
        match &self.yaml["environment"] {
            Yaml::Hash(map) => map
                .iter()
                .map(|(name, value)| (as_text(name).unwrap(), as_text(value)))
                .collect(),
            _ => self
                .list("environment")
                .iter()
                .map(|item| match item.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (item.clone(), None),
                })
                .collect(),
        }
    }

    /// Other names in the default network.
    pub fn aliases(&self) -> Vec<String> {
        let all = self.yaml["networks"]["default"]["aliases"].as_vec();
        let all = all.map_or(&[][..], Vec::as_slice);
        all.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    }
}

/// What is started, word by word.
pub fn words(service: &Service) -> Vec<String> {
    [service.list("entrypoint"), service.list("command")].concat()
}

/// A text with the defaults of its variables in their place: `${NAME:-default}`.
pub fn filled(text: &str) -> String {
    let mut parts = text.split("${");
    let mut done = parts.next().unwrap().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap();
        let (name, default) = variable
            .split_once(":-")
            .unwrap_or_else(|| panic!("{text}: no default"));
        assert!(name.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{text}");
        done += default;
        done += rest;
    }
    done
}
