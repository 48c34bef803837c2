//! `AWS::S3::BucketPolicy`. Recorded with its bucket, enforced by nobody yet.

use serde_json::Value;
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, is_intrinsic, problem, required_text,
};
use tradewind_store::Database;

use crate::error::BucketError;
use crate::tables;

const PROPERTIES: &[&str] = &["Bucket", "PolicyDocument"];
const DOCUMENT: &str = "a policy: an object with `Statement`";

/// Policies as rows beside their buckets.
#[derive(Debug)]
pub(crate) struct BucketPolicyType {
    database: Database,
}

impl BucketPolicyType {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, BucketError> {
        let bucket = required_text(properties, "Bucket")?;
        let document =
            properties
                .get("PolicyDocument")
                .and_then(policy_document)
                .ok_or(BucketError::Shape {
                    property: "PolicyDocument",
                    expected: DOCUMENT,
                })?;
        tables::put_policy(&self.database, context, &bucket, &document).await?;
        Ok(ResourceState {
            physical_id: bucket,
            ..ResourceState::default()
        })
    }
}

impl ResourceHandler for BucketPolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::S3::BucketPolicy"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(PROPERTIES).requiring(PROPERTIES)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        let document = properties
            .get("PolicyDocument")
            .filter(|value| !is_intrinsic(value));
        if document.is_some_and(|document| policy_document(document).is_none()) {
            let message = format!("property `PolicyDocument` must be {DOCUMENT}");
            problems.push(problem(&["PolicyDocument"], message));
        }
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["Bucket"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        Ok(self.put(context, properties).await?)
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        Ok(tables::delete_policy(&self.database, context, &current.physical_id).await?)
    }
}

/// The document as an object, also where it is given as text.
fn policy_document(value: &Value) -> Option<Value> {
    let document = match value {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    document.get("Statement").is_some().then_some(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bucket;
    use serde_json::json;

    /// The policy with which the Serverless Framework refuses plain HTTP.
    fn policy() -> Properties {
        let policy = json!({"Bucket": "orders", "PolicyDocument": {"Statement": [{
            "Action": "s3:*", "Effect": "Deny", "Principal": "*", "Resource": ["arn:aws:s3:::orders/*"],
            "Condition": {"Bool": {"aws:SecureTransport": false}}
        }]}});
        policy.as_object().unwrap().clone()
    }

    fn empty() -> tables::StackBucket {
        tables::StackBucket {
            bucket: Bucket::default(),
            created: tradewind_model::Timestamp::from_millis(0),
            versioning: None,
            documents: vec![],
            gone: vec![],
        }
    }

    async fn with_bucket() -> BucketPolicyType {
        let database = Database::in_memory_for_tests(&[crate::MIGRATIONS, crate::CONFIGURATION_MIGRATIONS]);
        tables::put_bucket(
            &database,
            &ResourceContext::for_tests("Bucket"),
            "orders",
            &empty(),
        )
        .await
        .unwrap();
        BucketPolicyType::new(database)
    }

    #[tokio::test]
    async fn a_policy_is_kept_with_its_bucket() {
        let policies = with_bucket().await;
        assert_eq!(policies.check(&policy()), []);
        let made = policies
            .create(&ResourceContext::for_tests("Policy"), &policy())
            .await
            .unwrap();
        assert_eq!(made.physical_id, "orders");
        assert_eq!(
            policies
                .create(&ResourceContext::for_tests("Policy"), &policy())
                .await
                .unwrap(),
            made,
            "a repeated create"
        );
        let (_, stored) = tables::get(&policies.database, "orders").await.unwrap();
        assert!(stored.unwrap().contains("aws:SecureTransport"));
        for _ in 0..2 {
            policies
                .delete(&ResourceContext::for_tests("Policy"), &made)
                .await
                .unwrap();
        }
        assert_eq!(tables::get(&policies.database, "orders").await.unwrap().1, None);
    }

    #[tokio::test]
    async fn a_policy_goes_with_its_bucket() {
        let policies = with_bucket().await;
        policies
            .create(&ResourceContext::for_tests("Policy"), &policy())
            .await
            .unwrap();
        tables::delete_bucket(
            &policies.database,
            tradewind_store::Batch::new(),
            &ResourceContext::for_tests("Bucket"),
            "orders",
        )
        .await
        .unwrap();
        tables::put_bucket(
            &policies.database,
            &ResourceContext::for_tests("Bucket"),
            "orders",
            &empty(),
        )
        .await
        .unwrap();
        assert_eq!(tables::get(&policies.database, "orders").await.unwrap().1, None);
    }

    #[tokio::test]
    async fn a_bucket_has_one_policy_and_a_policy_a_bucket() {
        let policies = with_bucket().await;
        policies
            .create(&ResourceContext::for_tests("Policy"), &policy())
            .await
            .unwrap();
        let error = policies
            .create(&ResourceContext::for_tests("Second"), &policy())
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                ResourceError::AlreadyExists {
                    kind: "bucket policy",
                    ..
                }
            ),
            "{error}"
        );
        let mut elsewhere = policy();
        elsewhere.insert("Bucket".into(), "absent".into());
        let error = policies
            .create(&ResourceContext::for_tests("Third"), &elsewhere)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "bucket `absent` does not exist; create it in a template before its policy"
        );
    }

    #[tokio::test]
    async fn what_is_no_policy_is_refused() {
        let policies = with_bucket().await;
        let mut wrong = policy();
        wrong.insert("PolicyDocument".into(), json!("no json"));
        assert_eq!(policies.check(&wrong)[0].path, ["PolicyDocument"]);
        assert!(
            policies
                .create(&ResourceContext::for_tests("Policy"), &wrong)
                .await
                .is_err()
        );
        assert_eq!(policies.check(&Properties::new()).len(), 2);
    }
}
