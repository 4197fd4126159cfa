//! A virtual user that runs a script: started once, then given orders (an iteration, `setup`, …) one by one.
//!
//! Everything of JavaScript's lives and dies on the user's fiber ([`live`]); this side hands in an order and
//! polls the fiber until it rests.

use std::{
    cell::{OnceCell, RefCell},
    future::{Future, poll_fn},
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use rquickjs::{Context, Ctx, Function, Object, Promise, Runtime, Value, function::Args, module::Evaluated};

use super::{
    error::ScriptError,
    events::Event,
    exports::{self, Exports},
    fiber::{Bridge, Fiber, Rest},
    files::{Files, files},
    globals,
    host::{Host, HostHandle, Phase, Workshop},
    labels::Labels,
    program::ModuleSource,
    seat::{Seat, Turn},
};
use crate::metrics::{IterationEnd, Recorder, TagSet, TagsId};

/// The fiber's stack. Pages are committed as they are touched, so the size costs address space only.
const STACK: usize = 2 << 20;
/// What JavaScript may use of it; the rest is for host functions called at the deepest point.
const SCRIPT_STACK: usize = 1 << 20;

/// How an iteration ended.
#[derive(Debug)]
pub enum Verdict {
    /// It ran to its end.
    Complete,
    /// It threw.
    Threw(ScriptError),
    /// It was interrupted from outside.
    Interrupted,
    /// It asked for the end of the test, for this reason.
    Aborted(String),
}

enum Order {
    Iterate(Turn),
    Call {
        export: String,
        /// As JSON; `None` is `undefined`.
        arguments: Vec<Option<Arc<str>>>,
    },
    Summarize {
        data: String,
    },
}

impl Order {
    /// What its trace is called.
    fn traced(&self) -> &'static str {
        match self {
            Order::Iterate(_) => "iteration",
            Order::Call { export, .. } if export == "setup" => "setup",
            Order::Call { export, .. } if export == "teardown" => "teardown",
            Order::Call { .. } | Order::Summarize { .. } => "call",
        }
    }
}

enum Reply {
    Started(Exports),
    Iterated(Verdict),
    Returned(Option<String>),
    Files(Files),
    Failed(ScriptError),
}

#[derive(Default)]
struct Desk {
    order: RefCell<Option<Order>>,
    reply: RefCell<Option<Reply>>,
    labels: OnceCell<Rc<Labels>>,
}

/// A virtual user that runs a script.
pub struct ScriptUser {
    fiber: Fiber,
    desk: Rc<Desk>,
    recorder: Recorder,
    busy: bool,
}

impl ScriptUser {
    /// Starts a virtual user: its runtime is made and the script's top level runs.
    ///
    /// # Errors
    /// The script does not compile, its top level throws, or the system has no room for another user.
    pub async fn start(workshop: Rc<Workshop>, seat: Seat) -> Result<(ScriptUser, Exports), ScriptError> {
        let desk = Rc::new(Desk::default());
        let (inner, recorder) = (desk.clone(), workshop.recorder.clone());
        let fiber = Fiber::new(STACK, move |bridge| live(&bridge, &inner, workshop, &seat));
        let fiber = fiber.map_err(|e| {
            ScriptError::new(format!(
                "no memory for another virtual user: {e}; raise vm.max_map_count (two mappings a user) or use fewer VUs"
            ))
        })?;
        let mut user = ScriptUser {
            fiber,
            desk,
            recorder,
            busy: true,
        };
        match poll_fn(|cx| user.poll(cx)).await {
            Reply::Started(exports) => Ok((user, exports)),
            Reply::Failed(error) => Err(error),
            _ => Err(ScriptError::new("the virtual user did not start")),
        }
    }

