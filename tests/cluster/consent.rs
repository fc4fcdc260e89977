//! B1: who agreed to what. Each row is a request with its people; what they may say, what counts of it, and what follows.

use harness::Provider::Juicyway;
use http::Method;
use serde_json::{Value, json};

use crate::{
    people::in_seconds,
    stage::{a_few_at_once, play},
    story::{Story, assert_told, condition},
};

const ID: &str = "cus_agreed";

const ARGO: &str = "system:serviceaccount:argocd:argocd-application-controller";

const AWAITED: &str = "AwaitingApproval";

/// One thing that somebody does, or that is seen then.
enum Step {
    /// Agrees to the plan as it is told.
    Agrees(&'static str),
    /// The same with another spec.
    Says(&'static str, Value),
    /// Tries to say it, and the API server answers this.
    MayNot(&'static str, Value, &'static str),
    Denies(&'static str),
    /// Takes back what somebody said.
    TakesBack(&'static str, &'static str),
    MayNotTakeBack(&'static str, &'static str, &'static str),
    Edits(Value),
    /// Says it with the rights of another namespace, in which it lies then.
    SaysElsewhere(&'static str, Value),
    DeniesElsewhere(&'static str),
    /// Takes back what somebody said, and a finalizer of somebody else keeps the object.
    TakesBackSlowly(&'static str),
    /// So many of so many approvals, because of that.
    Waits(&'static str, &'static str),
    /// A check stands in the way.
    Blocked,
    Denied,
    CoolsOff,
    /// It is done, by one DELETE.
    Goes,
}

mod lives;
mod rows;

use Step::*;

struct Row {
    about: &'static str,
    author: &'static str,
    /// How many approvals the plan says.
    needs: i64,
    approvals: Value,
    request: Value,
    steps: Vec<Step>,
}

/// Alice asks, and so many must agree.
fn row<const N: usize>(about: &'static str, required: i64, steps: [Step; N]) -> Row {
    let approvals = json!({"approvals": {"required": required}});
    Row { about, author: "alice", needs: required, approvals, request: json!({}), steps: steps.into() }
}

impl Row {
    fn by(self, author: &'static str) -> Self {
        Row { author, ..self }
    }

    fn needs(self, needs: i64) -> Self {
        Row { needs, ..self }
    }

    fn with(mut self, approvals: Value) -> Self {
        crate::story::merge(&mut self.approvals, approvals);
        self
    }

    fn asking(self, request: Value) -> Self {
        Row { request, ..self }
    }
}

async fn table(rows: Vec<Row>) {
    let play = |row: Row| play("consent", async move |story| row.is_played(story).await);
    a_few_at_once(rows.into_iter().map(play)).await;
}

impl Row {
    async fn is_played(self, story: &Story<'_>) {
        story.cast().await;
        story.bind("offboarding-requester", ARGO).await;
        story.bind("offboarding-approver", ARGO).await;
        if self.author == "frank" && self.is_blocked_by_wallets() {
            story.bind("offboarding-waiver", "frank").await;
        }
        let wallets = if self.is_blocked_by_wallets() { json!([{"balance": 5}]) } else { json!([]) };
        story.sandbox.seed(Juicyway, ID, &json!({"wallets": wallets})).await.unwrap();
        story.provider(Juicyway, self.approvals).await;
        story.request_as(self.author, "acme", Juicyway, ID, self.request).await;
        let mut is_done = false;
        for (n, step) in self.steps.iter().enumerate() {
            println!("{}: step {n}", self.about);
            is_done = matches!(step, Goes);
            step.is_taken(story, self.needs).await;
        }
        if !is_done {
            story.settles("acme", Juicyway, ID).await;
        }
        assert_eq!(story.deletes(Juicyway, ID).await, usize::from(is_done), "{}", self.about);
    }

    /// A wallet that is not empty: where a row is about that.
    fn is_blocked_by_wallets(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Blocked => true,
            Says(_, change) | SaysElsewhere(_, change) => change.to_string().contains("Waive:"),
            _ => false,
        })
    }
}

impl Step {
    async fn is_taken(&self, story: &Story<'_>, needs: i64) {
        match self {
            Agrees(user) => story.agree(user, "acme").await,
            Says(user, change) => story.say(user, &said(story, user, change).await).await.map(drop).unwrap(),
            MayNot(user, change, answer) => {
                let refused = story.say(user, &said(story, user, change).await).await.unwrap_err();
                assert!(refused.contains(answer), "{refused}");
            }
            Denies(user) => {
                let name = if *user == "argocd" { ARGO } else { user };
                let spec = json!({"decision": "Deny", "for": [{"name": "acme", "uid": story.uid_of("acme").await}], "approver": name});
                story.say(user, &object(user, spec)).await.unwrap();
            }
            TakesBack(user, of) => story.take_back(user, of).await.unwrap(),
            MayNotTakeBack(user, of, answer) => {
                let refused = story.take_back(user, of).await.unwrap_err();
                assert!(refused.contains(answer), "{refused}");
            }
            TakesBackSlowly(user) => {
                let path = story.plural("offboardingapprovals");
                let list = story.ask_as("admin", Method::GET, &path, &json!({})).await.unwrap();
                let name = list["items"][0]["metadata"]["name"].as_str().unwrap();
                let keep = json!({"metadata": {"finalizers": ["example.com/keeps"]}});
                story.ask_as("admin", Method::PATCH, &format!("{path}/{name}"), &keep).await.unwrap();
                story.take_back(user, user).await.unwrap();
            }
            Edits(change) => story.edit("acme", change.clone()).await,
            SaysElsewhere(user, change) => {
                let object = said(story, user, change).await;
                elsewhere(story, user, &object).await;
            }
            DeniesElsewhere(user) => {
                let spec = json!({"decision": "Deny", "for": [{"name": "acme", "uid": story.uid_of("acme").await}], "approver": user});
                elsewhere(story, user, &object(user, spec)).await;
            }
            Waits(reason, counted) => waits(story, reason, counted, needs).await,
            Blocked => {
                let status = story.reason("acme", "Unblocked", "BlockersFound").await;
                assert_eq!(status["phase"], "Blocked");
                assert_eq!(status["plan"]["requiredApprovals"], needs);
            }
            Denied => {
                let status = story.says("acme", "somebody denied this request; nothing is deleted. Cancel it, or have the denial deleted by its author").await;
                assert_told(
                    &status,
                    &[
                        ["Stalled", "True", "Denied"],
                        ["Approved", "False", "Denied"],
                        ["Ready", "False", "Blocked"],
                    ],
                );
            }
            CoolsOff => {
                let status =
                    story.until("acme", "it cools off", |status| status["phase"] == "CoolingOff").await;
                assert_told(
                    &status,
                    &[["Approved", "True", "QuorumReached"], ["Waiting", "True", "CoolingOff"]],
                );
            }
            Goes => {
                let status = story.finished("acme").await;
                assert_eq!(status["result"], "ErasedWithRetention");
                let reason = if needs == 0 { "NotRequired" } else { "QuorumReached" };
                assert_eq!(condition(&status, "Approved")["reason"], reason);
            }
        }
    }
}

async fn waits(story: &Story<'_>, reason: &str, counted: &str, needs: i64) {
    let what = format!("{counted} approvals, {reason}");
    let status = story
        .until("acme", &what, |status| {
            condition(status, "Approved")["reason"] == reason
                && status["waitingFor"].as_str().unwrap_or("").starts_with(&format!("{counted} approvals"))
        })
        .await;
    assert_eq!(status["phase"], "AwaitingApproval");
    assert_eq!(status["plan"]["requiredApprovals"], needs);
    assert_told(
        &status,
        &[["Approved", "False", reason], ["Waiting", "True", AWAITED], ["Stalled", "False", "NotStalled"]],
    );
}

fn object(user: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingApproval",
        "metadata": {"generateName": format!("{user}-")}, "spec": spec,
    })
}

/// Lies in another namespace, in which that person has the same rights.
async fn elsewhere(story: &Story<'_>, user: &str, object: &Value) {
    let other = story.stage.plane.namespace("elsewhere").await.unwrap();
    story.stage.plane.bind_personas(&other).await.unwrap();
    story
        .stage
        .plane
        .bind("offboarding-waiver", harness::Subject::User("carol"), Some(&other))
        .await
        .unwrap();
    let path = format!("/apis/offboarding.dev/v1alpha1/namespaces/{}/offboardingapprovals", other.name());
    story.ask_as(user, Method::POST, &path, object).await.unwrap();
}

/// An approval with a change: `in 8` is a moment, and the fields of `for` are of its only item.
async fn said(story: &Story<'_>, user: &str, change: &Value) -> Value {
    let mut change = change.clone();
    let mut approval = story.approval_of(user, "acme", json!({})).await;
    if let Some(item) = change.as_object_mut().unwrap().remove("for") {
        crate::story::merge(&mut approval["spec"]["for"][0], item[0].clone());
    }
    if change["decision"] == "Deny" {
        approval["spec"]["grants"] = Value::Null;
    }
    if let Some(count) = change["expiresAt"].as_str().and_then(|it| it.strip_prefix("in ")) {
        change["expiresAt"] = json!(in_seconds(count.parse().unwrap()));
    }
    crate::story::merge(&mut approval["spec"], change);
    approval
}
