use super::*;
use s3s::xml::Deserializer;
use serde_json::json;

const ACCOUNT: &str = "000000000000";

fn documents(properties: Value) -> Result<Documents, String> {
    Documents::of(properties.as_object().unwrap(), ACCOUNT).map_err(|error| error.to_string())
}

fn read<D: Document>(documents: &Documents) -> D {
    let row = documents.rows.iter().find(|(kind, _)| *kind == D::KIND);
    D::deserialize(&mut Deserializer::new(row.unwrap().1.as_bytes())).unwrap()
}

#[test]
fn properties_become_the_documents_of_the_api() {
    let documents = documents(json!({
        "AccessControl": "PublicRead",
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
        "CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAge": "60"}]},
        "LifecycleConfiguration": {"Rules": [
            {"Status": "Enabled", "Prefix": "logs/", "ObjectSizeGreaterThan": "5", "ExpirationInDays": 3},
            {"Status": "Enabled", "ExpirationDate": "2030-01-01"}]},
        "NotificationConfiguration": {"QueueConfigurations": [{"Event": "s3:ObjectCreated:*",
            "Queue": "arn:aws:sqs:us-east-1:000000000000:q",
            "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "in/"}]}}}]},
        "ObjectLockEnabled": true,
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": "false"},
        "Tags": [{"Key": "stage", "Value": "dev"}],
        "WebsiteConfiguration": {"IndexDocument": "index.html", "RoutingRules": [
            {"RedirectRule": {"ReplaceKeyWith": "a"}, "RoutingRuleCondition": {"KeyPrefixEquals": "b"}}]},
    }))
    .unwrap();
    assert_eq!(documents.rows.len(), KINDS.len());
    assert!(documents.notification.is_some());
    assert_eq!(
        read::<CORSConfiguration>(&documents).cors_rules[0].max_age_seconds,
        Some(60)
    );
    let rules = read::<BucketLifecycleConfiguration>(&documents).rules;
    assert_eq!(
        rules[0]
            .filter
            .as_ref()
            .unwrap()
            .and
            .as_ref()
            .unwrap()
            .object_size_greater_than,
        Some(5)
    );
    assert!(rules[1].expiration.as_ref().unwrap().date.is_some());
    assert!(rules.iter().all(|rule| rule.id.is_some()));
    assert_eq!(read::<AccessControlPolicy>(&documents).grants.unwrap().len(), 2);
    assert_eq!(
        read::<WebsiteConfiguration>(&documents).routing_rules.unwrap()[0]
            .redirect
            .replace_key_with,
        Some("a".into())
    );
    read::<ObjectLockConfiguration>(&documents);
}

#[test]
fn what_the_api_would_refuse_is_refused_by_property() {
    let to_function = json!({"LambdaConfigurations": [{"Event": "s3:ObjectCreated:*", "Function": "f"}]});
    let to_bus = json!({"EventBridgeConfiguration": {"EventBridgeEnabled": "maybe"}});
    for (property, value, part) in [
        ("AccessControl", json!("public-read"), "the name of a canned ACL"),
        (
            "CorsConfiguration",
            json!({"CorsRules": [{"AllowedMethods": ["PATCH"], "AllowedOrigins": []}]}),
            "schema",
        ),
        ("CorsConfiguration", json!({"Rules": []}), "unknown field `Rules`"),
        (
            "BucketEncryption",
            json!({"ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}),
            "SSE-KMS is not implemented",
        ),
        (
            "LifecycleConfiguration",
            json!({"Rules": [{"Status": "Enabled", "Transitions": []}]}),
            "transitions",
        ),
        (
            "LifecycleConfiguration",
            json!({"Rules": [{"Status": "Enabled"}]}),
            "At least one action",
        ),
        (
            "LifecycleConfiguration",
            json!({"Rules": [{"Status": "Enabled", "ExpirationInDays": "x"}]}),
            "number",
        ),
        (
            "NotificationConfiguration",
            to_function,
            "The ARN is not well formed",
        ),
        ("NotificationConfiguration", to_bus, "`true` or `false`"),
        ("ObjectLockConfiguration", json!({"Rule": {}}), "schema"),
        (
            "WebsiteConfiguration",
            json!({"ErrorDocument": "e"}),
            "IndexDocument",
        ),
    ] {
        let error = documents(json!({property: value.clone()})).unwrap_err();
        assert!(
            error.contains(part) && error.contains(property),
            "{error} {value}"
        );
    }
}
