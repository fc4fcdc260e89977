//! Each row: how many must agree, and what happens then, step by step.

use serde_json::{Value, json};

use super::{ARGO, AWAITED, Step::*, row, table};

const WAIVED: &str = "Waive:billing/wallets";

fn grants(grants: &[&str]) -> Value {
    json!({ "grants": grants })
}

fn of_plan(hash: &str) -> Value {
    json!({"for": [{"planHash": format!("sha256:{}", hash.repeat(64))}]})
}

#[tokio::test]
async fn only_who_may_agrees_and_each_person_counts_once() {
    table(vec![
        row(
            "the requester may not",
            1,
            [
                MayNot("alice", json!({}), "cannot create resource"),
                Waits(AWAITED, "0 of 1"),
                Agrees("bob"),
                Goes,
            ],
        ),
        row(
            "the requester may not in another's name",
            1,
            [MayNot("alice", json!({"approver": "bob"}), "cannot create resource"), Waits(AWAITED, "0 of 1")],
        ),
        row(
            "an approver may not in another's name",
            1,
            [
                MayNot("bob", json!({"approver": "carol"}), "spec.approver: must equal the requesting user"),
                Waits(AWAITED, "0 of 1"),
            ],
        ),
        row(
            "an administrator may not in another's name",
            1,
            [
                MayNot("admin", json!({"approver": "bob"}), "spec.approver: must equal the requesting user"),
                Waits(AWAITED, "0 of 1"),
            ],
        ),
        row(
            "who looks after providers may not",
            1,
            [MayNot("dave", json!({}), "cannot create resource"), Waits(AWAITED, "0 of 1")],
        ),
        row(
            "who holds may not",
            1,
            [MayNot("erin", json!({}), "cannot create resource"), Waits(AWAITED, "0 of 1")],
        ),
        row(
            "a robot may deny and not agree",
            1,
            [
                MayNot("argocd", json!({"approver": ARGO}), "may not approve; it may deny"),
                Waits(AWAITED, "0 of 1"),
                Denies("argocd"),
                Denied,
            ],
        ),
        row("one of one", 1, [Agrees("bob"), Goes]),
        row(
            "two of two",
            2,
            [Waits(AWAITED, "0 of 2"), Agrees("bob"), Waits(AWAITED, "1 of 2"), Agrees("carol"), Goes],
        ),
        row(
            "the same one twice",
            2,
            [Agrees("bob"), Agrees("bob"), Waits(AWAITED, "1 of 2"), Agrees("carol"), Goes],
        ),
        row(
            "three of three",
            3,
            [Agrees("bob"), Agrees("carol"), Waits(AWAITED, "2 of 3"), Agrees("frank"), Goes],
        ),
        row("an administrator asks and another agrees", 1, [Agrees("bob"), Goes]).by("admin"),
        // Row 31.
        row(
            "who asks is no approver",
            1,
            [Agrees("frank"), Waits("SameIdentity", "0 of 1"), Agrees("bob"), Goes],
        )
        .by("frank"),
        row(
            "who asks does not count among several",
            2,
            [Agrees("frank"), Agrees("bob"), Waits("SameIdentity", "1 of 2"), Agrees("carol"), Goes],
        )
        .by("frank"),
        row("who asks counts where duties need not be separated", 1, [Agrees("frank"), Goes])
            .by("frank")
            .with(json!({"approvals": {"separationOfDuties": false}})),
        row(
            "a robot asks: one more",
            1,
            [
                Waits(AWAITED, "0 of 2"),
                Agrees("bob"),
                Waits("UnknownRequester", "1 of 2"),
                Agrees("carol"),
                Goes,
            ],
        )
        .by("argocd")
        .needs(2),
        row("a robot asks where duties need not be separated", 1, [Agrees("bob"), Goes])
            .by("argocd")
            .with(json!({"approvals": {"separationOfDuties": false}})),
        row("a robot asks and nobody has to agree", 0, [Goes]).by("argocd"),
        row("nobody has to agree", 0, [Goes]),
    ])
    .await;
}

