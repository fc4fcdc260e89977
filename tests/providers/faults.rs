//! Every fault of the sandbox, in every operation, at both providers: how the answer is read, and what the ledger counts.
//!
//! The whole table is in `faults/*.out`; the promises below hold in every line of it.

use std::{fmt, fmt::Write as _, time::Duration};

use futures::future::join_all;
use harness::{LedgerFilter, Provider as Side, Sandbox};
use offboarding::providers::Captured;
use serde_json::{Value, json};
use tokio::{sync::OnceCell, time::Instant};

use crate::{
    golden,
    stage::{AMPLE, SHORT, Wiring, always, became, checked, controlled, looked, sandbox},
    trouble::{Answer, faults},
};

#[tokio::test]
async fn every_fault_is_read_in_every_operation_as_the_table_says() {
    let files: Vec<_> =
        tables().await.iter().map(|table| (format!("{}.out", table.side.name()), table.text())).collect();
    golden::assert_directory_holds("tests/providers/faults", &files, "out");
}

#[tokio::test]
async fn only_the_providers_own_word_is_ever_read_as_gone() {
    for Struck { what, answer, cell, .. } in cells(Operation::Look).await {
        match (cell.told.as_str(), answer) {
            ("Absent", Answer::Lie) | ("Present", Answer::Honest | Answer::Lie) => (),
            (told, _) => assert!(told.starts_with("Unknown ") && answer != Answer::Honest, "{what}: {told}"),
        }
    }
}

#[tokio::test]
async fn only_a_list_that_was_read_in_full_is_ever_clear() {
    for Struck { what, answer, cell, .. } in cells(Operation::Check).await {
        let may_be_clear = matches!(answer, Answer::Honest | Answer::Lie);
        assert!(may_be_clear || cell.told != "Clear", "{what}: {}", cell.told);
    }
}

#[tokio::test]
async fn only_a_usable_answer_makes_a_control_request_good() {
    for Struck { what, answer, cell, .. } in cells(Operation::Control).await {
        assert!(answer != Answer::Unusable || cell.told.starts_with("Bad "), "{what}: {}", cell.told);
    }
}

#[tokio::test]
async fn one_permit_is_one_request_at_most_and_what_was_done_is_never_told_as_undone() {
    for Struck { what, answer, cell, .. } in cells(Operation::Send).await {
        let word = cell.told.split(' ').next().unwrap();
        assert!(cell.requests == usize::from(word != "NotSent"), "{what}: {cell}");
        assert!(cell.applied == 0 || matches!(word, "Accepted" | "Unknown"), "{what}: {cell}");
        assert!(answer != Answer::Unusable || word != "Accepted", "{what}: {cell}");
    }
}

#[tokio::test]
async fn a_read_is_made_again_only_where_the_connection_failed_and_twice_at_most() {
    for operation in [Operation::Look, Operation::Control, Operation::Check] {
        for Struck { what, cell, deadline, .. } in cells(operation).await {
            let is_lost = cell.told.ends_with("Transient/OutcomeUnknown") && deadline == AMPLE;
            assert!(cell.requests <= if is_lost { 3 } else { 1 }, "{operation:?}, {what}: {cell}");
            assert_eq!(cell.applied, 0, "{operation:?}, {what}");
        }
    }
}

#[tokio::test]
async fn no_fault_makes_anything_go_elsewhere_or_last_beyond_its_deadline() {
    for operation in OPERATIONS {
        for Struck { what, cell, deadline, .. } in cells(operation).await {
            assert_eq!(cell.astray, 0, "{operation:?}, {what}");
            assert!(cell.took < deadline + SLACK, "{operation:?}, {what}: {:?}", cell.took);
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_at_once_sends_nothing() {
    let sandbox = sandbox().await;
    for side in [Side::Juicyway, Side::Revolv3] {
        let reset = json!({"kind": "cut", "at": "accept", "how": "rst"});
        sandbox.set_faults(&always(side, &reset)).await.unwrap();
        let caller = Wiring::of(&sandbox, side).connect();
        let told = became(&caller.send("90017", &Captured::nothing()).await.outcome);
        let by = ["NotSent Transient/ConnectFailed", "NotSent Transient/TlsFailed"]; // whoever sees it first
        assert!(by.contains(&told.as_str()), "{told}");
        let told = looked(&caller.look("90017").await.verdict);
        assert_eq!(told, "Unknown Transient/ConnectFailed");
        assert_eq!(sandbox.ledger(&LedgerFilter::default()).await.unwrap(), [Value::Null; 0]);
    }
}

/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Look,
    Control,
    Check,
    Send,
}
const OPERATIONS: [Operation; 4] = [Operation::Look, Operation::Control, Operation::Check, Operation::Send];

/// How one operation ended under one fault.
#[derive(Clone, Debug)]
struct Cell {
    /// As the decision hears it.
    told: String,
    /// Requests in the ledger, and how many of them changed the customer.
    requests: usize,
    applied: usize,
    /// Requests that reached another listener, and credentials where they do not belong.
    astray: usize,
    took: Duration,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let applied = if self.applied > 0 { " done" } else { "" };
        write!(f, "{} x{}{applied}", self.told, self.requests)
    }
}

/// One line of the table.
struct Line {
    name: String,
    answer: Answer,
    deadline: Duration,
    cells: [Cell; 4],
}

struct Table {
    side: Side,
    lines: Vec<Line>,
}

/// One cell with what it belongs to.
struct Struck {
    what: String,
    answer: Answer,
    deadline: Duration,
    cell: &'static Cell,
}

async fn cells(operation: Operation) -> Vec<Struck> {
    let of = |table: &'static Table| {
        table.lines.iter().map(move |line| Struck {
            what: format!("{} at {}", line.name, table.side.name()),
            answer: line.answer,
            deadline: line.deadline,
            cell: &line.cells[operation as usize],
        })
    };
    tables().await.iter().flat_map(of).collect()
}

