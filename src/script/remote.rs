//! Modules that scripts import by an address that is not built in. Each is fetched once, when that is allowed; what came is
//! kept in the user's cache, and its SHA-256 in a file beside the script, which is meant to be committed. From then on that
//! text is the module, on every machine: a server that gives another one is an error, and nothing is fetched that is there.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use data_encoding::HEXLOWER;
use rquickjs::Ctx;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::{error::reference, host::Host};
use crate::net::{Client, NetOptions, Proxies, Request, Shared, Target};

/// The file beside the script.
const LOCK: &str = "loadgen-modules.lock";
/// The largest module that is taken.
const LARGEST: usize = 32 << 20;
/// How long a server may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The remote modules of one script.
pub struct Remotes {
    allowed: bool,
    /// The script's folder; none for a script that is in the binary.
    folder: Option<PathBuf>,
    /// Modules that were resolved, by their addresses: the address they came from in the end.
    known: Mutex<FxHashMap<String, String>>,
}

/// What the file says.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    version: u32,
    modules: BTreeMap<String, Pin>,
}

/// What a module was when it was first fetched.
#[derive(Clone, Deserialize, Serialize, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
struct Pin {
    sha256: String,
    /// Where the address led to, if it led elsewhere: what the module imports is seen from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

/// The address of a module that is remote: named by one, or seen from one. `None` for any other.
///
/// # Errors
/// A remote module asks for a file, or an address is none.
pub fn address(base: &str, name: &str) -> Result<Option<String>, String> {
    let is_url = |text: &str| text.starts_with("https://") || text.starts_with("http://");
    if is_url(name) {
        return match Url::parse(name) {
            Ok(url) => Ok(Some(url.into())),
            Err(error) => Err(format!("`{name}` is no address of a module: {error}")),
        };
    }
    if !is_url(base) {
        return Ok(None);
    }
    if name.starts_with("file:") {
        return Err(format!(
            "the remote module `{base}` must not import '{name}': it has no part in this machine's files"
        ));
    }
    if name.starts_with('/') || name.starts_with("./") || name.starts_with("../") {
        let joined = Url::parse(base).and_then(|base| base.join(name));
        return match joined {
            Ok(url) => Ok(Some(url.into())),
            Err(error) => Err(format!("`{base}` imports '{name}', which is no address: {error}")),
        };
    }
    Ok(None)
}

impl Remotes {
    /// Those of a script in this folder. `allowed`: what is not there may be fetched.
    pub fn new(folder: Option<PathBuf>, allowed: bool) -> Remotes {
        Remotes {
            allowed,
            folder,
            known: Mutex::default(),
        }
    }

    /// The module that an address means, and its text if nobody has had it yet. `unknown` is what is said, if not the usual,
    /// where there is none and none may be fetched.
    ///
    /// # Errors
    /// An exception that says what to do: it may not be fetched, cannot be, or is not what it was.
    pub fn find(
        &self,
        ctx: &Ctx<'_>,
        address: &str,
        unknown: Option<String>,
    ) -> rquickjs::Result<(String, Option<String>)> {
        if let Some(known) = self.known().get(address) {
            return Ok((known.clone(), None));
        }
        let wrong = |message: String| reference(ctx, &message);
        let (module, text) = match self.kept(address, unknown).map_err(wrong)? {
            Some(kept) => kept,
            None => self.fetch(ctx, address)?,
        };
        let mut known = self.known();
        known.insert(address.to_owned(), module.clone());
        // A CommonJS text is asked for again by the name it has in the end.
        known.insert(module.clone(), module.clone());
        Ok((module, Some(text)))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, FxHashMap<String, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_path(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(LOCK))
    }

