//! Records: the truth, as it stands in a cluster where somebody may have written to it.

use offboarding::{
    api::{OffboardingRecordSpec, OffboardingResult, Reason},
    domain::{Ending, Facts, RecordProblem},
    evidence::record::{closed, facts_of, sends, signed},
};
use serde_json::Value;

use crate::stage::{REQUEST, keys, noon};

const NAME: &str = "r-0123456789abcdef0123456789abcdef01234567";

/// What we did not sign is Corrupted; what we signed is read as it stands, whatever it says, and only under its own name.
///
/// # Panics
/// Where a promise is broken.
pub fn record(input: &[u8]) {
    let Ok(stored) = serde_json::from_slice::<OffboardingRecordSpec>(input) else { return };
    let keys = keys(1);
    let read = |name: &str, spec: &OffboardingRecordSpec| facts_of(Some((name, spec)), REQUEST, &keys);
    let is_ours = stored.key_id == keys.id();
    let due = if is_ours { RecordProblem::Corrupted } else { RecordProblem::AnotherKey };
    assert_eq!(read(NAME, &stored), Facts::Unusable(due), "somebody signed in our name");

    let ours = signed(OffboardingRecordSpec { key_id: keys.id().to_owned(), ..stored }, NAME, &keys);
    let facts = read(NAME, &ours);
    assert_ne!(facts, Facts::Unusable(RecordProblem::AnotherKey));
    assert_ne!(facts, Facts::None, "a record is there");
    let is_mine = ours.request.uid == REQUEST;
    let was_mine = ours.history.iter().any(|earlier| earlier.request.uid == REQUEST);
    assert_eq!(
        matches!(facts, Facts::Mine(_)),
        (is_mine || was_mine) && !matches!(facts, Facts::Unusable(_)),
        "whose record it is"
    );
    if let Facts::Mine(record) = &facts {
        assert!(is_mine || record.closed.is_some(), "an earlier request goes on");
        assert!(!is_mine || record.attempts.len() == ours.attempts.len(), "an attempt is forgotten");
    }
    assert!(
        sends(&ours).count()
            <= ours.attempts.len() + ours.history.iter().map(|it| it.sends.len()).sum::<usize>()
    );
    is_bound(&ours, &read);

    let ending = Ending { result: OffboardingResult::Erased, because: Reason::Absent };
    let end = signed(closed(&ours, ending, &[], noon()), NAME, &keys);
    assert!(end.closed && end.sealed_id.is_none(), "a closed record keeps the sealed id");
}

/// The MAC covers the name and every field: nothing can be moved, removed or added.
fn is_bound(ours: &OffboardingRecordSpec, read: &impl Fn(&str, &OffboardingRecordSpec) -> Facts) {
    let is_refused = |name: &str, spec: &OffboardingRecordSpec| {
        matches!(read(name, spec), Facts::Unusable(RecordProblem::Corrupted | RecordProblem::AnotherKey))
    };
    assert!(is_refused("r-1", ours), "a record was moved to another name");
    let json = serde_json::to_value(ours).expect("a record can be written");
    let again: OffboardingRecordSpec = serde_json::from_value(json.clone()).expect("and read again");
    assert_eq!(again, *ours, "writing and reading changes a record");
    let Value::Object(fields) = json else { panic!("a record is an object") };
    for name in fields.keys() {
        let mut without = fields.clone();
        without.remove(name);
        changed_is_refused(Value::Object(without), ours, &is_refused);
    }
    let mut with = fields;
    with.insert("addedByNobody".to_owned(), Value::from(1));
    changed_is_refused(Value::Object(with), ours, &is_refused);
}

fn changed_is_refused(
    json: Value,
    ours: &OffboardingRecordSpec,
    is_refused: &impl Fn(&str, &OffboardingRecordSpec) -> bool,
) {
    let Ok(changed) = serde_json::from_value::<OffboardingRecordSpec>(json) else { return };
    assert!(changed == *ours || is_refused(NAME, &changed), "a record was changed and still counts");
}
