//! What can be known about an expression before any answer is there: its names, its patterns, the depth of its loops.

use cel::{
    Program,
    common::ast::{
        CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators,
    },
    parser::ParseError,
};

use super::{functions, pattern::whole_text};

/// A variable of a profile's expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    Response,
    Customer,
    Items,
    Vars,
    Prior,
    Now,
}

impl Variable {
    const ALL: [Variable; 6] = [
        Variable::Response,
        Variable::Customer,
        Variable::Items,
        Variable::Vars,
        Variable::Prior,
        Variable::Now,
    ];

    fn word(self) -> &'static str {
        match self {
            Variable::Response => "response",
            Variable::Customer => "customer",
            Variable::Items => "items",
            Variable::Vars => "vars",
            Variable::Prior => "prior",
            Variable::Now => "now",
        }
    }

    /// What may be selected from it; nothing where it is a plain value.
    fn fields(self, captured: &[String]) -> Option<Vec<&str>> {
        match self {
            Variable::Response => Some(vec!["status", "headers", "json", "text"]),
            Variable::Customer => Some(vec!["id"]),
            Variable::Prior => Some(vec!["state", "status"]),
            Variable::Vars => Some(captured.iter().map(String::as_str).collect()),
            Variable::Items | Variable::Now => None,
        }
    }
}

/// What an expression may use where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// The variables.
    pub(crate) variables: &'a [Variable],
    /// The names in `vars`.
    pub(crate) captured: &'a [String],
}

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpressionProblem {
    /// Counted from 1.
    pub(crate) column: Option<usize>,
    pub(crate) message: String,
}

impl ExpressionProblem {
    pub(super) fn whole(message: impl Into<String>) -> Self {
        Self { column: None, message: message.into() }
    }

    pub(super) fn of_syntax(error: Option<&ParseError>) -> Self {
        let Some(error) = error else { return Self::whole("does not compile") };
        let column = usize::try_from(error.pos.1).ok().filter(|column| *column > 0);
        Self { column, message: format!("does not compile: {}", error.msg.trim()) }
    }
}

/// Comprehensions (`exists`, `all`, `map`, …) nest at most this deep: five of them over ten items already take a second.
const MAX_NESTING: usize = 2;

/// Everything callable besides the operators. `uint`, `bytes`, `dyn` and `type` are left out: nothing here needs them.
const FUNCTIONS: [&str; 8] =
    ["size", "contains", "startsWith", "endsWith", functions::MATCHES, "string", "int", "double"];

const OPERATORS: [&str; 18] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
];

/// Every problem of a program that compiles.
pub(super) fn inspect(program: &Program, known: Known<'_>) -> Vec<ExpressionProblem> {
    let mut inspector = Inspector { program, known, loops: Vec::new(), problems: Vec::new() };
    inspector.visit(program.expression());
    inspector.problems
}

struct Inspector<'p> {
    program: &'p Program,
    known: Known<'p>,
    /// The variables of the comprehensions around the current place.
    loops: Vec<&'p str>,
    problems: Vec<ExpressionProblem>,
}

impl<'p> Inspector<'p> {
    fn problem(&mut self, at: &IdedExpr, message: impl Into<String>) {
        let column = self.program.source_info().offset_for(at.id).map(|(start, _)| start as usize + 1);
        self.problems.push(ExpressionProblem { column, message: message.into() });
    }

