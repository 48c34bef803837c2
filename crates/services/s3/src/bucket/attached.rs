//! `Tradewind::S3::BucketNotification`: notifications added to a bucket that something else made.
//!
//! CloudFormation has no such type; the Serverless Framework runs a function of its own instead. The entries carry
//! ids that say whose they are, so that what others have set is left alone, and only these go with the resource.

use s3s::dto::NotificationConfiguration;
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    required_text,
};

use super::documents::Documents;
use crate::error::BucketError;
use crate::notification;
use crate::state::State;
use crate::tables;

const BUCKET: &str = "Bucket";
const CONFIGURATION: &str = "NotificationConfiguration";

/// Notifications of stacks on buckets of others.
#[derive(Debug)]
pub(crate) struct BucketNotificationType {
    state: State,
}

impl BucketNotificationType {
    pub(crate) fn new(state: State) -> Self {
        Self { state }
    }

    async fn attach(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, BucketError> {
        let bucket = required_text(properties, BUCKET)?;
        let mut given = properties.clone();
        given.remove(BUCKET);
        let added = Documents::of(&given, context.account.as_str())?.notification;
        let mut added = added.unwrap_or_default();
        if added.event_bridge_configuration.is_some() {
            return Err(BucketError::Shape {
                property: CONFIGURATION,
                expected: "functions, queues and topics; the event bus gets events by a setting of the bucket itself",
            });
        }
        let targets = notification::targets_of(&added);
        self.state.notifier.check_targets(&targets).map_err(refused)?;
        mark(&mut added, &prefix(context));
        let before = self
            .of_bucket(&bucket)
            .await?
            .ok_or_else(|| BucketError::NoBucket { name: bucket.clone() })?;
        let merged = join(without(before, &prefix(context)), added);
        notification::check(&merged).map_err(refused)?;
        self.state
            .configurations
            .put(&bucket, &merged)
            .await
            .map_err(refused)?;
        Ok(ResourceState {
            physical_id: format!("{bucket}/{}", prefix(context)),
            ..ResourceState::default()
        })
    }

    async fn detach(&self, current: &ResourceState) -> Result<(), BucketError> {
        let Some((bucket, prefix)) = current.physical_id.split_once('/') else {
            return Ok(());
        };
        // a bucket that is gone took them along
        let Some(before) = self.of_bucket(bucket).await? else {
            return Ok(());
        };
        let left = without(before, prefix);
        self.state
            .configurations
            .put(bucket, &left)
            .await
            .map_err(refused)
    }

    /// What the bucket notifies; none if there is no such bucket.
    async fn of_bucket(&self, bucket: &str) -> Result<Option<NotificationConfiguration>, BucketError> {
        if tables::find_bucket(&self.state.database, bucket).await?.is_none() {
            return Ok(None);
        }
        let stored = self
            .state
            .configurations
            .stored::<NotificationConfiguration>(bucket)
            .await;
        Ok(Some(stored.map_err(refused)?.put().unwrap_or_default()))
    }
}

fn refused(error: s3s::S3Error) -> BucketError {
    let message = error
        .message()
        .unwrap_or("the bucket's configuration cannot be read")
        .to_owned();
    BucketError::Document {
        property: CONFIGURATION,
        message,
    }
}

/// What the ids of a resource's entries begin with. Logical ids have no dash, so no other resource's do.
fn prefix(context: &ResourceContext) -> String {
    format!("{}-{}-", context.stack, context.logical_id)
}

/// Gives each entry an id of the resource.
fn mark(added: &mut NotificationConfiguration, prefix: &str) {
    let functions = added.lambda_function_configurations.iter_mut().flatten();
    let queues = added.queue_configurations.iter_mut().flatten();
    let topics = added.topic_configurations.iter_mut().flatten();
    let ids = functions
        .map(|to| &mut to.id)
        .chain(queues.map(|to| &mut to.id))
        .chain(topics.map(|to| &mut to.id));
    for (index, id) in ids.enumerate() {
        *id = Some(format!("{prefix}{}", index + 1));
    }
}

fn without(mut configuration: NotificationConfiguration, prefix: &str) -> NotificationConfiguration {
    let other = |id: &Option<String>| id.as_deref().is_none_or(|id| !id.starts_with(prefix));
    if let Some(list) = &mut configuration.lambda_function_configurations {
        list.retain(|to| other(&to.id));
    }
    if let Some(list) = &mut configuration.queue_configurations {
        list.retain(|to| other(&to.id));
    }
    if let Some(list) = &mut configuration.topic_configurations {
        list.retain(|to| other(&to.id));
    }
    configuration
}

fn join(mut one: NotificationConfiguration, other: NotificationConfiguration) -> NotificationConfiguration {
    let functions = other.lambda_function_configurations.into_iter().flatten();
    let queues = other.queue_configurations.into_iter().flatten();
    let topics = other.topic_configurations.into_iter().flatten();
    one.lambda_function_configurations
        .get_or_insert_default()
        .extend(functions);
    one.queue_configurations.get_or_insert_default().extend(queues);
    one.topic_configurations.get_or_insert_default().extend(topics);
    one
}

impl ResourceHandler for BucketNotificationType {
    fn type_name(&self) -> &'static str {
        "Tradewind::S3::BucketNotification"
    }

