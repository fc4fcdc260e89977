//! Free loopback ports.

use std::{
    hash::{BuildHasher, RandomState},
    net::TcpListener,
};

/// Below the range from which the kernel draws ports for outgoing connections (32768 and up): a server that is
/// stopped and started again finds its port free, and a client that calls it meanwhile cannot connect to itself.
const FIRST: u64 = 15_000;
const COUNT: u64 = 17_000;

/// A port on which nobody listens now.
///
/// Between this look and the server's `bind` somebody else may take it; who starts a server tries again then.
pub(crate) fn free_port() -> u16 {
    loop {
        let random = RandomState::new().hash_one(0);
        let port = u16::try_from(FIRST + random % COUNT).expect("FIRST + COUNT is below 65536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
