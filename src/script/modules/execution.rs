//! The module `loadgen:execution`: what `k6/execution` asks of the host.

use std::rc::Rc;

use rquickjs::{
    Coerced, Ctx, Exception, IntoJs, Object, Result, Value,
    function::Opt,
    module::{Declarations, Exports, ModuleDef},
};

use super::Shelf;
use crate::metrics::TagSet;
use crate::script::{
    around::{Instance, ScenarioNow},
    host::{Host, Phase},
};

/// The module `loadgen:execution`.
pub struct Execution;

const NAMES: [&str; 12] = [
    "fields", "ask", "options", "tags", "tag", "untag", "metadata", "note", "forget", "abort", "fail",
    "default",
];

/// A number or a text that a script can read.
enum Answer {
    Number(f64),
    Text(String),
}

impl<'js> IntoJs<'js> for Answer {
    fn into_js(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        match self {
            Answer::Number(number) => number.into_js(ctx),
            Answer::Text(text) => text.into_js(ctx),
        }
    }
}

/// How a field is found.
enum Source {
    Scenario(fn(ScenarioNow) -> Answer),
    Instance(fn(Instance) -> f64),
    /// Of the virtual user or its iteration: known in `setup()`, too.
    User(fn(&Host) -> f64),
    /// Of the iteration, as a part of its scenario.
    Iteration(fn(&Host) -> f64),
}

/// Where a field is in `k6/execution`, its name, how it is found. A field's place here is how scripts ask for it.
const FIELDS: [(&str, &str, Source); 15] = [
    ("scenario", "name", Source::Scenario(|s| Answer::Text(s.name))),
    (
        "scenario",
        "executor",
        Source::Scenario(|s| Answer::Text(s.executor.to_owned())),
    ),
    (
        "scenario",
        "startTime",
        Source::Scenario(|s| Answer::Number(s.started)),
    ),
    (
        "scenario",
        "progress",
        Source::Scenario(|s| Answer::Number(s.progress)),
    ),
    (
        "scenario",
        "iterationInInstance",
        Source::Iteration(|host| {
            let in_test = host.turn.get().in_scenario;
            host.around
                .as_ref()
                .map_or(in_test, |around| around.in_instance(in_test)) as f64
        }),
    ),
    (
        "scenario",
        "iterationInTest",
        Source::Iteration(|host| host.turn.get().in_scenario as f64),
    ),
    (
        "instance",
        "iterationsInterrupted",
        Source::Instance(|i| i.interrupted as f64),
    ),
    (
        "instance",
        "iterationsCompleted",
        Source::Instance(|i| i.completed as f64),
    ),
    ("instance", "vusActive", Source::Instance(|i| f64::from(i.active))),
    (
        "instance",
        "vusInitialized",
        Source::Instance(|i| f64::from(i.initialized)),
    ),
    (
        "instance",
        "currentTestRunDuration",
        Source::Instance(|i| i.elapsed.as_secs_f64() * 1e3),
    ),
    ("vu", "idInInstance", Source::User(|host| host.vu as f64)),
    ("vu", "idInTest", Source::User(|host| host.vu_in_test as f64)),
    (
        "vu",
        "iterationInInstance",
        Source::User(|host| host.turn.get().in_vu as f64),
    ),
    (
        "vu",
        "iterationInScenario",
        Source::Iteration(|host| host.turn.get().in_vu as f64),
    ),
];

