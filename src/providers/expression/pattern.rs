//! Patterns that must match a whole text: `unpaid` must not pass for `paid`.

use regex::Regex;

/// Compiles a pattern that is anchored at both ends, `^…$`, after an optional `(?i)`.
///
/// # Errors
/// What is wrong with it, in words that follow the pattern's field.
pub(crate) fn whole_text(pattern: &str) -> Result<Regex, &'static str> {
    let body = pattern.strip_prefix("(?i)").unwrap_or(pattern);
    let inner = body
        .strip_prefix('^')
        .and_then(|rest| rest.strip_suffix('$'))
        .ok_or("must be anchored at both ends: `^…$`")?;
    has_no_escape_from_anchors(inner)?;
    let compiled = |pattern: &str| Regex::new(pattern).map_err(|_| "is not a valid regular expression");
    // By itself first: a stray parenthesis would fit into the group below.
    compiled(pattern)?;
    // The group makes sure of what the scan above is meant to find out.
    let ignore_case = if body.len() == pattern.len() { "" } else { "(?i)" };
    compiled(&format!("{ignore_case}^(?:{inner})$"))
}

/// Whether `^` and `$` around `inner` hold for all of it: no alternative beside them, no flags that change what they mean.
fn has_no_escape_from_anchors(inner: &str) -> Result<(), &'static str> {
    let mut depth = 0_i32;
    let mut class_depth = 0_i32;
    let mut rest = inner.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\\' if rest.next().is_none() => return Err("must be anchored at both ends: `^…$`"),
            '[' => {
                class_depth += 1;
                rest.next_if_eq(&'^');
                rest.next_if_eq(&']');
            }
            ']' => class_depth = (class_depth - 1).max(0),
            _ if class_depth > 0 => {}
            '(' => {
                depth += 1;
                if rest.next_if_eq(&'?').is_some() && !is_plain_group(&mut rest) {
                    return Err("may use no flag but `(?i)`, and no named group");
                }
            }
            ')' => depth -= 1,
            '|' if depth == 0 => {
                return Err("must put its alternatives in parentheses: `^(a|b)$`, not `^a|b$`");
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_plain_group(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    rest.next_if_eq(&'i');
    rest.next_if_eq(&':').is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_texts_only() {
        for (pattern, good) in [
            ("^a$", true),
            ("(?i)^(paid|void)$", true),
            ("^[A-Za-z0-9._~:@-]{1,128}$", true),
            ("^[]|a]$", true),
            (r"^\|$", true),
            ("^(?:a|b)$", true),
            ("^(?i:a)$", true),
            ("a", false),
            ("^a", false),
            ("a$", false),
            ("^a|b$", false),   // each alternative is anchored at one end only
            (r"^a\$", false),   // the dollar is a character
            ("(?m)^a$", false), // a line is not the text
            ("^(?m:a)$", false),
            ("^(?x)a|b$", false),
            ("^(a$", false),
            ("^a)|(b$", false),
            ("^[a$", false),
        ] {
            assert_eq!(whole_text(pattern).is_ok(), good, "{pattern}");
        }
    }

    #[test]
    fn an_unpaid_invoice_does_not_match_paid() {
        let paid = whole_text("(?i)^(paid|void)$").unwrap();
        assert!(paid.is_match("PAID") && !paid.is_match("unpaid") && !paid.is_match("paid\n"));
    }
}
