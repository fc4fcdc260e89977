use super::*;
use crate::domain::fixtures::{at, wall};

const PLAN: &str = "sha256:plan";

fn approve(approver: &str) -> Approval {
    Approval {
        uid: format!("of-{approver}"),
        approver: approver.to_owned(),
        says: Says::Approve {
            plan_hash: PLAN.to_owned(),
            grants: vec![Grant::Delete],
            expires_at: wall(3_600),
        },
        created_at: wall(0),
    }
}

fn deny(approver: &str) -> Approval {
    Approval { says: Says::Deny, ..approve(approver) }
}

impl Approval {
    fn changed(self, change: impl FnOnce(&mut String, &mut Vec<Grant>, &mut Timestamp)) -> Self {
        let Says::Approve { mut plan_hash, mut grants, mut expires_at } = self.says.clone() else {
            return self;
        };
        change(&mut plan_hash, &mut grants, &mut expires_at);
        Self { says: Says::Approve { plan_hash, grants, expires_at }, ..self }
    }

    fn for_plan(self, hash: &str) -> Self {
        self.changed(|plan, _, _| *plan = hash.to_owned())
    }

    fn until(self, end: Timestamp) -> Self {
        self.changed(|_, _, expires_at| *expires_at = end)
    }

    fn granting(self, grant: Grant) -> Self {
        self.changed(|_, grants, _| *grants = vec![grant])
    }

    fn made(self, created_at: Timestamp) -> Self {
        Self { created_at, ..self }
    }
}

/// Who asked, what is demanded, what people said; judged 100 s after the approvals were made.
struct Case {
    author: Option<&'static str>,
    demands: Demands,
    policies: PolicyState,
    spent: &'static [&'static str],
    said: Vec<Approval>,
}

fn case(required: u32, said: impl IntoIterator<Item = Approval>) -> Case {
    Case {
        author: Some("alice"),
        demands: Demands { required, separation_of_duties: true, ..Demands::default() },
        policies: PolicyState::AsShipped { since: wall(0) - SignedDuration::from_secs(1_000) },
        spent: &[],
        said: said.into_iter().collect(),
    }
}

impl Case {
    fn by(self, author: Option<&'static str>) -> Self {
        Self { author, ..self }
    }

    fn alone_may(self) -> Self {
        Self { demands: Demands { separation_of_duties: false, ..self.demands }, ..self }
    }

    fn valid_for(self, seconds: u64) -> Self {
        Self { demands: Demands { max_validity: Duration::from_secs(seconds), ..self.demands }, ..self }
    }

    fn cooling_off(self, seconds: u64) -> Self {
        Self { demands: Demands { cooling_off: Duration::from_secs(seconds), ..self.demands }, ..self }
    }

    fn under(self, policies: PolicyState) -> Self {
        Self { policies, ..self }
    }

    fn spent(self, spent: &'static [&'static str]) -> Self {
        Self { spent, ..self }
    }

    fn judged<T>(&self, judge: impl FnOnce(&Judged) -> T) -> T {
        let spent = self.spent.iter().map(|uid| (*uid).to_owned()).collect();
        judge(&Judged {
            plan_hash: PLAN,
            demands: self.demands,
            approvals: &ApprovalsSeen::Seen(self.said.clone()),
            policies: &self.policies,
            author: self.author,
            spent: &spent,
            now: at(100).wall,
            holds_for: Duration::from_secs(35),
        })
    }

    /// `given by …`, `1 of 2 Expired`, `not required`, `denied`.
    fn brief(&self) -> String {
        match self.judged(|judged| judged.consent()) {
            Consent::NotRequired => "not required".to_owned(),
            Consent::Given { by, since } => {
                let people: Vec<&str> = by.iter().map(|used| used.approver.as_str()).collect();
                let after = since.duration_since(wall(0)).as_secs();
                format!("given by {} after {after}", people.join(" "))
            }
            Consent::Missing(Missing { have, need, why }) => format!("{have} of {need} {why:?}"),
            Consent::Denied => "denied".to_owned(),
            Consent::PolicyMissing(names) => format!("missing {}", names.join(" ")),
            Consent::Unread => "unread".to_owned(),
        }
    }
}

