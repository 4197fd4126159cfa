//! Raw options as given (defaults, file, script, environment, flags) become one checked configuration, with every error at once.
