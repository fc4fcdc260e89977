//! How long an evaluation takes at most. CEL has no budget at run time: what could take more than one walk over the answer is
//! refused at load. What an evaluation makes is bounded in `memory.rs`.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, MapExpr, SelectExpr, operators};

use super::{functions, inspect::Variable};

/// How long a value may be, seen from inside a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Length {
    /// As the expression itself, or as one short value.
    Short,
    /// Part of what the innermost loop runs over: all rounds together see it once.
    Own,
    /// The whole answer, or an outer loop's value: each round would see all of it again.
    Shared,
}

/// What is wrong with a call inside the loop of `round`.
pub(super) fn inspect_call(call: &CallExpr, round: &str) -> Option<String> {
    let name = call.func_name.as_str();
    let length = |at: &IdedExpr| length(at, round);
    let mut parts = parts(call).map(length);
    let is_refused = match name {
        operators::LOGICAL_AND
        | operators::LOGICAL_OR
        | operators::LOGICAL_NOT
        | operators::NOT_STRICTLY_FALSE
        | operators::CONDITIONAL
        | operators::INDEX
        | operators::SUBSTRACT
        | operators::MULTIPLY
        | operators::DIVIDE
        | operators::MODULO
        | operators::NEGATE => false,
        // Values are compared until the shorter one ends.
        operators::EQUALS
        | operators::NOT_EQUALS
        | operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS => parts.all(|part| part == Length::Shared),
        operators::IN => call.args.get(1).is_some_and(|list| length(list) == Length::Shared),
        functions::SPLIT => parts.next() != Some(Length::Own) || parts.any(|part| part == Length::Shared),
        _ => parts.any(|part| part == Length::Shared),
    };
    let name = name.trim_matches(['_', '@']);
    is_refused.then(|| {
        format!("inside a loop, `{name}` may be used only on what belongs to `{round}`: each round would go through the rest again")
    })
}

/// What is wrong with a loop over `range` inside the loop of `round`.
pub(super) fn inspect_range(range: &IdedExpr, round: &str) -> Option<String> {
    (length(range, round) != Length::Own).then(|| {
        format!("inside a loop, another loop may run only over what belongs to `{round}`: each round would go through the rest again")
    })
}

/// What is wrong with a value that each round of the loop of `round` puts into a list or map.
pub(super) fn inspect_element(element: &IdedExpr, round: &str) -> Option<String> {
    (length(element, round) == Length::Shared).then(|| {
        format!("inside a loop, a list or map may be made only of what belongs to `{round}`: each round would make a copy of the rest")
    })
}

/// What a loop adds to its result in each round: `map` and `filter` an element, `exists_one` a number.
pub(super) fn collected(call: &CallExpr) -> Option<&[IdedExpr]> {
    let [result, added] = call.args.as_slice() else { return None };
    let is_result = matches!(&result.expr, Expr::Ident(name) if name.starts_with('@'));
    (is_result && call.func_name == operators::ADD).then_some(match &added.expr {
        Expr::List(list) => &list.elements,
        _ => &[],
    })
}

pub(super) fn parts(call: &CallExpr) -> impl Iterator<Item = &IdedExpr> {
    call.target.iter().map(AsRef::as_ref).chain(&call.args)
}

/// The keys and values of a map.
pub(super) fn entries(map: &MapExpr) -> impl Iterator<Item = &IdedExpr> {
    map.entries.iter().flat_map(|entry| match &entry.expr {
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        EntryExpr::StructField(field) => vec![&field.value],
    })
}

fn length(at: &IdedExpr, round: &str) -> Length {
    let longest = |parts: &mut dyn Iterator<Item = &IdedExpr>| {
        parts.map(|part| length(part, round)).max().unwrap_or(Length::Short)
    };
    match &at.expr {
        Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => Length::Short,
        Expr::Ident(name) => of_name(name, round),
        Expr::Select(select) if select.test => Length::Short,
        Expr::Select(select) if is_status(select) => Length::Short,
        Expr::Select(select) => length(&select.operand, round),
        Expr::Call(call) => match call.func_name.as_str() {
            operators::INDEX => longest(&mut call.args.iter().take(1)),
            operators::CONDITIONAL => longest(&mut call.args.iter().skip(1)),
            operators::ADD | "string" => longest(&mut parts(call)),
            name if functions::NAMES.contains(&name) => longest(&mut parts(call)),
            // Truth values and numbers.
            _ => Length::Short,
        },
        Expr::Comprehension(inner) => length(&inner.iter_range, round),
        Expr::List(list) => longest(&mut list.elements.iter()),
        Expr::Map(map) => longest(&mut entries(map)),
    }
}

fn of_name(name: &str, round: &str) -> Length {
    if name == round {
        Length::Own
    } else if is_short(name) {
        Length::Short
    } else {
        Length::Shared
    }
}

/// Whether what goes by this name, other than a loop's variable, is short. Captured values are: a longer one is not captured.
pub(super) fn is_short(name: &str) -> bool {
    let short = [Variable::Customer, Variable::Vars, Variable::Prior, Variable::Now];
    name.starts_with('@') || short.iter().any(|variable| variable.word() == name)
}

/// Whether it is the answer's status: the one part of an answer that is known to be short.
pub(super) fn is_status(select: &SelectExpr) -> bool {
    matches!(&select.operand.expr, Expr::Ident(name) if name == Variable::Response.word())
        && select.field == "status"
}
