use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::sleep,
};

use super::*;

fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// 10 s for the first byte, 20 s for all of it.
fn guarded(room: usize) -> (FirstByteGuard<DuplexStream>, DuplexStream, FirstByte) {
    let (ours, theirs) = duplex(room);
    let handed = FirstByte::default();
    let now = Instant::now();
    let (first, end) = (now + Duration::from_secs(10), now + Duration::from_secs(20));
    (FirstByteGuard::new(ours, first, end, noon, handed.clone()), theirs, handed)
}

#[tokio::test(start_paused = true)]
async fn a_first_byte_in_time_passes_and_is_remembered() {
    let (mut guard, mut theirs, handed) = guarded(64);
    assert_eq!(handed.get(), None);
    guard.flush().await.unwrap(); // says nothing
    assert_eq!(handed.get(), None);
    sleep(Duration::from_millis(9_999)).await;
    guard.write_all(b"DELETE").await.unwrap();
    assert_eq!(handed.get(), Some(&noon()));
    let mut seen = [0; 6];
    theirs.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"DELETE");
}

#[tokio::test(start_paused = true)]
async fn a_first_byte_that_is_late_does_not_leave_and_is_not_remembered() {
    let (mut guard, mut theirs, handed) = guarded(64);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(guard.write(b"DELETE").await.map_err(|e| e.kind()), Err(io::ErrorKind::TimedOut));
    assert_eq!(handed.get(), None);
    drop(guard);
    let mut seen = Vec::new();
    theirs.read_to_end(&mut seen).await.unwrap();
    assert_eq!(seen, b"");
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_request_may_follow_until_the_end_and_not_later() {
    let (mut guard, _theirs, _handed) = guarded(64);
    guard.write_all(b"DEL").await.unwrap();
    sleep(Duration::from_millis(19_999)).await;
    guard.write_all(b"ETE").await.unwrap();
    sleep(Duration::from_millis(1)).await;
    for late in [guard.write(b" /").await.map(|_| ()), guard.flush().await, guard.shutdown().await] {
        assert_eq!(late.map_err(|e| e.kind()), Err(io::ErrorKind::TimedOut));
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_that_was_offered_counts_as_sent_even_when_the_stream_fails() {
    let (mut guard, theirs, handed) = guarded(64);
    drop(theirs);
    assert!(guard.write(b"DELETE").await.is_err());
    assert_eq!(handed.get(), Some(&noon()));
}

#[tokio::test(start_paused = true)]
async fn a_byte_that_was_offered_in_time_but_not_taken_may_not_leave_late() {
    let (mut guard, mut theirs, _handed) = guarded(1);
    guard.stream.write_all(b"x").await.unwrap(); // the stream is full
    let offered = tokio::time::timeout(Duration::from_secs(1), guard.write(b"DELETE")).await;
    assert!(offered.is_err(), "it waits");
    sleep(Duration::from_secs(9)).await;
    theirs.read_u8().await.unwrap(); // room again, too late
    assert_eq!(guard.write(b"DELETE").await.map_err(|e| e.kind()), Err(io::ErrorKind::TimedOut));
}
