//! Enums whose every variant has one word in files, logs and reports.
//!
//! Invariant: what is written under a word is read back under it.

/// Gives an enum its list of variants, their words and the way back from a word.
#[macro_export]
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            /// Every one, in order.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];
        }

        $crate::units::spelt!($name { $($variant = $word),* });
    };
}

/// Gives an enum the same, the list with the words.
#[macro_export]
macro_rules! named {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            /// Every one, in order, under its word.
            pub const ALL: [(&'static str, Self); [$($word),*].len()] = [$(($word, Self::$variant)),*];
        }

        $crate::units::spelt!($name { $($variant = $word),* });
    };
}

/// Gives an enum its words and the way back.
#[macro_export]
macro_rules! spelt {
    ($name:ident { $($variant:ident = $word:literal),* }) => {
        impl $name {
            /// Returns its word in files, logs and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Finds it by its word.
            pub fn from_name(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

pub use {named, spelt, words};
