//! What people can do, and what it leads to.

use super::{
    shelf::spent_bit,
    state::{Age, Approval, Asked, GENERATIONS, People, Place, Policies, Rec, SLOTS, State, Step, bit},
    world::{Action, World},
};

impl State {
    pub fn mending(&self, world: &World, actions: &mut Vec<Action>) {
        let people = &self.people;
        for (needed, action) in [
            (people.denied, Action::TakeTheDenialBack),
            (people.policies == Policies::Missing, Action::MendPolicies),
            (people.asked == Asked::Suspended, Action::Resume),
        ] {
            if needed {
                actions.push(action);
            }
        }
        for target in 0..world.brain.setup.targets {
            let place = people.places[usize::from(target)];
            for (needed, action) in [
                (people.held & bit(target) != 0, Action::Release { target }),
                (place.suspended, Action::ResumeProvider { target }),
                (place.raised, Action::Lower { target }),
                (place.blocked, Action::Unblock { target }),
            ] {
                if needed {
                    actions.push(action);
                }
            }
        }
    }

    /// Slots that may say yes in this run.
    fn slots(world: &World) -> impl Iterator<Item = u8> {
        let slots = world.brain.setup.slots;
        (0..u8::try_from(SLOTS).unwrap_or(0)).filter(move |slot| slots & bit(*slot) != 0)
    }

    pub fn agreeing(&self, world: &World, actions: &mut Vec<Action>) {
        if self.told == 0 || self.is_over() {
            return;
        }
        for slot in Self::slots(world) {
            match self.people.approvals[usize::from(slot)] {
                None => actions.push(Action::Approve { slot }),
                Some(Approval { age: Age::Ending, .. }) => actions.push(Action::ApprovalIsOver { slot }),
                Some(approval) if approval.generation + 1 < GENERATIONS => {
                    let stands = approval.plan == self.told
                        && matches!(approval.age, Age::Young | Age::Valid)
                        && !self.is_spent(world, slot, approval.generation);
                    if !stands {
                        actions.push(Action::ApproveAnew { slot });
                    }
                }
                Some(_) => {}
            }
        }
    }

    fn is_spent(&self, world: &World, slot: u8, generation: u8) -> bool {
        let spent = |rec: &Rec| {
            world.shelf.get(*rec).is_some_and(|kept| kept.spent & spent_bit(slot, generation) != 0)
        };
        self.recs.iter().any(spent)
    }

    pub fn troubling(&self, world: &World, actions: &mut Vec<Action>) {
        let people = &self.people;
        let attended = world.brain.setup.need(&people.places) > 0;
        if attended {
            for slot in Self::slots(world) {
                match people.approvals[usize::from(slot)] {
                    None => actions.push(Action::ApproveAnotherRequest { slot }),
                    Some(approval) => {
                        if approval.generation + 1 < GENERATIONS && approval.age != Age::Withdrawn {
                            actions.push(Action::Withdraw { slot });
                        }
                        if approval.age == Age::Valid {
                            actions.push(Action::ApprovalEnds { slot });
                        }
                    }
                }
            }
        }
        let live = matches!(people.asked, Asked::Standing | Asked::Suspended);
        for (possible, action) in [
            (!people.denied, Action::Deny),
            (attended && people.policies == Policies::InForce, Action::LosePolicies),
            (people.asked == Asked::Standing, Action::Suspend),
            (live, Action::Cancel),
            (people.asked != Asked::Deleted, Action::Delete),
        ] {
            if possible {
                actions.push(action);
            }
        }
        for target in 0..world.brain.setup.targets {
            let slot = usize::from(target);
            let place = people.places[slot];
            let customer = self.customers[slot];
            for (possible, action) in [
                (people.held & bit(target) == 0, Action::Hold { target }),
                (!place.suspended, Action::SuspendProvider { target }),
                (!place.edited, Action::Edit { target }),
                (attended && !place.raised, Action::Raise { target }),
                (!place.blocked, Action::Block { target }),
                (customer != 0, Action::OutsiderDeletes { target }),
                (
                    self.truth.second & bit(target) == 0 && self.is_quiet(world, slot),
                    Action::OutsiderRecreates { target },
                ),
            ] {
                if possible {
                    actions.push(action);
                }
            }
        }
    }

