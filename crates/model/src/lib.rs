//! The words of the house as types: names, ARNs, limits, runtimes, the clock.
//!
//! Text is parsed here once, at the edge, into types that cannot be wrong. Nothing in this crate
//! does I/O; the one exception in spirit is [`Clock::system`], which reads the time and is passed
//! in wherever logic depends on time, so that tests can pass [`Clock::manual`].

mod arn;
mod clock;
mod function;
pub mod limits;
pub mod resource;
mod runtime;
mod secret;

pub use arn::{AccountId, Arn, InvalidArn, Region};
pub use clock::{Clock, Timestamp};
pub use function::{FunctionArn, FunctionName, FunctionRef, InvalidFunctionRef, Qualifier};
pub use limits::{EphemeralStorageMib, LimitError, MemoryMib, TimeoutSeconds};
pub use runtime::{Language, Runtime, UnknownRuntime};
pub use secret::{SecretError, SecretText, Secrets};

/// The text a client and the logs know one request by: a lower-case UUID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// A fresh random request id.
    #[must_use]
    pub fn random() -> Self {
        let mut text = uuid::Uuid::encode_buffer();
        Self(
            uuid::Uuid::new_v4()
                .as_hyphenated()
                .encode_lower(&mut text)
                .into(),
        )
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RequestId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
