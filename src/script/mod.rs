//! A virtual user that runs JavaScript: QuickJS on a fiber, the k6 modules, and the options a script exports.
