//! T14: who may agree, in whose name, with which right, for how long; and who may take a refusal away.

use harness::{Failure, eventually};
use http::Method;
use serde_json::{Value, json};

use crate::{
    ALLOWED, Hall, NO_RIGHT, SOON, Try,
    fixtures::{LONGEST, approval, denial, in_seconds, requested_by, with},
};

const OWN_NAME: &str = "spec.approver: must equal the requesting user";
const DELETE: &str = "spec.grants: Delete needs the verb approve on customeroffboardings";
const WAIVE: &str = "spec.grants: Waive needs the verb waive on customeroffboardings";
const UNTIL: &str = "spec.expiresAt: must be in the future and within 336h";
const IMMUTABLE: &str = "spec: Forbidden: is immutable; create a new OffboardingApproval instead";
const NEVER_CHANGES: &str = "spec: an approval never changes; delete it, and make another one";

const ROBOT: &str = "system:serviceaccount:argocd:argocd-application-controller";
const OPERATOR: &str = "system:serviceaccount:customer-offboarding:customer-offboarding-operator";
const COLLECTORS: [&str; 3] = [
    "as system:serviceaccount:kube-system:namespace-controller",
    "as system:serviceaccount:kube-system:generic-garbage-collector",
    "as system:kube-controller-manager",
];

fn by(approver: &str) -> Value {
    with(approval("it"), "approver", approver)
}

fn granting(approver: &str, grants: &[&str]) -> Value {
    with(by(approver), "grants", grants)
}

fn until(seconds: i64) -> Value {
    with(approval("it"), "expiresAt", in_seconds(seconds))
}

fn refusal_by(approver: &str) -> Value {
    with(denial("it"), "approver", approver)
}

fn robot(user: &str) -> String {
    format!("'{user}' may not approve; it may deny")
}

#[tokio::test]
async fn somebody_agrees_in_their_own_name_or_not_at_all() -> Result<(), Failure> {
    let hall = Hall::open("own-name").await?;
    hall.bind("offboarding-approver", ROBOT).await?;
    hall.until_bound("argocd", &hall.create(&refusal_by(ROBOT))).await;
    let (argo, operator) = (robot(ROBOT), robot(OPERATOR));
    let (as_operator, as_admin) = (format!("as {OPERATOR}"), robot("system:admin"));
    let rows = [
        ("in one's own name", "bob", by("bob"), ALLOWED),
        ("row 30: in another's", "bob", by("carol"), OWN_NAME),
        ("row 30: spelt otherwise", "bob", by("Bob"), OWN_NAME),
        ("row 30: with a space", "bob", by("bob "), OWN_NAME),
        ("row 30: a refusal in another's name", "bob", refusal_by("carol"), OWN_NAME),
        ("an administrator in their own name, once", "admin", by("admin"), ALLOWED),
        ("row 30: an administrator in another's", "admin", by("bob"), OWN_NAME),
        ("row 30: break-glass is no other name", "grace", by("bob"), OWN_NAME),
        ("requester and approver: the operator compares", "frank", by("frank"), ALLOWED),
        ("a requester", "alice", by("alice"), NO_RIGHT),
        ("a requester refuses: they cancel instead", "alice", refusal_by("alice"), NO_RIGHT),
        ("the platform team", "dave", by("dave"), NO_RIGHT),
        ("legal", "erin", by("erin"), NO_RIGHT),
        ("an auditor", "ivan", by("ivan"), NO_RIGHT),
        ("row 36: a robot with every right", "argocd", by(ROBOT), &argo),
        ("row 36: a robot in a person's name", "argocd", by("bob"), OWN_NAME),
        ("row 36: a robot refuses", "argocd", refusal_by(ROBOT), ALLOWED),
        ("row 36: the operator, as its roles are", "operator", by(OPERATOR), NO_RIGHT),
        ("row 36: the operator with every right", &as_operator, by(OPERATOR), &operator),
        ("row 36: the built-in administrator", "as system:admin", by("system:admin"), &as_admin),
        ("a name that only looks like it", "as systemadmin", by("systemadmin"), ALLOWED),
        ("an author is no matter of an approval", "bob", requested_by(by("bob"), "carol"), ALLOWED),
    ];
    hall.assert_answers(rows.map(|(about, who, object, due)| (about, who, hall.create(&object), due))).await;
    Ok(())
}

const CREATES_ONLY: &str = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: creates-approvals-only}, rules: [{apiGroups: [offboarding.dev], resources: [offboardingapprovals], verbs: [create]}]}";

