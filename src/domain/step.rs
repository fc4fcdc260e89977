//! What a provider is asked for.

use crate::api::words;

words! {
    /// What a request to a provider is for.
    #[expect(non_camel_case_types, reason = "the words users read")]
    Step {
        look = "Is the customer there?",
        control = "Do address and credential still work?",
        account = "Whose account is it?",
        check = "Does anything stand in the way?",
        delete = "The destructive request.",
    }
}
