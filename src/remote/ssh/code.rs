//! libssh2's error codes, those that a decision hangs on.

use ssh2::{Error, ErrorCode};

/// A file could not be read, or not decrypted, or is no key.
pub const FILE: i32 = -16;
/// The server does not let us in this way.
pub const REFUSED: i32 = -18;
/// The signature was not accepted.
pub const UNVERIFIED: i32 = -19;
/// Not now.
pub const AGAIN: i32 = -37;
/// The server says no to a request on a channel.
pub const DENIED: i32 = -22;

/// Whether the session is lost with it: the socket, the packets' integrity or the key exchange.
/// -21 (a channel was refused) and what concerns one channel is not.
pub fn is_fatal(code: i32) -> bool {
    // None, banner, MAC, key exchange ×3, send, disconnect, protocol, recv, encrypt, decrypt, bad socket.
    matches!(
        code,
        -1 | -2 | -3 | -4 | -5 | -7 | -8 | -9 | -12 | -13 | -14 | -30 | -43 | -44 | -45
    )
}

/// The number of an error of a session; 0 for others.
pub fn of(error: &Error) -> i32 {
    match error.code() {
        ErrorCode::Session(code) => code,
        ErrorCode::SFTP(_) => 0,
    }
}
