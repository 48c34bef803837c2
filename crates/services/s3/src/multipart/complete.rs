//! Completing: the parts that the client lists become an object.

use s3s::{S3Error, S3ErrorCode, S3Result};
use tradewind_store::Batch;
use tradewind_store::blobs::{Blobs, Content};

use super::{Part, Upload};
use crate::digest::{self, Algorithm};
use crate::notification::{Audience, EventName};
use crate::objects::{Checksum, NewVersion};
use crate::refusal::{custom, invalid_request, refused};

/// The least that a part but the last has.
const LEAST_PART: u64 = 5 * 1024 * 1024;
/// The most that an object has.
const LARGEST_OBJECT: u64 = 5 * 1024 * 1024 * 1024 * 1024;

/// A part as the client lists it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listed {
    pub(crate) number: i32,
    /// Without quotes.
    pub(crate) etag: String,
    /// Its checksum, where it is given: which, and the value.
    pub(crate) checksum: Option<(Algorithm, String)>,
}

/// An object that is to be made of parts.
#[derive(Clone, Debug)]
pub(crate) struct Assembly {
    upload: String,
    /// Number, ETag and first byte of each.
    places: Vec<(i32, String, u64)>,
    unused: Unused,
    pub(crate) version: NewVersion,
}

/// Parts that were not listed.
#[derive(Clone, Debug)]
struct Unused {
    number: u64,
    blobs: Vec<Content>,
}

impl Unused {
    fn of(parts: Vec<Part>) -> Self {
        Self {
            number: parts.len() as u64,
            blobs: parts.into_iter().filter_map(|part| part.blob).collect(),
        }
    }
}

