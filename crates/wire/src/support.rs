//! What a node makes of each operation of a service: the compatibility pages come from it.

/// Whether an operation is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Served; the note says what of it is missing, if anything.
    Served(&'static str),
    /// Answered with a not-implemented error that names the operation.
    Missing,
}

/// An operation by its name in the API reference, and whether it is served.
pub type OperationSupport = (&'static str, Support);

/// Declares an enum of a service's operations and the table of them, each with its name and its [`Support`]:
///
/// ```
/// use tradewind_wire::{Support, operations};
///
/// operations! {
///     /// An operation of the shop's API.
///     enum Operation in OPERATIONS;
///     Buy => Support::Served(""),
///     Return => Support::Missing,
/// }
/// assert_eq!(OPERATIONS[1], (Operation::Return, "Return", Support::Missing));
/// ```
#[macro_export]
macro_rules! operations {
    ($(#[$meta:meta])* enum $Operation:ident in $OPERATIONS:ident; $($name:ident => $support:expr,)+) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum $Operation {
            $($name,)+
        }

        /// All operations, by name.
        const $OPERATIONS: &[($Operation, &str, $crate::Support)] = &[
            $(($Operation::$name, stringify!($name), $support),)+
        ];
    };
}