#[tokio::test]
async fn each_grant_needs_its_own_verb() -> Result<(), Failure> {
    let hall = Hall::open("verbs").await?;
    hall.plane.apply(CREATES_ONLY).await?;
    for (role, user) in [
        ("creates-approvals-only", "judy"),
        ("offboarding-waiver", "heidi"),
        ("offboarding-attester", "niaj"),
    ] {
        hall.bind(role, user).await?;
        hall.until_allowed(&format!("plain {user}"), &hall.create(&refusal_by(user))).await;
    }
    let (waived, both) = (["Waive:billing/invoices"], ["Delete", "Waive:billing/invoices"]);
    hall.bind("offboarding-waiver", "carol").await?;
    hall.until_allowed("carol", &hall.create(&granting("carol", &waived))).await;
    let rows = [
        ("Delete with approve", "bob", granting("bob", &["Delete"]), ALLOWED),
        ("Waive without waive", "bob", granting("bob", &waived), WAIVE),
        ("both without waive", "bob", granting("bob", &both), WAIVE),
        ("both with both", "carol", granting("carol", &both), ALLOWED),
        (
            "two waivers",
            "carol",
            granting("carol", &["Waive:billing/invoices", "Waive:billing/wallets"]),
            ALLOWED,
        ),
        ("create alone", "plain judy", granting("judy", &["Delete"]), DELETE),
        ("create alone, waiving", "plain judy", granting("judy", &waived), WAIVE),
        ("create alone, refusing", "plain judy", refusal_by("judy"), ALLOWED),
        ("waive alone, waiving", "plain heidi", granting("heidi", &waived), ALLOWED),
        ("waive alone, deleting", "plain heidi", granting("heidi", &["Delete"]), DELETE),
        ("waive alone, both", "plain heidi", granting("heidi", &both), DELETE),
        ("attest alone, deleting", "plain niaj", granting("niaj", &["Delete"]), DELETE),
        ("attest alone, waiving", "plain niaj", granting("niaj", &waived), WAIVE),
        ("nothing at all", "plain olivia", granting("olivia", &["Delete"]), NO_RIGHT),
        (
            "a grant of later",
            "carol",
            granting("carol", &["Attest:billing"]),
            "spec.grants: Invalid value: must be Delete, or Waive:<target>/<check> such as Waive:billing/invoices",
        ),
        ("an administrator has every verb", "admin", granting("admin", &both), ALLOWED),
    ];
    hall.assert_answers(rows.map(|(about, who, object, due)| (about, who, hall.create(&object), due))).await;
    Ok(())
}

#[tokio::test]
async fn a_verb_in_one_namespace_is_none_in_another() -> Result<(), Failure> {
    let [here, there] = [Hall::open("here").await?, Hall::open("there").await?];
    here.plane.apply(CREATES_ONLY).await?;
    here.bind("offboarding-approver", "peggy").await?;
    there.bind("creates-approvals-only", "peggy").await?;
    here.until_allowed("plain peggy", &here.create(&by("peggy"))).await;
    there.until_allowed("plain peggy", &there.create(&refusal_by("peggy"))).await;
    there.assert_answers([("approve elsewhere", "plain peggy", there.create(&by("peggy")), DELETE)]).await;
    Ok(())
}

#[tokio::test]
async fn an_agreement_ends_within_two_weeks_and_a_refusal_never() -> Result<(), Failure> {
    let hall = Hall::open("until").await?;
    let rows = [
        ("a minute", until(60), ALLOWED),
        ("two weeks but a minute", until(LONGEST - 60), ALLOWED),
        ("row 34: two weeks and a minute", until(LONGEST + 60), UNTIL),
        ("row 34: past", until(-60), UNTIL),
        ("row 34: long past", with(approval("it"), "expiresAt", "1999-01-01T00:00:00Z"), UNTIL),
        ("row 34: far", with(approval("it"), "expiresAt", "9999-12-31T23:59:59Z"), UNTIL),
        (
            "row 34: past on a clock that is ahead",
            with(approval("it"), "expiresAt", "2020-01-01T23:59:59+14:00"),
            UNTIL,
        ),
        (
            "row 34: never",
            with(approval("it"), "expiresAt", Value::Null),
            "spec.expiresAt: Invalid value: must be set where `decision` is Approve: at most 336h ahead",
        ),
        ("a refusal", denial("it"), ALLOWED),
        (
            "a refusal that ends",
            with(denial("it"), "expiresAt", in_seconds(60)),
            "spec.expiresAt: Invalid value: must be left out where `decision` is Deny: it stands until it is deleted",
        ),
    ];
    hall.assert_answers(rows.map(|(about, object, due)| (about, "bob", hall.create(&object), due))).await;
    Ok(())
}