    /// E6: nobody creates the same id again while an attempt may still be executed.
    fn is_quiet(&self, world: &World, target: usize) -> bool {
        let sending = self.processes.iter().any(|process| {
            matches!(process.step, Step::Intended { order, .. } | Step::Unsure { order, .. } | Step::Reread { order, .. }
                if world.brain.given(order).is_some_and(|given| usize::from(given.target) == target))
        });
        self.flights[target].is_none() && !sending
    }
}

/// Whether it is one of the troubles of which there are only so many in a history.
pub fn is_trouble(action: Action) -> bool {
    matches!(
        action,
        Action::ApproveAnotherRequest { .. }
            | Action::Withdraw { .. }
            | Action::ApprovalEnds { .. }
            | Action::Deny
            | Action::LosePolicies
            | Action::Hold { .. }
            | Action::Suspend
            | Action::Cancel
            | Action::Delete
            | Action::SuspendProvider { .. }
            | Action::Edit { .. }
            | Action::Raise { .. }
            | Action::Block { .. }
    )
}

impl People {
    pub fn change(&mut self, cooling_off: bool, action: Action, told: u8) -> Option<()> {
        let age = if cooling_off { Age::Young } else { Age::Valid };
        match action {
            Action::CoolingOffPasses => {
                self.grow_older(|age| if age == Age::Young { Age::Valid } else { age })
            }
            Action::ApprovalIsOver { slot } => self.approval(slot)?.age = Age::Over,
            Action::ApprovalEnds { slot } => self.approval(slot)?.age = Age::Ending,
            Action::Approve { slot } => {
                self.approvals[usize::from(slot)] = Some(Approval { plan: told, generation: 0, age });
            }
            Action::ApproveAnotherRequest { slot } => {
                self.approvals[usize::from(slot)] = Some(Approval { plan: 0, generation: 0, age });
            }
            Action::ApproveAnew { slot } => {
                let generation = self.approval(slot)?.generation + 1;
                self.approvals[usize::from(slot)] = Some(Approval { plan: told, generation, age });
            }
            // Its place stays taken: whoever agrees again makes another object.
            Action::Withdraw { slot } => self.approval(slot)?.age = Age::Withdrawn,
            Action::Deny => self.denied = true,
            Action::TakeTheDenialBack => self.denied = false,
            Action::LosePolicies => self.policies = Policies::Missing,
            Action::MendPolicies => {
                self.policies = Policies::InForce;
                self.grow_older(|age| if age == Age::Withdrawn { age } else { Age::Unproved });
            }
            Action::Hold { target } => self.held |= bit(target),
            Action::Release { target } => self.held &= !bit(target),
            Action::Suspend => self.asked = Asked::Suspended,
            Action::Resume => self.asked = Asked::Standing,
            Action::Cancel => self.asked = Asked::Cancelled,
            Action::Delete => self.asked = Asked::Deleted,
            Action::SuspendProvider { target } => self.place(target).suspended = true,
            Action::ResumeProvider { target } => self.place(target).suspended = false,
            Action::Edit { target } => self.place(target).edited = true,
            Action::Raise { target } => self.place(target).raised = true,
            Action::Lower { target } => self.place(target).raised = false,
            Action::Block { target } => self.place(target).blocked = true,
            Action::Unblock { target } => self.place(target).blocked = false,
            _ => return None,
        }
        Some(())
    }

    fn approval(&mut self, slot: u8) -> Option<&mut Approval> {
        self.approvals[usize::from(slot)].as_mut()
    }

    fn place(&mut self, target: u8) -> &mut Place {
        &mut self.places[usize::from(target)]
    }

    fn grow_older(&mut self, to: impl Fn(Age) -> Age) {
        for approval in self.approvals.iter_mut().flatten() {
            approval.age = to(approval.age);
        }
    }
}
