//! Approvals and refusals: objects that somebody else stored.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use kube::runtime::watcher::Event;
use offboarding::{
    api::OffboardingApproval,
    controller::Consents,
    domain::{ApprovalsSeen, Consent, Demands, Judged, PolicyState},
};
use serde_json::Value;

use crate::stage::{REQUEST, noon};

const NAMESPACE: &str = "team";
const AUTHOR: &str = "alice";
const PLAN: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const OTHER_PLAN: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const QUORUM: usize = 2;
const SEND: SignedDuration = SignedDuration::from_secs(30);

/// Nobody agreed who did not say so: in this namespace, to this request and this plan, as a person, in time.
///
/// Each line is an object.
///
/// # Panics
/// Where a promise is broken.
pub fn approval(input: &[u8]) {
    let consents = Consents::default();
    consents.take(&Event::Init);
    let (mut said, mut uids) = (Vec::new(), BTreeSet::new());
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(json) = serde_json::from_slice::<Value>(line) else { continue };
        let Ok(object) = serde_json::from_slice::<OffboardingApproval>(line) else { continue };
        if !uids.insert(object.metadata.uid.clone().unwrap_or_default()) {
            continue; // an API server gives each uid once
        }
        let _named = consents.take(&Event::InitApply(object));
        said.push(json);
    }
    assert_eq!(consents.about(NAMESPACE, REQUEST), ApprovalsSeen::Unread, "nobody knows yet");
    consents.take(&Event::InitDone);
    let seen = consents.about(NAMESPACE, REQUEST);
    let agreed = |plan: &str| -> BTreeSet<String> {
        said.iter().filter_map(|object| who_agrees(object, plan)).collect()
    };
    for plan in [PLAN, OTHER_PLAN] {
        let consent = judged(&seen, plan).consent();
        let people = agreed(plan);
        if let Consent::Given { by, .. } = &consent {
            let counted: BTreeSet<_> = by.iter().map(|approval| approval.approver.clone()).collect();
            assert_eq!(counted.len(), QUORUM, "one person counts twice");
            assert!(counted.is_subset(&people), "{counted:?} did not agree to this plan, but {people:?}");
        }
        let somebody_refuses = said.iter().any(refuses);
        assert_eq!(
            consent == Consent::Denied,
            somebody_refuses,
            "a refusal is heard, and nothing is taken for one"
        );
        if !somebody_refuses && people.len() >= QUORUM {
            assert!(matches!(consent, Consent::Given { .. }), "{people:?} agreed, and it is {consent:?}");
        }
    }
    for elsewhere in [consents.about("other", "another"), consents.about(NAMESPACE, "another")] {
        let ApprovalsSeen::Seen(approvals) = elsewhere else { panic!("it is known by now") };
        let named = |object: &Value| items(object).any(|item| item["uid"] == "another");
        assert!(approvals.is_empty() || said.iter().any(named), "said about a request that nobody names");
    }
}

fn judged<'a>(approvals: &'a ApprovalsSeen, plan_hash: &'a str) -> Judged<'a> {
    static NONE: BTreeSet<String> = BTreeSet::new();
    static POLICIES: PolicyState = PolicyState::AsShipped { since: Timestamp::UNIX_EPOCH };
    let required = u32::try_from(QUORUM).expect("it is small");
    Judged {
        plan_hash,
        demands: Demands { required, separation_of_duties: true, ..Demands::default() },
        approvals,
        policies: &POLICIES,
        author: Some(AUTHOR),
        spent: &NONE,
        now: noon(),
        holds_for: SEND.unsigned_abs(),
    }
}

/// The approver, where an object is an approval of this plan that counts; read from its JSON.
fn who_agrees(object: &Value, plan: &str) -> Option<String> {
    let (metadata, spec) = (&object["metadata"], &object["spec"]);
    let time = |value: &Value| value.as_str()?.parse::<Timestamp>().ok();
    let (created, expires) = (time(&metadata["creationTimestamp"])?, time(&spec["expiresAt"])?);
    let approver = spec["approver"].as_str()?;
    let counts = is_here(object)
        && spec["decision"] == "Approve"
        && items(object).any(|item| item["uid"] == REQUEST && item["planHash"] == plan)
        && spec["grants"].as_array()?.iter().any(|grant| grant == "Delete")
        && expires > noon() + SEND
        && expires <= created.saturating_add(SignedDuration::from_hours(336)).ok()?
        && created >= Timestamp::UNIX_EPOCH + SignedDuration::from_secs(10)
        && approver != AUTHOR
        && !approver.starts_with("system:");
    counts.then(|| approver.to_owned())
}

fn refuses(object: &Value) -> bool {
    let is_about_it = items(object).any(|item| item["uid"] == REQUEST);
    let is_dated = object["metadata"]["creationTimestamp"].is_string();
    is_here(object) && is_about_it && is_dated && object["spec"]["decision"] == "Deny"
}

fn is_here(object: &Value) -> bool {
    let metadata = &object["metadata"];
    metadata["namespace"] == NAMESPACE
        && metadata["deletionTimestamp"].is_null()
        && metadata["uid"].is_string()
}

fn items(object: &Value) -> impl Iterator<Item = &Value> {
    object["spec"]["for"].as_array().into_iter().flatten()
}
