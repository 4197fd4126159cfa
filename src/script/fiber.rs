//! Fibers: how synchronous JavaScript waits for asynchronous Rust.
//!
//! A script calls `http.get` and expects an answer, not a promise. QuickJS cannot be suspended half-way
//! through a native call, so every virtual user runs on a stack of its own (a fiber). When a host function
//! has to wait, the fiber switches back to the task that polls it; when the task is woken, it switches in
//! again and the native call goes on as if it had blocked.
//!
//! This is one of two files of the crate with `unsafe` code. Its argument:
//!
//! * **The two pointers.** `yielder` points into the fiber's own entry frame, which lives until the fiber's
//!   body returns; `task` points to the `Context` of the `poll` call that is resuming the fiber at this very
//!   moment. Both are only dereferenced by [`Bridge::wait_for`], [`Bridge::pause`] and [`Bridge::breathe`],
//!   which first check that the caller's stack pointer lies inside this fiber's stack. Code that runs on
//!   that stack runs inside a `resume` of that fiber: hence the entry frame is alive and the poller's frame,
//!   which waits below for `resume` to return, keeps its `Context` alive and untouched.
//! * **No unwinding through C.** A fiber is never dropped half-way: `Drop` resumes it with [`Wake::Cancel`],
//!   every wait then ends at once with [`Cancelled`], the host function throws an exception that no `catch`
//!   and no `finally` sees, and the C frames return normally. A panic of a future that a host function waits
//!   for is caught, carried past the C frames the same way, and raised again in Rust.
//! * **One thread.** Everything here is `!Send`: a fiber starts, runs and ends on one worker thread.
//! * **Bytecode** ([`load_bytecode`], [`run_script`]) is only ever bytecode that this process wrote itself with the same
//!   engine; it is never read from a file or a network.
#![allow(unsafe_code)]

use std::{
    any::Any,
    cell::Cell,
    ffi::CString,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    ptr,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use corosensei::{
    Coroutine, CoroutineResult, Yielder,
    stack::{DefaultStack, Stack},
};
use rquickjs::{Ctx, Error, Exception, Module, Value, module::Declared, qjs};

/// A script that computes without ever waiting hands its thread back after this long, so that the other
/// virtual users of the worker, and its flush task, are not starved.
const SLICE: Duration = Duration::from_millis(5);

/// The wait was given up because the virtual user is being interrupted: throw [`interruption`] and return.
#[derive(Debug)]
pub struct Cancelled;

/// What the resumer tells a suspended fiber.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wake {
    Poll,
    Cancel,
}

/// Why a fiber switched back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It waits for a future, whose waker is the polling task's.
    Waiting,
    /// It has finished what it was told to do and waits for the next order.
    Paused,
}

/// How a fiber stands after it was polled to a resting point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It paused and can be given another order.
    Paused,
    /// Its body has returned.
    Ended,
}

/// The fiber's own end: host functions use it to wait.
pub struct Bridge {
    yielder: Cell<*const Yielder<Wake, Step>>,
    task: Cell<*mut Context<'static>>,
    cancelled: Cell<bool>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
    resumed: Cell<Instant>,
    stack_low: usize,
    stack_high: usize,
}

