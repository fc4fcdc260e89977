use std::sync::Arc;

use super::*;
use crate::{
    api::{CheckOverride, Environment, Finality, ManualStep, ProviderKind, RequestReason},
    domain::{CheckSeen, Demands, Wish, fixtures::*},
};

/// Everything that a plan is made from.
#[derive(Clone)]
struct Inputs {
    plan: Plan,
    provider: ProviderFacts,
    mode: Mode,
    customer_ref: String,
    fingerprint: Fingerprint,
    seen: Observation,
}

impl Inputs {
    fn new() -> Self {
        let process = Process::new(crate::domain::Facts::None);
        let mut seen = process.seen;
        seen.checks =
            vec![CheckSeen { name: "wallets".to_owned(), verdict: CheckVerdict::Clear, waivable: true }];
        Self {
            plan: process.plan,
            provider: process.provider,
            mode: Mode::Hard,
            customer_ref: "hmac:customer".to_owned(),
            fingerprint: fingerprint("first"),
            seen,
        }
    }

    fn planned(&self) -> Planned {
        let Self { plan, provider, mode, customer_ref, fingerprint, seen } = self;
        Planned::new(plan, provider, *mode, customer_ref, fingerprint, seen)
    }

    fn whole(&self) -> WholePlan {
        let parts = vec![Part::Fresh(Box::new(self.planned()))];
        WholePlan::new(&[&self.plan], parts, self.provider.demands.required).unwrap()
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut inputs = Self::new();
        change(&mut inputs);
        inputs
    }

    fn declaring(change: impl FnOnce(&mut crate::domain::Declared)) -> Self {
        Self::with(|inputs| change(Arc::make_mut(&mut inputs.provider.declared)))
    }
}

#[test]
fn whatever_an_approver_agrees_to_is_in_the_hash_and_is_named() {
    let before = Inputs::new().whole();
    for (input, changed) in [
        ("request.uid", Inputs::with(|inputs| inputs.plan.request_uid = "uid-2".to_owned())),
        ("request.reason", Inputs::with(|inputs| inputs.plan.reason = Some(RequestReason::Fraud))),
        ("request.acceptAbsent", Inputs::with(|inputs| inputs.plan.accept_absent = true)),
        ("provider/billing.customerRef", Inputs::with(|inputs| inputs.customer_ref = "hmac:x".to_owned())),
        (
            "provider/billing.providerKind",
            Inputs::with(|inputs| inputs.provider.kind = ProviderKind::ClusterOffboardingProvider),
        ),
        ("provider/billing.providerUid", Inputs::with(|inputs| inputs.provider.uid = "x".to_owned())),
        (
            "provider/billing.profileHash",
            Inputs::declaring(|declared| declared.profile_hash = "x".to_owned()),
        ),
        (
            "provider/billing.baseUrl",
            Inputs::with(|inputs| inputs.provider.base_url = "https://x".to_owned()),
        ),
        ("provider/billing.account", Inputs::with(|inputs| inputs.provider.account = "x".to_owned())),
        (
            "provider/billing.environment",
            Inputs::with(|inputs| inputs.provider.environment = Environment::sandbox),
        ),
        ("provider/billing.mode", Inputs::with(|inputs| inputs.mode = Mode::Soft)),
        (
            "provider/billing.checkOverrides",
            Inputs::with(|inputs| {
                inputs.provider.checks.insert("wallets".to_owned(), CheckOverride::Ignore);
            }),
        ),
        ("provider/billing.fingerprint", Inputs::with(|inputs| inputs.fingerprint = fingerprint("second"))),
        (
            "provider/billing.verdicts",
            Inputs::with(|inputs| inputs.seen.checks[0].verdict = CheckVerdict::Ignored),
        ),
        ("provider/billing.approvals", Inputs::with(|inputs| inputs.provider.demands.required = 2)),
        ("provider/billing.approvals", Inputs::with(|inputs| inputs.provider.demands.cooling_off = LAG)),
        (
            "provider/billing.dependsOn",
            Inputs::with(|inputs| inputs.plan.depends_on = vec!["crm".to_owned()]),
        ),
        (
            "provider/billing.approvals",
            Inputs::with(|inputs| inputs.provider.demands.separation_of_duties = false),
        ),
    ] {
        let after = changed.whole();
        assert_ne!(before.hash, after.hash, "{input}");
        let differ: Vec<&str> = before
            .inputs
            .iter()
            .filter(|(name, hash)| after.inputs.get(*name) != Some(*hash))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(differ, [input]);
    }
    let renamed = Inputs::with(|inputs| inputs.plan.target = "crm".to_owned()).whole();
    assert_ne!(before.hash, renamed.hash, "the target's name");
}

