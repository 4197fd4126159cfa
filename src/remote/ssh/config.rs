//! `~/.ssh/config`, as far as a tunnel needs it: `ssh_config(5)` without `Match`.
//!
//! The first value that is found wins, so files are read in OpenSSH's order and an option is set once. Lines of a `Match`
//! are left out, with a warning, rather than taken for those of the host before it. An option without which we would go
//! somewhere else than `ssh` does (`ProxyCommand`) is an error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::destination::{Destination, port_number};
use super::{SshError, pattern};

/// How deep files may include each other.
const DEEPEST: usize = 16;

/// What to do with a host that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewHosts {
    /// Refuse it.
    #[default]
    Refuse,
    /// Take its key on, and write it down.
    Accept,
}

/// What the files say about one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// The name or address to connect to.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whom to log in as.
    pub user: String,
    /// Key files, in order.
    pub identities: Vec<PathBuf>,
    /// Certificates of our keys, in order.
    pub certificates: Vec<PathBuf>,
    /// Whether the agent may only use the key files' keys.
    pub identities_only: bool,
    /// Files of known hosts: the first is the one to write to.
    pub known_hosts: Vec<PathBuf>,
    /// The name to look for in them, where it is another.
    pub alias: Option<String>,
    /// What to do with a host that is not known.
    pub new_hosts: NewHosts,
    /// The host to go through.
    pub jump: Option<Destination>,
    /// How long connecting may take.
    pub connect_timeout: Option<Duration>,
}

/// What the user's surroundings are, so that reading needs none.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The home folder.
    pub home: PathBuf,
    /// The user's name here.
    pub user: String,
}

impl Surroundings {
    /// This process's.
    pub fn current() -> Surroundings {
        let own = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        let home = home
            .map(PathBuf::from)
            .or_else(|| own.as_ref().map(|user| user.dir.clone()));
        Surroundings {
            home: home.unwrap_or_else(|| PathBuf::from("/")),
            user: own.map_or_else(|| std::env::var("USER").unwrap_or_default(), |user| user.name),
        }
    }
}

/// Values as written, before names are filled in.
#[derive(Default)]
struct Found {
    host_name: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    identities: Vec<String>,
    certificates: Vec<String>,
    identities_only: Option<bool>,
    known_hosts: Option<Vec<String>>,
    global_known_hosts: Option<Vec<String>>,
    alias: Option<String>,
    strict: Option<NewHosts>,
    jump: Option<Jump>,
    connect_timeout: Option<Duration>,
}

/// What `ProxyJump` says; `none` is an answer too, which later lines do not change.
enum Jump {
    None,
    Through(Destination),
}

struct Reader<'a> {
    /// As typed: what `Host` is about.
    host: &'a str,
    surroundings: &'a Surroundings,
    found: Found,
    warnings: Vec<String>,
}

