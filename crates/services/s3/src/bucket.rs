//! `AWS::S3::Bucket`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, optional_tags, optional_text, problem,
};
use tradewind_store::Database;

use crate::error::BucketError;
use crate::model::{Bucket, BucketName};
use crate::tables;

/// Settings that are kept as they are given.
const SETTINGS: &[&str] = &[
    "AccessControl",
    "BucketEncryption",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "VersioningConfiguration",
];
const ACCEPTED: &[&str] = &[
    "AccessControl",
    "BucketEncryption",
    "BucketName",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "Tags",
    "VersioningConfiguration",
];
const NO_SERVICE: &str = "buckets are recorded only, the S3 service that would do it is not there yet";
const REFUSED: &[(&str, &str)] = &[
    ("AbacStatus", NO_SERVICE),
    ("AccelerateConfiguration", NO_SERVICE),
    ("AnalyticsConfigurations", NO_SERVICE),
    ("BucketNamePrefix", NO_SERVICE),
    ("BucketNamespace", NO_SERVICE),
    ("CorsConfiguration", NO_SERVICE),
    ("IntelligentTieringConfigurations", NO_SERVICE),
    ("InventoryConfigurations", NO_SERVICE),
    ("LifecycleConfiguration", NO_SERVICE),
    ("LoggingConfiguration", NO_SERVICE),
    ("MetadataConfiguration", NO_SERVICE),
    ("MetadataTableConfiguration", NO_SERVICE),
    ("MetricsConfigurations", NO_SERVICE),
    ("NotificationConfiguration", NO_SERVICE),
    ("ObjectLockConfiguration", NO_SERVICE),
    ("ObjectLockEnabled", NO_SERVICE),
    ("ReplicationConfiguration", NO_SERVICE),
    ("WebsiteConfiguration", NO_SERVICE),
];

/// Buckets as rows.
#[derive(Debug)]
pub(crate) struct BucketType {
    database: Database,
}

impl BucketType {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        name: BucketName,
        properties: &Properties,
    ) -> Result<ResourceState, BucketError> {
        let bucket = Bucket {
            tags: optional_tags(properties, "Tags")?,
            settings: settings(properties)?,
        };
        tables::put_bucket(&self.database, context, name.as_str(), &bucket).await?;
        let attributes = name.attributes(&context.region).into_iter();
        let attributes: Map<String, Value> = attributes
            .map(|(attribute, value)| (attribute.to_owned(), value.into()))
            .collect();
        Ok(ResourceState {
            physical_id: name.to_string(),
            reference: None,
            attributes,
        })
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
        &["BucketName"]
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

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        Ok(tables::delete_bucket(&self.database, context, &current.physical_id).await?)
    }
}

fn settings(properties: &Properties) -> Result<BTreeMap<String, Value>, BucketError> {
    let mut settings = BTreeMap::new();
    for &property in SETTINGS {
        let Some(value) = properties.get(property) else {
            continue;
        };
        let (fits, expected) = match property {
            "AccessControl" => (value.is_string(), "the name of a canned ACL"),
            _ => (value.is_object(), "an object"),
        };
        if !fits {
            return Err(BucketError::Shape { property, expected });
        }
        settings.insert(property.to_owned(), value.clone());
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tradewind_model::{AccountId, Region};

    fn context(logical_id: &str) -> ResourceContext {
        ResourceContext {
            stack: "shop-dev".into(),
            logical_id: logical_id.into(),
            generated_name: format!("shop-dev-{logical_id}-0123456789AB"),
            account: AccountId::default_account(),
            region: "eu-west-1".parse::<Region>().unwrap(),
            prove_updates: false,
        }
    }

    fn buckets() -> BucketType {
        BucketType::new(Database::in_memory_for_tests(&[tables::MIGRATIONS]))
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
        let buckets = buckets();
        let context = context("ServerlessDeploymentBucket");
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
        let (bucket, _) = tables::get(&buckets.database, &made.physical_id).await.unwrap();
        assert_eq!(bucket.tags["STAGE"], "dev");
        assert!(bucket.settings.is_empty());
    }

    #[tokio::test]
    async fn a_bucket_of_another_resource_is_neither_taken_nor_deleted() {
        let buckets = buckets();
        let named = properties(json!({"BucketName": "orders"}));
        let made = buckets.create(&context("Mine"), &named).await.unwrap();
        let error = buckets.create(&context("Other"), &named).await.unwrap_err();
        assert!(
            matches!(error, ResourceError::AlreadyExists { kind: "bucket", .. }),
            "{error}"
        );
        buckets.delete(&context("Other"), &made).await.unwrap();
        assert!(tables::get(&buckets.database, "orders").await.is_some());
        for _ in 0..2 {
            buckets.delete(&context("Mine"), &made).await.unwrap();
        }
        assert_eq!(tables::get(&buckets.database, "orders").await, None);
    }

    #[tokio::test]
    async fn long_generated_names_are_shortened() {
        let long = context(&"ABucketWithALongName".repeat(5));
        let made = buckets().create(&long, &Properties::new()).await.unwrap();
        assert_eq!(made.physical_id.len(), 63);
        assert!(
            made.physical_id.ends_with("-0123456789ab"),
            "{}",
            made.physical_id
        );
    }

    #[test]
    fn what_needs_the_service_is_refused_by_name() {
        for (property, _) in REFUSED {
            let problems = buckets().check(&properties(json!({*property: {}})));
            let expected = format!("property `{property}` is not supported yet: {NO_SERVICE}");
            assert_eq!(problems[0].message, expected);
        }
        let problems = buckets().check(&properties(json!({"BucketName": "Not-Valid"})));
        assert_eq!(problems[0].path, ["BucketName"]);
    }

    #[tokio::test]
    async fn settings_of_the_wrong_form_are_refused() {
        let wrong = properties(json!({"VersioningConfiguration": "Enabled"}));
        let error = buckets().create(&context("Bucket"), &wrong).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "property `VersioningConfiguration` must be an object"
        );
    }

    #[test]
    fn every_setting_is_accepted() {
        assert!(SETTINGS.iter().all(|setting| ACCEPTED.contains(setting)));
    }
}
