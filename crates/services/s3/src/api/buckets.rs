//! Buckets: made, listed, found, removed.

use s3s::dto::{
    Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput,
    ListBucketsInput, ListBucketsOutput, Owner,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};
use tradewind_wire::Caller;

use crate::configuration;
use crate::instant;
use crate::model::BucketName;
use crate::multipart;
use crate::objects::Versioning;
use crate::refusal::{invalid_argument, no_such_bucket, of_database, refused};
use crate::state::State;
use crate::tables::{self, BucketRow, Removed};

/// The account and region that a request is for.
pub(crate) fn caller_of<T>(state: &State, request: &S3Request<T>) -> (String, String) {
    match request.extensions.get::<Caller>() {
        Some(caller) => (caller.account.to_string(), caller.region.to_string()),
        None => (state.account.to_string(), state.region.to_string()),
    }
}

/// An owner as lists name it: the account's canonical id.
pub(crate) fn owner(account: &str) -> Owner {
    Owner {
        id: Some(canonical_id(account)),
        display_name: None,
    }
}

/// S3's second name of an account: 64 hex digits, the same for ever.
fn canonical_id(account: &str) -> String {
    use sha2::Digest as _;
    crate::digest::hex(&sha2::Sha256::digest(account.as_bytes()))
}

/// The bucket; where an owner is expected, it has to be that account's.
///
/// # Errors
/// `NoSuchBucket`, `AccessDenied`.
pub(crate) async fn find(state: &State, bucket: &str, expected: Option<&str>) -> S3Result<BucketRow> {
    let found = tables::find_bucket(&state.database, bucket)
        .await
        .map_err(of_database)?;
    let found = found.ok_or_else(no_such_bucket)?;
    if expected.is_some_and(|account| account != found.account) {
        return Err(refused(S3ErrorCode::AccessDenied, "Access Denied"));
    }
    Ok(found)
}

/// The same where nothing else of the bucket is wanted: without an expected owner nobody is asked.
pub(crate) async fn expect_owner(state: &State, bucket: &str, expected: Option<&str>) -> S3Result<()> {
    if expected.is_some() {
        find(state, bucket, expected).await?;
    }
    Ok(())
}

pub(crate) async fn create(
    state: &State,
    request: S3Request<CreateBucketInput>,
) -> S3Result<S3Response<CreateBucketOutput>> {
    let (account, region) = caller_of(state, &request);
    let input = request.input;
    let invalid = |_| {
        refused(
            S3ErrorCode::InvalidBucketName,
            "The specified bucket is not valid.",
        )
    };
    let name: BucketName = input.bucket.parse().map_err(invalid)?;
    let locked = input.object_lock_enabled_for_bucket == Some(true);
    let documents = configuration::of_new_bucket(&input, &owner(&account))?;
    let constraint = input
        .create_bucket_configuration
        .and_then(|configuration| configuration.location_constraint)
        .map(|constraint| constraint.as_str().to_owned());
    let bucket = BucketRow {
        name: name.to_string(),
        account: account.clone(),
        region: location(constraint, &region)?,
        created: state.clock.now(),
        versioning: if locked {
            Versioning::Enabled
        } else {
            Versioning::Never
        },
    };
    if !tables::create_bucket(&state.database, &bucket, &documents)
        .await
        .map_err(of_database)?
    {
        let there = find(state, name.as_str(), None).await?;
        exists_already(&there, &bucket)?;
    }
    let output = CreateBucketOutput {
        location: Some(format!("/{name}")),
    };
    Ok(S3Response::new(output))
}

/// To make one's own bucket again is a success in us-east-1, and nowhere else.
fn exists_already(there: &BucketRow, wanted: &BucketRow) -> S3Result {
    if there.account != wanted.account {
        return Err(refused(
            S3ErrorCode::BucketAlreadyExists,
            "The requested bucket name is not available. The bucket namespace is shared by all users of the \
             system. Please select a different name and try again.",
        ));
    }
    if there.region != "us-east-1" || wanted.region != "us-east-1" {
        return Err(refused(
            S3ErrorCode::BucketAlreadyOwnedByYou,
            "Your previous request to create the named bucket succeeded and you already own it.",
        ));
    }
    Ok(())
}

