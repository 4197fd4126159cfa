//! The modules that scripts import by name.

pub mod crypto;
pub mod encoding;
pub mod execution;
mod files;
pub mod grpc;
pub mod html;
pub mod http;
pub mod k6;
pub mod metrics;
pub mod native;
pub mod redis;
pub mod refusal;
mod sockets;
mod subtle;
pub mod timers;
pub mod verify;
pub mod websockets;
pub mod ws;
pub mod x509;

use super::jslib::{EXECUTION, NATIVE, SUBTLE};
use rquickjs::{
    Ctx, Function, Module, Object, Result, Value,
    function::IntoJsFunc,
    module::{Declared, Exports},
};

/// Names of the built-in modules.
pub fn names() -> &'static [&'static str] {
    &[
        "k6",
        "k6/crypto",
        "k6/crypto/x509",
        "k6/data",
        "k6/encoding",
        "k6/execution",
        "k6/experimental/csv",
        "k6/experimental/encoding",
        "k6/experimental/fs",
        "k6/experimental/redis",
        "k6/experimental/streams",
        "k6/experimental/tracing",
        "k6/experimental/webcrypto",
        "k6/html",
        "k6/http",
        "k6/metrics",
        "k6/net/grpc",
        "k6/secrets",
        "k6/timers",
        "k6/websockets",
        "k6/ws",
        "loadgen/verify",
    ]
}

/// Modules that were experiments once, and the names under which they have stayed.
const SETTLED: [(&str, &str); 3] = [
    ("k6/experimental/grpc", "k6/net/grpc"),
    ("k6/experimental/timers", "k6/timers"),
    ("k6/experimental/websockets", "k6/websockets"),
];

/// The name that a module has now.
pub fn settled(name: &str) -> &str {
    let found = SETTLED.iter().find(|(experiment, _)| *experiment == name);
    found.map_or(name, |(_, settled)| settled)
}

/// Whether `name` is a built-in module.
pub fn is_builtin(name: &str) -> bool {
    names().contains(&name)
}

/// Declares the module `name` if it is built in and written in Rust, else `None`.
pub fn declare<'js>(ctx: &Ctx<'js>, name: &str) -> Option<Result<Module<'js, Declared>>> {
    let ctx = ctx.clone();
    Some(match name {
        "k6" => Module::declare_def::<k6::K6, _>(ctx, name),
        "k6/crypto" => Module::declare_def::<crypto::Crypto, _>(ctx, name),
        "k6/crypto/x509" => Module::declare_def::<x509::X509Module, _>(ctx, name),
        "k6/encoding" => Module::declare_def::<encoding::Encoding, _>(ctx, name),
        "k6/experimental/redis" => Module::declare_def::<redis::RedisModule, _>(ctx, name),
        "k6/html" => Module::declare_def::<html::HtmlModule, _>(ctx, name),
        "k6/http" => Module::declare_def::<http::Http, _>(ctx, name),
        "k6/metrics" => Module::declare_def::<metrics::Metrics, _>(ctx, name),
        "k6/net/grpc" => Module::declare_def::<grpc::Grpc, _>(ctx, name),
        "k6/timers" => Module::declare_def::<timers::Timers, _>(ctx, name),
        "loadgen/verify" => Module::declare_def::<verify::Verify, _>(ctx, name),
        EXECUTION => Module::declare_def::<execution::Execution, _>(ctx, name),
        "k6/websockets" => Module::declare_def::<websockets::WebSockets, _>(ctx, name),
        "k6/ws" => Module::declare_def::<ws::Ws, _>(ctx, name),
        SUBTLE => Module::declare_def::<subtle::Subtle, _>(ctx, name),
        NATIVE => Module::declare_def::<native::Native, _>(ctx, name),
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
