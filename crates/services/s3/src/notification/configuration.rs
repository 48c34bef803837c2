//! The notification configuration of a bucket: checked as S3 checks it, and as destinations.

use std::collections::BTreeSet;

use s3s::dto::{
    GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput,
    NotificationConfiguration, PutBucketNotificationConfigurationInput,
    PutBucketNotificationConfigurationOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Result};
use tradewind_events::{Undeliverable, bucket_event};
use tradewind_model::Arn;
use uuid::Uuid;

use super::destination::{Configured, Destination, targets_of};
use super::{Audience, Notifier};
use crate::configuration::{Configurations, refused};

const CONFIGURATIONS: usize = 100;
const FILTER_CHARACTERS: usize = 1024;

impl Notifier {
    /// Checks the configuration and its destinations, keeps it, and sends queues and topics the test event.
    ///
    /// # Errors
    /// S3's own; what cannot be delivered is refused by name.
    pub(crate) async fn put_bucket_notification_configuration(
        &self,
        input: PutBucketNotificationConfigurationInput,
        of: &Audience,
    ) -> S3Result<PutBucketNotificationConfigurationOutput> {
        check(&input.notification_configuration)?;
        let configuration = named(input.notification_configuration);
        let targets = targets_of(&configuration);
        let validates = input.skip_destination_validation != Some(true);
        if validates {
            self.check_targets(&targets)?;
            if configuration.event_bridge_configuration.is_some() {
                self.check_targets(&[of.bus()])?;
            }
        }
        self.configurations.put(&input.bucket, &configuration).await?;
        if validates {
            self.send_test_events(&input.bucket, &targets).await?;
        }
        Ok(PutBucketNotificationConfigurationOutput::default())
    }

    /// Refuses destinations that are not there, or cannot be notified.
    ///
    /// # Errors
    /// `InvalidArgument`; `NotImplemented` for a service that this node does not have.
    pub(crate) fn check_targets(&self, targets: &[Arn]) -> S3Result<()> {
        for target in targets {
            if target.resource.ends_with(".fifo") {
                return Err(argument(
                    "FIFO queues and FIFO topics are not supported as destinations of bucket notifications",
                ));
            }
            match self.router.find(target) {
                Ok(()) => {}
                Err(error @ Undeliverable::NoReceiver { .. }) => {
                    return Err(refused(S3ErrorCode::NotImplemented, error.to_string()));
                }
                Err(_not_there) => {
                    return Err(argument(
                        "Unable to validate the following destination configurations",
                    ));
                }
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
        let NotificationConfiguration {
            event_bridge_configuration,
            lambda_function_configurations,
            queue_configurations,
            topic_configurations,
        } = stored.unwrap_or_default();
        Ok(GetBucketNotificationConfigurationOutput {
            event_bridge_configuration,
            lambda_function_configurations,
            queue_configurations,
            topic_configurations,
        })
    }
}

/// Configurations without an id get one, as S3 gives it.
pub(crate) fn named(mut configuration: NotificationConfiguration) -> NotificationConfiguration {
    let name = |id: &mut Option<String>| {
        id.get_or_insert_with(|| Uuid::new_v4().simple().to_string());
    };
    for function in configuration.lambda_function_configurations.iter_mut().flatten() {
        name(&mut function.id);
    }
    for queue in configuration.queue_configurations.iter_mut().flatten() {
        name(&mut queue.id);
    }
    for topic in configuration.topic_configurations.iter_mut().flatten() {
        name(&mut topic.id);
    }
    configuration
}

/// Checks a configuration as S3 does, as far as that needs no look at its destinations.
pub(crate) fn check(document: &NotificationConfiguration) -> S3Result<()> {
    let configured = Configured::all_of(document);
    if configured.len() > CONFIGURATIONS {
        return Err(argument("The number of notification configurations exceeds 100"));
    }
    configured.iter().try_for_each(check_one)?;
    let mut ids = BTreeSet::new();
    if !configured
        .iter()
        .filter_map(|given| given.id)
        .all(|id| ids.insert(id))
    {
        return Err(argument(
            "Same ID used for multiple configurations. IDs must be unique",
        ));
    }
    let destinations = Destination::all_of(document);
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

fn check_one(given: &Configured<'_>) -> S3Result<()> {
    let arn: Option<Arn> = given.arn.parse().ok();
    if arn.is_none_or(|arn| &*arn.service != given.service) {
        return Err(argument("The ARN is not well formed"));
    }
    if given.events.is_empty() {
        return Err(crate::configuration::malformed());
    }
    given.events.iter().try_for_each(|event| check_event(event))?;
    let mut names = BTreeSet::new();
    for rule in given.rules() {
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
    if bucket_event::HAPPEN.contains(&event) {
        return Ok(());
    }
    if bucket_event::is_impossible(event) {
        let message =
            format!("events of the kind `{event}` are not implemented: what they tell of never happens");
        return Err(refused(S3ErrorCode::NotImplemented, message));
    }
    Err(argument("The event is not supported for notifications"))
}

fn argument(message: &'static str) -> S3Error {
    refused(S3ErrorCode::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::EventName;
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
                format!("<TopicConfiguration><Topic>{ARN}</Topic><Event>{put}</Event></TopicConfiguration>"),
                "not well formed",
            ),
            (
                queue(ARN, put, &[])
                    + &format!(
                        "<CloudFunctionConfiguration><CloudFunction>arn:aws:lambda:us-east-1:000000000000:function:f\
                         </CloudFunction><Event>{put}</Event></CloudFunctionConfiguration>"
                    ),
                "overlap",
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
