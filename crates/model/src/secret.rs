//! Secrets, as those need them who log in somewhere: at a broker, at a registry.

use std::fmt;

use crate::{AccountId, Region};

/// Whoever keeps secrets. It answers from memory and never blocks.
pub trait Secrets: Send + Sync + fmt::Debug {
    /// The current text (`SecretString` of the version staged `AWSCURRENT`) of the secret that `id` names, by ARN or
    /// by name.
    ///
    /// # Errors
    /// [`SecretError`], which names no part of the secret.
    fn text(&self, account: &AccountId, region: &Region, id: &str) -> Result<SecretText, SecretError>;
}

/// The text of a secret; it is not printed.
#[derive(Clone)]
pub struct SecretText(Box<str>);

impl SecretText {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// Why there is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No secret has that name or ARN, or it is scheduled for deletion.
    #[error("there is no such secret")]
    NotFound,
    /// It is bytes (`SecretBinary`).
    #[error("the secret is binary")]
    Binary,
    /// It cannot be decrypted with this node's key.
    #[error("the secret cannot be decrypted")]
    Sealed,
}
