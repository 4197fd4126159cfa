//! The module `loadgen/verify`: `exec(command)`, by which `verify()` asks a database or a queue instead of the server.
//!
//! A command runs in a process group of its own, which ends with it: when its time is up, nothing that it started is left.

use std::{
    fmt::{self, Write as _},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use rquickjs::{
    Coerced, Ctx, Exception, FromJs, Object, Result, Value,
    function::Opt,
    module::{Declarations, Exports, ModuleDef},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

use super::Shelf;
use crate::{pace::parse_duration, script::host::Host};

/// The module `loadgen/verify`.
pub struct Verify;

/// Whether commands may be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exec {
    /// Not in this function.
    #[default]
    Elsewhere,
    /// Here, but nobody has allowed it.
    Forbidden,
    /// Here and now.
    Allowed,
}

/// How long a command may take unless it is told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of each output that are kept; the rest is read and dropped.
const KEPT: u64 = 1 << 20;

impl ModuleDef for Verify {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        declare.declare("exec")?.declare("default")?;
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        shelf.function("exec", exec)?;
        shelf.finish()
    }
}

/// What a command is to be run with.
struct Wanted {
    what: What,
    cwd: Option<String>,
    env: Vec<(String, String)>,
    input: Vec<u8>,
    timeout: Duration,
    /// On the server that the tunnel leads to.
    on_target: bool,
}

/// A command.
enum What {
    Shell(String),
    /// A program and its arguments.
    Words(String, Vec<String>),
}

/// What became of a command.
#[derive(Debug, Default)]
pub struct Ended {
    /// Its exit code; `None` if a signal or the time ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub timed_out: bool,
}

/// Runs a text for `sh` on the target, with this input, for at most this long; blocks.
pub type Remote = Arc<dyn Fn(&str, &[u8], Duration) -> std::result::Result<Ended, String> + Send + Sync>;

fn exec<'js>(ctx: Ctx<'js>, command: Value<'js>, options: Opt<Object<'js>>) -> Result<Object<'js>> {
    let host = Host::of(&ctx)?;
    match host.workshop.exec.get() {
        Exec::Allowed => {}
        Exec::Forbidden => {
            let message =
                "exec() is off: commands run only if the one who starts the test says so, with --allow-exec";
            return Err(Exception::throw_message(&ctx, message));
        }
        Exec::Elsewhere => {
            let message =
                "exec() is for verify() only: a virtual user that starts processes would measure itself";
            return Err(Exception::throw_message(&ctx, message));
        }
    }
    let wanted = wanted(&ctx, &command, options.0.as_ref())?;
    let shown = wanted.what.to_string();
    let ended = if wanted.on_target {
        let remote = host.workshop.remote.borrow().clone().ok_or_else(|| {
            let message = "exec() has no target to run on: `on: 'target'` needs --tunnel";
            Exception::throw_message(&ctx, message)
        })?;
        host.wait_for(&ctx, run_remote(remote, wanted))?
    } else {
        host.wait_for(&ctx, run(wanted))?
            .map_err(|error| error.to_string())
    };
    let ended = ended.map_err(|error| {
        let message = format!("exec(): cannot run `{shown}`: {error}");
        Exception::throw_message(&ctx, &message)
    })?;
    let object = Object::new(ctx)?;
    object.set("code", ended.code)?;
    object.set("stdout", String::from_utf8_lossy(&ended.stdout).as_ref())?;
    object.set("stderr", String::from_utf8_lossy(&ended.stderr).as_ref())?;
    object.set("timedOut", ended.timed_out)?;
    Ok(object)
}

