//! `AWS::S3::Bucket`.

mod attached;
mod documents;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, optional_tags, optional_text, problem,
};
use tradewind_store::Batch;

use crate::error::BucketError;
use crate::model::{Bucket, BucketName};
use crate::objects::Versioning;
use crate::state::State;
use crate::tables::{self, StackBucket};
use crate::{multipart, notification};
pub(crate) use attached::BucketNotificationType;
use documents::{Documents, KINDS};

const ACCEPTED: &[&str] = &[
    "AccessControl",
    "BucketEncryption",
    "BucketName",
    "CorsConfiguration",
    "LifecycleConfiguration",
    "NotificationConfiguration",
    "ObjectLockConfiguration",
    "ObjectLockEnabled",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "Tags",
    "VersioningConfiguration",
    "WebsiteConfiguration",
];
const NOT_HERE: &str = "the S3 of this node does not do it";
const REFUSED: &[(&str, &str)] = &[
    ("AbacStatus", NOT_HERE),
    ("AccelerateConfiguration", NOT_HERE),
    ("AnalyticsConfigurations", NOT_HERE),
    ("BucketNamePrefix", NOT_HERE),
    ("BucketNamespace", NOT_HERE),
    ("IntelligentTieringConfigurations", NOT_HERE),
    ("InventoryConfigurations", NOT_HERE),
    ("LoggingConfiguration", NOT_HERE),
    ("MetadataConfiguration", NOT_HERE),
    ("MetadataTableConfiguration", NOT_HERE),
    ("MetricsConfigurations", NOT_HERE),
    ("ReplicationConfiguration", NOT_HERE),
];
const VERSIONING: BucketError = BucketError::Shape {
    property: "VersioningConfiguration",
    expected: "an object whose `Status` is `Enabled` or `Suspended`",
};

/// Buckets of stacks.
#[derive(Debug)]
pub(crate) struct BucketType {
    state: State,
}

impl BucketType {
    pub(crate) fn new(state: State) -> Self {
        Self { state }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        name: BucketName,
        properties: &Properties,
    ) -> Result<ResourceState, BucketError> {
        let documents = Documents::of(properties, context.account.as_str())?;
        let targets = documents
            .notification
            .as_ref()
            .map(notification::targets_of)
            .unwrap_or_default();
        self.state
            .notifier
            .check_targets(&targets)
            .map_err(|error| BucketError::Document {
                property: "NotificationConfiguration",
                message: error
                    .message()
                    .unwrap_or("its destinations cannot be looked up")
                    .to_owned(),
            })?;
        let before = tables::settings(&self.state.database, name.as_str()).await?;
        let settings = settings(properties);
        let gone = KINDS
            .iter()
            .filter(|(property, _)| before.contains_key(*property) && !settings.contains_key(*property));
        let wanted = StackBucket {
            bucket: Bucket {
                tags: optional_tags(properties, "Tags")?,
                settings: settings.clone(),
            },
            created: self.state.clock.now(),
            versioning: versioning(properties)?,
            documents: documents.rows,
            gone: gone.map(|(_, kind)| *kind).collect(),
        };
        tables::put_bucket(&self.state.database, context, name.as_str(), &wanted).await?;
        self.state.lifecycles.notify_one();
        if before.get("NotificationConfiguration") != settings.get("NotificationConfiguration") {
            let told = self
                .state
                .notifier
                .send_test_events(name.as_str(), &targets)
                .await;
            told.unwrap_or_else(|error| tracing::warn!(%error, "a destination did not get its test event"));
        }
        Ok(state_of(context, &name))
    }
}

fn state_of(context: &ResourceContext, name: &BucketName) -> ResourceState {
    let attributes = name.attributes(&context.region).into_iter();
    let attributes: Map<String, Value> = attributes
        .map(|(attribute, value)| (attribute.to_owned(), value.into()))
        .collect();
    ResourceState {
        physical_id: name.to_string(),
        reference: None,
        attributes,
    }
}

impl ResourceHandler for BucketType {
    fn type_name(&self) -> &'static str {
        "AWS::S3::Bucket"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).refusing("", REFUSED)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        if let Some(Value::String(name)) = properties.get("BucketName")
            && let Err(error) = name.parse::<BucketName>()
        {
            problems.push(problem(&["BucketName"], error.to_string()));
        }
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["BucketName", "ObjectLockEnabled"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = match optional_text(properties, "BucketName")? {
            Some(name) => name.parse(),
            None => BucketName::generated(&context.generated_name_within(63)),
        };
        Ok(self
            .put(context, name.map_err(BucketError::Name)?, properties)
            .await?)
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = current.physical_id.parse().map_err(BucketError::Name)?;
        Ok(self.put(context, name, properties).await?)
    }

    async fn check_delete(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
    ) -> Result<(), ResourceError> {
        Ok(tables::check_delete_bucket(&self.state.database, context, &current.physical_id).await?)
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let name = &current.physical_id;
        let batch = multipart::drop_all(&self.state, Batch::new(), name).await;
        let batch = batch.map_err(|error| ResourceError::Internal {
            message: error.to_string(),
        })?;
        Ok(tables::delete_bucket(&self.state.database, batch, context, name).await?)
    }
}

