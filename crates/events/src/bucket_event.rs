//! Names of what happens to objects in buckets, as notifications name them. Amazon S3 User Guide, "Supported event types".

/// Events that happen here; `…:*` stands for all of its kind.
pub const HAPPEN: &[&str] = &[
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
    "s3:ObjectAcl:Put",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
];

/// How the names of events of S3 begin that cannot happen here.
const IMPOSSIBLE: &[&str] = &[
    "s3:ReducedRedundancyLostObject",
    "s3:ObjectRestore:",
    "s3:Replication:",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
];

/// Whether it is an event of S3 that cannot happen here.
#[must_use]
pub fn is_impossible(name: &str) -> bool {
    IMPOSSIBLE.iter().any(|kind| name.starts_with(kind))
}
