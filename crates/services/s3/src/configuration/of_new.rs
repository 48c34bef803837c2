//! What a request that makes a bucket says of its configuration.

use s3s::S3Result;
use s3s::dto::{CreateBucketInput, ObjectOwnership, Owner, Permission};

use super::acl::{self, AclRequest};
use super::{Document, custom, malformed, ownership, print};
use crate::lock;

/// The documents of a new bucket: object lock, ownership controls, ACL.
///
/// # Errors
/// `InvalidBucketAclWithObjectOwnership`, `MalformedXML`, what [`AclRequest::resolve`] says.
pub(crate) fn of_new_bucket(
    input: &CreateBucketInput,
    owner: &Owner,
) -> S3Result<Vec<(&'static str, String)>> {
    let mut documents = Vec::new();
    if input.object_lock_enabled_for_bucket == Some(true) {
        documents.push(row(&lock::enabled())?);
    }
    let ownership = input.object_ownership.as_ref().map(ObjectOwnership::as_str);
    if let Some(name) = ownership {
        documents.push(row(&ownership::controls_of(name).ok_or_else(malformed)?)?);
    }
    let headers = acl::given([
        (Permission::FULL_CONTROL, input.grant_full_control.clone()),
        (Permission::READ, input.grant_read.clone()),
        (Permission::READ_ACP, input.grant_read_acp.clone()),
        (Permission::WRITE, input.grant_write.clone()),
        (Permission::WRITE_ACP, input.grant_write_acp.clone()),
    ]);
    let request = AclRequest {
        canned: input.acl.as_ref().map(|acl| acl.as_str().to_owned()),
        headers,
        policy: None,
    };
    if request.is_plain() {
        return Ok(documents);
    }
    if ownership.is_none_or(|name| name == ObjectOwnership::BUCKET_OWNER_ENFORCED) {
        return Err(custom(
            "InvalidBucketAclWithObjectOwnership",
            http::StatusCode::BAD_REQUEST,
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        ));
    }
    let acl = request.resolve(owner, acl::bucket_canned)?;
    if acl::is_public(&acl) {
        // The public access block of every new bucket.
        return Err(custom(
            "InvalidBucketAclWithBlockPublicAccessError",
            http::StatusCode::BAD_REQUEST,
            "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
        ));
    }
    documents.push(row(&acl)?);
    Ok(documents)
}

fn row<D: Document>(document: &D) -> S3Result<(&'static str, String)> {
    Ok((D::KIND, print(document)?))
}
