//! The health of a server or of one of its services (`grpc.health.v1`).

use std::rc::Rc;

use prost::Message;

use super::channel::{Channel, framed};
use super::exchange::{Call, Exchange};
use super::queue::Queue;
use super::status::{Code, Status};

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// The path of the check.
pub const CHECK: &str = "/grpc.health.v1.Health/Check";

/// Asks, with a call of that path, for the health of a service, or of the whole server.
pub fn check(channel: &Rc<Channel>, call: Call, service: &str) -> Exchange {
    let request = Request {
        service: service.to_owned(),
    };
    let frame = framed(request.encoded_len(), |out| request.encode_raw(out));
    Exchange::new(channel, call, Queue::of(frame))
}

/// What the answer says: 0 unknown, 1 serving, 2 not serving, 3 no such service.
///
/// # Errors
/// The answer is none.
pub fn answered(message: Option<bytes::Bytes>, status: Status) -> Result<i32, Status> {
    if !status.is_ok() {
        return Err(status);
    }
    let read = Response::decode(message.unwrap_or_default());
    match read {
        Ok(response) => Ok(response.status),
        Err(error) => Err(Status::new(
            Code::Internal,
            format!("grpc: failed to unmarshal the received message: {error}"),
        )),
    }
}
