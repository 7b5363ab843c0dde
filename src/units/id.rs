//! The small numbers that stand for names: one type for each kind, so that none is taken for another.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $repr:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $repr);

        impl $name {
            /// Stands for "not named".
            pub const NONE: Self = Self(<$repr>::MAX);
            /// Returns the index in tables of this kind; `None` for [`Self::NONE`].
            pub fn index(self) -> Option<usize> {
                (self != Self::NONE).then_some(self.0 as usize)
            }
            /// Says whether a name was given.
            pub fn is_some(self) -> bool {
                self != Self::NONE
            }
        }
        impl Default for $name {
            fn default() -> Self {
                Self::NONE
            }
        }
    };
}

id!(/// A model's name.
    ModelId, u16);
id!(/// A team's name.
    TeamId, u16);
id!(/// A project's name.
    ProjectId, u16);
id!(/// A route's name, whichever policy has it.
    RouteTag, u16);
id!(/// A label that models carry and routes or keys require.
    LabelId, u8);
id!(/// An end user's name.
    UserId, u16);
id!(/// A virtual key's name.
    KeyId, u16);
id!(/// A set of tags.
    TagsId, u16);
id!(/// A session's name.
    SessionId, u32);
