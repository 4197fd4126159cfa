//! `--profile NAME`: a whole load by one name, from the script itself or, if it has none, from those that all share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::timeout;

use super::load::exports;
use super::order::{Order, RunError};
use crate::config::{RawOptions, Tier};
use crate::metrics::{Registry, SystemTags};
use crate::script::{Entry, Exports, Program, ScriptError};

/// The variable by which a script that has profiles is told which one it is to use.
pub const VARIABLE: &str = "PROFILE";

/// The script with the profiles that all scripts share.
const SHARED: &str = "scenarios/lib/profiles.js";

/// The options of the profile `name`, for the script `text` under the module name `module`, which may fetch `remote` modules.
///
/// The script is loaded without the variable first: one that has profiles would throw at a name that it does not know,
/// and the list of those that it knows is worth more than its exception.
///
/// # Errors
/// There is no such profile; those that exist are listed.
pub async fn find(
    name: &str,
    module: &str,
    text: &str,
    env: &BTreeMap<String, String>,
    remote: bool,
) -> Result<RawOptions, RunError> {
    let mut env = env.clone();
    env.remove(VARIABLE);
    // A script that does not load without the variable is loaded with it soon, and says itself what is wrong.
    let own = of_script(module, text.to_owned(), env, remote)
        .await
        .ok()
        .and_then(|exports| exports.profiles);
    let (profiles, whose) = match own {
        Some(profiles) => (profiles, "this script's own"),
        None => (shared().await?, "those that all scripts share"),
    };
    let fragment = match profiles.get(name) {
        Some(Value::Object(fragment)) => fragment,
        Some(_) => return Err(RunError::ProfileShape(name.to_owned())),
        None => {
            return Err(RunError::Profile {
                name: name.to_owned(),
                whose,
                known: profiles.keys().cloned().collect(),
            });
        }
    };
    Ok(RawOptions::from_json(fragment, Tier::Profile))
}

/// The profile that `--env PROFILE=` names for a script in which the variable is not so much as mentioned: it cannot have
/// obeyed it. One that mentions it does with it what it likes.
pub fn unread<'a>(order: &'a Order, program: &Program) -> Option<&'a str> {
    let name = order.env.get(VARIABLE).filter(|name| !name.is_empty())?;
    let obeyed = order.profile.is_some() || program.library().mentions(VARIABLE);
    (!obeyed).then_some(name)
}

/// The profiles that all scripts share, by name.
///
/// # Errors
/// Their script does not load, which its tests exclude.
pub async fn shared() -> Result<Map<String, Value>, RunError> {
    let entry = Entry::Bundled(SHARED);
    let broken = |message| RunError::Script(ScriptError::new(message));
    let (module, text) = (entry.module().map_err(broken)?, entry.read().map_err(broken)?);
    let exports = of_script(&module, text, BTreeMap::new(), false).await?;
    Ok(exports.profiles.unwrap_or_default())
}

async fn of_script(
    module: &str,
    text: String,
    env: BTreeMap<String, String>,
    remote: bool,
) -> Result<Exports, RunError> {
    let program = Arc::new(Program::from_text(module, text, env));
    if remote {
        program.allow_remote_modules();
    }
    exports(&program, &Registry::new(SystemTags::default())).await
}

/// A script that is only looked at may take this long to load.
const LOOK: Duration = Duration::from_secs(5);

/// The names of the profiles that a script can be run with: its own, or else those that all share.
///
/// # Errors
/// The script does not load, or not soon.
pub async fn names(entry: &Entry) -> Result<Vec<String>, RunError> {
    let unreadable = |message| RunError::Script(ScriptError::new(message));
    let (module, text) = (
        entry.module().map_err(unreadable)?,
        entry.read().map_err(unreadable)?,
    );
    let exports = match timeout(LOOK, of_script(&module, text, BTreeMap::new(), false)).await {
        Ok(exports) => exports?,
        Err(_) => {
            let seconds = LOOK.as_secs();
            return Err(unreadable(format!("its top level took longer than {seconds} s")));
        }
    };
    let profiles = match exports.profiles {
        Some(own) => own,
        None => shared().await?,
    };
    Ok(profiles.keys().cloned().collect())
}
