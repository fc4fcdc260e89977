//! When a certificate ends: the one field that rustls does not look at in a root.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// Whether a certificate's `notAfter` has passed; `None` where the certificate cannot be read.
///
/// Source: RFC 5280 sections 4.1 and 4.1.2.5; DER as in X.690.
pub(super) fn has_expired(certificate: &[u8], now: Timestamp) -> Option<bool> {
    let (_, certificate, _) = element(certificate)?;
    let (_, signed, _) = element(certificate)?;
    let (tag, _, after_version) = element(signed)?;
    // The version is explicit [0] and left out in version 1; serial number, algorithm and issuer follow.
    let rest = if tag == 0xa0 { after_version } else { signed };
    let (_, _, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (_, validity, _) = element(rest)?;
    let (_, _, rest) = element(validity)?;
    let (tag, not_after, _) = element(rest)?;
    Some(read_time(tag, not_after)? < now)
}

/// The first element of a DER text: its tag, its contents, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None, // 16 MiB and more, or indefinite
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

/// `UTCTime` (two digits of the year, 1950 to 2049) or `GeneralizedTime`, both in UTC with seconds.
fn read_time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (tag, text.len()) {
        (0x17, 12) => {
            let year: i16 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        (0x18, 14) => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let civil = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    // "No well-defined end" is 99991231235959Z (RFC 5280 section 4.1.2.5), a little later than jiff's last moment.
    civil.to_zoned(TimeZone::UTC).map_or(Some(Timestamp::MAX), |zoned| Some(zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn both_spellings_of_a_time_are_read_and_nothing_else() {
        for (tag, text, expected) in [
            (0x17, "260102030405Z", Some(at("2026-01-02T03:04:05Z"))),
            (0x17, "500101000000Z", Some(at("1950-01-01T00:00:00Z"))),
            (0x17, "491231235959Z", Some(at("2049-12-31T23:59:59Z"))),
            (0x18, "20510102030405Z", Some(at("2051-01-02T03:04:05Z"))),
            (0x18, "99991231235959Z", Some(Timestamp::MAX)),
            (0x17, "20510102030405Z", None),
            (0x18, "260102030405Z", None),
            (0x17, "261302030405Z", None),
            (0x17, "260102030405", None),
            (0x17, "2601020304+5Z", None),
            (0x17, "é60102030405Z", None),
            (0x02, "260102030405Z", None),
            (0x17, "", None),
        ] {
            assert_eq!(read_time(tag, text.as_bytes()), expected, "{tag} {text}");
        }
    }

    #[test]
    fn a_certificate_has_expired_once_its_last_moment_has_passed_and_a_cut_one_cannot_be_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wanted = rcgen::CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap();
        wanted.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let certificate = wanted.self_signed(&key).unwrap();
        let der: &[u8] = certificate.der();
        assert_eq!(has_expired(der, at("2029-12-31T23:59:59Z")), Some(false));
        assert_eq!(has_expired(der, at("2030-01-01T00:00:01Z")), Some(true));
        for length in 0..der.len() {
            assert_eq!(has_expired(&der[..length], at("2029-12-31T23:59:59Z")), None, "{length}");
        }
    }
}
