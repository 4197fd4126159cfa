//! One module: its tree with its scopes, and what it imports and exports.

use std::borrow::Cow;
use std::path::Path;

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::{
    AssignmentTarget, Declaration, ExportDefaultDeclarationKind, Expression, ImportDeclarationSpecifier,
    Program, Statement,
};
use oxc_parser::Parser;
use oxc_semantic::{Semantic, SemanticBuilder, SymbolId};
use oxc_span::SourceType;
use rustc_hash::FxHashMap;

use super::super::{display_name, jslib, language, modules, source};
use super::LintError;
use super::function::Func;

/// One module.
pub struct Source<'a> {
    /// The engine's name for it.
    pub name: String,
    pub text: &'a str,
    pub program: &'a Program<'a>,
    pub semantic: Semantic<'a>,
    pub imports: FxHashMap<SymbolId, Import<'a>>,
    pub exports: FxHashMap<Cow<'a, str>, Export<'a>>,
    /// Whether another module takes this one as a whole, so that every export may be used there.
    pub taken_whole: bool,
}

/// A name that comes from another module.
pub struct Import<'a> {
    pub from: Target,
    /// Nothing is the module as a whole.
    pub name: Option<Cow<'a, str>>,
}

/// Another module.
#[derive(Clone)]
pub enum Target {
    Builtin(String),
    Local(usize),
    Unknown,
}

/// What a module exports by a name.
#[derive(Clone)]
pub enum Export<'a> {
    Symbol(SymbolId),
    Value(&'a Expression<'a>),
    Function(Func<'a>),
    From(Target, Cow<'a, str>),
}

impl<'a> Source<'a> {
    pub fn new(name: &str, text: &'a str, program: &'a Program<'a>) -> Source<'a> {
        let semantic = SemanticBuilder::new()
            .with_build_nodes(true)
            .build(program)
            .semantic;
        Source {
            name: name.to_owned(),
            text,
            program,
            semantic,
            imports: FxHashMap::default(),
            exports: FxHashMap::default(),
            taken_whole: false,
        }
    }

    /// Its name as people write it.
    pub fn file(&self) -> String {
        display_name(&self.name).to_owned()
    }

    /// Every node of its tree.
    pub fn nodes(&self) -> impl Iterator<Item = &oxc_semantic::AstNode<'a>> {
        self.semantic.nodes().iter()
    }

    /// What this name refers to; nothing is a global.
    pub fn symbol_of(&self, name: &oxc_ast::ast::IdentifierReference<'_>) -> Option<SymbolId> {
        let reference = name.reference_id.get()?;
        self.semantic.scoping().get_reference(reference).symbol_id()
    }

    /// Finds what it imports and exports.
    pub fn link(&mut self, target: &mut impl FnMut(&str) -> Target) {
        for statement in &self.program.body {
            match statement {
                Statement::ImportDeclaration(import) => {
                    let from = target(&import.source.value);
                    for specifier in import.specifiers.iter().flatten() {
                        let name = match specifier {
                            ImportDeclarationSpecifier::ImportSpecifier(named) => {
                                Some(Cow::Borrowed(named.imported.name().as_str()))
                            }
                            ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => Some("default".into()),
                            ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => None,
                        };
                        if let Some(symbol) = specifier.local().symbol_id.get() {
                            let from = from.clone();
                            self.imports.insert(symbol, Import { from, name });
                        }
                    }
                }
                Statement::ExportDeclaration(export) => match &export.declaration {
                    Declaration::VariableDeclaration(variables) => {
                        for id in variables
                            .declarations
                            .iter()
                            .flat_map(|one| one.id.get_binding_identifiers())
                        {
                            self.export_symbol(id.name.as_str(), id.symbol_id.get());
                        }
                    }
                    Declaration::FunctionDeclaration(function) => {
                        if let Some(id) = &function.id {
                            self.export_symbol(id.name.as_str(), id.symbol_id.get());
                        }
                    }
                    _ => {}
                },
                Statement::ExportNamedDeclaration(export) => {
                    for specifier in &export.specifiers {
                        let local = specifier.local.name();
                        let scoping = self.semantic.scoping();
                        let bound = scoping.get_root_binding(local.as_str().into());
                        self.export_symbol(specifier.exported.name().as_str(), bound);
                    }
                }
                Statement::ExportFromDeclaration(export) => {
                    let from = target(&export.source.value);
                    for specifier in &export.specifiers {
                        let name = Cow::Borrowed(specifier.local.name().as_str());
                        let exported = specifier.exported.name().as_str();
                        self.exports
                            .insert(exported.into(), Export::From(from.clone(), name));
                    }
                }
                Statement::ExportAllDeclaration(all) => {
                    target(&all.source.value);
                }
                Statement::ExportDefaultDeclaration(export) => {
                    let export = match &export.declaration {
                        ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                            Some(Export::Function(Func::Plain(function)))
                        }
                        other => other.as_expression().map(Export::Value),
                    };
                    if let Some(export) = export {
                        self.exports.insert("default".into(), export);
                    }
                }
                _ => {}
            }
        }
        self.link_common(target);
    }

    fn export_symbol(&mut self, name: &'a str, symbol: Option<SymbolId>) {
        if let Some(symbol) = symbol {
            self.exports.insert(name.into(), Export::Symbol(symbol));
        }
    }

    /// `require`, `exports.a = …` and `module.exports = { … }`.
    fn link_common(&mut self, target: &mut impl FnMut(&str) -> Target) {
        let mut found = Vec::new();
        for node in self.semantic.nodes().iter() {
            match node.kind() {
                AstKind::CallExpression(call) => {
                    if let Some(name) = call.common_js_require() {
                        target(&name.value);
                    }
                }
                AstKind::AssignmentExpression(assignment) => {
                    let AssignmentTarget::StaticMemberExpression(member) = &assignment.left else {
                        continue;
                    };
                    let name = member.property.name.as_str();
                    let of_exports = member.object.is_specific_id("exports")
                        || member.object.is_specific_member_access("module", "exports");
                    if of_exports {
                        found.push((Cow::Borrowed(name), &assignment.right));
                    } else if name == "exports"
                        && member.object.is_specific_id("module")
                        && let Expression::ObjectExpression(object) = &assignment.right
                    {
                        for property in object
                            .properties
                            .iter()
                            .filter_map(|property| property.as_property())
                        {
                            found.extend(property.key.static_name().map(|name| (name, &property.value)));
                        }
                    }
                }
                _ => {}
            }
        }
        for (name, value) in found {
            self.exports.entry(name).or_insert(Export::Value(value));
        }
    }
}

