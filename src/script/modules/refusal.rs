//! Arguments that cannot be used. Some are exceptions; the dialect answers others with an error Response.

use rquickjs::{Ctx, Error, Exception};

use crate::net::NetError;

/// Why a call is not made.
pub enum Refusal {
    /// Something threw: the script's own code, or what reads a value that it gave.
    Thrown(Error),
    /// The arguments are not what the dialect takes.
    Refused(NetError),
}

/// What was read, or why not.
pub type Checked<T> = Result<T, Refusal>;

impl Refusal {
    /// Arguments that are refused with this message, and without an error code.
    pub fn new(message: impl Into<String>) -> Refusal {
        Refusal::Refused(NetError::new(0, message.into()))
    }

    /// The same as an exception, `context` before what was refused.
    pub fn thrown(self, ctx: &Ctx<'_>, context: &str) -> Error {
        match self {
            Refusal::Thrown(error) => error,
            Refusal::Refused(error) => Exception::throw_message(ctx, &format!("{context}{error}")),
        }
    }

    /// The same with `context` before what was refused.
    #[must_use]
    pub fn within(self, context: &str) -> Refusal {
        match self {
            Refusal::Refused(error) => Refusal::Refused(NetError {
                message: format!("{context}{}", error.message).into(),
                ..error
            }),
            thrown @ Refusal::Thrown(_) => thrown,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Thrown(error)
    }
}

impl From<NetError> for Refusal {
    fn from(error: NetError) -> Refusal {
        Refusal::Refused(error)
    }
}