    fn visit(&mut self, at: &'p IdedExpr) {
        match &at.expr {
            Expr::Literal(_) => {}
            Expr::Ident(name) => self.visit_name(at, name),
            Expr::Select(select) => self.visit_select(at, select),
            Expr::Call(call) => self.visit_call(at, call),
            Expr::Comprehension(comprehension) => self.visit_loop(at, comprehension),
            Expr::List(list) => list.elements.iter().for_each(|element| self.visit(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.visit(&entry.key);
                    self.visit(&entry.value);
                }
                EntryExpr::StructField(field) => self.visit(&field.value),
            }),
            Expr::Struct(_) | Expr::Unspecified => self.problem(at, "message types are not available"),
        }
    }

    fn visit_name(&mut self, at: &IdedExpr, name: &str) {
        if name.starts_with('@') || self.loops.contains(&name) {
            return;
        }
        if let Some(variable) = self.variable(at, name)
            && let Some(fields) = variable.fields(self.known.captured)
        {
            self.problem(at, format!("`{name}` is used by its fields: {}", listed(name, &fields)));
        }
    }

    fn visit_select(&mut self, at: &'p IdedExpr, select: &'p SelectExpr) {
        let Expr::Ident(name) = &select.operand.expr else { return self.visit(&select.operand) };
        if self.loops.contains(&name.as_str()) {
            return;
        }
        let Some(variable) = self.variable(&select.operand, name) else { return };
        match variable.fields(self.known.captured) {
            Some(fields) if fields.contains(&select.field.as_str()) => {}
            Some(fields) if fields.is_empty() => {
                self.problem(at, format!("`{name}` is empty: nothing is captured"))
            }
            Some(fields) => self.problem(
                at,
                format!("unknown `{name}.{}`: there is {}", select.field, listed(name, &fields)),
            ),
            None => self.problem(at, format!("`{name}` has no fields")),
        }
    }

    /// The variable of this name, if there is one here.
    fn variable(&mut self, at: &IdedExpr, name: &str) -> Option<Variable> {
        let named = Variable::ALL.into_iter().find(|variable| variable.word() == name);
        let here = named.filter(|variable| self.known.variables.contains(variable));
        if here.is_none() {
            let words: Vec<_> = self.known.variables.iter().map(|variable| variable.word()).collect();
            let what = if named.is_some() { "is not known here" } else { "is unknown" };
            self.problem(at, format!("`{name}` {what}: there is {}", words.join(", ")));
        }
        here
    }

    fn visit_call(&mut self, at: &'p IdedExpr, call: &'p CallExpr) {
        let name = call.func_name.as_str();
        let is_callable = OPERATORS.contains(&name)
            || name == operators::IN
            || FUNCTIONS.contains(&name)
            || functions::NAMES.contains(&name);
        if !is_callable {
            self.problem(at, format!("unknown function `{name}`, or wrong number of arguments"));
        }
        if name == functions::MATCHES {
            self.inspect_pattern(at, call);
        }
        if name == operators::IN && !self.loops.is_empty() && call.args.get(1).is_some_and(is_long) {
            self.problem(at, "inside a loop, `in` must not search `items` or `response`: it takes too long");
        }
        if !self.loops.is_empty() && makes_a_copy(call) {
            self.problem(
                at,
                format!(
                    "inside a loop, `{}` must not be used on `items` or `response`: each round makes a copy",
                    spelled(name)
                ),
            );
        }
        call.target.iter().for_each(|target| self.visit(target));
        call.args.iter().for_each(|argument| self.visit(argument));
    }

    fn inspect_pattern(&mut self, at: &IdedExpr, call: &CallExpr) {
        match call.args.last().map(|argument| &argument.expr) {
            Some(Expr::Literal(LiteralValue::String(pattern))) => {
                if let Err(why) = whole_text(pattern.inner()) {
                    self.problem(at, format!("the pattern of `matches` {why}"));
                }
            }
            _ => self.problem(at, "the pattern of `matches` must be a literal text"),
        }
    }

    fn visit_loop(&mut self, at: &'p IdedExpr, comprehension: &'p ComprehensionExpr) {
        let variable = comprehension.iter_var.as_str();
        if !self.loops.is_empty() && is_long(&comprehension.iter_range) {
            self.problem(
                at,
                "inside a loop, no other loop may run over `items` or `response`: it takes too long",
            );
        }
        self.visit(&comprehension.iter_range);
        if Variable::ALL.iter().any(|known| known.word() == variable) {
            self.problem(at, format!("a loop variable must not be called `{variable}`"));
        }
        if self.loops.len() == MAX_NESTING {
            return self.problem(at, format!("loops must nest at most {MAX_NESTING} deep"));
        }
        self.loops.push(variable);
        for part in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
            self.visit(part);
        }
        self.loops.pop();
    }
}

/// Whether a text or list of the provider's length is made anew. What `map` and `filter` add to is no copy.
fn makes_a_copy(call: &CallExpr) -> bool {
    let name = call.func_name.as_str();
    let collects = matches!(call.args.first().map(|first| &first.expr), Some(Expr::Ident(name)) if name.starts_with('@'));
    let copies = name == operators::ADD || functions::NAMES.contains(&name);
    copies && !collects && call.target.iter().map(AsRef::as_ref).chain(&call.args).any(is_long)
}

/// An operator as it is written.
fn spelled(name: &str) -> &str {
    if name == operators::ADD { "+" } else { name }
}

/// Whether a list may be as long as the provider likes: it comes from `items` or `response`.
fn is_long(expression: &IdedExpr) -> bool {
    let is_long_name =
        |name: &str| [Variable::Items, Variable::Response].iter().any(|long| long.word() == name);
    match &expression.expr {
        Expr::Ident(name) => is_long_name(name),
        Expr::Select(select) => is_long(&select.operand),
        Expr::Call(call) => call.target.iter().any(|target| is_long(target)) || call.args.iter().any(is_long),
        Expr::Comprehension(inner) => is_long(&inner.iter_range) || is_long(&inner.loop_step),
        Expr::List(list) => list.elements.iter().any(is_long),
        Expr::Map(_) | Expr::Struct(_) | Expr::Literal(_) | Expr::Unspecified => false,
    }
}

fn listed(name: &str, fields: &[&str]) -> String {
    fields.iter().map(|field| format!("`{name}.{field}`")).collect::<Vec<_>>().join(", ")
}