/// Parses a text.
pub fn parse<'a>(arena: &'a Allocator, name: &str, text: &'a str) -> Result<&'a Program<'a>, LintError> {
    let kind = if ends_in(name, "tsx") {
        SourceType::tsx()
    } else if language::is_typescript(name) {
        SourceType::ts()
    } else {
        SourceType::unambiguous()
    };
    let parsed = Parser::new(arena, text, kind).parse();
    match parsed.diagnostics.first() {
        Some(first) => Err(LintError::Syntax(
            language::mistake(text, first).said(display_name(name)),
        )),
        None => Ok(arena.alloc(parsed.program)),
    }
}

/// Whether a module is built in, be it written in Rust or in JavaScript.
pub fn is_builtin(resolved: &str) -> bool {
    modules::is_builtin(resolved) || jslib::text(resolved).is_some()
}

/// What an import asks for; a file that is not known yet is put at the end of `names`.
pub fn target(base: &str, request: &str, names: &mut Vec<String>) -> Target {
    match source::resolve(base, request) {
        Ok(name) if is_builtin(&name) => Target::Builtin(name),
        Ok(name) if ends_in(&name, "json") => Target::Unknown,
        Ok(name) => {
            let known = names.iter().position(|known| *known == name);
            Target::Local(known.unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            }))
        }
        // A module of the dialect that is not there still is what it is called.
        Err(_) if request.starts_with("k6/") => Target::Builtin(request.to_owned()),
        Err(_) => Target::Unknown,
    }
}

/// Whether a file's name has this extension.
pub fn ends_in(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == extension)
}
