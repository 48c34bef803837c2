//! `ListObjectVersions`.

use s3s::dto::{
    ChecksumAlgorithm, DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput, ObjectVersion,
    ObjectVersionStorageClass,
};
use s3s::{S3Request, S3Response, S3Result};

use super::list_objects::{Encoding, common_prefixes};
use super::{buckets, describe};
use crate::instant;
use crate::objects::list::limit_of;
use crate::objects::versions::{self, Listed, Listing};
use crate::refusal::invalid_argument;
use crate::state::State;

pub(crate) async fn list_object_versions(
    state: &State,
    request: S3Request<ListObjectVersionsInput>,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let input = request.input;
    let bucket = buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let encoding = Encoding::of(input.encoding_type.as_ref())?;
    let limit = limit_of(input.max_keys, "max-keys")?;
    let after_id = input.version_id_marker.as_deref().filter(|id| !id.is_empty());
    if after_id.is_some() && input.key_marker.as_deref().unwrap_or_default().is_empty() {
        return Err(invalid_argument(
            "A version-id marker cannot be specified without a key marker.",
        ));
    }
    let listing = Listing {
        bucket: &input.bucket,
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref(),
        after: input.key_marker.as_deref().unwrap_or_default(),
        after_id,
        limit,
    };
    let page = versions::page(state, &listing).await?;
    let (next_key, next_id) = page.next.map_or((None, None), |(key, id)| (Some(key), id));
    let owner = buckets::owner(&bucket.account);
    let (markers, objects): (Vec<_>, Vec<_>) = page.versions.into_iter().partition(|listed| listed.marker);
    let marker = |listed: Listed| DeleteMarkerEntry {
        key: Some(encoding.write(&listed.key)),
        version_id: Some(listed.id),
        is_latest: Some(listed.latest),
        last_modified: Some(instant::to_wire(listed.modified)),
        owner: Some(owner.clone()),
    };
    let object = |listed: Listed| ObjectVersion {
        owner: Some(owner.clone()),
        ..object(listed, encoding)
    };
    Ok(S3Response::new(ListObjectVersionsOutput {
        is_truncated: Some(next_key.is_some()),
        next_key_marker: next_key.map(|key| encoding.write(&key)),
        next_version_id_marker: next_id,
        delete_markers: Some(markers.into_iter().map(marker).collect()),
        versions: Some(objects.into_iter().map(object).collect()),
        common_prefixes: Some(common_prefixes(&page.prefixes, encoding)),
        max_keys: i32::try_from(limit).ok(),
        delimiter: input.delimiter.map(|delimiter| encoding.write(&delimiter)),
        key_marker: Some(encoding.write(input.key_marker.as_deref().unwrap_or_default())),
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        prefix: Some(encoding.write(input.prefix.as_deref().unwrap_or_default())),
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        request_charged: None,
    }))
}

fn object(listed: Listed, encoding: Encoding) -> ObjectVersion {
    let class = listed
        .storage_class
        .unwrap_or_else(|| ObjectVersionStorageClass::STANDARD.to_owned());
    let algorithm = listed
        .checksum
        .as_ref()
        .map(|checksum| checksum.algorithm.name().to_owned());
    ObjectVersion {
        key: Some(encoding.write(&listed.key)),
        version_id: Some(listed.id),
        is_latest: Some(listed.latest),
        e_tag: Some(describe::etag(&listed.etag)),
        size: Some(listed.size.cast_signed()),
        last_modified: Some(instant::to_wire(listed.modified)),
        storage_class: Some(ObjectVersionStorageClass::from(class)),
        checksum_algorithm: algorithm.map(|name| vec![ChecksumAlgorithm::from(name)]),
        checksum_type: listed.checksum.as_ref().map(describe::checksum_type),
        owner: None,
        restore_status: None,
    }
}
