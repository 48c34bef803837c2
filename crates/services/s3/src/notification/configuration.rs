//! The notification configuration of a bucket: checked as S3 checks it, and as destinations.

use std::collections::BTreeSet;

use s3s::dto::{
    FilterRule, GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput,
    NotificationConfiguration, NotificationConfigurationFilter, PutBucketNotificationConfigurationInput,
    PutBucketNotificationConfigurationOutput, QueueConfiguration,
};
use s3s::{S3Error, S3ErrorCode, S3Result};
use tradewind_model::Arn;
use tradewind_store::queue::{QueueError, QueueId};
use uuid::Uuid;

use super::{EventName, Notifier};
use crate::configuration::{Configurations, refused};

/// Events that happen here; `…:*` stands for all of its kind.
const EVENTS: &[&str] = &[
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
/// Kinds of events of S3 that cannot happen here.
const IMPOSSIBLE: &[&str] = &[
    "s3:ReducedRedundancyLostObject",
    "s3:ObjectRestore:",
    "s3:Replication:",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
];
const CONFIGURATIONS: usize = 100;
const FILTER_CHARACTERS: usize = 1024;

/// A queue and the events it wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Destination {
    pub(super) id: String,
    pub(super) queue: QueueId,
    events: Vec<String>,
    prefix: String,
    suffix: String,
}

impl Destination {
    /// The destinations of a checked configuration.
    pub(super) fn all_of(configuration: &NotificationConfiguration) -> Vec<Self> {
        let queues = configuration.queue_configurations.iter().flatten();
        queues.map(Self::of).collect()
    }

    fn of(configuration: &QueueConfiguration) -> Self {
        let value = |name: &str| {
            let rule = filter_rules(configuration.filter.as_ref()).find(|rule| is_named(rule, name));
            rule.and_then(|rule| rule.value.clone()).unwrap_or_default()
        };
        let events = configuration.events.iter();
        Self {
            id: configuration.id.clone().unwrap_or_default(),
            queue: QueueId::new(&configuration.queue_arn),
            events: events.map(|event| event.as_ref().to_owned()).collect(),
            prefix: value("prefix"),
            suffix: value("suffix"),
        }
    }

    /// Whether it wants this event of this key.
    pub(super) fn wants(&self, event: EventName, key: &str) -> bool {
        let named = self.events.iter().any(|wanted| covers(wanted, event.as_str()));
        named && key.starts_with(&self.prefix) && key.ends_with(&self.suffix)
    }

    /// Whether some event of some key is wanted by both.
    fn overlaps(&self, other: &Self) -> bool {
        let nested = |a: &str, b: &str, within: fn(&str, &str) -> bool| within(a, b) || within(b, a);
        let events = self.events.iter().any(|a| {
            let mut others = other.events.iter();
            others.any(|b| a == b || covers(a, plain(b)) || covers(b, plain(a)))
        });
        events
            && nested(&self.prefix, &other.prefix, |a, b| a.starts_with(b))
            && nested(&self.suffix, &other.suffix, |a, b| a.ends_with(b))
    }
}

/// Whether an event of a configuration is, or stands for, the event of a message.
fn covers(configured: &str, event: &str) -> bool {
    let configured = plain(configured);
    configured
        .strip_suffix('*')
        .map_or(configured == event, |kind| event.starts_with(kind))
}

fn plain(event: &str) -> &str {
    event.strip_prefix("s3:").unwrap_or(event)
}

fn filter_rules(filter: Option<&NotificationConfigurationFilter>) -> impl Iterator<Item = &FilterRule> {
    let key = filter.and_then(|filter| filter.key.as_ref());
    key.and_then(|key| key.filter_rules.as_ref())
        .into_iter()
        .flatten()
}

fn is_named(rule: &FilterRule, name: &str) -> bool {
    let given = rule.name.as_ref().map_or("", |name| name.as_str());
    given.eq_ignore_ascii_case(name)
}

