//! Who was erased, and must not come back.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::settings::Settings;
use crate::token::Token;

/// `suppressed/…`.
#[derive(Debug, Deserialize, Serialize)]
struct Suppressed {
    at: String,
    /// Tokens of the given names that the erased person went by; none where that is not known.
    #[serde(default)]
    names: Vec<String>,
}

/// The value of the token of a given name: its first word in small letters.
fn word(given: &str) -> String {
    let parts = |letter: char| letter.is_whitespace() || letter == '-' || letter == '.';
    let first = given.split(parts).find(|word| !word.is_empty());
    first.unwrap_or_default().to_lowercase()
}

/// Whether an account was erased.
pub(crate) async fn account(settings: &Settings, token: &str) -> Result<bool, Failure> {
    settings
        .data
        .has(&format!("suppressed/account/{token}.json"))
        .await
}

/// Whether a value was erased after the event happened: such an event is about what was erased, unless it names
/// someone else, as of a family with one telephone. Who is named by a letter, or not at all, may be the one.
pub(crate) async fn value(
    settings: &Settings,
    kind: &str,
    token: &Token,
    given: Option<&str>,
    at: &str,
) -> Result<bool, Failure> {
    let path = format!("suppressed/{kind}/{token}.json");
    let found = settings.data.get::<Suppressed>(&path).await?;
    let name = |word: &str| settings.pepper.token("given", word).to_string();
    Ok(found.is_some_and(|found| *at < *found.value.at && is_of(&found.value.names, given, name)))
}

fn is_of(names: &[String], given: Option<&str>, name: impl Fn(&str) -> String) -> bool {
    let word = word(given.unwrap_or_default());
    names.is_empty() || word.chars().count() < 2 || names.contains(&name(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_otherwise_is_someone_else() {
        let names = [str::to_owned("<ada>")];
        let is_of = |given: Option<&str>| is_of(&names, given, |word| format!("<{word}>"));
        for given in [None, Some("Ada"), Some("ADA-Maria"), Some("A."), Some("")] {
            assert!(is_of(given), "{given:?}");
        }
        assert!(!is_of(Some("Eva")));
        assert!(super::is_of(&[], Some("Eva"), str::to_owned));
    }
}
