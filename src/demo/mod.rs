//! The embedded target: the endpoints of the systems under test, with an adjustable capacity, so that overload looks like overload.
