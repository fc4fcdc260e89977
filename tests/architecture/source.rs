//! Rust source as the rules read it: without comments, without the text of literals, and without tests. Every byte
//! stands where it stood, so that a finding has the right line.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One file.
pub struct Source {
    /// From the project's directory on: `src/domain/plan.rs`.
    pub path: String,
    /// As it is in the file.
    pub text: String,
    /// Blank where comments, literals and test modules are.
    pub code: String,
}

impl Source {
    pub fn is_below(&self, place: &str) -> bool {
        self.path.starts_with(place)
    }

    /// Whether the whole file is compiled for tests only.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.ends_with("tests.rs") || name == "fixtures.rs" || self.path.contains("/tests/")
    }

    /// Each identifier of the code, with where it begins.
    pub fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        let bytes = self.code.as_bytes();
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < bytes.len() && !is_part(bytes[at]) {
                at += 1;
            }
            let from = at;
            while at < bytes.len() && is_part(bytes[at]) {
                at += 1;
            }
            (from < at).then(|| (from, &self.code[from..at]))
        })
    }

    /// What stands before and after an identifier, without the space between.
    pub fn around(&self, at: usize, word: &str) -> (&str, &str) {
        (self.code[..at].trim_end(), self.code[at + word.len()..].trim_start())
    }

    /// `src/domain/plan.rs:7`
    pub fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path, self.text[..at].matches('\n').count() + 1)
    }

    /// What follows `crate::` or a `super::` chain that leaves `room`: the rooms that the file imports.
    pub fn rooms(&self, room: &str) -> Vec<(usize, String)> {
        let depth = self.path.trim_start_matches(room).matches('/').count()
            - usize::from(self.path.ends_with("/mod.rs"));
        let to_the_root = format!("{}super::", "super::".repeat(depth));
        let paths = self.code.match_indices("crate::").chain(self.code.match_indices(&to_the_root[..]));
        let mut found = Vec::new();
        for (at, start) in paths {
            if self.code[..at]
                .ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$')
            {
                continue;
            }
            found.extend(firsts(&self.code, at + start.len()));
        }
        found
    }
}

/// The first segment of a path, or of each path of a group.
fn firsts(code: &str, at: usize) -> Vec<(usize, String)> {
    let word_at = |at: usize| -> String {
        code[at..].chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect()
    };
    if !code[at..].starts_with('{') {
        return vec![(at, word_at(at))];
    }
    let mut found = Vec::new();
    let (mut depth, mut expects_a_word) = (0, false);
    for (offset, it) in code[at..].char_indices() {
        match it {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' => {}
            it if it.is_whitespace() => continue,
            _ if depth == 1 && expects_a_word => found.push((at + offset, word_at(at + offset))),
            _ => {}
        }
        expects_a_word = depth == 1 && matches!(it, '{' | ',');
        if depth == 0 {
            break;
        }
    }
    found
}

/// Every Rust file below these directories, in order.
pub fn sources(directories: &[&str]) -> Vec<Source> {
    let rust = files(directories).into_iter().filter(|path| path.ends_with(".rs"));
    rust.map(|path| {
        let text = read(&path);
        let code = without_test_items(&without_comments_and_literals(&text));
        Source { path, text, code }
    })
    .collect()
}

pub fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).expect("a file that was listed can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every file below these places (a file is one, too), without what is built, in order.
pub fn files(places: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> =
        places.iter().map(|place| root().join(place)).filter(|it| it.exists()).collect();
    while let Some(path) = open.pop() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if ["target", ".git"].contains(&name) {
            continue;
        }
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory can be listed");
            open.extend(entries.flatten().map(|entry| entry.path()));
        } else {
            let path = path.strip_prefix(root()).expect("it is below");
            found.push(path.display().to_string());
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A small lexer: everything in comments and literals becomes a space, newlines stay.
fn without_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = if rest.starts_with(b"//") {
            rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, at.checked_sub(1).map(|before| bytes[before])) {
            length
        } else if rest[0] == b'"' {
            quoted(rest, b'"')
        } else if rest[0] == b'\'' && is_char(rest) {
            quoted(rest, b'\'')
        } else {
            at += 1;
            continue;
        };
        blank(&mut code[at..at + length]);
        at += length;
    }
    String::from_utf8(code).expect("whole characters are blanked")
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < rest.len() {
        match &rest[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`: how long it is, if one begins here.
fn raw_string(rest: &[u8], before: Option<u8>) -> Option<usize> {
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let start = if rest.starts_with(b"br") { 2 } else { 1 };
    if !rest.starts_with(b"r") && start == 1 {
        return None;
    }
    let hashes = rest[start..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(start + hashes) != Some(&b'"') {
        return None;
    }
    let end = [b"\"", "#".repeat(hashes).as_bytes()].concat();
    let from = start + hashes + 1;
    let length = rest[from..].windows(end.len()).position(|window| window == end)?;
    Some(from + length + end.len())
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// A character rather than a lifetime.
fn is_char(rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'\\') => true,
        Some(first) => {
            let width = match first {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            rest.get(1 + width) == Some(&b'\'')
        }
        None => false,
    }
}

/// Without each item under `#[cfg(test)]`: up to its `;` or the end of its block.
fn without_test_items(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for (at, attribute) in code.match_indices("#[cfg(test)]") {
        let (mut depth, mut end) = (0_usize, code.len());
        for (offset, it) in code[at + attribute.len()..].char_indices() {
            match it {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && (it == ';' || it == '}') {
                end = at + attribute.len() + offset + 1;
                break;
            }
        }
        blank(&mut bytes[at..end]);
    }
    String::from_utf8(bytes).expect("whole characters are blanked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_is_left_without_comments_literals_and_tests() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("f(\"b \\\" c\", d)", "f(        , d)"),
            ("r#\"a \" b\"# c", "           c"),
            ("for<'a> b('\\'', '\"') c", "for<'a> b(    ,    ) c"),
            ("a #[cfg(test)] mod t { fn f() {} } b", "a                                  b"),
            ("a #[cfg(test)] mod t; b", "a                     b"),
        ] {
            assert_eq!(without_test_items(&without_comments_and_literals(text)), code, "{text}");
        }
    }

    #[test]
    fn imports_are_found_in_every_form() {
        let found = |path: &str, code: &str| -> Vec<String> {
            let source = Source { path: path.into(), text: code.into(), code: code.into() };
            source.rooms("src/domain").into_iter().map(|(_, room)| room).collect()
        };
        assert_eq!(found("src/domain/a.rs", "use crate::api::X;"), ["api"]);
        assert_eq!(
            found("src/domain/a.rs", "use crate::{api::{X, Y}, controller, evidence::a::{b}};"),
            ["api", "controller", "evidence"]
        );
        assert_eq!(found("src/domain/a.rs", "fn f(x: crate::providers::X) {}"), ["providers"]);
        assert_eq!(found("src/domain/a.rs", "use super::super::controller::X;"), ["controller"]);
        assert_eq!(found("src/domain/mod.rs", "use super::controller::X;"), ["controller"]);
        assert_eq!(found("src/domain/a.rs", "use super::plan::X; $crate::failpoint!()"), ["plan"; 0]);
    }
}