    /// Runs one iteration, as the only virtual user. Dropping the future leaves it under way: see [`ScriptUser::interrupt`].
    pub fn iterate(&mut self, in_vu: u64) -> impl Future<Output = Verdict> + '_ {
        self.take_turn(Turn {
            in_vu,
            in_scenario: in_vu,
        })
    }

    /// The same, as one of the iterations of many virtual users.
    pub fn take_turn(&mut self, turn: Turn) -> impl Future<Output = Verdict> + '_ {
        self.give(Order::Iterate(turn));
        poll_fn(|cx| {
            self.poll(cx).map(|reply| match reply {
                Reply::Iterated(verdict) => verdict,
                Reply::Failed(error) => Verdict::Threw(error),
                _ => Verdict::Interrupted,
            })
        })
    }

    /// Calls an exported function other than an iteration's, with arguments as JSON (`None` is `undefined`); its result as
    /// JSON.
    ///
    /// # Errors
    /// It threw.
    pub async fn call(
        &mut self,
        export: &str,
        arguments: Vec<Option<Arc<str>>>,
    ) -> Result<Option<String>, ScriptError> {
        self.give(Order::Call {
            export: export.to_owned(),
            arguments,
        });
        match poll_fn(|cx| self.poll(cx)).await {
            Reply::Returned(json) => Ok(json),
            Reply::Failed(error) => Err(error),
            _ => Err(interrupted()),
        }
    }

    /// Calls `handleSummary` with its data as JSON.
    ///
    /// # Errors
    /// It threw, or returned something else than a map of path to content.
    pub async fn summarize(&mut self, data: String) -> Result<Files, ScriptError> {
        self.give(Order::Summarize { data });
        match poll_fn(|cx| self.poll(cx)).await {
            Reply::Files(files) => Ok(files),
            Reply::Failed(error) => Err(error),
            _ => Err(interrupted()),
        }
    }

    /// The tags of samples of the whole iteration that has just ended, if the script has set some of its own.
    pub fn iteration_tags(&self) -> Option<TagsId> {
        self.desk.labels.get()?.iteration.get()
    }

    /// The metadata of samples that are taken now, if the script has set some.
    pub fn metadata(&self) -> Option<TagSet> {
        self.desk.labels.get()?.metadata()
    }

    /// Ends the order under way, if there is one; the user can be given another one afterwards.
    pub fn interrupt(&mut self) {
        if std::mem::take(&mut self.busy) {
            self.remarked(Fiber::interrupt);
            self.desk.reply.take();
        }
    }

    fn give(&mut self, order: Order) {
        self.interrupt();
        self.busy = true;
        self.desk.order.replace(Some(order));
    }

    /// Lets the script go on, with what it says of its samples: others use the recorder before and after.
    fn remarked<T>(&mut self, go_on: impl FnOnce(&mut Fiber) -> T) -> T {
        if let metadata @ Some(_) = self.metadata() {
            self.recorder.remark(metadata);
        }
        let rest = go_on(&mut self.fiber);
        if self.metadata().is_some() {
            self.recorder.remark(None);
        }
        rest
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Reply> {
        match self.remarked(|fiber| fiber.poll(cx)) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Rest::Paused | Rest::Ended) => {
                self.busy = false;
                Poll::Ready(
                    self.desk
                        .reply
                        .take()
                        .unwrap_or_else(|| Reply::Failed(interrupted())),
                )
            }
        }
    }
}

fn interrupted() -> ScriptError {
    ScriptError {
        interrupted: true,
        ..ScriptError::new("the script was interrupted")
    }
}

