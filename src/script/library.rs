//! The modules of a script, read and compiled once for all virtual users.

use std::sync::{Arc, Mutex, PoisonError};

use rquickjs::{
    Ctx, Exception, Function, Module, Object, Result, Value,
    module::{Declared, WriteOptions},
};
use rustc_hash::FxHashMap;

use super::{
    commonjs,
    error::reference,
    fiber::{compile_script, load_bytecode, run_script},
    globals,
    language::{self, Kind, Place},
    modules, source,
};

/// What is known of the modules so far, by the engine's names for them.
#[derive(Default)]
pub struct Library(Mutex<FxHashMap<String, Arc<Volume>>>);

/// One module.
pub struct Volume {
    /// As it was written.
    text: Arc<str>,
    /// What the engine runs.
    code: Arc<str>,
    kind: Kind,
    places: Vec<Place>,
    /// Whether it may draw random numbers.
    draws: bool,
    /// Whether it asks where it is.
    asks: bool,
    /// Of a module, or of the function that a CommonJS text is.
    bytecode: Vec<u8>,
    /// Of the module that stands for a CommonJS text where it is imported.
    front: Vec<u8>,
}

impl Library {
    /// Holds a text before it is asked for: the entry script's.
    pub fn hold(&self, name: &str, text: String) {
        self.keep(name, Volume::untranslated(text.into()));
    }

    /// The text of a module that was asked for.
    pub fn text(&self, name: &str) -> Option<Arc<str>> {
        self.get(name).map(|volume| volume.text.clone())
    }

    /// Whether any module that was asked for has this word in its text.
    pub fn mentions(&self, word: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().any(|volume| volume.text.contains(word))
    }

    /// Where this place (1-based) in what the engine runs was written, and the text of that line.
    pub fn origin(&self, name: &str, line: u32, column: u32) -> Option<(u32, u32, Option<String>)> {
        let volume = self.get(name)?;
        let (line, column) = if volume.places.is_empty() {
            (line, column)
        } else {
            language::origin(&volume.places, line, column)?
        };
        // What is missing at the end of a text is missed on a line that is not there.
        let text = volume.text.lines().nth(line.checked_sub(1)? as usize);
        Some((line, column, text.map(str::to_owned)))
    }

