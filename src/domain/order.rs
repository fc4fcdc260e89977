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
/// deactivates comes before what deletes, unless somebody ordered it otherwise.
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
        let waits_for_us = comes_after(plans, &other.target).contains(target.target.as_str());
        if !waits_for_us {
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
        ] {
            let plans = plans(graph);
            let plan = plans.iter().find(|plan| plan.target == target).unwrap();
            let before = must_be_done_before(&plans, plan, |plan| plan.mode);
            assert_eq!(before.into_iter().collect::<Vec<_>>(), expected, "{graph:?}: {target}");
        }
    }
}
