//! How many TCP connections there are, and how many were opened: a server that closes too eagerly shows here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The connections of all clients.
#[derive(Debug, Default)]
pub(super) struct Connections {
    opened: AtomicU64,
    closed: AtomicU64,
}

/// A connection that is open until this is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Connections>);

impl Connections {
    /// Counts one more.
    pub(super) fn open(self: &Arc<Connections>) -> Open {
        self.opened.fetch_add(1, Relaxed);
        Open(Arc::clone(self))
    }

    /// Those open now, and all that ever were.
    pub(super) fn count(&self) -> (u64, u64) {
        // In this order a connection that closes in between is never counted as closed only.
        let closed = self.closed.load(Relaxed);
        let opened = self.opened.load(Relaxed);
        (opened.saturating_sub(closed), opened)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_counts_until_it_is_dropped() {
        let connections = Arc::new(Connections::default());
        let (first, second) = (connections.open(), connections.open());
        assert_eq!(connections.count(), (2, 2));
        drop(first);
        assert_eq!(connections.count(), (1, 2));
        drop(second);
        assert_eq!(connections.count(), (0, 2));
    }
}
