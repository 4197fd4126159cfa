//! What an expression is worth, where it is always worth the same: texts, numbers, and whether it counts as true.

use std::borrow::Cow;

use oxc_ast::ast::{BinaryOperator, Expression, LogicalOperator, UnaryOperator};

use super::project::{DEPTH, Project, Thing};

impl<'a> Project<'a> {
    /// The text that this always is.
    pub fn text(&self, module: usize, expression: &'a Expression<'a>) -> Option<Cow<'a, str>> {
        match self.what(module, expression) {
            Thing::Value(_, Expression::StringLiteral(text)) => Some(text.value.as_str().into()),
            Thing::Value(_, Expression::TemplateLiteral(template)) => {
                template.single_quasi().map(|text| text.as_str().into())
            }
            _ => None,
        }
    }

    /// The number that this always is.
    pub fn number(&self, module: usize, expression: &'a Expression<'a>) -> Option<f64> {
        self.number_within(module, expression, DEPTH)
    }

    fn number_within(&self, module: usize, expression: &'a Expression<'a>, depth: u8) -> Option<f64> {
        let depth = depth.checked_sub(1)?;
        let Thing::Value(module, value) = self.what(module, expression) else {
            return None;
        };
        match value {
            Expression::NumericLiteral(number) => Some(number.value),
            Expression::UnaryExpression(unary) if unary.operator == UnaryOperator::UnaryNegation => {
                Some(-self.number_within(module, &unary.argument, depth)?)
            }
            Expression::BinaryExpression(binary) => {
                let left = self.number_within(module, &binary.left, depth)?;
                let right = self.number_within(module, &binary.right, depth)?;
                match binary.operator {
                    BinaryOperator::Addition => Some(left + right),
                    BinaryOperator::Subtraction => Some(left - right),
                    BinaryOperator::Multiplication => Some(left * right),
                    BinaryOperator::Division => Some(left / right),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether this always counts as true, or as false; nothing if it depends.
    pub fn truth(&self, module: usize, expression: &'a Expression<'a>) -> Option<bool> {
        self.truth_within(module, expression, DEPTH)
    }

    fn truth_within(&self, module: usize, expression: &'a Expression<'a>, depth: u8) -> Option<bool> {
        let depth = depth.checked_sub(1)?;
        let (module, value) = match self.what(module, expression) {
            Thing::Value(module, value) => (module, value),
            Thing::Func(..) => return Some(true),
            Thing::Api(api) if api.is("", "undefined") || api.is("", "NaN") => return Some(false),
            Thing::Api(_) | Thing::Unknown => return None,
        };
        match value {
            Expression::BooleanLiteral(literal) => Some(literal.value),
            Expression::NumericLiteral(literal) => Some(literal.value != 0.0 && !literal.value.is_nan()),
            Expression::StringLiteral(literal) => Some(!literal.value.is_empty()),
            Expression::NullLiteral(_) => Some(false),
            Expression::TemplateLiteral(template) => {
                let fixed = template.quasis.iter().any(|part| !part.value.raw.is_empty());
                (fixed || template.expressions.is_empty()).then_some(fixed)
            }
            Expression::ArrayExpression(_)
            | Expression::ObjectExpression(_)
            | Expression::NewExpression(_)
            | Expression::ClassExpression(_)
            | Expression::RegExpLiteral(_) => Some(true),
            Expression::UnaryExpression(unary) => match unary.operator {
                UnaryOperator::LogicalNot => Some(!self.truth_within(module, &unary.argument, depth)?),
                UnaryOperator::Void => Some(false),
                UnaryOperator::Typeof => Some(true),
                _ => Some(self.number(module, value)? != 0.0),
            },
            Expression::LogicalExpression(logical) => {
                let left = self.truth_within(module, &logical.left, depth);
                let right = self.truth_within(module, &logical.right, depth);
                match logical.operator {
                    LogicalOperator::Or if left == Some(true) || right == Some(true) => Some(true),
                    LogicalOperator::And if left == Some(false) || right == Some(false) => Some(false),
                    LogicalOperator::Or | LogicalOperator::And if left == right => left,
                    _ => None,
                }
            }
            Expression::ConditionalExpression(choice) => {
                let one = self.truth_within(module, &choice.consequent, depth)?;
                (self.truth_within(module, &choice.alternate, depth)? == one).then_some(one)
            }
            Expression::SequenceExpression(sequence) => {
                self.truth_within(module, sequence.expressions.last()?, depth)
            }
            Expression::AssignmentExpression(assignment) if assignment.operator.is_assign() => {
                self.truth_within(module, &assignment.right, depth)
            }
            _ => None,
        }
    }
}
