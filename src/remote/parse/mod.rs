//! More pure parsers of what Linux tells about itself, next to those of [`procfs`](super::procfs): text in, numbers out.
//!
//! The same rules hold: no text makes one panic, fields that are missing are missing, fields that are new are ignored,
//! and what cannot be understood is not told at all.

pub mod disk;
pub mod group;
pub mod listen;
pub mod net;
pub mod small;
pub mod table;

#[cfg(test)]
mod fuzz;