    fn lock(&self) -> Result<Lock, String> {
        let Some(path) = self.lock_path() else {
            return Ok(Lock::default());
        };
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                format!(
                    "{} cannot be read: {error}; mend it, or remove it to pin all remote modules anew",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// What is pinned and in the cache. `None`: it is to be fetched, which is allowed.
    fn kept(&self, address: &str, unknown: Option<String>) -> Result<Option<(String, String)>, String> {
        let pin = self.lock()?.modules.remove(address);
        if let Some(pin) = &pin
            && let Some(text) = cached(&cache()?, &pin.sha256)
        {
            return Ok(Some((pin.module(address), text)));
        }
        if self.allowed && self.folder.is_some() {
            return Ok(None);
        }
        Err(match pin {
            Some(_) => format!(
                "the remote module `{address}` is pinned in {LOCK}, but not in this machine's cache: fetch it with --allow-remote-modules"
            ),
            None => unknown.unwrap_or_else(|| {
                format!(
                    "the remote module `{address}` is not built in: allow it with --allow-remote-modules, which fetches it once and pins it, or download it next to the script and import it as './FILE.js'"
                )
            }),
        })
    }

    /// Asks the server, checks what came against the pin, and keeps it.
    fn fetch(&self, ctx: &Ctx<'_>, address: &str) -> rquickjs::Result<(String, String)> {
        let wrong = |why: &str| {
            let message = format!("the remote module `{address}` cannot be fetched: {why}");
            reference(ctx, &message)
        };
        if !address.starts_with("https://") {
            return Err(wrong(
                "only https is: anybody on the way could change it otherwise",
            ));
        }
        let options = NetOptions {
            // It is asked where nothing runs that HTTP/2 needs.
            http2: false,
            max_body: LARGEST,
            proxies: Proxies::from_env().map_err(|error| wrong(&error.to_string()))?,
            ..NetOptions::default()
        };
        let shared = Shared::new(options).map_err(|error| wrong(&error.to_string()))?;
        let mut request = Request::get(Target::parse(address).map_err(|error| wrong(&error.message))?);
        request.timeout = PATIENCE;
        let client = Client::new(shared);
        let response = Host::of(ctx)?.wait_for(ctx, Box::pin(client.send(request, &mut |_| {})))?;
        if let Some(error) = &response.error {
            return Err(wrong(&error.message));
        }
        if response.status != 200 {
            return Err(wrong(&format!("the server answered {}", response.status)));
        }
        let from = response.url().to_owned();
        if !from.starts_with("https://") {
            return Err(wrong(&format!("it leads to {from}, which is not https")));
        }
        let Ok(text) = String::from_utf8(response.body.to_vec()) else {
            return Err(wrong("what came is no text"));
        };
        let pin = Pin {
            sha256: HEXLOWER.encode(&Sha256::digest(text.as_bytes())),
            from: (from != address).then_some(from),
        };
        self.pin(address, &pin, &text)
            .map_err(|message| reference(ctx, &message))?;
        Ok((pin.module(address), text))
    }

    fn pin(&self, address: &str, pin: &Pin, text: &str) -> Result<(), String> {
        let mut lock = self.lock()?;
        let path = self.lock_path().unwrap_or_default();
        if let Some(known) = lock.modules.get(address)
            && known.sha256 != pin.sha256
        {
            return Err(format!(
                "the remote module `{address}` has changed: {} pins sha256 {}, the server now gives {}. Look at what has changed; to accept it, remove its entry there",
                path.display(),
                known.sha256,
                pin.sha256
            ));
        }
        let folder = cache()?;
        let file = folder.join(&pin.sha256);
        let unwritable =
            |path: &Path, error: &std::io::Error| format!("cannot write {}: {error}", path.display());
        std::fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
        write(&file, text.as_bytes()).map_err(|error| unwritable(&file, &error))?;
        let size = text.len();
        if lock.modules.insert(address.to_owned(), pin.clone()).is_none() {
            lock.version = 1;
            let mut json = serde_json::to_vec_pretty(&lock).map_err(|error| error.to_string())?;
            json.push(b'\n');
            write(&path, &json).map_err(|error| unwritable(&path, &error))?;
            tracing::info!(
                "fetched {address} ({size} bytes, sha256 {}), and pinned it in {}",
                pin.sha256,
                path.display()
            );
        } else {
            tracing::info!("fetched {address} ({size} bytes): it is what {LOCK} pins");
        }
        Ok(())
    }
}

impl Pin {
    fn module(&self, address: &str) -> String {
        self.from.clone().unwrap_or_else(|| address.to_owned())
    }
}

/// The folder of all remote modules, by their hashes.
fn cache() -> Result<PathBuf, String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = match (set("XDG_CACHE_HOME"), set("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => PathBuf::from(home).join(".cache"),
        (None, None) => {
            return Err(
                "there is no folder to keep remote modules in: set XDG_CACHE_HOME or HOME".to_owned(),
            );
        }
    };
    Ok(folder.join("loadgen").join("modules"))
}

/// The text of this hash. One that was changed since is none.
fn cached(folder: &Path, sha256: &str) -> Option<String> {
    let known = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    let text = std::fs::read(folder.join(sha256)).ok().filter(|_| known)?;
    (HEXLOWER.encode(&Sha256::digest(&text)) == sha256).then_some(())?;
    String::from_utf8(text).ok()
}

/// Writes a file that is never seen half written.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remote_is_seen_from_where_it_is() {
        let found = |base, name| address(base, name).unwrap();
        let base = "https://a.test/lib/x.js?v=1";
        for (name, expected) in [
            ("https://b.test/y.js", Some("https://b.test/y.js")),
            ("./y.js", Some("https://a.test/lib/y.js")),
            ("../y.js", Some("https://a.test/y.js")),
            ("/v1/y.js", Some("https://a.test/v1/y.js")),
            ("k6/http", None),
        ] {
            assert_eq!(found(base, name).as_deref(), expected, "{name}");
        }
        assert_eq!(found("file:///x/a.js", "./y.js"), None);
        assert!(
            address(base, "file:///etc/passwd")
                .unwrap_err()
                .contains("no part")
        );
    }

    #[test]
    fn a_kept_text_counts_only_as_long_as_it_is_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let hash = HEXLOWER.encode(&Sha256::digest(b"export const a = 1;"));
        assert_eq!(cached(folder.path(), &hash), None);
        write(&folder.path().join(&hash), b"export const a = 1;").unwrap();
        assert_eq!(
            cached(folder.path(), &hash).as_deref(),
            Some("export const a = 1;")
        );
        write(&folder.path().join(&hash), b"export const a = 2;").unwrap();
        assert_eq!(cached(folder.path(), &hash), None);
        // No hash leads out of the folder.
        assert_eq!(cached(folder.path(), "../x"), None);
    }
}
