//! The scenarios that ship in the binary, so that `loadgen run health` works in any folder.

macro_rules! bundle {
    ($($path:literal),* $(,)?) => {
        /// Path below the project's root, and text.
        pub const FILES: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../", $path)))),*];
    };
}

bundle![
    "scenarios/flux-gate/flash-sale.js",
    "scenarios/happy/full-api.js",
    "scenarios/happy/health.js",
    "scenarios/happy/sessions.js",
    "scenarios/happy/websocket.js",
    "scenarios/health.js",
    "scenarios/lib/auth.js",
    "scenarios/lib/checks.js",
    "scenarios/lib/env.js",
    "scenarios/lib/happy.js",
    "scenarios/lib/pick.js",
    "scenarios/lib/prim.js",
    "scenarios/lib/profiles.js",
    "scenarios/lib/sequencer.js",
    "scenarios/lib/tachikoma.js",
    "scenarios/sequencer/ingest.js",
    "scenarios/sequencer/mixed.js",
    "scenarios/sequencer/query.js",
    "scenarios/spike.js",
    "scenarios/store-crud.js",
    "scenarios/tachikoma/health.js",
    "scenarios/tachikoma/missions.js",
    "scenarios/tachikoma/specs.js",
    "scenarios/tachikoma/websocket.js",
];

/// The bundled file of this path.
pub fn find(path: &str) -> Option<(&'static str, &'static str)> {
    FILES.iter().copied().find(|(known, _)| *known == path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn every_file_of_the_scenarios_folder_is_bundled() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![root.join("scenarios")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "js") {
                    found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        let bundled: Vec<_> = super::FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(found, bundled);
    }
}
