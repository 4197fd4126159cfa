//! Functions of either spelling, and what they return.

use oxc_ast::AstKind;
use oxc_ast::ast::{
    ArrowFunctionExpression, Expression, FormalParameters, Function, FunctionBody, Span, Statement,
};
use oxc_semantic::{NodeId, SymbolId};

use super::project::Source;

/// A function.
#[derive(Clone, Copy)]
pub enum Func<'a> {
    Arrow(&'a ArrowFunctionExpression<'a>),
    Plain(&'a Function<'a>),
}

/// What a function returns.
pub struct Returns<'a> {
    /// In every place where it does.
    pub values: Vec<&'a Expression<'a>>,
    /// Whether it may end without a value.
    pub may_be_nothing: bool,
}

impl<'a> Func<'a> {
    /// Its parameters.
    pub fn params(self) -> &'a FormalParameters<'a> {
        match self {
            Func::Arrow(arrow) => &arrow.params,
            Func::Plain(function) => &function.params,
        }
    }

    /// The symbol of a parameter that is a plain name.
    pub fn param(self, index: usize) -> Option<SymbolId> {
        let param = self.params().items.get(index)?;
        param.pattern.get_binding_identifier()?.symbol_id.get()
    }

    /// Whether it returns a promise.
    pub fn is_async(self) -> bool {
        match self {
            Func::Arrow(arrow) => arrow.r#async,
            Func::Plain(function) => function.r#async,
        }
    }

    /// Its place in the tree.
    pub fn node(self) -> NodeId {
        match self {
            Func::Arrow(arrow) => arrow.node_id.get(),
            Func::Plain(function) => function.node_id.get(),
        }
    }

    /// Its place in the text.
    pub fn span(self) -> Span {
        match self {
            Func::Arrow(arrow) => arrow.span,
            Func::Plain(function) => function.span,
        }
    }

    fn block(self) -> Option<&'a FunctionBody<'a>> {
        match self {
            Func::Arrow(arrow) => arrow.get_function_body(),
            Func::Plain(function) => function.body.as_deref(),
        }
    }

    /// What it returns.
    pub fn returns(self, source: &Source<'a>) -> Returns<'a> {
        if let Func::Arrow(arrow) = self
            && let Some(value) = arrow.get_expression()
        {
            return Returns {
                values: vec![value],
                may_be_nothing: false,
            };
        }
        let mut returns = Returns {
            values: Vec::new(),
            may_be_nothing: !self.block().is_some_and(|body| body.statements.iter().any(ends)),
        };
        for node in source.nodes() {
            if let AstKind::ReturnStatement(statement) = node.kind()
                && self.span().contains_inclusive(statement.span)
                && enclosing(source, node.id()) == Some(self.node())
            {
                match &statement.argument {
                    Some(value) => returns.values.push(value),
                    None => returns.may_be_nothing = true,
                }
            }
        }
        returns
    }
}

/// The innermost function around a node.
pub fn enclosing(source: &Source<'_>, node: NodeId) -> Option<NodeId> {
    let mut around = source.semantic.nodes().ancestors(node);
    let found = around.find(|node| {
        matches!(
            node.kind(),
            AstKind::Function(_) | AstKind::ArrowFunctionExpression(_)
        )
    });
    found.map(oxc_semantic::AstNode::id)
}

/// Whether nothing after this statement is reached.
fn ends(statement: &Statement<'_>) -> bool {
    match statement {
        // The last three are taken to be complete: a wrong guess here stays silent.
        Statement::ReturnStatement(_)
        | Statement::ThrowStatement(_)
        | Statement::SwitchStatement(_)
        | Statement::WhileStatement(_)
        | Statement::ForStatement(_) => true,
        Statement::BlockStatement(block) => block.body.iter().any(ends),
        Statement::IfStatement(one) => ends(&one.consequent) && one.alternate.as_ref().is_some_and(ends),
        Statement::TryStatement(attempt) => {
            let handler = attempt.handler.as_ref();
            let handled = handler.is_none_or(|handler| handler.body.body.iter().any(ends));
            let finally = attempt.finalizer.as_ref();
            let finally = finally.is_some_and(|block| block.body.iter().any(ends));
            attempt.block.body.iter().any(ends) && handled || finally
        }
        _ => false,
    }
}