#[test]
fn what_may_change_under_an_approval_is_not_in_the_hash() {
    let before = Inputs::new().whole().hash;
    for (what, changed) in [
        ("credential", Inputs::with(|inputs| inputs.seen.credential = Some("hmac:another".to_owned()))),
        ("suspend of the request", Inputs::with(|inputs| inputs.plan.wish = Wish::Suspended)),
        ("suspend of the provider", Inputs::with(|inputs| inputs.provider.suspended = true)),
        ("not before", Inputs::with(|inputs| inputs.plan.not_before = Some(wall(9)))),
        ("budget", Inputs::with(|inputs| inputs.provider.budget.per_day = Some(9))),
        ("validity of approvals", Inputs::with(|inputs| inputs.provider.demands.max_validity = LAG)),
        ("recheck interval", Inputs::with(|inputs| inputs.provider.recheck_interval = WINDOW)),
        ("confirmations", Inputs::with(|inputs| inputs.provider.confirmations = 3)),
        ("verify interval", Inputs::with(|inputs| inputs.provider.verify_interval = WINDOW)),
        ("verify deadline", Inputs::with(|inputs| inputs.provider.verify_deadline = WINDOW)),
        ("settle window", Inputs::with(|inputs| inputs.provider.settle_window = LAG)),
        ("name of the provider object", Inputs::with(|inputs| inputs.provider.name = "x".to_owned())),
        (
            "allowed modes",
            Inputs::with(|inputs| inputs.provider.allowed_modes = vec![Mode::Soft, Mode::Hard]),
        ),
        ("age of the customer", Inputs::with(|inputs| inputs.seen.created_long_ago = true)),
    ] {
        assert_eq!(before, changed.whole().hash, "{what}");
    }
}

