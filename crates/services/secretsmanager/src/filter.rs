//! Filters of `ListSecrets` and `BatchGetSecretValue`.

use serde::Deserialize;

use crate::error::SecretsManagerError;
use crate::model::Secret;

const MAX_FILTERS: usize = 10;

/// A filter as requests have it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Filter {
    key: Option<String>,
    values: Option<Vec<String>>,
}

/// Refuses filters that AWS refuses.
pub(crate) fn check(filters: &[Filter]) -> Result<(), SecretsManagerError> {
    const KEYS: &[&str] = &[
        "description",
        "name",
        "tag-key",
        "tag-value",
        "primary-region",
        "owning-service",
        "all",
    ];
    if filters.len() > MAX_FILTERS {
        let rule = format!("Member must have length less than or equal to {MAX_FILTERS}");
        return Err(SecretsManagerError::constraint("", "filters", &rule));
    }
    for filter in filters {
        let key = filter.key.as_deref().unwrap_or_default();
        if !KEYS.contains(&key) {
            let rule = format!("Member must satisfy enum value set: [{}]", KEYS.join(", "));
            return Err(SecretsManagerError::constraint(
                &format!("'{key}'"),
                "filters.1.member.key",
                &rule,
            ));
        }
        let values = filter.values.as_deref().unwrap_or_default();
        if values.is_empty() {
            let text = format!("Invalid filter values for key: {key}");
            return Err(SecretsManagerError::InvalidParameter(text));
        }
    }
    Ok(())
}

/// Whether a secret passes all filters.
pub(crate) fn passes(filters: &[Filter], secret: &Secret) -> bool {
    filters.iter().all(|filter| filter.passes(secret))
}

impl Filter {
    /// One of the values matches, and none of those that begin with `!`.
    fn passes(&self, secret: &Secret) -> bool {
        let (mut wanted, mut found) = (false, false);
        for value in self.values.iter().flatten() {
            match value.strip_prefix('!') {
                Some(unwanted) if self.matches(unwanted, secret) => return false,
                Some(_) => {}
                None => {
                    wanted = true;
                    found |= self.matches(value, secret);
                }
            }
        }
        found || !wanted
    }

    fn matches(&self, value: &str, secret: &Secret) -> bool {
        match self.key.as_deref().unwrap_or_default() {
            "name" => secret.name().starts_with(value),
            "tag-key" => secret.tags.keys().any(|key| key.starts_with(value)),
            "tag-value" => secret.tags.values().any(|tag| tag.starts_with(value)),
            "description" => {
                let description = secret.description.as_deref().unwrap_or_default();
                description.to_lowercase().starts_with(&value.to_lowercase())
            }
            "all" => {
                let all = everything(secret);
                let mut words = value.split_whitespace();
                words.any(|word| all.contains(&word.to_lowercase()))
            }
            // no secret is replicated, and none is a service's
            _ => false,
        }
    }
}

fn everything(secret: &Secret) -> String {
    let tags = secret
        .tags
        .iter()
        .flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    let own = [secret.name(), secret.description.as_deref().unwrap_or_default()];
    let all: Vec<&str> = own.into_iter().chain(tags).collect();
    all.join("\n").to_lowercase()
}

#[cfg(test)]
mod tests {
    use tradewind_model::{AccountId, Region, Timestamp};

    use super::*;
    use crate::names::{SecretArn, SecretKey};

    fn passes(key: &str, values: &[&str]) -> bool {
        let name = SecretKey::new(
            &AccountId::default_account(),
            &Region::default_region(),
            "shop/Db",
        )
        .unwrap();
        let mut secret = Secret::new(SecretArn::random(name), Timestamp::default());
        secret.description = Some("The Orders database".into());
        secret.tags.insert("Team".into(), "Blue".into());
        let filter = Filter {
            key: Some(key.into()),
            values: Some(values.iter().map(ToString::to_string).collect()),
        };
        super::passes(&[filter], &secret)
    }

    #[test]
    fn filters_match_beginnings() {
        assert!(passes("name", &["shop/"]) && !passes("name", &["Shop/"]) && !passes("name", &["Db"]));
        assert!(passes("name", &["other", "shop"]));
        assert!(passes("description", &["the ORDERS"]) && !passes("description", &["orders"]));
        assert!(passes("tag-key", &["Te"]) && !passes("tag-key", &["te"]));
        assert!(passes("tag-value", &["Blue"]) && !passes("primary-region", &["us"]));
    }

    #[test]
    fn all_looks_everywhere_without_regard_to_case() {
        for value in ["ORDERS", "blue", "nothing db", "team"] {
            assert!(passes("all", &[value]), "{value}");
        }
        assert!(!passes("all", &["nothing"]));
    }

    #[test]
    fn an_exclamation_mark_excludes() {
        assert!(!passes("name", &["!shop"]) && passes("name", &["!other"]));
        assert!(!passes("name", &["shop", "!shop/Db"]));
    }
}
