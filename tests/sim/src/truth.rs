//! What really is, kept by the simulator itself: the promises are judged by this, never by what an operator says.

use std::collections::{BTreeMap, BTreeSet};

use offboarding::domain::{Approval, Held, Says};

use crate::{
    api::{Request, Said, View},
    people::{KEYS, id_of},
    scenario::{Asked, Ms},
    world::{World, wall},
};

/// A request that was ever made.
#[derive(Clone, Debug)]
pub struct TrueRequest {
    pub name: usize,
    pub customer: usize,
    pub targets: usize,
    pub author: Option<String>,
    pub created_at: Ms,
    /// By target: since when it is stopped without a break.
    pub stopped_since: Vec<Option<Ms>>,
    pub denied_since: Option<Ms>,
    /// Targets that an intent was ever written for.
    pub begun: BTreeSet<usize>,
    /// Since when its status says so.
    pub finished_at: Option<Ms>,
}

/// What somebody really said.
#[derive(Clone, Debug)]
pub struct TrueSaid {
    pub request_uid: String,
    /// `None` is a denial.
    pub plan_hash: Option<String>,
    pub approver: String,
    pub expires_at: Ms,
    pub taken_back_at: Option<Ms>,
}

/// An intent that was really written.
#[derive(Clone, Debug)]
pub struct TrueAttempt {
    pub record: String,
    pub uid: String,
    pub place: usize,
    pub incarnation: u32,
    pub plan_hash: String,
    pub approvals: Vec<String>,
    pub intent_at: Ms,
    pub sent_at: Option<Ms>,
    pub is_permitted: bool,
}

#[derive(Debug, Default)]
pub struct Truth {
    pub requests: BTreeMap<String, TrueRequest>,
    pub said: BTreeMap<String, TrueSaid>,
    pub attempts: BTreeMap<String, TrueAttempt>,
    /// By place: since when so many must agree.
    demanded: BTreeMap<usize, Vec<(Ms, u32)>>,
    pub policies_lost_at: Option<Ms>,
    /// By place: when first bytes left.
    pub sends: BTreeMap<usize, Vec<Ms>>,
    /// Something changed that may stop a request, or not any more.
    pub is_stale: bool,
}

impl Truth {
    pub fn is_asked(&mut self, request: &Request, asked: Asked, now: Ms) {
        let request_now = TrueRequest {
            name: request.name,
            customer: asked.customer,
            targets: asked.targets,
            author: request.author.clone(),
            created_at: now,
            stopped_since: vec![None; asked.targets],
            denied_since: None,
            begun: BTreeSet::new(),
            finished_at: None,
        };
        self.requests.insert(request.uid.clone(), request_now);
    }

    pub fn is_said(&mut self, uid: &str, approval: &Approval, now: Ms, expires_at: Ms) {
        let plan_hash = match &approval.says {
            Says::Approve { plan_hash, .. } => Some(plan_hash.clone()),
            Says::Deny => None,
        };
        if let (None, Some(request)) = (&plan_hash, self.requests.get_mut(uid)) {
            request.denied_since = request.denied_since.or(Some(now));
        }
        let said = TrueSaid {
            request_uid: uid.to_owned(),
            plan_hash,
            approver: approval.approver.clone(),
            expires_at,
            taken_back_at: None,
        };
        self.said.insert(approval.uid.clone(), said);
    }

    pub fn is_taken_back(&mut self, said: &Said, now: Ms) {
        if let Some(said) = self.said.get_mut(&said.approval.uid) {
            said.taken_back_at = Some(now);
        }
        let still = self.said.values().any(|other| {
            other.request_uid == said.request_uid
                && other.plan_hash.is_none()
                && other.taken_back_at.is_none()
        });
        if let (false, Some(request)) = (still, self.requests.get_mut(&said.request_uid)) {
            request.denied_since = None;
        }
    }

    pub fn demands(&mut self, place: usize, now: Ms, required: u32) {
        self.demanded.entry(place).or_default().push((now, required));
    }

    /// The fewest that had to agree at any time since then.
    pub fn least_demanded(&self, place: usize, first: u32, since: Ms) -> u32 {
        let Some(history) = self.demanded.get(&place) else { return first };
        let begin = history.partition_point(|(at, _)| *at <= since);
        let at_first = begin.checked_sub(1).map_or(first, |at| history[at].1);
        history[begin..].iter().map(|(_, required)| *required).fold(at_first, u32::min)
    }

    pub fn policies(&mut self, lost_at: Option<Ms>) {
        self.policies_lost_at = match (lost_at, self.policies_lost_at) {
            (Some(_), Some(before)) => Some(before),
            (now, _) => now,
        };
    }
}

impl World {
    /// After every step: what is stopped, and since when.
    pub fn look_around(&mut self) {
        if !std::mem::take(&mut self.truth.is_stale) {
            return;
        }
        let (now, view) = (self.now, self.api.view().clone());
        for (uid, request) in &mut self.truth.requests {
            for (place, since) in request.stopped_since.iter_mut().enumerate() {
                let stopped = is_stopped(&view, uid, request.name, request.customer, place, now);
                *since = if stopped { since.or(Some(now)) } else { None };
            }
        }
    }
}

fn is_stopped(view: &View, uid: &str, name: usize, customer: usize, place: usize, now: Ms) -> bool {
    let request = view.requests.get(&name).filter(|request| request.uid == uid);
    let Some(request) = request else { return true };
    let reference = KEYS.customer_ref(&id_of(customer));
    let is_held = view.holds.iter().any(|hold| {
        let whom = match &hold.whom {
            Held::Everybody => true,
            Held::Customers(held) => held.contains(&Some(reference.clone())),
        };
        whom && hold.expires_at.is_none_or(|until| wall(now) < until)
    });
    let suspended = view.providers[place].as_ref().is_some_and(|object| object.facts.suspended);
    request.spec.cancel || request.spec.suspend || request.status.finished || suspended || is_held
}
