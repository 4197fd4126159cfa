//! The embedded target of `--demo`: a child process, its address in the script's variables, its counters read.

use super::order::{Order, RunError};
use crate::demo::DemoChild;

/// The target that this run has started itself, if it has.
pub struct Target(Option<DemoChild>);

/// Starts the target that the order asks for and points the script's variables at it, unless the user set them.
pub fn start(order: &mut Order) -> Result<Target, RunError> {
    let Some(demo) = &order.demo else {
        return Ok(Target(None));
    };
    let own = std::env::current_exe().map_err(RunError::OwnFile)?;
    let child = DemoChild::start(&own, &demo.arguments, demo.capacity)?;
    for (name, value) in child.variables() {
        if !order.system_env.contains_key(&name) {
            order.env.entry(name).or_insert(value);
        }
    }
    Ok(Target(Some(child)))
}

impl Target {
    /// The process id of our own target, if there is one.
    pub fn pid(&self) -> Option<u32> {
        self.0.as_ref().map(DemoChild::pid)
    }

    /// The child process, if there is one.
    pub fn child(&self) -> Option<&DemoChild> {
        self.0.as_ref()
    }

    /// Ends the target.
    pub async fn stop(self) {
        if let Some(child) = self.0
            && let Err(error) = child.stop().await
        {
            tracing::warn!("the demo target did not stop cleanly: {error}");
        }
    }
}
