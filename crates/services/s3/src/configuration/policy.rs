//! Bucket policies: checked when they are put as S3 checks them, kept as the text they are.
//!
//! Nobody evaluates them yet; whether one is *public* is decided here, since a public access block
//! refuses such a policy when it is put (S3 User Guide, "The meaning of 'public'").

use s3s::dto::{
    DeleteBucketPolicyInput, DeleteBucketPolicyOutput, GetBucketPolicyInput, GetBucketPolicyOutput,
    GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, PolicyStatus, PutBucketPolicyInput,
    PutBucketPolicyOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Result};
use serde_json::{Map, Value};

use super::{Configurations, refused, tables};

const SIZE_BYTES: usize = 20 * 1024;
const VERSIONS: &[&str] = &["2012-10-17", "2008-10-17"];
/// Condition keys whose fixed values make a statement for everyone one for some only.
const NARROWING: &[&str] = &[
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

impl Configurations {
    pub(crate) async fn put_bucket_policy(
        &self,
        input: PutBucketPolicyInput,
    ) -> S3Result<PutBucketPolicyOutput> {
        let statements = check(&input.bucket, &input.policy)?;
        let block = self.public_access_block(&input.bucket).await?;
        let blocked = block.and_then(|block| block.block_public_policy) == Some(true);
        if blocked && statements.iter().any(is_public) {
            return Err(refused(
                S3ErrorCode::AccessDenied,
                "public policies are blocked by the BlockPublicPolicy block public access setting; \
                 change it with PutPublicAccessBlock or DeletePublicAccessBlock",
            ));
        }
        tables::put_policy(&self.database, &input.bucket, &input.policy).await?;
        Ok(PutBucketPolicyOutput::default())
    }

    pub(crate) async fn get_bucket_policy(
        &self,
        input: GetBucketPolicyInput,
    ) -> S3Result<GetBucketPolicyOutput> {
        let policy = self.policy(&input.bucket).await?;
        Ok(GetBucketPolicyOutput { policy: Some(policy) })
    }

    pub(crate) async fn get_bucket_policy_status(
        &self,
        input: GetBucketPolicyStatusInput,
    ) -> S3Result<GetBucketPolicyStatusOutput> {
        let policy = self.policy(&input.bucket).await?;
        let document = serde_json::from_str(&policy).map_err(S3Error::internal_error)?;
        let public = statements(&document).iter().any(is_public);
        Ok(GetBucketPolicyStatusOutput {
            policy_status: Some(PolicyStatus {
                is_public: Some(public),
            }),
        })
    }

    pub(crate) async fn delete_bucket_policy(
        &self,
        input: DeleteBucketPolicyInput,
    ) -> S3Result<DeleteBucketPolicyOutput> {
        tables::delete_policy(&self.database, &input.bucket).await?;
        Ok(DeleteBucketPolicyOutput::default())
    }

    async fn policy(&self, bucket: &str) -> S3Result<String> {
        let policy = tables::policy(&self.database, bucket).await?;
        policy.ok_or_else(|| {
            refused(
                S3ErrorCode::NoSuchBucketPolicy,
                "The bucket policy does not exist",
            )
        })
    }
}

/// Checks a policy and gives its statements.
fn check(bucket: &str, text: &str) -> S3Result<Vec<Value>> {
    if text.len() > SIZE_BYTES {
        return Err(malformed("Policy exceeds the maximum allowed document size"));
    }
    if !text.starts_with('{') {
        return Err(malformed(
            "Policies must be valid JSON and the first byte must be '{'",
        ));
    }
    let document: Value =
        serde_json::from_str(text).map_err(|_not_json| malformed("This policy contains invalid Json"))?;
    let version = document.get("Version").and_then(Value::as_str);
    if document.get("Version").is_some() && !version.is_some_and(|v| VERSIONS.contains(&v)) {
        return Err(malformed("The policy must contain a valid version string"));
    }
    let statements = statements(&document);
    if statements.is_empty() {
        return Err(malformed("Missing required field Statement"));
    }
    for statement in &statements {
        let statement = statement
            .as_object()
            .ok_or_else(|| malformed("Statement is invalid"))?;
        check_statement(bucket, statement)?;
    }
    Ok(statements)
}

/// The statements; one may stand without its array.
fn statements(document: &Value) -> Vec<Value> {
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => vec![],
    }
}

fn check_statement(bucket: &str, statement: &Map<String, Value>) -> S3Result<()> {
    let effect = statement.get("Effect").and_then(Value::as_str);
    if !matches!(effect, Some("Allow" | "Deny")) {
        return Err(malformed(match statement.get("Effect") {
            None => "Missing required field Effect",
            Some(_) => "Invalid effect",
        }));
    }
    let principal = one_of(
        statement,
        ["Principal", "NotPrincipal"],
        "Missing required field Principal",
    )?;
    if !matches!(principal, Value::Object(_)) && principal.as_str() != Some("*") {
        return Err(malformed("Invalid principal in policy"));
    }
    let actions = one_of(
        statement,
        ["Action", "NotAction"],
        "Missing required field Action",
    )?;
    if !all(actions, |action| {
        action == "*" || action.to_ascii_lowercase().starts_with("s3:")
    }) {
        return Err(malformed("Policy has invalid action"));
    }
    let resources = one_of(
        statement,
        ["Resource", "NotResource"],
        "Missing required field Resource",
    )?;
    if !all(resources, |resource| is_of_bucket(resource, bucket)) {
        return Err(malformed("Policy has invalid resource"));
    }
    match statement.get("Condition") {
        None | Some(Value::Object(_)) => Ok(()),
        Some(_) => Err(malformed("Condition is invalid")),
    }
}