/// Judges the list, and lays its parts out.
///
/// # Errors
/// `InvalidPartOrder`, `InvalidPart`, `EntityTooSmall`, `EntityTooLarge`, `MalformedXML`.
pub(crate) fn assemble(upload: &Upload, listed: &[Listed], stored: Vec<Part>) -> S3Result<Assembly> {
    if listed.is_empty() {
        return Err(refused(
            S3ErrorCode::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    if listed.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(refused(
            S3ErrorCode::InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ));
    }
    let (used, unused) = split(upload, listed, stored)?;
    let (_last, others) = used.split_last().ok_or_else(invalid_part)?;
    if others.iter().any(|part| part.size < LEAST_PART) {
        return Err(refused(
            S3ErrorCode::EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size",
        ));
    }
    let mut places = Vec::with_capacity(used.len());
    let mut size = 0u64;
    for part in &used {
        places.push((part.number, part.etag.clone(), size));
        size = size.saturating_add(part.size);
    }
    if size > LARGEST_OBJECT {
        return Err(refused(
            S3ErrorCode::EntityTooLarge,
            "Your proposed upload exceeds the maximum allowed object size.",
        ));
    }
    let mut head = upload.head.clone();
    head.checksum = Some(checksum(upload, &used));
    head.parts = u32::try_from(used.len()).ok();
    Ok(Assembly {
        upload: upload.id.clone(),
        places,
        unused: Unused::of(unused),
        version: NewVersion {
            marker: false,
            size,
            etag: digest::etag_of_parts(used.iter().map(|part| part.etag.as_str())),
            head,
            tags: upload.tags.clone(),
            lock: upload.lock.clone(),
            upload: Some(upload.id.clone()),
            content: Content::Inline(bytes::Bytes::new()),
            event: EventName::CompleteMultipartUpload,
            audience: Audience::default(),
        },
    })
}

fn split(upload: &Upload, listed: &[Listed], stored: Vec<Part>) -> S3Result<(Vec<Part>, Vec<Part>)> {
    let numbers: std::collections::HashSet<i32> = listed.iter().map(|part| part.number).collect();
    let (used, unused): (Vec<_>, Vec<_>) = stored
        .into_iter()
        .partition(|part| numbers.contains(&part.number));
    let same = |(listed, part): (&Listed, &Part)| {
        let checksum = listed.checksum.as_ref();
        listed.number == part.number
            && listed.etag == part.etag
            && checksum.is_none_or(|(algorithm, value)| {
                *algorithm != upload.kept_algorithm() || *value == part.checksum
            })
    };
    if used.len() == listed.len() && listed.iter().zip(&used).all(same) {
        return Ok((used, unused));
    }
    Err(invalid_part())
}

fn checksum(upload: &Upload, parts: &[Part]) -> Checksum {
    let algorithm = upload.kept_algorithm();
    let values = || parts.iter().map(|part| part.checksum.as_str());
    let value = if upload.composite {
        format!("{}-{}", algorithm.of_values(values()), parts.len())
    } else {
        let mut whole = algorithm.hasher().finish();
        for part in parts {
            whole = algorithm
                .combine(&whole, &part.checksum, part.size)
                .unwrap_or_default();
        }
        whole
    };
    Checksum {
        algorithm,
        value,
        composite: upload.composite,
    }
}

fn invalid_part() -> S3Error {
    refused(
        S3ErrorCode::InvalidPart,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the \
         specified entity tag may not match the part's entity tag.",
    )
}

impl Assembly {
    /// Compares what the client says of the whole.
    ///
    /// # Errors
    /// `BadDigest`, `InvalidRequest`.
    pub(crate) fn check(&self, said: Option<&(Algorithm, String)>, size: Option<i64>) -> S3Result {
        if size.is_some_and(|size| u64::try_from(size) != Ok(self.version.size)) {
            return Err(invalid_request(
                "The provided 'x-amz-mp-object-size' header does not match what was computed",
            ));
        }
        let Some(((algorithm, value), own)) = said.zip(self.version.head.checksum.as_ref()) else {
            return Ok(());
        };
        let bare = own.value.split('-').next().unwrap_or_default();
        if *algorithm == own.algorithm && *value != own.value && *value != bare {
            return Err(custom(
                "BadDigest",
                http::StatusCode::BAD_REQUEST,
                format!(
                    "The {} you specified did not match the calculated checksum.",
                    algorithm.name()
                ),
            ));
        }
        Ok(())
    }

    /// Makes the parts the object's: in the batch that stores it.
    pub(crate) fn settle(&self, batch: Batch, blobs: &Blobs) -> Batch {
        let id = || self.upload.as_str().into();
        let mut batch = batch.require("DELETE FROM s3_uploads WHERE id = $1", vec![id()], 1);
        for (number, etag, start) in &self.places {
            batch = batch.require(
                "UPDATE s3_parts SET start = $4 WHERE upload = $1 AND number = $2 AND etag = $3",
                vec![
                    id(),
                    i64::from(*number).into(),
                    etag.as_str().into(),
                    start.cast_signed().into(),
                ],
                1,
            );
        }
        for content in &self.unused.blobs {
            batch = blobs.drop_in(batch, content);
        }
        batch.require(
            "DELETE FROM s3_parts WHERE upload = $1 AND start IS NULL",
            vec![id()],
            self.unused.number,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Head, Lock};
    use tradewind_model::Timestamp;

    fn upload(algorithm: Option<Algorithm>, composite: bool) -> Upload {
        Upload {
            id: "u".into(),
            bucket: "b".into(),
            key: "k".into(),
            account: "000000000000".into(),
            started: Timestamp::from_millis(0),
            algorithm,
            composite,
            head: Head::default(),
            tags: std::collections::BTreeMap::new(),
            lock: Lock::default(),
        }
    }

    fn part(number: i32, size: u64) -> Part {
        Part {
            number,
            size,
            etag: format!("{number:032x}"),
            checksum: String::new(),
            modified: Timestamp::from_millis(0),
            blob: None,
        }
    }

    fn listed(number: i32) -> Listed {
        Listed {
            number,
            etag: format!("{number:032x}"),
            checksum: None,
        }
    }

    fn code(listed: &[Listed], stored: Vec<Part>) -> String {
        let error = assemble(&upload(None, false), listed, stored).unwrap_err();
        error.code().as_str().to_owned()
    }

    #[test]
    fn parts_are_laid_out_in_order() {
        let stored = vec![part(1, LEAST_PART), part(2, 7), part(3, 9), part(9, 1)];
        let assembly = assemble(&upload(None, false), &[listed(1), listed(9)], stored).unwrap();
        assert_eq!(assembly.version.size, LEAST_PART + 1);
        assert_eq!(
            assembly
                .places
                .iter()
                .map(|(_, _, start)| *start)
                .collect::<Vec<_>>(),
            [0, LEAST_PART]
        );
        assert_eq!(assembly.unused.number, 2);
        assert!(assembly.version.etag.ends_with("-2"), "{}", assembly.version.etag);
    }

    #[test]
    fn wrong_lists_are_refused() {
        let stored = || vec![part(1, 5), part(2, 5)];
        assert_eq!(code(&[], stored()), "MalformedXML");
        assert_eq!(code(&[listed(2), listed(1)], stored()), "InvalidPartOrder");
        assert_eq!(code(&[listed(1), listed(1)], stored()), "InvalidPartOrder");
        assert_eq!(code(&[listed(1), listed(3)], stored()), "InvalidPart");
        assert_eq!(code(&[listed(1), listed(2)], stored()), "EntityTooSmall");
        let mut other = listed(1);
        other.etag = "0".into();
        assert_eq!(code(&[other], stored()), "InvalidPart");
    }

    /// The checksum of "12345" and "6789" as parts: CRC32 of the whole, and SHA-256 of the hashes.
    #[test]
    fn checksums_are_of_the_whole_or_of_the_parts() {
        let parts = |algorithm: Algorithm| {
            let value = |bytes: &[u8]| {
                let mut hasher = algorithm.hasher();
                hasher.update(bytes);
                hasher.finish()
            };
            let mut parts = vec![part(1, 5), part(2, 4)];
            parts[0].checksum = value(b"12345");
            parts[1].checksum = value(b"6789");
            parts
        };
        let whole = checksum(&upload(Some(Algorithm::Crc32), false), &parts(Algorithm::Crc32));
        assert_eq!(whole.value, "y/Q5Jg==");
        let composite = checksum(&upload(Some(Algorithm::Sha256), true), &parts(Algorithm::Sha256));
        assert!(composite.value.ends_with("=-2"), "{}", composite.value);
    }
}
