//! Enums that are lists: all their entries in order, how many there are, and arrays with a value for each.
//!
//! Macros, so that an entry stands once: the list, its length and the arrays cannot disagree with the enum.

/// Makes an enum that knows its entries; with a text behind each entry also their names.
macro_rules! list {
    (
        $(#[$attribute:meta])*
        pub enum $list:ident {
            $($(#[$of_entry:meta])* $entry:ident = $name:literal,)+
        }
    ) => {
        list! {
            $(#[$attribute])*
            pub enum $list {
                $($(#[$of_entry])* $entry,)+
            }
        }

        impl $list {
            /// Name in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $($list::$entry => $name,)+
                }
            }
        }
    };
    (
        $(#[$attribute:meta])*
        pub enum $list:ident {
            $($(#[$of_entry:meta])* $entry:ident,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $list {
            $($(#[$of_entry])* $entry,)+
        }

        impl $list {
            /// Number of entries.
            pub const COUNT: usize = [$(stringify!($entry)),+].len();
            /// All entries, in order.
            pub const ALL: [$list; $list::COUNT] = [$($list::$entry),+];

            /// Position in [`Self::ALL`].
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

/// Makes an array with a value for each entry of a list.
macro_rules! array_over {
    ($(#[$attribute:meta])* pub struct $array:ident over $list:ident;) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $array<T>([T; $list::COUNT]);

        impl<T> $array<T> {
            /// The value for each entry.
            pub fn from_fn(mut value: impl FnMut($list) -> T) -> Self {
                $array($list::ALL.map(&mut value))
            }

            /// The entries with their values, in order.
            pub fn iter(&self) -> impl Iterator<Item = ($list, &T)> {
                $list::ALL.into_iter().zip(&self.0)
            }
        }

        impl<T: Default> Default for $array<T> {
            fn default() -> Self {
                $array::from_fn(|_| T::default())
            }
        }

        impl<T> core::ops::Index<$list> for $array<T> {
            type Output = T;

            fn index(&self, entry: $list) -> &T {
                &self.0[entry.index()]
            }
        }

        impl<T> core::ops::IndexMut<$list> for $array<T> {
            fn index_mut(&mut self, entry: $list) -> &mut T {
                &mut self.0[entry.index()]
            }
        }
    };
}
