//! What a script's module exports: functions, `options`, `profiles`; and `options` as the run goes by them.

use rquickjs::{Ctx, Object, Result, Value};

use super::program::Program;

/// What a module offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exports {
    /// Names of exported functions.
    pub functions: Vec<String>,
    /// The exported `options`.
    pub options: Option<serde_json::Value>,
    /// The exported `profiles`: options by the name that `--profile` takes.
    pub profiles: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Reads what a module exports.
pub fn read<'js>(ctx: &Ctx<'js>, namespace: &Object<'js>) -> Result<Exports> {
    let mut exports = Exports::default();
    for key in namespace.keys::<String>() {
        let key = key?;
        let value: Value = namespace.get(&*key)?;
        if value.is_function() {
            exports.functions.push(key);
        } else if (key == "options" || key == "profiles")
            && let Some(json) = ctx.json_stringify(value)?
        {
            let json = json.to_string()?;
            if key == "options" {
                exports.options = serde_json::from_str(&json).ok();
            } else {
                exports.profiles = serde_json::from_str(&json).ok();
            }
        }
    }
    Ok(exports)
}

/// As in the dialect the script's own `options` show what flags and the environment made of them.
pub fn override_options<'js>(ctx: &Ctx<'js>, namespace: &Object<'js>, program: &Program) -> Result<()> {
    let Some(overrides) = program.overrides() else {
        return Ok(());
    };
    let Some(options) = namespace.get::<_, Value>("options")?.into_object() else {
        return Ok(());
    };
    let overrides: Object = ctx.json_parse(&*overrides)?.get()?;
    for entry in overrides.props::<String, Value>() {
        let (name, value) = entry?;
        // Frozen, they stay as they are.
        if options.set(name, value).is_err() {
            ctx.catch();
        }
    }
    Ok(())
}
