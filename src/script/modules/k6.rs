//! The module `k6`: check, fail, group, sleep, randomSeed.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use rquickjs::{
    Coerced, Ctx, Exception, FromJs, Function, Result, Value,
    atom::PredefinedAtom,
    function::Opt,
    module::{Declarations, Exports, ModuleDef},
};

use super::{Shelf, metrics::tag_pairs};
use crate::{
    metrics::builtin,
    script::{globals, host::Host, random::Draw},
};

/// The module `k6`.
pub struct K6;

impl ModuleDef for K6 {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for name in ["check", "fail", "group", "sleep", "randomSeed", "default"] {
            declare.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let host = Host::of(ctx)?;
        let shelf = Shelf::new(ctx, exports)?;
        let me = host.clone();
        shelf.function(
            "check",
            move |ctx: Ctx<'js>, value: Opt<Value<'js>>, sets: Opt<Value<'js>>, tags: Opt<Value<'js>>| {
                let value = value.0.unwrap_or_else(|| Value::new_undefined(ctx.clone()));
                check(&ctx, &me, &value, sets.0, tags.0)
            },
        )?;
        let me = host.clone();
        shelf.function(
            "group",
            move |ctx: Ctx<'js>, name: Coerced<String>, body: Opt<Value<'js>>| {
                group(&ctx, &me, &name.0, body.0.as_ref())
            },
        )?;
        let me = host.clone();
        shelf.function("sleep", move |ctx: Ctx<'js>, seconds: Opt<Coerced<f64>>| {
            sleep(&ctx, &me, seconds.0.map_or(0.0, |seconds| seconds.0))
        })?;
        shelf.function(
            "fail",
            |ctx: Ctx<'js>, message: Opt<Coerced<String>>| -> Result<()> {
                Err(Exception::throw_message(
                    &ctx,
                    &message.0.map(|text| text.0).unwrap_or_default(),
                ))
            },
        )?;
        let me = host.clone();
        shelf.function("randomSeed", move |ctx: Ctx<'js>, seed: Coerced<f64>| {
            // Repeatable, as in the dialect: each virtual user that asks for this seed draws the same numbers.
            globals::draw_from(&ctx, &me, Draw::seeded(seed.0))
        })?;
        shelf.finish()
    }
}

/// Judges each condition, records it, and says whether all held. A condition that throws counts as failed.
fn check<'js>(
    ctx: &Ctx<'js>,
    host: &Host,
    value: &Value<'js>,
    sets: Option<Value<'js>>,
    tags: Option<Value<'js>>,
) -> Result<bool> {
    host.require_running(ctx, "check()")?;
    let Some(sets) = sets else {
        return Err(Exception::throw_message(ctx, "no checks provided to `check`"));
    };
    if sets.is_undefined() || sets.is_null() {
        let message = "check() takes an object of named conditions as its second argument; cannot convert undefined \
                       or null to object";
        return Err(Exception::throw_type(ctx, message));
    }
    let extra = match tags {
        Some(tags) => tag_pairs(ctx, &tags).map_err(|refusal| refusal.thrown(ctx, ""))?,
        None => Vec::new(),
    };
    let mut all = true;
    // As in the dialect: a number or a boolean has no conditions.
    let Some(sets) = sets.as_object() else {
        return Ok(all);
    };
    for entry in sets.props::<rquickjs::String, Value>() {
        let (name, condition) = entry?;
        let name = name.to_cstring()?;
        let name = name.as_str();
        if name.contains("::") {
            let message = format!("check names must not contain '::' (`{name}`): it separates groups");
            return Err(Exception::throw_message(ctx, &message));
        }
        let result = match condition.as_function() {
            // Whether a function is async is asked of those alone that return a promise: asking each would cost more than
            // most conditions do.
            Some(function) => match function.call::<_, Value>((value.clone(),)) {
                Ok(result) if result.is_promise() && is_async(function)? => {
                    let message = "the built-in check() does not support async functions as arguments: await the value \
                                   first, or use check() of https://jslib.k6.io/k6-utils";
                    return Err(Exception::throw_message(ctx, message));
                }
                result => result,
            },
            None => Ok(condition),
        };
        let (held, thrown) = match result {
            Ok(result) => (truthy(ctx, result)?, None),
            Err(error) => (false, Some(error)),
        };
        if !host.bridge.cancelled() {
            let mut pairs: Vec<(&str, &str)> = Vec::new();
            let tags = if extra.is_empty() {
                host.context_with(&[("check", name)])
            } else {
                pairs.extend(extra.iter().map(|(key, value)| (key.as_str(), value.as_str())));
                pairs.push(("check", name));
                host.context_with(&pairs)
            };
            host.record(builtin::CHECKS, tags, f64::from(u8::from(held)));
        }
        if let Some(error) = thrown {
            return Err(error);
        }
        all &= held;
    }
    Ok(all)
}

fn truthy<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Result<bool> {
    match value.as_bool() {
        Some(held) => Ok(held),
        None => Coerced::<bool>::from_js(ctx, value).map(|held| held.0),
    }
}

/// Runs `body` with its samples tagged as part of the group; records how long it took.
fn group<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, name: &str, body: Option<&Value<'js>>) -> Result<Value<'js>> {
    host.require_running(ctx, "group()")?;
    let Some(body) = body.and_then(Value::as_function) else {
        let message = "group() requires a callback as a second argument";
        return Err(Exception::throw_message(ctx, message));
    };
    if is_async(body)? {
        let message = "group() does not support async functions as arguments: their requests would be counted outside \
                       the group";
        return Err(Exception::throw_message(ctx, message));
    }
    if name.contains("::") {
        let message = format!("group names must not contain '::' (`{name}`): it separates groups");
        return Err(Exception::throw_message(ctx, &message));
    }
    let outer = host.group.borrow().clone();
    host.set_group(&format!("{outer}::{name}"));
    let started = Instant::now();
    let result = body.call::<_, Value>(());
    if !host.bridge.cancelled() {
        let took = started.elapsed().as_secs_f64() * 1000.0;
        host.record(builtin::GROUP_DURATION, host.context(), took);
    }
    host.set_group(&outer);
    result
}

/// Whether it was written as `async`; one that merely returns a promise was not.
fn is_async(function: &Function<'_>) -> Result<bool> {
    let tag: Value = function.get(PredefinedAtom::SymbolToStringTag)?;
    match tag.as_string() {
        Some(tag) => Ok(tag.to_string()? == "AsyncFunction"),
        None => Ok(false),
    }
}

fn sleep(ctx: &Ctx<'_>, host: &Host, seconds: f64) -> Result<()> {
    host.require_running(ctx, "sleep()")?;
    // As in the dialect, nothing to sleep is no error.
    let Ok(time) = Duration::try_from_secs_f64(seconds) else {
        return Ok(());
    };
    host.wait_for(ctx, tokio::time::sleep(time))
}
