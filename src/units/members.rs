//! Structures whose members each stand with what they are filled from.

/// Makes a structure and the function that fills it, which may fail. What that needs first stands in its braces.
#[macro_export]
macro_rules! members {
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident;
        $(#[$about:meta])* $seen:vis fn $make:ident($($arg:tt)*) -> Result<Self, $error:ty> { $($first:tt)* }
        $($(#[$doc:meta])* $shown:vis $member:ident: $kind:ty = $value:expr,)*
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$doc])* $shown $member: $kind,)*
        }

        impl $name {
            $(#[$about])*
            $seen fn $make($($arg)*) -> Result<Self, $error> {
                $($first)*
                Ok(Self { $($member: $value,)* })
            }
        }
    };
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident $(<$life:lifetime>)?;
        $(#[$about:meta])* $seen:vis fn $make:ident($($arg:tt)*) { $($first:tt)* }
        $($(#[$doc:meta])* $shown:vis $member:ident: $kind:ty = $value:expr,)*
    ) => {
        $(#[$meta])*
        $vis struct $name $(<$life>)? {
            $($(#[$doc])* $shown $member: $kind,)*
        }

        impl $(<$life>)? $name $(<$life>)? {
            $(#[$about])*
            $seen fn $make($($arg)*) -> Self {
                $($first)*
                Self { $($member: $value,)* }
            }
        }
    };
}

pub use members;