/// A virtual user's whole life, on its fiber.
fn live(bridge: &Rc<Bridge>, desk: &Desk, workshop: Rc<Workshop>, seat: &Seat) {
    let program = workshop.program.clone();
    let origin = |module: &str, line, column| program.library().origin(module, line, column);
    let (runtime, context) = match engine(bridge, &program) {
        Ok(made) => made,
        Err(error) => {
            let message = format!("no memory for another virtual user's JavaScript engine: {error}");
            desk.reply.replace(Some(Reply::Failed(ScriptError::new(message))));
            return;
        }
    };
    context.with(|ctx| {
        let host = Host::new(bridge.clone(), workshop, seat);
        let _ = desk.labels.set(host.labels.clone());
        let started = start(&ctx, &host, seat).and_then(|namespace| {
            let exports = exports::read(&ctx, &namespace)?;
            exports::override_options(&ctx, &namespace, &program)?;
            let exec = namespace
                .get::<_, Option<Function>>(&*seat.exec)
                .unwrap_or_default();
            Ok((namespace, exports, exec))
        });
        let (namespace, exports, exec) = match started {
            Ok(started) => started,
            Err(error) => {
                let error = ScriptError::catch(&ctx, &error, &origin);
                let aborted = host.aborted.take().map(ScriptError::abort);
                let error = aborted.unwrap_or(error);
                desk.reply.replace(Some(Reply::Failed(error)));
                host.close();
                return;
            }
        };
        host.phase.set(Phase::Running);
        host.end_order();
        desk.reply.replace(Some(Reply::Started(exports)));
        let life = Life {
            ctx: ctx.clone(),
            host: &host,
            namespace,
            exec,
            data: RefCell::default(),
        };
        while bridge.pause().is_ok() {
            let Some(order) = desk.order.take() else { continue };
            let iterating = matches!(order, Order::Iterate(_));
            let traced = order.traced();
            host.begin_trace();
            let outcome = life.obey(order);
            let thrown = outcome
                .as_ref()
                .err()
                .map(|error| ScriptError::catch(&ctx, error, &origin));
            host.end_order();
            host.end_trace(
                traced,
                match &outcome {
                    Ok(_) => IterationEnd::Complete,
                    Err(_) if bridge.cancelled() => IterationEnd::Interrupted,
                    Err(_) => IterationEnd::Threw,
                },
            );
            host.end_labels();
            let aborted = host.aborted.take();
            desk.reply.replace(Some(match (outcome, thrown) {
                _ if aborted.is_some() => {
                    let reason = aborted.unwrap_or_default();
                    if iterating {
                        Reply::Iterated(Verdict::Aborted(reason))
                    } else {
                        Reply::Failed(ScriptError::abort(reason))
                    }
                }
                (Ok(reply), _) => reply,
                _ if bridge.cancelled() && iterating => Reply::Iterated(Verdict::Interrupted),
                (_, Some(error)) if iterating => Reply::Iterated(Verdict::Threw(error)),
                (_, error) => Reply::Failed(error.unwrap_or_else(interrupted)),
            }));
        }
        host.close();
    });
    drop(context);
    drop(runtime);
}

fn engine(
    bridge: &Rc<Bridge>,
    program: &Arc<super::program::Program>,
) -> rquickjs::Result<(Runtime, Context)> {
    let runtime = Runtime::new()?;
    runtime.set_max_stack_size(SCRIPT_STACK);
    runtime.set_memory_limit(program.memory());
    runtime.set_loader(ModuleSource(program.clone()), ModuleSource(program.clone()));
    let breath = bridge.clone();
    runtime.set_interrupt_handler(Some(Box::new(move || breath.breathe())));
    runtime.set_host_promise_rejection_tracker(Some(Box::new(|ctx, promise, reason, handled| {
        if let Ok(host) = Host::of(&ctx) {
            host.note_rejection(&ctx, promise, reason, handled);
        }
    })));
    let context = Context::full(&runtime)?;
    Ok((runtime, context))
}

fn start<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, seat: &Seat) -> rquickjs::Result<Object<'js>> {
    ctx.store_userdata(HostHandle(host.clone()))?;
    globals::install(ctx, host, &seat.env)?;
    let program = &host.workshop.program;
    let (module, evaluation): (rquickjs::Module<'js, Evaluated>, Promise<'js>) =
        program.library().declare(ctx, program.entry())?.eval()?;
    settle(ctx, host, &evaluation)?;
    module.namespace()
}

