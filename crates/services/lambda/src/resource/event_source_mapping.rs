//! `AWS::Lambda::EventSourceMapping`.

use serde_json::{Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    optional_tags,
};

use super::{of_lambda, owner, scope, typed};
use crate::error::MappingError;
use crate::mapping::{Mapping, MappingId, NOT_FOR_SOURCES, REFUSED, REFUSED_WITHIN, WrittenMapping};
use crate::service::LambdaService;

const ACCEPTED: &[&str] = &[
    "AmazonManagedKafkaEventSourceConfig",
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "Enabled",
    "EventSourceArn",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ProvisionedPollerConfig",
    "ScalingConfig",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "StartingPosition",
    "StartingPositionTimestamp",
    "Tags",
    "Topics",
];
const NUMBERS: &[&str] = &[
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "StartingPositionTimestamp",
];
const FLAGS: &[&str] = &["BisectBatchOnFunctionError", "Enabled"];
/// Of members with members.
const INNER_NUMBERS: &[(&str, &[&str])] = &[
    ("ProvisionedPollerConfig", &["MaximumPollers", "MinimumPollers"]),
    ("ScalingConfig", &["MaximumConcurrency"]),
];

/// As templates spell it.
const MORE_REFUSED: &[(&str, &str)] = &[("KmsKeyArn", "filters are kept as they are; remove it")];

/// The type.
#[derive(Debug)]
pub(super) struct EventSourceMappingType(pub(super) LambdaService);

impl ResourceHandler for EventSourceMappingType {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::EventSourceMapping"
    }

    fn known_properties(&self) -> KnownProperties {
        let known = KnownProperties::new(ACCEPTED)
            .requiring(&["FunctionName"])
            .refusing("", REFUSED)
            .refusing("", NOT_FOR_SOURCES)
            .refusing("", MORE_REFUSED);
        let within = REFUSED_WITHIN.iter();
        within.fold(known, |known, (outer, name, hint)| {
            known.refusing(outer, &[(*name, *hint)])
        })
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &[
            "AmazonManagedKafkaEventSourceConfig",
            "EventSourceArn",
            "SelfManagedEventSource",
            "SelfManagedKafkaEventSourceConfig",
            "StartingPosition",
            "StartingPositionTimestamp",
            "Topics",
        ]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let written = WrittenMapping::read(&members(properties)).map_err(of_lambda)?;
        let tags = optional_tags(properties, "Tags")?;
        let (service, scope, owner) = (self.0.clone(), scope(context), owner(context));
        let decide = move |there: &[std::sync::Arc<Mapping>]| {
            let own = there
                .iter()
                .find(|mapping| mapping.owner.as_ref() == Some(&owner) && written.is_source_of(mapping));
            let mapping = match own {
                // made by an earlier try of this create that was interrupted
                Some(own) => written.replace(&service, own)?,
                None => written.create(&service, &scope, Some(owner), there)?,
            };
            Ok(Mapping { tags, ..mapping })
        };
        let made = self.0.put_mapping(decide).await.map_err(of_lambda)?;
        Ok(state(&made))
    }

    async fn update(
        &self,
        _context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let written = WrittenMapping::read(&members(properties)).map_err(of_lambda)?;
        let tags = optional_tags(properties, "Tags")?;
        let (service, id) = (self.0.clone(), current.physical_id.parse::<MappingId>().ok());
        let decide = move |there: &[std::sync::Arc<Mapping>]| {
            let own = there.iter().find(|mapping| Some(mapping.id) == id);
            let mapping = written.replace(&service, own.ok_or(MappingError::NotFound)?)?;
            Ok(Mapping { tags, ..mapping })
        };
        let changed = self.0.put_mapping(decide).await.map_err(of_lambda)?;
        Ok(state(&changed))
    }

    async fn delete(&self, _context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let Ok(id) = current.physical_id.parse::<MappingId>() else {
            return Ok(());
        };
        match self.0.delete_mapping(id).await {
            Ok(_) | Err(crate::error::LambdaError::Mapping(MappingError::NotFound | MappingError::InUse)) => {
                Ok(())
            }
            Err(error) => Err(of_lambda(error)),
        }
    }
}

/// The properties as the members of a request; what a template writes as text becomes a number or a flag.
fn members(properties: &Properties) -> Properties {
    let mut members = typed(properties, NUMBERS, FLAGS);
    members.retain(|name, value| name != "Tags" && !value.is_null());
    for (name, numbers) in INNER_NUMBERS {
        if let Some(Value::Object(inner)) = members.get_mut(*name) {
            *inner = typed(inner, numbers, &[]);
        }
    }
    let endpoints = members
        .get_mut("SelfManagedEventSource")
        .and_then(|source| source.get_mut("Endpoints")?.as_object_mut());
    if let Some(endpoints) = endpoints
        && let Some(servers) = endpoints.remove("KafkaBootstrapServers")
    {
        endpoints.insert("KAFKA_BOOTSTRAP_SERVERS".into(), servers);
    }
    members
}

