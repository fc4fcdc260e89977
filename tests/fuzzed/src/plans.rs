//! What a request asks for: the spec of a CustomerOffboarding, as an API server with an older schema may have stored it.

use std::collections::BTreeSet;

use offboarding::{
    api::{CustomerOffboardingSpec, OffboardingResult},
    domain::{CustomerSource, Part, Plan, WholePlan, Wish},
};

use crate::stage::REQUEST;

/// A spec is refused in words without its values, or it is a plan: whole, in order, without a circle, and with a hash of its own.
///
/// # Panics
/// Where a promise is broken.
pub fn plan(input: &[u8]) {
    let Ok(spec) = serde_json::from_slice::<CustomerOffboardingSpec>(input) else { return };
    let plans = match Plan::of_each_target(REQUEST, &spec) {
        Ok(plans) => plans,
        Err(why) => {
            assert!(why.to_string().contains('`'), "it names no field: {why}");
            return;
        }
    };
    let names: Vec<&str> = plans.iter().map(|plan| plan.target.as_str()).collect();
    let mut wanted: Vec<&str> = spec.targets.iter().map(|target| target.name.as_str()).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted, "every target has a plan, by name");
    assert!((1..=32).contains(&names.len()) && names.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(can_be_ordered(&plans), "targets wait for each other");
    for plan in &plans {
        let wish = match (spec.cancel, spec.suspend) {
            (true, _) => Wish::Withdrawn,
            (false, true) => Wish::Suspended,
            (false, false) => Wish::Standing,
        };
        assert_eq!((plan.wish, plan.not_before), (wish, spec.not_before), "a control is passed over");
        if let CustomerSource::Literal(_) = &plan.customer {
            assert_eq!(format!("{:?}", plan.customer), "Literal(CustomerId)", "a plan prints its customer");
        }
    }
    has_a_hash_of_its_own(&spec, &plans);
}

/// Whether the targets can be done one after another, each when all that it waits for are done.
fn can_be_ordered(plans: &[Plan]) -> bool {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for _ in plans {
        let ready = |plan: &&Plan| plan.depends_on.iter().all(|name| done.contains(name.as_str()));
        let ready: Vec<&str> = plans.iter().filter(ready).map(|plan| plan.target.as_str()).collect();
        done.extend(ready);
    }
    done.len() == plans.len()
}

/// The hash is the same for the same inputs, and another one for another request or a target less.
fn has_a_hash_of_its_own(spec: &CustomerOffboardingSpec, plans: &[Plan]) {
    let hash = |plans: &[Plan]| {
        let parts = plans.iter().map(|plan| Part::done(plan, "acct-eu", OffboardingResult::Erased)).collect();
        WholePlan::new(&plans.iter().collect::<Vec<_>>(), parts, 1).map(|whole| whole.hash)
    };
    let ours = hash(plans);
    assert!(ours.is_some(), "a plan without a hash");
    let again = Plan::of_each_target(REQUEST, spec).expect("it was a plan");
    assert_eq!(ours, hash(&again), "one plan has two hashes");
    let others = Plan::of_each_target("another", spec).expect("it was a plan");
    assert_ne!(ours, hash(&others), "two requests have one hash");
    assert_ne!(ours, hash(&plans[1..]), "a target less, and the same hash");
    let mut other = spec.clone();
    other.accept_absent = !other.accept_absent;
    let other = Plan::of_each_target(REQUEST, &other).expect("it was a plan");
    assert_ne!(ours, hash(&other), "another wish, and the same hash");
}
