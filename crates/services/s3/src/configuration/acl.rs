//! Access control lists of buckets, and the grammar they share with those of objects.
//!
//! Kept and returned, and checked as S3 checks them when they are put; nobody evaluates them yet.

use http::StatusCode;
use s3s::dto::{
    AccessControlPolicy, BucketCannedACL, GetBucketAclInput, GetBucketAclOutput, Grant, Grantee,
    ObjectCannedACL, Owner, Permission, PutBucketAclInput, PutBucketAclOutput, Type,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::{Configurations, custom, malformed, refused, tables};
pub(crate) use crate::api::buckets::owner as owner_of;

pub(crate) const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
pub(crate) const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
const PERMISSIONS: &[&str] = &[
    Permission::FULL_CONTROL,
    Permission::READ,
    Permission::READ_ACP,
    Permission::WRITE,
    Permission::WRITE_ACP,
];
/// Grants an ACL may have (S3 User Guide, "Access control list (ACL) overview").
const GRANTS: usize = 100;

/// What a request says of an ACL, in one of three ways.
#[derive(Clone, Debug, Default)]
pub(crate) struct AclRequest {
    /// `x-amz-acl`.
    pub(crate) canned: Option<String>,
    /// The `x-amz-grant-…` headers with what each grants.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(crate) policy: Option<AccessControlPolicy>,
}

impl Configurations {
    pub(crate) async fn put_bucket_acl(&self, input: PutBucketAclInput) -> S3Result<PutBucketAclOutput> {
        let owner = self.owner(&input.bucket).await?;
        let headers = [
            (Permission::FULL_CONTROL, input.grant_full_control),
            (Permission::READ, input.grant_read),
            (Permission::READ_ACP, input.grant_read_acp),
            (Permission::WRITE, input.grant_write),
            (Permission::WRITE_ACP, input.grant_write_acp),
        ];
        let request = AclRequest {
            canned: input.acl.map(|acl| acl.as_str().to_owned()),
            headers: given(headers),
            policy: input.access_control_policy,
        };
        let acl = request.resolve(&owner, bucket_canned)?;
        self.refuse_acl(&input.bucket, &acl).await?;
        self.put(&input.bucket, &acl).await?;
        Ok(PutBucketAclOutput::default())
    }

    pub(crate) async fn get_bucket_acl(&self, input: GetBucketAclInput) -> S3Result<GetBucketAclOutput> {
        let stored = self.stored::<AccessControlPolicy>(&input.bucket).await?.put();
        let acl = match stored {
            Some(acl) => acl,
            None => private(&self.owner(&input.bucket).await?),
        };
        Ok(GetBucketAclOutput {
            grants: acl.grants,
            owner: acl.owner,
        })
    }

    /// Refuses an ACL that the bucket's ownership controls or public access block do not admit.
    ///
    /// # Errors
    /// `AccessControlListNotSupported` or `AccessDenied`.
    pub(crate) async fn refuse_acl(&self, bucket: &str, acl: &AccessControlPolicy) -> S3Result<()> {
        if self.acls_are_disabled(bucket).await? {
            return Err(not_supported());
        }
        let block = self.public_access_block(bucket).await?;
        let blocked = block.and_then(|block| block.block_public_acls) == Some(true);
        if blocked && is_public(acl) {
            return Err(refused(S3ErrorCode::AccessDenied, "Access Denied"));
        }
        Ok(())
    }

    /// The bucket's owner.
    async fn owner(&self, bucket: &str) -> S3Result<Owner> {
        Ok(owner_of(&tables::account(&self.database, bucket).await?))
    }
}

impl AclRequest {
    /// Whether nothing is asked for but what a bucket has anyway.
    pub(crate) fn is_plain(&self) -> bool {
        self.headers.is_empty()
            && self.policy.is_none()
            && self
                .canned
                .as_deref()
                .is_none_or(|name| name == BucketCannedACL::PRIVATE)
    }

    /// The ACL that is asked for; `canned` gives the grants of a canned one.
    ///
    /// # Errors
    /// S3's, when it is asked for in two ways or none, or a grant is wrong.
    pub(crate) fn resolve(
        self,
        owner: &Owner,
        canned: fn(&str, &Owner) -> Option<Vec<Grant>>,
    ) -> S3Result<AccessControlPolicy> {
        let grants = match (self.canned, self.headers.is_empty(), self.policy) {
            (Some(_), false, _) => {
                return Err(refused(
                    S3ErrorCode::InvalidRequest,
                    "Specifying both Canned ACLs and Header Grants is not allowed",
                ));
            }
            (Some(_), true, Some(_)) | (None, false, Some(_)) => {
                return Err(refused(
                    S3ErrorCode::UnexpectedContent,
                    "This request does not support content",
                ));
            }
            (Some(name), true, None) => canned(&name, owner).ok_or_else(unknown_canned)?,
            (None, false, None) => of_headers(&self.headers)?,
            (None, true, Some(policy)) => of_body(policy, owner)?,
            (None, true, None) => {
                return Err(refused(
                    S3ErrorCode::MissingSecurityHeader,
                    "Your request was missing a required header",
                ));
            }
        };
        if grants.len() > GRANTS {
            return Err(malformed());
        }
        grants.iter().try_for_each(check_grant)?;
        Ok(AccessControlPolicy {
            grants: Some(grants),
            owner: Some(owner.clone()),
        })
    }
}

/// The headers that are there.
pub(crate) fn given<const N: usize>(
    headers: [(&'static str, Option<String>); N],
) -> Vec<(&'static str, String)> {
    headers
        .into_iter()
        .filter_map(|(permission, value)| Some((permission, value?)))
        .collect()
}

/// The ACL of a bucket or object nobody has given another: its owner may do everything.
pub(crate) fn private(owner: &Owner) -> AccessControlPolicy {
    AccessControlPolicy {
        grants: Some(vec![to_owner(owner)]),
        owner: Some(owner.clone()),
    }
}

/// The grants of a canned ACL of buckets (S3 User Guide, "Canned ACL").
pub(crate) fn bucket_canned(name: &str, owner: &Owner) -> Option<Vec<Grant>> {
    let further = match name {
        BucketCannedACL::PRIVATE => vec![],
        BucketCannedACL::PUBLIC_READ => vec![to_group(ALL_USERS, Permission::READ)],
        BucketCannedACL::PUBLIC_READ_WRITE => vec![
            to_group(ALL_USERS, Permission::READ),
            to_group(ALL_USERS, Permission::WRITE),
        ],
        BucketCannedACL::AUTHENTICATED_READ => vec![to_group(AUTHENTICATED_USERS, Permission::READ)],
        "log-delivery-write" => vec![
            to_group(LOG_DELIVERY, Permission::WRITE),
            to_group(LOG_DELIVERY, Permission::READ_ACP),
        ],
        _ => return None,
    };
    Some([vec![to_owner(owner)], further].concat())
}

/// The grants of a canned ACL of objects, in a bucket of the same owner.
pub(crate) fn object_canned(name: &str, owner: &Owner) -> Option<Vec<Grant>> {
    match name {
        ObjectCannedACL::BUCKET_OWNER_READ
        | ObjectCannedACL::BUCKET_OWNER_FULL_CONTROL
        | ObjectCannedACL::AWS_EXEC_READ => Some(vec![to_owner(owner)]),
        "log-delivery-write" => None,
        name => bucket_canned(name, owner),
    }
}

fn to_owner(owner: &Owner) -> Grant {
    grant(canonical(owner.id.clone()), Permission::FULL_CONTROL)
}

fn to_group(uri: &str, permission: &'static str) -> Grant {
    let grantee = Grantee {
        uri: Some(uri.to_owned()),
        ..canonical(None)
    };
    let type_ = Type::from_static(Type::GROUP);
    grant(Grantee { type_, ..grantee }, permission)
}

fn canonical(id: Option<String>) -> Grantee {
    Grantee {
        display_name: None,
        email_address: None,
        id,
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    }
}

fn grant(grantee: Grantee, permission: &'static str) -> Grant {
    Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(permission)),
    }
}

/// `id="…", uri="…"` of each header.
fn of_headers(headers: &[(&'static str, String)]) -> S3Result<Vec<Grant>> {
    let mut grants = Vec::new();
    for (permission, value) in headers {
        for part in value.split(',') {
            let (kind, who) = part.trim().split_once('=').ok_or_else(bad_grant_header)?;
            let who = who.trim().trim_matches('"');
            grants.push(match kind.trim() {
                "id" => grant(canonical(Some(who.to_owned())), permission),
                "uri" => to_group(who, permission),
                "emailAddress" => return Err(no_such_email()),
                _ => return Err(bad_grant_header()),
            });
        }
    }
    Ok(grants)
}

fn of_body(policy: AccessControlPolicy, owner: &Owner) -> S3Result<Vec<Grant>> {
    let named = policy.owner.ok_or_else(malformed_acl)?;
    if named.id != owner.id {
        return Err(refused(S3ErrorCode::AccessDenied, "Access Denied"));
    }
    Ok(policy.grants.unwrap_or_default())
}

fn check_grant(grant: &Grant) -> S3Result<()> {
    let permission = grant.permission.as_ref().map_or("", Permission::as_str);
    let grantee = grant.grantee.as_ref().ok_or_else(malformed_acl)?;
    if !PERMISSIONS.contains(&permission) {
        return Err(malformed_acl());
    }
    match grantee.type_.as_str() {
        Type::CANONICAL_USER => check_id(grantee.id.as_deref().unwrap_or_default()),
        Type::GROUP => check_group(grantee.uri.as_deref().unwrap_or_default()),
        Type::AMAZON_CUSTOMER_BY_EMAIL => Err(no_such_email()),
        _ => Err(malformed_acl()),
    }
}

fn check_id(id: &str) -> S3Result<()> {
    if id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(refused(S3ErrorCode::InvalidArgument, "Invalid id"))
}

fn check_group(uri: &str) -> S3Result<()> {
    if [ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY].contains(&uri) {
        return Ok(());
    }
    Err(refused(S3ErrorCode::InvalidArgument, "Invalid group uri"))
}

/// Whether the ACL grants anything to everyone.
pub(crate) fn is_public(acl: &AccessControlPolicy) -> bool {
    let grantees = acl
        .grants
        .iter()
        .flatten()
        .filter_map(|grant| grant.grantee.as_ref());
    grantees
        .filter_map(|grantee| grantee.uri.as_deref())
        .any(|uri| uri == ALL_USERS || uri == AUTHENTICATED_USERS)
}

fn not_supported() -> S3Error {
    custom(
        "AccessControlListNotSupported",
        StatusCode::BAD_REQUEST,
        "The bucket does not allow ACLs",
    )
}

fn malformed_acl() -> S3Error {
    refused(
        S3ErrorCode::MalformedACLError,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

fn unknown_canned() -> S3Error {
    refused(
        S3ErrorCode::InvalidArgument,
        "Argument x-amz-acl is not a canned ACL",
    )
}

fn bad_grant_header() -> S3Error {
    refused(S3ErrorCode::InvalidArgument, "Argument format not recognized")
}

fn no_such_email() -> S3Error {
    refused(
        S3ErrorCode::UnresolvableGrantByEmailAddress,
        "The e-mail address you provided does not match any account on record",
    )
}
