//! The modules that scripts import by name.

pub mod html;
pub mod http;
pub mod k6;
pub mod metrics;

use rquickjs::{
    Ctx, Function, Module, Object, Result, Value,
    function::IntoJsFunc,
    module::{Declared, Exports},
};

/// Names of the built-in modules.
pub fn names() -> &'static [&'static str] {
    &["k6", "k6/html", "k6/http", "k6/metrics"]
}

/// Whether `name` is a built-in module.
pub fn is_builtin(name: &str) -> bool {
    names().contains(&name)
}

/// Declares the built-in module `name`, or `None` if there is none of that name.
pub fn declare<'js>(ctx: &Ctx<'js>, name: &str) -> Option<Result<Module<'js, Declared>>> {
    let ctx = ctx.clone();
    Some(match name {
        "k6" => Module::declare_def::<k6::K6, _>(ctx, name),
        "k6/html" => Module::declare_def::<html::HtmlModule, _>(ctx, name),
        "k6/http" => Module::declare_def::<http::Http, _>(ctx, name),
        "k6/metrics" => Module::declare_def::<metrics::Metrics, _>(ctx, name),
        _ => return None,
    })
}

/// Exports each thing twice, as the dialect does: by its name, and as a property of the default export.
struct Shelf<'a, 'js> {
    ctx: Ctx<'js>,
    exports: &'a Exports<'js>,
    default: Object<'js>,
}

impl<'a, 'js> Shelf<'a, 'js> {
    fn new(ctx: &Ctx<'js>, exports: &'a Exports<'js>) -> Result<Shelf<'a, 'js>> {
        Ok(Shelf {
            ctx: ctx.clone(),
            exports,
            default: Object::new(ctx.clone())?,
        })
    }

    fn function<P>(&self, name: &str, function: impl IntoJsFunc<'js, P> + 'js) -> Result<()> {
        self.value(
            name,
            Function::new(self.ctx.clone(), function)?
                .with_name(name)?
                .into_value(),
        )
    }

    fn value(&self, name: &str, value: Value<'js>) -> Result<()> {
        self.default.set(name, value.clone())?;
        self.exports.export(name, value)?;
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.exports.export("default", self.default)?;
        Ok(())
    }
}
