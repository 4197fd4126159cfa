//! Drives virtual users: one worker thread per core, executors, setup and teardown, graceful stop.
