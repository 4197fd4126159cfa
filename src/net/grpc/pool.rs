//! Connections that several clients of one worker share (`connectionSharing`).

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use super::channel::{Channel, Dial};
use crate::net::client::Client;
use crate::net::error::NetError;

/// The shared connections of one worker, by how they are made. One that nobody holds any more is gone.
#[derive(Default)]
pub struct Pool(RefCell<Vec<(Dial, Weak<Channel>)>>);

impl Pool {
    /// The connection that others have to the same place with the same settings, or else a new one that they will get. Whoever
    /// no longer needs it [gives it back](Pool::give_back).
    ///
    /// # Errors
    /// The address is none, or TLS settings cannot be used.
    pub fn share(&self, client: &Client, mut dial: Dial) -> Result<Rc<Channel>, NetError> {
        // Names of hosts are the same in upper and lower case.
        dial.address.make_ascii_lowercase();
        let mut known = self.0.borrow_mut();
        known.retain(|(_, channel)| channel.upgrade().is_some_and(|channel| !channel.is_closed()));
        let found = known.iter().find(|(other, _)| *other == dial);
        let channel = match found.and_then(|(_, channel)| channel.upgrade()) {
            Some(channel) => channel,
            None => {
                let channel = client.grpc(dial.clone())?;
                known.push((dial, Rc::downgrade(&channel)));
                channel
            }
        };
        channel.sharers.set(channel.sharers.get() + 1);
        Ok(channel)
    }

    /// A client no longer needs its connection, shared or not. Whether it was the last one to have it.
    pub fn give_back(channel: &Channel) -> bool {
        let left = channel.sharers.get().saturating_sub(1);
        channel.sharers.set(left);
        left == 0
    }
}