#[test]
fn the_hash_is_the_same_in_every_release() {
    // Changed only where what is agreed to changes: every approval that was given becomes void then.
    let planned = Inputs::new().whole();
    assert_eq!(planned.hash, "sha256:6bd2652ff2786ee91c0fd00aa423f902c13ac4432229199c80af401352216330");
    let shown: Vec<String> = planned.inputs.iter().map(|(name, hash)| format!("{name} {}", hash.0)).collect();
    assert_eq!(shown.len(), 17);
    assert!(shown.iter().all(|line| line.split(' ').nth(1).is_some_and(|hash| hash.len() == 8)));
    let sorted = json!({ "b": 1, "a": { "d": 1, "c": 2 } }).to_string();
    assert_eq!(sorted, r#"{"a":{"c":2,"d":1},"b":1}"#, "canonical JSON has its keys sorted");
}

/// `docs/plan-hash.md` names every input and nothing else, and what it makes by hand is what is made here.
#[test]
fn the_page_about_the_hash_is_true() {
    let page = include_str!("../../../docs/plan-hash.md");
    let table = page.split("| input |").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let named: Vec<&str> = table.lines().skip(2).filter_map(|row| row.split('`').nth(1)).collect();
    let inputs = Inputs::new();
    let plan = inputs.whole();
    let mut sorted = named.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, plan.inputs.keys().collect::<Vec<_>>());

    let lines: Vec<&str> =
        page.split("```json\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap().lines().collect();
    let [target, whole] = lines[..] else { panic!("two lines: {lines:?}") };
    assert_eq!(format!("sha256:{}", sha256(target)), inputs.planned().target_hash);
    assert_eq!(format!("sha256:{}", sha256(whole)), plan.hash);
    for text in [target, whole] {
        assert!(page.contains(&format!("`{}`", sha256(text))), "the page says what comes out: {text}");
    }
}

#[test]
fn a_plan_says_what_would_be_done() {
    for (inputs, expected) in [
        (
            Inputs::new(),
            "billing: DELETE /customers/{customer.id} at acme-pay (live, account acct-eu), erases; nothing is exported; no approval is required",
        ),
        (
            Inputs::declaring(|declared| declared.retains = vec!["invoices".to_owned(), "logs".to_owned()]),
            "billing: DELETE /customers/{customer.id} at acme-pay (live, account acct-eu), deletes; keeps invoices, logs; nothing is exported; no approval is required",
        ),
        (
            Inputs::with(|inputs| {
                inputs.provider =
                    ProviderFacts { demands: Demands { required: 1, ..Demands::default() }, ..soft() };
                inputs.mode = Mode::Soft;
            }),
            "billing: DELETE /customers/{customer.id} at acme-pay (live, account acct-eu), deactivates; nothing is exported",
        ),
    ] {
        assert_eq!(inputs.planned().summary, expected);
    }
}

#[test]
fn a_plan_names_what_an_approver_should_know_besides() {
    let risks = |inputs: Inputs| inputs.planned().target.risks.join(" | ");
    let checked = |verdict| Inputs::with(|inputs| inputs.seen.checks[0].verdict = verdict);
    let reusable = risks(Inputs::declaring(|declared| declared.id_reuse = IdReuse::Possible));
    assert!(reusable.contains("may give this id to somebody else"), "{reusable}");
    let unknown = risks(Inputs::new());
    assert!(unknown.contains("does not say whether ids are used again"), "{unknown}");
    let never = risks(Inputs::declaring(|declared| declared.id_reuse = IdReuse::Never));
    assert_eq!(never, "");
    let conditional =
        risks(Inputs::declaring(|declared| declared.conditional_delete = ConditionalDelete::IfMatch));
    assert_eq!(conditional, "");
    let partly = risks(Inputs::declaring(|declared| declared.erasure = ErasureScope::Partial));
    assert!(partly.contains("not erased completely"), "{partly}");
    let by_hand = |erasure| {
        risks(Inputs::declaring(|declared| {
            declared.erasure = erasure;
            declared.manual_step = Some(ManualStep { text: "ask support".to_owned(), url: None });
        }))
    };
    assert!(by_hand(ErasureScope::None).contains("what is left is for a person to do: ask support"));
    assert!(!by_hand(ErasureScope::Full).contains("ask support"), "nothing is left");
    assert!(risks(checked(CheckVerdict::Ignored)).contains("check wallets is ignored"));
    assert!(
        risks(checked(CheckVerdict::Unanswered(transient()))).contains("check wallets could not be answered")
    );
}

#[test]
fn what_stands_in_the_way_is_named_check_by_check() {
    let check = |name: &str, verdict| CheckSeen { name: name.to_owned(), verdict, waivable: true };
    let inputs = Inputs::with(|inputs| {
        inputs.seen.checks = vec![
            check("wallets", CheckVerdict::Blocks),
            check("subscriptions", CheckVerdict::Failed(transient())),
            check("invoices", CheckVerdict::Unanswered(transient())),
            check("disputes", CheckVerdict::Ignored),
            check("payouts", CheckVerdict::Clear),
        ];
    });
    let named: Vec<String> =
        blockers(&inputs.seen).iter().map(|found| format!("{} {}", found.check, found.reason)).collect();
    assert_eq!(named, ["wallets BlockersFound", "subscriptions CheckFailed"]);
}

#[test]
fn a_result_never_claims_more_than_the_profile_declares() {
    use Finality::{Archive, DeletionRequested, HardDelete, Redaction, SoftDelete};
    let step = || Some(ManualStep { text: "ask support".to_owned(), url: None });
    for (finality, supports, retains, erasure, expected) in [
        (HardDelete, Mode::Hard, 0, ErasureScope::Full, OffboardingResult::Erased),
        (HardDelete, Mode::Hard, 1, ErasureScope::Full, OffboardingResult::ErasedWithRetention),
        (HardDelete, Mode::Hard, 0, ErasureScope::Partial, OffboardingResult::ErasedWithRetention),
        (HardDelete, Mode::Hard, 0, ErasureScope::None, OffboardingResult::ErasedWithRetention),
        (HardDelete, Mode::Hard, 0, ErasureScope::Scheduled, OffboardingResult::ErasedWithRetention),
        (HardDelete, Mode::Soft, 0, ErasureScope::Full, OffboardingResult::Deactivated),
        (Redaction, Mode::Hard, 0, ErasureScope::Full, OffboardingResult::ErasedWithRetention),
        (SoftDelete, Mode::Hard, 0, ErasureScope::Full, OffboardingResult::Deactivated),
        (Archive, Mode::Hard, 0, ErasureScope::Full, OffboardingResult::Deactivated),
        (DeletionRequested, Mode::Hard, 0, ErasureScope::Full, OffboardingResult::Deactivated),
    ] {
        let inputs = Inputs::declaring(|declared| {
            declared.finality = finality;
            declared.supports = supports;
            declared.retains = vec!["invoices".to_owned(); retains];
            declared.erasure = erasure;
            declared.manual_step = step();
        });
        assert_eq!(inputs.provider.declared.result(), expected, "{finality:?}, {supports}, {erasure:?}");
    }
}
