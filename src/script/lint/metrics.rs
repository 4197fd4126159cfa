//! The metrics that a script makes, and what is added to them.

use std::borrow::Cow;

use oxc_ast::AstKind;
use oxc_ast::ast::{CallExpression, Expression};

use super::http::argument;
use super::project::Project;
use crate::metrics::Kind;

/// A metric of a script's own.
pub struct Metric<'a> {
    /// Nothing if it is not always the same.
    pub name: Option<Cow<'a, str>>,
    pub kind: Kind,
    /// The calls of its `add()`, and their modules.
    pub adds: Vec<(usize, &'a CallExpression<'a>)>,
    /// Whether it may be added to in places that cannot be seen.
    pub hidden: bool,
}

impl<'a> Project<'a> {
    /// Every metric that is made in any module.
    pub fn metrics(&self) -> Vec<Metric<'a>> {
        let mut metrics = Vec::new();
        for (module, source) in self.modules.iter().enumerate() {
            for node in source.nodes() {
                let AstKind::NewExpression(made) = node.kind() else {
                    continue;
                };
                let Some(api) = self
                    .api(module, &made.callee)
                    .filter(|api| api.module == "k6/metrics")
                else {
                    continue;
                };
                let kind = match api.path.as_str() {
                    "Counter" => Kind::Counter,
                    "Gauge" => Kind::Gauge,
                    "Rate" => Kind::Rate,
                    "Trend" => Kind::Trend,
                    _ => continue,
                };
                let name = made.arguments.first().and_then(|name| name.as_expression());
                let mut metric = Metric {
                    name: name.and_then(|name| self.text(module, name)),
                    kind,
                    adds: Vec::new(),
                    hidden: true,
                };
                if let AstKind::VariableDeclarator(variable) = source.semantic.nodes().parent_kind(node.id())
                    && let Some(symbol) = variable
                        .id
                        .get_binding_identifier()
                        .and_then(|id| id.symbol_id.get())
                {
                    let uses = self.uses(module, symbol);
                    metric.hidden = uses.hidden || source.semantic.scoping().symbol_is_mutated(symbol);
                    for (module, node) in uses.places {
                        match self.add(module, node) {
                            Use::Add(call) => metric.adds.push((module, call)),
                            Use::Harmless => {}
                            Use::Other => metric.hidden = true,
                        }
                    }
                }
                metrics.push(metric);
            }
        }
        metrics
    }

    fn add(&self, module: usize, node: oxc_semantic::NodeId) -> Use<'a> {
        let nodes = self.modules[module].semantic.nodes();
        let parent = nodes.parent_node(node);
        let AstKind::StaticMemberExpression(member) = parent.kind() else {
            return Use::Other;
        };
        match member.property.name.as_str() {
            "add" => match nodes.parent_kind(parent.id()) {
                AstKind::CallExpression(call) if matches!(&call.callee, Expression::StaticMemberExpression(callee) if callee.span == member.span) => {
                    Use::Add(call)
                }
                _ => Use::Other,
            },
            "name" => Use::Harmless,
            _ => Use::Other,
        }
    }

    /// Whether all that is ever added to a rate counts the same, and how.
    pub fn always_adds(&self, metric: &Metric<'a>) -> Option<bool> {
        if metric.kind != Kind::Rate || metric.hidden {
            return None;
        }
        let mut values = metric.adds.iter().map(|(module, call)| {
            let value = argument(call, 0)?;
            self.truth(*module, value)
        });
        let first = values.next()??;
        values.all(|value| value == Some(first)).then_some(first)
    }
}

enum Use<'a> {
    Add(&'a CallExpression<'a>),
    Harmless,
    Other,
}
