//! What a trouble does.

use std::rc::Rc;

use offboarding::domain::PolicyState;

use crate::{
    api::Watched,
    consent::{say, take_back},
    operator::Fate,
    people::{control, create, edit, hold, policies_as_shipped, remove, validity},
    saas::Customer,
    scenario::{Ms, SECOND, What},
    words::name_of_what,
    world::World,
};

/// Something happens; where it is about a process, to the one that is `here`.
pub fn happens(world: &mut World, what: What, here: Option<usize>) {
    world.say(name_of_what(what), &[], || format!("{what:?}"));
    match what {
        What::Crash { .. }
        | What::Freeze { .. }
        | What::BothLead { .. }
        | What::RestartsFromAnOldList { .. }
        | What::LosesARequest { .. }
        | What::LosesAnAnswer { .. }
        | What::IsUnavailable { .. }
        | What::WatchGap { .. } => of_the_machinery(world, what, here),
        What::Answers { .. }
        | What::Changes { .. }
        | What::OutsiderDeletes { .. }
        | What::OutsiderRecreates { .. }
        | What::Blocks { .. }
        | What::Unblocks { .. }
        | What::CannotAnswerACheck { .. } => of_the_provider(world, what),
        What::Edit { .. }
        | What::Raise { .. }
        | What::RemoveProvider { .. }
        | What::RotateCredential { .. }
        | What::SuspendProvider { .. }
        | What::ResumeProvider { .. } => of_the_platform_team(world, what),
        _ => of_people(world, what),
    }
}

fn of_the_machinery(world: &mut World, what: What, here: Option<usize>) {
    let now = world.now;
    match what {
        What::Crash { operator, for_ } => world.crashes(here.unwrap_or(operator), for_),
        What::Freeze { operator, for_ } => world.freezes(here.unwrap_or(operator), for_),
        What::BothLead { operator, for_ } => {
            world.operators[operator].believes_until = now + for_;
            if world.leader.is_some_and(|(leader, _)| leader != operator) {
                world.say("two lead at once", &[operator], String::new);
            }
            if world.leads(operator) {
                world.begins_to_lead(operator);
            }
        }
        What::RestartsFromAnOldList { operator, old } => {
            let operator = here.unwrap_or(operator);
            world.operators[operator].next_list_is_old = old;
            world.crashes(operator, SECOND);
        }
        What::LosesARequest { operator } => {
            world.operators[here.unwrap_or(operator)].fate = Some(Fate::NeverArrives);
        }
        What::LosesAnAnswer { operator } => {
            world.operators[here.unwrap_or(operator)].fate = Some(Fate::Unanswered);
        }
        What::IsUnavailable { for_ } => world.api.unavailable_until = now + for_,
        What::WatchGap { operator, for_ } => world.operators[operator].gap_until = now + for_,
        _ => {}
    }
}

fn of_the_provider(world: &mut World, what: What) {
    let now = world.now;
    match what {
        What::Answers { provider, answer } => world.saas.accounts[provider].answers.push_back(answer),
        What::Changes { provider, weather, for_ } => {
            world.saas.accounts[provider].weather = (weather, now + for_);
        }
        What::OutsiderDeletes { provider, customer } => {
            if matches!(world.saas.customer(provider, customer), Customer { incarnation: 1.., .. }) {
                world.saas.delete(now, provider, customer);
            }
        }
        What::OutsiderRecreates { provider, customer } => world.saas.recreate(now, provider, customer),
        What::Blocks { provider, customer } => world.saas.block(now, provider, customer, true),
        What::Unblocks { provider, customer } => world.saas.block(now, provider, customer, false),
        What::CannotAnswerACheck { provider, for_ } => {
            world.saas.accounts[provider].checks_fail_until = now + for_;
        }
        _ => {}
    }
}

fn of_the_platform_team(world: &mut World, what: What) {
    let edits = world.steps;
    match what {
        What::Edit { provider } => edit(world, provider, |object| {
            let declared = std::sync::Arc::make_mut(&mut object.facts.declared);
            declared.profile_hash = format!("sha256:profile-{edits}");
        }),
        What::Raise { provider } => edit(world, provider, |object| {
            object.facts.demands.required = (object.facts.demands.required + 1).min(2);
        }),
        What::RemoveProvider { provider } => {
            world.commit(Watched::Providers, |view| view.providers[provider] = None);
        }
        What::RotateCredential { provider } => edit(world, provider, |object| {
            object.credential = format!("hmac:credential-{provider}-{edits}");
        }),
        What::SuspendProvider { provider } => {
            edit(world, provider, |object| object.facts.suspended = true);
        }
        What::ResumeProvider { provider } => {
            edit(world, provider, |object| object.facts.suspended = false);
        }
        _ => {}
    }
}

fn of_people(world: &mut World, what: What) {
    match what {
        What::Approve { request } => {
            let holds_for = validity(world);
            one_says(world, request, true, holds_for);
        }
        What::ApproveBriefly { request } => {
            let holds_for = world.scenario.timing.request_deadline + SECOND / 2;
            one_says(world, request, true, holds_for);
        }
        What::Deny { request } => one_says(world, request, false, 0),
        What::TakeTheDenialBack { request } => {
            let uid = uid_of(world, request);
            take_back(world, |said| {
                Some(&said.request_uid) == uid.as_ref()
                    && said.approval.says == offboarding::domain::Says::Deny
            });
        }
        What::Withdraw { request } => {
            let uid = uid_of(world, request);
            take_back(world, |said| Some(&said.request_uid) == uid.as_ref());
        }
        What::LosePolicies => {
            let missing = PolicyState::Missing(vec!["approvals.offboarding.dev".to_owned()]);
            world.truth.policies(Some(world.now));
            world.commit(Watched::Policies, |view| view.policies = Rc::new(missing));
        }
        What::MendPolicies => {
            world.truth.policies(None);
            world.commit(Watched::Policies, |view| view.policies = Rc::new(policies_as_shipped()));
        }
        What::Hold { customer } => hold(world, Some(customer), None),
        What::HoldBriefly { customer } => hold(world, Some(customer), Some(20 * SECOND)),
        What::HoldAll => hold(world, None, None),
        What::Release => world.commit(Watched::Holds, |view| view.holds = Rc::default()),
        What::Suspend { request } => control(world, request, |spec| spec.suspend = true),
        What::Resume { request } => control(world, request, |spec| spec.suspend = false),
        What::Cancel { request } => control(world, request, |spec| spec.cancel = true),
        What::Delete { request } => remove(world, request),
        What::AskAgain { request } => {
            let name = world.scenario.requests.len() + usize::try_from(world.steps).unwrap_or(0);
            create(world, name, request);
        }
        What::ReCreate { request } => {
            remove(world, request);
            create(world, request, request);
        }
        _ => {}
    }
}

fn uid_of(world: &World, request: usize) -> Option<String> {
    Some(world.api.view().requests.get(&request)?.uid.clone())
}

fn one_says(world: &mut World, name: usize, yes: bool, holds_for: Ms) {
    let Some(request) = world.api.view().requests.get(&name).cloned() else { return };
    let approver = world.rng.pick(&["bob", "carol", "alice"]);
    say(world, &request, approver, yes, holds_for);
}
