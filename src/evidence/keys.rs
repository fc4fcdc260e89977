//! The installation key and what is made with it: names, pseudonyms, keyed hashes, seals and MACs.
//!
//! Every purpose has a key of its own (HKDF-SHA256, RFC 5869), so no value of one purpose can stand for another.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use data_encoding::HEXLOWER;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac,
};

use crate::domain::CustomerId;

/// Bytes of an installation key.
pub const KEY_BYTES: usize = 32;

/// Bytes of the nonce that `seal` takes: fresh random ones each time.
pub const SEAL_NONCE_BYTES: usize = NONCE_LEN;

const KEY_ID_PURPOSE: &[u8] = b"offboarding.dev/key-id";
const PADDING_STEP: usize = 64;

/// The keys of one installation. Prints its key id only.
pub struct Keys {
    id: String,
    record_name: hmac::Key,
    customer_ref: hmac::Key,
    fingerprint: hmac::Key,
    credential: hmac::Key,
    record_mac: hmac::Key,
    seal: LessSafeKey,
}

/// A key that cannot be used: it does not have 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an installation key has exactly 32 bytes")]
pub struct UnusableKey;

/// A sealed id that cannot be opened: altered, or sealed with another key, for another record or request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed id cannot be opened")]
pub struct Unsealable;

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.id)
    }
}

impl Keys {
    /// Derives every purpose's key from the installation key.
    ///
    /// # Errors
    /// `UnusableKey`: the platform team restores the Secret.
    pub fn new(installation_key: &[u8]) -> Result<Self, UnusableKey> {
        if installation_key.len() != KEY_BYTES {
            return Err(UnusableKey);
        }
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(installation_key);
        let key_id = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, installation_key), KEY_ID_PURPOSE);
        let seal = UnboundKey::new(&CHACHA20_POLY1305, &subkey(&root, "seal")?).map_err(|_| UnusableKey)?;
        let mac_key = |purpose| subkey(&root, purpose).map(|bytes| hmac::Key::new(hmac::HMAC_SHA256, &bytes));
        Ok(Self {
            id: HEXLOWER.encode(&key_id.as_ref()[..4]),
            record_name: mac_key("record-name")?,
            customer_ref: mac_key("customer-ref")?,
            fingerprint: mac_key("fingerprint")?,
            credential: mac_key("credential")?,
            record_mac: mac_key("record-mac")?,
            seal: LessSafeKey::new(seal),
        })
    }

    /// Names the key without telling it: eight hex digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The record's name, `r-` and 40 hex digits: one for each customer and account, so creating it is the lock.
    #[must_use]
    pub fn record_name(&self, account: &str, customer: &CustomerId) -> String {
        let input = injective(&[account.as_bytes(), customer.expose().as_bytes()]);
        format!("r-{}", HEXLOWER.encode(&hmac::sign(&self.record_name, &input).as_ref()[..20]))
    }

    /// The customer's pseudonym, `hmac:<key id>:` and 32 hex digits; the same at every account.
    #[must_use]
    pub fn customer_ref(&self, customer: &CustomerId) -> String {
        let input = injective(&[customer.expose().as_bytes()]);
        format!(
            "hmac:{}:{}",
            self.id,
            HEXLOWER.encode(&hmac::sign(&self.customer_ref, &input).as_ref()[..16])
        )
    }

    /// Keyed hash of what tells one customer from another under the same id.
    #[must_use]
    pub fn fingerprint(&self, identity: &[u8]) -> String {
        format!("hmac:{}", HEXLOWER.encode(&hmac::sign(&self.fingerprint, identity).as_ref()[..16]))
    }

    /// Keyed hash of a credential's values.
    #[must_use]
    pub fn credential(&self, values: &[&[u8]]) -> String {
        format!("hmac:{}", HEXLOWER.encode(&hmac::sign(&self.credential, &injective(values)).as_ref()[..16]))
    }

    /// MAC over a record's name and canonical contents: 64 hex digits.
    #[must_use]
    pub fn mac(&self, name: &str, canonical: &[u8]) -> String {
        HEXLOWER.encode(hmac::sign(&self.record_mac, &injective(&[name.as_bytes(), canonical])).as_ref())
    }

    /// Encrypts an id for one record and request. Its length shows in steps of 64 bytes only.
    ///
    /// # Errors
    /// `Unsealable` where the cipher fails; nothing was sealed.
    pub fn seal(
        &self,
        record: &str,
        request_uid: &str,
        customer: &CustomerId,
        nonce: [u8; SEAL_NONCE_BYTES],
    ) -> Result<String, Unsealable> {
        let mut bytes = injective(&[customer.expose().as_bytes()]);
        bytes.resize(bytes.len().next_multiple_of(PADDING_STEP), 0);
        let aad = Aad::from(injective(&[record.as_bytes(), request_uid.as_bytes()]));
        self.seal
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes)
            .map_err(|_| Unsealable)?;
        let sealed = [nonce.as_slice(), &bytes].concat();
        Ok(format!("v1:{}:{}", self.id, URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Decrypts an id that `seal` made for the same record and request.
    ///
    /// # Errors
    /// `Unsealable`: a person must look at the record.
    pub fn unseal(&self, record: &str, request_uid: &str, sealed: &str) -> Result<CustomerId, Unsealable> {
        let encoded = sealed.strip_prefix(&format!("v1:{}:", self.id)).ok_or(Unsealable)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Unsealable)?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<SEAL_NONCE_BYTES>().ok_or(Unsealable)?;
        let aad = Aad::from(injective(&[record.as_bytes(), request_uid.as_bytes()]));
        let mut ciphertext = ciphertext.to_vec();
        let plain = self
            .seal
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut ciphertext)
            .map_err(|_| Unsealable)?;
        let (length, rest) = plain.split_first_chunk::<4>().ok_or(Unsealable)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Unsealable)?;
        let id = rest.get(..length).ok_or(Unsealable)?;
        String::from_utf8(id.to_vec()).map(CustomerId::new).map_err(|_| Unsealable)
    }
}

