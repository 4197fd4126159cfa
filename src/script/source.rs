//! Where a script's text comes from: files, the scenarios bundled in the binary, standard input; and how one
//! module's `import` finds another.

use std::{
    io::Read,
    path::{Component, Path, PathBuf},
};

use super::{bundled, jslib, modules};

/// The script to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file on disk.
    File(PathBuf),
    /// A scenario that ships in the binary, by its path below the project's root, as `scenarios/health.js`.
    Bundled(&'static str),
    /// Text from standard input (`-`); its imports are relative to the working directory.
    Stdin,
}

impl Entry {
    /// What `loadgen run NAME` means: `-`, a file, `./scenarios/NAME.js`, or a bundled scenario, in this order.
    ///
    /// # Errors
    /// A sentence that names what was looked for and lists the scenarios there are.
    pub fn find(name: &str) -> Result<Entry, String> {
        if name == "-" {
            return Ok(Entry::Stdin);
        }
        let path = Path::new(name);
        if path.is_file() {
            return Ok(Entry::File(path.to_owned()));
        }
        if path.is_dir() {
            return Err(format!("`{name}` is a directory: name the script file in it"));
        }
        let stem = name.strip_suffix(".js").unwrap_or(name);
        let stem = stem.strip_prefix("scenarios/").unwrap_or(stem);
        let local = Path::new("scenarios").join(format!("{stem}.js"));
        if !stem.starts_with(['/', '.']) && local.is_file() {
            return Ok(Entry::File(local));
        }
        if let Some((path, _)) = bundled::find(&format!("scenarios/{stem}.js")) {
            return Ok(Entry::Bundled(path));
        }
        let known: Vec<String> = scenarios().into_iter().map(|scenario| scenario.name).collect();
        Err(format!(
            "there is no script or scenario `{name}`; the scenarios are: {}",
            known.join(", ")
        ))
    }

    /// The module name the engine knows it by.
    pub fn module(&self) -> Result<String, String> {
        match self {
            Entry::File(path) => {
                let full = std::fs::canonicalize(path).map_err(|e| format!("{}: {e}", path.display()))?;
                Ok(format!("file://{}", full.display()))
            }
            Entry::Bundled(path) => Ok(format!("bundled:{path}")),
            Entry::Stdin => {
                let here = std::env::current_dir().map_err(|e| format!("the working directory: {e}"))?;
                Ok(format!("file://{}/-", here.display()))
            }
        }
    }

    /// The text, and the directory that `open()` starts from (none for a bundled scenario).
    pub fn read(&self) -> Result<String, String> {
        match self {
            Entry::File(path) => {
                std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
            }
            Entry::Bundled(path) => bundled::find(path)
                .map(|(_, text)| text.to_owned())
                .ok_or_else(|| format!("there is no bundled script `{path}`")),
            Entry::Stdin => {
                let mut text = String::new();
                let read = std::io::stdin().lock().read_to_string(&mut text);
                read.map_err(|e| format!("cannot read the script from standard input: {e}"))?;
                Ok(text)
            }
        }
    }
}

/// A scenario that can be run by its name.
pub struct Listed {
    /// As in `loadgen run NAME`.
    pub name: String,
    /// Whether it comes from `./scenarios` rather than from the binary.
    pub local: bool,
    /// Its source text.
    pub text: String,
}

/// Every scenario of `./scenarios` and of the binary, by name; a local file hides the bundled one.
pub fn scenarios() -> Vec<Listed> {
    let mut found = std::collections::BTreeMap::new();
    for (path, text) in bundled::FILES {
        if let Some(name) = scenario_name(path) {
            found.insert(
                name.clone(),
                Listed {
                    name,
                    local: false,
                    text: (*text).to_owned(),
                },
            );
        }
    }
    let mut folders = vec![PathBuf::from("scenarios")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) = path.to_str().and_then(scenario_name)
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                found.insert(
                    name.clone(),
                    Listed {
                        name,
                        local: true,
                        text,
                    },
                );
            }
        }
    }
    found.into_values().collect()
}

/// `scenarios/a/b.js` is the scenario `a/b`; what lies in a `lib` folder is a helper, not a scenario.
fn scenario_name(path: &str) -> Option<String> {
    let name = path.strip_prefix("scenarios/")?.strip_suffix(".js")?;
    let helper = name.split('/').any(|part| part == "lib");
    (!helper).then(|| name.to_owned())
}

