//! Who was erased, and must not come back.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::settings::Settings;
use crate::token::Token;

/// `suppressed/…`.
#[derive(Debug, Deserialize, Serialize)]
struct Suppressed {
    at: String,
}

/// Whether an account was erased.
pub(crate) async fn account(settings: &Settings, token: &str) -> Result<bool, Failure> {
    settings
        .data
        .has(&format!("suppressed/account/{token}.json"))
        .await
}

/// Whether a value was erased after the event happened: such an event is about what was erased.
pub(crate) async fn value(settings: &Settings, kind: &str, token: &Token, at: &str) -> Result<bool, Failure> {
    let path = format!("suppressed/{kind}/{token}.json");
    let found = settings.data.get::<Suppressed>(&path).await?;
    Ok(found.is_some_and(|found| *at < *found.value.at))
}