/// Made once, by whoever needs it first.
static TABLES: OnceCell<[Table; 2]> = OnceCell::const_new();

/// How many sandboxes share the work: most of it is waiting.
const LANES: usize = 16;

async fn tables() -> &'static [Table; 2] {
    TABLES.get_or_init(|| async { [Side::Juicyway, Side::Revolv3].map(table_of(all_cells().await)) }).await
}

/// The cells of both tables, line by line.
async fn all_cells() -> Vec<Cell> {
    let faults = faults();
    let sides = [Side::Juicyway, Side::Revolv3];
    let cases = sides.iter().flat_map(|side| {
        faults.iter().flat_map(move |(_, fault, _)| OPERATIONS.map(|operation| (*side, operation, fault)))
    });
    let cases: Vec<_> = cases.collect();
    let lane = async |lane: usize| {
        let sandbox = sandbox().await;
        let mut cells = Vec::new();
        for (side, operation, fault) in cases.iter().skip(lane).step_by(LANES) {
            cells.push(cell(&sandbox, *side, *operation, fault).await);
        }
        cells.into_iter()
    };
    let mut lanes = join_all((0..LANES).map(lane)).await;
    (0..cases.len()).map(|case| lanes[case % LANES].next().unwrap()).collect()
}

fn table_of(cells: Vec<Cell>) -> impl FnMut(Side) -> Table {
    let mut cells = cells.into_iter();
    move |side| {
        let lines = faults().into_iter().map(|(name, fault, answer)| Line {
            name: title(name, &fault),
            answer,
            deadline: deadline(&fault),
            cells: std::array::from_fn(|_| cells.next().unwrap()),
        });
        Table { side, lines: lines.collect() }
    }
}

/// The name and what tells it from others of that name.
fn title(name: &str, fault: &Value) -> String {
    let of = |key: &str| match &fault[key] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let more = match fault["kind"].as_str() {
        Some("cut") => of("how"),
        Some("tls" | "rateLimit" | "json") => of("variant"),
        Some("hugeBody") => of("encoding"),
        Some("status") if name == "200 with" => of("body"),
        Some("redirect" | "status") if !name.starts_with(|c: char| c.is_ascii_digit()) => of("status"),
        _ => None,
    };
    more.map_or(name.to_owned(), |more| format!("{name}, {more}"))
}

async fn cell(sandbox: &Sandbox, side: Side, operation: Operation, fault: &Value) -> Cell {
    let closed = json!({"subscriptions": [{"subscriptionStatusType": "Cancelled"}], "invoices": [{}]});
    let (id, seed) = if side == Side::Juicyway { ("cus_1", json!({})) } else { ("90017", closed) };
    sandbox.reset().await.unwrap();
    sandbox.seed(side, id, &seed).await.unwrap();
    if !fault.is_null() {
        sandbox.set_faults(&always(side, fault)).await.unwrap();
    }
    // One check is asked, so that what the first one hears does not colour the second.
    let ignored: &[&str] = if side == Side::Revolv3 { &["invoices"] } else { &[] };
    let caller = Wiring { deadline: deadline(fault), ignored, ..Wiring::of(sandbox, side) }.connect();
    let begun = Instant::now();
    let told = match operation {
        Operation::Look => looked(&caller.look(id).await.verdict),
        Operation::Control => controlled(&caller.control().await),
        Operation::Check => checked(&caller.checks(id, &Captured::nothing()).await[0].verdict),
        Operation::Send => became(&caller.send(id, &Captured::nothing()).await.outcome),
    };
    let took = begun.elapsed();
    let ledger = sandbox.ledger(&LedgerFilter::default()).await.unwrap();
    let here = |entry: &&Value| entry["provider"] == side.name();
    let leaks = |entry: &&Value| entry["leaks"].as_array().is_some_and(|leaks| !leaks.is_empty());
    Cell {
        told,
        requests: ledger.iter().filter(here).count(),
        applied: ledger.iter().filter(|entry| entry["applied"] == true).count(),
        astray: ledger.iter().filter(|entry| !here(entry) || leaks(entry)).count(),
        took,
    }
}

/// Short where the answer does not end within any deadline of these tests.
fn deadline(fault: &Value) -> Duration {
    let never_ends = fault["ms"] == 60_000 || fault["bytesPerSecond"] == 20 || fault["headerDelay"] == "2s";
    if never_ends { SHORT } else { AMPLE }
}

impl Table {
    fn text(&self) -> String {
        let header = ["fault", "look", "control", "check", "destructive send"].map(str::to_owned);
        let rows: Vec<[String; 5]> = self
            .lines
            .iter()
            .map(|line| {
                let [look, control, check, send] = line.cells.each_ref().map(Cell::to_string);
                [line.name.clone(), look, control, check, send]
            })
            .collect();
        let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
        let widths: [usize; 5] =
            std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
        let mut text = String::new();
        for row in rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                write!(line, "{cell:width$}  ").unwrap();
            }
            writeln!(text, "{}", line.trim_end()).unwrap();
        }
        text
    }
}
