//! `docs/bad-inputs.md`: every bad input, what it gets, and the test that proves it. A row without a test fails here, and so does
//! a test of a row that there is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use regex::{Captures, Regex};
use serde::Deserialize;

/// Where tests name rows: the other numbered list of the tests, the checklist of `tests/providers`, is not among them.
const PLACES: [&str; 6] =
    ["src/providers", "tests/admission", "tests/cluster", "tests/kinds", "tests/plugin", "tests/profiles"];

/// One part of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    part: String,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Row {
    row: u8,
    input: String,
    answer: String,
    /// Where it is answered.
    door: Vec<Door>,
    /// What has to be built first; nothing where it is built.
    #[serde(default)]
    waits_for: Option<String>,
    /// Why no test can name it, where none can.
    #[serde(default)]
    untested: Option<String>,
}

#[derive(Deserialize)]
enum Door {
    Schema,
    Rule,
    Admission,
    ApiServer,
    Operator,
    Plugin,
    Flags,
}

impl Door {
    fn words(&self) -> &'static str {
        match self {
            Door::Schema => "schema",
            Door::Rule => "CEL rule of the schema",
            Door::Admission => "admission policy",
            Door::ApiServer => "API server",
            Door::Operator => "operator",
            Door::Plugin => "`kubectl offboarding`",
            Door::Flags => "operator's start",
        }
    }
}

#[test]
fn the_document_of_bad_inputs_is_what_the_table_and_the_tests_say() {
    let (table, tests) = (table(), named_rows());
    let page = page(&table, &tests);
    let path = root().join("docs/bad-inputs.md");
    if std::env::var_os("ACCEPT").is_some() {
        fs::write(&path, &page).expect("a file can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/bad-inputs.md is not what is generated now; run the test with ACCEPT=1, and read the difference"
    );
}

#[test]
fn every_row_of_what_is_built_has_a_test_that_names_it_and_every_named_row_is_there() {
    let (table, tests) = (table(), named_rows());
    let rows: Vec<&Row> = table.iter().flat_map(|part| &part.rows).collect();
    let numbers: Vec<u8> = rows.iter().map(|row| row.row).collect();
    assert_eq!(numbers, (1..=102).collect::<Vec<u8>>(), "the rows are numbered without a gap");
    let mut wrong = Vec::new();
    for row in &rows {
        let is_tested = tests.contains_key(&row.row);
        match (is_tested, &row.waits_for, &row.untested) {
            (true, None, None) | (false, Some(_), None) | (false, None, Some(_)) => {}
            (false, None, None) => wrong.push(format!("row {}: no test names it", row.row)),
            (false, Some(_), Some(_)) => wrong.push(format!("row {}: waits, or has no test?", row.row)),
            (true, _, _) => wrong.push(format!("row {}: has a test, and waits for nothing", row.row)),
        }
    }
    for (row, tests) in tests.iter().filter(|(row, _)| !numbers.contains(row)) {
        wrong.push(format!("row {row}: there is none, but {tests:?}"));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn page(table: &[Part], tests: &BTreeMap<u8, BTreeSet<String>>) -> String {
    let mut page = String::from(
        "<!-- Generated: `ACCEPT=1 cargo test --test bad_inputs`, from tests/bad_inputs.yaml and the tests -->\n\n\
         # What bad input gets\n\n\
         Every input that somebody may get wrong, or try, and the whole of what follows: no customer is deleted by it, or none further.\n\
         Answers say what must hold and quote nothing that may be personal or secret. What a word of a status means:\n\
         [conditions and reasons](reference/conditions.md).\n",
    );
    for Part { part, rows } in table {
        write!(page, "\n## {part}\n\n| # | input | answer | by | proven by |\n|--:|---|---|---|---|\n")
            .expect("a text takes everything");
        for row in rows {
            let doors: Vec<&str> = row.door.iter().map(Door::words).collect();
            let proof = match (&row.waits_for, &row.untested) {
                (Some(what), _) => format!("*waits for: {what}*"),
                (None, Some(why)) => format!("*no test: {why}*"),
                (None, None) => {
                    tests.get(&row.row).into_iter().flatten().cloned().collect::<Vec<_>>().join("<br>")
                }
            };
            let cells =
                [row.input.as_str(), &row.answer, &doors.join(", "), &proof].map(|it| it.replace('|', "\\|"));
            writeln!(page, "| {} | {} |", row.row, cells.join(" | ")).expect("a text takes everything");
        }
    }
    page
}

fn table() -> Vec<Part> {
    let text = fs::read_to_string(root().join("tests/bad_inputs.yaml")).expect("it is there");
    serde_saphyr::from_str(&text).expect("it has the shape of a table")
}

/// The rows that tests name, and each such test by its file and name.
///
/// A test names a row in its own name (`row_9_…`, `rows_46_and_49_…`), in a text or comment (`row 30: in another's`), or, where its
/// name has a range (`rows_66_to_82_…`), in a column of its file's table.
fn named_rows() -> BTreeMap<u8, BTreeSet<String>> {
    let mut found: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
    for path in PLACES.iter().flat_map(|place| rust_files(&root().join(place))) {
        let text = fs::read_to_string(&path).expect("a file that was listed can be read");
        let place = path.strip_prefix(root()).expect("it is below the root").display().to_string();
        let tests = tests_of(&text);
        for (at, row) in mentions(&text).into_iter().chain(columns(&text, &tests)) {
            if let Some(test) = test_at(&text, &tests, at) {
                found.entry(row).or_default().insert(format!("`{place}`: {}", test.replace('_', " ")));
            }
        }
    }
    found
}

/// Where each test begins, with the name of its function; where other functions begin, without one.
fn tests_of(text: &str) -> Vec<(usize, Option<&str>)> {
    let function = Regex::new(
        r"(?m)^((?:#\[(?:tokio::)?test[^\n]*\]\n(?:#\[[^\n]*\]\n)*)?)(?:pub )?(?:async )?fn (\w+)",
    )
    .expect("it is a pattern");
    let captures = function.captures_iter(text);
    captures
        .filter_map(|found| {
            let name = found.get(2)?.as_str();
            let is_test = !found.get(1)?.is_empty();
            Some((found.get(0)?.start(), is_test.then_some(name)))
        })
        .collect()
}

/// The test that a place in a file belongs to: the one around it, or the next one where it is a comment before, or a table.
fn test_at<'a>(text: &str, tests: &[(usize, Option<&'a str>)], at: usize) -> Option<&'a str> {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let is_doc = text[line..].trim_start().starts_with("//") && text[line..].starts_with('/');
    let around = tests.iter().rev().find(|(begin, _)| *begin <= at).and_then(|(_, name)| *name);
    let next = tests.iter().find(|(begin, name)| *begin > at && name.is_some()).and_then(|(_, name)| *name);
    if is_doc { next } else { around.or(next) }
}

