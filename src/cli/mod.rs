//! Arguments as typed, one file per subcommand, and exit codes. No logic.
