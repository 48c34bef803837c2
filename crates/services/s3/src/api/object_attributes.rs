//! `GetObjectAttributes`.

use s3s::dto::{
    Checksum as WireChecksum, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts,
    ObjectPart, StorageClass,
};
use s3s::{S3Request, S3Response, S3Result};

use super::describe::{self, set_checksum};
use super::{buckets, refused_input};
use crate::instant;
use crate::multipart;
use crate::objects::list::limit_of;
use crate::objects::{Checksum, Version};
use crate::refusal::invalid_argument;
use crate::state::State;

const ATTRIBUTES: &[&str] = &["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

pub(crate) async fn get(
    state: &State,
    request: S3Request<GetObjectAttributesInput>,
) -> S3Result<S3Response<GetObjectAttributesOutput>> {
    let input = request.input;
    refused_input::customer_key(input.sse_customer_algorithm.is_some())?;
    let asked: Vec<&str> = input
        .object_attributes
        .iter()
        .flat_map(|attribute| attribute.as_str().split(','))
        .map(str::trim)
        .collect();
    if asked.is_empty() || asked.iter().any(|attribute| !ATTRIBUTES.contains(attribute)) {
        return Err(invalid_argument("Invalid attribute name specified."));
    }
    buckets::expect_owner(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let (version, id) = describe::find(state, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    let wants = |attribute: &str| asked.contains(&attribute);
    let object_parts = match &version.upload {
        Some(upload) if wants("ObjectParts") => {
            let marker = input.part_number_marker.unwrap_or(0);
            Some(
                parts(
                    state,
                    &version,
                    upload,
                    marker,
                    limit_of(input.max_parts, "max-parts")?,
                )
                .await?,
            )
        }
        _ => None,
    };
    let class = version
        .head
        .storage_class
        .clone()
        .unwrap_or_else(|| StorageClass::STANDARD.to_owned());
    Ok(S3Response::new(GetObjectAttributesOutput {
        e_tag: wants("ETag").then(|| describe::etag(&version.etag)),
        checksum: version
            .head
            .checksum
            .as_ref()
            .filter(|_| wants("Checksum"))
            .map(checksum),
        object_parts,
        storage_class: wants("StorageClass").then(|| StorageClass::from(class)),
        object_size: wants("ObjectSize").then(|| version.size.cast_signed()),
        last_modified: Some(instant::to_wire(version.modified)),
        version_id: id,
        ..GetObjectAttributesOutput::default()
    }))
}

fn checksum(checksum: &Checksum) -> WireChecksum {
    let mut wire = WireChecksum::default();
    set_checksum!(wire, Some(checksum));
    wire.checksum_type = Some(describe::checksum_type(checksum));
    wire
}

async fn parts(
    state: &State,
    version: &Version,
    upload: &str,
    marker: i32,
    limit: usize,
) -> S3Result<GetObjectAttributesParts> {
    let most = u32::try_from(limit + 1).unwrap_or(u32::MAX);
    let mut parts = multipart::parts_after(state, upload, marker, most).await?;
    let truncated = parts.len() > limit;
    parts.truncate(limit);
    let composite = version
        .head
        .checksum
        .as_ref()
        .filter(|checksum| checksum.composite);
    let part = |part: multipart::Part| {
        let checksum = composite.map(|whole| Checksum {
            algorithm: whole.algorithm,
            value: part.checksum,
            composite: false,
        });
        let mut wire = ObjectPart {
            part_number: Some(part.number),
            size: Some(part.size.cast_signed()),
            ..ObjectPart::default()
        };
        set_checksum!(wire, checksum.as_ref());
        wire
    };
    Ok(GetObjectAttributesParts {
        total_parts_count: describe::parts_count(version),
        part_number_marker: Some(marker),
        next_part_number_marker: parts.last().map(|part| part.number),
        max_parts: i32::try_from(limit).ok(),
        is_truncated: Some(truncated),
        // parts are listed where they have checksums of their own, as in S3
        parts: composite.map(|_| parts.into_iter().map(part).collect()),
    })
}
