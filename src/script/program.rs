//! A loaded script: its modules compiled once, and the files it opens read once, for all virtual users.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use rquickjs::{
    Ctx, Error, Module,
    loader::{ImportAttributes, Loader, Resolver},
    module::Declared,
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::config::{KeyError, decrypted};
use crate::net::grpc::{Methods, SchemaError};

use super::{
    error::{ScriptError, reference},
    jslib,
    library::Library,
    remote::{self, Remotes},
    secrets::{Held, Secrets},
    shared::SharedArrays,
    source::{self, Entry},
    variables::{self, Variable, variables},
};

/// One script with everything it imports; shared by all virtual users of a run.
pub struct Program {
    entry: String,
    folder: Option<PathBuf>,
    env: BTreeMap<String, String>,
    library: Library,
    files: Mutex<FxHashMap<PathBuf, Bytes>>,
    data: Mutex<Option<Arc<str>>>,
    arrays: SharedArrays,
    options: OnceLock<Arc<str>>,
    overrides: OnceLock<Arc<str>>,
    failure: OnceLock<String>,
    secrets: OnceLock<Secrets>,
    complaints: Mutex<FxHashSet<(u16, String)>>,
    methods: Mutex<FxHashMap<Vec<u8>, Arc<Methods>>>,
    keys: Mutex<FxHashMap<(String, String), Result<String, KeyError>>>,
    remotes: OnceLock<Remotes>,
    memory: OnceLock<usize>,
}

/// What one virtual user's JavaScript may hold unless told otherwise, in bytes.
pub const MEMORY: usize = 512 << 20;

/// Private keys that are remembered as they were opened.
const KEYS_KEPT: usize = 64;

impl Program {
    /// Reads the entry script. `env` is what scripts see as `__ENV`.
    ///
    /// # Errors
    /// The script cannot be read.
    pub fn new(entry: &Entry, env: BTreeMap<String, String>) -> Result<Program, ScriptError> {
        let module = entry.module().map_err(ScriptError::new)?;
        let text = entry.read().map_err(ScriptError::new)?;
        Ok(Program::from_text(&module, text, env))
    }

    /// A program from text, under the module name `module` (`file:///…`).
    pub fn from_text(module: &str, text: String, env: BTreeMap<String, String>) -> Program {
        let folder = module
            .strip_prefix("file://")
            .and_then(|path| Path::new(path).parent());
        let library = Library::default();
        library.hold(module, text);
        Program {
            entry: module.to_owned(),
            folder: folder.map(Path::to_owned),
            env,
            library,
            files: Mutex::default(),
            data: Mutex::default(),
            arrays: SharedArrays::default(),
            options: OnceLock::new(),
            overrides: OnceLock::new(),
            failure: OnceLock::new(),
            secrets: OnceLock::new(),
            complaints: Mutex::default(),
            methods: Mutex::default(),
            keys: Mutex::default(),
            remotes: OnceLock::new(),
            memory: OnceLock::new(),
        }
    }

    /// The entry module's name.
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// What scripts see as `__ENV`, before a scenario's own `env`.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// What `setup()` returned, as JSON; each virtual user parses it once, when it begins its first iteration.
    pub fn data(&self) -> Option<Arc<str>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what `setup()` returned, or what somebody gives instead; nothing is `undefined`.
    pub fn set_data(&self, json: Option<&str>) {
        *self.data.lock().unwrap_or_else(PoisonError::into_inner) = json.map(Arc::from);
    }

    /// The options that the run goes by, as JSON in the form of a script's.
    pub fn options(&self) -> Option<Arc<str>> {
        self.options.get().cloned()
    }

    /// Says what the options are; only the first call counts.
    pub fn set_options(&self, json: &str) {
        let _ = self.options.set(json.into());
    }

    /// What of the script's exported `options` is not as the script says, as JSON: a script that reads them reads this.
    pub fn overrides(&self) -> Option<Arc<str>> {
        self.overrides.get().cloned()
    }

    /// Says what flags and the environment changed in the options; only the first call counts.
    pub fn set_overrides(&self, json: &str) {
        let _ = self.overrides.set(json.into());
    }

    /// Gives the script its secrets; only the first call counts.
    pub fn set_secrets(&self, secrets: Secrets) {
        let _ = self.secrets.set(secrets);
    }

    /// Limits what each virtual user's JavaScript may hold, in bytes; 0 is no limit. Only the first call counts.
    pub fn limit_memory(&self, bytes: usize) {
        let _ = self.memory.set(bytes);
    }

    /// That limit.
    pub fn memory(&self) -> usize {
        self.memory.get().copied().unwrap_or(MEMORY)
    }

    /// Modules of other places may be fetched; only before the script is loaded.
    pub fn allow_remote_modules(&self) {
        let _ = self.remotes.set(Remotes::new(self.folder.clone(), true));
    }

    /// The module that `import … from 'name'` in module `base` means.
    ///
    /// # Errors
    /// An exception that says why there is no such module.
    pub fn resolve(&self, ctx: &Ctx<'_>, base: &str, name: &str) -> Result<String, Error> {
        let wrong = |message: String| reference(ctx, &message);
        let Some(address) = remote::address(base, name).map_err(wrong)? else {
            return source::resolve(base, name).map_err(wrong);
        };
        let unknown = match jslib::resolve(&address) {
            Some(Ok(library)) => return Ok(library),
            Some(Err(message)) => Some(message),
            None => None,
        };
        let remotes = self
            .remotes
            .get_or_init(|| Remotes::new(self.folder.clone(), false));
        let (module, text) = remotes.find(ctx, &address, unknown)?;
        if let Some(text) = text
            && self.library.text(&module).is_none()
        {
            self.library.hold(&module, text);
        }
        Ok(module)
    }

