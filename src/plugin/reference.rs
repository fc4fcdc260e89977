//! `ref`: a customer's pseudonym, for those who may read the installation key. The id is never an argument and never printed.

use k8s_openapi::api::core::v1::Secret;

use super::{cluster::Cluster, problem::Problem, terminal::Terminal};
use crate::{domain::CustomerId, evidence::Keys};

/// The Secret with the installation key, and where the key is in it. A test keeps it the operator's own name.
const SECRET: &str = "customer-offboarding-installation-key";
const ENTRY: &str = "key";

/// What providers accept as an id at most; the schema of a request says the same.
const LONGEST: usize = 256;

/// Prints it.
///
/// # Errors
/// A problem: the key cannot be read, or what was typed is no id.
pub async fn reference(
    cluster: &Cluster,
    terminal: &Terminal,
    operator_namespace: &str,
) -> Result<(), Problem> {
    let api = cluster.api_in::<Secret>(operator_namespace);
    let secret = cluster.get(&api, SECRET).await?;
    let key =
        secret.data.as_ref().and_then(|data| data.get(ENTRY)).and_then(|bytes| Keys::new(&bytes.0).ok());
    let Some(keys) = key else {
        return Err(Problem::Input(format!(
            "the Secret {SECRET} in namespace {operator_namespace} holds no key of 32 bytes; restore it from its backup"
        )));
    };
    let id = id(&terminal.secret("Customer id (is not shown): ").await?)?;
    terminal.print(&format!("{}\n", keys.customer_ref(&id)))
}

/// The line without its end; nothing else is cut off, because a pseudonym is of exactly these bytes.
fn id(line: &str) -> Result<CustomerId, Problem> {
    let id = line.strip_suffix('\n').unwrap_or(line);
    let id = id.strip_suffix('\r').unwrap_or(id);
    let wrong = |why: &str| Err(Problem::Input(format!("that is no customer id: {why}")));
    if id.is_empty() {
        return wrong("it is empty");
    }
    if id.chars().count() > LONGEST {
        return wrong("it has more than 256 characters");
    }
    if id.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return wrong("it has a space or a control character");
    }
    Ok(CustomerId::new(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_operators_own() {
        assert_eq!(SECRET, crate::controller::INSTALLATION_KEY_SECRET);
    }

    #[test]
    fn a_problem_never_repeats_what_was_typed() {
        for typed in ["", "\n", "90017 \n", "90\t017", &"9".repeat(257)] {
            let problem = id(typed).map(|_| ()).unwrap_err().to_string();
            assert!(!problem.contains("9001") && !problem.contains("999"), "{problem}");
        }
        assert_eq!(id("90017\n").unwrap().expose(), "90017");
        assert_eq!(id("90017\r\n").unwrap().expose(), "90017");
    }
}
