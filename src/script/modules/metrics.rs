//! The module `k6/metrics`: Counter, Gauge, Rate, Trend.

use rquickjs::{
    Class, Coerced, Ctx, Exception, FromJs, Function, JsLifetime, Result, Value,
    class::Trace,
    function::{Constructor, Opt},
    module::{Declarations, Exports, ModuleDef},
};

use super::Shelf;
use crate::{
    metrics::{Contains, Kind, MetricId},
    script::host::{Host, Phase},
};

/// The module `k6/metrics`.
pub struct Metrics;

const KINDS: [(&str, Kind); 4] = [
    ("Counter", Kind::Counter),
    ("Gauge", Kind::Gauge),
    ("Rate", Kind::Rate),
    ("Trend", Kind::Trend),
];

impl ModuleDef for Metrics {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for (name, _) in KINDS {
            declare.declare(name)?;
        }
        declare.declare("default")?;
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        for (name, kind) in KINDS {
            let make = move |ctx: Ctx<'js>, metric: Coerced<String>, is_time: Opt<bool>| {
                CustomMetric::make(&ctx, kind, metric.0, is_time.0.unwrap_or(false))
            };
            let constructor = Constructor::new_prototype(
                ctx,
                Class::<CustomMetric>::prototype(ctx)?.unwrap_or(rquickjs::Object::new(ctx.clone())?),
                make,
            )?;
            let function: Function = constructor.into_inner();
            shelf.value(name, function.with_name(name)?.into_value())?;
        }
        shelf.finish()
    }
}

/// A metric that a script defines and adds to.
#[derive(Trace, JsLifetime)]
#[rquickjs::class(rename = "Metric")]
pub struct CustomMetric {
    #[qjs(skip_trace)]
    id: MetricId,
    #[qjs(skip_trace)]
    kind: Kind,
    #[qjs(skip_trace)]
    name: String,
}

impl CustomMetric {
    fn make<'js>(
        ctx: &Ctx<'js>,
        kind: Kind,
        name: String,
        is_time: bool,
    ) -> Result<Class<'js, CustomMetric>> {
        let host = Host::of(ctx)?;
        if host.phase.get() != Phase::Init {
            let message =
                format!("metric `{name}` must be made in the init context, at the script's top level");
            return Err(Exception::throw_message(ctx, &message));
        }
        let contains = if is_time {
            Contains::Time
        } else {
            Contains::Default
        };
        let id = host.workshop.registry.define(&name, kind, contains);
        let id = id.map_err(|e| Exception::throw_message(ctx, &e.to_string()))?;
        Class::instance(ctx.clone(), CustomMetric { id, kind, name })
    }
}

#[rquickjs::methods]
impl CustomMetric {
    /// Adds a sample; a value that is no number throws.
    #[qjs(rename = "add")]
    fn add<'js>(&self, ctx: Ctx<'js>, value: Value<'js>, tags: Opt<Value<'js>>) -> Result<bool> {
        let host = Host::of(&ctx)?;
        host.require_running(&ctx, "adding to a metric")?;
        let number = match (value.as_number(), value.as_bool()) {
            (Some(number), _) => number,
            (None, Some(truth)) => f64::from(u8::from(truth)),
            (None, None) => Coerced::<f64>::from_js(&ctx, value)?.0,
        };
        if number.is_nan() {
            let message = format!("`{}` got a value that is not a number", self.name);
            return Err(Exception::throw_type(&ctx, &message));
        }
        if self.kind == Kind::Counter && number < 0.0 {
            let message = format!("counter `{}` can only grow, it got {number}", self.name);
            return Err(Exception::throw_range(&ctx, &message));
        }
        let number = if self.kind == Kind::Rate {
            f64::from(u8::from(number != 0.0))
        } else {
            number
        };
        let tags = match tags.0 {
            Some(tags) => {
                let pairs = tag_pairs(&ctx, &tags)?;
                let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                host.context_with(&pairs)
            }
            None => host.context(),
        };
        host.record(self.id, tags, number);
        Ok(true)
    }

    /// The metric's name.
    #[qjs(get, enumerable, rename = "name")]
    fn get_name(&self) -> String {
        self.name.clone()
    }
}

/// The tags of a JavaScript object: names and values as text.
pub fn tag_pairs<'js>(ctx: &Ctx<'js>, tags: &Value<'js>) -> Result<Vec<(String, String)>> {
    if tags.is_undefined() || tags.is_null() {
        return Ok(Vec::new());
    }
    let Some(object) = tags.as_object() else {
        return Err(Exception::throw_type(
            ctx,
            "tags must be an object of names and values",
        ));
    };
    let mut pairs = Vec::new();
    for entry in object.props::<String, Value>() {
        let (key, value) = entry?;
        if value.is_undefined() || value.is_null() {
            continue;
        }
        if value.is_object() {
            let message = format!("the tag `{key}` must be a string, a number or a boolean");
            return Err(Exception::throw_type(ctx, &message));
        }
        pairs.push((key, Coerced::<String>::from_js(ctx, value)?.0));
    }
    Ok(pairs)
}
