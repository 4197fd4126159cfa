//! Reads the counters of the host under test. The parsers of /proc text are pure functions in their own files.
