//! What a check's function returns: whether it can be anything else, given what a response always is.

use oxc_ast::ast::{
    BinaryExpression, BinaryOperator, Expression, LogicalOperator, ObjectProperty, ObjectPropertyKind, Span,
};
use oxc_semantic::SymbolId;
use oxc_span::GetSpan;

use super::http::argument;
use super::project::{Call, Project, Thing};

/// One entry of the object that is passed to `check()`.
pub struct Check<'a, 'p> {
    pub module: usize,
    pub call: &'p Call<'a>,
    pub property: &'a ObjectProperty<'a>,
    /// As the summary shows it, where it is always the same.
    pub name: String,
}

/// Why a check cannot turn out otherwise.
pub struct Verdict {
    pub holds: bool,
    pub module: usize,
    pub span: Span,
    pub reason: String,
}

/// Methods of texts and lists: without their call they are functions, which count as true.
const METHODS: [&str; 8] = [
    "includes",
    "startsWith",
    "endsWith",
    "match",
    "indexOf",
    "search",
    "test",
    "every",
];

/// What a response always has, and what of it is a function.
const PARTS: [&str; 6] = ["status", "timings", "headers", "cookies", "request", "error_code"];
const FUNCTIONS: [&str; 4] = ["json", "html", "submitForm", "clickLink"];

impl<'a> Project<'a> {
    /// Every check that is written out.
    pub fn checks(&self) -> Vec<Check<'a, '_>> {
        let mut checks = Vec::new();
        for call in self.calls_of("k6", "check") {
            let Some(object) = argument(call.call, 1).and_then(|sets| self.object(call.module, sets)) else {
                continue;
            };
            for property in object
                .1
                .properties
                .iter()
                .filter_map(ObjectPropertyKind::as_property)
            {
                checks.push(Check {
                    module: object.0,
                    call,
                    property,
                    name: property.key.static_name().unwrap_or_default().into_owned(),
                });
            }
        }
        checks
    }

    /// Why a check always turns out the same, if it does.
    pub fn verdict(&self, check: &Check<'a, '_>) -> Option<Verdict> {
        let fixed = |holds: bool, module: usize, span: Span, reason: &str| {
            Some(Verdict {
                holds,
                module,
                span,
                reason: reason.to_owned(),
            })
        };
        let value = &check.property.value;
        let (module, function) = match self.what(check.module, value) {
            Thing::Func(module, function) => (module, function),
            // What is computed before the check is as good as a function; a constant is not.
            Thing::Value(module, constant) if constant.is_literal() => {
                let holds = self.truth(module, constant)?;
                return fixed(holds, check.module, value.span(), "it is a constant");
            }
            _ => return None,
        };
        if function.is_async() {
            let reason = "its function is async, and the promise it returns counts as true";
            return fixed(true, module, function.span(), reason);
        }
        let source = &self.modules[module];
        let returns = function.returns(source);
        if returns.values.is_empty() {
            if !returns.may_be_nothing {
                return None;
            }
            return fixed(false, module, function.span(), "its function returns nothing");
        }
        let on_response = argument(check.call.call, 0)
            .is_some_and(|response| self.is_response(check.call.module, response));
        let view = View {
            project: self,
            module,
            response: on_response.then(|| function.param(0)).flatten(),
        };
        let mut verdicts = returns.values.iter().map(|value| view.always(value));
        let first = verdicts.next()??;
        // Several returns that are all alike: an early one for a special case is not a mistake.
        let alike = verdicts.all(|other| other.is_some_and(|other| other.holds == first.holds));
        let nothing_else = !returns.may_be_nothing || !first.holds;
        (alike && nothing_else).then_some(first)
    }
}

struct View<'a, 'p> {
    project: &'p Project<'a>,
    module: usize,
    /// The parameter that is the response.
    response: Option<SymbolId>,
}

