//! Every operation of the S3 API: which function answers it, and those that are refused by name.
//!
//! A served operation is one line of the table below, and a function of `api` or `configuration`.
//! What has no line is answered by s3s's default: `501 NotImplemented` with the operation's name.

#[cfg_attr(
    not(test),
    expect(clippy::wildcard_imports, reason = "two names for each line of the table")
)]
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};
use tradewind_wire::{OperationSupport, Support};

use crate::api;
use crate::state::State;

/// What s3s calls: the table's functions over one state.
#[derive(Clone, Debug)]
pub(crate) struct Operations(pub(crate) State);

macro_rules! served {
    ($($name:ident $note:literal $method:ident($input:ident) -> $output:ident = $function:path;)+) => {
        #[async_trait::async_trait]
        impl S3 for Operations {
            $(
                async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    $function(&self.0, request).await
                }
            )+
        }

        const SERVED: &[(&str, &str)] = &[$((stringify!($name), $note),)+];
    };
}

served! {
    AbortMultipartUpload "" abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = api::multipart::abort;
    CompleteMultipartUpload "" complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = api::multipart::complete;
    CopyObject "" copy_object(CopyObjectInput) -> CopyObjectOutput = api::copy_object::copy_object;
    CreateBucket "" create_bucket(CreateBucketInput) -> CreateBucketOutput = api::buckets::create;
    CreateMultipartUpload "" create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = api::multipart::create;
    DeleteBucket "" delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = api::buckets::delete;
    DeleteObject "" delete_object(DeleteObjectInput) -> DeleteObjectOutput = api::delete_object::delete_object;
    DeleteObjectTagging "" delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput = api::object_tagging::delete;
    DeleteObjects "" delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = api::delete_objects::delete_objects;
    GetBucketLocation "" get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = api::buckets::get_location;
    GetBucketVersioning "" get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = api::versioning::get;
    GetObject "" get_object(GetObjectInput) -> GetObjectOutput = api::get_object::get_object;
    GetObjectAttributes "" get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput = api::object_attributes::get;
    GetObjectTagging "" get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = api::object_tagging::get;
    HeadBucket "" head_bucket(HeadBucketInput) -> HeadBucketOutput = api::buckets::head;
    HeadObject "" head_object(HeadObjectInput) -> HeadObjectOutput = api::head_object::head_object;
    ListBuckets "" list_buckets(ListBucketsInput) -> ListBucketsOutput = api::buckets::list;
    ListMultipartUploads "" list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = api::list_uploads::list_multipart_uploads;
    ListObjectVersions "" list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = api::list_versions::list_object_versions;
    ListObjects "" list_objects(ListObjectsInput) -> ListObjectsOutput = api::list_objects::list_objects;
    ListObjectsV2 "" list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = api::list_objects::list_objects_v2;
    ListParts "" list_parts(ListPartsInput) -> ListPartsOutput = api::list_uploads::list_parts;
    PutBucketVersioning "MFA delete is refused" put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = api::versioning::put;
    PutObject "" put_object(PutObjectInput) -> PutObjectOutput = api::put_object::put_object;
    PutObjectTagging "" put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = api::object_tagging::put;
    UploadPart "" upload_part(UploadPartInput) -> UploadPartOutput = api::multipart::upload_part;
    UploadPartCopy "" upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = api::copy_object::upload_part_copy;
}

/// All operations, by name.
const ALL: &[&str] = &[
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateBucket",
    "CreateBucketMetadataTableConfiguration",
    "CreateMultipartUpload",
    "CreateSession",
    "DeleteBucket",
    "DeleteBucketAnalyticsConfiguration",
    "DeleteBucketCors",
    "DeleteBucketEncryption",
    "DeleteBucketIntelligentTieringConfiguration",
    "DeleteBucketInventoryConfiguration",
    "DeleteBucketLifecycle",
    "DeleteBucketMetadataTableConfiguration",
    "DeleteBucketMetricsConfiguration",
    "DeleteBucketOwnershipControls",
    "DeleteBucketPolicy",
    "DeleteBucketReplication",
    "DeleteBucketTagging",
    "DeleteBucketWebsite",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjects",
    "DeletePublicAccessBlock",
    "GetBucketAccelerateConfiguration",
    "GetBucketAcl",
    "GetBucketAnalyticsConfiguration",
    "GetBucketCors",
    "GetBucketEncryption",
    "GetBucketIntelligentTieringConfiguration",
    "GetBucketInventoryConfiguration",
    "GetBucketLifecycleConfiguration",
    "GetBucketLocation",
    "GetBucketLogging",
    "GetBucketMetadataTableConfiguration",
    "GetBucketMetricsConfiguration",
    "GetBucketNotificationConfiguration",
    "GetBucketOwnershipControls",
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketReplication",
    "GetBucketRequestPayment",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetBucketWebsite",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectLegalHold",
    "GetObjectLockConfiguration",
    "GetObjectRetention",
    "GetObjectTagging",
    "GetObjectTorrent",
    "GetPublicAccessBlock",
    "HeadBucket",
    "HeadObject",
    "ListBucketAnalyticsConfigurations",
    "ListBucketIntelligentTieringConfigurations",
    "ListBucketInventoryConfigurations",
    "ListBucketMetricsConfigurations",
    "ListBuckets",
    "ListDirectoryBuckets",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PostObject",
    "PutBucketAccelerateConfiguration",
    "PutBucketAcl",
    "PutBucketAnalyticsConfiguration",
    "PutBucketCors",
    "PutBucketEncryption",
    "PutBucketIntelligentTieringConfiguration",
    "PutBucketInventoryConfiguration",
    "PutBucketLifecycleConfiguration",
    "PutBucketLogging",
    "PutBucketMetricsConfiguration",
    "PutBucketNotificationConfiguration",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketReplication",
    "PutBucketRequestPayment",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutBucketWebsite",
    "PutObject",
    "PutObjectAcl",
    "PutObjectLegalHold",
    "PutObjectLockConfiguration",
    "PutObjectRetention",
    "PutObjectTagging",
    "PutPublicAccessBlock",
    "RestoreObject",
    "SelectObjectContent",
    "UploadPart",
    "UploadPartCopy",
    "WriteGetObjectResponse",
];

/// Every operation and whether it is served.
pub fn operations() -> impl Iterator<Item = OperationSupport> {
    ALL.iter().map(|&name| {
        let served = SERVED.iter().find(|(served, _)| *served == name);
        (
            name,
            served.map_or(Support::Missing, |(_, note)| Support::Served(note)),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_served_operation_is_one_of_s3() {
        for (name, _) in SERVED {
            assert!(ALL.contains(name), "{name}");
        }
    }
}
