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
