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
use crate::configuration::{object_acl, operations as configuration};
use crate::lock::operations as lock;
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
                    $function(&self.0.of_request(&request.headers), request).await
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
    DeleteBucketCors "" delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput = configuration::delete_bucket_cors;
    DeleteBucketEncryption "" delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput = configuration::delete_bucket_encryption;
    DeleteBucketLifecycle "" delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput = configuration::delete_bucket_lifecycle;
    DeleteBucketOwnershipControls "" delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput = configuration::delete_bucket_ownership_controls;
    DeleteBucketPolicy "kept and returned; evaluated with IAM" delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput = configuration::delete_bucket_policy;
    DeleteBucketTagging "" delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput = configuration::delete_bucket_tagging;
    DeleteBucketWebsite "" delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput = configuration::delete_bucket_website;
    DeleteObject "" delete_object(DeleteObjectInput) -> DeleteObjectOutput = api::delete_object::delete_object;
    DeleteObjectTagging "" delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput = api::object_tagging::delete;
    DeleteObjects "" delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = api::delete_objects::delete_objects;
    DeletePublicAccessBlock "" delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput = configuration::delete_public_access_block;
    GetBucketAcl "kept and returned; evaluated with IAM" get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput = configuration::get_bucket_acl;
    GetBucketCors "" get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = configuration::get_bucket_cors;
    GetBucketEncryption "" get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput = configuration::get_bucket_encryption;
    GetBucketLifecycleConfiguration "" get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput = configuration::get_bucket_lifecycle_configuration;
    GetBucketLocation "" get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = api::buckets::get_location;
    GetBucketNotificationConfiguration "" get_bucket_notification_configuration(GetBucketNotificationConfigurationInput) -> GetBucketNotificationConfigurationOutput = configuration::get_bucket_notification_configuration;
    GetBucketOwnershipControls "" get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput = configuration::get_bucket_ownership_controls;
    GetBucketPolicy "kept and returned; evaluated with IAM" get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput = configuration::get_bucket_policy;
    GetBucketPolicyStatus "" get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput = configuration::get_bucket_policy_status;
    GetBucketTagging "" get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput = configuration::get_bucket_tagging;
    GetBucketVersioning "" get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = api::versioning::get;
    GetBucketWebsite "" get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput = configuration::get_bucket_website;
    GetObject "" get_object(GetObjectInput) -> GetObjectOutput = api::get_object::get_object;
    GetObjectAcl "kept and returned; evaluated with IAM" get_object_acl(GetObjectAclInput) -> GetObjectAclOutput = object_acl::get_object_acl;
    GetObjectAttributes "" get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput = api::object_attributes::get;
    GetObjectLegalHold "" get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput = lock::get_object_legal_hold;
    GetObjectLockConfiguration "" get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput = configuration::get_object_lock_configuration;
    GetObjectRetention "" get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput = lock::get_object_retention;
    GetObjectTagging "" get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = api::object_tagging::get;
    GetPublicAccessBlock "" get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput = configuration::get_public_access_block;
    HeadBucket "" head_bucket(HeadBucketInput) -> HeadBucketOutput = api::buckets::head;
    HeadObject "" head_object(HeadObjectInput) -> HeadObjectOutput = api::head_object::head_object;
    ListBuckets "" list_buckets(ListBucketsInput) -> ListBucketsOutput = api::buckets::list;
    ListMultipartUploads "" list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = api::list_uploads::list_multipart_uploads;
    ListObjectVersions "" list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = api::list_versions::list_object_versions;
    ListObjects "" list_objects(ListObjectsInput) -> ListObjectsOutput = api::list_objects::list_objects;
    ListObjectsV2 "" list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = api::list_objects::list_objects_v2;
    ListParts "" list_parts(ListPartsInput) -> ListPartsOutput = api::list_uploads::list_parts;
    PutBucketAcl "kept and returned; evaluated with IAM" put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput = configuration::put_bucket_acl;
    PutBucketCors "" put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput = configuration::put_bucket_cors;
    PutBucketEncryption "SSE-S3 only" put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput = configuration::put_bucket_encryption;
    PutBucketLifecycleConfiguration "transitions are refused by name" put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput = configuration::put_bucket_lifecycle_configuration;
    PutBucketNotificationConfiguration "to functions, queues, topics and the default event bus" put_bucket_notification_configuration(PutBucketNotificationConfigurationInput) -> PutBucketNotificationConfigurationOutput = configuration::put_bucket_notification_configuration;
    PutBucketOwnershipControls "" put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput = configuration::put_bucket_ownership_controls;
    PutBucketPolicy "kept and returned; evaluated with IAM" put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput = configuration::put_bucket_policy;
    PutBucketTagging "" put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput = configuration::put_bucket_tagging;
    PutBucketVersioning "MFA delete is refused" put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = api::versioning::put;
    PutBucketWebsite "" put_bucket_website(PutBucketWebsiteInput) -> PutBucketWebsiteOutput = configuration::put_bucket_website;
    PutObject "" put_object(PutObjectInput) -> PutObjectOutput = api::put_object::put_object;
    PutObjectAcl "kept and returned; evaluated with IAM" put_object_acl(PutObjectAclInput) -> PutObjectAclOutput = object_acl::put_object_acl;
    PutObjectLegalHold "" put_object_legal_hold(PutObjectLegalHoldInput) -> PutObjectLegalHoldOutput = lock::put_object_legal_hold;
    PutObjectLockConfiguration "" put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput = lock::put_object_lock_configuration;
    PutObjectRetention "" put_object_retention(PutObjectRetentionInput) -> PutObjectRetentionOutput = lock::put_object_retention;
    PutObjectTagging "" put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = api::object_tagging::put;
    PutPublicAccessBlock "refuses public ACLs and policies when they are put; evaluated with IAM" put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput = configuration::put_public_access_block;
    UploadPart "" upload_part(UploadPartInput) -> UploadPartOutput = api::multipart::upload_part;
    UploadPartCopy "" upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = api::copy_object::upload_part_copy;
}

/// Served before s3s sees it: `post` makes a form the `PutObject` that it is.
const AS_ANOTHER: &[(&str, &str)] = &[("PostObject", "forms, with and without a policy")];

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
        let served = SERVED
            .iter()
            .chain(AS_ANOTHER)
            .find(|(served, _)| *served == name);
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
        for (name, _) in SERVED.iter().chain(AS_ANOTHER) {
            assert!(ALL.contains(name), "{name}");
        }
    }
}
