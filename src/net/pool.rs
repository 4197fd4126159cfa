//! The connections that one virtual user keeps. A user talks to a handful of origins, so the pool is a list.

use std::sync::Arc;

use super::connect::{Conn, H1, H2};
use super::target::Origin;

/// Idle HTTP/1.1 connections and live HTTP/2 connections.
#[derive(Default)]
pub(super) struct Pool {
    // The box is what the exchange holds: moving a connection in and out moves a pointer.
    #[expect(clippy::vec_box)]
    idle: Vec<Box<H1>>,
    shared: Vec<H2>,
}

impl Pool {
    /// A connection for an origin: the one used last, which is the least likely to have been closed.
    pub(super) fn take(&mut self, origin: &Arc<Origin>) -> Option<Conn> {
        if let Some(at) = self.idle.iter().rposition(|conn| same(&conn.peer.origin, origin)) {
            return Some(Conn::H1(self.idle.swap_remove(at)));
        }
        self.shared.retain(|conn| !conn.sender.is_closed());
        let conn = self.shared.iter().find(|conn| same(&conn.peer.origin, origin))?;
        Some(Conn::H2(conn.clone()))
    }

    /// Keeps an idle connection, unless there are `limit` of its origin; then the oldest of them goes.
    pub(super) fn put(&mut self, conn: Box<H1>, limit: usize) {
        let mut alike = self
            .idle
            .iter()
            .filter(|other| same(&other.peer.origin, &conn.peer.origin));
        if limit == 0 {
            return;
        }
        if alike.clone().count() >= limit
            && let Some(oldest) = alike.next().map(|other| std::ptr::from_ref(&**other))
        {
            self.idle
                .retain(|other| !std::ptr::eq(&raw const **other, oldest));
        }
        self.idle.push(conn);
    }

    /// Offers a connection to later requests while the first one still uses it.
    pub(super) fn share(&mut self, conn: H2) {
        self.shared.push(conn);
    }

    /// Closes everything that is not in use.
    pub(super) fn clear(&mut self) {
        *self = Pool::default();
    }
}

/// Targets parsed from the same URL share their origin; others are compared by value.
fn same(a: &Arc<Origin>, b: &Arc<Origin>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}
