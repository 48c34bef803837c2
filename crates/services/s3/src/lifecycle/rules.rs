//! Lifecycle rules: checked as S3 checks them, and as what they mean.

use std::collections::BTreeSet;

use s3s::dto::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, Tag,
};
use s3s::{S3Error, S3ErrorCode, S3Result};
use tradewind_model::Timestamp;

use crate::configuration::{malformed, refused, to_model};

const RULES: usize = 1000;
const ID_CHARACTERS: usize = 255;
const NEWER_VERSIONS: std::ops::RangeInclusive<i32> = 1..=100;
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// An enabled rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) filter: Filter,
    /// When the current version expires.
    pub(crate) current: Option<When>,
    /// Whether a delete marker without versions behind it is removed.
    pub(crate) expired_markers: bool,
    pub(crate) noncurrent: Option<Noncurrent>,
    /// Days after which an unfinished multipart upload is aborted.
    pub(crate) abort_days: Option<i64>,
}

/// When a current version expires.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum When {
    /// So many days after it was made.
    Days(i64),
    /// On that day, and ever after.
    Date(Timestamp),
}

/// When noncurrent versions are removed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Noncurrent {
    /// Days after they became noncurrent.
    pub(crate) days: i64,
    /// How many of the newest stay whatever their age.
    pub(crate) keep: usize,
}

/// Which objects a rule is for; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    pub(crate) prefix: String,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) larger_than: Option<i64>,
    pub(crate) smaller_than: Option<i64>,
}

impl Rule {
    /// What a checked rule means.
    pub(crate) fn of(rule: &LifecycleRule) -> Self {
        let expiration = rule.expiration.as_ref();
        let noncurrent = rule.noncurrent_version_expiration.as_ref();
        let abort = rule.abort_incomplete_multipart_upload.as_ref();
        Self {
            id: rule.id.clone().unwrap_or_default(),
            filter: Filter::of(rule),
            current: expiration.and_then(When::of),
            expired_markers: expiration.and_then(|e| e.expired_object_delete_marker) == Some(true),
            noncurrent: noncurrent.map(|expiration| Noncurrent {
                days: expiration.noncurrent_days.unwrap_or_default().into(),
                keep: expiration
                    .newer_noncurrent_versions
                    .and_then(|keep| usize::try_from(keep).ok())
                    .unwrap_or_default(),
            }),
            abort_days: abort.and_then(|abort| abort.days_after_initiation).map(i64::from),
        }
    }
}

impl When {
    fn of(expiration: &LifecycleExpiration) -> Option<Self> {
        match (expiration.days, &expiration.date) {
            (Some(days), _) => Some(Self::Days(days.into())),
            (None, Some(date)) => Some(Self::Date(to_model(date))),
            (None, None) => None,
        }
    }

    /// The instant at which what was made at `made` expires.
    pub(crate) fn of_object(self, made: Timestamp) -> Timestamp {
        match self {
            Self::Days(days) => after_days(made, days),
            Self::Date(date) => date,
        }
    }
}

/// `days` after an instant, and on to the next midnight UTC (S3 User Guide, "Lifecycle rules: based on
/// an object's age").
pub(crate) fn after_days(from: Timestamp, days: i64) -> Timestamp {
    let due = from.plus_millis(days.saturating_mul(DAY_MS)).as_millis();
    let into_day = due.rem_euclid(DAY_MS);
    let rest = if into_day == 0 { 0 } else { DAY_MS - into_day };
    Timestamp::from_millis(due.saturating_add(rest))
}

impl Filter {
    fn of(rule: &LifecycleRule) -> Self {
        let Some(filter) = &rule.filter else {
            return Self {
                prefix: rule.prefix.clone().unwrap_or_default(),
                ..Self::default()
            };
        };
        let one = Self {
            prefix: filter.prefix.clone().unwrap_or_default(),
            tags: filter.tag.iter().map(pair).collect(),
            larger_than: filter.object_size_greater_than,
            smaller_than: filter.object_size_less_than,
        };
        filter.and.as_ref().map_or(one, |and| Self {
            prefix: and.prefix.clone().unwrap_or_default(),
            tags: and.tags.iter().flatten().map(pair).collect(),
            larger_than: and.object_size_greater_than,
            smaller_than: and.object_size_less_than,
        })
    }

    /// Whether the rule is for this object; `size` is absent for a delete marker, which has no size.
    pub(crate) fn admits(&self, key: &str, size: Option<i64>, tags: &[(String, String)]) -> bool {
        key.starts_with(&self.prefix)
            && self.tags.iter().all(|tag| tags.contains(tag))
            && self
                .larger_than
                .is_none_or(|least| size.is_some_and(|size| size > least))
            && self
                .smaller_than
                .is_none_or(|most| size.is_some_and(|size| size < most))
    }
}

fn pair(tag: &Tag) -> (String, String) {
    (
        tag.key.clone().unwrap_or_default(),
        tag.value.clone().unwrap_or_default(),
    )
}

