//! What stops a step at a record, which then comes again with all that is behind it.

use lambda_runtime::Diagnostic;

use crate::rejected::Problem;

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
    /// The queue of rejected records did not take them.
    #[error("queue: {0}")]
    Queue(String),
    /// The record itself is broken: it is rejected, and does not come again.
    #[error("{}: {}", .0.code, .0.reason)]
    Broken(Problem),
    /// A key of a person cannot be made or used.
    #[error("the key `{0}` cannot be used")]
    Key(String),
    /// Others kept changing the same objects.
    #[error("`{0}` was changed by others again and again; another try may succeed")]
    Contended(String),
}

impl Failure {
    /// A record that is rejected.
    pub(crate) fn broken(code: &'static str, reason: &str) -> Self {
        Self::Broken(Problem {
            code,
            reason: reason.to_owned(),
        })
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let kind = match &failure {
            Failure::Setting(_) => "Setting",
            Failure::PublicPepper => "PublicPepper",
            Failure::Bucket(_) => "Bucket",
            Failure::Shape { .. } => "Shape",
            Failure::Bus(_) => "Bus",
            Failure::Queue(_) => "Queue",
            Failure::Broken(_) => "Broken",
            Failure::Key(_) => "Key",
            Failure::Contended(_) => "Contended",
        };
        Self {
            error_type: kind.to_owned(),
            error_message: failure.to_string(),
        }
    }
}
