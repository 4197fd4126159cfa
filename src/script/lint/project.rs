//! A script with everything it imports, parsed, and what names in it stand for: the export of a k6 module, a function, or
//! an expression that a constant holds. Nothing is run.

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::{
    BindingPattern, CallExpression, Expression, ObjectExpression, ObjectPropertyKind, Statement,
};
use oxc_semantic::{NodeId, SymbolId};

use super::super::source;
use super::LintError;
use super::function::Func;
pub use super::module::Source;
use super::module::{Export, Import, Target, ends_in, is_builtin, parse, target};

/// How far names are followed: constants may be made of each other, and modules may import each other in a circle.
pub const DEPTH: u8 = 24;

/// A script and the modules that it imports; the script comes first.
pub struct Project<'a> {
    pub modules: Vec<Source<'a>>,
    /// Every call in all modules, with what is called where it is an export of a module or a global.
    pub calls: Vec<Call<'a>>,
    /// Whether all that is imported could be followed.
    pub complete: bool,
}

/// A call.
#[allow(clippy::struct_field_names, reason = "its place and its expression")]
pub struct Call<'a> {
    pub module: usize,
    pub node: NodeId,
    pub call: &'a CallExpression<'a>,
    pub api: Option<Api>,
}

/// An export of a module that is built in, or a global (with an empty `module`), such as `get` of `k6/http`, or `Math.random`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    pub module: String,
    pub path: String,
}

impl Api {
    fn new(module: &str, path: &str) -> Api {
        Api {
            module: module.to_owned(),
            path: path.to_owned(),
        }
    }

    /// Whether it is this one.
    pub fn is(&self, module: &str, path: &str) -> bool {
        self.module == module && self.path == path
    }

    fn member(mut self, name: &str) -> Api {
        if name == "default" && self.path.is_empty() {
            return self;
        }
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(name);
        self
    }
}

/// What an expression stands for, as far as that can be told without running it.
#[derive(Clone)]
pub enum Thing<'a> {
    Api(Api),
    Func(usize, Func<'a>),
    /// The expression itself, or what the constant was set to that it names; and the module that is in.
    Value(usize, &'a Expression<'a>),
    /// A parameter, a variable that changes, a part of something unknown.
    Unknown,
}

/// A property of an object.
pub enum Property<'a> {
    Found(usize, &'a Expression<'a>),
    Absent,
    /// It may come from something that is spread in.
    Unknown,
}

/// Where a name is used.
#[derive(Default)]
pub struct Uses {
    pub places: Vec<(usize, NodeId)>,
    /// Whether it may be used in ways that cannot be seen.
    pub hidden: bool,
}

impl<'a> Project<'a> {
    /// Reads a script and what it imports.
    ///
    /// # Errors
    /// A file that cannot be read, or is no JavaScript.
    pub fn read(arena: &'a Allocator, name: &str, text: &str) -> Result<Project<'a>, LintError> {
        let mut names = vec![name.to_owned()];
        let mut project = Project {
            modules: Vec::new(),
            calls: Vec::new(),
            complete: true,
        };
        while let Some(name) = names.get(project.modules.len()).cloned() {
            let text = if project.modules.is_empty() {
                arena.alloc_str(text)
            } else {
                arena.alloc_str(&source::text(&name).map_err(LintError::Read)?)
            };
            let parsed = parse(arena, &name, text)?;
            let mut source = Source::new(&name, text, parsed);
            source.link(&mut |request| {
                let target = target(&name, request, &mut names);
                project.complete &= !matches!(target, Target::Unknown) || ends_in(request, "json");
                target
            });
            project.modules.push(source);
        }
        project.mark_taken();
        project.calls = project.find_calls();
        Ok(project)
    }

    fn mark_taken(&mut self) {
        let mut whole = Vec::new();
        for source in &self.modules {
            for import in source.imports.values() {
                if let (Target::Local(index), None) = (&import.from, &import.name) {
                    whole.push(*index);
                }
            }
            for call in source.nodes() {
                if let AstKind::CallExpression(call) = call.kind()
                    && let Some(request) = call.common_js_require()
                    && let Ok(name) = source::resolve(&source.name, &request.value)
                {
                    whole.extend(self.modules.iter().position(|known| known.name == name));
                }
            }
            for statement in &source.program.body {
                if let Statement::ExportAllDeclaration(all) = statement
                    && let Ok(name) = source::resolve(&source.name, &all.source.value)
                {
                    whole.extend(self.modules.iter().position(|known| known.name == name));
                }
            }
        }
        for index in whole {
            self.modules[index].taken_whole = true;
        }
    }

    fn find_calls(&self) -> Vec<Call<'a>> {
        let mut calls = Vec::new();
        for (module, source) in self.modules.iter().enumerate() {
            for node in source.nodes() {
                if let AstKind::CallExpression(call) = node.kind() {
                    calls.push(Call {
                        module,
                        node: node.id(),
                        call,
                        api: self.api(module, &call.callee),
                    });
                }
            }
        }
        calls
    }

