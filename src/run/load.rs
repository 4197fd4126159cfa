//! From an order to a checked configuration: the script is loaded once, its options are read, everything that
//! is wrong comes out together.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use super::order::{Order, RunError, Subject};
use super::profile;
use crate::config::{Config, RawOptions, Tier, check};
use crate::engine::{EngineError, UrlPlan};
use crate::metrics::{Epoch, Recorder, Registry, SystemTags, TargetMetrics, tunnel};
use crate::net::{NetOptions, Shared};
use crate::script::{Exports, HttpDefaults, Program, ScriptError, ScriptUser, Seat, Workshop};

/// A subject that is ready to run.
#[derive(Clone)]
pub enum Prepared {
    /// A script and what it exports.
    Script {
        /// The loaded script.
        program: Arc<Program>,
        /// Its functions and options.
        exports: Exports,
    },
    /// One request.
    Url(Arc<UrlPlan>),
}

/// An order that makes sense.
pub struct Loaded {
    /// All options, checked.
    pub config: Config,
    /// What is to be run.
    pub subject: Prepared,
    /// Where the script's top level defined its metrics; its tags do not know the options yet.
    provisional: Arc<Registry>,
}

impl Loaded {
    /// The run's registry: it obeys the options, and knows the script's metrics from the start.
    pub fn final_registry(&self) -> Arc<Registry> {
        let registry = Registry::new(self.config.system_tags);
        for (_, definition) in self.provisional.definitions() {
            // The provisional registry has accepted the very same definition.
            let _ = registry.define(&definition.name, definition.kind, definition.contains);
        }
        registry
    }

    /// Whether the script exports a function of this name.
    pub fn exports(&self, function: &str) -> bool {
        match &self.subject {
            Prepared::Script { exports, .. } => exports.functions.iter().any(|name| name == function),
            Prepared::Url(_) => false,
        }
    }
}

/// Loads the script and checks every option. Sends nothing.
///
/// # Errors
/// The script does not load, or options are wrong: all of them are told at once.
pub async fn load(order: &Order) -> Result<Loaded, RunError> {
    let provisional = Registry::new(SystemTags::default());
    if order.samples() {
        // The first to define anything, so nothing can clash.
        let _ = TargetMetrics::define(&provisional);
    }
    if !order.tunnels.is_empty() {
        let _ = tunnel::define(&provisional);
    }
    let mut profile = RawOptions::new();
    let subject = match &order.subject {
        Subject::Script(entry) => {
            let mut env: BTreeMap<String, String> = order.system_env.clone();
            env.extend(order.env.clone());
            let unreadable = |message| RunError::Script(ScriptError::new(message));
            let (module, text) = (
                entry.module().map_err(unreadable)?,
                entry.read().map_err(unreadable)?,
            );
            if let Some(name) = &order.profile {
                profile = profile::find(name, &module, &text, &env, order.allow_remote_modules).await?;
                env.insert(profile::VARIABLE.to_owned(), name.clone());
            }
            let program = Arc::new(Program::from_text(&module, text, env));
            program.set_secrets(order.secrets.clone());
            if order.allow_remote_modules {
                program.allow_remote_modules();
            }
            program.limit_memory(order.max_vu_memory);
            let exports = exports(&program, &provisional).await?;
            if let Some(name) = profile::unread(order, &program) {
                let text = program.library().text(&module).unwrap_or_default();
                profile =
                    profile::find(name, &module, &text, program.env(), order.allow_remote_modules).await?;
            }
            Prepared::Script { program, exports }
        }
        Subject::Url(plan) => Prepared::Url(Arc::new(plan.clone())),
    };
    let mut raw = order.file.clone();
    if let Prepared::Script { exports, .. } = &subject
        && let Some(Value::Object(options)) = &exports.options
    {
        raw.overlay(RawOptions::from_json(options, Tier::Script));
    }
    raw.overlay(profile);
    raw.overlay(order.environment.clone());
    raw.overlay(order.flags.clone());
    if order.no_thresholds {
        raw.remove("thresholds");
    }
    if let Some(search) = &order.breakpoint {
        search.add_to(&mut raw);
    }
    let kind = |name: &str| provisional.lookup(name).map(|id| provisional.definition(id).kind);
    let config = check(&raw, &kind)?;
    if let Prepared::Script { program, exports, .. } = &subject {
        config.check_exports(&exports.functions)?;
        program.set_options(&config.options.to_string());
        if let Some(overrides) = raw.overrides() {
            program.set_overrides(&overrides.to_string());
        }
    }
    Ok(Loaded {
        config,
        subject,
        provisional,
    })
}

/// The same on a thread of its own, so that whoever waits can give up: a script's top level may call what never ends.
///
/// # Errors
/// As [`load`]'s.
pub async fn load_apart(order: &Order) -> Result<Loaded, RunError> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let order = order.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(EngineError::Runtime)?;
    let body = move || {
        // Whoever asked may have gone.
        let _ = tell.send(runtime.block_on(load(&order)));
    };
    let thread = std::thread::Builder::new().name("load".to_owned()).spawn(body);
    thread.map_err(EngineError::Thread)?;
    told.await.unwrap_or_else(|_| {
        Err(EngineError::Panic("the thread that loads the script has panicked".to_owned()).into())
    })
}

/// Runs the script's top level once.
pub async fn exports(program: &Arc<Program>, registry: &Arc<Registry>) -> Result<Exports, RunError> {
    let recorder = Recorder::new(registry.clone(), 0);
    let net = Shared::new(NetOptions::default())?;
    let http = HttpDefaults::default();
    let workshop = Workshop::new(program.clone(), recorder, Epoch::now(), net, http);
    let started = ScriptUser::start(Rc::new(workshop), Seat::default()).await;
    started.map(|(_, exports)| exports).map_err(RunError::Script)
}
