//! `require()`: CommonJS texts are functions that fill `exports`; each is called once per virtual user.

use std::rc::Rc;

use rquickjs::{Ctx, Exception, Function, Module, Object, Persistent, Result, Value, function::This};

use super::{host::Host, language::Kind};

/// The function `require`. A name is resolved as seen from the module whose code calls it.
pub fn require<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>> {
    let require = |ctx: Ctx<'js>, name: String| -> Result<Value<'js>> {
        let program = &Host::of(&ctx)?.workshop.program;
        let module = program.resolve(&ctx, &caller(&ctx), &name)?;
        exports(&ctx, &module)
    };
    Ok(Function::new(ctx.clone(), require)?
        .with_name("require")?
        .into_value())
}

/// The module whose code is running.
pub fn caller(ctx: &Ctx<'_>) -> String {
    // Frames of functions that are not JavaScript have no module.
    let found = (0..16).find_map(|level| ctx.script_or_module_name(level));
    found.and_then(|name| name.to_string().ok()).unwrap_or_default()
}

/// Names that a CommonJS text exports, as far as they can be imported by name.
pub fn names(ctx: &Ctx<'_>, module: &str) -> Result<Vec<String>> {
    let exports = exports(ctx, module)?;
    let Some(object) = exports.as_object() else {
        return Ok(Vec::new());
    };
    let names = object.keys::<String>().collect::<Result<Vec<String>>>()?;
    Ok(names.into_iter().filter(|name| importable(name)).collect())
}

fn importable(name: &str) -> bool {
    let mut letters = name.chars();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_' || first == '$')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$')
        && name != "default"
}

/// What a module exports: it is run if it has not been.
fn exports<'js>(ctx: &Ctx<'js>, name: &str) -> Result<Value<'js>> {
    let host = Host::of(ctx)?;
    let known = host.required.borrow().get(name).cloned();
    if let Some(known) = known {
        return known.restore(ctx)?.get("exports");
    }
    let module = Object::new(ctx.clone())?;
    let library = host.workshop.program.library();
    match library.kind(ctx, name)? {
        Kind::Module => {
            let namespace: Object = Module::import(ctx, name)?.finish().map_err(|error| match error {
                rquickjs::Error::WouldBlock => Exception::throw_message(
                    ctx,
                    &format!("`{name}` awaits something at its top level: import it instead of requiring it"),
                ),
                error => error,
            })?;
            module.set("exports", namespace)?;
            keep(ctx, &host, name, &module);
        }
        Kind::Json => {
            module.set("exports", library.json(ctx, name)?)?;
            keep(ctx, &host, name, &module);
        }
        Kind::CommonJs => {
            let empty = Object::new(ctx.clone())?;
            module.set("exports", empty.clone())?;
            module.set("id", name)?;
            // Before it is called: what it requires may require it.
            keep(ctx, &host, name, &module);
            let function = library.function(ctx, name)?;
            let require: Value = ctx.globals().get("require")?;
            let path = super::display_name(name);
            let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
            let done: Result<()> =
                function.call((This(empty.clone()), empty, require, module.clone(), path, folder));
            if done.is_err() {
                host.required.borrow_mut().remove(name);
            }
            done?;
        }
    }
    module.get("exports")
}

fn keep<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, name: &str, module: &Object<'js>) {
    let module = Persistent::save(ctx, module.clone());
    host.required.borrow_mut().insert(name.to_owned(), module);
}
