//! gRPC as a client: a connection, calls on it, the messages they carry, and what a server tells of itself.
//!
//! A [`Channel`] is one HTTP/2 connection, made again when it is found closed. An [`Exchange`] is one call on it, unary or
//! streaming: messages go in through its [`Queue`] and come out one by one, then a [`Status`]. Which messages a method takes
//! is known from proto files, from a set of descriptors, or from the server ([`Methods`]). Messages are made from JSON and
//! shown as `prost-reflect`'s dynamic messages.
//!
//! hyper speaks HTTP/2; what gRPC adds to it are five bytes before each message, and trailers. tonic's client is not used
//! for it: it wants everything `Send`, which a virtual user is not, and it words what goes wrong in its own way, where
//! scripts expect the codes and words of gRPC's Go library.

mod channel;
mod exchange;
pub mod health;
mod message;
mod metadata;
mod methods;
mod pool;
mod queue;
mod reflection;
mod status;

pub use channel::{Channel, Dial};
pub use exchange::{Call, Exchange, Step};
pub use message::{details, from_json, well_known};
pub use metadata::{Metadata, is_binary, shown};
pub use methods::{Method, Methods, SchemaError};
pub use pool::Pool;
pub use queue::Queue;
pub use reflection::{Reflected, reflect};
pub use status::{Code, Status};
