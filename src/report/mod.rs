//! What is left after a run: the end-of-test summary and its JSON export.