#[tokio::test]
async fn an_approval_is_for_one_plan_of_one_request_and_for_a_time() {
    let other_uid = json!({"for": [{"uid": "7d0e3c1a-0b1c-4a52-9a52-0a9d3a6b0f11"}]});
    table(vec![
        // Row 33.
        row(
            "of another plan",
            1,
            [Says("bob", of_plan("a")), Waits("PlanChanged", "0 of 1"), Agrees("carol"), Goes],
        ),
        // Row 32.
        row("of another object", 1, [Says("bob", other_uid), Waits(AWAITED, "0 of 1"), Agrees("bob"), Goes]),
        // Row 34, from here on.
        row(
            "runs out meanwhile",
            2,
            [
                Says("bob", json!({"expiresAt": "in 12"})),
                Waits(AWAITED, "1 of 2"),
                Waits("Expired", "0 of 2"),
                Agrees("bob"),
                Agrees("carol"),
                Goes,
            ],
        ),
        row(
            "ends before it can have cooled off",
            1,
            [
                Says("bob", json!({"expiresAt": "in 1200"})),
                Waits("Expired", "0 of 1"),
                Agrees("bob"),
                CoolsOff,
            ],
        )
        .with(json!({"coolingOff": "30m"})),
        row(
            "runs out before the call could be over",
            1,
            [Says("bob", json!({"expiresAt": "in 4"})), Waits("Expired", "0 of 1"), Agrees("bob"), Goes],
        ),
        row(
            "longer than the provider object allows",
            1,
            [
                Says("bob", json!({"expiresAt": "in 7200"})),
                Waits("Expired", "0 of 1"),
                Says("carol", json!({"expiresAt": "in 3500"})),
                Goes,
            ],
        )
        .with(json!({"approvals": {"maxValidity": "1h"}})),
        row(
            "is over already",
            1,
            [
                MayNot(
                    "bob",
                    json!({"expiresAt": "2026-01-01T00:00:00Z"}),
                    "spec.expiresAt: must be in the future and within 336h",
                ),
                Waits(AWAITED, "0 of 1"),
            ],
        ),
        row(
            "longer than anybody may",
            1,
            [
                MayNot(
                    "bob",
                    json!({"expiresAt": "in 1300000"}),
                    "spec.expiresAt: must be in the future and within 336h",
                ),
                Waits(AWAITED, "0 of 1"),
            ],
        ),
        row(
            "without an end",
            1,
            [
                MayNot("bob", json!({"expiresAt": null}), "must be set where `decision` is Approve"),
                Waits(AWAITED, "0 of 1"),
            ],
        ),
        row(
            "without a plan",
            1,
            [
                MayNot("bob", json!({"for": [{"planHash": null}]}), "must bind each request by `planHash`"),
                Waits(AWAITED, "0 of 1"),
            ],
        ),
        row(
            "that grants nothing",
            1,
            [MayNot("bob", json!({"grants": []}), "must name what is granted"), Waits(AWAITED, "0 of 1")],
        ),
        // Row 38.
        row(
            "withdrawn before there were enough",
            2,
            [
                Agrees("bob"),
                Waits(AWAITED, "1 of 2"),
                TakesBack("bob", "bob"),
                Waits(AWAITED, "0 of 2"),
                Agrees("carol"),
                Waits(AWAITED, "1 of 2"),
                Agrees("bob"),
                Goes,
            ],
        ),
        row(
            "withdrawn while it cools off",
            1,
            [Agrees("bob"), CoolsOff, TakesBack("bob", "bob"), Waits(AWAITED, "0 of 1")],
        )
        .with(json!({"coolingOff": "30m"})),
        row(
            "withdrawn, and somebody's finalizer keeps it",
            2,
            [
                Agrees("bob"),
                Waits(AWAITED, "1 of 2"),
                TakesBackSlowly("bob"),
                Waits(AWAITED, "0 of 2"),
                Agrees("carol"),
                Waits(AWAITED, "1 of 2"),
            ],
        ),
        row(
            "written in another namespace",
            1,
            [SaysElsewhere("bob", json!({})), Waits(AWAITED, "0 of 1"), Agrees("bob"), Goes],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_denial_stops_whatever_the_plan_until_its_author_withdraws_it() {
    let suspended = || json!({"suspend": true});
    table(vec![
        row(
            "before anybody agreed",
            1,
            [
                Waits(AWAITED, "0 of 1"),
                Denies("bob"),
                Denied,
                Agrees("carol"),
                Denied,
                TakesBack("bob", "bob"),
                Goes,
            ],
        ),
        row(
            "beside an approval of the same person",
            2,
            [Agrees("bob"), Waits(AWAITED, "1 of 2"), Denies("bob"), Denied],
        ),
        row(
            "while it cools off",
            1,
            [Agrees("bob"), CoolsOff, Denies("carol"), Denied, TakesBack("carol", "carol"), CoolsOff],
        )
        .with(json!({"coolingOff": "30m"})),
        row(
            "is not another's to withdraw",
            1,
            [
                Waits(AWAITED, "0 of 1"),
                Denies("bob"),
                Denied,
                MayNotTakeBack("carol", "bob", "a denial is withdrawn by its author"),
                MayNotTakeBack("admin", "bob", "a denial is withdrawn by its author"),
                Denied,
            ],
        ),
        row(
            "is withdrawn by break-glass",
            1,
            [
                Waits(AWAITED, "0 of 1"),
                Denies("bob"),
                Denied,
                TakesBack("grace", "bob"),
                Waits(AWAITED, "0 of 1"),
                Agrees("carol"),
                Goes,
            ],
        ),
        row(
            "with a plan",
            1,
            [
                MayNot(
                    "bob",
                    json!({"decision": "Deny", "grants": null, "expiresAt": null}),
                    "must name requests without `planHash`",
                ),
                Waits(AWAITED, "0 of 1"),
            ],
        ),
        row(
            "where nobody has to agree",
            0,
            [Denies("bob"), Edits(json!({"suspend": false})), Denied, TakesBack("bob", "bob"), Goes],
        )
        .asking(suspended()),
        row("in another namespace", 0, [DeniesElsewhere("bob"), Edits(json!({"suspend": false})), Goes])
            .asking(suspended()),
        row(
            "in another namespace where somebody must agree",
            1,
            [Waits(AWAITED, "0 of 1"), DeniesElsewhere("bob"), Agrees("carol"), Goes],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_blocker_is_passed_over_by_who_may_and_only_with_the_deletion_agreed_to() {
    table(vec![
        row(
            "without the right",
            1,
            [Blocked, MayNot("bob", grants(&[WAIVED]), "spec.grants: Waive needs the verb waive"), Blocked],
        ),
        row(
            "with the right to waive alone",
            1,
            [
                Blocked,
                MayNot("ivan", grants(&["Delete"]), "spec.grants: Delete needs the verb approve"),
                Blocked,
            ],
        ),
        row("alone", 1, [Says("carol", grants(&[WAIVED])), Waits(AWAITED, "0 of 1"), Agrees("bob"), Goes]),
        row("after the deletion", 1, [Agrees("bob"), Blocked, Says("carol", grants(&[WAIVED])), Goes]),
        row("with the deletion, by one person", 1, [Says("carol", grants(&["Delete", WAIVED])), Goes]),
        row(
            "one person, where two must agree",
            2,
            [Says("carol", grants(&["Delete", WAIVED])), Waits(AWAITED, "1 of 2"), Agrees("bob"), Goes],
        ),
        row("where nobody has to agree", 0, [Blocked, Says("carol", grants(&[WAIVED])), Goes]),
        row("another check", 0, [Says("carol", grants(&["Waive:billing/invoices"])), Blocked]),
        row("at another target", 0, [Says("carol", grants(&["Waive:crm/wallets"])), Blocked]),
        row(
            "of another plan",
            0,
            [
                Says(
                    "carol",
                    json!({"grants": [WAIVED], "for": [{"planHash": format!("sha256:{}", "a".repeat(64))}]}),
                ),
                Blocked,
            ],
        ),
        row("by who asks", 0, [Says("frank", grants(&[WAIVED])), Blocked]).by("frank"),
        row("by who asks, where duties need not be separated", 0, [Says("frank", grants(&[WAIVED])), Goes])
            .by("frank")
            .with(json!({"approvals": {"separationOfDuties": false}})),
        row(
            "withdrawn",
            1,
            [
                Says("carol", grants(&[WAIVED])),
                Waits(AWAITED, "0 of 1"),
                TakesBack("carol", "carol"),
                Blocked,
                Agrees("bob"),
                Blocked,
            ],
        ),
        row(
            "runs out",
            1,
            [
                Says("carol", json!({"grants": [WAIVED], "expiresAt": "in 12"})),
                Waits(AWAITED, "0 of 1"),
                Blocked,
            ],
        ),
        row("in another namespace", 0, [Blocked, SaysElsewhere("carol", grants(&[WAIVED])), Blocked]),
    ])
    .await;
}
