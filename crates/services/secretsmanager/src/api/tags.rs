//! Tags of secrets.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use crate::error::SecretsManagerError;
use crate::model::{Secret, Tags};
use crate::names::required;
use crate::service::SecretsManagerService;

const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// A tag as requests have it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    key: Option<String>,
    value: Option<String>,
}

/// The tags of a request; a key that is given twice has its last value.
pub(super) fn tags(given: Vec<Tag>) -> Result<Tags, SecretsManagerError> {
    let pair = |tag: Tag| {
        let key = required(tag.key, "tags.1.member.key")?;
        Ok((key, tag.value.unwrap_or_default()))
    };
    given.into_iter().map(pair).collect()
}

/// Refuses tags that AWS refuses.
pub(crate) fn check_tags(tags: &Tags) -> Result<(), SecretsManagerError> {
    if tags.len() > MAX_TAGS {
        let text = format!("A secret has at most {MAX_TAGS} tags.");
        return Err(SecretsManagerError::InvalidParameter(text));
    }
    let fits = |(key, value): (&String, &String)| {
        (1..=MAX_KEY).contains(&key.chars().count()) && value.chars().count() <= MAX_VALUE
    };
    if !tags.iter().all(fits) {
        let text = "A tag's key has 1 to 128 characters, its value at most 256.";
        return Err(SecretsManagerError::InvalidParameter(text.into()));
    }
    if tags.keys().any(|key| key.to_lowercase().starts_with("aws:")) {
        let text = "Tag keys that begin with `aws:` are AWS's own.";
        return Err(SecretsManagerError::InvalidParameter(text.into()));
    }
    Ok(())
}

/// The tags as answers have them.
pub(super) fn view(secret: &Secret) -> Value {
    let tag = |(key, value): (&String, &String)| json!({"Key": key, "Value": value});
    secret.tags.iter().map(tag).collect()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagResource {
    secret_id: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagResource {
    secret_id: Option<String>,
    tag_keys: Option<Vec<String>>,
}

impl SecretsManagerService {
    pub(super) async fn tag_resource(
        &self,
        call: &Call,
        request: TagResource,
    ) -> Result<Value, SecretsManagerError> {
        let added = tags(required(request.tags, "tags")?)?;
        self.change_tags(call, request.secret_id, |tags| tags.extend(added))
            .await
    }

    pub(super) async fn untag_resource(
        &self,
        call: &Call,
        request: UntagResource,
    ) -> Result<Value, SecretsManagerError> {
        let keys = required(request.tag_keys, "tagKeys")?;
        let taken = |tags: &mut Tags| tags.retain(|key, _| !keys.contains(key));
        self.change_tags(call, request.secret_id, taken).await
    }

    async fn change_tags(
        &self,
        call: &Call,
        id: Option<String>,
        change: impl FnOnce(&mut Tags),
    ) -> Result<Value, SecretsManagerError> {
        let _changing = self.changing().await;
        let mut secret = Secret::clone(&*self.usable(call, id)?);
        change(&mut secret.tags);
        check_tags(&secret.tags)?;
        secret.changed = self.now();
        self.store(secret).await?;
        Ok(json!({}))
    }
}