impl<'a> View<'a, '_> {
    #[allow(
        clippy::unnecessary_wraps,
        reason = "whoever says something has an answer to give"
    )]
    fn say(&self, holds: bool, expression: &Expression<'a>, reason: &str) -> Option<Verdict> {
        Some(Verdict {
            holds,
            module: self.module,
            span: expression.span(),
            reason: format!("`{}` {reason}", self.quote(expression.span())),
        })
    }

    fn quote(&self, span: Span) -> String {
        let text = &self.project.modules[self.module].text[span.start as usize..span.end as usize];
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Why this is always true, or always false.
    fn always(&self, expression: &'a Expression<'a>) -> Option<Verdict> {
        let inner = expression.get_inner_expression();
        match inner {
            Expression::LogicalExpression(logical) => {
                if let Some(verdict) = self.contrary(logical.operator, &logical.left, &logical.right, inner) {
                    return Some(verdict);
                }
                let left = self.always(&logical.left);
                let right = self.always(&logical.right);
                // `r && r.status === 200`: the guard on the left says nothing about the whole.
                match logical.operator {
                    LogicalOperator::Or => {
                        let decides = |side: &Option<Verdict>| side.as_ref().is_some_and(|side| side.holds);
                        match (decides(&left), decides(&right)) {
                            (true, _) => left,
                            (_, true) => right,
                            _ => left.filter(|_| right.is_some()),
                        }
                    }
                    LogicalOperator::And => {
                        let decides = |side: &Option<Verdict>| side.as_ref().is_some_and(|side| !side.holds);
                        match (decides(&left), decides(&right)) {
                            (true, _) => left,
                            (_, true) => right,
                            _ => right.filter(|_| left.is_some()),
                        }
                    }
                    LogicalOperator::Coalesce => None,
                }
            }
            Expression::BinaryExpression(binary) => self.comparison(binary, inner),
            Expression::AssignmentExpression(assignment) if assignment.operator.is_assign() => {
                let holds = self.project.truth(self.module, &assignment.right)?;
                self.say(holds, inner, "assigns; a comparison is `===`")
            }
            Expression::CallExpression(call) => {
                let name = call.callee.as_member_expression()?.static_property_name()?;
                if ["indexOf", "search", "findIndex"].contains(&name) && call.arguments.len() == 1 {
                    // 0 is possible, so it is not quite always; but what it says is the contrary of what is meant.
                    return self.say(
                        true,
                        inner,
                        "is -1, which counts as true, if nothing is found; compare it, or use includes()",
                    );
                }
                None
            }
            Expression::Identifier(name) if self.is_param(name) => self.say(
                true,
                inner,
                "is the response itself: an object, which counts as true",
            ),
            _ => {
                if let Some(member) = inner.as_member_expression()
                    && let Some(name) = member.static_property_name()
                {
                    let of_response = matches!(member.object().get_inner_expression(), Expression::Identifier(object) if self.is_param(object));
                    if of_response && FUNCTIONS.contains(&name) {
                        return self.say(true, inner, "is a function that is not called");
                    }
                    if METHODS.contains(&name) && self.is_text_or_list(member.object()) {
                        return self.say(true, inner, "is a function that is not called");
                    }
                    if of_response && ["timings", "headers", "cookies", "request"].contains(&name) {
                        return self.say(true, inner, "is an object, which counts as true");
                    }
                }
                // A constant by its name may be a setting: `() => enabled`.
                if matches!(inner, Expression::Identifier(name) if name.name != "undefined")
                    || inner.is_member_expression()
                {
                    return None;
                }
                let holds = self.project.truth(self.module, inner)?;
                self.say(
                    holds,
                    inner,
                    if holds {
                        "always counts as true"
                    } else {
                        "always counts as false"
                    },
                )
            }
        }
    }

    fn is_param(&self, name: &oxc_ast::ast::IdentifierReference<'a>) -> bool {
        self.response.is_some() && self.project.modules[self.module].symbol_of(name) == self.response
    }

    fn is_text_or_list(&self, object: &'a Expression<'a>) -> bool {
        match object.get_inner_expression() {
            Expression::ArrayExpression(_) | Expression::StringLiteral(_) | Expression::RegExpLiteral(_) => {
                true
            }
            object => self.part(object) == Some("body"),
        }
    }

    /// The part of the response that this is.
    fn part(&self, expression: &Expression<'a>) -> Option<&'a str> {
        let member = expression.get_inner_expression().as_member_expression()?;
        match member.object().get_inner_expression() {
            Expression::Identifier(object) if self.is_param(object) => member.static_property_name(),
            _ => None,
        }
    }

    /// Whether this is a number of the response that is never negative.
    fn is_number(&self, expression: &Expression<'a>) -> bool {
        let Some(member) = expression.get_inner_expression().as_member_expression() else {
            return false;
        };
        matches!(self.part(expression), Some("status" | "error_code"))
            || self.part(member.object()) == Some("timings")
            || (self.part(member.object()) == Some("body") && member.static_property_name() == Some("length"))
    }

    fn comparison(&self, binary: &'a BinaryExpression<'a>, whole: &Expression<'a>) -> Option<Verdict> {
        use BinaryOperator as Op;
        let nothing = |side: &Expression<'a>| side.is_null_or_undefined();
        let part = self.part(&binary.left);
        if nothing(&binary.right) && part.is_some_and(|part| PARTS.contains(&part)) {
            return match binary.operator {
                Op::Inequality | Op::StrictInequality => {
                    self.say(true, whole, "is true of every response, also of one that failed")
                }
                Op::Equality | Op::StrictEquality => self.say(false, whole, "is true of no response"),
                _ => None,
            };
        }
        let bound = self.project.number(self.module, &binary.right);
        if self.is_number(&binary.left) {
            let always = match (binary.operator, bound) {
                (Op::GreaterEqualThan, Some(bound)) => bound <= 0.0,
                (Op::GreaterThan | Op::StrictInequality | Op::Inequality, Some(bound)) => bound < 0.0,
                _ => false,
            };
            if always {
                return self.say(true, whole, "is true of every response, also of one that failed");
            }
            if matches!(binary.operator, Op::StrictEquality | Op::StrictInequality)
                && self.project.text(self.module, &binary.right).is_some()
            {
                let holds = binary.operator == Op::StrictInequality;
                return self.say(holds, whole, "compares a number with a text, strictly");
            }
        }
        if let Expression::CallExpression(call) = binary.left.get_inner_expression()
            && let Some(member) = call.callee.as_member_expression()
            && let Some(name @ ("includes" | "startsWith" | "endsWith")) = member.static_property_name()
        {
            let always = match (binary.operator, bound) {
                (Op::StrictInequality | Op::Inequality | Op::GreaterThan, Some(bound)) => bound < 0.0,
                (Op::GreaterEqualThan, Some(bound)) => bound <= 0.0,
                _ => false,
            };
            if always {
                let reason = format!("is always true: {name}() returns true or false, never -1");
                return self.say(true, whole, &reason);
            }
        }
        None
    }

    /// `r.status !== 200 || r.status !== 201` is always true; with `===` and `&&` always false.
    fn contrary(
        &self,
        operator: LogicalOperator,
        left: &'a Expression<'a>,
        right: &'a Expression<'a>,
        whole: &Expression<'a>,
    ) -> Option<Verdict> {
        let (Expression::BinaryExpression(one), Expression::BinaryExpression(other)) =
            (left.get_inner_expression(), right.get_inner_expression())
        else {
            return None;
        };
        let same = self.quote(one.left.span()) == self.quote(other.left.span());
        let first = self.project.number(self.module, &one.right)?;
        let second = self.project.number(self.module, &other.right)?;
        if !same || (first - second).abs() < f64::EPSILON {
            return None;
        }
        let both = |equal: bool| {
            let is = |operator: BinaryOperator| match operator {
                BinaryOperator::Equality | BinaryOperator::StrictEquality => equal,
                BinaryOperator::Inequality | BinaryOperator::StrictInequality => !equal,
                _ => false,
            };
            is(one.operator) && is(other.operator)
        };
        match operator {
            LogicalOperator::Or if both(false) => {
                self.say(true, whole, "is always true: it cannot be both at once")
            }
            LogicalOperator::And if both(true) => {
                self.say(false, whole, "is never true: it cannot be both at once")
            }
            _ => None,
        }
    }
}
