//! What the process that serves the page uses itself.

use super::{Families, Page};

/// Adds its families.
pub(super) fn families(page: &Page, families: &mut Families) {
    families.counter(
        "loadgen_process_cpu_seconds_total",
        "CPU time that the generator used, user and system.",
        Vec::new(),
        page.process.cpu_seconds,
    );
    families.gauge(
        "loadgen_process_resident_memory_bytes",
        "Memory of the generator.",
        Vec::new(),
        page.process.resident_bytes as f64,
    );
    families.gauge(
        "loadgen_scrape_duration_seconds",
        "Time it took to make the previous page.",
        Vec::new(),
        page.scrape_duration.as_secs_f64(),
    );
    families.counter(
        "loadgen_scrapes_total",
        "Pages asked for before this one.",
        Vec::new(),
        page.scrapes as f64,
    );
}
