//! Idempotency keys, for the providers that document one for a deletion. No safety rests on them.

use uuid::Uuid;

use crate::api::KeyScope;

/// What an idempotency key is made of: equal seeds make equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencySeed<'a> {
    /// Uid of the request.
    pub request_uid: &'a str,
    /// Name of the target.
    pub target: &'a str,
    /// Number of the attempt; part of the key where the profile says `scope: Attempt`.
    pub n: u32,
}

/// The UUID namespace of our idempotency keys; made once, at random.
const KEY_NAMESPACE: Uuid = Uuid::from_u128(0x6f1c_2f5e_8d0b_4a55_9c3e_0b7a_41d2_97ec);

impl IdempotencySeed<'_> {
    /// Each part is preceded by its length, so that no two seeds run together.
    pub(crate) fn key(&self, step: &str, scope: KeyScope) -> Uuid {
        let attempt = match scope {
            KeyScope::Target => String::new(),
            KeyScope::Attempt => self.n.to_string(),
        };
        let parts = [self.request_uid, self.target, step, &attempt];
        let name: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        Uuid::new_v5(&KEY_NAMESPACE, name.as_bytes())
    }
}