    fn known_properties(&self) -> KnownProperties {
        const PROPERTIES: &[&str] = &[BUCKET, CONFIGURATION];
        KnownProperties::new(PROPERTIES).requiring(PROPERTIES)
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &[BUCKET]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        Ok(self.attach(context, properties).await?)
    }

    async fn delete(&self, _context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        Ok(self.detach(current).await?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::BucketType;
    use super::*;

    fn properties(value: Value) -> Properties {
        value.as_object().unwrap().clone()
    }

    fn to(queue: &str, event: &str) -> Value {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
        json!({"QueueConfigurations": [{"Event": event, "Queue": arn}]})
    }

    async fn ids(state: &State) -> Vec<String> {
        let stored = state
            .configurations
            .stored::<NotificationConfiguration>("photos")
            .await;
        let queues = stored
            .unwrap()
            .put()
            .and_then(|document| document.queue_configurations);
        queues
            .unwrap_or_default()
            .into_iter()
            .filter_map(|to| to.id)
            .collect()
    }

    #[tokio::test]
    async fn notifications_are_added_beside_others_and_go_alone() {
        let (state, _folder) = crate::state::for_tests().await;
        let _mailbox = notification::testing::Mailbox::connect(state.notifier.router());
        let attached = BucketNotificationType::new(state.clone());
        let wanted = |event: &str, queue: &str| {
            properties(json!({"Bucket": "photos", "NotificationConfiguration": to(queue, event)}))
        };
        let mine = ResourceContext::for_tests("Mine");
        let error = attached
            .create(&mine, &wanted("s3:ObjectCreated:*", "q"))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "bucket `photos` does not exist");
        let bucket = properties(json!({"BucketName": "photos",
            "NotificationConfiguration": to("own", "s3:ObjectTagging:*")}));
        let buckets = BucketType::new(state.clone());
        buckets
            .create(&ResourceContext::for_tests("Bucket"), &bucket)
            .await
            .unwrap();
        let made = attached
            .create(&mine, &wanted("s3:ObjectCreated:*", "q"))
            .await
            .unwrap();
        let other = ResourceContext::for_tests("Other");
        attached
            .create(&other, &wanted("s3:ObjectRemoved:*", "q"))
            .await
            .unwrap();
        assert_eq!(ids(&state).await[1..], ["shop-dev-Mine-1", "shop-dev-Other-1"]);
        let clash = attached
            .update(&mine, &made, &wanted("s3:ObjectRemoved:Delete", "q"))
            .await;
        assert!(clash.unwrap_err().to_string().contains("overlap"));
        let again = attached
            .update(&mine, &made, &wanted("s3:ObjectCreated:Put", "q"))
            .await
            .unwrap();
        assert_eq!(again, made);
        for _ in 0..2 {
            attached.delete(&mine, &made).await.unwrap();
            let left = ids(&state).await;
            assert_eq!((left.len(), left[1].as_str()), (2, "shop-dev-Other-1"));
        }
    }
}
