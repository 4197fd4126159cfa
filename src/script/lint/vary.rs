//! How many values an expression takes during a run: one, a few, or ever new ones.

use oxc_ast::AstKind;
use oxc_ast::ast::{BindingPattern, Expression, ForStatementLeft, IdentifierReference};
use oxc_semantic::{NodeId, SymbolId};
use oxc_span::GetSpan;

use super::function::Func;
use super::http::argument;
use super::project::{DEPTH, Project, Property, Thing};

/// A list that is written out with no more than this is a few values.
const FEW: usize = 20;

/// How many values; a larger one wins where several parts make one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vary {
    Fixed,
    /// No more than a list has that is written out.
    Few,
    Unknown,
    /// Ever new ones, from this.
    Endless(String),
}

/// What gives another value at each call or in each iteration.
const ENDLESS: [(&str, &str); 11] = [
    ("", "__ITER"),
    ("", "__VU"),
    ("", "Math.random"),
    ("", "Date.now"),
    ("", "crypto.randomUUID"),
    ("jslib:k6-utils", "uuidv4"),
    ("jslib:k6-utils", "randomIntBetween"),
    ("jslib:k6-utils", "randomString"),
    ("k6/crypto", "randomBytes"),
    ("k6/data", "SharedArray"),
    ("", "Date"),
];

impl<'a> Project<'a> {
    /// How many values this takes.
    pub fn vary(&self, module: usize, expression: &'a Expression<'a>) -> Vary {
        self.vary_within(module, expression, DEPTH)
    }

    fn vary_within(&self, module: usize, expression: &'a Expression<'a>, depth: u8) -> Vary {
        let Some(depth) = depth.checked_sub(1) else {
            return Vary::Unknown;
        };
        let all = |parts: &mut dyn Iterator<Item = &'a Expression<'a>>| {
            let parts = parts.map(|part| self.vary_within(module, part, depth));
            parts.max().unwrap_or(Vary::Fixed)
        };
        match expression.get_inner_expression() {
            Expression::TemplateLiteral(template) => all(&mut template.expressions.iter()),
            Expression::BinaryExpression(binary) => all(&mut [&binary.left, &binary.right].into_iter()),
            Expression::LogicalExpression(logical) => all(&mut [&logical.left, &logical.right].into_iter()),
            Expression::ConditionalExpression(choice) => {
                // What is chosen from is of a number; what it is chosen by is not.
                let chosen = all(&mut [&choice.consequent, &choice.alternate].into_iter());
                chosen.max(Vary::Few)
            }
            Expression::UnaryExpression(unary) => self.vary_within(module, &unary.argument, depth),
            Expression::AwaitExpression(wait) => self.vary_within(module, &wait.argument, depth),
            Expression::Identifier(name) => self.vary_of_name(module, name, depth),
            Expression::CallExpression(call) => {
                if let Some(api) = self.api(module, &call.callee) {
                    if ENDLESS.iter().any(|(from, path)| api.is(from, path)) {
                        return self.endless(module, expression);
                    }
                    if api.is("jslib:k6-utils", "randomItem") {
                        let list = argument(call, 0);
                        return list.map_or(Vary::Unknown, |list| self.element(module, list));
                    }
                    if api.module.is_empty() && !api.path.starts_with("__ENV") {
                        return all(&mut call.arguments.iter().filter_map(|one| one.as_expression()));
                    }
                    return Vary::Unknown;
                }
                if let Thing::Func(within, function) = self.what(module, &call.callee) {
                    let returned = function.returns(&self.modules[within]);
                    let values = returned.values.iter();
                    let worst = values.map(|value| self.vary_within(within, value, depth)).max();
                    return worst.unwrap_or(Vary::Unknown);
                }
                let Some(member) = call.callee.as_member_expression() else {
                    return Vary::Unknown;
                };
                if self.is_response(module, member.object()) {
                    return self.endless(module, expression);
                }
                // A method of a text or a number: `id.toString()`, `name.replace('a', 'b')`.
                let object = self.vary_within(module, member.object(), depth);
                object.max(all(&mut call
                    .arguments
                    .iter()
                    .filter_map(|one| one.as_expression())))
            }
            Expression::NewExpression(made) => match self.api(module, &made.callee) {
                Some(api) if ENDLESS.iter().any(|(from, path)| api.is(from, path)) => {
                    self.endless(module, expression)
                }
                _ => Vary::Unknown,
            },
            Expression::ComputedMemberExpression(member) => {
                let index = self.vary_within(module, &member.expression, depth);
                if index == Vary::Fixed {
                    return self.vary_within(module, &member.object, depth);
                }
                self.element(module, &member.object)
            }
            Expression::StaticMemberExpression(member) => match self.what(module, expression) {
                Thing::Api(api) if api.path.starts_with("__ENV") => Vary::Fixed,
                Thing::Api(api) if api.module == "k6/execution" => {
                    let changing = ["idInTest", "idInInstance", "iteration", "progress", "current"];
                    if changing
                        .iter()
                        .any(|part| api.path.to_lowercase().contains(&part.to_lowercase()))
                    {
                        self.endless(module, expression)
                    } else {
                        Vary::Fixed
                    }
                }
                Thing::Value(within, value) if !std::ptr::eq(value, expression.get_inner_expression()) => {
                    self.vary_within(within, value, depth)
                }
                _ if self.is_response(module, &member.object) => self.endless(module, expression),
                _ => self.vary_within(module, &member.object, depth),
            },
            literal if literal.is_literal() => Vary::Fixed,
            Expression::ArrayExpression(_) | Expression::ObjectExpression(_) => Vary::Fixed,
            _ => Vary::Unknown,
        }
    }