    /// The module `name`: from bytecode if it was compiled before, else compiled now and kept.
    pub fn declare<'js>(&self, ctx: &Ctx<'js>, name: &str) -> Result<Module<'js, Declared>> {
        if let Some(module) = modules::declare(ctx, name) {
            return module;
        }
        let volume = self.volume(ctx, name)?;
        if volume.kind != Kind::Module {
            return self.front(ctx, name);
        }
        let module = if volume.bytecode.is_empty() {
            let module = Module::declare(ctx.clone(), name, volume.code.as_bytes())?;
            let bytecode = bytecode(&module)?;
            self.change(name, |volume| volume.bytecode = bytecode);
            module
        } else {
            load_bytecode(ctx, &volume.bytecode)?
        };
        if volume.asks {
            locate(ctx, &module, name)?;
        }
        Ok(module)
    }

    /// How a module is run that is not built in.
    pub fn kind(&self, ctx: &Ctx<'_>, name: &str) -> Result<Kind> {
        if modules::is_builtin(name) {
            return Ok(Kind::Module);
        }
        Ok(self.volume(ctx, name)?.kind)
    }

    /// The function that a CommonJS text is.
    pub fn function<'js>(&self, ctx: &Ctx<'js>, name: &str) -> Result<Function<'js>> {
        let volume = self.volume(ctx, name)?;
        if !volume.bytecode.is_empty() {
            return run_script(ctx, &volume.bytecode)?.get();
        }
        let code = format!(
            "(function (exports, require, module, __filename, __dirname) {{{}\n}})",
            volume.code
        );
        let bytecode = compile_script(ctx, name, &code)?;
        self.change(name, |volume| volume.bytecode.clone_from(&bytecode));
        run_script(ctx, &bytecode)?.get()
    }

    /// What JSON says that is required.
    pub fn json<'js>(&self, ctx: &Ctx<'js>, name: &str) -> Result<Value<'js>> {
        ctx.json_parse(self.volume(ctx, name)?.text.as_bytes())
    }

    /// A module that exports what a CommonJS text put into `exports`. It is run for that: what it exports is not known
    /// before.
    fn front<'js>(&self, ctx: &Ctx<'js>, name: &str) -> Result<Module<'js, Declared>> {
        let names = commonjs::names(ctx, name)?;
        let known = self.volume(ctx, name)?;
        if !known.front.is_empty() {
            return load_bytecode(ctx, &known.front);
        }
        let mut text = format!("const all = require({name:?}), own = Object(all);\n");
        text.push_str("export default 'default' in own ? own.default : all;\n");
        for (i, name) in names.iter().enumerate() {
            let line = format!("const ${i} = own.{name}; export {{ ${i} as {name} }};\n");
            text.push_str(&line);
        }
        let module = Module::declare(ctx.clone(), name, text)?;
        let bytecode = bytecode(&module)?;
        self.change(name, |volume| volume.front = bytecode);
        Ok(module)
    }

    fn volume(&self, ctx: &Ctx<'_>, name: &str) -> Result<Arc<Volume>> {
        // Kept before compiling, so that a syntax error can show its line.
        let known = match self.get(name) {
            Some(known) => known,
            None => {
                let text = source::text(name).map_err(|message| reference(ctx, &message))?;
                self.keep(name, Volume::untranslated(text.into()))
            }
        };
        let known = if known.code.is_empty() && !known.text.is_empty() {
            let volume = Volume::new(name, known.text.clone())
                .map_err(|message| Exception::throw_syntax(ctx, &message))?;
            self.keep(name, volume)
        } else {
            known
        };
        if known.draws {
            globals::draws(ctx)?;
        }
        Ok(known)
    }

    fn get(&self, name: &str) -> Option<Arc<Volume>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    fn keep(&self, name: &str, volume: Volume) -> Arc<Volume> {
        let volume = Arc::new(volume);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), volume.clone());
        volume
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Volume)) {
        if let Some(known) = self.get(name) {
            let mut volume = known.copied();
            change(&mut volume);
            self.keep(name, volume);
        }
    }
}

impl Volume {
    fn untranslated(text: Arc<str>) -> Volume {
        Volume {
            text,
            code: "".into(),
            kind: Kind::Module,
            places: Vec::new(),
            draws: false,
            asks: false,
            bytecode: Vec::new(),
            front: Vec::new(),
        }
    }

    fn new(name: &str, text: Arc<str>) -> std::result::Result<Volume, String> {
        let made =
            language::translate(name, &text).map_err(|mistake| mistake.said(super::display_name(name)))?;
        Ok(Volume {
            code: made.code.map_or_else(|| text.clone(), Into::into),
            kind: made.kind,
            places: made.places,
            draws: text.contains("random"),
            asks: text.contains("import.meta"),
            ..Volume::untranslated(text)
        })
    }

    fn copied(&self) -> Volume {
        Volume {
            text: self.text.clone(),
            code: self.code.clone(),
            kind: self.kind,
            places: self.places.clone(),
            draws: self.draws,
            asks: self.asks,
            bytecode: self.bytecode.clone(),
            front: self.front.clone(),
        }
    }
}

fn bytecode(module: &Module<'_, Declared>) -> Result<Vec<u8>> {
    module.write(WriteOptions {
        strip_source: true,
        ..WriteOptions::default()
    })
}

/// Fills `import.meta`: `url`, and `resolve()` as for `import`.
fn locate<'js>(ctx: &Ctx<'js>, module: &Module<'js, Declared>, name: &str) -> Result<()> {
    let meta: Object = module.meta()?;
    meta.set("url", name)?;
    let base = name.to_owned();
    let resolve = move |ctx: Ctx<'js>, name: String| {
        source::place(&base, &name).map_err(|message| Exception::throw_message(&ctx, &message))
    };
    meta.set(
        "resolve",
        Function::new(ctx.clone(), resolve)?.with_name("resolve")?,
    )
}