fn state(mapping: &Mapping) -> ResourceState {
    let mut attributes = Properties::new();
    attributes.insert("EventSourceMappingArn".into(), json!(mapping.arn()));
    attributes.insert("Id".into(), json!(mapping.id.to_string()));
    ResourceState {
        physical_id: mapping.id.to_string(),
        reference: None,
        attributes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, context};

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:orders";

    async fn shown(world: &World, state: &ResourceState) -> Value {
        let path = format!("/2015-03-31/event-source-mappings/{}", state.physical_id);
        world.call("GET", &path, &Value::Null).await.json()
    }

    fn given(more: &Value) -> Properties {
        let mut given = json!({"FunctionName": "f", "EventSourceArn": QUEUE});
        for (name, value) in more.as_object().unwrap() {
            given[name] = value.clone();
        }
        given.as_object().unwrap().clone()
    }

    #[tokio::test]
    async fn a_mapping_follows_its_template() {
        let world = World::new().await;
        world.create("f", "exports.handler = async () => {};").await;
        let kind = world.resource_type("AWS::Lambda::EventSourceMapping");
        let first = given(&json!({
            "BatchSize": "50", "MaximumBatchingWindowInSeconds": "5", "Enabled": "false",
            "ScalingConfig": {"MaximumConcurrency": "4"}, "Tags": [{"Key": "team", "Value": "shop"}],
        }));
        let made = kind.create(&context("Orders"), &first).await.unwrap();
        assert_eq!(kind.create(&context("Orders"), &first).await.unwrap(), made);
        let mapping = shown(&world, &made).await;
        assert_eq!(
            mapping["EventSourceMappingArn"],
            made.attributes["EventSourceMappingArn"]
        );
        for (name, value) in [
            ("BatchSize", json!(50)),
            ("MaximumBatchingWindowInSeconds", json!(5)),
            ("State", json!("Disabled")),
            ("ScalingConfig", json!({"MaximumConcurrency": 4})),
        ] {
            assert_eq!(mapping[name], value, "{name}");
        }
        // what a template does not say any more is as usual again
        let changed = kind
            .update(&context("Orders"), &made, &given(&json!({})))
            .await
            .unwrap();
        assert_eq!(changed, made);
        let mapping = shown(&world, &made).await;
        assert_eq!(
            (&mapping["BatchSize"], &mapping["State"]),
            (&json!(10), &json!("Enabled"))
        );
        assert_eq!(mapping.get("ScalingConfig"), None);
        kind.delete(&context("Orders"), &made).await.unwrap();
        kind.delete(&context("Orders"), &made).await.unwrap();
        assert_eq!(shown(&world, &made).await["Type"], "User");
    }

    #[tokio::test]
    async fn a_topic_is_mapped_as_its_template_says() {
        let world = World::new().await;
        world.create("f", "exports.handler = async () => {};").await;
        let kind = world.resource_type("AWS::Lambda::EventSourceMapping");
        let mut given = json!({
            "FunctionName": "f", "Topics": ["orders"], "StartingPosition": "TRIM_HORIZON", "Enabled": "false",
            "SelfManagedEventSource": {"Endpoints": {"KafkaBootstrapServers": ["127.0.0.1:1"]}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "readers"},
            "BisectBatchOnFunctionError": "true", "MaximumRetryAttempts": "3",
            "ProvisionedPollerConfig": {"MinimumPollers": "1", "MaximumPollers": "2"},
            "SourceAccessConfigurations": [{"Type": "VPC_SUBNET", "URI": "subnet:subnet-1"}],
        });
        let properties = |given: &Value| given.as_object().unwrap().clone();
        assert_eq!(kind.check(&properties(&given)), []);
        let made = kind
            .create(&context("Orders"), &properties(&given))
            .await
            .unwrap();
        let mapping = shown(&world, &made).await;
        for (name, value) in [
            ("Topics", json!(["orders"])),
            ("StartingPosition", json!("TRIM_HORIZON")),
            (
                "SelfManagedKafkaEventSourceConfig",
                json!({"ConsumerGroupId": "readers"}),
            ),
            ("BisectBatchOnFunctionError", json!(true)),
            ("MaximumRetryAttempts", json!(3)),
            ("MaximumRecordAgeInSeconds", json!(-1)),
            ("BatchSize", json!(100)),
            (
                "ProvisionedPollerConfig",
                json!({"MinimumPollers": 1, "MaximumPollers": 2}),
            ),
        ] {
            assert_eq!(mapping[name], value, "{name}");
        }
        assert_eq!(mapping.get("EventSourceArn"), None);
        // what a stack replaces is there until the new one is
        given["StartingPosition"] = json!("LATEST");
        let next = kind
            .create(&context("Orders"), &properties(&given))
            .await
            .unwrap();
        assert_ne!(next.physical_id, made.physical_id);
        kind.delete(&context("Orders"), &made).await.unwrap();
        let again = kind
            .create(&context("Orders"), &properties(&given))
            .await
            .unwrap();
        assert_eq!(again, next);
    }

    #[tokio::test]
    async fn another_resources_mapping_is_not_taken() {
        let world = World::new().await;
        world.create("f", "exports.handler = async () => {};").await;
        let kind = world.resource_type("AWS::Lambda::EventSourceMapping");
        kind.create(&context("Orders"), &given(&json!({}))).await.unwrap();
        let error = kind
            .create(&context("Others"), &given(&json!({})))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("already exists"), "{error}");
        let refused = kind.check(&given(&json!({"ParallelizationFactor": 2, "KmsKeyArn": "k"})));
        assert_eq!(refused.len(), 2, "{refused:?}");
    }
}
