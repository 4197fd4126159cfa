//! Calls that send requests: which they are, and which of their arguments is what.

use oxc_ast::ast::{CallExpression, Expression};

use super::project::{Call, DEPTH, Project, Property, Thing};

/// Whether a request's parameters have something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Has {
    Yes,
    No,
    Unknown,
}

/// The places of the address and of the parameters among the arguments of a function of `k6/http`.
pub fn places(path: &str) -> Option<(usize, usize)> {
    Some(match path {
        "get" | "head" => (0, 1),
        "post" | "put" | "patch" | "del" | "options" => (0, 2),
        "request" | "asyncRequest" => (1, 3),
        _ => return None,
    })
}

/// Those of a call, if it sends one request.
pub fn request(call: &Call<'_>) -> Option<(usize, usize)> {
    let api = call.api.as_ref()?;
    (api.module == "k6/http").then(|| places(&api.path))?
}

/// An argument that is an expression.
pub fn argument<'a>(call: &'a CallExpression<'a>, index: usize) -> Option<&'a Expression<'a>> {
    if call
        .arguments
        .iter()
        .take(index + 1)
        .any(oxc_ast::ast::Argument::is_spread)
    {
        return None;
    }
    call.arguments.get(index)?.as_expression()
}

impl<'a> Project<'a> {
    /// Whether the parameters of a request say this, by a path of properties.
    pub fn says(&self, module: usize, params: Option<&'a Expression<'a>>, path: &[&str]) -> Has {
        let Some(params) = params else { return Has::No };
        if params.is_null_or_undefined() {
            return Has::No;
        }
        let (Some((module, object)), [name, rest @ ..]) = (self.object(module, params), path) else {
            return Has::Unknown;
        };
        match self.property(module, object, name) {
            Property::Found(_, value) if rest.is_empty() && value.is_null_or_undefined() => Has::No,
            Property::Found(..) if rest.is_empty() => Has::Yes,
            Property::Found(module, value) => self.says(module, Some(value), rest),
            Property::Absent => Has::No,
            Property::Unknown => Has::Unknown,
        }
    }

    /// Whether this is the response of a request for sure.
    pub fn is_response(&self, module: usize, expression: &'a Expression<'a>) -> bool {
        self.is_response_within(module, expression, DEPTH)
    }

    fn is_response_within(&self, module: usize, expression: &'a Expression<'a>, depth: u8) -> bool {
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        let Thing::Value(module, value) = self.what(module, expression) else {
            return false;
        };
        let (call, awaited) = match value {
            Expression::CallExpression(call) => (call, false),
            Expression::AwaitExpression(wait) => match wait.argument.get_inner_expression() {
                Expression::CallExpression(call) => (call, true),
                _ => return false,
            },
            _ => return false,
        };
        match self.what(module, &call.callee) {
            Thing::Api(api) => {
                api.module == "k6/http"
                    && if awaited {
                        api.path == "asyncRequest"
                    } else {
                        api.path != "asyncRequest" && places(&api.path).is_some()
                    }
            }
            Thing::Func(module, function) if function.is_async() == awaited => {
                let returns = function.returns(&self.modules[module]);
                let mut values = returns.values.iter();
                !returns.may_be_nothing
                    && !returns.values.is_empty()
                    && values.all(|value| self.is_response_within(module, value, depth))
            }
            _ => false,
        }
    }
}
