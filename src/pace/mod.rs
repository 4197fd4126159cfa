//! The pure arithmetic of load: durations, stages, staffing, arrivals, execution segments. No clock, no async, no I/O.