impl ModuleDef for Execution {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for name in NAMES {
            declare.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let host = Host::of(ctx)?;
        let shelf = Shelf::new(ctx, exports)?;
        let fields: Vec<Vec<&str>> = FIELDS
            .iter()
            .map(|(scope, name, _)| vec![*scope, *name])
            .collect();
        shelf.value("fields", fields.into_js(ctx)?)?;
        let me = host.clone();
        shelf.function("ask", move |ctx: Ctx<'js>, field: usize| ask(&ctx, &me, field))?;
        let me = host.clone();
        shelf.function("options", move |ctx: Ctx<'js>| {
            past_init(&ctx, &me, "the test's options")?;
            ctx.json_parse(&*me.workshop.program.options().unwrap_or_else(|| "{}".into()))
        })?;
        let me = host.clone();
        shelf.function("tags", move |ctx: Ctx<'js>| tags(&ctx, &me))?;
        let me = host.clone();
        shelf.function(
            "tag",
            move |ctx: Ctx<'js>, name: Coerced<String>, value: Value<'js>| {
                let value = label(&ctx, "tag", &name.0, &value)?;
                past_init(&ctx, &me, "tags of the virtual user")?;
                me.tag(&name.0, &value);
                Ok::<_, rquickjs::Error>(())
            },
        )?;
        let me = host.clone();
        shelf.function("untag", move |name: Coerced<String>| me.untag(&name.0))?;
        let me = host.clone();
        shelf.function("metadata", move |ctx: Ctx<'js>| {
            past_init(&ctx, &me, "metadata of the virtual user")?;
            object(&ctx, &me.labels.metadata().unwrap_or_default())
        })?;
        let me = host.clone();
        shelf.function(
            "note",
            move |ctx: Ctx<'js>, name: Coerced<String>, value: Value<'js>| {
                let value = label(&ctx, "metadata", &name.0, &value)?;
                past_init(&ctx, &me, "metadata of the virtual user")?;
                me.note(&name.0, &value);
                Ok::<_, rquickjs::Error>(())
            },
        )?;
        let me = host.clone();
        shelf.function("forget", move |name: Coerced<String>| me.unnote(&name.0))?;
        let me = host.clone();
        shelf.function("abort", move |ctx: Ctx<'js>, reason: Opt<Coerced<String>>| {
            abort(&ctx, &me, reason.0)
        })?;
        shelf.function("fail", move |reason: Opt<Coerced<String>>| {
            let reason = reason
                .0
                .map_or_else(|| "the script called test.fail()".to_owned(), |reason| reason.0);
            host.workshop.program.fail(&reason);
        })?;
        shelf.finish()
    }
}

/// Throws while the script's top level runs, when nothing is known of the run yet.
fn past_init(ctx: &Ctx<'_>, host: &Host, what: &str) -> Result<()> {
    if host.phase.get() == Phase::Init {
        let message = format!("{what} are not known in the init context, at the script's top level");
        return Err(Exception::throw_message(ctx, &message));
    }
    Ok(())
}

fn ask(ctx: &Ctx<'_>, host: &Host, field: usize) -> Result<Answer> {
    let Some((scope, name, source)) = FIELDS.get(field) else {
        return Err(Exception::throw_internal(ctx, "there is no such field"));
    };
    past_init(ctx, host, &format!("exec.{scope}.{name} and its like"))?;
    let outside = || {
        let message = format!("exec.{scope}.{name} is only known in the function of a scenario");
        Exception::throw_message(ctx, &message)
    };
    Ok(match source {
        Source::Scenario(read) => {
            let scenario = host.around.as_ref().and_then(|around| around.scenario());
            read(scenario.ok_or_else(outside)?)
        }
        Source::Iteration(read) => {
            if !host.around.as_ref().is_some_and(|around| around.works()) {
                return Err(outside());
            }
            Answer::Number(read(host))
        }
        Source::User(read) => Answer::Number(read(host)),
        Source::Instance(read) => {
            let instance = host.around.as_ref().map(|around| around.instance());
            Answer::Number(read(instance.unwrap_or_default()))
        }
    })
}

/// The tags that a sample would carry now.
fn tags<'js>(ctx: &Ctx<'js>, host: &Rc<Host>) -> Result<Object<'js>> {
    past_init(ctx, host, "tags of the virtual user")?;
    object(ctx, &host.workshop.registry.tags(host.context()))
}

fn object<'js>(ctx: &Ctx<'js>, pairs: &TagSet) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    for (name, value) in pairs.iter() {
        object.set(name, value)?;
    }
    Ok(object)
}

/// The text of a value that a sample can carry; `what` it is to be there.
fn label<'js>(ctx: &Ctx<'js>, what: &str, name: &str, value: &Value<'js>) -> Result<String> {
    if !(value.is_string() || value.is_number() || value.is_bool()) {
        let message = format!("the {what} `{name}` must be a string, a number or a boolean");
        return Err(Exception::throw_type(ctx, &message));
    }
    Ok(value.get::<Coerced<String>>()?.0)
}

/// Ends the test: nothing of the script runs any more, not even a `finally`.
fn abort(ctx: &Ctx<'_>, host: &Host, reason: Option<Coerced<String>>) -> Result<()> {
    let reason = reason.map_or_else(|| "the script called test.abort()".to_owned(), |reason| reason.0);
    Err(host.abort(ctx, reason))
}