#[test]
fn only_enough_other_people_who_agreed_to_exactly_this_plan_count() {
    let bob = || approve("bob");
    let carol = || approve("carol");
    let missing = || PolicyState::Missing(vec!["approvals".to_owned()]);
    let since = |seconds| PolicyState::AsShipped { since: wall(seconds) };
    let waiver = Grant::Waive { target: "billing".to_owned(), check: "invoices".to_owned() };
    for (case, expected) in [
        // how many
        (case(0, []), "not required"),
        (case(1, []), "0 of 1 Awaited"),
        (case(1, [bob()]), "given by bob after 0"),
        (case(2, [bob()]), "1 of 2 Awaited"),
        (case(2, [bob(), carol()]), "given by bob carol after 0"),
        (case(2, [bob(), approve("bob").made(wall(1))]), "1 of 2 Awaited"), // one person, twice
        (case(1, [bob().made(wall(9)), carol()]), "given by carol after 0"), // the first that were enough
        (case(2, [bob().made(wall(9)), carol()]), "given by carol bob after 9"),
        // who
        (case(1, [approve("alice")]), "0 of 1 SameIdentity"),
        (case(1, [approve("alice"), bob()]), "given by bob after 0"),
        (case(2, [approve("alice"), bob()]), "1 of 2 SameIdentity"),
        (case(1, [approve("alice")]).alone_may(), "given by alice after 0"),
        (case(1, [approve("system:serviceaccount:argocd:argocd")]), "0 of 1 Awaited"),
        (case(1, [bob()]).by(None), "1 of 2 UnknownRequester"),
        (case(1, [bob()]).by(Some("")), "1 of 2 UnknownRequester"),
        (case(1, [bob()]).by(Some("system:serviceaccount:argocd:argocd")), "1 of 2 UnknownRequester"),
        (case(1, [bob(), carol()]).by(None), "given by bob carol after 0"),
        (case(1, [bob()]).by(None).alone_may(), "given by bob after 0"), // whoever asked may agree anyway
        (case(0, []).by(None), "not required"),
        // to what
        (case(1, [bob().for_plan("sha256:another")]), "0 of 1 PlanChanged"),
        (case(2, [bob().for_plan("sha256:another"), carol()]), "1 of 2 PlanChanged"),
        (case(1, [bob().granting(waiver.clone())]), "0 of 1 Awaited"),
        (case(1, [bob().changed(|_, grants, _| grants.clear())]), "0 of 1 Awaited"),
        // how long
        (case(1, [bob().until(wall(136))]), "given by bob after 0"),
        (case(1, [bob().until(wall(135))]), "0 of 1 Expired"), // must outlast the send
        (case(1, [bob().until(wall(50))]), "0 of 1 Expired"),
        (case(1, [bob()]).valid_for(3_600), "given by bob after 0"),
        (case(1, [bob()]).valid_for(3_599), "0 of 1 Expired"),
        (case(1, [bob()]).cooling_off(3_599), "given by bob after 0"),
        (case(1, [bob()]).cooling_off(3_600), "0 of 1 Expired"), // it can never be of use: told now
        (case(1, [bob(), carol().until(wall(9_000))]).cooling_off(3_600), "given by carol after 0"),
        // no
        (case(1, [bob(), deny("carol")]), "denied"),
        (case(1, [deny("carol").for_plan("sha256:another")]), "denied"),
        (case(0, [deny("carol")]), "denied"),
        (case(1, [deny("carol")]).under(missing()), "denied"), // a no needs no proof
        (case(1, [deny("system:serviceaccount:bot:bot")]), "denied"),
        // proof
        (case(1, [bob()]).under(missing()), "missing approvals"),
        (case(0, []).under(missing()), "not required"),
        (case(1, [bob()]).under(PolicyState::Unanswered), "unread"),
        (case(1, [bob().made(wall(9))]).under(since(0)), "0 of 1 BeforePolicies"), // they may not have been in force
        (case(1, [bob().made(wall(10))]).under(since(0)), "given by bob after 10"),
        (case(1, [bob().made(wall(10))]).under(since(50)), "0 of 1 BeforePolicies"), // installed again since
        (case(2, [bob().made(wall(9)), carol().made(wall(10))]).under(since(0)), "1 of 2 BeforePolicies"),
        // spent
        (case(1, [bob()]).spent(&["of-bob"]), "0 of 1 Spent"),
        (case(1, [bob(), carol()]).spent(&["of-bob"]), "given by carol after 0"),
        // of several reasons, the one that somebody can do most about
        (case(2, [approve("alice"), bob().until(wall(1))]), "0 of 2 SameIdentity"),
        (case(2, [bob().for_plan("sha256:another"), carol().until(wall(1))]), "0 of 2 Expired"),
    ] {
        assert_eq!(case.brief(), expected, "{:?}", case.said);
    }
}

