//! Profiles, as their authors write them.

use offboarding::{
    api::{Method, Profile},
    providers::{LoadedProfile, Verdict, load},
};

use crate::{
    exchange::Exchange,
    expressions::are_told,
    stage::{Always, CUSTOMER, SEED, credentials, customer, is_at_the_provider, noon, provider, wait},
};

/// What a proxy, a login page or a broken provider says: nothing about a customer.
const MEANINGLESS: &[&str] = &[
    "200",
    "204",
    "404",
    "410",
    "302\nlocation: https://login.example.com/",
    "401\n\n{\"error\":\"unauthorized\"}",
    "403\n\n{\"error\":\"forbidden\"}",
    "500\n\n{\"error\":\"internal\"}",
    "200\ncontent-type: text/html\n\n<html>Please sign in</html>",
    "404\ncontent-type: text/html\n\n<html>No such page</html>",
];

/// A profile is refused in words, or it can be worked with, and takes no meaningless answer for an absence.
///
/// # Panics
/// Where a promise is broken.
pub fn profile(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(source) = serde_saphyr::from_str::<Profile>(text) else { return };
    let loaded = match load(&source) {
        Ok(loaded) => loaded,
        Err(problems) => return are_told(&problems),
    };
    let again = serde_json::to_value(&source).and_then(serde_json::from_value::<Profile>);
    let again = again.expect("what was read can be written and read again");
    let same = load(&again).expect("and loads again");
    assert_eq!(same.hash(), loaded.hash(), "one profile has two hashes");
    is_sound(&loaded);
    let reader = Always::answers(Exchange::of(b"404").response);
    let provider = provider(loaded, reader.clone());
    for answer in MEANINGLESS {
        reader.now_answers(Exchange::of(answer.as_bytes()).response);
        let sighting = wait(provider.look(&credentials(), &customer(CUSTOMER), noon()));
        let is_gone = matches!(sighting.verdict, Verdict::Absent | Verdict::Tombstoned | Verdict::Inactive);
        assert!(!is_gone, "{:?} after the meaningless answer {answer:?}", sighting.verdict);
        if let Ok(request) =
            provider.prepare_delete(&credentials(), &customer(CUSTOMER), &sighting.captured, &SEED)
        {
            is_at_the_provider(&request);
            assert_ne!(request.method, Method::GET, "a deletion that only reads");
        }
    }
}

fn is_sound(loaded: &LoadedProfile) {
    let digits = loaded.hash().strip_prefix("sha256:").expect("it says which hash it is");
    assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    for id in ["", ".", "..", "a/b", "a%2fb", "a\nb", "a\0b"] {
        assert!(!loaded.accepts_id(id), "{id:?} is an id");
    }
    assert!(!loaded.requires().is_empty(), "a deletion may be sent in no state");
}
