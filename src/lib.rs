//! loadgen: a load generator built for observing.
//!
//! The rooms below are floors of one house: imports only go down (`tests/floors.rs` enforces it).
//! ARCHITECTURE.md has the map, the glossary and the life of a request.

// The only unsafe code is in `script/fiber.rs` and `remote/ssh/transport.rs`, which state their safety arguments.
#![deny(unsafe_code)]

pub mod address;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod metrics;
pub mod net;
pub mod output;
pub mod pace;
pub mod remote;
pub mod report;
pub mod run;
pub mod script;