impl Bridge {
    /// Waits for `future` from synchronous code on this fiber, without blocking the thread.
    ///
    /// # Errors
    /// [`Cancelled`] when the virtual user is being interrupted, or when called from any other stack.
    pub fn wait_for<F: Future>(&self, future: F) -> Result<F::Output, Cancelled> {
        let mut future = pin!(future);
        loop {
            if self.cancelled.get() || !self.on_own_stack() {
                return Err(Cancelled);
            }
            // SAFETY: we are on the fiber's stack, so `Fiber::poll` is waiting for us with its `Context`.
            let task = unsafe { &mut *self.task.get() };
            match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(task))) {
                Ok(Poll::Ready(output)) => return Ok(output),
                Ok(Poll::Pending) => self.switch(Step::Waiting),
                Err(payload) => {
                    self.panic.set(Some(payload));
                    self.cancelled.set(true);
                }
            }
        }
    }

    /// Rests until the next order; an `Err` is the order to end.
    pub fn pause(&self) -> Result<(), Cancelled> {
        self.raise_panic();
        self.cancelled.set(false);
        if !self.on_own_stack() {
            return Err(Cancelled);
        }
        self.switch(Step::Paused);
        if self.cancelled.get() {
            Err(Cancelled)
        } else {
            Ok(())
        }
    }

    /// For the interrupt handler of a script that computes: yields the thread when its slice is used up, and
    /// says whether the script has to stop.
    pub fn breathe(&self) -> bool {
        if !self.cancelled.get() && self.on_own_stack() && self.resumed.get().elapsed() > SLICE {
            // Not a plain self-wake: tokio looks at timers and sockets before it runs this task again.
            let _ = self.wait_for(tokio::task::yield_now());
        }
        self.cancelled.get()
    }

    /// Gives up the order under way from within: whatever it still tries ends as if it were interrupted.
    pub fn give_up(&self) {
        self.cancelled.set(true);
    }

    /// Whether the order under way has been interrupted.
    pub fn cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Lets a panic that was carried past the C frames go on; none of them is left on the stack here.
    fn raise_panic(&self) {
        if let Some(payload) = self.panic.take() {
            resume_unwind(payload);
        }
    }

    fn switch(&self, step: Step) {
        // SAFETY: callers have checked that we are on the fiber's stack, hence inside its entry frame.
        if unsafe { &*self.yielder.get() }.suspend(step) == Wake::Cancel {
            self.cancelled.set(true);
        }
    }

    fn on_own_stack(&self) -> bool {
        let mark = 0u8;
        let here = std::hint::black_box(ptr::from_ref(&mark)).addr();
        !self.task.get().is_null() && (self.stack_low..self.stack_high).contains(&here)
    }
}

/// A suspended computation with a stack of its own.
pub struct Fiber {
    coroutine: Coroutine<Wake, Step, (), DefaultStack>,
    bridge: Rc<Bridge>,
}

impl Fiber {
    /// Makes a fiber with `stack` bytes of stack (committed page by page as it is touched). `body` starts
    /// at the first [`Fiber::poll`].
    ///
    /// # Errors
    /// The operating system refused the mapping: out of address space, or of `vm.max_map_count` (two
    /// mappings a fiber: about 32,000 fibers at the usual limit of 65,530).
    pub fn new(stack: usize, body: impl FnOnce(Rc<Bridge>) + 'static) -> std::io::Result<Fiber> {
        let stack = DefaultStack::new(stack)?;
        let bridge = Rc::new(Bridge {
            yielder: Cell::new(ptr::null()),
            task: Cell::new(ptr::null_mut()),
            cancelled: Cell::new(false),
            panic: Cell::new(None),
            resumed: Cell::new(Instant::now()),
            stack_low: stack.limit().get(),
            stack_high: stack.base().get(),
        });
        let inner = bridge.clone();
        let coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder<Wake, Step>, wake| {
            if wake == Wake::Poll {
                inner.yielder.set(ptr::from_ref(yielder));
                body(inner.clone());
                inner.raise_panic();
            }
        });
        Ok(Fiber { coroutine, bridge })
    }

    /// Lets the fiber run until it waits (`Pending`), pauses or ends. A panic of its body comes out here.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Rest> {
        match self.resume(cx, Wake::Poll) {
            None => Poll::Ready(Rest::Ended),
            Some(Step::Paused) => Poll::Ready(Rest::Paused),
            Some(Step::Waiting) => Poll::Pending,
        }
    }

    /// Ends the order under way: waits end at once, and no `catch` or `finally` of the script runs.
    pub fn interrupt(&mut self) {
        // One resume is enough: a cancelled fiber never waits again before it pauses or ends.
        self.resume(&mut Context::from_waker(std::task::Waker::noop()), Wake::Cancel);
    }

    fn resume(&mut self, cx: &mut Context<'_>, wake: Wake) -> Option<Step> {
        if self.coroutine.done() {
            return None;
        }
        self.bridge.task.set(ptr::from_mut(cx).cast::<Context<'static>>());
        self.bridge.resumed.set(Instant::now());
        // The pointer must not outlive this call, also when the body panics.
        let _clear = Clear(&self.bridge.task);
        match self.coroutine.resume(wake) {
            CoroutineResult::Yield(step) => Some(step),
            CoroutineResult::Return(()) => None,
        }
    }
}

