//! `ListMultipartUploads` and `ListParts`.

use s3s::dto::{
    ChecksumAlgorithm, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, Part as WirePart, StorageClass,
};
use s3s::{S3Request, S3Response, S3Result};

use super::describe::{self, set_checksum};
use super::list_objects::{Encoding, common_prefixes};
use super::{buckets, multipart::kind_of};
use crate::instant;
use crate::multipart::{self, Part, Upload};
use crate::objects::Checksum;
use crate::objects::list::{behind, limit_of, rolled_up};
use crate::state::State;

fn initiator(account: &str) -> Initiator {
    Initiator {
        id: buckets::owner(account).id,
        display_name: None,
    }
}

fn class_of(upload: &Upload) -> StorageClass {
    StorageClass::from(
        upload
            .head
            .storage_class
            .clone()
            .unwrap_or_else(|| StorageClass::STANDARD.to_owned()),
    )
}

pub(crate) async fn list_parts(
    state: &State,
    request: S3Request<ListPartsInput>,
) -> S3Result<S3Response<ListPartsOutput>> {
    let input = request.input;
    buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let upload = multipart::find(state, &input.bucket, &input.key, &input.upload_id).await?;
    let limit = limit_of(input.max_parts, "max-parts")?;
    let marker = input.part_number_marker.unwrap_or(0);
    let most = u32::try_from(limit + 1).unwrap_or(u32::MAX);
    let mut parts = multipart::parts_after(state, &upload.id, marker, most).await?;
    let truncated = parts.len() > limit;
    parts.truncate(limit);
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        part_number_marker: Some(marker),
        next_part_number_marker: parts.last().map(|part| part.number),
        max_parts: i32::try_from(limit).ok(),
        is_truncated: Some(truncated),
        initiator: Some(initiator(&upload.account)),
        owner: Some(buckets::owner(&upload.account)),
        storage_class: Some(class_of(&upload)),
        checksum_algorithm: upload
            .algorithm
            .map(|algorithm| ChecksumAlgorithm::from(algorithm.name().to_owned())),
        checksum_type: upload.algorithm.map(|_| kind_of(upload.composite)),
        parts: Some(parts.into_iter().map(|part| wire_part(&upload, part)).collect()),
        ..ListPartsOutput::default()
    }))
}

fn wire_part(upload: &Upload, part: Part) -> WirePart {
    let checksum = upload.algorithm.map(|algorithm| Checksum {
        algorithm,
        value: part.checksum,
        composite: false,
    });
    let mut wire = WirePart {
        part_number: Some(part.number),
        size: Some(part.size.cast_signed()),
        e_tag: Some(describe::etag(&part.etag)),
        last_modified: Some(instant::to_wire(part.modified)),
        ..WirePart::default()
    };
    set_checksum!(wire, checksum.as_ref());
    wire
}

/// A page of uploads.
#[derive(Default)]
struct Page {
    uploads: Vec<Upload>,
    prefixes: Vec<String>,
    truncated: bool,
    /// Key and id of the last.
    last: (String, String),
}

pub(crate) async fn list_multipart_uploads(
    state: &State,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let input = request.input;
    buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let encoding = Encoding::of(input.encoding_type.as_ref())?;
    let limit = limit_of(input.max_uploads, "max-uploads")?;
    let page = page(state, &input, limit).await?;
    let upload = |upload: Upload| MultipartUpload {
        key: Some(encoding.write(&upload.key)),
        initiated: Some(instant::to_wire(upload.started)),
        initiator: Some(initiator(&upload.account)),
        owner: Some(buckets::owner(&upload.account)),
        storage_class: Some(class_of(&upload)),
        checksum_algorithm: upload
            .algorithm
            .map(|algorithm| ChecksumAlgorithm::from(algorithm.name().to_owned())),
        checksum_type: upload.algorithm.map(|_| kind_of(upload.composite)),
        upload_id: Some(upload.id),
    };
    Ok(S3Response::new(ListMultipartUploadsOutput {
        common_prefixes: Some(common_prefixes(&page.prefixes, encoding)),
        is_truncated: Some(page.truncated),
        next_key_marker: page.truncated.then(|| encoding.write(&page.last.0)),
        next_upload_id_marker: page.truncated.then_some(page.last.1),
        uploads: Some(page.uploads.into_iter().map(upload).collect()),
        max_uploads: i32::try_from(limit).ok(),
        delimiter: input.delimiter.map(|delimiter| encoding.write(&delimiter)),
        key_marker: Some(encoding.write(input.key_marker.as_deref().unwrap_or_default())),
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        prefix: Some(encoding.write(input.prefix.as_deref().unwrap_or_default())),
        encoding_type: input.encoding_type,
        bucket: Some(input.bucket),
        ..ListMultipartUploadsOutput::default()
    }))
}

async fn page(state: &State, input: &ListMultipartUploadsInput, limit: usize) -> S3Result<Page> {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let marker = input.key_marker.as_deref().unwrap_or_default();
    // without an id the marker's own uploads are behind it: `~` sorts after every id
    let id = match input.upload_id_marker.as_deref() {
        Some(id) if !id.is_empty() => id,
        _ if marker.is_empty() => "",
        _ => "~",
    };
    let mut cursor = (marker.as_bytes().to_vec(), id.to_owned());
    if cursor.0.as_slice() < prefix.as_bytes() {
        cursor = (prefix.as_bytes().to_vec(), String::new());
    }
    let mut page = Page::default();
    loop {
        let uploads = multipart::uploads_after(state, &input.bucket, &cursor.0, &cursor.1, 1001).await?;
        let Some(last) = uploads.last() else {
            return Ok(page);
        };
        cursor = (last.key.as_bytes().to_vec(), last.id.clone());
        for upload in uploads {
            if !upload.key.starts_with(prefix) {
                return Ok(page);
            }
            let rolled = rolled_up(&upload.key, prefix, input.delimiter.as_deref()).map(str::to_owned);
            if rolled.is_some() && rolled.as_ref() == page.prefixes.last() {
                continue;
            }
            if page.uploads.len() + page.prefixes.len() == limit {
                page.truncated = true;
                return Ok(page);
            }
            match rolled {
                Some(prefix) => {
                    let Some(behind) = behind(prefix.as_bytes()) else {
                        return Ok(page);
                    };
                    page.last = (prefix.clone(), "~".to_owned());
                    page.prefixes.push(prefix);
                    cursor = (behind, String::new());
                    break;
                }
                None => {
                    page.last = (upload.key.clone(), upload.id.clone());
                    page.uploads.push(upload);
                }
            }
        }
    }
}
