//! The judgment, as tables: which fact makes which line. What is not named is in order.

use std::time::Duration;

use super::*;
use crate::{
    check::{
        facts::{Healthy, ProviderFound, Reach},
        rights::EXCESS,
    },
    domain::{Cause, Class, Failure},
};

const NOW: &str = "2026-11-23T12:00:00Z";
const OPERATOR: &str = "system:serviceaccount:customer-offboarding:customer-offboarding-operator";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn provider() -> ProviderFound {
    ProviderFound {
        name: "billing/revolv3".to_owned(),
        kubectl: "cobp revolv3 -n billing".to_owned(),
        suspended: false,
        ready: Some(Healthy {
            is_ready: true,
            reason: "ProbeSucceeded".to_owned(),
            message: "the control request succeeded".to_owned(),
        }),
        has_client_certificate: false,
        reach: Reach::Reached { ahead: Some(SignedDuration::ZERO) },
    }
}

/// An installation in which everything is as it should be.
fn good() -> Facts {
    Facts {
        now: at(NOW),
        operator_namespace: "customer-offboarding".to_owned(),
        version: Version { major: 1, minor: 37, name: "v1.37.2".to_owned() },
        ahead: Some(SignedDuration::ZERO),
        user: Ok(OPERATOR.to_owned()),
        definitions: Ok(vec![of("customerholds", DefinitionState::AsShipped)]),
        policies: PolicyState::AsShipped { since: at(NOW) },
        lists_namespaces: false,
        stamp: Ok(StampFound::Present),
        lacking: Ok((Vec::new(), 42)),
        excess: Ok(Vec::new()),
        namespace: Ok(true),
        key: Ok(KeyFound::Found {
            id: "3f9a02bc".to_owned(),
            is_as_made: true,
            backed_up_at: Some("2026-11-20T08:00:00Z".to_owned()),
        }),
        records: Ok(RecordsFound { any: true, of_another_key: 0 }),
        lease: Ok(Some(LeaseFound {
            holder: Some("operator-1".to_owned()),
            renewed_at: Some(at("2026-11-23T11:59:56Z")),
            duration: Duration::from_secs(15),
        })),
        providers: Ok(vec![provider()]),
    }
}

fn of(name: &str, state: DefinitionState) -> Definition {
    Definition { name: format!("{name}.offboarding.dev"), state }
}

/// Everything that is not in order: check, verdict, and how the sentence begins.
fn told(facts: &Facts) -> Vec<(String, Verdict, String)> {
    let lines = judge(facts).into_iter().filter(|line| line.verdict != Verdict::Ok);
    let lines =
        lines.inspect(|line| assert!(line.todo.as_ref().is_some_and(|todo| !todo.is_empty()), "{line:?}"));
    lines.map(|line| (line.check, line.verdict, line.says)).collect()
}

type Change = fn(&mut Facts);

/// One line is not in order, begins so, and nothing else is.
fn each_makes_its_line(rows: &[(&str, Change, &str, Verdict, &str)]) {
    for (what, change, check, verdict, begins) in rows {
        let mut facts = good();
        change(&mut facts);
        let told = told(&facts);
        let [(named, judged, says)] = told.as_slice() else { panic!("{what}: {told:#?}") };
        assert_eq!((named.as_str(), judged), (*check, verdict), "{what}: {says}");
        assert!(says.contains(begins), "{what}: {says}");
    }
}

/// The file of all rights would give those of the listed namespaces everywhere.
#[test]
fn nobody_whose_operator_works_in_listed_namespaces_is_told_to_give_it_rights_everywhere() {
    for (lists_namespaces, cure) in
        [(false, "kubectl apply --server-side -f deploy/roles.yaml"), (true, "bind ")]
    {
        let missing = (vec![rights::shipped("records", &[])[0].clone()], 42);
        let facts = Facts { lists_namespaces, lacking: Ok(missing), ..good() };
        let lines = judge(&facts);
        let todo = lines.iter().find(|line| line.check == "rights").and_then(|line| line.todo.as_deref());
        assert!(todo.is_some_and(|todo| todo.starts_with(cure)), "{todo:?}");
    }
}

#[test]
fn where_everything_is_in_order_every_line_says_so() {
    let lines = judge(&good());
    assert_eq!(told(&good()), []);
    let names: Vec<&str> = lines.iter().map(|line| line.check.as_str()).collect();
    let expected = [
        "kubernetes",
        "crds",
        "policies",
        "stamp-requester",
        "identity",
        "rights",
        "excess-rights",
        "namespace",
        "installation-key",
        "key-backup",
        "lease",
        "clock",
        "provider billing/revolv3",
        "reach billing/revolv3",
        "clock billing/revolv3",
    ];
    assert_eq!(names, expected);
}

