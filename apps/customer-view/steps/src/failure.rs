//! What stops a step; the whole batch then comes again.

use lambda_runtime::Diagnostic;

/// What stops a step.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A variable of the environment is missing.
    #[error("the environment has no `{0}`")]
    Setting(&'static str),
    /// The pepper is what stands in the app's files, or nothing, and the stage is not `dev`.
    #[error(
        "set CUSTOMER_VIEW_PEPPER: outside the stage `dev` it may be neither empty nor the word that stands in the app's files"
    )]
    PublicPepper,
    /// A bucket did not do what it was asked.
    #[error("bucket: {0}")]
    Bucket(#[from] object_store::Error),
    /// An object or a record is not what the model says.
    #[error("`{what}` is not as the model says: {cause}")]
    Shape {
        /// Which object or record.
        what: String,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// The bus did not take the entries.
    #[error("bus: {0}")]
    Bus(String),
    /// A seal does not open.
    #[error("the seal of `{0}` does not open")]
    Sealed(String),
    /// A key is gone though nobody erased the account.
    #[error("the key `{0}` is gone, and its account is not suppressed")]
    Key(String),
    /// Others kept changing the same objects.
    #[error("`{0}` was changed by others again and again; another try may succeed")]
    Contended(String),
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let kind = match &failure {
            Failure::Setting(_) => "Setting",
            Failure::PublicPepper => "PublicPepper",
            Failure::Bucket(_) => "Bucket",
            Failure::Shape { .. } => "Shape",
            Failure::Bus(_) => "Bus",
            Failure::Sealed(_) => "Sealed",
            Failure::Key(_) => "Key",
            Failure::Contended(_) => "Contended",
        };
        Self {
            error_type: kind.to_owned(),
            error_message: failure.to_string(),
        }
    }
}