fn subkey(root: &hkdf::Prk, purpose: &str) -> Result<[u8; KEY_BYTES], UnusableKey> {
    let info = format!("offboarding.dev/v1/{purpose}");
    let mut bytes = [0; KEY_BYTES];
    let info = [info.as_bytes()];
    let expanded = root.expand(&info, hkdf::HKDF_SHA256).map_err(|_| UnusableKey)?;
    expanded.fill(&mut bytes).map_err(|_| UnusableKey)?;
    Ok(bytes)
}

/// Length-prefixed parts: `("a", "bc")` and `("ab", "c")` differ.
fn injective(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(*part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys::new(&[byte; KEY_BYTES]).unwrap()
    }

    fn customer(id: &str) -> CustomerId {
        CustomerId::new(id.to_owned())
    }

    #[test]
    fn a_record_has_one_name_per_customer_account_and_key() {
        let name = keys(1).record_name("acct", &customer("c"));
        assert_eq!(name.len(), 42);
        assert_eq!(name, keys(1).record_name("acct", &customer("c")));
        for other in [
            keys(1).record_name("acct", &customer("C")),
            keys(1).record_name("acc", &customer("tc")),
            keys(2).record_name("acct", &customer("c")),
        ] {
            assert_ne!(name, other);
        }
    }

    #[test]
    fn the_same_bytes_have_another_hash_for_each_purpose() {
        let keys = keys(1);
        let input = injective(&[b"c"]);
        let digits = |text: String| text.rsplit(':').next().map(str::to_owned);
        let hashes = [
            digits(keys.customer_ref(&customer("c"))),
            digits(keys.fingerprint(&input)),
            digits(keys.credential(&[b"c"])),
        ];
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
    }

    #[test]
    fn a_sealed_id_opens_only_with_its_key_for_its_record_and_request() {
        let sealed = keys(1).seal("r-1", "uid-1", &customer("90017"), [7; SEAL_NONCE_BYTES]).unwrap();
        assert_eq!(keys(1).unseal("r-1", "uid-1", &sealed), Ok(customer("90017")));
        assert_eq!(keys(2).unseal("r-1", "uid-1", &sealed), Err(Unsealable));
        assert_eq!(keys(1).unseal("r-2", "uid-1", &sealed), Err(Unsealable));
        assert_eq!(keys(1).unseal("r-1", "uid-2", &sealed), Err(Unsealable));
        for broken in ["", "v1:", &sealed[..sealed.len() - 2], "v2:00000000:AAAA"] {
            assert_eq!(keys(1).unseal("r-1", "uid-1", broken), Err(Unsealable), "{broken}");
        }
    }

    #[test]
    fn a_sealed_id_does_not_tell_its_length() {
        let length = |id: &str| keys(1).seal("r", "u", &customer(id), [7; SEAL_NONCE_BYTES]).unwrap().len();
        assert_eq!(length("1"), length("somebody@example.com"));
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert!(Keys::new(&[1; 31]).is_err() && Keys::new(&[]).is_err() && Keys::new(&[1; 33]).is_err());
    }
}
