//! Values as they are stored: sealed, together with what they belong to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tradewind_store::blobs::Blobs;

use crate::error::SecretsManagerError;
use crate::model::SecretValue;
use crate::names::SecretArn;

/// What is sealed. It names its place, so that a row that was moved does not open.
#[derive(Serialize, Deserialize)]
struct Content {
    secret: String,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// In base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binary: Option<String>,
}

/// Seals the value of a version.
pub(crate) async fn seal(
    blobs: &Blobs,
    secret: &SecretArn,
    version: &str,
    value: &SecretValue,
) -> Result<Vec<u8>, SecretsManagerError> {
    let (text, binary) = match value {
        SecretValue::Text(text) => (Some(text.clone()), None),
        SecretValue::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
    };
    let content = Content {
        secret: secret.to_string(),
        version: version.to_owned(),
        text,
        binary,
    };
    let content =
        serde_json::to_vec(&content).map_err(|error| SecretsManagerError::Internal(error.to_string()))?;
    Ok(blobs.seal(&content).await?)
}

/// The value of a version; none if the node's key does not open it, or if it is another's.
pub(crate) fn open(blobs: &Blobs, secret: &SecretArn, version: &str, sealed: &[u8]) -> Option<SecretValue> {
    let content: Content = serde_json::from_slice(&blobs.unseal(sealed)?).ok()?;
    if content.secret != secret.to_string() || content.version != version {
        return None;
    }
    match (content.text, content.binary) {
        (Some(text), None) => Some(SecretValue::Text(text)),
        (None, Some(binary)) => Some(SecretValue::Binary(STANDARD.decode(binary).ok()?)),
        _ => None,
    }
}