impl Notifier {
    /// Checks the configuration and its queues, keeps it, and sends each queue the test event.
    ///
    /// # Errors
    /// S3's own; what cannot be delivered is refused by name.
    pub(crate) async fn put_bucket_notification_configuration(
        &self,
        input: PutBucketNotificationConfigurationInput,
    ) -> S3Result<PutBucketNotificationConfigurationOutput> {
        let mut configuration = input.notification_configuration;
        check(&configuration)?;
        for queue in configuration.queue_configurations.iter_mut().flatten() {
            queue
                .id
                .get_or_insert_with(|| Uuid::new_v4().simple().to_string());
        }
        let queues = queues_of(&configuration);
        if input.skip_destination_validation != Some(true) {
            self.check_queues(&queues).await?;
        }
        self.configurations.put(&input.bucket, &configuration).await?;
        if input.skip_destination_validation != Some(true) {
            self.send_test_events(&input.bucket, &queues).await?;
        }
        Ok(PutBucketNotificationConfigurationOutput::default())
    }

    /// Refuses queues that are not there, or cannot be notified.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub(crate) async fn check_queues(&self, queues: &[QueueId]) -> S3Result<()> {
        for queue in queues {
            match self.queues.settings(queue).await {
                Ok(settings) if !settings.fifo => {}
                Ok(_) => {
                    return Err(argument(
                        "SQS FIFO queues are not supported as destinations of bucket notifications",
                    ));
                }
                Err(QueueError::NotFound { .. }) => return Err(unknown_destination()),
                Err(error) => return Err(S3Error::internal_error(error)),
            }
        }
        Ok(())
    }
}

impl Configurations {
    pub(crate) async fn get_bucket_notification_configuration(
        &self,
        input: GetBucketNotificationConfigurationInput,
    ) -> S3Result<GetBucketNotificationConfigurationOutput> {
        let stored = self
            .stored::<NotificationConfiguration>(&input.bucket)
            .await?
            .put();
        let queues = stored.and_then(|stored| stored.queue_configurations);
        Ok(GetBucketNotificationConfigurationOutput {
            queue_configurations: queues,
            ..GetBucketNotificationConfigurationOutput::default()
        })
    }
}

/// The queues that a configuration names, each once.
pub(crate) fn queues_of(configuration: &NotificationConfiguration) -> Vec<QueueId> {
    let destinations = Destination::all_of(configuration).into_iter();
    let queues: BTreeSet<QueueId> = destinations.map(|destination| destination.queue).collect();
    queues.into_iter().collect()
}

/// Configurations without an id get one, as S3 gives it.
pub(crate) fn named(mut configuration: NotificationConfiguration) -> NotificationConfiguration {
    for queue in configuration.queue_configurations.iter_mut().flatten() {
        queue
            .id
            .get_or_insert_with(|| Uuid::new_v4().simple().to_string());
    }
    configuration
}

/// Checks a configuration as S3 does; what cannot be delivered yet is refused by name.
pub(crate) fn check(configuration: &NotificationConfiguration) -> S3Result<()> {
    let functions = configuration.lambda_function_configurations.as_ref();
    let topics = configuration.topic_configurations.as_ref();
    let refusals = [
        (functions.is_some_and(|list| !list.is_empty()), "Lambda functions"),
        (topics.is_some_and(|list| !list.is_empty()), "SNS topics"),
        (configuration.event_bridge_configuration.is_some(), "EventBridge"),
    ];
    if let Some((_, what)) = refusals.iter().find(|(given, _)| *given) {
        let message = format!("bucket notifications to {what} are not implemented yet; SQS queues are");
        return Err(refused(S3ErrorCode::NotImplemented, message));
    }
    let queues = configuration.queue_configurations.as_deref().unwrap_or_default();
    if queues.len() > CONFIGURATIONS {
        return Err(argument("The number of notification configurations exceeds 100"));
    }
    queues.iter().try_for_each(check_queue)?;
    let destinations = Destination::all_of(configuration);
    let overlap = destinations.iter().enumerate().any(|(at, one)| {
        let mut after = destinations.iter().skip(at + 1);
        after.any(|other| one.overlaps(other))
    });
    if overlap {
        return Err(argument(
            "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
        ));
    }
    Ok(())
}

