//! What is left after a run: the end-of-test summary, its JSON export, and the data that `handleSummary` gets.
//!
//! Everything here is a function of a [`Snapshot`](crate::metrics::Snapshot), a
//! [`Timeline`](crate::metrics::Timeline) and options: no I/O, no clock. The one exception are the files of
//! [`saved`] runs, which are written and read here.

#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "a report is made once per run: what reads best is best"
)]

pub mod baseline;
pub mod breakpoint;
mod brief;
mod checks;
pub mod compare;
mod data;
mod export;
mod extras;
mod files;
pub mod findings;
mod format;
mod groups;
mod hints;
mod html;
mod junit;
mod limits;
mod lines;
mod markdown;
pub mod merge;
mod metrics;
mod picture;
pub mod saved;
pub mod suite;
mod summary;
mod target;
mod tunnel;
mod values;
mod verification;

pub use data::{DataOptions, summary_data};
pub use export::summary_export;
pub use files::{ReportError, ReportFile, ReportKind, ReportSpec};
pub use findings::{Trust, Validity, Verdict, findings_section};
pub use format::{humanize_bytes, humanize_duration};
pub use hints::{Hint, HintFacts, hints, hints_section};
pub use summary::{SummaryMode, SummaryOptions, UnknownSummaryMode, summary};
pub use target::{Shortage, shortages};
pub use tunnel::{TunnelReport, tunnel_section};
pub use verification::Verification;
