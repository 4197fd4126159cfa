//! Who takes pages: what is sent to it, and what its answer means.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::PushOptions;
use crate::net::{Client, NetOptions, Request, SetupError, Shared, code};
use crate::output::otlp::{Way, rejected};
use crate::output::refusal::refusal;

/// What became of a body.
pub(super) enum Outcome {
    Taken,
    /// All but so many samples, and why.
    Partly(u64, String),
    /// It will never be taken.
    Refused(String),
    /// It may be later, and not before this time has passed.
    Later(String, Option<Duration>),
}

/// Lives on the thread that pushes.
pub(super) enum Receiver {
    RemoteWrite(Box<Client>, Box<PushOptions>),
    Otlp(Way, String),
}

impl Receiver {
    pub(super) fn remote_write(options: PushOptions) -> Result<Receiver, SetupError> {
        // Apart from the load's client, so that its requests and connections are counted nowhere.
        let client = Client::new(Shared::new(NetOptions::default())?);
        Ok(Receiver::RemoteWrite(Box::new(client), Box::new(options)))
    }

    /// `shown` is the address, for messages.
    pub(super) fn otlp(way: Way, shown: String) -> Receiver {
        Receiver::Otlp(way, shown)
    }

    /// The address, for messages.
    pub(super) fn shown(&self) -> &str {
        match self {
            Receiver::RemoteWrite(_, options) => options.url.as_str(),
            Receiver::Otlp(_, shown) => shown,
        }
    }

    pub(super) async fn send(&mut self, body: Bytes) -> Outcome {
        match self {
            Receiver::RemoteWrite(client, options) => {
                let mut request = Request::new(Method::POST, options.url.clone());
                request.headers = options.headers.clone();
                request.body = body;
                request.timeout = options.timeout;
                request.max_redirects = 0;
                let response = client.send(request, &mut |_| {}).await;
                match response.error {
                    Some(error) if error.code == code::TIMEOUT => {
                        let seconds = options.timeout.as_secs_f64();
                        Outcome::Later(format!("no answer within {seconds} s"), None)
                    }
                    Some(error) => Outcome::Later(error.to_string(), None),
                    None => judge(response.status, &response.body),
                }
            }
            Receiver::Otlp(way, _) => match way.send(body).await {
                Ok(answer) => match rejected(&answer) {
                    Some((count, why)) => Outcome::Partly(count, why.to_owned()),
                    None => Outcome::Taken,
                },
                Err(fault) if fault.retry => Outcome::Later(fault.text, fault.after),
                Err(fault) => Outcome::Refused(fault.text),
            },
        }
    }
}

/// As the specification of remote write says: what is wrong with the request stays wrong; 429 and what the server suffers from
/// passes.
fn judge(status: u16, body: &[u8]) -> Outcome {
    match status {
        200..300 => Outcome::Taken,
        429 | 500.. => Outcome::Later(refusal(status, body), None),
        _ => Outcome::Refused(refusal(status, body)),
    }
}
