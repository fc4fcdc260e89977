//! What is wrong with a profile, field by field.

use std::fmt;

use crate::providers::expression::{Expression, Known};

/// One thing that is wrong with a profile. Shown to the platform team; contains nothing but the profile's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileProblem {
    /// The field, as users write it, for example `delete[0].request.path`.
    pub field: String,
    /// Where in the field's text, counted from 1.
    pub column: Option<usize>,
    /// What must be otherwise.
    pub message: String,
}

impl fmt::Display for ProfileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.field)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ProfileProblem {}

/// The problems found so far. Everything that is read from a profile goes through it, so that all are told at once.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<ProfileProblem>);

impl Problems {
    pub(crate) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(ProfileProblem { field: field.into(), column: None, message: message.into() });
    }

    /// Compiles an expression, or tells why not.
    pub(crate) fn expression(&mut self, field: &str, source: &str, known: Known<'_>) -> Option<Expression> {
        match Expression::compile(source, known) {
            Ok(expression) => Some(expression),
            Err(problems) => {
                self.0.extend(problems.into_iter().map(|problem| ProfileProblem {
                    field: field.to_owned(),
                    column: problem.column,
                    message: problem.message,
                }));
                None
            }
        }
    }

    /// Compiles an expression if there is one: `Some(None)` where there is none, `None` where it is wrong.
    pub(crate) fn optional_expression(
        &mut self,
        field: &str,
        source: Option<&str>,
        known: Known<'_>,
    ) -> Option<Option<Expression>> {
        match source {
            Some(source) => self.expression(field, source, known).map(Some),
            None => Some(None),
        }
    }

    /// Takes the value, or tells why there is none.
    pub(crate) fn take<T>(&mut self, field: &str, value: Result<T, impl Into<String>>) -> Option<T> {
        value.map_err(|message| self.add(field, message)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every problem once: what stands in all requests is found in each.
    pub(crate) fn into_vec(self) -> Vec<ProfileProblem> {
        let mut told: Vec<ProfileProblem> = Vec::new();
        for problem in self.0 {
            if !told.contains(&problem) {
                told.push(problem);
            }
        }
        told
    }
}
