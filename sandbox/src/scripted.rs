//! The listener that answers what its script says: jobs, GraphQL, other providers' shapes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::glob::{Fit, fit};
use crate::http::{Answer, Request};
use crate::provider::{Credential, Performed, Provider, Reading};

/// The script and how far it has been played.
#[derive(Clone, Debug, Default)]
pub struct Scripted {
    rules: Vec<Rule>,
}

/// What to answer to which requests; the first rule that fits a request counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    #[serde(rename = "match")]
    wanted: Wanted,
    answers: Vec<Line>,
    /// The request is meant to delete a customer; without this, a DELETE is.
    #[serde(default)]
    destructive: bool,
    /// How often the rule has answered.
    #[serde(default)]
    played: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Wanted {
    method: Option<String>,
    /// A pattern; `{customer}` stands for the segment that names the customer.
    path: Option<String>,
    /// A part of the body, for GraphQL.
    body: Option<String>,
}

/// One answer, given `repeat` times; 0 is for ever, and so is the last one of a rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// JSON; a string is sent as it is, null is no body. `{customer}` is replaced.
    #[serde(default)]
    body: Value,
    #[serde(default = "once")]
    repeat: u64,
}

fn once() -> u64 {
    1
}

impl Wanted {
    fn fits(&self, request: &Request) -> Option<Fit> {
        let method =
            self.method.as_ref().is_none_or(|method| request.method.as_str().eq_ignore_ascii_case(method));
        let body =
            self.body.as_ref().is_none_or(|part| String::from_utf8_lossy(&request.body).contains(part));
        fit(self.path.as_deref().unwrap_or("**"), &request.path).filter(|_| method && body)
    }
}

impl Rule {
    /// The answer whose turn it is.
    fn line(&self) -> Option<&Line> {
        let mut turn = self.played;
        for line in &self.answers {
            if line.repeat == 0 || turn < line.repeat {
                return Some(line);
            }
            turn -= line.repeat;
        }
        self.answers.last()
    }

    fn is_destructive(&self, request: &Request) -> bool {
        self.destructive || request.method == "DELETE"
    }
}

impl Line {
    fn answer(&self, customer: &str) -> Answer {
        let filled = |text: &str| text.replace("{customer}", customer);
        let answer = match &self.body {
            Value::Null => Answer::empty(self.status),
            Value::String(text) => Answer::typed(self.status, "text/plain; charset=utf-8", filled(text)),
            json => Answer::typed(self.status, "application/json", filled(&json.to_string())),
        };
        self.headers.iter().fold(answer, |answer, (name, value)| answer.with(name, &filled(value)))
    }
}

impl Scripted {
    /// Replaces the script.
    pub fn load(&mut self, rules: Vec<Rule>) {
        self.rules = rules;
    }

    /// The script and how often each rule has answered.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn rule(&self, request: &Request) -> Option<(usize, Fit)> {
        self.rules.iter().enumerate().find_map(|(index, rule)| Some((index, rule.wanted.fits(request)?)))
    }
}

impl Provider for Scripted {
    fn read(&self, request: &Request) -> Reading {
        let found = self.rule(request);
        let destructive = found
            .as_ref()
            .map_or(request.method == "DELETE", |(index, _)| self.rules[*index].is_destructive(request));
        let undocumented =
            if found.is_none() { vec!["no rule of the script".to_owned()] } else { Vec::new() };
        let customer = found.and_then(|(_, fit)| fit.customer);
        let shown = request.headers.contains_key("authorization")
            || request.headers.keys().any(|name| name.as_str().contains("token"));
        Reading {
            operation: None,
            look: request.method == "GET" && customer.is_some(),
            customer,
            destructive,
            credential: if shown { Credential::Unchecked } else { Credential::Absent },
            undocumented,
        }
    }

    fn admit(&mut self, request: &Request, _: Timestamp) -> Result<(), Answer> {
        self.rule(request).map(drop).ok_or_else(|| self.error(404))
    }

    fn perform(&mut self, request: &Request, _: Timestamp, _: SignedDuration) -> Performed {
        let Some((index, Fit { customer })) = self.rule(request) else {
            return Performed::nothing(self.error(404));
        };
        let rule = &mut self.rules[index];
        let Some(answer) = rule.line().map(|line| line.answer(customer.as_deref().unwrap_or_default()))
        else {
            return Performed::nothing(Answer::empty(500));
        };
        rule.played += 1;
        let took_effect = rule.is_destructive(request) && (200..300).contains(&answer.status);
        Performed { answer, changed: customer.filter(|_| took_effect) }
    }

    fn rehearse(&self, request: &Request, now: Timestamp) -> Answer {
        self.clone().perform(request, now, SignedDuration::ZERO).answer
    }

    fn standing_headers(&self, _: &Request, _: Timestamp) -> Vec<(String, String)> {
        Vec::new()
    }

    fn error(&self, status: u16) -> Answer {
        Answer::json(status, &json!({"error": {"code": status, "message": "scripted"}}))
    }

    fn incarnation(&self, _: &str) -> Option<u64> {
        None
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    fn credential_header(&self) -> &'static str {
        "authorization"
    }

    fn stored(&self, _: &str) -> Value {
        Value::Null
    }

    fn restore(&mut self, _: &str, _: Value) -> Result<(), String> {
        Ok(())
    }
}