fn check_queue(queue: &QueueConfiguration) -> S3Result<()> {
    let arn: Arn = queue
        .queue_arn
        .parse()
        .map_err(|_invalid| argument("The ARN is not well formed"))?;
    if &*arn.service != "sqs" {
        return Err(argument("The ARN is not well formed"));
    }
    if queue.events.is_empty() {
        return Err(crate::configuration::malformed());
    }
    for event in &queue.events {
        check_event(event.as_ref())?;
    }
    let mut names = BTreeSet::new();
    for rule in filter_rules(queue.filter.as_ref()) {
        let name = rule
            .name
            .as_ref()
            .map_or("", |name| name.as_str())
            .to_ascii_lowercase();
        if name != "prefix" && name != "suffix" {
            return Err(argument("filter rule name must be either prefix or suffix"));
        }
        if rule.value.as_deref().unwrap_or_default().len() > FILTER_CHARACTERS {
            return Err(argument(
                "Size of filter rule value cannot exceed 1024 bytes in UTF-8",
            ));
        }
        if !names.insert(name == "prefix") {
            return Err(argument(match name.as_str() {
                "prefix" => "Cannot specify more than one prefix rule in a filter.",
                _ => "Cannot specify more than one suffix rule in a filter.",
            }));
        }
    }
    Ok(())
}

fn check_event(event: &str) -> S3Result<()> {
    if EVENTS.contains(&event) {
        return Ok(());
    }
    if IMPOSSIBLE.iter().any(|kind| event.starts_with(kind)) {
        let message =
            format!("events of the kind `{event}` are not implemented: what they tell of never happens");
        return Err(refused(S3ErrorCode::NotImplemented, message));
    }
    Err(argument("The event is not supported for notifications"))
}

fn unknown_destination() -> S3Error {
    argument("Unable to validate the following destination configurations")
}

fn argument(message: &'static str) -> S3Error {
    refused(S3ErrorCode::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3s::xml::{Deserialize as _, Deserializer};

    const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:events";

    fn parse(inside: &str) -> NotificationConfiguration {
        let text = format!("<NotificationConfiguration>{inside}</NotificationConfiguration>");
        NotificationConfiguration::deserialize(&mut Deserializer::new(text.as_bytes())).unwrap()
    }

    fn queue(arn: &str, event: &str, rules: &[(&str, &str)]) -> String {
        let rules: String = rules
            .iter()
            .map(|(name, value)| {
                format!("<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>")
            })
            .collect();
        format!(
            "<QueueConfiguration><Queue>{arn}</Queue><Event>{event}</Event>\
             <Filter><S3Key>{rules}</S3Key></Filter></QueueConfiguration>"
        )
    }

    #[test]
    fn a_destination_wants_its_events_of_its_keys() {
        let configuration = parse(&queue(
            ARN,
            "s3:ObjectCreated:*",
            &[("Prefix", "in/"), ("suffix", ".jpg")],
        ));
        check(&configuration).unwrap();
        let destination = &Destination::all_of(&configuration)[0];
        assert!(destination.wants(EventName::Put, "in/a.jpg"));
        assert!(destination.wants(EventName::CompleteMultipartUpload, "in/a.jpg"));
        assert!(!destination.wants(EventName::Delete, "in/a.jpg"));
        assert!(!destination.wants(EventName::Put, "a.jpg"));
        assert!(!destination.wants(EventName::Put, "in/a.png"));
    }

    #[test]
    fn configurations_are_checked_as_s3_does() {
        let put = "s3:ObjectCreated:Put";
        for (text, part) in [
            (queue("sqs", put, &[]), "not well formed"),
            (
                queue("arn:aws:sns:us-east-1:000000000000:t", put, &[]),
                "not well formed",
            ),
            (queue(ARN, "s3:Other", &[]), "not supported for notifications"),
            (queue(ARN, "s3:ObjectRestore:Post", &[]), "not implemented"),
            (queue(ARN, put, &[("infix", "a")]), "either prefix or suffix"),
            (
                queue(ARN, put, &[("prefix", "a"), ("prefix", "b")]),
                "more than one prefix",
            ),
            (
                queue(ARN, put, &[("prefix", "a")]) + &queue(ARN, "s3:ObjectCreated:*", &[("prefix", "ab")]),
                "overlap",
            ),
            (
                format!(
                    "<TopicConfiguration><Topic>arn:aws:sns:us-east-1:000000000000:t</Topic><Event>{put}</Event></TopicConfiguration>"
                ),
                "SNS topics",
            ),
        ] {
            let error = check(&parse(&text)).unwrap_err();
            assert!(error.message().unwrap().contains(part), "{error} {text}");
        }
        let apart = queue(ARN, put, &[("prefix", "a/")]) + &queue(ARN, put, &[("prefix", "b/")]);
        check(&parse(&apart)).unwrap();
        let kinds = queue(ARN, put, &[]) + &queue(ARN, "s3:ObjectRemoved:*", &[]);
        check(&parse(&kinds)).unwrap();
    }
}
