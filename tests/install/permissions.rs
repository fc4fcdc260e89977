//! Every right of the operator is needed: without it this is seen. And none is missing: with all of them nothing is refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use harness::{Failure, Process};
use serde_json::{Value, json};

use crate::{
    rights::{Right, asked},
    scenes::{
        Hall,
        Scene::{
            self, Blockers, Deletion, Doctor, Provider, Removal, Scrape, SharedDeletion, SharedProvider,
            Start, WithoutAKey, WithoutALease,
        },
        Seen::{self, Log, NoMetrics, NotReady, NotSent, Unknown, Waits},
    },
    stage::{Stage, says},
};

const WATCH: &str = "a watch failed";
const FORBIDDEN: &str = "forbidden";
const LEASE: Seen = Log(&["the lease cannot be read or written: forbidden"]);
const KEY: Seen = Log(&["customer-offboarding-installation-key cannot be read or made: forbidden"]);
const STAYS: Seen = Log(&["a finished request cannot be removed, it is tried again: forbidden"]);
const STAMP: Seen = Unknown("stamp-requester");
const STATUS: Seen = Log(&["failed to save the status: forbidden"]);

/// Without this right, in this scene, this is seen.
const TABLE: &[(&str, Scene, Seen)] = &[
    // First: afterwards there are records, and no key is made again.
    ("create secrets", WithoutAKey, KEY),
    ("get secrets customer-offboarding-installation-key", Start, KEY),
    ("get secrets shared", SharedProvider, NotReady("SecretUnavailable")),
    ("get secrets", Provider, NotReady("SecretUnavailable")),
    ("get leases customer-offboarding-operator", Start, LEASE),
    ("update leases customer-offboarding-operator", Start, LEASE),
    ("create leases customer-offboarding-operator", WithoutALease, LEASE),
    ("list customeroffboardings", Start, Log(&[WATCH, FORBIDDEN, "CustomerOffboarding in"])),
    ("watch customeroffboardings", Start, Log(&[WATCH, FORBIDDEN, "CustomerOffboarding in"])),
    ("get customeroffboardings", Deletion, NotSent),
    ("update customeroffboardings/status", Deletion, STATUS),
    ("delete customeroffboardings", Removal, STAYS),
    ("list offboardingapprovals", Start, Log(&[WATCH, FORBIDDEN, "OffboardingApproval in"])),
    ("watch offboardingapprovals", Start, Log(&[WATCH, FORBIDDEN, "OffboardingApproval in"])),
    ("list offboardingproviders", Start, Log(&[WATCH, FORBIDDEN, "\"OffboardingProvider in"])),
    ("watch offboardingproviders", Start, Log(&[WATCH, FORBIDDEN, "\"OffboardingProvider in"])),
    ("get offboardingproviders", Deletion, NotSent),
    ("update offboardingproviders/status", Provider, STATUS),
    ("list clusteroffboardingproviders", Start, Log(&[WATCH, FORBIDDEN, "ClusterOffboardingProvider"])),
    ("watch clusteroffboardingproviders", Start, Log(&[WATCH, FORBIDDEN, "ClusterOffboardingProvider"])),
    ("get clusteroffboardingproviders", SharedDeletion, NotSent),
    ("update clusteroffboardingproviders/status", SharedProvider, STATUS),
    ("list customerholds", Start, Log(&[WATCH, FORBIDDEN, "CustomerHold"])),
    ("watch customerholds", Start, Log(&[WATCH, FORBIDDEN, "CustomerHold"])),
    ("create events", Blockers, Log(&["an event could not be written"])),
    ("patch events", Blockers, Log(&["an event could not be written"])),
    ("get offboardingrecords", Deletion, Waits("the Kubernetes API server to answer")),
    ("list offboardingrecords", Start, Log(&["nobody knows whether there are records: forbidden"])),
    ("watch offboardingrecords", Start, Log(&[WATCH, FORBIDDEN, "OffboardingRecord"])),
    ("create offboardingrecords", Deletion, Log(&["no intent could be written", FORBIDDEN])),
    ("update offboardingrecords", Deletion, Log(&["failed to write the record: forbidden"])),
    ("create tokenreviews", Scrape, NoMetrics),
    ("create subjectaccessreviews", Scrape, NoMetrics),
    ("get mutatingadmissionpolicies stamp-requester.offboarding.dev", Doctor, STAMP),
    ("get mutatingadmissionpolicybindings stamp-requester.offboarding.dev", Doctor, STAMP),
];

/// Of each policy that approvals stand on the policy and its binding: the log names what cannot be read.
const POLICIES: [&str; 4] = ["requests", "approvals", "denials", "operator-only"];
const READ: [(&str, &str); 2] = [
    ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
    ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
];

