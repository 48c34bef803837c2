//! What an upload says of its object: headers, metadata, tags, lock.

use std::collections::BTreeMap;

use s3s::{S3ErrorCode, S3Result};

use crate::refusal::{custom, invalid_argument, refused};

/// Bytes of a key.
const LONGEST_KEY: usize = 1024;
/// Bytes of all names and values of user metadata together.
const MOST_METADATA: usize = 2 * 1024;
/// Tags of an object.
const MOST_TAGS: usize = 10;

/// # Errors
/// `KeyTooLongError`, `InvalidArgument` for an empty one.
pub(crate) fn check_key(key: &str) -> S3Result {
    if key.len() > LONGEST_KEY {
        return Err(refused(S3ErrorCode::KeyTooLongError, "Your key is too long"));
    }
    if key.is_empty() {
        return Err(invalid_argument(
            "Object key must have length greater than or equal to 1",
        ));
    }
    Ok(())
}

/// # Errors
/// `MetadataTooLarge`.
pub(crate) fn metadata<'m>(
    pairs: impl IntoIterator<Item = (&'m String, &'m String)>,
) -> S3Result<BTreeMap<String, String>> {
    let metadata: BTreeMap<String, String> = pairs
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    let size: usize = metadata
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size > MOST_METADATA {
        return Err(refused(
            S3ErrorCode::Custom("MetadataTooLarge".into()),
            "Your metadata headers exceed the maximum allowed metadata size",
        ));
    }
    Ok(metadata)
}

/// Tags of the header `x-amz-tagging`, which has the form of a query.
///
/// # Errors
/// `InvalidArgument`, `InvalidTag`, `BadRequest`.
pub(crate) fn tags(header: Option<&str>) -> S3Result<BTreeMap<String, String>> {
    let mut tags = Vec::new();
    for pair in header
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        tags.push((decoded(name)?, decoded(value)?));
    }
    check_tags(tags)
}

fn decoded(text: &str) -> S3Result<String> {
    let text = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_not_utf8| {
        invalid_argument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
    })
}

/// # Errors
/// `InvalidTag`, `BadRequest`.
pub(crate) fn check_tags(tags: Vec<(String, String)>) -> S3Result<BTreeMap<String, String>> {
    if tags.len() > MOST_TAGS {
        return Err(custom(
            "BadRequest",
            http::StatusCode::BAD_REQUEST,
            "Object tags cannot be greater than 10",
        ));
    }
    let invalid = |message: &'static str| refused(S3ErrorCode::InvalidTag, message);
    let allowed = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
    };
    let mut map = BTreeMap::new();
    for (name, value) in tags {
        let length = name.encode_utf16().count();
        if !(1..=128).contains(&length) || !allowed(&name) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if name.starts_with("aws:") {
            return Err(invalid("System tags cannot be added/updated by requester"));
        }
        if value.encode_utf16().count() > 256 || !allowed(&value) {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
        if map.insert(name, value).is_some() {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(map)
}

/// The head of PutObject's, CreateMultipartUpload's or CopyObject's input.
macro_rules! head_of {
    ($input:expr) => {
        (|| -> s3s::S3Result<$crate::objects::Head> {
            let class = $input.storage_class.as_ref().map(|class| class.as_str());
            Ok($crate::objects::Head {
                content_type: Some(
                    $input
                        .content_type
                        .clone()
                        .unwrap_or_else(|| "binary/octet-stream".to_owned()),
                ),
                cache_control: $input.cache_control.clone(),
                content_disposition: $input.content_disposition.clone(),
                content_encoding: $input.content_encoding.clone(),
                content_language: $input.content_language.clone(),
                expires: $input.expires.as_ref().map($crate::instant::to_model),
                website_redirect: $input.website_redirect_location.clone(),
                storage_class: $crate::api::refused_input::storage_class(class)?,
                metadata: $crate::api::heads::metadata($input.metadata.iter().flatten())?,
                checksum: None,
                parts: None,
                acl: $input.acl.as_ref().map(|acl| acl.as_str().to_owned()),
                acl_document: None,
                encryption: Some(s3s::dto::ServerSideEncryption::AES256.to_owned()),
            })
        })()
    };
}

/// The ACL that an input asks for.
macro_rules! acl_of {
    ($input:expr) => {
        $crate::configuration::AclRequest {
            canned: $input.acl.as_ref().map(|acl| acl.as_str().to_owned()),
            headers: $crate::configuration::given_grants([
                (
                    s3s::dto::Permission::FULL_CONTROL,
                    $input.grant_full_control.clone(),
                ),
                (s3s::dto::Permission::READ, $input.grant_read.clone()),
                (s3s::dto::Permission::READ_ACP, $input.grant_read_acp.clone()),
                (s3s::dto::Permission::WRITE_ACP, $input.grant_write_acp.clone()),
            ]),
            policy: None,
        }
    };
}

/// The lock that an input asks for.
macro_rules! lock_of {
    ($input:expr) => {
        $crate::lock::NewLock {
            mode: $input
                .object_lock_mode
                .as_ref()
                .map(|mode| mode.as_str().to_owned()),
            until: $input
                .object_lock_retain_until_date
                .as_ref()
                .map($crate::instant::to_model),
            hold: $input
                .object_lock_legal_hold_status
                .as_ref()
                .map(|status| status.as_str().to_owned()),
        }
    };
}

pub(crate) use {acl_of, head_of, lock_of};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_as_a_query() {
        let read = tags(Some("a=1&b+c=%C3%A9&d")).unwrap();
        assert_eq!(
            read.into_iter().collect::<Vec<_>>(),
            [
                ("a".to_owned(), "1".to_owned()),
                ("b c".to_owned(), "é".to_owned()),
                ("d".to_owned(), String::new()),
            ]
        );
        for wrong in ["a=1&a=2", "aws:x=1", "a=%FF", "=1", "a=<"] {
            assert!(tags(Some(wrong)).is_err(), "{wrong}");
        }
        let eleven: Vec<String> = (0..11).map(|n| format!("t{n}=1")).collect();
        assert!(tags(Some(&eleven.join("&"))).is_err());
    }

    #[test]
    fn metadata_has_two_kilobytes() {
        let pair = |size: usize| [("k".to_owned(), "v".repeat(size))];
        assert!(metadata(pair(2047).iter().map(|(k, v)| (k, v))).is_ok());
        assert!(metadata(pair(2048).iter().map(|(k, v)| (k, v))).is_err());
    }
}
