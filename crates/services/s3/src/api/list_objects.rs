//! `ListObjects` and `ListObjectsV2`.

use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object, ObjectStorageClass, Owner,
};
use s3s::{S3Request, S3Response, S3Result};

use super::{buckets, describe};
use crate::instant;
use crate::objects::list::{self, Listed, Listing};
use crate::refusal::invalid_argument;
use crate::state::State;

/// Bytes that `encoding-type=url` leaves as they are.
const PLAIN: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/');

/// How keys are written: as they are, or so that XML can hold any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Url,
}

impl Encoding {
    /// # Errors
    /// `InvalidArgument`.
    pub(crate) fn of(asked: Option<&EncodingType>) -> S3Result<Self> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self::Plain),
            Some("url") => Ok(Self::Url),
            Some(_) => Err(invalid_argument("Invalid Encoding Method specified in Request")),
        }
    }

    pub(crate) fn write(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Url => percent_encoding::utf8_percent_encode(text, PLAIN).to_string(),
        }
    }
}

/// A token that continues a list: version 1, then the last key in hex.
fn token(last: &str) -> String {
    format!("1{}", crate::digest::base64(last.as_bytes()))
}

fn last_of(token: &str) -> S3Result<String> {
    let wrong = || invalid_argument("The continuation token provided is incorrect");
    let last = crate::digest::from_base64(token.strip_prefix('1').ok_or_else(wrong)?).ok_or_else(wrong)?;
    String::from_utf8(last).map_err(|_not_utf8| wrong())
}

pub(crate) async fn list_objects_v2(
    state: &State,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let input = request.input;
    let bucket = buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let encoding = Encoding::of(input.encoding_type.as_ref())?;
    let limit = list::limit_of(input.max_keys, "maxKeys")?;
    let after = match input.continuation_token.as_deref() {
        Some("") => return Err(invalid_argument("The continuation token provided is incorrect")),
        Some(token) => last_of(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let listing = Listing {
        bucket: &input.bucket,
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input
            .delimiter
            .as_deref()
            .filter(|delimiter| !delimiter.is_empty()),
        after: &after,
        limit,
    };
    let page = list::page(state, &listing).await?;
    let owner = (input.fetch_owner == Some(true)).then(|| buckets::owner(&bucket.account));
    let output = ListObjectsV2Output {
        key_count: i32::try_from(page.keys.len() + page.prefixes.len()).ok(),
        max_keys: i32::try_from(limit).ok(),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(token),
        continuation_token: input.continuation_token,
        contents: Some(
            page.keys
                .into_iter()
                .map(|listed| object(listed, encoding, owner.clone()))
                .collect(),
        ),
        common_prefixes: Some(common_prefixes(&page.prefixes, encoding)),
        delimiter: input.delimiter.map(|delimiter| encoding.write(&delimiter)),
        prefix: Some(encoding.write(input.prefix.as_deref().unwrap_or_default())),
        start_after: input.start_after.map(|after| encoding.write(&after)),
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        request_charged: None,
    };
    Ok(S3Response::new(output))
}

pub(crate) async fn list_objects(
    state: &State,
    request: S3Request<ListObjectsInput>,
) -> S3Result<S3Response<ListObjectsOutput>> {
    let input = request.input;
    let bucket = buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let encoding = Encoding::of(input.encoding_type.as_ref())?;
    let limit = list::limit_of(input.max_keys, "maxKeys")?;
    let listing = Listing {
        bucket: &input.bucket,
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input
            .delimiter
            .as_deref()
            .filter(|delimiter| !delimiter.is_empty()),
        after: input.marker.as_deref().unwrap_or_default(),
        limit,
    };
    let page = list::page(state, &listing).await?;
    let owner = Some(buckets::owner(&bucket.account));
    let output = ListObjectsOutput {
        max_keys: i32::try_from(limit).ok(),
        is_truncated: Some(page.next.is_some()),
        // S3 gives it only with a delimiter: without, the last key is the marker
        next_marker: page
            .next
            .as_deref()
            .filter(|_| listing.delimiter.is_some())
            .map(|next| encoding.write(next)),
        contents: Some(
            page.keys
                .into_iter()
                .map(|listed| object(listed, encoding, owner.clone()))
                .collect(),
        ),
        common_prefixes: Some(common_prefixes(&page.prefixes, encoding)),
        delimiter: input.delimiter.map(|delimiter| encoding.write(&delimiter)),
        prefix: Some(encoding.write(input.prefix.as_deref().unwrap_or_default())),
        marker: Some(encoding.write(input.marker.as_deref().unwrap_or_default())),
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        request_charged: None,
    };
    Ok(S3Response::new(output))
}

pub(crate) fn common_prefixes(prefixes: &[String], encoding: Encoding) -> Vec<CommonPrefix> {
    let prefix = |prefix: &String| CommonPrefix {
        prefix: Some(encoding.write(prefix)),
    };
    prefixes.iter().map(prefix).collect()
}

pub(crate) fn object(listed: Listed, encoding: Encoding, owner: Option<Owner>) -> Object {
    let class = listed
        .storage_class
        .unwrap_or_else(|| ObjectStorageClass::STANDARD.to_owned());
    let algorithm = listed
        .checksum
        .as_ref()
        .map(|checksum| vec![ChecksumAlgorithm::from(checksum.algorithm.name().to_owned())]);
    Object {
        key: Some(encoding.write(&listed.key)),
        e_tag: Some(describe::etag(&listed.etag)),
        last_modified: Some(instant::to_wire(listed.modified)),
        size: Some(listed.size.cast_signed()),
        storage_class: Some(ObjectStorageClass::from(class)),
        checksum_type: listed.checksum.as_ref().map(describe::checksum_type),
        checksum_algorithm: algorithm,
        owner,
        restore_status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        for last in ["", "a/b", "é\0"] {
            assert_eq!(last_of(&token(last)).unwrap(), last);
        }
        assert!(last_of("2").is_err());
        assert!(last_of("1*").is_err());
    }

    #[test]
    fn keys_are_encoded_when_asked() {
        assert_eq!(Encoding::Url.write("a b/é+\u{1}"), "a%20b/%C3%A9%2B%01");
        assert_eq!(Encoding::Plain.write("a b"), "a b");
    }
}
