//! Tags: of buckets, and the rules that objects' tags share.

use std::collections::BTreeSet;

use s3s::dto::{
    DeleteBucketTaggingInput, DeleteBucketTaggingOutput, GetBucketTaggingInput, GetBucketTaggingOutput,
    PutBucketTaggingInput, PutBucketTaggingOutput, Tag, Tagging,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::{Configurations, bad_request, refused};

/// Tags a bucket may have (S3 User Guide, "Using cost allocation S3 bucket tags").
const BUCKET_TAGS: usize = 50;
/// Tags an object may have (S3 User Guide, "Categorizing your objects using tags").
pub(crate) const OBJECT_TAGS: usize = 10;
const KEY_CHARACTERS: usize = 128;
const VALUE_CHARACTERS: usize = 256;

impl Configurations {
    pub(crate) async fn put_bucket_tagging(
        &self,
        input: PutBucketTaggingInput,
    ) -> S3Result<PutBucketTaggingOutput> {
        check_bucket_tags(&input.tagging.tag_set)?;
        self.put(&input.bucket, &input.tagging).await?;
        Ok(PutBucketTaggingOutput::default())
    }

    pub(crate) async fn get_bucket_tagging(
        &self,
        input: GetBucketTaggingInput,
    ) -> S3Result<GetBucketTaggingOutput> {
        let tagging: Tagging = self.find(&input.bucket).await?;
        Ok(GetBucketTaggingOutput {
            tag_set: tagging.tag_set,
        })
    }

    pub(crate) async fn delete_bucket_tagging(
        &self,
        input: DeleteBucketTaggingInput,
    ) -> S3Result<DeleteBucketTaggingOutput> {
        self.delete::<Tagging>(&input.bucket).await?;
        Ok(DeleteBucketTaggingOutput::default())
    }
}

/// Checks the tags of a bucket.
///
/// # Errors
/// See [`check_tags`].
pub(crate) fn check_bucket_tags(tags: &[Tag]) -> S3Result<()> {
    check_tags(tags, BUCKET_TAGS)
}

/// Checks tags as S3 does: how many, how long, which characters, each key once.
///
/// # Errors
/// `BadRequest` for too many, `InvalidTag` for a wrong one.
pub(crate) fn check_tags(tags: &[Tag], most: usize) -> S3Result<()> {
    if tags.len() > most {
        let message = match most {
            OBJECT_TAGS => "Object tags cannot be greater than 10",
            _ => "Bucket tag count cannot be greater than 50",
        };
        return Err(bad_request(message));
    }
    let mut seen = BTreeSet::new();
    for tag in tags {
        let key = tag.key.as_deref().unwrap_or_default();
        check_tag(key, tag.value.as_deref().unwrap_or_default())?;
        if !seen.insert(key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(())
}

fn check_tag(key: &str, value: &str) -> S3Result<()> {
    if key.is_empty() || key.chars().count() > KEY_CHARACTERS || !key.chars().all(allowed) {
        return Err(invalid("The TagKey you have provided is invalid"));
    }
    if key.starts_with("aws:") {
        return Err(invalid("System tags cannot be added/updated by requester"));
    }
    if value.chars().count() > VALUE_CHARACTERS || !value.chars().all(allowed) {
        return Err(invalid("The TagValue you have provided is invalid"));
    }
    Ok(())
}

/// Letters, digits and spaces of any script, and `+ - = . _ : / @`.
fn allowed(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "+-=._:/@".contains(c)
}

fn invalid(message: &'static str) -> S3Error {
    refused(S3ErrorCode::InvalidTag, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Vec<Tag> {
        let tag = |&(key, value): &(&str, &str)| Tag {
            key: Some(key.into()),
            value: Some(value.into()),
        };
        pairs.iter().map(tag).collect()
    }

    #[test]
    fn tags_follow_s3s_rules() {
        let long = "x".repeat(129);
        check_tags(&tags(&[("Stage", "dév"), ("a:b/c@d", "")]), 50).unwrap();
        for (wrong, code) in [
            (tags(&[("", "x")]), "InvalidTag"),
            (tags(&[(&long, "x")]), "InvalidTag"),
            (tags(&[("k", &"v".repeat(257))]), "InvalidTag"),
            (tags(&[("aws:x", "v")]), "InvalidTag"),
            (tags(&[("k?", "v")]), "InvalidTag"),
            (tags(&[("k", "a"), ("k", "b")]), "InvalidTag"),
            (tags(&[("k", "\n")]), "InvalidTag"),
        ] {
            let error = check_tags(&wrong, 50).unwrap_err();
            assert_eq!(error.code().as_str(), code, "{wrong:?}");
        }
        let many: Vec<_> = (0..11)
            .map(|n| Tag {
                key: Some(n.to_string()),
                value: None,
            })
            .collect();
        assert_eq!(
            check_tags(&many, OBJECT_TAGS).unwrap_err().code().as_str(),
            "BadRequest"
        );
        check_tags(&many, BUCKET_TAGS).unwrap();
    }
}
