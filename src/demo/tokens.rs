//! Who may use an endpoint: tokens that are known from the start, and those that the target itself gives out.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;

use super::route::{Call, Gate, Reply};

/// Tokens that every demo takes: those that the systems' documents use.
const USUAL: [&str; 2] = ["test-api-key", "test-auth-token"];

/// The tokens that are accepted. Those given out are not kept: they carry a hash that only this process can make. That
/// is enough for a demo and takes no memory; it is not how a real system should do it.
#[derive(Debug)]
pub struct Tokens {
    known: Vec<String>,
    given: AtomicU64,
    secret: RandomState,
}

impl Tokens {
    /// The usual tokens and these.
    pub fn new(more: &[String]) -> Tokens {
        Tokens {
            known: USUAL
                .into_iter()
                .map(str::to_owned)
                .chain(more.iter().cloned())
                .collect(),
            given: AtomicU64::new(0),
            secret: RandomState::new(),
        }
    }

    /// A token that was not given out before.
    pub fn give(&self) -> String {
        self.token(self.given.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn token(&self, number: u64) -> String {
        format!("demo-{number:x}-{:016x}", self.secret.hash_one(number))
    }

    /// Whether a token is good.
    pub fn accept(&self, token: &str) -> bool {
        self.known.iter().any(|known| known == token)
            || token
                .strip_prefix("demo-")
                .and_then(|rest| rest.split_once('-'))
                .and_then(|(number, _)| u64::from_str_radix(number, 16).ok())
                .is_some_and(|number| self.token(number) == token)
    }

    /// Lets requests through that have a token in `Authorization: Bearer` or `x-api-key`.
    pub fn gate(self: &Arc<Tokens>) -> Gate {
        let tokens = Arc::clone(self);
        Arc::new(move |call| tokens.refuse(call.bearer().or_else(|| call.header("x-api-key"))))
    }

    /// The same for `WebSocket`s, which browsers cannot give headers: the token may also be the parameter `token`.
    pub fn socket_gate(self: &Arc<Tokens>) -> Gate {
        let tokens = Arc::clone(self);
        Arc::new(move |call: &Call<'_>| match call.query("token") {
            Some(token) => tokens.refuse(Some(&token)),
            None => tokens.refuse(call.bearer()),
        })
    }

    fn refuse(&self, token: Option<&str>) -> Option<Reply> {
        let message = match token {
            Some(token) if self.accept(token) => return None,
            Some(_) => {
                "the token is not one that the demo takes: test-api-key, test-auth-token, one of --token"
            }
            None => "there is no token: send Authorization: Bearer TOKEN",
        };
        Some(Reply::error(StatusCode::UNAUTHORIZED, message).with(WWW_AUTHENTICATE, "Bearer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_chosen_and_given_tokens_are_good_and_no_others() {
        let tokens = Tokens::new(&["mine".to_owned()]);
        let given = tokens.give();
        for good in ["test-api-key", "test-auth-token", "mine", given.as_str()] {
            assert!(tokens.accept(good), "{good}");
        }
        let forged = format!("{}0", &given[..given.len() - 1]);
        let foreign = Tokens::new(&[]).give();
        for bad in ["", "test", "demo-1", "demo-1-", "demo-zz-1", foreign.as_str()] {
            assert!(!tokens.accept(bad), "{bad}");
        }
        assert!(forged == given || !tokens.accept(&forged));
        assert_ne!(tokens.give(), given);
    }
}