/// Checks a configuration as S3 does; transitions are refused by name.
///
/// # Errors
/// S3's own.
pub(crate) fn check(configuration: &BucketLifecycleConfiguration) -> S3Result<()> {
    let rules = &configuration.rules;
    if rules.is_empty() || rules.len() > RULES {
        return Err(malformed());
    }
    let mut ids = BTreeSet::new();
    for rule in rules {
        check_rule(rule)?;
        let id = rule.id.as_deref().unwrap_or_default();
        if !id.is_empty() && !ids.insert(id) {
            return Err(argument(
                "Rule ID must be unique. Found same ID for more than one rule",
            ));
        }
    }
    if rules.iter().any(|rule| rule.filter.is_some()) && rules.iter().any(|rule| rule.filter.is_none()) {
        return Err(request(
            "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.",
        ));
    }
    Ok(())
}

fn check_rule(rule: &LifecycleRule) -> S3Result<()> {
    if rule.id.as_deref().unwrap_or_default().chars().count() > ID_CHARACTERS {
        return Err(argument("ID length should not exceed allowed limit of 255"));
    }
    let status = rule.status.as_str();
    if ![ExpirationStatus::ENABLED, ExpirationStatus::DISABLED].contains(&status)
        || rule.filter.is_some() == rule.prefix.is_some()
    {
        return Err(malformed());
    }
    if rule.transitions.as_ref().is_some_and(|list| !list.is_empty())
        || rule
            .noncurrent_version_transitions
            .as_ref()
            .is_some_and(|list| !list.is_empty())
    {
        return Err(refused(
            S3ErrorCode::NotImplemented,
            "lifecycle transitions are not implemented: there is one storage class, STANDARD",
        ));
    }
    rule.filter.as_ref().map_or(Ok(()), check_filter)?;
    check_actions(rule)
}

/// One condition, or `And` with at least two.
fn check_filter(filter: &LifecycleRuleFilter) -> S3Result<()> {
    let conditions = [
        filter.and.is_some(),
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
    ];
    let in_and = filter.and.as_ref().map(|and| {
        usize::from(and.prefix.is_some())
            + and.tags.as_ref().map_or(0, Vec::len)
            + usize::from(and.object_size_greater_than.is_some())
            + usize::from(and.object_size_less_than.is_some())
    });
    if conditions.iter().filter(|&&given| given).count() > 1 || in_and.is_some_and(|count| count < 2) {
        return Err(malformed());
    }
    let tags: Vec<Tag> = match &filter.and {
        Some(and) => and.tags.clone().unwrap_or_default(),
        None => filter.tag.iter().cloned().collect(),
    };
    crate::configuration::check_tags(&tags, tags.len())
}

fn check_actions(rule: &LifecycleRule) -> S3Result<()> {
    let filter = Filter::of(rule);
    let narrow = !filter.tags.is_empty() || filter.larger_than.is_some() || filter.smaller_than.is_some();
    let expiration = rule.expiration.as_ref();
    let noncurrent = rule.noncurrent_version_expiration.as_ref();
    let abort = rule.abort_incomplete_multipart_upload.as_ref();
    if expiration.is_none() && noncurrent.is_none() && abort.is_none() {
        return Err(request("At least one action needs to be specified in a rule"));
    }
    expiration.map_or(Ok(()), |expiration| {
        check_expiration(expiration, !filter.tags.is_empty())
    })?;
    noncurrent.map_or(Ok(()), check_noncurrent)?;
    let Some(abort) = abort else { return Ok(()) };
    if narrow {
        return Err(request(
            "AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes",
        ));
    }
    positive(
        abort.days_after_initiation,
        "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
    )
}

fn check_expiration(expiration: &LifecycleExpiration, with_tags: bool) -> S3Result<()> {
    let marker = expiration.expired_object_delete_marker;
    match (&expiration.days, &expiration.date, marker) {
        (Some(_), None, None) => positive(
            expiration.days,
            "'Days' for Expiration action must be a positive integer",
        ),
        (None, Some(date), None) if to_model(date).as_millis().rem_euclid(DAY_MS) == 0 => Ok(()),
        (None, Some(_), None) => Err(argument("'Date' must be at midnight GMT")),
        (None, None, Some(true)) if with_tags => Err(request(
            "ExpiredObjectDeleteMarker cannot be specified with Tags.",
        )),
        (None, None, Some(_)) => Ok(()),
        _ => Err(malformed()),
    }
}

fn check_noncurrent(expiration: &NoncurrentVersionExpiration) -> S3Result<()> {
    positive(
        expiration.noncurrent_days,
        "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
    )?;
    match expiration.newer_noncurrent_versions {
        Some(keep) if !NEWER_VERSIONS.contains(&keep) => Err(argument(
            "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be between 1 and 100",
        )),
        _ => Ok(()),
    }
}

fn positive(days: Option<i32>, message: &'static str) -> S3Result<()> {
    match days {
        Some(days) if days > 0 => Ok(()),
        _ => Err(argument(message)),
    }
}

fn argument(message: &'static str) -> S3Error {
    refused(S3ErrorCode::InvalidArgument, message)
}

fn request(message: &'static str) -> S3Error {
    refused(S3ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
mod tests;