#[test]
fn each_thing_that_is_wrong_in_the_cluster_has_its_line() {
    use Verdict::{Fail, Unknown, Warn};
    each_makes_its_line(&[
        (
            "an old Kubernetes",
            |it| it.version = Version { major: 1, minor: 32, name: "v1.32.9".to_owned() },
            "kubernetes",
            Fail,
            "Kubernetes v1.32.9: 1.33 or newer is needed",
        ),
        (
            "a kind is missing",
            |it| {
                it.definitions = Ok(vec![
                    of("a", DefinitionState::Missing),
                    of("b", DefinitionState::Older(vec!["spec.x".to_owned()])),
                ]);
            },
            "crds",
            Fail,
            "not installed: a.offboarding.dev",
        ),
        (
            "older kinds",
            |it| {
                let four = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
                it.definitions = Ok(vec![of("a", DefinitionState::Older(four))]);
            },
            "crds",
            Fail,
            "older than this version, which needs more fields: a.offboarding.dev (a, b, c and 1 more)",
        ),
        (
            "altered kinds",
            |it| it.definitions = Ok(vec![of("a", DefinitionState::Altered(vec!["spec".to_owned()]))]),
            "crds",
            Fail,
            "not as this version ships them: a.offboarding.dev (spec)",
        ),
        (
            "newer kinds",
            |it| it.definitions = Ok(vec![of("a", DefinitionState::Newer(vec!["spec.y".to_owned()]))]),
            "crds",
            Warn,
            "newer than this version, which does not know: a.offboarding.dev (spec.y)",
        ),
        (
            "no word of the kinds",
            |it| it.definitions = Err(ApiError::Unanswered),
            "crds",
            Unknown,
            "no usable answer",
        ),
        (
            "a policy is altered",
            |it| it.policies = PolicyState::Missing(vec!["ValidatingAdmissionPolicy a".to_owned()]),
            "policies",
            Fail,
            "so no approval counts: ValidatingAdmissionPolicy a",
        ),
        (
            "no word of the policies",
            |it| it.policies = PolicyState::Unanswered,
            "policies",
            Unknown,
            "no usable",
        ),
        ("no stamp", |it| it.stamp = Ok(StampFound::Missing), "stamp-requester", Warn, "not installed"),
        (
            "the stamp is not shown",
            |it| it.stamp = Err(ApiError::Forbidden),
            "stamp-requester",
            Unknown,
            "may not get",
        ),
        (
            "somebody else asks",
            |it| it.user = Ok("alice".to_owned()),
            "identity",
            Warn,
            "alice is not the account",
        ),
        (
            "a right is missing",
            |it| it.lacking = Ok((vec![rights::shipped("records", &[])[0].clone()], 42)),
            "rights",
            Fail,
            "1 of 42 are missing: get customeroffboardings.offboarding.dev",
        ),
        (
            "rights are missing that may be left out",
            |it| {
                let all = rights::shipped("records", &[]);
                it.lacking = Ok((all.into_iter().filter(rights::Right::is_optional).collect(), 42));
            },
            "rights",
            Warn,
            "5 of 42 are missing: delete customeroffboardings.offboarding.dev, get mutatingadmissionpolicies.admissionregistration.k8s.io stamp-requester.offboarding.dev, get mutatingadmissionpolicybindings.admissionregistration.k8s.io stamp-requester.offboarding.dev, create tokenreviews.authentication.k8s.io, create subjectaccessreviews.authorization.k8s.io; only `ttlAfterFinished`, the metrics over TLS or this check need them",
        ),
        (
            "more Secrets than those of the listed namespaces",
            |it| it.excess = Ok(vec![&rights::EVERYWHERE]),
            "excess-rights",
            Warn,
            "more than the operator needs: get secrets (could read Secrets of namespaces that are not listed)",
        ),
        (
            "a right too many",
            |it| it.excess = Ok(vec![&EXCESS[0]]),
            "excess-rights",
            Warn,
            "more than the operator needs: list secrets (could read every Secret)",
        ),
        (
            "no namespace",
            |it| it.namespace = Ok(false),
            "namespace",
            Fail,
            "customer-offboarding is not there",
        ),
    ]);
    let mut old = good();
    old.stamp = Ok(StampFound::NotServed);
    assert_eq!(told(&old), [], "a Kubernetes that cannot stamp is no fault");
}

