//! The module `k6/timers`: the global timers, by name.

use rquickjs::{
    Ctx, Result, Value,
    module::{Declarations, Exports, ModuleDef},
};

use super::Shelf;

/// The module `k6/timers`.
pub struct Timers;

const NAMES: [&str; 4] = ["setTimeout", "clearTimeout", "setInterval", "clearInterval"];

impl ModuleDef for Timers {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for name in NAMES.iter().chain(&["default"]) {
            declare.declare(*name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        for name in NAMES {
            let timer: Value = ctx.globals().get(name)?;
            shelf.value(name, timer)?;
        }
        shelf.finish()
    }
}