/// Rows by words: `row 30`, `Row 17.`, `rows 50-52`, `Rows 50 to 52`, and in names of functions.
fn mentions(text: &str) -> Vec<(usize, u8)> {
    let one = Regex::new(r"(?i)\brow[ _](\d{1,3})\b|\brow_(\d{1,3})_").expect("it is a pattern");
    let range = Regex::new(r"(?i)\brows (\d{1,3})(?:-| to )(\d{1,3})\b").expect("it is a pattern");
    let several = Regex::new(r"\brows((?:_\d{1,3})+_and_\d{1,3})_").expect("it is a pattern");
    let number = |text: &str| text.parse::<u8>().ok();
    let mut found = Vec::new();
    for it in one.captures_iter(text) {
        let row = it.get(1).or_else(|| it.get(2));
        found.extend(row.and_then(|row| Some((row.start(), number(row.as_str())?))));
    }
    for it in range.captures_iter(text) {
        // The head of a file says what it is about; its tests say which of them.
        let is_head = text[..start_of(&it)].rsplit('\n').next().is_some_and(|line| line.starts_with("//!"));
        if let (Some(from), Some(to), false) = (number(&it[1]), number(&it[2]), is_head) {
            found.extend((from..=to).map(|row| (start_of(&it), row)));
        }
    }
    for it in several.captures_iter(text) {
        let rows = it[1].split('_').filter_map(number);
        found.extend(rows.map(|row| (start_of(&it), row)));
    }
    found
}

/// Rows in the column of a table: `row: 51`, `case(7, …`, `(89, …`, `accepted("noop", 82, …`; only where a test's name has their range.
fn columns(text: &str, tests: &[(usize, Option<&str>)]) -> Vec<(usize, u8)> {
    let range = Regex::new(r"^rows_(\d+)_to_(\d+)_").expect("it is a pattern");
    let column = Regex::new(r#"(?:row: |\w*!?\(\s*(?:"[\w-]+",\s*)?)(\d{1,3}),"#).expect("it is a pattern");
    let mut found = Vec::new();
    for (begin, name) in tests {
        let Some(range) = name.and_then(|name| range.captures(name)) else { continue };
        let (Ok(from), Ok(to)) = (range[1].parse::<u8>(), range[2].parse::<u8>()) else { continue };
        let rows = column.captures_iter(text).filter_map(|it| it[1].parse::<u8>().ok());
        let within: BTreeSet<u8> = rows.filter(|row| (from..=to).contains(row)).collect();
        found.extend(within.into_iter().map(|row| (*begin, row)));
    }
    found
}

fn start_of(found: &Captures<'_>) -> usize {
    found.get(0).map_or(0, |it| it.start())
}

fn rust_files(place: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
