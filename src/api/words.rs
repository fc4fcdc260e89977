//! Closed sets of words: each is written in one place and spelled the same in status, logs, metrics and documents.

/// Declares an enum whose variants are the words that users read, with `ALL`, `as_str`, `meaning`, `Display`, `FromStr` and serde
/// as that word. The meaning stands behind the word; `docs/reference` is made of it.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident $(= $meaning:literal)?),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Every word of the set, in the order in which it is documented.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word as users read it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => stringify!($variant)),+ }
            }

            /// The word explained to users; empty where its set needs no explanation.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $($name::$variant => concat!($($meaning)?)),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::api::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $name::ALL.iter().copied().find(|word| word.as_str() == text).ok_or($crate::api::UnknownWord)
            }
        }
    };
}
pub(crate) use words;

/// A word that this version does not know: a newer operator wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown word")]
pub struct UnknownWord;
