//! The state file: one JSON line per change, on disk before the change is answered.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ledger::Entry;
use crate::provider::Name;

/// One line. What is not set did not change.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Change {
    /// An entry as it stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// A customer as it stands now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Stored>,
    /// The clock's offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<SignedDuration>,
    /// The ledger was emptied.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cleared: bool,
}

/// A customer with its past; null is none.
#[derive(Serialize, Deserialize)]
pub struct Stored {
    pub provider: Name,
    pub customer: String,
    pub record: Value,
}

/// The open state file.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens the file and hands back what earlier runs wrote. A torn last line is what a kill leaves; it is dropped.
    pub fn open(path: &Path) -> io::Result<(Journal, Vec<Change>)> {
        let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        let mut changes = Vec::new();
        let mut whole = 0;
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            changes.push(serde_json::from_slice(&line)?);
            whole += line.len() as u64;
            line.clear();
        }
        file.set_len(whole)?;
        Ok((Journal { file }, changes))
    }

    /// Appends one line and waits until it is on disk.
    pub fn write(&mut self, change: &Change) -> io::Result<()> {
        let mut line = serde_json::to_vec(change)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }
}
