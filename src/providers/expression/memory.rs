//! How much memory an evaluation takes at most. CEL has no budget at run time: what could come to more than a few times the
//! answer is refused at load.
//!
//! It counts the bytes of an answer of as many small values as an answer may have, because beside small values weighs most what
//! each round adds. Where the answer takes more (an object of a few bytes can become half a kilobyte), so does what is made of
//! it, in proportion.

use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};

use super::{cost, functions};
use crate::providers::http::{MOST_BODY_BYTES, MOST_VALUES};

/// How many times the answer an expression may make at once: where one loop runs over what another one made, it is there twice.
pub(super) const MOST_ANSWERS: u64 = 3;

/// The least that a value takes: its place in a list and what stands there.
const VALUE: u64 = 64;

/// A map of its own, with its table.
const MAP: u64 = 512;

/// A captured value or the customer's id. Longer ones are not captured, and hardly fit a URL.
const SHORT: u64 = 512;

/// The longest answer. A list of several pages counts as one, too: what is made of it is in proportion to it.
const ANSWER: u64 = MOST_BODY_BYTES as u64 + MOST_VALUES as u64 * VALUE;

/// What lists, numbers and truth values of the expression itself may take besides.
const OVERHEAD: u64 = 64 << 10;

/// The longest text of a number: the smallest double. Source: `Display` of `f64`, in which cel writes it.
const NUMBER: u64 = 336;

/// What an expression comes to, in all the rounds together that its place stands for.
#[derive(Clone, Copy, Default)]
struct Made {
    /// The value, wherever it is from.
    size: u64,
    /// What is new on the way, at the worst moment.
    peak: u64,
}

impl Made {
    /// What stays once the value is there: nothing of what was there before.
    fn held(self) -> u64 {
        self.size.min(self.peak)
    }

    /// Another evaluation, while this value is held.
    fn then(self, next: Made) -> u64 {
        self.peak.max(self.held().saturating_add(next.peak))
    }
}

/// A loop around the current place.
struct Round<'a> {
    variable: &'a str,
    /// What it runs over: all rounds together see it once, and one round may see all of it.
    own: u64,
    /// How many rounds there may be.
    most: u64,
    /// How many of them the place stands for: one where what they make is dropped, all where it is kept.
    rounds: u64,
    outer: Option<&'a Round<'a>>,
}

/// Whether an evaluation may make more than it should. For loops that nest no deeper than they may: each level is walked twice.
pub(super) fn is_too_much(expression: &IdedExpr) -> bool {
    weigh(expression, None).peak > MOST_ANSWERS * ANSWER + OVERHEAD
}

fn weigh(at: &IdedExpr, round: Option<&Round<'_>>) -> Made {
    let rounds = round.map_or(1, |round| round.rounds);
    let each = |bytes: u64| bytes.saturating_mul(rounds);
    let borrowed = |size| Made { size, peak: 0 };
    match &at.expr {
        Expr::Literal(literal) => borrowed(each(of_literal(literal))),
        Expr::Ident(name) => borrowed(of_name(name, round)),
        Expr::Select(select) if select.test => Made { size: each(VALUE), ..weigh(&select.operand, round) },
        Expr::Select(select) if cost::is_status(select) => borrowed(each(VALUE)),
        Expr::Select(select) => weigh(&select.operand, round),
        Expr::Call(call) => of_call(call, round),
        Expr::Comprehension(comprehension) => of_loop(comprehension, round),
        Expr::List(list) => together(&mut list.elements.iter(), round, each(VALUE)),
        Expr::Map(map) => together(&mut cost::entries(map), round, each(MAP)),
        Expr::Struct(_) | Expr::Unspecified => Made::default(),
    }
}

fn of_literal(literal: &LiteralValue) -> u64 {
    let text = match literal {
        LiteralValue::String(text) => text.inner().len(),
        LiteralValue::Bytes(bytes) => bytes.inner().len(),
        _ => 0,
    };
    VALUE.saturating_add(text as u64)
}

fn of_name(name: &str, round: Option<&Round<'_>>) -> u64 {
    let rounds = round.map_or(1, |round| round.rounds);
    let around = std::iter::successors(round, |round| round.outer);
    match around.enumerate().find(|(_, round)| round.variable == name) {
        Some((0, round)) => round.own,
        Some((_, round)) => round.own.saturating_mul(rounds),
        None if name.starts_with('@') => 0,
        None if cost::is_short(name) => SHORT.saturating_mul(rounds),
        None => ANSWER.saturating_mul(rounds),
    }
}

fn of_call(call: &CallExpr, round: Option<&Round<'_>>) -> Made {
    if let Some(elements) = cost::collected(call) {
        return kept(elements, round);
    }
    if call.func_name == operators::ADD {
        let mut added = Vec::new();
        flatten(call, &mut added);
        let made: Vec<_> = added.iter().map(|part| weigh_part(part, round)).collect();
        return put_together(&added, &made, 0);
    }
    let rounds = round.map_or(1, |round| round.rounds);
    let each = |bytes: u64| bytes.saturating_mul(rounds);
    let parts: Vec<_> = cost::parts(call).map(|part| weigh(part, round)).collect();
    let sizes = sum(parts.iter().map(|part| part.size));
    let longest = parts.iter().map(|part| part.peak).max().unwrap_or_default();
    let first = parts.first().map_or(0, |part| part.size);
    let all = parts.iter().fold(Made::default(), |before, part| Made {
        size: before.held().saturating_add(part.held()),
        peak: before.then(*part),
    });
    let made = |size| Made { size, peak: all.then(Made { size, peak: size }) };
    match call.func_name.as_str() {
        // Of what only decides, a truth value is left before the next part is evaluated.
        operators::CONDITIONAL => {
            Made { size: parts.iter().skip(1).map(|part| part.size).max().unwrap_or_default(), peak: longest }
        }
        operators::LOGICAL_AND | operators::LOGICAL_OR => Made { size: each(VALUE), peak: longest },
        operators::INDEX => Made { size: first, ..all },
        functions::SPLIT => made(first.max(parts_of_split(first, rounds).saturating_mul(VALUE))),
        functions::REPLACE if shortens(call) => made(first),
        functions::REPLACE => made(first.saturating_add(each(functions::MAX_GROWN_BYTES as u64))),
        functions::LOWER_ASCII => made(sizes),
        "string" if call.args.iter().any(is_double) => made(sizes.saturating_add(each(NUMBER))),
        "string" => made(sizes),
        // Truth values and numbers.
        _ => Made { size: each(VALUE), ..all },
    }
}

fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

/// At most one part for each byte, and one more.
fn parts_of_split(text: u64, rounds: u64) -> u64 {
    let most = (functions::MAX_PARTS as u64).saturating_mul(rounds);
    most.min(text.saturating_add(rounds))
}

/// Whether `replace` puts something in that is no longer than what it takes out.
fn shortens(call: &CallExpr) -> bool {
    match call.args.as_slice() {
        [from, to] => text_length(from).zip(text_length(to)).is_some_and(|(from, to)| from > 0 && to <= from),
        _ => false,
    }
}

fn text_length(at: &IdedExpr) -> Option<u64> {
    match &at.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().len() as u64),
        _ => None,
    }
}

fn is_double(at: &IdedExpr) -> bool {
    matches!(&at.expr, Expr::Literal(LiteralValue::Double(_)))
}

/// A list or map of its own.
fn together(parts: &mut dyn Iterator<Item = &IdedExpr>, round: Option<&Round<'_>>, empty: u64) -> Made {
    let parts: Vec<_> = parts.collect();
    let made: Vec<_> = parts.iter().map(|part| weigh(part, round)).collect();
    put_together(&parts, &made, empty)
}

/// What is added up, from left to right: `a + b + c` is one text or list.
fn flatten<'e>(call: &'e CallExpr, added: &mut Vec<&'e IdedExpr>) {
    for part in cost::parts(call) {
        match &part.expr {
            Expr::Call(inner) if inner.func_name == operators::ADD => flatten(inner, added),
            _ => added.push(part),
        }
    }
}

/// Of a text in an expression only its bytes are added.
fn weigh_part(part: &IdedExpr, round: Option<&Round<'_>>) -> Made {
    let rounds = round.map_or(1, |round| round.rounds);
    match text_length(part) {
        Some(length) => Made { size: length.saturating_mul(rounds), peak: 0 },
        None => weigh(part, round),
    }
}

/// What goes in counts once, as a part of the whole; what came before is held while the next one is made.
fn put_together(parts: &[&IdedExpr], made: &[Made], empty: u64) -> Made {
    let size = size_together(parts, made).saturating_add(empty);
    let mut before = empty;
    let mut peak = size;
    for (at, part) in made.iter().enumerate() {
        peak = peak.max(before.saturating_add(part.peak));
        before = size_together(&parts[..=at], &made[..=at]).saturating_add(empty);
    }
    Made { size, peak }
}

/// Fields of one value, none of them within another, are together no more than that value.
fn size_together(parts: &[&IdedExpr], made: &[Made]) -> u64 {
    let paths: Vec<_> = parts.iter().map(|part| path(part)).collect();
    let is_apart = |at: usize, path: &[&str]| {
        let mut others = paths.iter().enumerate().filter(|(other, _)| *other != at);
        path.len() > 1 && !others.any(|(_, other)| is_within(path, other) || is_within(other, path))
    };
    let mut of_values: BTreeMap<&str, u64> = BTreeMap::new();
    let mut size = 0_u64;
    for ((at, path), made) in paths.iter().enumerate().zip(made) {
        if is_apart(at, path) {
            let of_value = of_values.entry(path[0]).or_default();
            *of_value = made.size.max(*of_value);
        } else {
            size = size.saturating_add(made.size);
        }
    }
    size.saturating_add(sum(of_values.into_values()))
}

/// The variable and the fields that lead to a place; empty where it is no such place.
fn path(at: &IdedExpr) -> Vec<&str> {
    match &at.expr {
        Expr::Ident(name) => vec![name],
        Expr::Select(select) if !select.test => {
            let mut path = path(&select.operand);
            if !path.is_empty() {
                path.push(&select.field);
            }
            path
        }
        _ => Vec::new(),
    }
}

fn is_within(path: &[&str], whole: &[&str]) -> bool {
    !whole.is_empty() && path.starts_with(whole)
}

fn of_loop(comprehension: &ComprehensionExpr, outer: Option<&Round<'_>>) -> Made {
    let rounds = outer.map_or(1, |round| round.rounds);
    let range = weigh(&comprehension.iter_range, outer);
    let most = (range.size / VALUE).max(rounds);
    let round = Round { variable: &comprehension.iter_var, own: range.size, most, rounds: 1, outer };
    let step = weigh(&comprehension.loop_step, Some(&round));
    Made { size: step.size.saturating_add(VALUE.saturating_mul(rounds)), peak: range.then(step) }
}

/// What all rounds add to the result of their loop. What they make on the way is there for one round at a time.
fn kept(elements: &[IdedExpr], round: Option<&Round<'_>>) -> Made {
    let all = round.map(|round| Round { rounds: round.most, ..*round });
    let size = sum(elements.iter().map(|element| weigh(element, all.as_ref()).size));
    let peak = elements.iter().map(|element| weigh(element, round).peak).fold(size, u64::max);
    Made { size, peak }
}
