//! What the doctor says, and how it is printed.

use serde::Serialize;

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works; somebody should do something about it.
    Warn,
    /// It could not be seen: as bad as a failure for whoever relies on it.
    Unknown,
    /// It does not work, or not for long.
    Fail,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Unknown => "unknown",
            Verdict::Fail => "fail",
        }
    }
}

/// One check. Holds no secret and no customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What was looked at: `policies`, `provider billing/revolv3`.
    pub check: String,
    pub verdict: Verdict,
    /// How it is, and what that means.
    pub says: String,
    /// What to do, as a command wherever there is one.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

impl Line {
    /// As it should be.
    pub fn ok(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Ok, says: says.into(), todo: None }
    }

    /// Anything else, with what to do.
    pub fn bad(
        check: impl Into<String>,
        verdict: Verdict,
        says: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self { check: check.into(), verdict, says: says.into(), todo: Some(todo.into()) }
    }
}

/// The worst of all verdicts; `Ok` where there is none.
#[must_use]
pub fn worst(lines: &[Line]) -> Verdict {
    lines.iter().map(|line| line.verdict).max().unwrap_or(Verdict::Ok)
}

/// For people: a line for each check, and below it what to do.
#[must_use]
pub fn as_text(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.check.chars().count()).max().unwrap_or(0);
    let text = lines.iter().map(|Line { check, verdict, says, todo }| {
        let todo = todo.as_ref().map_or_else(String::new, |todo| format!("{:10}{todo}\n", ""));
        format!("{:8}  {check:width$}  {says}\n{todo}", verdict.word())
    });
    text.collect()
}

/// For scripts: one object with the worst verdict and all lines.
#[must_use]
pub fn as_json(lines: &[Line]) -> String {
    format!("{:#}\n", serde_json::json!({ "verdict": worst(lines), "checks": lines }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_a_line_for_each_check_and_one_for_what_to_do() {
        let lines = [
            Line::ok("kubernetes", "Kubernetes v1.37.2"),
            Line::bad("provider a/b", Verdict::Fail, "not ready", "kubectl describe cobp b -n a"),
        ];
        let expected = "\
ok        kubernetes    Kubernetes v1.37.2
fail      provider a/b  not ready
          kubectl describe cobp b -n a
";
        assert_eq!(as_text(&lines), expected);
        let json: serde_json::Value = serde_json::from_str(&as_json(&lines)).unwrap();
        let expected = serde_json::json!({"verdict": "fail", "checks": [
            {"check": "kubernetes", "verdict": "ok", "says": "Kubernetes v1.37.2"},
            {"check": "provider a/b", "verdict": "fail", "says": "not ready", "do": "kubectl describe cobp b -n a"},
        ]});
        assert_eq!(json, expected);
    }

    #[test]
    fn what_could_not_be_seen_is_worse_than_a_warning() {
        let of = |verdict| Line::bad("a", verdict, "", "");
        for (verdicts, expected) in [
            (vec![], Verdict::Ok),
            (vec![Verdict::Warn, Verdict::Unknown, Verdict::Ok], Verdict::Unknown),
            (vec![Verdict::Fail, Verdict::Unknown], Verdict::Fail),
        ] {
            assert_eq!(worst(&verdicts.into_iter().map(of).collect::<Vec<_>>()), expected);
        }
    }
}
