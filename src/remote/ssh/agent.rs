//! The agent, which signs with keys that we never see.

use ssh2::{PublicKey, Session};

/// The agent of `SSH_AUTH_SOCK`, and what it holds.
pub struct AgentKeys {
    /// The connection to it.
    pub agent: ssh2::Agent,
    /// The public keys of what it holds; at least one.
    pub keys: Vec<PublicKey>,
}

impl AgentKeys {
    /// Asks it. `Err` says why there is none.
    pub fn of(session: &Session) -> Result<AgentKeys, String> {
        if std::env::var_os("SSH_AUTH_SOCK").is_none_or(|path| path.is_empty()) {
            return Err("no agent (SSH_AUTH_SOCK is not set)".to_owned());
        }
        let keys = || {
            let mut agent = session.agent()?;
            agent.connect()?;
            agent.list_identities()?;
            let keys = agent.identities()?;
            Ok(AgentKeys { agent, keys })
        };
        let keys = keys().map_err(|error: ssh2::Error| format!("no agent ({})", error.message()))?;
        if keys.keys.is_empty() {
            return Err("no key in the agent".to_owned());
        }
        Ok(keys)
    }

    /// The key with this public key, if it holds it.
    pub fn holds(&self, blob: &[u8]) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.blob() == blob)
    }
}
