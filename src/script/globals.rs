//! The globals that scripts expect: `__ENV`, `__VU`, `__ITER`, `open`, timers, and those that are made elsewhere.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use rquickjs::{
    ArrayBuffer, Coerced, Ctx, Exception, Function, Object, Result, Value,
    function::{Opt, Rest},
    object::{Accessor, Property},
};

use super::{
    commonjs, console,
    host::{Host, Phase},
    modules::crypto,
    random::Draw,
    source, text,
};

/// Installs the globals of one virtual user.
pub fn install<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, env: &BTreeMap<String, String>) -> Result<()> {
    let globals = ctx.globals();
    globals.set("__VU", host.vu as f64)?;
    globals.set("__ITER", 0)?;
    globals.set("global", globals.clone())?;
    let me = host.clone();
    let extra = env.clone();
    lazy(&globals, "__ENV", move |ctx| {
        let variables = Object::new(ctx.clone())?;
        for (name, value) in me.workshop.program.env().iter().chain(&extra) {
            variables.set(name.as_str(), value.as_str())?;
        }
        Ok(variables.into_value())
    })?;
    lazy(&globals, "require", commonjs::require)?;
    lazy(&globals, "console", console::console)?;
    lazy(&globals, "crypto", crypto::web_crypto)?;
    for (name, make) in text::GLOBALS {
        lazy(&globals, name, make)?;
    }
    globals.set("open", Function::new(ctx.clone(), open)?)?;
    for (name, repeat) in [("setTimeout", false), ("setInterval", true)] {
        let set = move |ctx: Ctx<'js>,
                        callback: Function<'js>,
                        delay: Opt<Coerced<f64>>,
                        rest: Rest<Value<'js>>| {
            set_timer(
                &ctx,
                callback,
                delay.0.map_or(0.0, |delay| delay.0),
                repeat,
                rest.0,
            )
        };
        globals.set(name, Function::new(ctx.clone(), set)?.with_name(name)?)?;
    }
    for name in ["clearTimeout", "clearInterval"] {
        let clear = |ctx: Ctx<'js>, id: Opt<Coerced<f64>>| -> Result<()> {
            let id = id.0.map_or(0.0, |id| id.0);
            Host::of(&ctx)?.events.clear_timer(id as u64);
            Ok(())
        };
        globals.set(name, Function::new(ctx.clone(), clear)?.with_name(name)?)?;
    }
    Ok(())
}

/// For a module that draws random numbers: lets `Math.random` draw from a generator that is seeded by chance. QuickJS
/// seeds its own with the clock's microseconds, so that two virtual users made by two workers at one moment would draw
/// the same numbers, and send the same ids. `Math` is made when it is first read; other scripts need not pay for it.
pub fn draws(ctx: &Ctx<'_>) -> Result<()> {
    let host = Host::of(ctx)?;
    if host.random.borrow().is_some() {
        return Ok(());
    }
    draw_from(ctx, &host, Draw::by_chance())
}

/// Makes `Math.random`, and what else draws numbers for a test, draw from this generator.
pub fn draw_from(ctx: &Ctx<'_>, host: &Rc<Host>, random: Draw) -> Result<()> {
    if host.random.replace(Some(random)).is_some() {
        return Ok(());
    }
    let me = host.clone();
    let next = move || me.draw(Draw::f64);
    let math: Object = ctx.globals().get("Math")?;
    let next = Function::new(ctx.clone(), next)?.with_name("random")?;
    math.prop("random", Property::from(next).writable().configurable())
}

/// A global that is made when it is first read: what a script does not use costs a virtual user next to nothing.
fn lazy<'js, F>(globals: &Object<'js>, name: &'static str, make: F) -> Result<()>
where
    F: Fn(&Ctx<'js>) -> Result<Value<'js>> + 'js,
{
    let read = move |ctx: Ctx<'js>| -> Result<Value<'js>> {
        let value = make(&ctx)?;
        let property = Property::from(value.clone())
            .writable()
            .enumerable()
            .configurable();
        ctx.globals().prop(name, property)?;
        Ok(value)
    };
    let replace = move |ctx: Ctx<'js>, value: Value<'js>| -> Result<()> {
        ctx.globals()
            .prop(name, Property::from(value).writable().enumerable().configurable())
    };
    globals.prop(name, Accessor::new(read, replace).enumerable().configurable())
}

fn set_timer<'js>(
    ctx: &Ctx<'js>,
    callback: Function<'js>,
    delay_ms: f64,
    repeat: bool,
    arguments: Vec<Value<'js>>,
) -> Result<f64> {
    let delay = Duration::try_from_secs_f64(delay_ms.max(0.0) / 1000.0).map_err(|_| {
        Exception::throw_range(
            ctx,
            "the delay of a timer must be a finite number of milliseconds",
        )
    })?;
    Ok(Host::of(ctx)?
        .events
        .set_timer(ctx, callback, delay, repeat, arguments) as f64)
}

fn open<'js>(ctx: Ctx<'js>, path: String, mode: Opt<Coerced<String>>) -> Result<Value<'js>> {
    let host = Host::of(&ctx)?;
    if host.phase.get() != Phase::Init {
        let message = "open() is only allowed in the init context, at the script's top level";
        return Err(Exception::throw_message(&ctx, message));
    }
    let program = &host.workshop.program;
    // Relative to the entry script, as in the dialect; failing that, to the module that asks.
    let beside = || source::place(&commonjs::caller(&ctx), &path).and_then(|path| program.open(&path));
    let bytes = program
        .open(&path)
        .or_else(|message| beside().map_err(|_| message))
        .map_err(|message| Exception::throw_message(&ctx, &message))?;
    if mode.0.is_some_and(|mode| mode.0 == "b") {
        return Ok(ArrayBuffer::new_copy(ctx, bytes)?.into_value());
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(rquickjs::String::from_str(ctx, &text)?.into_value())
}
