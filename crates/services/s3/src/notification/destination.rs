//! Who is told of events of objects, and of which.

use std::collections::BTreeMap;

use s3s::dto::{FilterRule, NotificationConfiguration, NotificationConfigurationFilter};
use tradewind_events::Message;
use tradewind_model::Arn;

use super::EventName;

/// A queue, topic or function, and the events it wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Destination {
    pub(super) id: String,
    pub(super) target: Arn,
    pub(super) events: Vec<String>,
    prefix: String,
    suffix: String,
}

/// One configuration, whatever it is for.
pub(super) struct Configured<'a> {
    /// The service that its ARN has to name.
    pub(super) service: &'static str,
    pub(super) arn: &'a str,
    pub(super) id: Option<&'a str>,
    pub(super) events: Vec<&'a str>,
    filter: Option<&'a NotificationConfigurationFilter>,
}

impl<'a> Configured<'a> {
    /// All of a document, as they stand in it: functions, queues, topics.
    pub(super) fn all_of(document: &'a NotificationConfiguration) -> Vec<Self> {
        let mut all = Vec::new();
        macro_rules! add {
            ($service:literal, $list:ident, $arn:ident) => {
                all.extend(document.$list.iter().flatten().map(|given| Self {
                    service: $service,
                    arn: &given.$arn,
                    id: given.id.as_deref(),
                    events: given.events.iter().map(AsRef::as_ref).collect(),
                    filter: given.filter.as_ref(),
                }));
            };
        }
        add!("lambda", lambda_function_configurations, lambda_function_arn);
        add!("sqs", queue_configurations, queue_arn);
        add!("sns", topic_configurations, topic_arn);
        all
    }

    /// The rules of its filter.
    pub(super) fn rules(&self) -> impl Iterator<Item = &'a FilterRule> {
        let key = self.filter.and_then(|filter| filter.key.as_ref());
        key.and_then(|key| key.filter_rules.as_ref())
            .into_iter()
            .flatten()
    }

    fn value(&self, name: &str) -> String {
        let rule = self.rules().find(|rule| is_named(rule, name));
        rule.and_then(|rule| rule.value.clone()).unwrap_or_default()
    }
}

impl Destination {
    /// The destinations of a checked configuration.
    pub(super) fn all_of(document: &NotificationConfiguration) -> Vec<Self> {
        Configured::all_of(document).iter().filter_map(Self::of).collect()
    }

    fn of(given: &Configured<'_>) -> Option<Self> {
        Some(Self {
            id: given.id.unwrap_or_default().to_owned(),
            target: given.arn.parse().ok()?,
            events: given.events.iter().map(|&event| event.to_owned()).collect(),
            prefix: given.value("prefix"),
            suffix: given.value("suffix"),
        })
    }

    /// Whether it wants this event of this key.
    pub(super) fn wants(&self, event: EventName, key: &str) -> bool {
        let named = self.events.iter().any(|wanted| covers(wanted, event.as_str()));
        named && key.starts_with(&self.prefix) && key.ends_with(&self.suffix)
    }

    /// Whether some event of some key is wanted by both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
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

/// The queues, topics and functions that a document names, each once.
pub(crate) fn targets_of(document: &NotificationConfiguration) -> Vec<Arn> {
    let all = Destination::all_of(document).into_iter();
    let by_text: BTreeMap<String, Arn> = all.map(|to| (to.target.to_string(), to.target)).collect();
    by_text.into_values().collect()
}

/// What S3 sends with a message to `target`.
pub(super) fn message_to(target: &Arn, body: String, bucket: &str) -> Message {
    Message {
        body: body.into(),
        subject: (&*target.service == "sns").then(|| "Amazon S3 Notification".to_owned()),
        sender: "s3.amazonaws.com".to_owned(),
        source: format!("arn:aws:s3:::{bucket}"),
        ..Message::default()
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

fn is_named(rule: &FilterRule, name: &str) -> bool {
    let given = rule.name.as_ref().map_or("", |name| name.as_str());
    given.eq_ignore_ascii_case(name)
}
