//! The module `k6/metrics`: Counter, Gauge, Rate, Trend.

use rquickjs::{
    Class, Coerced, Ctx, Exception, FromJs, Function, JsLifetime, Result, Value,
    class::Trace,
    function::{Constructor, Opt},
    module::{Declarations, Exports, ModuleDef},
};

use super::{
    Shelf,
    refusal::{Checked, Refusal},
};
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
            let make = move |ctx: Ctx<'js>, metric: Coerced<String>, is_time: Opt<Coerced<bool>>| {
                CustomMetric::make(&ctx, kind, metric.0, is_time.0.is_some_and(|is_time| is_time.0))
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
    /// Adds a sample. A value that is no number is told of, and throws where `throw` is on.
    #[qjs(rename = "add")]
    fn add<'js>(&self, ctx: Ctx<'js>, value: Opt<Value<'js>>, tags: Opt<Value<'js>>) -> Result<bool> {
        let host = Host::of(&ctx)?;
        host.require_running(&ctx, "adding to a metric")?;
        let Some(value) = value.0 else {
            return self.invalid(&ctx, &host, "no value was provided");
        };
        let number = number_of(&ctx, &value)?;
        if number.is_nan() {
            let shown = limited(&Coerced::<String>::from_js(&ctx, value)?.0);
            return self.invalid(&ctx, &host, &format!("'{shown}' is an invalid value"));
        }
        let number = if self.kind == Kind::Rate {
            f64::from(u8::from(number != 0.0))
        } else {
            number
        };
        let tags = match tags.0 {
            Some(tags) => {
                let context = || format!("cannot add tags for the '{}' custom metric: ", self.name);
                let pairs = tag_pairs(&ctx, &tags).map_err(|refusal| refusal.thrown(&ctx, &context()))?;
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

impl CustomMetric {
    /// What the dialect does with a value that it cannot add.
    fn invalid(&self, ctx: &Ctx<'_>, host: &Host, what: &str) -> Result<bool> {
        let message = format!(
            "{what} for metric '{}', a number or a boolean value is expected",
            self.name
        );
        if host.workshop.http.throw {
            return Err(Exception::throw_message(ctx, &message));
        }
        let key = format!("values of metric {}", self.name);
        host.workshop
            .warn_once(&key, || format!("{message} (said once for this metric)"));
        Ok(false)
    }
}

/// A value as a number, by the dialect's rules: what is zero and yet true, such as `[]`, is one.
fn number_of<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<f64> {
    if let Some(number) = value.as_number() {
        return Ok(number);
    }
    if let Some(truth) = value.as_bool() {
        return Ok(f64::from(u8::from(truth)));
    }
    if value.is_null() {
        return Ok(f64::NAN);
    }
    let number = Coerced::<f64>::from_js(ctx, value.clone())?.0;
    if number == 0.0 && value.is_object() {
        return Ok(1.0);
    }
    Ok(number)
}

/// The start of a long text, for a message.
fn limited(text: &str) -> String {
    const LONGEST: usize = 100;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

/// The tags of a JavaScript object: names and values as text. As in the dialect, a value that is no string, number or
/// boolean, also one that is not there, is refused.
pub fn tag_pairs<'js>(ctx: &Ctx<'js>, tags: &Value<'js>) -> Checked<Vec<(String, String)>> {
    let Some(object) = tags.as_object() else {
        return Ok(Vec::new());
    };
    let mut pairs = Vec::new();
    for entry in object.props::<String, Value>() {
        let (key, value) = entry?;
        if !(value.is_string() || value.is_number() || value.is_bool()) {
            return Err(Refusal::new(format!(
                "invalid value for metric tag '{key}': only String, Boolean and Number types are accepted as a metric tag values"
            )));
        }
        pairs.push((key, Coerced::<String>::from_js(ctx, value)?.0));
    }
    Ok(pairs)
}
