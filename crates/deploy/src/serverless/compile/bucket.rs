//! The deployment bucket and its policy.

use serde_json::{Value, json};

use super::builder::Builder;
use super::intrinsics::{join, reference};

const BUCKET: &str = "ServerlessDeploymentBucket";

pub(super) fn compile(builder: &mut Builder<'_>) {
    let bucket = &builder.definition.bucket;
    let value = match &bucket.name {
        Some(name) => name.clone(),
        None => reference(BUCKET),
    };
    if bucket.name.is_none() {
        let algorithm = bucket.encryption.as_deref().unwrap_or("AES256");
        let mut resource = json!({
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}},
                    ],
                },
            },
        });
        if let Some(properties) = resource.get_mut("Properties").and_then(Value::as_object_mut) {
            properties.extend(bucket.properties.clone());
        }
        builder.add_shared(BUCKET, resource);
        if !bucket.skip_policy {
            builder.add_shared("ServerlessDeploymentBucketPolicy", policy());
        }
    }
    builder.output("ServerlessDeploymentBucketName", None, value);
}

/// Only encrypted transport.
fn policy() -> Value {
    let arn = |rest: Option<&str>| {
        let mut parts = vec![
            json!("arn:"),
            reference("AWS::Partition"),
            json!(":s3:::"),
            reference(BUCKET),
        ];
        parts.extend(rest.map(Value::from));
        join("", parts)
    };
    json!({
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": reference(BUCKET),
            "PolicyDocument": {
                "Statement": [
                    {
                        "Action": "s3:*",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Resource": [arn(Some("/*")), arn(None)],
                        "Condition": {"Bool": {"aws:SecureTransport": false}},
                    },
                ],
            },
        },
    })
}