#[test]
fn without_an_answer_nobody_agreed_and_nobody_knows_who_said_no() {
    let judge = |required| {
        let case = case(required, []);
        case.judged(|judged| Judged { approvals: &ApprovalsSeen::Unread, ..judged.clone() }.consent())
    };
    assert_eq!(judge(1), Consent::Unread);
    assert_eq!(judge(0), Consent::Unread, "and nobody knows that nobody said no");
}

#[test]
fn a_waiver_passes_over_one_check_of_one_target_and_nothing_else() {
    let waive =
        |target: &str, check: &str| Grant::Waive { target: target.to_owned(), check: check.to_owned() };
    let invoices = || waive("billing", "invoices");
    for (said, expected) in [
        (approve("bob").granting(invoices()), true),
        (approve("bob"), false),
        (approve("bob").granting(waive("crm", "invoices")), false),
        (approve("bob").granting(waive("billing", "wallets")), false),
        (approve("alice").granting(invoices()), false), // the requester
        (approve("bob").granting(invoices()).for_plan("sha256:another"), false),
        (approve("bob").granting(invoices()).until(wall(1)), false),
        (deny("bob"), false),
    ] {
        let waives = case(1, [said.clone()]).judged(|judged| judged.waives("billing", "invoices"));
        assert_eq!(waives, expected, "{said:?}");
    }
}

#[test]
fn where_nobody_knows_who_asked_it_takes_two_people_to_pass_over_a_check() {
    let granting = |who: &str| {
        approve(who).granting(Grant::Waive { target: "billing".to_owned(), check: "invoices".to_owned() })
    };
    let again = Approval { uid: "of-bob-again".to_owned(), ..granting("bob") };
    for author in [None, Some(""), Some("system:serviceaccount:flux:kustomize")] {
        for (separation_of_duties, said, expected) in [
            (true, vec![granting("bob")], false),
            (true, vec![granting("bob"), again.clone()], false),
            (true, vec![granting("bob"), approve("carol")], false),
            (true, vec![granting("bob"), granting("carol")], true),
            (false, vec![granting("bob")], true),
        ] {
            let case = Case { author, ..case(0, said.clone()) };
            let waives = case.judged(|judged| {
                let demands = Demands { separation_of_duties, ..judged.demands };
                Judged { demands, ..judged.clone() }.waives("billing", "invoices")
            });
            assert_eq!(waives, expected, "{author:?}, {separation_of_duties}, {said:?}");
        }
    }
}

#[test]
fn where_one_provider_asks_for_a_longer_wait_than_another_lets_an_approval_hold_it_is_told_at_once() {
    let of = |cooling_off, max_validity| Demands {
        required: 1,
        cooling_off: Duration::from_secs(cooling_off),
        max_validity: Duration::from_secs(max_validity),
        ..Demands::default()
    };
    let why = |said: Vec<Approval>, demands| {
        let case = Case { demands, ..case(1, said) };
        match case.judged(|judged| judged.consent()) {
            Consent::Missing(missing) => Some(missing.why),
            _ => None,
        }
    };
    for (slow, strict, expected) in [
        (7_200, 3_600, Some(WhyMissing::CannotHold)),
        (3_600, 3_600, Some(WhyMissing::CannotHold)),
        (600, 3_600, None),
    ] {
        let demands = of(slow, 10_000).and(of(0, strict));
        assert_eq!(why(vec![approve("bob")], demands), expected, "{slow} {strict}");
        let nobody_yet = expected.or(Some(WhyMissing::Awaited));
        assert_eq!(why(Vec::new(), demands), nobody_yet, "{slow} {strict}");
    }
}

#[test]
fn the_strictest_of_all_provider_objects_is_demanded() {
    let strict = Demands {
        required: 2,
        separation_of_duties: true,
        max_validity: Duration::from_secs(60),
        cooling_off: Duration::from_secs(600),
    };
    let lax = Demands::default();
    assert_eq!(lax.and(strict), strict);
    assert_eq!(strict.and(lax), strict);
    assert_eq!(lax.at_least_one().required, 1);
    assert_eq!(strict.at_least_one(), strict);
}

#[test]
fn a_grant_is_read_as_it_is_written() {
    for (text, expected) in [
        ("Delete", Ok(Grant::Delete)),
        (
            "Waive:billing/invoices",
            Ok(Grant::Waive { target: "billing".to_owned(), check: "invoices".to_owned() }),
        ),
        ("Waive:billing", Err(UnknownGrant)),
        ("delete", Err(UnknownGrant)),
        ("Attest:billing", Err(UnknownGrant)),
        ("", Err(UnknownGrant)),
    ] {
        assert_eq!(text.parse::<Grant>(), expected, "{text}");
    }
}