#[tokio::test]
async fn each_right_that_is_taken_away_is_missed_and_nothing_else_is_asked_for() {
    let begun = Instant::now();
    let stage = Stage::bare().await.unwrap();
    let hall = Hall::of(&stage).await;
    let mut known: Vec<String> = TABLE.iter().map(|(right, ..)| (*right).to_owned()).collect();
    known.extend(
        READ.iter()
            .flat_map(|(plural, _)| POLICIES.map(|policy| format!("get {plural} {policy}.offboarding.dev"))),
    );
    let mut given: Vec<String> = hall.rights.all.iter().map(Right::words).collect();
    known.sort();
    given.sort();
    assert_eq!(given, known, "a right without a row, or a row without a right");

    let (first, others) = TABLE.split_first().unwrap();
    hall.misses(first).await;
    hall.nothing_is_missed_with_all_of_them().await;
    for row in others {
        hall.misses(row).await;
    }
    for (plural, kind) in READ {
        for policy in POLICIES {
            let right = format!("get {plural} {policy}.offboarding.dev");
            let told = format!("{kind} {policy}.offboarding.dev");
            hall.without(&right, Start, async |operator| {
                says(operator, &["admission policies", "Missing", &told]).await
            })
            .await;
        }
    }
    println!("{} rights in {:.0?}", known.len(), begun.elapsed());
    // The doctor asks each provider for its root, and shows it nothing.
    hall.story.strays.set(true);
    hall.story.judged().await;
}

impl Hall<'_> {
    async fn misses(&self, (right, scene, seen): &(&str, Scene, Seen)) {
        self.without(right, *scene, async |operator| self.sees(operator, *scene, *seen).await).await;
    }

    /// Takes a right away, plays a scene, sees what it must, and gives the right back.
    async fn without<T>(
        &self,
        right: &str,
        scene: Scene,
        see: impl AsyncFnOnce(&mut Process) -> Result<T, Failure>,
    ) {
        let begun = Instant::now();
        let right = self.rights.all.iter().find(|it| it.words() == right).unwrap();
        self.rights.take(right).await;
        let mut operator = self.plays(scene).await;
        let seen = see(&mut operator).await;
        assert!(seen.is_ok(), "without `{}`: {:?}", right.words(), seen.err());
        operator.kill_hard().unwrap();
        self.rights.give_back(right).await;
        self.clears().await;
        println!("without `{}`, {scene:?}: missed after {:.1?}", right.words(), begun.elapsed());
    }

    /// Every scene goes well, what the operator asks for is what it was given, and all that it was given it asks for.
    async fn nothing_is_missed_with_all_of_them(&self) {
        let mut operator = self.plays(Blockers).await;
        let story = &self.story;
        let status = self.scrapes(&mut operator).await.unwrap();
        assert_eq!(status, 200, "{}", operator.tail());
        self.asks("deletion", json!({})).await;
        self.asks_where_it_is_shared().await;
        for name in ["deletion", "shared-deletion"] {
            assert_eq!(story.finished(&self.request(name)).await["result"], "ErasedWithRetention", "{name}");
        }
        self.is_to_be_removed().await;
        story.until_gone(&self.request("removal")).await;
        let (used, refused) = asked(story.stage);
        // The row before this one took a right away.
        let refused: Vec<_> =
            refused.iter().filter(|event| event["objectRef"]["resource"] != "secrets").collect();
        assert_eq!(refused, [&Value::Null; 0], "something that the operator needs is not granted");
        let of_the_doctor = TABLE.iter().filter(|(_, scene, _)| matches!(scene, Doctor));
        let of_the_doctor: BTreeSet<String> = of_the_doctor.map(|(right, ..)| (*right).to_owned()).collect();
        assert_eq!(self.unused(&used), of_the_doctor, "granted, and not asked for");

        // Last: it looks for its namespace, too, which it may not and can do without.
        let lines = self.asks_the_doctor().await.unwrap();
        for check in ["rights", "stamp-requester"] {
            assert_eq!(lines[check]["verdict"], "ok", "{}", lines[check]);
        }
        let (used, _) = asked(story.stage);
        assert_eq!(self.unused(&used), BTreeSet::new(), "granted, and not asked for by the doctor");
        operator.kill_hard().unwrap();
        self.clears().await;
    }

    fn unused(&self, used: &BTreeMap<String, usize>) -> BTreeSet<String> {
        self.rights.all.iter().map(Right::words).filter(|right| !used.contains_key(right)).collect()
    }
}