/// The member that is there, of two that exclude each other.
fn one_of<'a>(
    statement: &'a Map<String, Value>,
    names: [&str; 2],
    missing: &'static str,
) -> S3Result<&'a Value> {
    match names.map(|name| statement.get(name)) {
        [Some(value), None] | [None, Some(value)] => Ok(value),
        [None, None] => Err(malformed(missing)),
        [Some(_), Some(_)] => Err(malformed("Policy has a statement with contradicting fields")),
    }
}

/// Whether the value is texts, at least one, of which each fits.
fn all(value: &Value, fits: impl Fn(&str) -> bool) -> bool {
    let fits = |value: &Value| value.as_str().is_some_and(&fits);
    match value {
        Value::Array(values) => !values.is_empty() && values.iter().all(fits),
        one => fits(one),
    }
}

/// `arn:aws:s3:::bucket` or below it.
fn is_of_bucket(resource: &str, bucket: &str) -> bool {
    let name = resource
        .strip_prefix("arn:")
        .and_then(|rest| rest.split_once(":s3:::"))
        .map(|(_partition, name)| name);
    name.is_some_and(|name| {
        name.strip_prefix(bucket)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest == "*")
    })
}

/// Whether the statement allows something to everyone.
fn is_public(statement: &Value) -> bool {
    let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    allows && is_everyone(statement) && !is_narrowed(statement.get("Condition"))
}

fn is_everyone(statement: &Value) -> bool {
    let any = |value: &Value| match value {
        Value::Array(values) => values.iter().any(|value| value.as_str() == Some("*")),
        one => one.as_str() == Some("*"),
    };
    match statement.get("Principal") {
        Some(Value::Object(kinds)) => kinds.get("AWS").is_some_and(any),
        Some(principal) => any(principal),
        // `Allow` for all but some.
        None => statement.get("NotPrincipal").is_some(),
    }
}

/// Whether a condition admits only who has a fixed value of a key that says who one is.
fn is_narrowed(condition: Option<&Value>) -> bool {
    let operators = condition.and_then(Value::as_object).into_iter().flatten();
    operators
        .filter(|(operator, _)| !operator.contains("Not") && !operator.ends_with("IfExists"))
        .filter_map(|(_, keys)| keys.as_object())
        .flatten()
        .any(|(key, values)| {
            NARROWING.contains(&key.to_ascii_lowercase().as_str())
                && all(values, |value| {
                    !value.contains(['*', '?', '$']) && value != "0.0.0.0/0" && value != "::/0"
                })
        })
}

fn malformed(message: &'static str) -> S3Error {
    refused(S3ErrorCode::MalformedPolicy, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(change: impl FnOnce(&mut Value)) -> String {
        let mut policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::orders/*"]}]});
        change(&mut policy);
        policy.to_string()
    }

    fn refusal(text: &str) -> String {
        let error = check("orders", text).unwrap_err();
        assert_eq!(error.code(), &S3ErrorCode::MalformedPolicy);
        error.message().unwrap().to_owned()
    }

    #[test]
    fn policies_are_checked_as_s3_does() {
        check("orders", &policy(|_| {})).unwrap();
        check("orders", &policy(|p| p["Statement"] = p["Statement"][0].clone())).unwrap();
        let field = |name: &'static str, value: Value| policy(|p| p["Statement"][0][name] = value);
        let without = |name: &str| {
            policy(|p| {
                p["Statement"][0].as_object_mut().unwrap().remove(name);
            })
        };
        for (text, message) in [
            (
                "[]".to_owned(),
                "Policies must be valid JSON and the first byte must be '{'",
            ),
            ("{".to_owned(), "This policy contains invalid Json"),
            ("{}".to_owned(), "Missing required field Statement"),
            (
                policy(|p| p["Version"] = json!("2020-01-01")),
                "The policy must contain a valid version string",
            ),
            (without("Effect"), "Missing required field Effect"),
            (field("Effect", json!("allow")), "Invalid effect"),
            (without("Principal"), "Missing required field Principal"),
            (field("Principal", json!("me")), "Invalid principal in policy"),
            (without("Action"), "Missing required field Action"),
            (
                field("Action", json!("sqs:SendMessage")),
                "Policy has invalid action",
            ),
            (
                field("Resource", json!("arn:aws:s3:::others/*")),
                "Policy has invalid resource",
            ),
            (
                field("Resource", json!("arn:aws:s3:::orders2")),
                "Policy has invalid resource",
            ),
            (field("Resource", json!([])), "Policy has invalid resource"),
        ] {
            assert_eq!(refusal(&text), message, "{text}");
        }
        assert!(refusal(&format!("{{\"x\":\"{}\"}}", "x".repeat(SIZE_BYTES))).contains("size"));
    }

    #[test]
    fn public_is_what_s3_calls_public() {
        let public = |change: Value| {
            let mut statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::orders/*"});
            for (name, value) in change.as_object().unwrap() {
                statement[name] = value.clone();
            }
            is_public(&statement)
        };
        assert!(public(json!({})));
        assert!(public(json!({"Principal": {"AWS": ["*"]}})));
        assert!(!public(json!({"Effect": "Deny"})));
        assert!(!public(
            json!({"Principal": {"AWS": "arn:aws:iam::111122223333:root"}})
        ));
        assert!(!public(
            json!({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}})
        ));
        assert!(public(
            json!({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}})
        ));
        assert!(public(
            json!({"Condition": {"StringLike": {"aws:SourceVpc": "vpc-*"}}})
        ));
        assert!(public(
            json!({"Condition": {"Bool": {"aws:SecureTransport": "true"}}})
        ));
        assert!(public(
            json!({"Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}})
        ));
    }
}