    /// The calls of this export.
    pub fn calls_of(&self, module: &str, path: &str) -> impl Iterator<Item = &Call<'a>> {
        let is = move |call: &&Call<'a>| call.api.as_ref().is_some_and(|api| api.is(module, path));
        self.calls.iter().filter(is)
    }

    /// Whether any module imports this one, which is built in.
    pub fn imports(&self, module: &str) -> bool {
        let is = |target: &Target| matches!(target, Target::Builtin(name) if name == module);
        let imported = |source: &Source<'a>| source.imports.values().any(|import| is(&import.from));
        let required = |call: &Call<'a>| {
            call.call
                .common_js_require()
                .is_some_and(|name| name.value == module)
        };
        self.modules.iter().any(imported) || self.calls.iter().any(required)
    }

    /// Whether any module imports a library that is built in.
    pub fn imports_library(&self) -> bool {
        let library =
            |import: &Import<'_>| matches!(&import.from, Target::Builtin(name) if !name.starts_with("k6"));
        let imported = self
            .modules
            .iter()
            .any(|source| source.imports.values().any(library));
        imported
            || self.calls.iter().any(|call| {
                call.call
                    .common_js_require()
                    .is_some_and(|name| name.value.contains("://"))
            })
    }

    /// What a module exports by this name.
    pub fn exported(&self, module: usize, name: &str) -> Option<Thing<'a>> {
        self.exported_within(module, name, DEPTH)
    }

    fn exported_within(&self, module: usize, name: &str, depth: u8) -> Option<Thing<'a>> {
        let depth = depth.checked_sub(1)?;
        Some(match self.modules[module].exports.get(name)? {
            Export::Symbol(symbol) => self.symbol(module, *symbol, depth),
            Export::Value(value) => self.within(module, value, depth),
            Export::Function(function) => Thing::Func(module, *function),
            Export::From(Target::Builtin(from), name) => Thing::Api(Api::new(from, name)),
            Export::From(Target::Local(from), name) => {
                self.exported_within(*from, name, depth).unwrap_or(Thing::Unknown)
            }
            Export::From(Target::Unknown, _) => Thing::Unknown,
        })
    }

    /// Whether a module exports this symbol.
    pub fn is_exported(&self, module: usize, symbol: SymbolId) -> bool {
        let is = |export: &Export<'_>| matches!(export, Export::Symbol(known) if *known == symbol);
        self.modules[module].exports.values().any(is)
    }

    /// The export of a module or the global that this is.
    pub fn api(&self, module: usize, expression: &'a Expression<'a>) -> Option<Api> {
        match self.what(module, expression) {
            Thing::Api(api) => Some(api),
            _ => None,
        }
    }

    /// What an expression stands for.
    pub fn what(&self, module: usize, expression: &'a Expression<'a>) -> Thing<'a> {
        self.within(module, expression, DEPTH)
    }

    fn within(&self, module: usize, expression: &'a Expression<'a>, depth: u8) -> Thing<'a> {
        let Some(depth) = depth.checked_sub(1) else {
            return Thing::Unknown;
        };
        let inner = expression.get_inner_expression();
        match inner {
            Expression::Identifier(name) => match self.modules[module].symbol_of(name) {
                Some(symbol) => self.symbol(module, symbol, depth),
                None => Thing::Api(Api::new("", &name.name)),
            },
            Expression::ArrowFunctionExpression(arrow) => Thing::Func(module, Func::Arrow(arrow)),
            Expression::FunctionExpression(function) => Thing::Func(module, Func::Plain(function)),
            Expression::CallExpression(call) => match call.common_js_require() {
                Some(name) => match source::resolve(&self.modules[module].name, &name.value) {
                    Ok(resolved) if is_builtin(&resolved) => Thing::Api(Api::new(&resolved, "")),
                    _ => Thing::Unknown,
                },
                None => Thing::Value(module, inner),
            },
            _ => {
                let Some(member) = inner.as_member_expression() else {
                    return Thing::Value(module, inner);
                };
                let Some(name) = member.static_property_name() else {
                    return Thing::Value(module, inner);
                };
                match self.within(module, member.object(), depth) {
                    Thing::Api(api) => Thing::Api(api.member(name)),
                    Thing::Value(within, Expression::ObjectExpression(object)) => {
                        match self.property(within, object, name) {
                            Property::Found(module, value) => self.within(module, value, depth),
                            Property::Absent | Property::Unknown => Thing::Value(module, inner),
                        }
                    }
                    _ => Thing::Value(module, inner),
                }
            }
        }
    }

    /// What a name stands for.
    pub fn named(&self, module: usize, symbol: SymbolId) -> Thing<'a> {
        self.symbol(module, symbol, DEPTH)
    }

    fn symbol(&self, module: usize, symbol: SymbolId, depth: u8) -> Thing<'a> {
        let source = &self.modules[module];
        if let Some(import) = source.imports.get(&symbol) {
            return match (&import.from, &import.name) {
                (Target::Builtin(from), Some(name)) if name != "default" => Thing::Api(Api::new(from, name)),
                (Target::Builtin(from), _) => Thing::Api(Api::new(from, "")),
                (Target::Local(from), Some(name)) => {
                    self.exported_within(*from, name, depth).unwrap_or(Thing::Unknown)
                }
                _ => Thing::Unknown,
            };
        }
        if source.semantic.scoping().symbol_is_mutated(symbol) {
            return Thing::Unknown;
        }
        match source.semantic.symbol_declaration(symbol).kind() {
            AstKind::Function(function) => Thing::Func(module, Func::Plain(function)),
            AstKind::VariableDeclarator(variable) => match (&variable.id, &variable.init) {
                (BindingPattern::BindingIdentifier(_), Some(value)) => self.within(module, value, depth),
                (BindingPattern::ObjectPattern(pattern), Some(value)) => {
                    let named = pattern.properties.iter().find(|property| {
                        let id = property.value.get_binding_identifier();
                        id.is_some_and(|id| id.symbol_id.get() == Some(symbol))
                    });
                    let Some(key) = named.and_then(|property| property.key.static_name()) else {
                        return Thing::Unknown;
                    };
                    match self.within(module, value, depth) {
                        Thing::Api(api) => Thing::Api(api.member(&key)),
                        Thing::Value(within, Expression::ObjectExpression(object)) => {
                            match self.property(within, object, &key) {
                                Property::Found(module, value) => self.within(module, value, depth),
                                _ => Thing::Unknown,
                            }
                        }
                        _ => Thing::Unknown,
                    }
                }
                _ => Thing::Unknown,
            },
            _ => Thing::Unknown,
        }
    }

    /// The object that an expression stands for.
    pub fn object(
        &self,
        module: usize,
        expression: &'a Expression<'a>,
    ) -> Option<(usize, &'a ObjectExpression<'a>)> {
        match self.what(module, expression) {
            Thing::Value(module, Expression::ObjectExpression(object)) => Some((module, object)),
            _ => None,
        }
    }

    /// A property of an object, also from objects that are spread into it.
    pub fn property(&self, module: usize, object: &'a ObjectExpression<'a>, name: &str) -> Property<'a> {
        for property in object.properties.iter().rev() {
            match property {
                ObjectPropertyKind::ObjectProperty(property) => match property.key.static_name() {
                    Some(key) if key == name => return Property::Found(module, &property.value),
                    Some(_) => {}
                    None => return Property::Unknown,
                },
                ObjectPropertyKind::SpreadProperty(spread) => {
                    let Some((module, object)) = self.object(module, &spread.argument) else {
                        return Property::Unknown;
                    };
                    match self.property(module, object, name) {
                        Property::Absent => {}
                        other => return other,
                    }
                }
            }
        }
        Property::Absent
    }

    /// Where this name is used, in the module that declares it and in those that import it.
    pub fn uses(&self, module: usize, symbol: SymbolId) -> Uses {
        let mut uses = Uses::default();
        self.add_uses(module, symbol, DEPTH, &mut uses);
        uses
    }

    fn add_uses(&self, module: usize, symbol: SymbolId, depth: u8, uses: &mut Uses) {
        let Some(depth) = depth.checked_sub(1) else {
            uses.hidden = true;
            return;
        };
        let source = &self.modules[module];
        let references = source.semantic.symbol_references(symbol);
        let nodes = references.map(|reference| (module, reference.node_id()));
        let exporting = |node: &(usize, NodeId)| {
            matches!(
                source.semantic.nodes().parent_kind(node.1),
                AstKind::ExportSpecifier(_)
            )
        };
        uses.places.extend(nodes.filter(|node| !exporting(node)));
        let names = source.exports.iter().filter_map(|(name, export)| match export {
            Export::Symbol(known) if *known == symbol => Some(name),
            _ => None,
        });
        for name in names {
            // What is linted is the whole: who imports its first module is not known.
            uses.hidden |= module == 0 || source.taken_whole;
            for (index, other) in self.modules.iter().enumerate() {
                for (known, import) in &other.imports {
                    if matches!(import.from, Target::Local(from) if from == module)
                        && import.name.as_ref() == Some(name)
                    {
                        self.add_uses(index, *known, depth, uses);
                    }
                }
                uses.hidden |= other.exports.values().any(|export| {
                    matches!(export, Export::From(Target::Local(from), known) if *from == module && known == name)
                });
            }
        }
    }
}
