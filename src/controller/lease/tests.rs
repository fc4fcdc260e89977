use super::*;

const ME: &str = "operator-1";
const OURS: Duration = Duration::from_secs(15);

fn spec(holder: Option<&str>, lease_seconds: Option<i32>) -> LeaseSpec {
    LeaseSpec {
        holder_identity: holder.map(str::to_owned),
        lease_duration_seconds: lease_seconds,
        ..LeaseSpec::default()
    }
}

#[test]
fn a_lease_is_another_s_until_the_longer_of_both_durations_has_passed_since_it_was_seen_to_change() {
    let theirs = Some("operator-2");
    for (holder, their_seconds, unchanged_for, held) in [
        (theirs, Some(15), 0, true),
        (theirs, Some(15), 14_999, true),
        (theirs, Some(15), 15_000, false),
        (theirs, Some(30), 29_999, true), // a roll-out may shorten it
        (theirs, Some(30), 30_000, false),
        (theirs, Some(3), 14_999, true),
        (theirs, None, 14_999, true),
        (theirs, None, 15_000, false),
        (theirs, Some(-1), 15_000, false),
        (theirs, Some(i32::MAX), 599_999, true), // nobody is shut out for ever
        (theirs, Some(i32::MAX), 600_000, false),
        (None, Some(15), 0, false), // given back
        (Some(""), Some(15), 0, false),
        (Some(ME), Some(15), 0, false), // an answer that was lost
    ] {
        let since = Instant::now();
        let seen = Seen { spec: spec(holder, their_seconds), since };
        let now = since + Duration::from_millis(unchanged_for);
        assert_eq!(
            seen.is_held_by_another(ME, OURS, now),
            held,
            "{holder:?} for {their_seconds:?} s, {unchanged_for} ms"
        );
    }
}

#[test]
fn only_a_change_of_the_lease_begins_the_time_anew_and_its_removal_does_not_end_it() {
    let first = Instant::now();
    let later = first + Duration::from_secs(9);
    let (theirs, renewed) = (spec(Some("operator-2"), Some(15)), spec(Some("operator-2"), Some(20)));
    let seen = Seen::after(None, Some(&theirs), first);
    for (next, since) in [(Some(&theirs), first), (Some(&renewed), later), (None, first)] {
        let after = Seen::after(seen.clone(), next, later).map(|seen| seen.since);
        assert_eq!(after, Some(since), "{next:?}");
    }
    assert!(Seen::after(None, None, later).is_none(), "nobody was ever seen to hold it");
}

#[test]
fn a_timing_leaves_time_to_send_and_to_be_taken_over() {
    use LeaseTimingProblem::{Bounds, Duration as TooShort, RenewDeadline};
    for (duration, renew_deadline, retry, problem) in [
        (15_000, 10_000, 2_000, None),
        (15_000, 10_000, 3_000, None),
        (15_000, 10_000, 3_001, Some(RenewDeadline)),
        (14_999, 10_000, 2_000, Some(TooShort)),
        (10_000, 20_000, 2_000, Some(TooShort)),
        (9_000, 6_000, 500, None),
        (15_000, 4_000, 100, Some(RenewDeadline)), // nothing could be sent while it is renewed
        (15_000, 0, 100, Some(RenewDeadline)),
        (15_000, 10_000, 99, Some(Bounds)),
        (600_001, 10_000, 2_000, Some(Bounds)),
    ] {
        let timing = LeaseTiming::new(
            Duration::from_millis(duration),
            Duration::from_millis(renew_deadline),
            Duration::from_millis(retry),
        );
        assert_eq!(timing.err(), problem, "{duration}/{renew_deadline}/{retry}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_runs_out_by_itself_and_a_term_begins_where_passes_may_have_been_left_out() {
    let leadership = Leadership::default();
    let in_10_s = || Instant::now() + Duration::from_secs(10);
    assert!(!leadership.is_held() && !leadership.outlasts_a_send(), "nobody has it at the start");
    assert!(leadership.hold_until(in_10_s()), "the first term");
    assert!(!leadership.hold_until(in_10_s()), "a renewal");
    tokio::time::advance(Duration::from_secs(8)).await;
    assert!(leadership.is_held() && leadership.outlasts_a_send());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(
        leadership.is_held() && !leadership.outlasts_a_send(),
        "nothing is begun in the last two seconds"
    );
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(!leadership.is_held(), "nobody had to say so");
    assert!(leadership.hold_until(in_10_s()), "passes were left out meanwhile");
    assert!(leadership.end() && !leadership.is_held());
    assert!(!leadership.end(), "it is lost once");
}
