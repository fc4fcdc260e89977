//! Text from objects, made fit for a terminal, and tables of it.

/// The text without anything that a terminal acts on or that reorders what a person reads: an approver must see what is there.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Unicode's bidirectional and zero-width characters.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
}

/// Columns side by side under their heads, as kubectl prints them. Cells must be harmless.
#[must_use]
pub fn columns(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heads[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("   ").trim_end())
    };
    let head = line(heads);
    let body = rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    head + &body.collect::<String>()
}

/// A time as people and machines read it: UTC, whole seconds.
pub use crate::domain::moment;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_printed() {
        for (text, due) in [
            ("DELETE /customers/{customer.id}", "DELETE /customers/{customer.id}"),
            ("Grüße", "Grüße"),
            ("\u{1b}[2Jsandbox", "\\u{1b}[2Jsandbox"),
            ("one\ntwo\r", "one\\u{a}two\\u{d}"),
            ("\u{202e}evil", "\\u{202e}evil"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("\u{9b}1m", "\\u{9b}1m"),
        ] {
            assert_eq!(harmless(text), due);
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "long cell".to_owned()], vec!["wider".to_owned(), String::new()]];
        assert_eq!(columns(&["ONE", "TWO"], &rows), "ONE     TWO\na       long cell\nwider\n");
    }
}
