//! Tables of settings whose keys may all be left out.

/// Makes tables: each setting stands with what holds where a file says nothing of it.
macro_rules! usual {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $field:ident: $kind:ty = $usual:expr,)* })*) => {$(
        $(#[$meta])*
        pub struct $name {
            $($(#[$doc])* pub $field: $kind,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $usual,)* }
            }
        }
    )*};
}

/// Makes such tables as a file has them.
macro_rules! settings {
    ($($(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* })*) => {
        crate::config::settings::usual! {$(
            $(#[$meta])*
            #[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
            #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
            pub struct $name { $($fields)* }
        )*}
    };
}

pub(super) use {settings, usual};
