//! Edits while the operator works, as Acto does it: every property of every kind, sound and nonsense, and what people do to whole
//! objects: T8 of reliability.md.
//!
//! A seed is a sequence of operations on a few objects. Then everything is put back as it was applied first, and the end must be that
//! of a fresh start: whatever was done in between can be undone, but for a cancellation and a deletion.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    time::{Duration, Instant},
};

use harness::{ApiProxy, Options, Process};

use crate::{
    draw::Draw,
    lane::Lane,
    results::{Campaign, Figures},
    schema::{Edit, edits},
};

mod play;

use play::Play;

/// So many sequences at once on one operator.
const AT_ONCE: usize = 6;

/// Operations of a sequence.
const OPERATIONS: u64 = 15;

/// A third of them are on whole objects.
const ON_OBJECTS: u64 = 3;

/// What may be asked of the API server in a minute for one object that rests. Twelve would do for each of them; but a loop about
/// one must not hide among what all of them may ask.
const CALLS_A_MINUTE: u64 = 4;

/// Objects of a sequence that are looked at again and again: its two provider objects. What is finished rests for good.
const LOOKED_AT: u64 = 2;

/// Within this whoever was disturbed last has come to rest.
const QUIET_WITHIN: Duration = Duration::from_secs(120);

const KINDS: [&str; 5] = [
    "customeroffboardings",
    "offboardingproviders",
    "clusteroffboardingproviders",
    "customerholds",
    "offboardingapprovals",
];

#[tokio::test]
async fn whatever_is_edited_nothing_is_deleted_that_no_plan_names_and_all_of_it_can_be_undone() {
    let lane = Lane::open(Options::default().with_controller_manager()).await;
    let proxy = ApiProxy::start(&lane.stage.plane).await.unwrap();
    let operator = RefCell::new(lane.leader_behind(&proxy).await);
    let set = Set { lane: &lane, edits: edits(&KINDS), played: Cell::new(0) };
    let campaign = Campaign::of("operations", 14);
    let wrong = || {
        let ended = operator.borrow_mut().exit_status().unwrap().map(|status| format!("it ended: {status}"));
        lane.history.wrong().into_iter().chain(ended).collect()
    };
    campaign.run(AT_ONCE, async |seed| set.sequence(seed).await, wrong).await;
    campaign.afterwards("quiet", is_quiet(&proxy, &operator, LOOKED_AT * set.played.get())).await;
}

/// Nobody does anything: soon whoever rests is looked at slowly, and the operator never ended.
async fn is_quiet(proxy: &ApiProxy, operator: &RefCell<Process>, objects: u64) -> Figures {
    let asked = || -> u64 {
        let counts = proxy.counts();
        let ours = counts.iter().filter(|(what, _)| !what.starts_with("watch") && !what.ends_with(" leases"));
        ours.map(|(_, count)| count).sum()
    };
    let (begun, span) = (Instant::now(), Duration::from_secs(15));
    loop {
        let before = asked();
        tokio::time::sleep(span).await;
        let calls = asked() - before;
        println!("{calls} requests in {span:?} for {objects} objects that rest");
        if calls <= objects * CALLS_A_MINUTE / 4 + 10 {
            break;
        }
        assert!(begun.elapsed() < QUIET_WITHIN, "still {calls} requests in {span:?} for {objects} objects");
    }
    let ended = operator.borrow_mut().exit_status().unwrap();
    assert!(ended.is_none(), "the operator ended: {ended:?}");
    Figures::from([("quiet".to_owned(), 1)])
}

/// Which edit the operation of this number is, where it is one: every edit comes before one comes again.
fn edit_of(operation: u64, edits: usize) -> Option<usize> {
    let edits_before = operation.checked_sub(operation.div_ceil(ON_OBJECTS))?;
    let is_one = !operation.is_multiple_of(ON_OBJECTS);
    // In an order that goes back and forth between kinds: a step by a prime that does not divide their number.
    is_one.then(|| usize::try_from(edits_before * 7919).unwrap() % edits)
}

#[test]
fn every_edit_of_every_property_comes_within_a_campaign() {
    let makefile = std::fs::read_to_string(crate::stage::root().join("Makefile")).unwrap();
    let runs = makefile.lines().find_map(|line| line.strip_prefix("RUNS_operations := ")).unwrap();
    let edits = edits(&KINDS);
    let operations = 0..runs.parse::<u64>().unwrap() * OPERATIONS;
    let come: BTreeSet<usize> = operations.filter_map(|count| edit_of(count, edits.len())).collect();
    assert_eq!(come.len(), edits.len());
    let properties: BTreeSet<String> = edits.iter().map(Edit::property).collect();
    assert_eq!(u64::try_from(properties.len()).unwrap(), PROPERTIES, "the report asks for so many");
}

/// Properties of all kinds: the report asks that each of them was edited.
pub const PROPERTIES: u64 = 672;

struct Set<'a> {
    lane: &'a Lane,
    edits: Vec<Edit>,
    /// How many sequences left their objects at rest.
    played: Cell<u64>,
}

impl Set<'_> {
    async fn sequence(&self, seed: u64) -> Figures {
        let mut draw = Draw::new("operations", seed);
        let mut figures = Figures::new();
        let play = Play::begin(self.lane, &mut draw).await;
        for operation in 0..OPERATIONS {
            let count = seed * OPERATIONS + operation;
            let (what, accepted) = match edit_of(count, self.edits.len()) {
                None => play.on_an_object(&mut draw).await,
                Some(which) => {
                    let edit = &self.edits[which];
                    *figures.entry(format!("property {}", edit.property())).or_default() += 1;
                    play.edit(edit).await
                }
            };
            *figures.entry("operations".to_owned()).or_default() += 1;
            *figures.entry(what).or_default() += 1;
            *figures.entry(if accepted { "accepted" } else { "refused" }.to_owned()).or_default() += 1;
            tokio::time::sleep(Duration::from_millis(draw.below(400))).await;
        }
        let ended = play.undone().await;
        *figures.entry(format!("end {ended}")).or_default() += 1;
        *figures.entry("without approvals".to_owned()).or_default() += u64::from(play.unattended.get());
        self.played.set(self.played.get() + 1);
        figures
    }
}
