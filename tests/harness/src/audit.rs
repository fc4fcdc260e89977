//! The API server's audit log: who asked what, in the order of the answers.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Failure, Scratch};

const POLICY: &str = r#"{"apiVersion":"audit.k8s.io/v1","kind":"Policy","omitStages":["RequestReceived"],"rules":[{"level":"Metadata"}]}"#;
const POLICY_FILE: &str = "audit-policy.json";

/// Writes the policy and says where the log will be.
pub(crate) fn prepare(scratch: &Scratch) -> Result<PathBuf, Failure> {
    scratch.write(POLICY_FILE, POLICY)?;
    Ok(scratch.join("audit.jsonl"))
}

/// The API server's arguments for it. The log is written before the answer, so that a test that has the answer
/// finds the entry.
pub(crate) fn args(scratch: &Scratch, log: &Path) -> [String; 3] {
    [
        format!("--audit-policy-file={}", scratch.join(POLICY_FILE).display()),
        format!("--audit-log-path={}", log.display()),
        "--audit-log-mode=blocking-strict".into(),
    ]
}

/// Every complete line.
pub(crate) fn read(log: &Path) -> Result<Vec<Value>, Failure> {
    let step = || format!("read {}", log.display());
    let text = std::fs::read_to_string(log).map_err(Failure::to(step()))?;
    let complete = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    complete.map(|line| serde_json::from_str(line).map_err(Failure::to(step()))).collect()
}