#[test]
fn each_thing_that_is_wrong_with_key_lease_and_clock_has_its_line() {
    use Verdict::{Fail, Unknown, Warn};
    fn key(it: &mut Facts, as_made: bool, backup: Option<&str>) {
        let (id, backed_up_at) = ("3f9a02bc".to_owned(), backup.map(str::to_owned));
        it.key = Ok(KeyFound::Found { id, is_as_made: as_made, backed_up_at });
    }
    fn lease(it: &mut Facts, holder: Option<&str>, renewed_at: Option<&str>) {
        let duration = Duration::from_secs(15);
        let holder = holder.map(str::to_owned);
        it.lease = Ok(Some(LeaseFound { holder, renewed_at: renewed_at.map(at), duration }));
    }
    each_makes_its_line(&[
        (
            "the key is lost",
            |it| it.key = Ok(KeyFound::Missing),
            "installation-key",
            Fail,
            "missing, but there are records",
        ),
        (
            "the key is not made yet",
            |it| {
                it.key = Ok(KeyFound::Missing);
                it.records = Ok(RecordsFound { any: false, of_another_key: 0 });
            },
            "installation-key",
            Warn,
            "not made yet",
        ),
        (
            "the key is none",
            |it| it.key = Ok(KeyFound::Unusable),
            "installation-key",
            Fail,
            "holds no key of 32 bytes",
        ),
        (
            "records of another key",
            |it| it.records = Ok(RecordsFound { any: true, of_another_key: 3 }),
            "installation-key",
            Fail,
            "3f9a02bc, but 3 records were made with another one",
        ),
        (
            "a key that can be changed",
            |it| key(it, false, Some("2026-11-20T08:00:00Z")),
            "installation-key",
            Warn,
            "its Secret is not immutable",
        ),
        (
            "the key is not shown",
            |it| it.key = Err(ApiError::Forbidden),
            "installation-key",
            Unknown,
            "may not get the Secret",
        ),
        (
            "no record is shown",
            |it| it.records = Err(ApiError::Forbidden),
            "installation-key",
            Unknown,
            "may not list",
        ),
        ("no backup", |it| key(it, true, None), "key-backup", Warn, "nobody says that the key is backed up"),
        ("yes is no time", |it| key(it, true, Some("yes")), "key-backup", Warn, "is not a time in the past"),
        (
            "a backup to come",
            |it| key(it, true, Some("2027-01-01T00:00:00Z")),
            "key-backup",
            Warn,
            "not a time in the past",
        ),
        ("nobody ever led", |it| it.lease = Ok(None), "lease", Fail, "nobody has led yet"),
        ("nobody leads", |it| lease(it, None, Some(NOW)), "lease", Fail, "it was given back"),
        ("an empty holder", |it| lease(it, Some(""), Some(NOW)), "lease", Fail, "it was given back"),
        (
            "the leader is gone",
            |it| lease(it, Some("operator-1"), Some("2026-11-23T11:59:39Z")),
            "lease",
            Fail,
            "operator-1 has not renewed it since 2026-11-23T11:59:39Z",
        ),
        (
            "the lease is not shown",
            |it| it.lease = Err(ApiError::Forbidden),
            "lease",
            Unknown,
            "may not get the Lease",
        ),
        (
            "a clock ahead",
            |it| it.ahead = Some(SignedDuration::from_secs(6)),
            "clock",
            Warn,
            "the API server is 6 s ahead of this machine",
        ),
        (
            "a clock behind",
            |it| it.ahead = Some(SignedDuration::from_secs(-31)),
            "clock",
            Fail,
            "the API server is 31 s behind this machine",
        ),
        ("no clock", |it| it.ahead = None, "clock", Unknown, "does not tell its time"),
    ]);
    for seconds in [5, -5] {
        let mut facts = good();
        facts.ahead = Some(SignedDuration::from_secs(seconds));
        assert_eq!(told(&facts), []);
    }
}

