//! Access control lists of objects: kept with their versions.

use s3s::dto::{
    AccessControlPolicy, GetObjectAclInput, GetObjectAclOutput, ObjectCannedACL, Permission,
    PutObjectAclInput, PutObjectAclOutput,
};
use s3s::{S3Error, S3Request, S3Response, S3Result};
use tradewind_store::{Batch, DatabaseError};

use super::acl::{self, AclRequest};
use super::document::parse;
use super::{print, refused};
use crate::api::buckets;
use crate::notification::{EventName, ObjectEvent};
use crate::objects::{self, Head, NULL, Version, Versioning};
use crate::refusal::{conflict, internal, no_such_key, of_database};
use crate::state::State;

/// How often a change that met another is decided again.
const ATTEMPTS: usize = 20;

/// The document to keep with a new object; none where it is its owner's alone.
///
/// # Errors
/// What the ACL, or the bucket's ownership controls and public access block, refuse.
pub(crate) async fn of_new_object(
    state: &State,
    bucket: &str,
    asked: AclRequest,
) -> S3Result<Option<String>> {
    let own = ObjectCannedACL::BUCKET_OWNER_FULL_CONTROL;
    if asked.is_plain() || (asked.headers.is_empty() && asked.canned.as_deref() == Some(own)) {
        return Ok(None);
    }
    let owner = acl::owner_of(&buckets::find(state, bucket, None).await?.account);
    let acl = asked.resolve(&owner, acl::object_canned)?;
    state.configurations.refuse_acl(bucket, &acl).await?;
    print(&acl).map(Some)
}

pub(crate) async fn get_object_acl(
    state: &State,
    request: S3Request<GetObjectAclInput>,
) -> S3Result<S3Response<GetObjectAclOutput>> {
    let input = request.input;
    let bucket = buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let (version, _) = version(state, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    let acl: AccessControlPolicy = match &version.head.acl_document {
        Some(document) => parse(document)?,
        None => acl::private(&acl::owner_of(&bucket.account)),
    };
    Ok(S3Response::new(GetObjectAclOutput {
        grants: acl.grants,
        owner: acl.owner,
        ..GetObjectAclOutput::default()
    }))
}

pub(crate) async fn put_object_acl(
    state: &State,
    request: S3Request<PutObjectAclInput>,
) -> S3Result<S3Response<PutObjectAclOutput>> {
    let input = request.input;
    let bucket = buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let headers = acl::given([
        (Permission::FULL_CONTROL, input.grant_full_control),
        (Permission::READ, input.grant_read),
        (Permission::READ_ACP, input.grant_read_acp),
        (Permission::WRITE, input.grant_write),
        (Permission::WRITE_ACP, input.grant_write_acp),
    ]);
    let asked = AclRequest {
        canned: input.acl.map(|acl| acl.as_str().to_owned()),
        headers,
        policy: input.access_control_policy,
    };
    let acl = asked.resolve(&acl::owner_of(&bucket.account), acl::object_canned)?;
    state.configurations.refuse_acl(&input.bucket, &acl).await?;
    let document = print(&acl)?;
    keep(
        state,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
        &document,
    )
    .await?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}

/// The version that is meant, which has to be an object.
async fn version(state: &State, bucket: &str, key: &str, id: Option<&str>) -> S3Result<(Version, bool)> {
    let found = objects::find(state, bucket, key, id).await?;
    let versioned = found.versioning != Versioning::Never;
    let version = found.version.ok_or_else(no_such_key)?;
    match version.marker {
        false => Ok((version, versioned)),
        true if id.is_none() => Err(no_such_key()),
        true => Err(refused(
            s3s::S3ErrorCode::MethodNotAllowed,
            "The specified method is not allowed against this resource.",
        )),
    }
}

async fn keep(state: &State, bucket: &str, key: &str, id: Option<&str>, document: &str) -> S3Result<()> {
    let audience = state.configurations.of_write(bucket).await?.audience;
    let _turn = state.locks.turn(bucket, key).await;
    for _ in 0..ATTEMPTS {
        let (version, versioned) = version(state, bucket, key, id).await?;
        let batch = replace(bucket, key, &version, document)?;
        let event = ObjectEvent {
            name: EventName::AclPut,
            key,
            size: None,
            e_tag: Some(&version.etag),
            version_id: (versioned && version.id != NULL).then_some(version.id.as_str()),
        };
        let batch = state.notifier.add(batch, &audience, &event, &state.trace)?;
        match state.database.write(batch).await {
            Ok(_) => return Ok(()),
            Err(DatabaseError::Unexpected { .. }) => {}
            Err(error) => return Err(of_database(error)),
        }
    }
    Err(conflict())
}

/// Changes the version's head, if it is still the one that was found.
fn replace(bucket: &str, key: &str, version: &Version, document: &str) -> S3Result<Batch> {
    let text = |head: &Head| {
        serde_json::to_string(head).map_err(|error: serde_json::Error| -> S3Error { internal(&error) })
    };
    let mut head = version.head.clone();
    head.acl_document = Some(document.to_owned());
    Ok(Batch::new().require(
        "UPDATE s3_objects SET head = $5
         WHERE bucket = $1 AND key = $2 AND sequence = $3 AND version_id = $4 AND head = $6",
        vec![
            bucket.into(),
            key.as_bytes().to_vec().into(),
            version.sequence.into(),
            version.id.as_str().into(),
            text(&head)?.into(),
            text(&version.head)?.into(),
        ],
        1,
    ))
}
