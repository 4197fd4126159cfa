//! The options that a script exports, as far as they can be read without running it.

use std::borrow::Cow;

use oxc_ast::ast::{Expression, ObjectExpression, ObjectPropertyKind, Span};
use oxc_span::GetSpan;

use super::project::{Project, Property, Thing};

/// One key of the thresholds.
pub struct Threshold<'a> {
    pub module: usize,
    pub key: Cow<'a, str>,
    pub span: Span,
    pub items: Vec<Item<'a>>,
}

/// One expression under it.
pub struct Item<'a> {
    pub text: Cow<'a, str>,
    pub module: usize,
    pub span: Span,
    /// Whether it passes without samples.
    pub may_be_empty: bool,
}

/// A scenario, or the load that is given without one.
pub struct Load<'a> {
    pub module: usize,
    pub span: Span,
    pub executor: Cow<'a, str>,
    pub object: &'a ObjectExpression<'a>,
}

impl<'a> Project<'a> {
    /// The object that the script exports as its options.
    pub fn options(&self) -> Option<(usize, &'a ObjectExpression<'a>)> {
        match self.exported(0, "options")? {
            Thing::Value(module, Expression::ObjectExpression(object)) => Some((module, object)),
            _ => None,
        }
    }

    /// An object among the options.
    fn option(&self, name: &str) -> Option<(usize, &'a ObjectExpression<'a>)> {
        let (module, options) = self.options()?;
        match self.property(module, options, name) {
            Property::Found(module, value) => self.object(module, value),
            Property::Absent | Property::Unknown => None,
        }
    }

    /// The thresholds that are written out.
    pub fn thresholds(&self) -> Vec<Threshold<'a>> {
        let mut found = Vec::new();
        if let Some((module, object)) = self.option("thresholds") {
            self.add_thresholds(module, object, &mut found);
        }
        found
    }

    fn add_thresholds(
        &self,
        module: usize,
        object: &'a ObjectExpression<'a>,
        found: &mut Vec<Threshold<'a>>,
    ) {
        for property in &object.properties {
            match property {
                ObjectPropertyKind::ObjectProperty(property) => {
                    let Some(key) = property.key.static_name() else {
                        continue;
                    };
                    found.push(Threshold {
                        module,
                        key,
                        span: property.key.span(),
                        items: self.items(module, &property.value),
                    });
                }
                ObjectPropertyKind::SpreadProperty(spread) => {
                    if let Some((module, object)) = self.object(module, &spread.argument) {
                        self.add_thresholds(module, object, found);
                    }
                }
            }
        }
    }

    fn items(&self, module: usize, value: &'a Expression<'a>) -> Vec<Item<'a>> {
        match self.what(module, value) {
            Thing::Value(module, Expression::ArrayExpression(list)) => {
                let items = list.elements.iter().filter_map(|element| element.as_expression());
                items.filter_map(|item| self.item(module, item)).collect()
            }
            _ => self.item(module, value).into_iter().collect(),
        }
    }

    fn item(&self, module: usize, value: &'a Expression<'a>) -> Option<Item<'a>> {
        let span = value.span();
        if let Some(text) = self.text(module, value) {
            return Some(Item {
                text,
                module,
                span,
                may_be_empty: false,
            });
        }
        let (within, object) = self.object(module, value)?;
        let Property::Found(at, threshold) = self.property(within, object, "threshold") else {
            return None;
        };
        let may_be_empty = match self.property(within, object, "onEmpty") {
            Property::Found(at, value) => self.text(at, value).is_none_or(|value| value == "pass"),
            Property::Absent => false,
            Property::Unknown => true,
        };
        Some(Item {
            text: self.text(at, threshold)?,
            module,
            span,
            may_be_empty,
        })
    }

    /// The loads that are written out.
    pub fn loads(&self) -> Vec<Load<'a>> {
        let Some((module, options)) = self.options() else {
            return Vec::new();
        };
        let Some((within, scenarios)) = self.option("scenarios") else {
            let named = |name: &str| match self.property(module, options, name) {
                Property::Found(_, value) => Some(value.span()),
                _ => None,
            };
            let (executor, span) = match (named("stages"), named("iterations"), named("duration")) {
                (Some(span), ..) => ("ramping-vus", span),
                (None, None, Some(span)) => ("constant-vus", span),
                _ => return Vec::new(),
            };
            return vec![Load {
                module,
                span,
                executor: executor.into(),
                object: options,
            }];
        };
        let mut loads = Vec::new();
        for property in scenarios
            .properties
            .iter()
            .filter_map(ObjectPropertyKind::as_property)
        {
            if let Some((module, object)) = self.object(within, &property.value)
                && let Property::Found(at, executor) = self.property(module, object, "executor")
                && let Some(executor) = self.text(at, executor)
            {
                loads.push(Load {
                    module,
                    span: property.key.span(),
                    executor,
                    object,
                });
            }
        }
        loads
    }
}