/// Runs the event loop until `promise` is settled and nothing is left to wait for.
fn settle<'js>(ctx: &Ctx<'js>, host: &Host, promise: &Promise<'js>) -> rquickjs::Result<Value<'js>> {
    run_events(ctx, host)?;
    match promise.result::<Value>() {
        Some(result) => result,
        None => Err(rquickjs::Exception::throw_message(
            ctx,
            "a promise that was awaited never settles: nothing is left that could settle it",
        )),
    }
}

fn run_events(ctx: &Ctx<'_>, host: &Host) -> rquickjs::Result<()> {
    loop {
        // Promises may make promises without end.
        while ctx.execute_pending_job() {
            if host.bridge.breathe() {
                return Err(super::fiber::interruption(ctx));
            }
        }
        // Events that are there already need no wait, so a server that sends without end would keep the thread.
        if host.bridge.breathe() {
            return Err(super::fiber::interruption(ctx));
        }
        host.raise_rejection(ctx)?;
        if host.events.is_empty() {
            return Ok(());
        }
        match host.wait_for(ctx, host.events.next_event())? {
            Event::Timer => host.events.fire(ctx)?,
            Event::Settled(settle) => settle(ctx)?,
            Event::Nothing => return Ok(()),
        }
    }
}

/// A started user, as its orders see it.
struct Life<'js, 'a> {
    ctx: Ctx<'js>,
    host: &'a Host,
    namespace: Object<'js>,
    exec: Option<Function<'js>>,
    data: RefCell<Option<Value<'js>>>,
}

impl<'js> Life<'js, '_> {
    fn obey(&self, order: Order) -> rquickjs::Result<Reply> {
        let ctx = &self.ctx;
        match order {
            Order::Iterate(turn) => {
                self.host.turn.set(turn);
                ctx.globals().set("__ITER", turn.in_vu as f64)?;
                let Some(exec) = &self.exec else {
                    return Err(rquickjs::Exception::throw_message(
                        ctx,
                        "the scenario's function is missing",
                    ));
                };
                let result: Value = exec.call((self.setup_data()?,))?;
                self.finish(result)?;
                Ok(Reply::Iterated(Verdict::Complete))
            }
            Order::Call { export, arguments } => {
                let function: Function = self.namespace.get(&*export)?;
                let mut args = Args::new(ctx.clone(), arguments.len());
                for argument in arguments {
                    args.push_arg(match argument {
                        Some(json) => ctx.json_parse(json.as_bytes())?,
                        None => Value::new_undefined(ctx.clone()),
                    })?;
                }
                let result: Value = function.call_arg(args)?;
                let result = self.finish(result)?;
                let json = ctx
                    .json_stringify(result)?
                    .map(|json| json.to_string())
                    .transpose()?;
                Ok(Reply::Returned(json))
            }
            Order::Summarize { data } => {
                let function: Function = self.namespace.get("handleSummary")?;
                let result: Value = function.call((ctx.json_parse(data)?,))?;
                let result = self.finish(result)?;
                Ok(Reply::Files(files(ctx, &result)?))
            }
        }
    }

    fn finish(&self, result: Value<'js>) -> rquickjs::Result<Value<'js>> {
        match result.as_promise() {
            Some(promise) => settle(&self.ctx, self.host, promise),
            None => {
                run_events(&self.ctx, self.host)?;
                Ok(result)
            }
        }
    }

    /// What `setup()` returned, parsed once.
    fn setup_data(&self) -> rquickjs::Result<Value<'js>> {
        if let Some(data) = &*self.data.borrow() {
            return Ok(data.clone());
        }
        let data = match self.host.workshop.program.data() {
            Some(json) => self.ctx.json_parse(json.as_bytes())?,
            None => Value::new_undefined(self.ctx.clone()),
        };
        Ok(self.data.borrow_mut().insert(data).clone())
    }
}
