//! What a stack had a value made by, as it is stored: sealed, because a template may have secrets in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tradewind_store::blobs::Blobs;

use crate::error::SecretsManagerError;
use crate::model::Secret;

/// The text of `GenerateSecretString`, sealed together with whose it is.
pub(crate) async fn seal(blobs: &Blobs, secret: &Secret, by: &str) -> Result<String, SecretsManagerError> {
    let sealed = blobs.seal(content(secret, by).as_bytes()).await?;
    Ok(STANDARD.encode(sealed))
}

/// Whether the secret's value was made by this text.
pub(crate) fn is_by(blobs: &Blobs, secret: &Secret, by: &str) -> bool {
    let sealed = secret
        .generated_by
        .as_ref()
        .and_then(|sealed| STANDARD.decode(sealed).ok());
    let opened = sealed.and_then(|sealed| blobs.unseal(&sealed));
    opened.is_some_and(|opened| opened == content(secret, by).as_bytes())
}

/// Seals what an earlier version stored as it is; whether there was something to seal.
pub(crate) async fn seal_old(blobs: &Blobs, secret: &mut Secret) -> Result<bool, SecretsManagerError> {
    let Some(by) = secret.generated_by.clone().filter(|by| by.starts_with('{')) else {
        return Ok(false);
    };
    secret.generated_by = Some(seal(blobs, secret, &by).await?);
    Ok(true)
}

fn content(secret: &Secret, by: &str) -> String {
    format!("{} {by}", secret.arn)
}