fn wanted<'js>(ctx: &Ctx<'js>, command: &Value<'js>, options: Option<&Object<'js>>) -> Result<Wanted> {
    let empty = || {
        Exception::throw_type(
            ctx,
            "exec() takes a shell command, or a list of a program and its arguments",
        )
    };
    let what = if let Some(words) = command.as_array() {
        let mut words = words
            .iter::<Coerced<String>>()
            .map(|word| word.map(|word| word.0));
        let program = words.next().ok_or_else(empty)??;
        What::Words(program, words.collect::<Result<_>>()?)
    } else {
        What::Shell(command.as_string().ok_or_else(empty)?.to_string()?)
    };
    let mut wanted = Wanted {
        what,
        cwd: None,
        env: Vec::new(),
        input: Vec::new(),
        timeout: TIMEOUT,
        on_target: false,
    };
    for entry in options.into_iter().flat_map(Object::props::<String, Value>) {
        let (key, value) = entry?;
        let text = |value| Ok::<_, rquickjs::Error>(Coerced::<String>::from_js(ctx, value)?.0);
        match key.as_str() {
            "timeout" => wanted.timeout = time(ctx, &value)?,
            "cwd" => wanted.cwd = Some(text(value)?),
            "input" => wanted.input = text(value)?.into_bytes(),
            "on" => {
                wanted.on_target = match text(value)?.as_str() {
                    "target" => true,
                    "here" => false,
                    other => {
                        let message = format!("exec() runs `on` 'here' or 'target', not '{other}'");
                        return Err(Exception::throw_type(ctx, &message));
                    }
                }
            }
            "env" => {
                for entry in value
                    .as_object()
                    .into_iter()
                    .flat_map(Object::props::<String, Coerced<String>>)
                {
                    let (name, value) = entry?;
                    wanted.env.push((name, value.0));
                }
            }
            other => {
                let message =
                    format!("exec() has no option `{other}`; there are timeout, env, cwd, input and on");
                return Err(Exception::throw_type(ctx, &message));
            }
        }
    }
    Ok(wanted)
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Shell(text) => f.write_str(text),
            What::Words(program, arguments) => {
                f.write_str(program)?;
                arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
            }
        }
    }
}

impl Wanted {
    /// As a process of this machine.
    fn process(&self) -> Command {
        let mut process = match &self.what {
            What::Shell(text) => {
                let mut process = Command::new("sh");
                process.arg("-c").arg(text);
                process
            }
            What::Words(program, arguments) => {
                let mut process = Command::new(program);
                process.args(arguments);
                process
            }
        };
        if let Some(folder) = &self.cwd {
            process.current_dir(folder);
        }
        process
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .kill_on_drop(true)
            .stdin(if self.input.is_empty() {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        process
    }

    /// As a text for a shell elsewhere.
    fn script(&self) -> String {
        let mut script = String::new();
        // Writing to a string does not fail.
        if let Some(folder) = &self.cwd {
            let _ = writeln!(script, "cd {} || exit 127", word(folder));
        }
        for (name, value) in &self.env {
            let _ = writeln!(script, "export {name}={}", word(value));
        }
        match &self.what {
            What::Shell(text) => script.push_str(text),
            What::Words(program, arguments) => {
                script.push_str(&word(program));
                for argument in arguments {
                    let _ = write!(script, " {}", word(argument));
                }
            }
        }
        script
    }
}

/// As one word of a shell.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

async fn run_remote(remote: Remote, wanted: Wanted) -> std::result::Result<Ended, String> {
    let run = move || remote(&wanted.script(), &wanted.input, wanted.timeout);
    // On a thread that may wait: this one has other things to do.
    tokio::task::spawn_blocking(run)
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
}

/// Milliseconds, or text such as `5s`.
fn time<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Duration> {
    let time = match (value.as_number(), value.as_string()) {
        (Some(ms), _) => Duration::try_from_secs_f64(ms / 1000.0).ok(),
        (None, Some(text)) => parse_duration(&text.to_string()?).ok(),
        (None, None) => None,
    };
    time.ok_or_else(|| {
        Exception::throw_type(ctx, "the timeout of exec() is milliseconds, or text such as '5s'")
    })
}

async fn run(wanted: Wanted) -> std::io::Result<Ended> {
    let mut child = wanted.process().spawn()?;
    let group = Group(child.id());
    let mut ended = Ended::default();
    let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let talk = async {
        let write = async {
            if let Some(mut pipe) = input {
                // A command that does not read its input is free not to.
                let _ = pipe.write_all(&wanted.input).await;
            }
        };
        let ((), (), (), code) = tokio::join!(
            write,
            read(out, &mut ended.stdout),
            read(err, &mut ended.stderr),
            code(&mut child)
        );
        code
    };
    let code = tokio::time::timeout(wanted.timeout, talk).await;
    drop(group);
    match code {
        Ok(code) => ended.code = code?,
        Err(_) => {
            ended.timed_out = true;
            child.wait().await?;
        }
    }
    Ok(ended)
}

async fn code(child: &mut Child) -> std::io::Result<Option<i32>> {
    Ok(child.wait().await?.code())
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    // A pipe that breaks has said what it had to say.
    let _ = (&mut pipe).take(KEPT).read_to_end(into).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
}

/// A process group that ends when this is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // It may well have ended by itself.
            let _ =
                nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL);
        }
    }
}