/// The properties that are documents, as they are given: so the next update knows what went.
fn settings(properties: &Properties) -> BTreeMap<String, Value> {
    let given = KINDS
        .iter()
        .filter_map(|(property, _)| Some((*property, properties.get(*property)?)));
    given
        .map(|(property, value)| (property.to_owned(), value.clone()))
        .collect()
}

/// The versioning that is asked for. A bucket with object lock is versioned.
fn versioning(properties: &Properties) -> Result<Option<Versioning>, BucketError> {
    let Some(given) = properties.get("VersioningConfiguration") else {
        return Ok(documents::is_locked(properties).then_some(Versioning::Enabled));
    };
    match given.get("Status").and_then(Value::as_str) {
        Some("Enabled") => Ok(Some(Versioning::Enabled)),
        Some("Suspended") if !documents::is_locked(properties) => Ok(Some(Versioning::Suspended)),
        _ => Err(VERSIONING),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn buckets() -> (BucketType, tempfile::TempDir) {
        let (state, folder) = crate::state::for_tests().await;
        (BucketType::new(state), folder)
    }

    fn properties(value: Value) -> Properties {
        value.as_object().unwrap().clone()
    }

    /// As the Serverless Framework writes it.
    fn deployment_bucket() -> Properties {
        properties(json!({"BucketEncryption": {"ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        ]}}))
    }

    #[tokio::test]
    async fn the_deployment_bucket_gets_a_generated_name_and_keeps_it() {
        let (buckets, _folder) = buckets().await;
        let context = ResourceContext {
            region: "eu-west-1".parse().unwrap(),
            ..ResourceContext::for_tests("ServerlessDeploymentBucket")
        };
        assert_eq!(buckets.check(&deployment_bucket()), []);
        let made = buckets.create(&context, &deployment_bucket()).await.unwrap();
        assert_eq!(
            made.physical_id,
            "shop-dev-serverlessdeploymentbucket-0123456789ab"
        );
        assert_eq!(
            made.attributes["Arn"],
            "arn:aws:s3:::shop-dev-serverlessdeploymentbucket-0123456789ab"
        );
        assert_eq!(
            made.attributes["RegionalDomainName"],
            "shop-dev-serverlessdeploymentbucket-0123456789ab.s3.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            buckets.create(&context, &deployment_bucket()).await.unwrap(),
            made,
            "a repeated create"
        );
        let tagged = properties(json!({"Tags": [{"Key": "STAGE", "Value": "dev"}]}));
        assert_eq!(buckets.update(&context, &made, &tagged).await.unwrap(), made);
        let (bucket, _) = tables::get(&buckets.state.database, &made.physical_id)
            .await
            .unwrap();
        assert_eq!(bucket.tags["STAGE"], "dev");
        assert!(!bucket.settings.contains_key("BucketEncryption"));
    }

    #[tokio::test]
    async fn a_bucket_of_another_resource_is_neither_taken_nor_deleted() {
        let (buckets, _folder) = buckets().await;
        let named = properties(json!({"BucketName": "orders"}));
        let made = buckets
            .create(&ResourceContext::for_tests("Mine"), &named)
            .await
            .unwrap();
        let error = buckets
            .create(&ResourceContext::for_tests("Other"), &named)
            .await
            .unwrap_err();
        assert!(
            matches!(error, ResourceError::AlreadyExists { kind: "bucket", .. }),
            "{error}"
        );
        buckets
            .delete(&ResourceContext::for_tests("Other"), &made)
            .await
            .unwrap();
        assert!(tables::get(&buckets.state.database, "orders").await.is_some());
        for _ in 0..2 {
            buckets
                .delete(&ResourceContext::for_tests("Mine"), &made)
                .await
                .unwrap();
        }
        assert_eq!(tables::get(&buckets.state.database, "orders").await, None);
    }

    /// As in S3, an upload that nobody ends keeps no bucket.
    #[tokio::test]
    async fn unfinished_uploads_go_with_their_bucket() {
        let (buckets, _folder) = buckets().await;
        let context = ResourceContext::for_tests("Mine");
        let named = properties(json!({"BucketName": "orders"}));
        let made = buckets.create(&context, &named).await.unwrap();
        let upload = multipart::tests::upload();
        multipart::create(&buckets.state, &upload).await.unwrap();
        buckets.check_delete(&context, &made).await.unwrap();
        buckets.delete(&context, &made).await.unwrap();
        let left = multipart::find(&buckets.state, "orders", "k", &upload.id).await;
        assert_eq!(left.unwrap_err().code().as_str(), "NoSuchUpload");
        assert_eq!(tables::get(&buckets.state.database, "orders").await, None);
    }

    #[tokio::test]
    async fn long_generated_names_are_shortened() {
        let long = ResourceContext::for_tests(&"ABucketWithALongName".repeat(5));
        let (buckets, _folder) = buckets().await;
        let made = buckets.create(&long, &Properties::new()).await.unwrap();
        assert_eq!(made.physical_id.len(), 63);
        assert!(
            made.physical_id.ends_with("-0123456789ab"),
            "{}",
            made.physical_id
        );
    }

    #[tokio::test]
    async fn what_nobody_does_is_refused_by_name() {
        let (buckets, _folder) = buckets().await;
        for (property, _) in REFUSED {
            let problems = buckets.check(&properties(json!({*property: {}})));
            let expected = format!("property `{property}` is not supported yet: {NOT_HERE}");
            assert_eq!(problems[0].message, expected);
        }
        let problems = buckets.check(&properties(json!({"BucketName": "Not-Valid"})));
        assert_eq!(problems[0].path, ["BucketName"]);
    }

    #[tokio::test]
    async fn settings_of_the_wrong_form_are_refused() {
        let (buckets, _folder) = buckets().await;
        let wrong = properties(json!({"VersioningConfiguration": "Enabled"}));
        let error = buckets
            .create(&ResourceContext::for_tests("Bucket"), &wrong)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), VERSIONING.to_string());
    }

    #[tokio::test]
    async fn settings_come_and_go_with_their_properties() {
        let (buckets, _folder) = buckets().await;
        let context = ResourceContext::for_tests("Bucket");
        let cors = json!({"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]});
        let with = properties(json!({"BucketName": "orders", "CorsConfiguration": cors,
            "ObjectLockEnabled": true, "Tags": [{"Key": "a", "Value": "b"}]}));
        let made = buckets.create(&context, &with).await.unwrap();
        let configurations = &buckets.state.configurations;
        configurations
            .find::<s3s::dto::CORSConfiguration>("orders")
            .await
            .unwrap();
        configurations.find::<s3s::dto::Tagging>("orders").await.unwrap();
        assert!(configurations.has_object_lock("orders").await.unwrap());
        let bucket = crate::api::buckets::find(&buckets.state, "orders", None)
            .await
            .unwrap();
        assert_eq!(bucket.versioning, Versioning::Enabled);
        let without = properties(json!({"BucketName": "orders", "ObjectLockEnabled": true}));
        buckets.update(&context, &made, &without).await.unwrap();
        assert!(
            configurations
                .find::<s3s::dto::CORSConfiguration>("orders")
                .await
                .is_err()
        );
        assert!(configurations.find::<s3s::dto::Tagging>("orders").await.is_err());
        assert!(configurations.has_object_lock("orders").await.unwrap());
    }

    #[tokio::test]
    async fn notifications_need_their_queues() {
        let (buckets, _folder) = buckets().await;
        let mailbox = notification::testing::Mailbox::connect(buckets.state.notifier.router());
        let wanted = |arn: &str| {
            let queue = json!([{"Event": "s3:ObjectCreated:*", "Queue": arn}]);
            let notification = json!({ "QueueConfigurations": queue });
            properties(json!({"BucketName": "orders", "NotificationConfiguration": notification}))
        };
        let error = buckets
            .create(
                &ResourceContext::for_tests("Bucket"),
                &wanted("arn:aws:sqs:eu-west-1:000000000000:gone"),
            )
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("Unable to validate the following destination"),
            "{error}"
        );
        let arn = "arn:aws:sqs:eu-west-1:000000000000:events";
        let wanted = wanted(arn);
        let made = buckets
            .create(&ResourceContext::for_tests("Bucket"), &wanted)
            .await
            .unwrap();
        buckets
            .update(&ResourceContext::for_tests("Bucket"), &made, &wanted)
            .await
            .unwrap();
        let told = mailbox.take();
        assert_eq!((told.len(), told[0].0.as_str()), (1, arn), "one test event");
    }
}
