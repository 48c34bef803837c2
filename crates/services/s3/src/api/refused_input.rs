//! What a request may ask for and this node does not do.

use s3s::S3Result;

use crate::refusal::{invalid_request, not_implemented};

/// Keys of the customer's own (SSE-C).
pub(crate) fn customer_key(given: bool) -> S3Result {
    if given {
        return Err(not_implemented("x-amz-server-side-encryption-customer-algorithm"));
    }
    Ok(())
}

/// Storage classes that are only a name here: the bytes are on one disk whatever the class.
const CLASSES: &[&str] = &[
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "REDUCED_REDUNDANCY",
    "GLACIER_IR",
];

/// The storage class to keep: none for the standard one.
pub(crate) fn storage_class(class: Option<&str>) -> S3Result<Option<String>> {
    match class {
        None | Some("STANDARD") => Ok(None),
        Some(class) if CLASSES.contains(&class) => Ok(Some(class.to_owned())),
        Some(class @ ("GLACIER" | "DEEP_ARCHIVE" | "OUTPOSTS" | "SNOW" | "EXPRESS_ONEZONE")) => {
            Err(not_implemented(&format!("the storage class {class}")))
        }
        Some(_) => Err(s3s::S3Error::with_message(
            s3s::S3ErrorCode::InvalidStorageClass,
            "The storage class you specified is not valid",
        )),
    }
}

/// Encryption at rest that is asked for.
pub(crate) fn encryption(asked: Option<&str>) -> S3Result {
    match asked {
        None | Some("AES256") => Ok(()),
        Some(algorithm @ ("aws:kms" | "aws:kms:dsse")) => Err(not_implemented(&format!(
            "x-amz-server-side-encryption: {algorithm}"
        ))),
        Some(_) => Err(invalid_request(
            "The encryption method specified is not supported",
        )),
    }
}