    /// What `k6/secrets` knows by this name.
    ///
    /// # Errors
    /// A sentence that says what there is not.
    pub fn secret(&self, source: Option<&str>, key: &str) -> Result<Held, String> {
        self.secrets.get_or_init(Secrets::default).get(source, key)
    }

    /// Keeps what a service has said of a secret.
    pub fn keep_secret(&self, source: Option<&str>, key: &str, value: &str) {
        self.secrets
            .get_or_init(Secrets::default)
            .keep(source, key, value);
    }

    /// Why the script says that the test has failed, if it does.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// The test has failed, for this reason; it goes on. Only the first reason counts.
    pub fn fail(&self, reason: &str) {
        if self.failure.set(reason.to_owned()).is_ok() {
            tracing::warn!("the script marks the test as failed: {reason}");
        }
    }

    /// The arrays that all virtual users share.
    pub fn arrays(&self) -> &SharedArrays {
        &self.arrays
    }

    /// Whether this kind of failure at this address is new to the run.
    pub fn first_complaint(&self, code: u16, origin: &str) -> bool {
        self.complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((code, origin.to_owned()))
    }

    /// The addresses at which this kind of failure has occurred, sorted.
    pub fn complaints(&self, code: u16) -> Vec<String> {
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let of_code = complaints.iter().filter(|(known, _)| *known == code);
        let mut found: Vec<String> = of_code.map(|(_, origin)| origin.clone()).collect();
        found.sort();
        found
    }

    /// The gRPC methods that are known by this key; if it is the first time in the run that one asks for them, `make` makes
    /// them.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn methods(
        &self,
        key: &[u8],
        make: impl FnOnce() -> Result<Methods, SchemaError>,
    ) -> Result<Arc<Methods>, SchemaError> {
        let mut methods = self.methods.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = methods.get(key) {
            return Ok(known.clone());
        }
        let made = Arc::new(make()?);
        methods.insert(key.to_vec(), made.clone());
        Ok(made)
    }

    /// A private key that may be encrypted, opened; each once in the run, as that takes its time on purpose.
    ///
    /// # Errors
    /// It cannot be opened with this password.
    pub fn opened(&self, key: &str, password: &str) -> Result<String, KeyError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // Who makes up keys is not to fill the memory with them.
        if keys.len() >= KEYS_KEPT {
            keys.clear();
        }
        keys.entry((key.to_owned(), password.to_owned()))
            .or_insert_with(|| decrypted(key, password))
            .clone()
    }

    /// The variables that the script documents.
    pub fn variables(&self) -> Vec<Variable> {
        variables(&self.library.text(&self.entry).unwrap_or_default())
    }

    /// The variable that the script takes this address from: one that is set to it, or one whose default it is.
    pub fn variable_of(&self, origin: &str) -> Option<String> {
        let is_it = |url: &str| variables::origin(url) == origin;
        let documented = self.variables();
        let set = |variable: &&Variable| self.env.get(&variable.name).is_some_and(|value| is_it(value));
        let known = documented.iter().find(set).or_else(|| {
            let unset = |variable: &&Variable| !self.env.contains_key(&variable.name);
            documented
                .iter()
                .filter(unset)
                .find(|variable| is_it(&variable.default))
        });
        let undocumented = || {
            let address = |(name, value): &(&String, &String)| name.ends_with("URL") && is_it(value);
            self.env.iter().find(address).map(|(name, _)| name.clone())
        };
        known.map(|variable| variable.name.clone()).or_else(undocumented)
    }

    /// The script's modules.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Whether this file has been read for `open()`.
    pub fn has_opened(&self, path: &str) -> bool {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.contains_key(&self.full_path(path))
    }

    fn full_path(&self, path: &str) -> PathBuf {
        let path = path.strip_prefix("file://").unwrap_or(path);
        match &self.folder {
            Some(folder) => clean(&folder.join(path)),
            None => clean(Path::new(path)),
        }
    }

    /// Reads a file for `open()`, relative to the entry script; once for all virtual users.
    ///
    /// # Errors
    /// A sentence that names the path.
    pub fn open(&self, path: &str) -> Result<Bytes, String> {
        let full = self.full_path(path);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = files.get(&full) {
            return Ok(bytes.clone());
        }
        let bytes = std::fs::read(&full).map_err(|e| format!("open('{path}'): {}: {e}", full.display()))?;
        let bytes = Bytes::from(bytes);
        files.insert(full, bytes.clone());
        Ok(bytes)
    }
}

/// A path without `.` and, where it goes down first, `..`: by its text alone, as Go's `filepath.Join` has it, so that it does
/// not matter whether the folders on the way are there.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match (part, cleaned.components().next_back()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                cleaned.pop();
            }
            _ => cleaned.push(part),
        }
    }
    cleaned
}

/// Lets the engine ask a [`Program`] for modules.
#[derive(Clone)]
pub struct ModuleSource(pub Arc<Program>);

impl Resolver for ModuleSource {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<String, Error> {
        self.0.resolve(ctx, base, name)
    }
}

impl Loader for ModuleSource {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>, Error> {
        self.0.library.declare(ctx, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_by_their_text() {
        for (path, cleaned) in [
            ("/a/none/../b.js", "/a/b.js"),
            ("/a/./b/../../../c", "/c"),
            ("a/../../b", "../b"),
            ("../../a", "../../a"),
            ("x", "x"),
        ] {
            assert_eq!(clean(Path::new(path)), Path::new(cleaned), "{path}");
        }
    }
}