#[test]
fn each_thing_that_is_wrong_with_a_provider_object_has_its_line() {
    use Verdict::{Fail, Unknown, Warn};
    fn change(it: &mut Facts, change: fn(&mut ProviderFound)) {
        let mut found = provider();
        change(&mut found);
        it.providers = Ok(vec![found]);
    }
    fn fails(it: &mut ProviderFound, cause: Cause) {
        it.reach = Reach::Failed(Failure::new(Class::Transient, cause));
    }
    each_makes_its_line(&[
        ("none", |it| it.providers = Ok(Vec::new()), "providers", Warn, "there is no provider object"),
        (
            "not shown",
            |it| it.providers = Err(ApiError::Forbidden),
            "providers",
            Unknown,
            "may not list provider objects",
        ),
        (
            "suspended",
            |it| change(it, |it| it.suspended = true),
            "provider billing/revolv3",
            Warn,
            "suspended",
        ),
        (
            "not looked at",
            |it| change(it, |it| it.ready = None),
            "provider billing/revolv3",
            Unknown,
            "has not looked at it",
        ),
        (
            "not ready",
            |it| {
                change(it, |it| {
                    let (reason, message) = ("AuthFailed".to_owned(), "it refused the credential".to_owned());
                    it.ready = Some(Healthy { is_ready: false, reason, message });
                });
            },
            "provider billing/revolv3",
            Fail,
            "not ready (AuthFailed): it refused the credential",
        ),
        (
            "an address that is none",
            |it| change(it, |it| it.reach = Reach::Unusable("spec.baseUrl: must use https".to_owned())),
            "reach billing/revolv3",
            Fail,
            "spec.baseUrl: must use https",
        ),
        (
            "no connection",
            |it| change(it, |it| fails(it, Cause::ConnectFailed)),
            "reach billing/revolv3",
            Fail,
            "no connection",
        ),
        (
            "no name",
            |it| change(it, |it| fails(it, Cause::NameNotResolved)),
            "reach billing/revolv3",
            Fail,
            "cannot be resolved",
        ),
        (
            "an inner address",
            |it| change(it, |it| fails(it, Cause::AddressNotAllowed)),
            "reach billing/revolv3",
            Fail,
            "not allowed",
        ),
        (
            "no trust",
            |it| change(it, |it| fails(it, Cause::TlsFailed)),
            "reach billing/revolv3",
            Fail,
            "no trusted TLS",
        ),
        (
            "the proxy",
            |it| change(it, |it| fails(it, Cause::ProxyRefused)),
            "reach billing/revolv3",
            Fail,
            "proxy refuses",
        ),
        (
            "its clock",
            |it| change(it, |it| it.reach = Reach::Reached { ahead: Some(SignedDuration::from_secs(40)) }),
            "clock billing/revolv3",
            Fail,
            "the provider is 40 s ahead",
        ),
    ]);
}

#[test]
fn a_client_certificate_is_not_shown_and_what_it_hides_is_told_by_the_operator() {
    let mut found = provider();
    found.has_client_certificate = true;
    found.reach = Reach::Failed(Failure::new(Class::Transient, Cause::TlsFailed));
    let mut facts = good();
    facts.providers = Ok(vec![found.clone()]);
    assert_eq!(told(&facts), [], "its own request went well");
    found.ready = None;
    facts.providers = Ok(vec![found]);
    let said: Vec<_> = told(&facts).into_iter().map(|(check, verdict, _)| (check, verdict)).collect();
    let expected = ["provider billing/revolv3", "reach billing/revolv3"];
    assert_eq!(said, expected.map(|check| (check.to_owned(), Verdict::Unknown)));
}

#[test]
fn a_namespace_that_may_not_be_read_is_there_where_something_is_in_it() {
    let mut facts = good();
    facts.namespace = Err(ApiError::Forbidden);
    assert_eq!(told(&facts), []);
    facts.lease = Ok(None);
    facts.key = Ok(KeyFound::Missing);
    let names: Vec<String> = told(&facts).into_iter().map(|(check, ..)| check).collect();
    assert_eq!(names, ["namespace", "installation-key", "lease"]);
}

#[test]
fn a_provider_that_does_not_tell_its_time_has_no_line_about_it() {
    let mut found = provider();
    found.reach = Reach::Reached { ahead: None };
    let mut facts = good();
    facts.providers = Ok(vec![found]);
    assert!(judge(&facts).iter().all(|line| line.check != "clock billing/revolv3"));
    assert_eq!(told(&facts), []);
}

/// As `docs/configuration.md` shows it.
#[test]
fn a_line_that_is_not_in_order_is_printed_as_the_manual_shows_it() {
    let mut facts = good();
    facts.policies =
        PolicyState::Missing(vec!["ValidatingAdmissionPolicy approvals.offboarding.dev".to_owned()]);
    facts.key = Ok(KeyFound::Found { id: "3f9a02bc".to_owned(), is_as_made: true, backed_up_at: None });
    let lines: Vec<Line> = judge(&facts).into_iter().filter(|line| line.verdict != Verdict::Ok).collect();
    let printed = format!("```text\n{}```\n", crate::check::as_text(&lines));
    assert!(include_str!("../../docs/configuration.md").contains(&printed), "{printed}");
}
