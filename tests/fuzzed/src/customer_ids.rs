//! Customer ids, as a request or a Secret holds them.

use std::sync::{Arc, LazyLock};

use offboarding::{
    evidence::SEAL_NONCE_BYTES,
    providers::{Captured, LoadedProfile, built_in, load},
};

use crate::stage::{
    Always, REQUEST, SEED, credentials, customer, decoded, is_at_the_provider, keys, noon, provider, wait,
};

/// Whatever it is, it may be an id here, so that only the code stands between it and the URL.
const ANYTHING: &str = r#"
name: anything
customerId: {pattern: '^[^/]*$'}
auth: [{header: X-Key, value: '{key}'}]
finality: HardDelete
erasure: {scope: Full}
control: {request: {path: /customers}, ok: 'response.status == 200'}
presence: {request: {path: '/customers/{customer.id}'}, id: 'response.json.id'}
delete: [{name: delete, request: {method: DELETE, path: '/customers/{customer.id}/data'}}]
"#;

type Rule = fn(&str) -> bool;

static KNOWN: LazyLock<[(Arc<LoadedProfile>, Rule); 3]> = LazyLock::new(|| {
    let built_in = |name| built_in(name).expect("it is built in");
    let anything = load(&crate::stage::written(ANYTHING)).expect("it loads");
    [
        (built_in("juicyway"), |id| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        }),
        (built_in("revolv3"), |id| {
            id.parse::<u32>().is_ok_and(|number| (1..=1_000_000_000).contains(&number))
                && !id.starts_with(['0', '+'])
        }),
        (anything, |id| {
            !["", ".", ".."].contains(&id) && !id.contains(['/', '%']) && !id.chars().any(char::is_control)
        }),
    ]
});

/// An id is one segment of an address or no request at all, and it is printed nowhere.
///
/// # Panics
/// Where a promise is broken.
pub fn customer_id(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let id = customer(&text);
    assert_eq!(format!("{id:?}"), "CustomerId", "an id prints itself");
    for (profile, rule) in &*KNOWN {
        assert_eq!(
            profile.accepts_id(&text),
            rule(&text),
            "{} reads its rule otherwise",
            profile.source().name
        );
        let anything = Always::answers(crate::exchange::Exchange::of(b"404").response);
        let provider = provider(profile.clone(), anything);
        let request = provider.prepare_delete(&credentials(), &id, &Captured::nothing(), &SEED);
        let may_be_sent = rule(&text) && !text.contains('\\');
        assert_eq!(request.is_ok(), may_be_sent, "what is sent is what is accepted");
        let Ok(request) = request else { continue };
        is_at_the_provider(&request);
        assert!(request.url.as_str().len() < 64 + 3 * text.len() + 32);
        let (scheme, rest) = request.url.as_str().split_once("://").expect("it is an address");
        assert_eq!(scheme, "https");
        let segments: Vec<String> = rest.split('/').skip(1).map(decoded).collect();
        assert!(segments.iter().any(|segment| *segment == *text), "no segment is the id");
        if input.len() < 4_096 {
            wait(provider.look(&credentials(), &id, noon()));
        }
        assert_eq!(format!("{request:?}"), "PreparedRequest(DELETE)", "a request prints its id");
    }
    hides_in_names(&text);
}

/// Pseudonyms and names have one shape, whatever they stand for, and a seal opens to what was sealed.
fn hides_in_names(text: &str) {
    let (keys, id) = (keys(1), customer(text));
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = keys.record_name("acct-eu", &id);
    assert!(name.len() == 42 && name.strip_prefix("r-").is_some_and(is_hex), "{name}");
    let reference = keys.customer_ref(&id);
    assert!(reference.len() == 46 && reference.starts_with(&format!("hmac:{}:", keys.id())), "{reference}");
    let sealed = keys.seal(&name, REQUEST, &id, [7; SEAL_NONCE_BYTES]).expect("everything can be sealed");
    assert_eq!(keys.unseal(&name, REQUEST, &sealed), Ok(id), "a seal opens to something else");
}
