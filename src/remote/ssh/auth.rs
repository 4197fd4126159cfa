//! Logging in: the agent, key files, certificates, a password, questions of the server.
//!
//! The first login finds a [`Way`]; all later ones of the same tunnel go that way alone. So nobody is asked twice, and a
//! server that has refused us is not asked again.

use std::path::{Path, PathBuf};

use ssh2::{ErrorCode, PublicKey, Session};

use super::agent::AgentKeys;
use super::config::HostConfig;
use super::key::KeyFile;
use super::prompt::{Answer, Secret, ask};
use super::questions::Asker;
use super::{SshError, code};

/// The variable with the passphrase of encrypted keys.
pub const PASSPHRASE: &str = "LOADGEN_SSH_PASSPHRASE";
/// The variable with the password.
pub const PASSWORD: &str = "LOADGEN_SSH_PASSWORD";
/// So often a person at a terminal may mistype.
const TRIES: usize = 3;

/// What let us in.
#[derive(Clone, Debug)]
pub enum Way {
    /// The server wants nothing.
    Open,
    /// A key that the agent holds.
    Agent(Vec<u8>),
    /// A key file, maybe with a certificate.
    Key {
        /// The private key.
        path: PathBuf,
        /// Its certificate.
        certificate: Option<PathBuf>,
        /// What decrypts it.
        passphrase: Option<Secret>,
    },
    /// A password.
    Password(Secret),
    /// Answers to the server's questions.
    Answers(Vec<Secret>),
}

/// Who logs in where, and with what.
pub struct Login<'a> {
    /// The session, with its host key checked.
    pub session: &'a Session,
    /// The host's options.
    pub config: &'a HostConfig,
    /// The keys given on the command line.
    pub identities: &'a [PathBuf],
    /// The home folder, for the usual keys.
    pub home: &'a Path,
    /// What was tried, and why it did not help.
    tried: Vec<String>,
    /// What the server takes.
    offered: String,
}

/// Why one attempt did not let us in.
enum Failed {
    /// The server says no, or the attempt could not be made; others may help.
    Next(String),
    /// No use in going on.
    End(SshError),
}

type Attempt = Result<Option<Way>, SshError>;

