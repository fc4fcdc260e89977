//! Which target comes before which: what `dependsOn` says, and what deactivates before what deletes.

use std::collections::BTreeSet;

use super::Plan;
use crate::api::Mode;

/// Whether every name is there, and nothing waits for itself over any number of steps.
#[must_use]
pub fn is_a_graph(plans: &[Plan]) -> bool {
    let known = |name: &String| plans.iter().any(|plan| plan.target == *name);
    plans.iter().all(|plan| {
        plan.depends_on.iter().all(known) && !comes_after(plans, &plan.target).contains(plan.target.as_str())
    })
}

/// The names of all targets that must be done before this one, by what `dependsOn` says.
fn comes_after<'a>(plans: &'a [Plan], target: &str) -> BTreeSet<&'a str> {
    let direct = |name: &str| plans.iter().find(|plan| plan.target == name);
    let mut before = BTreeSet::new();
    let mut open: Vec<&Plan> = direct(target).into_iter().collect();
    while let Some(plan) = open.pop() {
        for name in &plan.depends_on {
            if before.insert(name.as_str()) {
                open.extend(direct(name));
            }
        }
    }
    before
}

/// The names of all targets that must be done before this one. `mode_of` says what each target does, where that is known: what
/// deactivates comes before what deletes, unless it was ordered to wait for something that may delete. So no circle is possible.
#[must_use]
pub fn must_be_done_before<'a>(
    plans: &'a [Plan],
    target: &Plan,
    mode_of: impl Fn(&Plan) -> Option<Mode>,
) -> BTreeSet<&'a str> {
    let mut before = comes_after(plans, &target.target);
    if mode_of(target) != Some(Mode::Hard) {
        return before;
    }
    for other in plans.iter().filter(|other| mode_of(other) == Some(Mode::Soft)) {
        let first = comes_after(plans, &other.target);
        let mut first = plans.iter().filter(|plan| first.contains(plan.target.as_str()));
        if first.all(|plan| mode_of(plan) == Some(Mode::Soft)) {
            before.insert(&other.target);
        }
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Wish, fixtures::plan};

    fn plans(graph: &[(&str, Mode, &[&str])]) -> Vec<Plan> {
        let target = |(name, mode, after): &(&str, Mode, &[&str])| Plan {
            target: (*name).to_owned(),
            mode: Some(*mode),
            depends_on: after.iter().map(|name| (*name).to_owned()).collect(),
            ..plan(Wish::Standing)
        };
        graph.iter().map(target).collect()
    }

    #[test]
    fn a_graph_names_only_what_is_there_and_never_waits_for_itself() {
        use Mode::Hard;
        for (graph, fits) in [
            (&[("a", Hard, &[][..])][..], true),
            (&[("a", Hard, &["b"][..]), ("b", Hard, &[])], true),
            (&[("a", Hard, &["b"][..]), ("b", Hard, &["c"]), ("c", Hard, &[])], true),
            (&[("a", Hard, &["a"][..])], false),
            (&[("a", Hard, &["x"][..])], false),
            (&[("a", Hard, &["b"][..]), ("b", Hard, &["a"])], false),
            (&[("a", Hard, &["b"][..]), ("b", Hard, &["c"]), ("c", Hard, &["a"])], false),
            (
                &[("a", Hard, &["b", "c"][..]), ("b", Hard, &["d"]), ("c", Hard, &["d"]), ("d", Hard, &[])],
                true,
            ),
        ] {
            assert_eq!(is_a_graph(&plans(graph)), fits, "{graph:?}");
        }
    }

    #[test]
    fn what_deactivates_comes_before_what_deletes_unless_ordered() {
        use Mode::{Hard, Soft};
        for (graph, target, expected) in [
            (&[("a", Hard, &[][..]), ("b", Soft, &[])][..], "a", &["b"][..]),
            (&[("a", Hard, &[][..]), ("b", Soft, &[])], "b", &[]),
            (&[("a", Hard, &[][..]), ("b", Soft, &["a"])], "a", &[]),
            (&[("a", Hard, &[][..]), ("b", Soft, &["a"])], "b", &["a"]),
            (&[("a", Hard, &["c"][..]), ("b", Soft, &[]), ("c", Hard, &[])], "a", &["b", "c"]),
            (&[("a", Hard, &["b"][..]), ("b", Hard, &["c"]), ("c", Hard, &[])], "a", &["b", "c"]),
            (&[("a", Hard, &[][..]), ("b", Soft, &["c"]), ("c", Soft, &[])], "a", &["b", "c"]),
            (&[("a", Hard, &[][..]), ("b", Soft, &["c"]), ("c", Hard, &[])], "a", &[]),
        ] {
            let plans = plans(graph);
            let plan = plans.iter().find(|plan| plan.target == target).unwrap();
            let before = must_be_done_before(&plans, plan, |plan| plan.mode);
            assert_eq!(before.into_iter().collect::<Vec<_>>(), expected, "{graph:?}: {target}");
        }
    }

    /// Every graph of four targets, with every way in which they delete or deactivate.
    #[test]
    fn whatever_is_ordered_no_target_waits_for_itself() {
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        const EDGES: [(usize, usize); 6] = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)];
        for (edges, modes) in
            (0..1_u32 << 6).flat_map(|edges| (0..1_u32 << 4).map(move |modes| (edges, modes)))
        {
            let target = |index: usize| {
                let after =
                    EDGES.iter().enumerate().filter(|(bit, edge)| edges >> bit & 1 == 1 && edge.0 == index);
                Plan {
                    target: NAMES[index].to_owned(),
                    mode: Some(if modes >> index & 1 == 1 { Mode::Soft } else { Mode::Hard }),
                    depends_on: after.map(|(_, edge)| NAMES[edge.1].to_owned()).collect(),
                    ..plan(Wish::Standing)
                }
            };
            let plans: Vec<Plan> = (0..4).map(target).collect();
            let mut open: Vec<&Plan> = plans.iter().collect();
            while !open.is_empty() {
                let free = |plan: &&Plan| {
                    let before = must_be_done_before(&plans, plan, |plan| plan.mode);
                    !open.iter().any(|other| before.contains(other.target.as_str()))
                };
                let next = open.iter().position(free);
                open.remove(next.unwrap_or_else(|| panic!("all wait: {open:#?}")));
            }
        }
    }
}
