//! Who agrees to what, and how: approvals, denials, and what everybody does once it is calm.

use std::{collections::BTreeSet, rc::Rc};

use offboarding::{
    api::Reason,
    domain::{Approval, Grant, Says},
};

use crate::{
    api::{Request, Said, View, Watched},
    people::{control, edit, number_of, policies_as_shipped, validity},
    scenario::{MINUTE, Ms, SECOND},
    world::{Event, World, wall},
};

const PEOPLE: [&str; 4] = ["bob", "carol", "dave", "alice"];

/// Approves the plan that a request's status tells, or denies the request.
pub fn say(world: &mut World, request: &Request, approver: &str, yes: bool, holds_for: Ms) {
    let Some(plan_hash) = request.status.plan.as_ref().map(|plan| plan.hash.clone()) else { return };
    world.last_uid += 1;
    let approval = Approval {
        uid: format!("approval-{}", world.last_uid),
        approver: approver.to_owned(),
        says: if yes {
            let expires_at = wall(world.now + holds_for);
            Says::Approve { plan_hash, grants: vec![Grant::Delete], expires_at }
        } else {
            Says::Deny
        },
        created_at: wall(world.now),
    };
    world.truth.is_said(&request.uid, &approval, world.now, world.now + holds_for);
    let said = Said { request_uid: request.uid.clone(), approval };
    change(world, |all| all.push(said));
}

/// Removes what people said.
pub fn take_back(world: &mut World, which: impl Fn(&Said) -> bool) {
    let now = world.now;
    for said in world.api.view().said.clone().iter().filter(|said| which(said)) {
        world.truth.is_taken_back(said, now);
    }
    if world.api.view().said.iter().any(&which) {
        change(world, |all| all.retain(|said| !which(said)));
    }
}

fn change(world: &mut World, with: impl FnOnce(&mut Vec<Said>)) {
    world.commit(Watched::Approvals, |view: &mut View| {
        let mut said = view.said.as_ref().clone();
        with(&mut said);
        view.said = Rc::new(said);
    });
}

/// Whether a status waits for people to agree.
fn awaits_approval(request: &Request) -> bool {
    let resurrected = Reason::Resurrected.as_str();
    !request.status.finished
        && (request.status.phase == "AwaitingApproval"
            || request.status.phase == "Blocked"
                && request.status.conditions.iter().any(|condition| condition.reason == resurrected))
}

/// Everybody says what there is to say, and comes back.
pub fn speak(world: &mut World) {
    if world.is_calm && !world.scenario.consents {
        return;
    }
    if world.is_calm {
        help(world);
    }
    let view = world.api.view().clone();
    for request in view.requests.values().filter(|request| awaits_approval(request)) {
        let hash = request.status.plan.as_ref().map(|plan| plan.hash.clone());
        for approver in PEOPLE {
            let said_so = view.said.iter().any(|said| {
                let is_recent =
                    said.approval.created_at + std::time::Duration::from_millis(MINUTE) > wall(world.now);
                let same_plan = matches!(&said.approval.says, Says::Approve { plan_hash, .. }
                    if Some(plan_hash) == hash.as_ref());
                said.request_uid == request.uid
                    && said.approval.approver == approver
                    && same_plan
                    && is_recent
            });
            let eagerness = if world.is_calm { 1 } else { world.scenario.eagerness };
            if !said_so && world.rng.one_in(eagerness) {
                let holds_for = validity(world);
                say(world, request, approver, true, holds_for);
            }
        }
    }
    let again = if world.is_calm { 30 * SECOND } else { world.rng.between(SECOND, 8 * SECOND) };
    world.schedule(world.now + again, Event::People);
}

/// Nobody has anything more to say: nothing is waited for.
pub fn says_nothing_more(world: &World) -> bool {
    let view = world.api.view();
    let finished = view.requests.values().all(|request| request.status.finished);
    finished && view.records.values().all(|record| record.spec.closed)
}

/// Whoever wants it done lifts what stops it, and gives up what can only be given up.
fn help(world: &mut World) {
    let (now, view) = (world.now, world.api.view().clone());
    take_back(world, |said| said.approval.says == Says::Deny);
    if !view.holds.is_empty() {
        world.commit(Watched::Holds, |view| view.holds = Rc::default());
    }
    if *view.policies != policies_as_shipped() {
        world.truth.policies(None);
        world.commit(Watched::Policies, |view| view.policies = Rc::new(policies_as_shipped()));
    }
    for (place, object) in view.providers.iter().enumerate() {
        if object.is_none() {
            let first = crate::people::nothing_yet(&world.scenario).providers[place].clone();
            world.truth.demands(place, now, world.scenario.places[place].required);
            world.commit(Watched::Providers, |view| view.providers[place] = first);
        } else if object.as_ref().is_some_and(|object| object.facts.suspended) {
            edit(world, place, |object| object.facts.suspended = false);
        }
        for customer in 0..world.scenario.customers {
            world.saas.block(now, place, customer, false);
        }
    }
    for request in view.requests.values().filter(|request| !request.status.finished) {
        control(world, request.name, |spec| spec.suspend = false);
        let another = Reason::PlanChanged.as_str();
        let is_another = request.status.phase == "Blocked"
            && request.status.conditions.iter().any(|condition| condition.reason == another);
        if is_another || waits_crosswise(world, request) {
            control(world, request.name, |spec| spec.cancel = true);
        }
    }
    bring_the_credential_back(world, &view);
}

/// Two requests for one customer began at different providers, and each waits for the other's record: the later one is given up.
fn waits_crosswise(world: &World, request: &Request) -> bool {
    let duplicate = Reason::Duplicate.as_str();
    let is_told =
        |request: &Request| request.status.conditions.iter().any(|condition| condition.reason == duplicate);
    let asked_at = |uid: &String| world.truth.requests.get(uid).map(|asked| (asked.created_at, uid.clone()));
    let owners = owners(world, &request.uid);
    let view = world.api.view();
    let all = view.requests.values().filter(|other| is_told(other) && owners.contains(&other.uid));
    let mut earlier = all.filter(|owner| asked_at(&owner.uid) < asked_at(&request.uid));
    is_told(request) && earlier.any(|owner| self::owners(world, &owner.uid).contains(&request.uid))
}

/// The other requests that hold a record which this one needs.
fn owners(world: &World, uid: &str) -> BTreeSet<String> {
    let Some(asked) = world.truth.requests.get(uid) else { return BTreeSet::new() };
    let open = world
        .api
        .view()
        .records
        .values()
        .filter(|record| !record.spec.closed && record.spec.request.uid != uid);
    let of_others = open
        .filter(|record| number_of(&record.spec.provider.name) < asked.targets)
        .map(|record| &record.spec.request.uid);
    let is_same = |other: &&String| {
        world.truth.requests.get(*other).is_some_and(|other| other.customer == asked.customer)
    };
    of_others.filter(is_same).cloned().collect()
}

/// What was sent with one credential is verified with that one: of several that wait, one after the other.
fn bring_the_credential_back(world: &mut World, view: &View) {
    for place in 0..view.providers.len() {
        let account = crate::people::account_of(place);
        let open =
            view.records.values().filter(|record| !record.spec.closed && record.spec.account == account);
        let waits = open.filter_map(|record| record.spec.attempts.last());
        let used: Vec<&String> = waits.map(|attempt| &attempt.credential).collect();
        let now = view.providers[place].as_ref().map(|object| object.credential.clone());
        if let (Some(first), Some(now)) = (used.first(), now)
            && !used.contains(&&now)
        {
            let credential = (*first).clone();
            edit(world, place, |object| object.credential = credential);
        }
    }
}