impl<'a> Login<'a> {
    /// Prepares to log in.
    pub fn new(
        session: &'a Session,
        config: &'a HostConfig,
        identities: &'a [PathBuf],
        home: &'a Path,
    ) -> Login<'a> {
        Login {
            session,
            config,
            identities,
            home,
            tried: Vec::new(),
            offered: String::new(),
        }
    }

    /// Logs in as before, or finds out how.
    pub fn log_in(mut self, before: Option<&Way>) -> Result<Way, SshError> {
        if let Some(way) = before {
            return match self.go(way) {
                Ok(()) => Ok(way.clone()),
                Err(Failed::End(error)) => Err(error),
                Err(Failed::Next(reason)) => {
                    self.tried.push(reason);
                    "what it took before".clone_into(&mut self.offered);
                    Err(self.refused(&self.tried))
                }
            };
        }
        let offered = match self.session.auth_methods(&self.config.user) {
            Ok(offered) => offered.to_owned(),
            Err(_) if self.session.authenticated() => return Ok(Way::Open),
            Err(error) => return Err(self.lost(&error)),
        };
        if self.session.authenticated() {
            return Ok(Way::Open);
        }
        self.offered = offered.replace(',', ", ");
        let takes = |method: &str| offered.split(',').any(|offered| offered == method);
        if takes("publickey")
            && let Some(way) = self.keys()?
        {
            return Ok(way);
        }
        // Both mean the same password on most servers, and one wrong answer is enough.
        let way = if takes("password") {
            self.password()?
        } else if takes("keyboard-interactive") {
            self.questions()?
        } else {
            None
        };
        way.ok_or_else(|| self.refused(&self.tried))
    }

    fn keys(&mut self) -> Attempt {
        let agent = AgentKeys::of(self.session);
        if let Err(reason) = &agent {
            self.tried.push(reason.clone());
        }
        let mut named = Vec::new();
        for path in self.identities {
            match KeyFile::read(path) {
                Ok(key) => named.push(key),
                // It was asked for by name: nothing else is meant.
                Err(reason) => {
                    return Err(SshError::Identity {
                        path: path.clone(),
                        reason,
                    });
                }
            }
        }
        for key in &named {
            if let Some(way) = self.key(key, agent.as_ref().ok(), true)? {
                return Ok(Some(way));
            }
        }
        let usual = self.usual_keys();
        if let Ok(agent) = &agent {
            let wanted = |blob: &[u8]| usual.iter().any(|key| key.public.as_deref() == Some(blob));
            let mut held: Vec<&PublicKey> = agent.keys.iter().collect();
            // Those that are configured come first: a server ends the conversation after some six keys.
            held.sort_by_key(|held| !wanted(held.blob()));
            held.retain(|held| !self.config.identities_only || wanted(held.blob()));
            for held in held {
                if let Some(way) = self.held(agent, held)? {
                    return Ok(Some(way));
                }
            }
        }
        for key in &usual {
            if key.private
                && let Some(way) = self.key(key, None, false)?
            {
                return Ok(Some(way));
            }
        }
        Ok(None)
    }

    /// The configured keys, or those that have the usual names; only those that are there.
    fn usual_keys(&mut self) -> Vec<KeyFile> {
        let configured = &self.config.identities;
        if configured.is_empty() && self.identities.is_empty() {
            let names = ["id_ed25519", "id_ecdsa", "id_rsa"];
            let files = names.map(|name| self.home.join(".ssh").join(name));
            return files.iter().filter_map(|path| KeyFile::read(path).ok()).collect();
        }
        let mut keys = Vec::new();
        for path in configured {
            match KeyFile::read(path) {
                Ok(key) => keys.push(key),
                Err(reason) => self.tried.push(format!("key {} ({reason})", path.display())),
            }
        }
        keys
    }

    /// A key file: through the agent if that holds it, with its certificate if there is one, by itself.
    fn key(&mut self, key: &KeyFile, agent: Option<&AgentKeys>, named: bool) -> Attempt {
        if let (Some(agent), Some(public)) = (agent, &key.public)
            && let Some(held) = agent.holds(public)
            && let Some(way) = self.held(agent, held)?
        {
            return Ok(Some(way));
        }
        if !key.private {
            let reason = "it is a public key, and no agent has the private one; name the private key";
            return self.unusable(key, named, reason.to_owned());
        }
        for attempt in 0..TRIES {
            let passphrase = match Login::passphrase(key, attempt) {
                Ok(passphrase) => passphrase,
                Err(Failed::End(error)) => return Err(error),
                Err(Failed::Next(reason)) => return self.unusable(key, named, reason),
            };
            let mut wrong = false;
            for certificate in self.certificates(&key.path).into_iter().map(Some).chain([None]) {
                let way = Way::Key {
                    path: key.path.clone(),
                    certificate,
                    passphrase: passphrase.clone(),
                };
                match self.go(&way) {
                    Ok(()) => return Ok(Some(way)),
                    Err(Failed::End(SshError::Identity { .. })) => wrong = true,
                    Err(Failed::End(error)) => return Err(error),
                    Err(Failed::Next(reason)) => self.tried.push(reason),
                }
            }
            if !wrong {
                return Ok(None);
            }
            if !key.encrypted {
                return self.unusable(
                    key,
                    named,
                    "it cannot be read: damaged, or of a kind that is not supported".to_owned(),
                );
            }
            if std::env::var_os(PASSPHRASE).is_some() {
                return self.unusable(key, named, format!("the passphrase in {PASSPHRASE} is wrong"));
            }
        }
        self.unusable(key, named, "the passphrase is wrong".to_owned())
    }

    fn unusable(&mut self, key: &KeyFile, named: bool, reason: String) -> Attempt {
        if named {
            return Err(SshError::Identity {
                path: key.path.clone(),
                reason,
            });
        }
        self.tried.push(format!("key {} ({reason})", key.path.display()));
        Ok(None)
    }

    fn passphrase(key: &KeyFile, attempt: usize) -> Result<Option<Secret>, Failed> {
        if !key.encrypted {
            return Ok(None);
        }
        if let Ok(passphrase) = std::env::var(PASSPHRASE) {
            return Ok(Some(Secret::new(passphrase)));
        }
        let again = if attempt > 0 { "wrong; again: " } else { "" };
        match ask(&format!("{again}passphrase of {}: ", key.path.display()), false) {
            Answer::Given(secret) => Ok(Some(secret)),
            Answer::Cancelled => Err(Failed::End(SshError::Cancelled)),
            Answer::Nobody => Err(Failed::Next(format!(
                "it is encrypted: set {PASSPHRASE}, or give it to the agent with ssh-add"
            ))),
        }
    }

    /// Certificates that may be of this key: the one next to it, and those that are configured.
    fn certificates(&self, key: &Path) -> Vec<PathBuf> {
        let mut beside = key.as_os_str().to_owned();
        beside.push("-cert.pub");
        let beside = Some(PathBuf::from(beside)).filter(|path| path.exists());
        let configured = self
            .config
            .certificates
            .iter()
            .filter(|path| path.exists())
            .cloned();
        beside.into_iter().chain(configured).collect()
    }

    fn held(&mut self, agent: &AgentKeys, key: &PublicKey) -> Attempt {
        match agent.agent.userauth(&self.config.user, key) {
            Ok(()) => Ok(Some(Way::Agent(key.blob().to_vec()))),
            Err(error) => match self.judged(&error, &format!("agent key {}", key.comment())) {
                Failed::Next(reason) => {
                    self.tried.push(reason);
                    Ok(None)
                }
                Failed::End(error) => Err(error),
            },
        }
    }

    fn password(&mut self) -> Attempt {
        let given = std::env::var(PASSWORD).ok().map(Secret::new);
        for attempt in 0..TRIES {
            let password = match &given {
                Some(password) => password.clone(),
                None => {
                    let again = if attempt > 0 { "wrong; again: " } else { "" };
                    match ask(&format!("{again}password of {}: ", self.account()), false) {
                        Answer::Given(password) => password,
                        Answer::Cancelled => return Err(SshError::Cancelled),
                        Answer::Nobody => {
                            self.tried.push(format!(
                                "no password (none in {PASSWORD}, and no terminal to ask on)"
                            ));
                            return Ok(None);
                        }
                    }
                }
            };
            let way = Way::Password(password);
            match self.go(&way) {
                Ok(()) => return Ok(Some(way)),
                Err(Failed::End(error)) => return Err(error),
                Err(Failed::Next(reason)) => self.tried.push(reason),
            }
            if given.is_some() {
                break;
            }
        }
        Ok(None)
    }

    fn questions(&mut self) -> Attempt {
        let password = std::env::var(PASSWORD).ok().map(Secret::new);
        let mut asker = Asker {
            account: self.account(),
            password,
            ..Asker::default()
        };
        let result = self
            .session
            .userauth_keyboard_interactive(&self.config.user, &mut asker);
        match result {
            Ok(()) => return Ok(Some(Way::Answers(asker.given))),
            Err(_) if asker.cancelled => return Err(SshError::Cancelled),
            Err(_) if asker.nobody => self.tried.push(format!(
                "no answer to the server's question (none in {PASSWORD}, and no terminal to ask on)"
            )),
            Err(error) => match self.judged(&error, "answers to the server's questions") {
                Failed::Next(reason) => self.tried.push(reason),
                Failed::End(error) => return Err(error),
            },
        }
        Ok(None)
    }

    /// One attempt, without questions.
    fn go(&self, way: &Way) -> Result<(), Failed> {
        let user = &self.config.user;
        let (result, what) = match way {
            Way::Open => match self.session.auth_methods(user) {
                Err(_) if self.session.authenticated() => (Ok(()), String::new()),
                Err(error) => (Err(error), "nothing".to_owned()),
                Ok(_) => return Err(Failed::Next("nothing".to_owned())),
            },
            Way::Agent(blob) => {
                let agent = AgentKeys::of(self.session).map_err(Failed::Next)?;
                let gone = || Failed::Next("a key that the agent no longer holds".to_owned());
                let key = agent.holds(blob).ok_or_else(gone)?;
                (
                    agent.agent.userauth(user, key),
                    format!("agent key {}", key.comment()),
                )
            }
            Way::Key {
                path,
                certificate,
                passphrase,
            } => {
                let passphrase = passphrase.as_ref().map(Secret::reveal);
                let result =
                    self.session
                        .userauth_pubkey_file(user, certificate.as_deref(), path, passphrase);
                // The file is there and has the form of a key: then it is the passphrase.
                if let Err(error) = &result
                    && error.code() == ErrorCode::Session(code::FILE)
                {
                    return Err(Failed::End(SshError::Identity {
                        path: path.clone(),
                        reason: "it cannot be read with this passphrase".to_owned(),
                    }));
                }
                let with = if certificate.is_some() {
                    " with its certificate"
                } else {
                    ""
                };
                (result, format!("key {}{with}", path.display()))
            }
            Way::Password(password) => (
                self.session.userauth_password(user, password.reveal()),
                "password".to_owned(),
            ),
            Way::Answers(answers) => {
                let mut asker = Asker {
                    replay: Some(answers.clone()),
                    ..Asker::default()
                };
                let result = self.session.userauth_keyboard_interactive(user, &mut asker);
                let what =
                    "the same answers to the server's questions; if they hold only once, use --ssh-lanes 1";
                (result, what.to_owned())
            }
        };
        result.map_err(|error| self.judged(&error, &what))
    }

    fn judged(&self, error: &ssh2::Error, what: &str) -> Failed {
        match error.code() {
            ErrorCode::Session(code) if code::is_fatal(code) => {
                if self.tried.is_empty() {
                    return Failed::End(self.lost(error));
                }
                // A server counts what it refuses, and hangs up.
                let mut tried = self.tried.clone();
                let mend =
                    "too many attempts for it? Name one key with --ssh-identity, or set IdentitiesOnly";
                tried.push(format!("{what} (then the server hung up: {mend})"));
                Failed::End(self.refused(&tried))
            }
            ErrorCode::Session(code::REFUSED | code::UNVERIFIED) => Failed::Next(format!("{what} (refused)")),
            _ => Failed::Next(format!("{what} ({})", error.message())),
        }
    }

    fn account(&self) -> String {
        format!("{}@{}", self.config.user, self.config.host)
    }

    fn lost(&self, error: &ssh2::Error) -> SshError {
        SshError::Lost {
            host: self.config.host.clone(),
            reason: format!("while logging in: {}", error.message()),
        }
    }

    fn refused(&self, tried: &[String]) -> SshError {
        let tried = match tried {
            [] => "nothing, as there is no key and no agent; name a key with --ssh-identity".to_owned(),
            tried => tried.join("; "),
        };
        SshError::Refused {
            host: self.config.host.clone(),
            user: self.config.user.clone(),
            offered: self.offered.clone(),
            tried,
        }
    }
}
