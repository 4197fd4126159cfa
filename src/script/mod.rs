//! A virtual user that runs JavaScript: QuickJS on a fiber, the k6 modules, and the options a script exports.
//!
//! [`Program`] is a loaded script, shared by all. [`Workshop`] is what the users of one worker share.
//! [`ScriptUser`] is one virtual user; it is given one order at a time and polled until it is done.

// What JavaScript calls takes its arguments by value: they are converted for the call and owned by it.
#![allow(clippy::needless_pass_by_value)]

mod around;
mod bundled;
mod bytes;
mod commonjs;
mod console;
mod error;
mod events;
mod expected;
mod exports;
mod fiber;
mod files;
mod globals;
mod host;
mod html;
mod jslib;
mod labels;
mod language;
mod library;
pub mod lint;
mod modules;
mod program;
mod random;
mod remote;
mod seat;
mod secrets;
mod shared;
mod source;
mod text;
mod traffic;
mod user;
mod variables;

#[cfg(test)]
mod tests;

pub use around::{Around, Instance, ScenarioNow, StageNow};
pub use error::{Location, ScriptError, display_name};
pub use exports::Exports;
pub use files::Files;
pub use host::{HttpDefaults, Workshop};
pub use modules::verify::{Ended, Exec, Remote};
pub use program::{MEMORY, Program};
pub use seat::{Seat, Turn};
pub use secrets::Secrets;
pub use source::{Entry, Listed, scenarios};
pub use user::{ScriptUser, Verdict};
pub use variables::{Variable, origin, variables};
