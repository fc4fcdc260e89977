//! What can be known about an expression before any answer is there: its names, its patterns, the depth of its loops.

use cel::{
    Program,
    common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators},
    parser::ParseError,
};

use super::{cost, functions, memory, pattern::whole_text};

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

    pub(super) fn word(self) -> &'static str {
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

const OPERATORS: [&str; 19] = [
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
    operators::IN,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
];

/// Every problem of a program that compiles.
pub(super) fn inspect(program: &Program, known: Known<'_>) -> Vec<ExpressionProblem> {
    let mut inspector = Inspector { program, known, loops: Vec::new(), problems: Vec::new() };
    inspector.visit(program.expression());
    inspector.inspect_memory();
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
            Expr::List(list) => list.elements.iter().for_each(|element| self.visit_element(element)),
            Expr::Map(map) => cost::entries(map).for_each(|element| self.visit_element(element)),
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
        let is_callable =
            OPERATORS.contains(&name) || FUNCTIONS.contains(&name) || functions::NAMES.contains(&name);
        if !is_callable {
            self.problem(at, format!("unknown function `{name}`, or wrong number of arguments"));
        }
        if name == functions::MATCHES {
            self.inspect_pattern(at, call);
        }
        if let Some(collected) = cost::collected(call) {
            return collected.iter().for_each(|element| self.visit_element(element));
        }
        if let Some(why) = self.loops.last().and_then(|round| cost::inspect_call(call, round)) {
            self.problem(at, why);
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
        let round = self.loops.last();
        if let Some(why) = round.and_then(|round| cost::inspect_range(&comprehension.iter_range, round)) {
            self.problem(at, why);
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

    fn visit_element(&mut self, element: &'p IdedExpr) {
        if let Some(why) = self.loops.last().and_then(|round| cost::inspect_element(element, round)) {
            self.problem(element, why);
        }
        self.visit(element);
    }

    /// Not where something else is wrong: loops that nest too deep would take too long to be walked.
    fn inspect_memory(&mut self) {
        if self.problems.is_empty() && memory::is_too_much(self.program.expression()) {
            self.problems.push(ExpressionProblem::whole(format!(
                "must not make more than about {} times the answer at once, by `+`, lists, maps, `map`, `filter`, `split` and `replace`: it could outgrow the memory. A captured or long text that `map` puts beside each value counts as many times",
                memory::MOST_ANSWERS
            )));
        }
    }
}

fn listed(name: &str, fields: &[&str]) -> String {
    fields.iter().map(|field| format!("`{name}.{field}`")).collect::<Vec<_>>().join(", ")
}