/// The region of a new bucket. Without a constraint it is the one the request was signed for.
fn location(constraint: Option<String>, region: &str) -> S3Result<String> {
    match constraint.as_deref() {
        None | Some("") => Ok(region.to_owned()),
        Some("EU") => Ok("eu-west-1".to_owned()),
        Some(constraint) if constraint.parse::<tradewind_model::Region>().is_ok() => {
            Ok(constraint.to_owned())
        }
        Some(_) => Err(refused(
            S3ErrorCode::InvalidLocationConstraint,
            "The specified location-constraint is not valid",
        )),
    }
}

pub(crate) async fn delete(
    state: &State,
    request: S3Request<DeleteBucketInput>,
) -> S3Result<S3Response<DeleteBucketOutput>> {
    let input = request.input;
    find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let batch = multipart::drop_all(state, tradewind_store::Batch::new(), &input.bucket).await?;
    match tables::remove_bucket(&state.database, batch, &input.bucket)
        .await
        .map_err(of_database)?
    {
        Removed::Done => Ok(S3Response::new(DeleteBucketOutput {})),
        Removed::Absent => Err(no_such_bucket()),
        Removed::NotEmpty => Err(refused(
            S3ErrorCode::BucketNotEmpty,
            "The bucket you tried to delete is not empty",
        )),
    }
}

pub(crate) async fn head(
    state: &State,
    request: S3Request<HeadBucketInput>,
) -> S3Result<S3Response<HeadBucketOutput>> {
    let input = request.input;
    let bucket = find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region: Some(bucket.region),
        access_point_alias: Some(false),
        ..HeadBucketOutput::default()
    }))
}

pub(crate) async fn location_of(state: &State, bucket: &str) -> S3Result<Option<BucketLocationConstraint>> {
    let bucket = find(state, bucket, None).await?;
    Ok((bucket.region != "us-east-1").then(|| BucketLocationConstraint::from(bucket.region)))
}

pub(crate) async fn get_location(
    state: &State,
    request: S3Request<GetBucketLocationInput>,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    let input = request.input;
    find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let location_constraint = location_of(state, &input.bucket).await?;
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
}

/// Buckets of a page, where no number is asked for.
const MOST_BUCKETS: i32 = 10_000;

pub(crate) async fn list(
    state: &State,
    request: S3Request<ListBucketsInput>,
) -> S3Result<S3Response<ListBucketsOutput>> {
    let (account, _) = caller_of(state, &request);
    let input = request.input;
    let most = input.max_buckets.unwrap_or(MOST_BUCKETS);
    if !(1..=MOST_BUCKETS).contains(&most) {
        return Err(invalid_argument(
            "Argument max-buckets must be an integer between 1 and 10000",
        ));
    }
    let most = usize::try_from(most).unwrap_or(1);
    let after = input.continuation_token.as_deref().unwrap_or_default();
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let mut rows = tables::list_buckets(&state.database, &account, after, 10_001)
        .await
        .map_err(of_database)?;
    rows.retain(|row| row.name.starts_with(prefix));
    rows.retain(|row| {
        input
            .bucket_region
            .as_ref()
            .is_none_or(|region| *region == row.region)
    });
    let continuation_token = (rows.len() > most).then(|| rows[most - 1].name.clone());
    rows.truncate(most);
    let buckets = rows.into_iter().map(|row| Bucket {
        bucket_region: Some(row.region),
        creation_date: Some(instant::to_wire(row.created)),
        name: Some(row.name),
    });
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        continuation_token,
        owner: Some(owner(&account)),
        prefix: input.prefix,
    }))
}
