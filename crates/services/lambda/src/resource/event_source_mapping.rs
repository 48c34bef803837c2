//! `AWS::Lambda::EventSourceMapping`.

use serde_json::{Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    optional_tags,
};

use super::{of_lambda, owner, scope, typed};
use crate::error::MappingError;
use crate::mapping::{Mapping, MappingId, NOT_FOR_QUEUES, REFUSED, WrittenMapping};
use crate::service::LambdaService;

const ACCEPTED: &[&str] = &[
    "BatchSize",
    "Enabled",
    "EventSourceArn",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "ScalingConfig",
    "Tags",
];
const NUMBERS: &[&str] = &["BatchSize", "MaximumBatchingWindowInSeconds"];

/// What queues do not have, and `KMSKeyArn` as templates spell it.
const MORE_REFUSED: &[(&str, &str)] = &[
    ("KmsKeyArn", "filters are kept as they are; remove it"),
    ("StartingPosition", "queues have no positions"),
    ("StartingPositionTimestamp", "queues have no positions"),
];

/// The type.
#[derive(Debug)]
pub(super) struct EventSourceMappingType(pub(super) LambdaService);

impl ResourceHandler for EventSourceMappingType {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::EventSourceMapping"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED)
            .requiring(&["EventSourceArn", "FunctionName"])
            .refusing("", REFUSED)
            .refusing("", NOT_FOR_QUEUES)
            .refusing("", MORE_REFUSED)
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["EventSourceArn"]
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
                .find(|mapping| mapping.owner.as_ref() == Some(&owner));
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
    let mut members = typed(properties, NUMBERS, &["Enabled"]);
    members.retain(|name, value| name != "Tags" && !value.is_null());
    if let Some(Value::Object(scaling)) = members.get_mut("ScalingConfig") {
        *scaling = typed(scaling, &["MaximumConcurrency"], &[]);
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
        let refused = kind.check(&given(&json!({"StartingPosition": "LATEST", "KmsKeyArn": "k"})));
        assert_eq!(refused.len(), 2, "{refused:?}");
    }
}