    fn endless(&self, module: usize, expression: &Expression<'_>) -> Vary {
        let span = expression.span();
        let text = &self.modules[module].text[span.start as usize..span.end as usize];
        Vary::Endless(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// One of a list's elements, which one changes.
    fn element(&self, module: usize, list: &'a Expression<'a>) -> Vary {
        match self.what(module, list) {
            Thing::Value(_, Expression::ArrayExpression(list)) if list.elements.len() <= FEW => Vary::Few,
            Thing::Value(_, Expression::ObjectExpression(list)) if list.properties.len() <= FEW => Vary::Few,
            Thing::Value(..) => self.endless(module, list),
            _ => Vary::Unknown,
        }
    }

    fn vary_of_name(&self, module: usize, name: &IdentifierReference<'a>, depth: u8) -> Vary {
        let source = &self.modules[module];
        let Some(symbol) = source.symbol_of(name) else {
            return match name.name.as_str() {
                "__ITER" | "__VU" => Vary::Endless(name.name.to_string()),
                "undefined" | "NaN" | "Infinity" | "__ENV" => Vary::Fixed,
                _ => Vary::Unknown,
            };
        };
        let declared = source.semantic.symbol_declaration(symbol);
        match declared.kind() {
            AstKind::VariableDeclarator(variable) => {
                if let Some(looped) = self.vary_of_loop(module, symbol, declared.id()) {
                    return looped;
                }
                if source.semantic.scoping().symbol_is_mutated(symbol) {
                    return Vary::Unknown;
                }
                match (&variable.id, &variable.init) {
                    (BindingPattern::BindingIdentifier(_), Some(value)) => {
                        self.vary_within(module, value, depth)
                    }
                    (BindingPattern::ObjectPattern(pattern), Some(value)) => {
                        let named = pattern.properties.iter().find(|property| {
                            let id = property.value.get_binding_identifier();
                            id.is_some_and(|id| id.symbol_id.get() == Some(symbol))
                        });
                        let key = named.and_then(|property| property.key.static_name());
                        if let (Some((within, object)), Some(key)) = (self.object(module, value), key)
                            && let Property::Found(at, value) = self.property(within, object, &key)
                        {
                            return self.vary_within(at, value, depth);
                        }
                        self.vary_within(module, value, depth)
                    }
                    (_, Some(value)) => self.vary_within(module, value, depth),
                    (_, None) => Vary::Unknown,
                }
            }
            AstKind::FormalParameter(_) | AstKind::FormalParameters(_) | AstKind::BindingRestElement(_) => {
                self.vary_of_parameter(module, symbol, declared.id(), depth)
            }
            AstKind::ImportSpecifier(_) | AstKind::ImportDefaultSpecifier(_) => {
                match self.uses_value(module, symbol) {
                    Some((within, value)) => self.vary_within(within, value, depth),
                    None => Vary::Unknown,
                }
            }
            _ => Vary::Unknown,
        }
    }

    /// What an imported constant was set to.
    fn uses_value(&self, module: usize, symbol: SymbolId) -> Option<(usize, &'a Expression<'a>)> {
        match self.named(module, symbol) {
            Thing::Value(module, value) => Some((module, value)),
            _ => None,
        }
    }

    /// A variable of a loop: `for (let i = 0; …; i++)`, `for (const id of ids)`.
    fn vary_of_loop(&self, module: usize, symbol: SymbolId, declared: NodeId) -> Option<Vary> {
        let source = &self.modules[module];
        let nodes = source.semantic.nodes();
        let declaration = nodes.parent_node(declared);
        match nodes.parent_kind(declaration.id()) {
            AstKind::ForStatement(around) => {
                let counted = source.semantic.scoping().symbol_is_mutated(symbol);
                let limit = around.test.as_ref().and_then(|test| match test {
                    Expression::BinaryExpression(test) => self.number(module, &test.right),
                    _ => None,
                });
                let few = limit.is_some_and(|limit| limit.abs() <= FEW as f64);
                let name = source.semantic.scoping().symbol_name(symbol);
                counted.then(|| {
                    if few {
                        Vary::Few
                    } else {
                        Vary::Endless(name.to_owned())
                    }
                })
            }
            AstKind::ForOfStatement(around)
                if matches!(&around.left, ForStatementLeft::VariableDeclaration(_)) =>
            {
                Some(self.element(module, &around.right))
            }
            _ => None,
        }
    }

    /// A parameter: of what iterations call, of a callback on a list, or of a function whose calls are known.
    fn vary_of_parameter(&self, module: usize, symbol: SymbolId, declared: NodeId, depth: u8) -> Vary {
        let source = &self.modules[module];
        let nodes = source.semantic.nodes();
        let owner = std::iter::once(declared)
            .chain(nodes.ancestor_ids(declared))
            .find_map(|id| match nodes.kind(id) {
                AstKind::Function(function) => Some((id, Func::Plain(function))),
                AstKind::ArrowFunctionExpression(arrow) => Some((id, Func::Arrow(arrow))),
                _ => None,
            });
        let Some((node, function)) = owner else {
            return Vary::Unknown;
        };
        let Some(index) =
            (0..function.params().items.len()).find(|index| function.param(*index) == Some(symbol))
        else {
            return Vary::Unknown;
        };
        let exported = |name: &str| matches!(self.exported(module, name), Some(Thing::Func(_, known)) if known.node() == function.node());
        // What `setup()` returned.
        if module == 0
            && ["default", "teardown", "verify"]
                .iter()
                .any(|name| exported(name))
        {
            return Vary::Fixed;
        }
        if let AstKind::CallExpression(call) = nodes.parent_kind(node)
            && let Some(member) = call.callee.as_member_expression()
            && ["forEach", "map", "filter", "some", "every"]
                .contains(&member.static_property_name().unwrap_or_default())
            && index == 0
        {
            return self.element(module, member.object());
        }
        let called = self.calls.iter().filter(|call| {
            matches!(self.what(call.module, &call.call.callee), Thing::Func(within, known) if within == module && known.node() == function.node())
        });
        let given = called.map(|call| match argument(call.call, index) {
            Some(value) => self.vary_within(call.module, value, depth),
            None => Vary::Fixed,
        });
        given.max().unwrap_or(Vary::Unknown)
    }
}