/// What the user's file and the system's say about a destination, and what in them was not understood.
/// `file` stands for both where it is given; it must exist then.
pub fn resolve(
    destination: &Destination,
    file: Option<&Path>,
    surroundings: &Surroundings,
) -> Result<(HostConfig, Vec<String>), SshError> {
    let mut reader = Reader {
        host: &destination.host,
        surroundings,
        found: Found::default(),
        warnings: Vec::new(),
    };
    match file {
        Some(file) if file.as_os_str() == "none" => {}
        Some(file) => reader.file(file, 0, &mut true, true)?,
        None => {
            reader.file(&surroundings.home.join(".ssh/config"), 0, &mut true, false)?;
            reader.file(Path::new("/etc/ssh/ssh_config"), 0, &mut true, false)?;
        }
    }
    let Reader { found, warnings, .. } = reader;
    Ok((found.finish(destination, surroundings)?, warnings))
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize, active: &mut bool, required: bool) -> Result<(), SshError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if !required && error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => {
                return Err(SshError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        self.text(path, &String::from_utf8_lossy(&bytes), depth, active)
    }

    fn text(&mut self, path: &Path, text: &str, depth: usize, active: &mut bool) -> Result<(), SshError> {
        for (number, line) in text.lines().enumerate() {
            let wrong = |reason: String| SshError::Config {
                path: path.to_owned(),
                line: number + 1,
                reason,
            };
            let Some((keyword, values)) = words(line).map_err(|reason| wrong(reason.to_owned()))? else {
                continue;
            };
            let first = values.first().map(String::as_str);
            match (keyword.as_str(), first) {
                (_, None) => return Err(wrong(format!("{keyword} has no value"))),
                ("host", _) => {
                    *active = pattern::one_fits(values.iter().map(String::as_str), self.host);
                }
                ("match", Some(first)) => {
                    *active = values.len() == 1 && first.eq_ignore_ascii_case("all");
                    if !*active {
                        self.warnings.push(format!(
                            "{} line {}: Match is not understood; its options are left out",
                            path.display(),
                            number + 1
                        ));
                    }
                }
                _ if !*active => {}
                ("include", _) => self.include(path, &values, depth).map_err(|error| match error {
                    Included::TooDeep => wrong(format!("files include each other more than {DEEPEST} deep")),
                    Included::Error(error) => error,
                })?,
                (_, Some(first)) => self.option(&keyword, first, &values).map_err(wrong)?,
            }
        }
        Ok(())
    }

    /// One option of the host. An error says what is wrong with its value.
    fn option(&mut self, keyword: &str, value: &str, values: &[String]) -> Result<(), String> {
        let found = &mut self.found;
        match keyword {
            "hostname" => set(&mut found.host_name, || Ok(value.to_owned())),
            "user" => set(&mut found.user, || Ok(value.to_owned())),
            "hostkeyalias" => set(&mut found.alias, || Ok(value.to_owned())),
            "port" => set(&mut found.port, || {
                port_number(value).ok_or_else(|| format!("Port {value}: a port is a number from 1 to 65535"))
            }),
            "identityfile" => {
                found.identities.push(value.to_owned());
                Ok(())
            }
            "certificatefile" => {
                found.certificates.push(value.to_owned());
                Ok(())
            }
            "identitiesonly" => set(&mut found.identities_only, || match value {
                "yes" | "true" => Ok(true),
                "no" | "false" => Ok(false),
                _ => Err(format!("IdentitiesOnly {value}: write yes or no")),
            }),
            "userknownhostsfile" => set(&mut found.known_hosts, || Ok(values.to_vec())),
            "globalknownhostsfile" => set(&mut found.global_known_hosts, || Ok(values.to_vec())),
            "stricthostkeychecking" => set(&mut found.strict, || match value {
                "yes" | "true" | "ask" => Ok(NewHosts::Refuse),
                // A key that has changed is refused also with `no`.
                "accept-new" | "no" | "off" | "false" => Ok(NewHosts::Accept),
                _ => Err(format!("StrictHostKeyChecking {value}: write yes, ask, accept-new or no")),
            }),
            "connecttimeout" => set(&mut found.connect_timeout, || {
                let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
                seconds
                    .map(Duration::from_secs)
                    .ok_or_else(|| format!("ConnectTimeout {value}: write seconds"))
            }),
            "proxyjump" => set(&mut found.jump, || jump(value)),
            "proxycommand" if found.jump.is_none() && value != "none" => Err(
                "ProxyCommand is not supported: use ProxyJump, or a tunnel of your own (`ssh -N -L …`) and no --tunnel"
                    .to_owned(),
            ),
            "proxycommand" => set(&mut found.jump, || Ok(Jump::None)),
            _ => Ok(()),
        }
    }

    fn include(&mut self, from: &Path, values: &[String], depth: usize) -> Result<(), Included> {
        if depth >= DEEPEST {
            return Err(Included::TooDeep);
        }
        for value in values {
            let path = match value.strip_prefix("~/") {
                Some(rest) => self.surroundings.home.join(rest),
                None if value.starts_with('/') => PathBuf::from(value),
                // What is not absolute is in ~/.ssh, or where the system's file is.
                None if from.starts_with("/etc/ssh") => Path::new("/etc/ssh").join(value),
                None => self.surroundings.home.join(".ssh").join(value),
            };
            for file in expand(&path) {
                // A `Host` in the included file ends there.
                self.file(&file, depth + 1, &mut true, false)
                    .map_err(Included::Error)?;
            }
        }
        Ok(())
    }
}

enum Included {
    TooDeep,
    Error(SshError),
}

fn set<T>(slot: &mut Option<T>, value: impl FnOnce() -> Result<T, String>) -> Result<(), String> {
    if slot.is_none() {
        *slot = Some(value()?);
    }
    Ok(())
}

fn jump(value: &str) -> Result<Jump, String> {
    if value == "none" {
        return Ok(Jump::None);
    }
    if value.contains(',') {
        return Err(format!("ProxyJump {value}: only one host can be gone through"));
    }
    value
        .parse()
        .map(Jump::Through)
        .map_err(|error: SshError| format!("ProxyJump: {error}"))
}

