//! Dates as HTTP spells them.

use jiff::{Timestamp, fmt::rfc2822, fmt::strtime};

/// A date of a header, in any of the three spellings that a recipient must accept; `None` for anything else.
///
/// Units: whole seconds, UTC. Source: RFC 9110 section 5.6.7 (IMF-fixdate, RFC 850, asctime).
#[must_use]
pub fn read_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
        .or_else(|| read_as("%A, %d-%b-%y %H:%M:%S", text.strip_suffix(" GMT")?))
        .or_else(|| read_as("%a %b %e %H:%M:%S %Y", text))
}

fn read_as(format: &str, text: &str) -> Option<Timestamp> {
    let civil = strtime::parse(format, text).ok()?.to_datetime().ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_in_the_three_spellings_of_http_and_in_no_other() {
        let expected: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(expected)),
            (" Sun, 06 Nov 1994 08:49:37 GMT ", Some(expected)),
            ("Sun, 06 Nov 1994 09:49:37 +0100", Some(expected)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(expected)),
            ("Sun Nov  6 08:49:37 1994", Some(expected)),
            ("Mon, 06 Nov 1994 08:49:37 GMT", None), // it was a Sunday
            ("Sun, 31 Feb 2026 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("1994-11-06T08:49:37Z", None),
            ("784111777", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(read_date(text), expected, "{text}");
        }
    }
}