#[tokio::test]
async fn what_was_said_is_changed_by_nobody() -> Result<(), Failure> {
    let hall = Hall::open("unchanged").await?;
    let yes = hall.does("bob", hall.create(&approval("yes"))).await;
    let longer = json!({ "spec": { "expiresAt": in_seconds(7200) } });
    let renamed = json!({ "spec": { "approver": "carol" } });
    let labelled = json!({ "metadata": { "labels": { "seen": "yes" } } });
    let rows = [
        ("by its author", "bob", hall.patch(&yes, longer.clone()), NO_RIGHT),
        ("by its author, a label", "bob", hall.patch(&yes, labelled.clone()), NO_RIGHT),
        ("by a requester", "alice", hall.patch(&yes, longer.clone()), NO_RIGHT),
        ("row 35: by an administrator", "admin", hall.patch(&yes, longer), IMMUTABLE),
        ("row 35: for somebody else", "admin", hall.patch(&yes, renamed), IMMUTABLE),
        (
            "row 35: as a whole",
            "admin",
            hall.replace(&with(yes.clone(), "grants", json!(["Waive:a/b"]))),
            IMMUTABLE,
        ),
        ("a label says nothing", "admin", hall.patch(&yes, labelled.clone()), ALLOWED),
    ];
    hall.assert_answers(rows).await;

    // A CRD without that rule: nobody compares it with ours. Nothing else here depends on it, so it is left like this.
    hall.without_the_rule_of_the_crd().await;
    let longer = hall.patch(&yes, json!({ "spec": { "expiresAt": in_seconds(9_000) } }));
    let by_the_policy = async || match hall.tries("admin", &longer).await {
        Err(why) if why == NEVER_CHANGES => Ok(()),
        other => Err(other),
    };
    eventually(SOON, "the policy says so, too", by_the_policy).await;
    let rows = [("a label still says nothing", "admin", hall.patch(&yes, labelled), ALLOWED)];
    hall.assert_answers(rows).await;
    Ok(())
}

impl Hall<'_> {
    async fn without_the_rule_of_the_crd(&self) {
        let path = self.path("customresourcedefinitions", "offboardingapprovals.offboarding.dev");
        let crd = Try { method: Method::GET, path, content: "application/json", body: Value::Null };
        let stored = self.tries("admin", &crd).await.unwrap();
        let rules = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations";
        let all = stored.pointer(rules).and_then(Value::as_array).unwrap();
        let at = all.iter().position(|rule| IMMUTABLE.ends_with(rule["message"].as_str().unwrap())).unwrap();
        let removed = json!([{ "op": "remove", "path": format!("{rules}/{at}") }]);
        let content = "application/json-patch+json";
        self.does("admin", Try { method: Method::PATCH, content, body: removed, ..crd }).await;
    }
}

#[tokio::test]
async fn a_refusal_is_withdrawn_by_its_author_and_consent_by_any_approver() -> Result<(), Failure> {
    let hall = Hall::open("withdrawn").await?;
    hall.bind("offboarding-approver", ROBOT).await?;
    hall.until_bound("argocd", &hall.create(&refusal_by(ROBOT))).await;
    hall.does("bob", hall.create(&approval("yes"))).await;
    hall.does("bob", hall.create(&denial("no"))).await;
    hall.does("argocd", hall.create(&with(denial("robots-no"), "approver", ROBOT))).await;
    let author = "a denial is withdrawn by its author";
    let delete = |name| hall.delete("offboardingapprovals", name);
    let every = || hall.delete("offboardingapprovals", "");
    let only = |name: &str| {
        let mut every = every();
        every.path += &format!("&fieldSelector=metadata.name={name}");
        every
    };
    let rows = [
        ("consent, by its author", "bob", delete("yes"), ALLOWED),
        ("consent, by another approver", "carol", delete("yes"), ALLOWED),
        ("consent, by a requester", "alice", delete("yes"), NO_RIGHT),
        ("a refusal, by its author", "bob", delete("no"), ALLOWED),
        ("a refusal, by another approver", "carol", delete("no"), author),
        ("a refusal, by a requester", "alice", delete("no"), NO_RIGHT),
        ("a refusal, by a robot", "argocd", delete("no"), author),
        ("a refusal, by an administrator", "admin", delete("no"), author),
        ("a refusal, by break-glass", "grace", delete("no"), ALLOWED),
        ("a robot's refusal, by that robot", "argocd", delete("robots-no"), ALLOWED),
        ("a robot's refusal, by an approver", "bob", delete("robots-no"), author),
        ("R11: a refusal, with its namespace", COLLECTORS[0], delete("no"), ALLOWED),
        ("R11: a refusal, as garbage", COLLECTORS[1], delete("no"), ALLOWED),
        ("R11: a refusal, by a controller manager without accounts", COLLECTORS[2], delete("no"), ALLOWED),
        (
            "a refusal, by another controller",
            "as system:serviceaccount:kube-system:job-controller",
            delete("no"),
            author,
        ),
        ("everything at once, by an approver", "carol", every(), NO_RIGHT),
        ("everything at once, by an administrator", "admin", every(), author),
        ("one that is chosen by name", "admin", only("no"), author),
        ("consent that is chosen by name", "admin", only("yes"), ALLOWED),
    ];
    hall.assert_answers(rows).await;
    Ok(())
}
