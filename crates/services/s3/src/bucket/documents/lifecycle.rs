//! `LifecycleConfiguration` in a template's spelling, which differs most from S3's.

use s3s::dto::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleAndOperator, LifecycleRuleFilter, NoncurrentVersionExpiration, Tag,
    Timestamp, TimestampFormat,
};
use serde::Deserialize;
use serde_json::Value;

use super::shapes::{number, truth};
use crate::error::BucketError;

/// The property.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Lifecycle {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Rule {
    id: Option<String>,
    status: String,
    prefix: Option<String>,
    tag_filters: Option<Vec<TagFilter>>,
    #[serde(default, deserialize_with = "number")]
    object_size_greater_than: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    object_size_less_than: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    expiration_in_days: Option<i32>,
    expiration_date: Option<String>,
    #[serde(default, deserialize_with = "truth")]
    expired_object_delete_marker: Option<bool>,
    noncurrent_version_expiration: Option<Noncurrent>,
    #[serde(default, deserialize_with = "number")]
    noncurrent_version_expiration_in_days: Option<i32>,
    abort_incomplete_multipart_upload: Option<Abort>,
    transition: Option<Value>,
    transitions: Option<Value>,
    noncurrent_version_transition: Option<Value>,
    noncurrent_version_transitions: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TagFilter {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Noncurrent {
    #[serde(default, deserialize_with = "number")]
    noncurrent_days: Option<i32>,
    #[serde(default, deserialize_with = "number")]
    newer_noncurrent_versions: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Abort {
    #[serde(default, deserialize_with = "number")]
    days_after_initiation: Option<i32>,
}

impl Lifecycle {
    /// The document.
    pub(super) fn into_document(self) -> Result<BucketLifecycleConfiguration, BucketError> {
        let rules = self.rules.into_iter().map(Rule::into_rule);
        Ok(BucketLifecycleConfiguration {
            rules: rules.collect::<Result<_, _>>()?,
        })
    }
}

impl Rule {
    fn into_rule(self) -> Result<LifecycleRule, BucketError> {
        let moves = [
            &self.transition,
            &self.transitions,
            &self.noncurrent_version_transition,
            &self.noncurrent_version_transitions,
        ];
        if moves.iter().any(|given| given.is_some()) {
            return Err(wrong(
                "transitions are not implemented: there is one storage class, STANDARD",
            ));
        }
        let filter = self.filter();
        let date = self.expiration_date.as_deref().map(date).transpose()?;
        let noncurrent = self.noncurrent();
        let marker = self.expired_object_delete_marker.filter(|&marker| marker);
        let expires = date.is_some() || self.expiration_in_days.is_some() || marker.is_some();
        Ok(LifecycleRule {
            abort_incomplete_multipart_upload: self.abort_incomplete_multipart_upload.map(|abort| {
                AbortIncompleteMultipartUpload {
                    days_after_initiation: abort.days_after_initiation,
                }
            }),
            expiration: expires.then_some(LifecycleExpiration {
                date,
                days: self.expiration_in_days,
                expired_object_delete_marker: marker,
            }),
            filter: Some(filter),
            id: self.id,
            noncurrent_version_expiration: noncurrent,
            noncurrent_version_transitions: None,
            prefix: None,
            status: ExpirationStatus::from(self.status),
            transitions: None,
        })
    }

    fn filter(&self) -> LifecycleRuleFilter {
        let tags = self.tag_filters.iter().flatten();
        let tags: Vec<Tag> = tags
            .map(|tag| Tag {
                key: Some(tag.key.clone()),
                value: Some(tag.value.clone()),
            })
            .collect();
        let sizes = [self.object_size_greater_than, self.object_size_less_than];
        let conditions = usize::from(self.prefix.is_some())
            + tags.len()
            + sizes.iter().filter(|size| size.is_some()).count();
        if conditions > 1 {
            return LifecycleRuleFilter {
                and: Some(LifecycleRuleAndOperator {
                    object_size_greater_than: self.object_size_greater_than,
                    object_size_less_than: self.object_size_less_than,
                    prefix: self.prefix.clone(),
                    tags: Some(tags),
                }),
                ..LifecycleRuleFilter::default()
            };
        }
        LifecycleRuleFilter {
            object_size_greater_than: self.object_size_greater_than,
            object_size_less_than: self.object_size_less_than,
            prefix: self.prefix.clone(),
            tag: tags.into_iter().next(),
            ..LifecycleRuleFilter::default()
        }
    }

    fn noncurrent(&self) -> Option<NoncurrentVersionExpiration> {
        match (
            &self.noncurrent_version_expiration,
            self.noncurrent_version_expiration_in_days,
        ) {
            (Some(given), _) => Some(NoncurrentVersionExpiration {
                newer_noncurrent_versions: given.newer_noncurrent_versions,
                noncurrent_days: given.noncurrent_days,
            }),
            (None, Some(days)) => Some(NoncurrentVersionExpiration {
                newer_noncurrent_versions: None,
                noncurrent_days: Some(days),
            }),
            (None, None) => None,
        }
    }
}

fn date(text: &str) -> Result<Timestamp, BucketError> {
    let whole = if text.contains('T') {
        text.to_owned()
    } else {
        format!("{text}T00:00:00Z")
    };
    Timestamp::parse(TimestampFormat::DateTime, &whole)
        .map_err(|_invalid| wrong("`ExpirationDate` must be a date such as `2030-01-01T00:00:00.000Z`"))
}

fn wrong(message: &str) -> BucketError {
    BucketError::Document {
        property: "LifecycleConfiguration",
        message: message.to_owned(),
    }
}
