//! Sealed ids: what stands in a record for the customer's id.

use offboarding::evidence::SEAL_NONCE_BYTES;

use crate::stage::{CUSTOMER, REQUEST, customer, keys};

const RECORD: &str = "r-0123456789abcdef0123456789abcdef01234567";

/// Nothing opens that we did not seal: no text of anybody, and none of ours with a byte changed, for another record or request.
///
/// The first two bytes say which byte of a real seal becomes which; all of them are tried as a seal of their own.
///
/// # Panics
/// Where a promise is broken.
pub fn seal(input: &[u8]) {
    let keys_of_others = keys(2);
    let keys = keys(1);
    let ours = keys
        .seal(RECORD, REQUEST, &customer(CUSTOMER), [7; SEAL_NONCE_BYTES])
        .expect("everything can be sealed");
    assert!(!ours.contains(CUSTOMER));
    let text = String::from_utf8_lossy(input);
    for foreign in [text.to_string(), format!("v1:{}:{text}", keys.id()), format!("{ours}{text}")] {
        let opened = keys.unseal(RECORD, REQUEST, &foreign);
        assert_eq!(opened.is_ok(), foreign == ours, "something opens that we did not seal");
    }
    if let [at, byte, ..] = input {
        let mut bytes = ours.clone().into_bytes();
        let at = usize::from(*at) % bytes.len();
        bytes[at] = *byte;
        let altered = String::from_utf8_lossy(&bytes).into_owned();
        let opened = keys.unseal(RECORD, REQUEST, &altered);
        assert_eq!(opened.is_ok(), altered == ours, "an altered seal opens");
    }
    let elsewhere = |record: &str, request: &str| keys.unseal(record, request, &ours).is_ok();
    assert_eq!(elsewhere(&text, REQUEST), text == RECORD, "a seal opens for another record");
    assert_eq!(elsewhere(RECORD, &text), text == REQUEST, "a seal opens for another request");
    assert!(keys_of_others.unseal(RECORD, REQUEST, &ours).is_err(), "a seal opens with other keys");
}