/// The module that `import … from 'name'` in module `base` means, unless it is remote.
///
/// # Errors
/// A sentence that says why there is no such module and what may be imported.
pub fn resolve(base: &str, name: &str) -> Result<String, String> {
    let name = modules::settled(name);
    if modules::is_builtin(name) {
        return Ok(name.to_owned());
    }
    if [jslib::NATIVE, jslib::SUBTLE, jslib::EXECUTION].contains(&name) && jslib::text(base).is_some() {
        return Ok(name.to_owned());
    }
    // What was resolved once, and is imported by that name: `require()` does.
    if jslib::text(name).is_some() || name.starts_with("bundled:") && base.is_empty() {
        return Ok(name.to_owned());
    }
    if name == "k6/browser" || name.starts_with("k6/browser/") {
        return Err(
            "`k6/browser` is not supported: loadgen sends requests, it does not drive a browser".into(),
        );
    }
    if name == "k6" || name.starts_with("k6/") {
        return Err(format!(
            "unknown module `{name}`; there are: {}",
            modules::names().join(", ")
        ));
    }
    if let Some(library) = jslib::resolve(name) {
        return library;
    }
    let relative = name.starts_with("./") || name.starts_with("../");
    if let Some(folder) = base.strip_prefix("bundled:").filter(|_| relative) {
        let path = lexical(&Path::new(folder).parent().unwrap_or(Path::new("")).join(name));
        let path = path.to_string_lossy();
        return match bundled::find(&path) {
            Some((path, _)) => Ok(format!("bundled:{path}")),
            None => Err(format!(
                "there is no bundled module `{path}` (imported as '{name}')"
            )),
        };
    }
    let path = match name.strip_prefix("file://") {
        Some(path) => PathBuf::from(path),
        None if name.starts_with('/') => PathBuf::from(name),
        None if relative => {
            let folder = base.strip_prefix("file://").map(Path::new).and_then(Path::parent);
            folder.unwrap_or(Path::new(".")).join(name)
        }
        None => {
            return Err(format!(
                "unknown module `{name}`: a script can import k6 modules, './FILE.js' and absolute paths"
            ));
        }
    };
    // An extension that is left out, as bundlers and TypeScript allow.
    let spelled = ["", ".js", ".ts", "/index.js", "/index.ts"].iter().map(|end| {
        let mut spelled = path.clone().into_os_string();
        spelled.push(end);
        PathBuf::from(spelled)
    });
    let found = spelled
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| path.clone());
    match std::fs::canonicalize(&found) {
        Ok(full) => Ok(format!("file://{}", full.display())),
        Err(e) => Err(format!(
            "cannot import '{name}': {}: {e}",
            lexical(&path).display()
        )),
    }
}

/// Where `name` is, as seen from module `base`: an address for `open()`. It need not exist.
///
/// # Errors
/// `base` is no file.
pub fn place(base: &str, name: &str) -> Result<String, String> {
    if name.contains("://") {
        return Ok(name.to_owned());
    }
    let folder = base.strip_prefix("file://").map(Path::new).and_then(Path::parent);
    let folder = folder.ok_or_else(|| format!("`{base}` is no file, so nothing is next to it"))?;
    Ok(format!("file://{}", lexical(&folder.join(name)).display()))
}

/// The text of a module that [`resolve`] named.
pub fn text(module: &str) -> Result<String, String> {
    if let Some(text) = jslib::text(module) {
        return Ok(text.to_owned());
    }
    if let Some(path) = module.strip_prefix("bundled:") {
        let file = bundled::find(path).map(|(_, text)| text.to_owned());
        return file.ok_or_else(|| format!("there is no bundled module `{path}`"));
    }
    let path = module.strip_prefix("file://").unwrap_or(module);
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {path}: {e}"))
}

/// Removes `.` and `..` without asking the file system.
fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_resolve_or_say_why_not() {
        assert_eq!(resolve("file:///x/a.js", "k6/http"), Ok("k6/http".into()));
        for (name, part) in [
            ("k6/nope", "k6/http"),
            ("lodash", "unknown module `lodash`"),
            ("./nope.js", "/x/nope.js"),
            ("k6/browser", "does not drive a browser"),
            ("loadgen:native", "unknown module"),
        ] {
            let message = resolve("file:///x/a.js", name).unwrap_err();
            assert!(message.contains(part), "{name}: {message}");
        }
    }

    #[test]
    fn a_folder_below_scenarios_is_part_of_the_name_and_lib_is_not_listed() {
        assert_eq!(scenario_name("scenarios/a/b.js").as_deref(), Some("a/b"));
        assert_eq!(scenario_name("scenarios/lib/b.js"), None);
        assert_eq!(scenario_name("scenarios/readme.md"), None);
    }

    #[test]
    fn an_unknown_scenario_lists_those_that_exist() {
        let message = Entry::find("no-such-thing").unwrap_err();
        assert!(
            message.contains("`no-such-thing`") && message.contains("health"),
            "{message}"
        );
    }
}