/// The files that a path with `*` and `?` stands for, in order. A path without stands for itself.
fn expand(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let name = part.as_os_str().to_string_lossy();
        if !name.contains(['*', '?']) {
            for path in &mut found {
                path.push(part);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in found {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            // As in a shell, hidden files are not meant.
            let fitting = names.filter(|entry| !entry.starts_with('.') && pattern::fits(&name, entry));
            next.extend(fitting.map(|entry| folder.join(entry)));
        }
        next.sort();
        found = next;
    }
    found
}

/// The keyword in lower case and its values: `Keyword value`, `Keyword=value`, `"a value"`, `# comment`.
fn words(line: &str) -> Result<Option<(String, Vec<String>)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let end = line
        .find(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or(line.len());
    let keyword = line[..end].to_lowercase();
    let rest = line[end..].trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let mut values = Vec::new();
    let mut characters = rest.trim().chars().peekable();
    while let Some(first) = characters.peek().copied() {
        if first.is_whitespace() {
            characters.next();
            continue;
        }
        if first == '#' {
            break;
        }
        let (mut value, mut quoted) = (String::new(), None);
        while let Some(c) = characters.next_if(|c| quoted.is_some() || !c.is_whitespace()) {
            match c {
                '"' | '\'' if quoted == Some(c) => quoted = None,
                '"' | '\'' if quoted.is_none() => quoted = Some(c),
                '\\' => match characters.next_if(|next| matches!(next, '"' | '\'' | '\\' | ' ')) {
                    Some(escaped) => value.push(escaped),
                    None => value.push(c),
                },
                c => value.push(c),
            }
        }
        if quoted.is_some() {
            return Err("a quotation mark is not closed");
        }
        values.push(value);
    }
    Ok(Some((keyword, values)))
}

impl Found {
    fn finish(self, destination: &Destination, surroundings: &Surroundings) -> Result<HostConfig, SshError> {
        let user = destination.user.clone().or(self.user);
        let user = user.unwrap_or_else(|| surroundings.user.clone());
        let port = destination.port.or(self.port).unwrap_or(22);
        let typed = &destination.host;
        let host = match &self.host_name {
            None => typed.clone(),
            Some(name) => tokens(name, &[('h', typed), ('n', typed)])?,
        };
        let number = port.to_string();
        let home = surroundings.home.to_string_lossy();
        let known: [(char, &str); 7] = [
            ('h', &host),
            ('n', typed),
            ('p', &number),
            ('r', &user),
            ('u', &surroundings.user),
            ('d', &home),
            ('k', self.alias.as_deref().unwrap_or(typed)),
        ];
        let path = |text: &String| -> Result<PathBuf, SshError> {
            let text = tokens(text, &known)?;
            Ok(match text.strip_prefix("~/") {
                Some(rest) => surroundings.home.join(rest),
                None => PathBuf::from(text),
            })
        };
        let paths = |texts: &[String]| -> Result<Vec<PathBuf>, SshError> {
            texts.iter().filter(|text| *text != "none").map(path).collect()
        };
        let own = self
            .known_hosts
            .unwrap_or_else(|| vec!["~/.ssh/known_hosts".into(), "~/.ssh/known_hosts2".into()]);
        let global = self.global_known_hosts.unwrap_or_else(|| {
            vec![
                "/etc/ssh/ssh_known_hosts".into(),
                "/etc/ssh/ssh_known_hosts2".into(),
            ]
        });
        let mut known_hosts = paths(&own)?;
        known_hosts.extend(paths(&global)?);
        let identities = paths(&self.identities)?;
        let certificates = paths(&self.certificates)?;
        Ok(HostConfig {
            identities,
            certificates,
            identities_only: self.identities_only.unwrap_or(false),
            known_hosts,
            alias: self.alias,
            new_hosts: self.strict.unwrap_or_default(),
            jump: match self.jump {
                Some(Jump::Through(host)) => Some(host),
                Some(Jump::None) | None => None,
            },
            connect_timeout: self.connect_timeout,
            host,
            port,
            user,
        })
    }
}

/// Fills `%x` in.
fn tokens(text: &str, known: &[(char, &str)]) -> Result<String, SshError> {
    let mut filled = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            filled.push(c);
            continue;
        }
        let token = characters.next();
        match known.iter().find(|(name, _)| Some(*name) == token) {
            Some((_, value)) => filled.push_str(value),
            None if token == Some('%') => filled.push('%'),
            None => {
                return Err(SshError::Token {
                    text: text.to_owned(),
                });
            }
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
