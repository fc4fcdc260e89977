//! Holds: what must not be deleted, whoever asked for it and whoever agreed. A hold that cannot be evaluated holds.

use jiff::Timestamp;

use crate::api::{HoldType, ProviderKind};

/// One hold, as seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub name: String,
    pub kind: HoldType,
    pub whom: Held,
    /// Only there; everywhere where it is empty.
    pub providers: Vec<ProviderName>,
    pub expires_at: Option<Timestamp>,
}

/// Whom a hold is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    Everybody,
    /// Customers by pseudonym. `None` is one that cannot be told: its Secret is missing, or its key is unknown; that may be anybody.
    Customers(Vec<Option<String>>),
}

/// A provider object by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderName {
    pub kind: ProviderKind,
    /// Empty for a cluster-wide one.
    pub namespace: String,
    pub name: String,
}

/// All holds, as seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldsSeen {
    /// Nobody knows: deletions are frozen.
    Unread,
    Seen(Vec<Hold>),
}

/// What holds mean for one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldSeen {
    /// None is about it.
    Free,
    /// This one is.
    By { name: String, kind: HoldType, until: Option<Timestamp> },
    /// Nobody can read them.
    Unread,
}

impl HoldsSeen {
    /// What they mean for a customer at a provider object; of several the first by name. The customer's pseudonym may not be
    /// known yet: then a hold on anybody holds.
    #[must_use]
    pub fn on(&self, customer_ref: Option<&str>, provider: &ProviderName, now: Timestamp) -> HoldSeen {
        let HoldsSeen::Seen(holds) = self else { return HoldSeen::Unread };
        let about_it = |hold: &&Hold| hold.is_about(customer_ref, provider, now);
        let first = holds.iter().filter(about_it).min_by(|a, b| a.name.cmp(&b.name));
        first.map_or(HoldSeen::Free, |hold| HoldSeen::By {
            name: hold.name.clone(),
            kind: hold.kind,
            until: hold.expires_at,
        })
    }
}

impl Hold {
    fn is_about(&self, customer_ref: Option<&str>, provider: &ProviderName, now: Timestamp) -> bool {
        let stands = self.expires_at.is_none_or(|end| now < end);
        let here = self.providers.is_empty() || self.providers.contains(provider);
        let whom = match &self.whom {
            Held::Everybody => true,
            Held::Customers(refs) => refs.iter().any(|held| {
                held.as_deref().zip(customer_ref).is_none_or(|(held, customer)| held == customer)
            }),
        };
        stands && here && whom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(whom: Held) -> Hold {
        Hold {
            name: "case-7".to_owned(),
            kind: HoldType::LegalHold,
            whom,
            providers: Vec::new(),
            expires_at: None,
        }
    }

    fn billing() -> ProviderName {
        ProviderName {
            kind: ProviderKind::OffboardingProvider,
            namespace: "team".to_owned(),
            name: "billing".to_owned(),
        }
    }

    #[test]
    fn a_hold_stops_whom_it_names_and_whoever_it_may_name() {
        let now = Timestamp::UNIX_EPOCH;
        let elsewhere = ProviderName { name: "crm".to_owned(), ..billing() };
        let cluster_wide = ProviderName {
            kind: ProviderKind::ClusterOffboardingProvider,
            namespace: String::new(),
            ..billing()
        };
        let customers = |refs: &[Option<&str>]| {
            Held::Customers(refs.iter().map(|held| held.map(str::to_owned)).collect())
        };
        let at =
            |provider: &ProviderName| Hold { providers: vec![provider.clone()], ..hold(Held::Everybody) };
        let until = |end| Hold { expires_at: Some(end), ..hold(Held::Everybody) };
        for (what, hold, customer, holds) in [
            ("everybody", hold(Held::Everybody), Some("hmac:a"), true),
            ("this customer", hold(customers(&[Some("hmac:b"), Some("hmac:a")])), Some("hmac:a"), true),
            ("another customer", hold(customers(&[Some("hmac:b")])), Some("hmac:a"), false),
            ("a customer that cannot be told", hold(customers(&[None])), Some("hmac:a"), true),
            ("a request whose customer is not known yet", hold(customers(&[Some("hmac:b")])), None, true),
            ("everybody here", at(&billing()), Some("hmac:a"), true),
            ("everybody elsewhere", at(&elsewhere), Some("hmac:a"), false),
            ("the cluster-wide object of that name", at(&cluster_wide), Some("hmac:a"), false),
            ("one that ends later", until(now + SignedSecond::ONE), Some("hmac:a"), true),
            ("one that ends now", until(now), Some("hmac:a"), false),
        ] {
            let seen = HoldsSeen::Seen(vec![hold]).on(customer, &billing(), now);
            assert_eq!(seen != HoldSeen::Free, holds, "{what}");
        }
        assert_eq!(HoldsSeen::Unread.on(Some("hmac:a"), &billing(), now), HoldSeen::Unread);
    }

    struct SignedSecond;

    impl SignedSecond {
        const ONE: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);
    }

    #[test]
    fn of_several_holds_the_first_by_name_is_told() {
        let named = |name: &str| Hold { name: name.to_owned(), ..hold(Held::Everybody) };
        let seen = HoldsSeen::Seen(vec![named("z"), named("a"), named("m")]);
        let HoldSeen::By { name, .. } = seen.on(None, &billing(), Timestamp::UNIX_EPOCH) else {
            panic!("held")
        };
        assert_eq!(name, "a");
    }
}
