//! Where we are: the namespace and the flags that a command needs to be typed again as it was meant.

/// Namespace and flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Here {
    pub namespace: String,
    /// `--context`, where it was given.
    pub context: Option<String>,
    /// `--kubeconfig`, where it was given.
    pub kubeconfig: Option<String>,
}

impl Here {
    /// A command of ours in the same place, such as `plan acme`.
    #[must_use]
    pub fn offboarding(&self, command: &str) -> String {
        self.kubectl(&format!("offboarding {command}"))
    }

    /// A command of kubectl in the same namespace.
    #[must_use]
    pub fn kubectl(&self, command: &str) -> String {
        self.kubectl_anywhere(&format!("{command} -n {}", quoted(&self.namespace)))
    }

    /// A command of kubectl that needs no namespace, or has one.
    #[must_use]
    pub fn kubectl_anywhere(&self, command: &str) -> String {
        let flag = |name: &str, value: &Option<String>| {
            value.as_ref().map_or_else(String::new, |value| format!(" --{name} {}", quoted(value)))
        };
        format!("kubectl {command}{}{}", flag("context", &self.context), flag("kubeconfig", &self.kubeconfig))
    }

    /// The same in another namespace.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }
}

/// As a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_the_place_that_it_is_meant_for() {
        let here = Here { namespace: "team".to_owned(), ..Here::default() };
        assert_eq!(here.offboarding("plan acme"), "kubectl offboarding plan acme -n team");
        let there = Here { context: Some("eu west".to_owned()), ..here };
        assert_eq!(there.kubectl("get cob"), "kubectl get cob -n team --context 'eu west'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
