use std::future::Future;

use tokio::time::{advance, sleep};

use super::*;
use crate::{
    domain::CauseWord,
    providers::http::breaker::{OPEN_FOR, OpenedBy},
};

const PATIENT: Duration = Duration::from_secs(600);
const V1: &str = "uid/1";
const V2: &str = "uid/2";

fn limits(requests_per_minute: i32, burst: i32, max_in_flight: i32) -> Limits {
    Limits { requests_per_minute, burst, max_in_flight }
}

/// One request per second, two at once, ten in flight.
fn limiter() -> Arc<Limiter> {
    Limiter::new(limits(60, 2, 10))
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// How long something took, to the nearest tenth of a second, and what came of it.
async fn timed<T>(what: impl Future<Output = T>) -> (f64, T) {
    let start = Instant::now();
    let done = what.await;
    ((start.elapsed().as_secs_f64() * 10.0).round() / 10.0, done)
}

fn why<T>(result: Result<T, Failure>) -> (Class, CauseWord, Option<Duration>) {
    let failure = result.err().unwrap();
    (failure.class, failure.cause, failure.retry_after)
}

fn open(because: OpenedBy) -> CircuitState {
    CircuitState::Open { because, credential_version: V1.to_owned() }
}

async fn heard(limiter: &Arc<Limiter>, version: &str, heard: Heard) {
    limiter.slot(version, PATIENT).await.unwrap().report(heard);
}

async fn opened_by_trouble() -> Arc<Limiter> {
    let limiter = limiter();
    for _ in 0..5 {
        heard(&limiter, V1, Heard::Trouble).await;
    }
    limiter
}

#[tokio::test(start_paused = true)]
async fn a_thousand_reads_keep_the_rate() {
    let limiter = Limiter::new(limits(600, 5, 3));
    let (took, ()) = timed(async {
        let reads = (0..1000).map(|_| heard(&limiter, V1, Heard::Answered));
        futures::future::join_all(reads).await;
    })
    .await;
    assert!((99.4..=101.0).contains(&took), "{took}"); // (1000 - 5) / 10 per second
}

#[tokio::test(start_paused = true)]
async fn after_a_rest_a_burst_may_go_out_and_no_more() {
    let limiter = limiter();
    advance(seconds(3600.0)).await;
    let mut waits = Vec::new();
    for _ in 0..4 {
        waits.push(timed(heard(&limiter, V1, Heard::Answered)).await.0);
    }
    assert_eq!(waits, [0.0, 0.0, 1.0, 1.0]);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_too_long_is_told_at_once_how_long() {
    let limiter = limiter();
    for _ in 0..2 {
        heard(&limiter, V1, Heard::Answered).await;
    }
    let (took, result) = timed(limiter.slot(V1, seconds(0.5))).await;
    assert_eq!(took, 0.0);
    assert_eq!(why(result), (Class::RateLimited, Cause::RateLimited.into(), Some(seconds(1.0))));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_requests_are_in_flight() {
    let limiter = Limiter::new(limits(6000, 100, 2));
    let first = limiter.slot(V1, PATIENT).await.unwrap();
    let _second = limiter.slot(V1, PATIENT).await.unwrap();
    let (took, result) = timed(limiter.slot(V1, seconds(5.0))).await;
    assert_eq!((took, why(result)), (5.0, (Class::RateLimited, Cause::RateLimited.into(), None)));
    let freed = async {
        sleep(seconds(2.0)).await;
        first.report(Heard::Answered);
    };
    let (waiting, ()) = tokio::join!(timed(limiter.slot(V1, seconds(5.0))), freed);
    assert_eq!((waiting.0, waiting.1.is_ok()), (2.0, true));
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_dropped_is_free_again() {
    let limiter = Limiter::new(limits(6000, 100, 1));
    for _ in 0..10 {
        drop(limiter.slot(V1, Duration::ZERO).await.unwrap());
    }
    let abandoned = tokio::time::timeout(seconds(1.0), async {
        let _slot = limiter.slot(V1, PATIENT).await.unwrap();
        std::future::pending::<()>().await;
    });
    assert!(abandoned.await.is_err());
    assert!(limiter.slot(V1, Duration::ZERO).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_does_not_block_the_others() {
    let limiter = Limiter::new(limits(60, 1, 10));
    heard(&limiter, V1, Heard::Answered).await;
    let gave_up = tokio::time::timeout(seconds(0.5), limiter.slot(V1, PATIENT)).await;
    assert!(gave_up.is_err());
    let (took, result) = timed(limiter.slot(V1, PATIENT)).await;
    assert_eq!((took, result.is_ok()), (0.5, true));
}

#[tokio::test(start_paused = true)]
async fn a_reservation_takes_everything_at_once_and_its_requests_wait_for_nothing() {
    let limiter = Limiter::new(limits(60, 6, 1));
    let mut reservation = limiter.reserve(6, V1, Duration::ZERO).await.unwrap();
    let (took, ()) = timed(async {
        for _ in 0..6 {
            reservation.spend();
        }
    })
    .await;
    assert_eq!((took, reservation.left()), (0.0, 0));
    // Its slot in flight is the only one.
    assert!(limiter.slot(V1, seconds(1.0)).await.is_err());
    drop(reservation);
    assert_eq!(timed(heard(&limiter, V1, Heard::Answered)).await.0, 0.0); // the second above paid for it
}

#[tokio::test(start_paused = true)]
async fn a_reservation_of_more_than_a_burst_is_paid_off_by_those_who_come_later() {
    let limiter = limiter();
    let mut reservation = limiter.reserve(6, V1, Duration::ZERO).await.unwrap();
    for _ in 0..6 {
        reservation.spend();
    }
    drop(reservation);
    // Two tokens were there, six are spent, one is needed: five seconds.
    assert_eq!(timed(heard(&limiter, V1, Heard::Answered)).await.0, 5.0);
    let (took, reserved) = timed(limiter.reserve(6, V1, PATIENT)).await;
    assert_eq!((took, reserved.is_ok()), (2.0, true)); // until the bucket is full
}

/// Otherwise each visit spends on its looks what the deletion waits for, and none ever has its turn.
#[tokio::test(start_paused = true)]
async fn however_slow_the_rate_a_visit_that_began_with_an_empty_bucket_gets_to_its_deletion() {
    for requests_per_minute in [1, 2, 5, 6, 60] {
        for burst in [1, 2, 10] {
            let limiter = Limiter::new(limits(requests_per_minute, burst, 1));
            for _ in 0..burst {
                heard(&limiter, V1, Heard::Answered).await;
            }
            for _look in 0..2 {
                let slot = limiter.slot(V1, limiter.takes(1)).await;
                slot.unwrap().report(Heard::Answered);
            }
            let reserved = limiter.reserve(2, V1, limiter.takes(2)).await;
            assert!(reserved.is_ok(), "{requests_per_minute} per minute, burst {burst}: {reserved:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_reservation_does_not_spend_goes_back_and_what_it_overspends_is_owed() {
    let limiter = limiter();
    let mut reservation = limiter.reserve(2, V1, Duration::ZERO).await.unwrap();
    reservation.spend();
    drop(reservation);
    assert_eq!(timed(heard(&limiter, V1, Heard::Answered)).await.0, 0.0);
    let mut reservation = limiter.reserve(1, V1, PATIENT).await.unwrap();
    for _ in 0..3 {
        reservation.spend();
    }
    drop(reservation);
    assert_eq!(timed(heard(&limiter, V1, Heard::Answered)).await.0, 3.0);
}

#[tokio::test(start_paused = true)]
async fn a_reservation_is_not_starved_by_reads_that_come_later() {
    let limiter = Limiter::new(limits(60, 5, 10));
    let reserve = async {
        let mut reservation = limiter.reserve(5, V1, Duration::ZERO).await.unwrap();
        (0..5).for_each(|_| reservation.spend());
        drop(reservation);
        timed(limiter.reserve(5, V1, PATIENT)).await
    };
    let reads = async {
        sleep(seconds(0.1)).await;
        futures::future::join_all((0..20).map(|_| heard(&limiter, V1, Heard::Answered))).await;
    };
    let ((took, reserved), _) = tokio::join!(
        async {
            let done = reserve.await;
            (done.0, done.1.map(drop))
        },
        reads
    );
    assert_eq!((took, reserved.is_ok()), (5.0, true));
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everything_up_and_ends() {
    let limiter = limiter();
    heard(&limiter, V1, Heard::RateLimited(Some(seconds(20.0)))).await;
    assert_eq!(limiter.paused_for(), Some(seconds(20.0)));
    let (took, result) = timed(limiter.slot(V1, seconds(19.0))).await;
    assert_eq!((took, why(result)), (0.0, (Class::RateLimited, Cause::Paused.into(), Some(seconds(20.0)))));
    let result = limiter.reserve(1, V1, seconds(19.0)).await;
    assert_eq!(why(result), (Class::RateLimited, Cause::Paused.into(), Some(seconds(20.0))));
    assert_eq!(timed(heard(&limiter, V1, Heard::Answered)).await.0, 20.0);
    assert_eq!(limiter.paused_for(), None);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_at_most_an_hour_and_never_shortened() {
    let limiter = limiter();
    limiter.pause(seconds(1e9));
    limiter.pause(seconds(1.0));
    assert_eq!(limiter.paused_for(), Some(LONGEST_WAIT));
    limiter.reset();
    assert_eq!(limiter.paused_for(), Some(LONGEST_WAIT), "the provider asked for it");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_say_how_long_is_left_alone_longer_each_time() {
    let limiter = Limiter::new(limits(60_000, 1000, 10));
    for longest in [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0] {
        heard(&limiter, V1, Heard::RateLimited(None)).await;
        let pause = limiter.paused_for().unwrap().as_secs_f64();
        assert!((longest / 2.0..=longest).contains(&pause), "{pause} {longest}");
    }
    heard(&limiter, V1, Heard::Answered).await;
    heard(&limiter, V1, Heard::RateLimited(None)).await;
    assert!(limiter.paused_for().unwrap() <= seconds(2.0));
}

#[tokio::test(start_paused = true)]
async fn refusals_of_requests_that_left_together_are_one_refusal_however_late_they_come() {
    let limiter = Limiter::new(limits(60_000, 1000, 10));
    for longest in [2.0, 4.0] {
        let mut together = Vec::new();
        for _ in 0..8 {
            together.push(limiter.slot(V1, PATIENT).await.unwrap());
        }
        let slow = together.pop().unwrap();
        together.into_iter().for_each(|slot| slot.report(Heard::RateLimited(None)));
        let pause = limiter.paused_for().unwrap().as_secs_f64();
        assert!((longest / 2.0..=longest).contains(&pause), "{pause} {longest}");
        advance(seconds(longest)).await;
        slow.report(Heard::RateLimited(None));
        assert_eq!(limiter.paused_for(), None, "it left before the pause");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_what_left_before_a_refusal_does_not_shorten_the_next_pause() {
    let limiter = Limiter::new(limits(60_000, 1000, 10));
    let early = limiter.slot(V1, PATIENT).await.unwrap();
    heard(&limiter, V1, Heard::RateLimited(None)).await;
    early.report(Heard::Answered);
    heard(&limiter, V1, Heard::RateLimited(None)).await;
    assert!(limiter.paused_for().unwrap() >= seconds(2.0), "the second in a row");
}

#[tokio::test(start_paused = true)]
async fn what_only_the_rules_of_a_profile_know_as_a_refusal_counts_once_for_each_pause() {
    let limiter = Limiter::new(limits(60_000, 1000, 10));
    for longest in [2.0, 4.0] {
        (0..8).for_each(|_| limiter.report("", Heard::RateLimited(None)));
        let pause = limiter.paused_for().unwrap().as_secs_f64();
        assert!((longest / 2.0..=longest).contains(&pause), "{pause} {longest}");
        advance(seconds(longest)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn new_limits_hold_at_once() {
    let limiter = Limiter::new(limits(1, 1, 1));
    let first = limiter.slot(V1, PATIENT).await.unwrap();
    let faster = async {
        sleep(seconds(1.0)).await;
        limiter.configure(limits(60, 2, 2));
    };
    let (waiting, ()) = tokio::join!(timed(limiter.slot(V1, PATIENT)), faster);
    assert_eq!((waiting.0, waiting.1.is_ok()), (2.0, true));
    drop((first, waiting));
    limiter.configure(limits(0, -5, i32::MIN)); // as good as 1, 1, 1
    assert!(limiter.slot(V1, PATIENT).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_full_bucket_stays_full_under_new_limits_and_an_empty_one_empty() {
    let limiter = limiter();
    limiter.configure(limits(60, 5, 10));
    assert!(limiter.reserve(5, V1, Duration::ZERO).await.is_ok());
    let mut reservation = limiter.reserve(5, V1, PATIENT).await.unwrap();
    (0..5).for_each(|_| reservation.spend());
    drop(reservation);
    limiter.configure(limits(60, 50, 10));
    assert_eq!(timed(heard(&limiter, V1, Heard::Answered)).await.0, 1.0);
}

#[tokio::test(start_paused = true)]
async fn five_troubles_in_a_row_open_the_circuit_and_four_do_not() {
    let limiter = limiter();
    for trouble in [true, true, true, true, false, true, true, true, true] {
        let heard_now = if trouble { Heard::Trouble } else { Heard::Answered };
        heard(&limiter, V1, heard_now).await;
        assert_eq!(limiter.circuit(), CircuitState::Closed);
    }
    heard(&limiter, V1, Heard::Trouble).await;
    assert_eq!(limiter.circuit(), open(OpenedBy::Transient));
    let expected = (Class::Transient, Cause::CircuitOpen.into(), Some(OPEN_FOR));
    assert_eq!(why(limiter.slot(V1, PATIENT).await), expected);
    assert_eq!(why(limiter.slot(V2, PATIENT).await), expected, "another credential does not mend an outage");
    assert_eq!(why(limiter.reserve(1, V1, PATIENT).await), expected);
}

#[tokio::test(start_paused = true)]
async fn one_refused_credential_opens_the_circuit_for_this_credential() {
    let limiter = limiter();
    heard(&limiter, V1, Heard::AuthRefused).await;
    assert_eq!(limiter.circuit(), open(OpenedBy::Auth));
    assert_eq!(
        why(limiter.slot(V1, PATIENT).await),
        (Class::Auth, Cause::CircuitOpen.into(), Some(OPEN_FOR))
    );
    heard(&limiter, V2, Heard::Answered).await;
    assert_eq!(limiter.circuit(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn after_a_quarter_of_an_hour_one_read_may_try_and_its_answer_decides() {
    for (said, expected) in [
        (Heard::Answered, CircuitState::Closed),
        (Heard::RateLimited(None), CircuitState::Closed),
        (Heard::Trouble, open(OpenedBy::Transient)),
        (Heard::AuthRefused, open(OpenedBy::Auth)),
    ] {
        let limiter = opened_by_trouble().await;
        advance(OPEN_FOR - seconds(0.001)).await;
        assert!(limiter.slot(V1, PATIENT).await.is_err());
        advance(seconds(0.001)).await;
        assert_eq!(limiter.circuit(), CircuitState::HalfOpen);
        let trial = limiter.slot(V1, PATIENT).await.unwrap();
        assert_eq!(
            why(limiter.slot(V1, PATIENT).await),
            (Class::Transient, Cause::CircuitOpen.into(), None),
            "only one"
        );
        trial.report(said);
        assert_eq!(limiter.circuit(), expected, "{said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_destructive_call_is_never_the_trial() {
    let limiter = opened_by_trouble().await;
    advance(OPEN_FOR).await;
    assert_eq!(
        why(limiter.reserve(1, V1, PATIENT).await),
        (Class::Transient, Cause::CircuitOpen.into(), None)
    );
    heard(&limiter, V1, Heard::Answered).await;
    assert!(limiter.reserve(1, V1, PATIENT).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_never_made_says_nothing_about_the_provider() {
    let limiter = opened_by_trouble().await;
    advance(OPEN_FOR).await;
    heard(&limiter, V1, Heard::Nothing).await;
    assert_eq!(limiter.circuit(), CircuitState::HalfOpen);
    heard(&limiter, V1, Heard::Answered).await;
    for said in [Heard::Trouble, Heard::Trouble, Heard::Nothing, Heard::Trouble, Heard::Trouble] {
        heard(&limiter, V1, said).await;
    }
    assert_eq!(limiter.circuit(), CircuitState::Closed);
    heard(&limiter, V1, Heard::Trouble).await;
    assert_eq!(limiter.circuit(), open(OpenedBy::Transient));
}

#[test]
fn each_kind_of_end_says_its_own_to_the_limiter() {
    for (class, expected) in [
        (Class::Transient, Heard::Trouble),
        (Class::RateLimited, Heard::RateLimited(None)),
        (Class::Auth, Heard::AuthRefused),
        (Class::Forbidden, Heard::Answered),
        (Class::Conflict, Heard::Answered),
        (Class::NotFound, Heard::Answered),
        (Class::Invalid, Heard::Nothing),
        (Class::Indeterminate, Heard::Answered),
    ] {
        assert_eq!(Heard::in_failure(&Failure::new(class, Cause::NotSent)), expected, "{class}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_never_ends_leaves_its_place_to_another() {
    let limiter = opened_by_trouble().await;
    advance(OPEN_FOR).await;
    drop(limiter.slot(V1, PATIENT).await.unwrap());
    assert_eq!(limiter.circuit(), CircuitState::HalfOpen);
    heard(&limiter, V1, Heard::Answered).await;
    assert_eq!(limiter.circuit(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_an_old_request_does_not_close_the_circuit() {
    let limiter = Limiter::new(limits(60, 10, 10));
    let old = limiter.slot(V1, PATIENT).await.unwrap();
    let older = limiter.slot(V1, PATIENT).await.unwrap();
    heard(&limiter, V1, Heard::AuthRefused).await;
    old.report(Heard::Answered);
    assert_eq!(limiter.circuit(), open(OpenedBy::Auth));
    advance(OPEN_FOR).await;
    let _trial = limiter.slot(V1, PATIENT).await.unwrap();
    older.report(Heard::Answered);
    assert_eq!(limiter.circuit(), CircuitState::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn a_changed_provider_object_closes_the_circuit() {
    let limiter = opened_by_trouble().await;
    limiter.reset();
    assert_eq!(limiter.circuit(), CircuitState::Closed);
    assert!(limiter.slot(V1, PATIENT).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_opens_turns_away_those_who_already_wait() {
    let limiter = limiter();
    let first = limiter.slot(V1, PATIENT).await.unwrap();
    let _second = limiter.slot(V1, PATIENT).await.unwrap();
    let refused = async {
        sleep(seconds(0.5)).await;
        first.report(Heard::AuthRefused);
    };
    let (waiting, ()) = tokio::join!(timed(limiter.slot(V1, PATIENT)), refused);
    let (class, cause, _) = why(waiting.1);
    assert_eq!((waiting.0, class, cause), (0.5, Class::Auth, Cause::CircuitOpen.into()));
}
