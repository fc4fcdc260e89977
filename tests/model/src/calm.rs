//! Once troubles stop: from every state an end, or a wait for a person, stays reachable.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher as _},
};

use offboarding::domain::{Effect, Next, Waiting};
use stateright::Model;

use super::{
    brain::{Question, Seen},
    state::{Asked, Mem, State, Step},
    world::{Action, Copies, Read, Turn, World, Write},
};

/// What a search for dead ends found.
pub struct Found<S> {
    pub states: usize,
    /// States that no calm sequence leads to an end from; the first few.
    pub stuck: Vec<S>,
}

/// Visits every state, and goes back from the ends over calm steps.
pub fn search<M: Model>(
    world: &M,
    is_calm: impl Fn(M::Action) -> bool,
    is_an_end: impl Fn(&M::State) -> bool,
) -> Found<M::State>
where
    M::State: Clone + Hash,
    M::Action: Copy,
{
    let mut numbers: HashMap<u64, u32> = HashMap::new();
    let mut queue: VecDeque<M::State> = VecDeque::new();
    let mut calm_steps: Vec<(u32, u32)> = Vec::new();
    let mut ends: Vec<u32> = Vec::new();
    let mut number = |state: &M::State, queue: &mut VecDeque<M::State>| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        *numbers.entry(fingerprint(state)).or_insert_with(|| {
            queue.push_back(state.clone());
            next
        })
    };
    for state in world.init_states() {
        number(&state, &mut queue);
    }
    let mut from = 0;
    let mut actions = Vec::new();
    while let Some(state) = queue.pop_front() {
        if is_an_end(&state) {
            ends.push(from);
        }
        actions.clear();
        world.actions(&state, &mut actions);
        for action in &actions {
            if let Some(next) = world.next_state(&state, *action) {
                let to = number(&next, &mut queue);
                if is_calm(*action) {
                    calm_steps.push((to, from));
                }
            }
        }
        from += 1;
    }
    let reaches = backwards(&calm_steps, &ends, numbers.len());
    Found { states: numbers.len(), stuck: find(world, &reaches) }
}

fn fingerprint(state: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Which numbers lead to an end.
fn backwards(steps: &[(u32, u32)], ends: &[u32], count: usize) -> Vec<bool> {
    let mut starts = vec![0_u32; count + 1];
    for (to, _) in steps {
        starts[*to as usize + 1] += 1;
    }
    for at in 0..count {
        starts[at + 1] += starts[at];
    }
    let mut fill = starts.clone();
    let mut before = vec![0_u32; steps.len()];
    for (to, from) in steps {
        before[fill[*to as usize] as usize] = *from;
        fill[*to as usize] += 1;
    }
    let mut reaches = vec![false; count];
    let mut stack = ends.to_vec();
    for end in ends {
        reaches[*end as usize] = true;
    }
    while let Some(at) = stack.pop() {
        for from in &before[starts[at as usize] as usize..starts[at as usize + 1] as usize] {
            if !std::mem::replace(&mut reaches[*from as usize], true) {
                stack.push(*from);
            }
        }
    }
    reaches
}

/// The same walk again, for the states that lead nowhere.
fn find<M: Model>(world: &M, reaches: &[bool]) -> Vec<M::State>
where
    M::State: Clone + Hash,
    M::Action: Copy,
{
    if reaches.iter().all(|reaches| *reaches) {
        return Vec::new();
    }
    let mut seen: HashSet<u64> = HashSet::new();
    let mut queue: VecDeque<M::State> = VecDeque::new();
    let mut stuck = Vec::new();
    for state in world.init_states() {
        if seen.insert(fingerprint(&state)) {
            queue.push_back(state);
        }
    }
    let (mut at, mut actions) = (0, Vec::new());
    while let Some(state) = queue.pop_front() {
        if !reaches[at] {
            stuck.push(state.clone());
            if stuck.len() == 3 {
                break;
            }
        }
        at += 1;
        actions.clear();
        world.actions(&state, &mut actions);
        for action in &actions {
            if let Some(next) = world.next_state(&state, *action)
                && seen.insert(fingerprint(&next))
            {
                queue.push_back(next);
            }
        }
    }
    stuck
}

/// Steps that happen by themselves.
pub fn is_calm(action: Action) -> bool {
    match action {
        Action::Turn { turn: Turn { copy: Copies::Fresh, read, .. }, .. }
        | Action::ReadEverythingAgain { read, .. } => read != Read::Silent,
        Action::Intend { write, .. } => write == Write::Answered,
        Action::ReadOnceMore { .. }
        | Action::ReadBack { .. }
        | Action::Send { .. }
        | Action::DeadlinePasses { .. }
        | Action::LagPasses
        | Action::WindowPasses
        | Action::Execute { .. }
        | Action::Sync => true,
        _ => false,
    }
}

/// Nothing is under way, and everything that is left waits for a person.
pub fn is_an_end(world: &World, state: &State) -> bool {
    let idle = state.processes.iter().all(|process| process.step == Step::Idle && process.kept.is_none());
    idle && (1..=2).all(|request| !state.is_work(world, request) || waits_for_a_person(world, state, request))
}

/// What a process would say that has waited long enough.
fn waits_for_a_person(world: &World, state: &State, request: u8) -> bool {
    let asked = state.request(request);
    let last = world.shelf.last_n(state.rec);
    let long = Mem {
        attempt: last,
        attempt_age: 2,
        present: 0,
        present_age: 0,
        long_ago: false,
        gone: 2,
        gone_age: 1,
    };
    let bare = Question {
        request,
        asked: if asked.finished { Asked::Deleted } else { asked.asked },
        rec: state.rec,
        kept: None,
        seen: Seen::Nothing,
        place: state.place,
        mem: long,
        late: true,
    };
    let mut reply = world.brain.reply(&world.shelf, bare);
    if reply.wants_a_look {
        let seen = world.shown(state, Read::Fresh);
        reply = world.brain.reply(&world.shelf, Question { seen, ..bare });
    }
    match &reply.next {
        Next::Stop(_) => true,
        Next::Wait(waiting) => matches!(
            waiting,
            Waiting::Suspended
                | Waiting::ProviderSuspended
                | Waiting::Control(_)
                | Waiting::AnotherAddress
                | Waiting::AnotherCredential
        ),
        // The bound of the run: it would write one more intent.
        Next::Do(Effect::Delete(_)) => last >= world.bounds.intents,
        Next::Do(_) | Next::Finished(_) => false,
    }
}