struct Clear<'a>(&'a Cell<*mut Context<'static>>);

impl Drop for Clear<'_> {
    fn drop(&mut self) {
        self.0.set(ptr::null_mut());
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        // At most two turns: one ends the order under way, the next one ends the pause after it.
        while self.coroutine.started() && !self.coroutine.done() {
            if catch_unwind(AssertUnwindSafe(|| self.interrupt())).is_err() {
                break; // The panic has ended the body; it was reported when it happened.
            }
        }
    }
}

/// Throws what ends a script for good: an exception that no `catch` and no `finally` sees.
pub fn interruption(ctx: &Ctx<'_>) -> Error {
    match Exception::from_message(ctx.clone(), "interrupted") {
        Ok(exception) => {
            let value = exception.into_value();
            // SAFETY: `value` is a live error object of this very context.
            unsafe { qjs::JS_SetUncatchableError(ctx.as_raw().as_ptr(), value.as_raw()) };
            ctx.throw(value)
        }
        Err(error) => error,
    }
}

/// Declares a module from bytecode that [`Module::write`] made in this process.
pub fn load_bytecode<'js>(ctx: &Ctx<'js>, bytecode: &[u8]) -> rquickjs::Result<Module<'js, Declared>> {
    // SAFETY: `Program` is the only caller and holds only bytecode that it wrote itself.
    unsafe { Module::load(ctx.clone(), bytecode) }
}

/// Compiles a text that is no module, for [`run_script`].
pub fn compile_script(ctx: &Ctx<'_>, name: &str, code: &str) -> rquickjs::Result<Vec<u8>> {
    let (name, text) = (CString::new(name)?, CString::new(code)?);
    let flags = qjs::JS_EVAL_TYPE_GLOBAL | qjs::JS_EVAL_FLAG_COMPILE_ONLY;
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: both texts end with a zero and outlive the calls; `script` is freed once, after it was written; what
    // `JS_WriteObject` returns is `size` bytes that are copied and given back to the same context.
    unsafe {
        let script = qjs::JS_Eval(
            raw,
            text.as_ptr(),
            code.len() as _,
            name.as_ptr(),
            flags.cast_signed(),
        );
        if qjs::JS_IsException(script) {
            return Err(Error::Exception);
        }
        let mut size = 0;
        let flags = qjs::JS_WRITE_OBJ_BYTECODE | qjs::JS_WRITE_OBJ_STRIP_SOURCE;
        let bytes = qjs::JS_WriteObject(raw, &raw mut size, script, flags.cast_signed());
        qjs::JS_FreeValue(raw, script);
        if bytes.is_null() {
            return Err(Error::Exception);
        }
        let copy = std::slice::from_raw_parts(bytes, size as usize).to_vec();
        qjs::js_free(raw, bytes.cast());
        Ok(copy)
    }
}

/// Runs what [`compile_script`] made in this process; the value of its last expression.
pub fn run_script<'js>(ctx: &Ctx<'js>, bytecode: &[u8]) -> rquickjs::Result<Value<'js>> {
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: the bytecode is our own; `JS_EvalFunction` takes the script over; the result is ours to hold.
    unsafe {
        let flags = qjs::JS_READ_OBJ_BYTECODE;
        let script = qjs::JS_ReadObject(raw, bytecode.as_ptr(), bytecode.len() as _, flags.cast_signed());
        if qjs::JS_IsException(script) {
            return Err(Error::Exception);
        }
        let value = qjs::JS_EvalFunction(raw, script);
        if qjs::JS_IsException(value) {
            return Err(Error::Exception);
        }
        Ok(Value::from_raw(ctx.clone(), value))
    }
}

/// A copy of what an `ArrayBuffer` holds; `None` when it is detached.
pub fn buffer_bytes(buffer: &rquickjs::ArrayBuffer<'_>) -> Option<Vec<u8>> {
    // SAFETY: the slice is copied before control returns to JavaScript, so nothing can resize or detach
    // the buffer while it is borrowed.
    unsafe { buffer.as_bytes() }.map(<[u8]>::to_vec)
}
