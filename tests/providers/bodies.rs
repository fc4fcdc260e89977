//! Bodies without end: what is taken of them is bounded, whoever asks, and so is our memory.

use std::fs;

use harness::{LedgerFilter, Provider as Side};
use offboarding::providers::Captured;
use serde_json::json;

use crate::stage::{Wiring, always, became, controlled, looked, sandbox};

const MIB: u64 = 1 << 20;

/// What the sandbox may get rid of before it hears that nobody reads on: our cap and the buffers of two sockets.
const ON_THE_WAY: u64 = 16 * MIB;

/// What this whole process may ever hold: a sixth of what the smaller bomb would unpack to.
const MOST_MEMORY: u64 = 128 * MIB;

#[tokio::test]
async fn a_body_of_any_size_costs_a_bounded_amount() {
    let sandbox = sandbox().await;
    for (encoding, size, told) in [
        ("identity", 4096 * MIB, "Unknown Indeterminate/ResponseTooLarge"),
        ("chunkedEndless", 0, "Unknown Indeterminate/ResponseTooLarge"),
        ("gzip", 768 * MIB, "Unknown Indeterminate/UntrustedResponse"), // packed it fits, and nobody unpacks it
        ("gzip", 4096 * MIB, "Unknown Indeterminate/ResponseTooLarge"),
    ] {
        for (side, id) in [(Side::Juicyway, "cus_1"), (Side::Revolv3, "90017")] {
            sandbox.clear_ledger().await.unwrap();
            let huge = json!({"kind": "hugeBody", "encoding": encoding, "bytes": size});
            sandbox.set_faults(&always(side, &huge)).await.unwrap();
            let caller = Wiring::of(&sandbox, side).connect();
            assert_eq!(looked(&caller.look(id).await.verdict), told, "{encoding}");
            assert_eq!(controlled(&caller.control().await), told.replace("Unknown", "Bad"), "{encoding}");
            let sent = caller.send(id, &Captured::nothing()).await;
            assert_eq!(became(&sent.outcome), told, "{encoding}");
            let ledger = sandbox.ledger(&LedgerFilter::default()).await.unwrap();
            assert_eq!(ledger.len(), 3, "{encoding}: nothing is asked twice");
            let taken: Vec<_> = ledger.iter().map(|entry| entry["bytesSent"].as_u64().unwrap()).collect();
            assert!(taken.iter().all(|bytes| *bytes < ON_THE_WAY), "{encoding}: {taken:?}");
        }
    }
    assert!(most_memory_ever() < MOST_MEMORY, "{} MiB", most_memory_ever() / MIB);
}

/// The largest resident size of this process so far, other tests included.
fn most_memory_ever() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
