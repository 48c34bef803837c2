//! What only mappings of topics have, as a request writes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use tradewind_connect::consumer::StartingPosition;
use tradewind_model::{Arn, Timestamp};

use super::super::limits::{
    LEAST_RECORD_AGE, MAXIMUM_POLLERS, MAXIMUM_RECORD_AGE, MAXIMUM_RETRY_ATTEMPTS, MINIMUM_POLLERS, within,
};
use super::super::model::{Mapping, MappingId, Source};
use super::{Access, AccessKind, Destination, KafkaCluster, KafkaSettings, KafkaSource, cluster_name};
use crate::error::{KafkaMappingError, LambdaError, MappingError, Violations};
use crate::service::LambdaService;

const ENDPOINTS: &str = "KAFKA_BOOTSTRAP_SERVERS";
const MANAGED: &str = "AmazonManagedKafkaEventSourceConfig";
const SELF_MANAGED: &str = "SelfManagedKafkaEventSourceConfig";
/// Kafka's longest name of a topic.
const LONGEST_TOPIC: usize = 249;

/// The members; what is none was not written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(in super::super) struct WrittenKafka {
    self_managed_event_source: Option<WrittenCluster>,
    topics: Option<Vec<String>>,
    starting_position: Option<String>,
    starting_position_timestamp: Option<f64>,
    self_managed_kafka_event_source_config: Option<WrittenConfig>,
    amazon_managed_kafka_event_source_config: Option<WrittenConfig>,
    source_access_configurations: Option<Vec<WrittenAccess>>,
    destination_config: Option<WrittenDestinations>,
    maximum_retry_attempts: Option<i64>,
    maximum_record_age_in_seconds: Option<i64>,
    bisect_batch_on_function_error: Option<bool>,
    provisioned_poller_config: Option<WrittenPollers>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenCluster {
    endpoints: Option<BTreeMap<String, Vec<String>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenConfig {
    consumer_group_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenAccess {
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(rename = "URI")]
    uri: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenDestinations {
    on_failure: Option<WrittenDestination>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenDestination {
    destination: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenPollers {
    minimum_pollers: Option<i64>,
    maximum_pollers: Option<i64>,
}

impl WrittenKafka {
    /// Notes the numbers that are outside of their ranges.
    pub(in super::super) fn check(&self, violations: &mut Violations) {
        let pollers = self.provisioned_poller_config.clone().unwrap_or_default();
        let numbers = [
            (
                &["MaximumRetryAttempts"] as &'static [&'static str],
                self.maximum_retry_attempts,
                &MAXIMUM_RETRY_ATTEMPTS,
            ),
            (
                &["MaximumRecordAgeInSeconds"],
                self.maximum_record_age_in_seconds,
                &MAXIMUM_RECORD_AGE,
            ),
            (
                &["ProvisionedPollerConfig", "MinimumPollers"],
                pollers.minimum_pollers,
                &MINIMUM_POLLERS,
            ),
            (
                &["ProvisionedPollerConfig", "MaximumPollers"],
                pollers.maximum_pollers,
                &MAXIMUM_POLLERS,
            ),
        ];
        for (path, given, range) in numbers {
            within(path, given, range, violations);
        }
    }

    /// Whether a self-managed cluster is named.
    pub(in super::super) fn is_self_managed(&self) -> bool {
        self.self_managed_event_source.is_some()
    }

    /// The topic of a mapping that is not there yet; `arn` is of a named cluster.
    pub(in super::super) fn source(
        &self,
        arn: Option<Arn>,
        id: MappingId,
        now: Timestamp,
    ) -> Result<KafkaSource, KafkaMappingError> {
        let cluster = self.cluster(arn)?;
        let topic = match self.topics.as_deref() {
            Some([topic]) if is_topic(topic) => topic.clone(),
            _ => return Err(KafkaMappingError::Topics),
        };
        let group = self.group(&cluster)?;
        Ok(KafkaSource {
            topic,
            group: group.unwrap_or_else(|| id.to_string()),
            start: self.start(now)?,
            cluster,
        })
    }

    fn cluster(&self, arn: Option<Arn>) -> Result<KafkaCluster, KafkaMappingError> {
        let written = match (arn, &self.self_managed_event_source) {
            (Some(_), Some(_)) => return Err(KafkaMappingError::TwoSources),
            (Some(arn), None) if cluster_name(&arn).is_some() => return Ok(KafkaCluster::Named(arn)),
            (Some(arn), None) => return Err(KafkaMappingError::ClusterArn(arn.to_string())),
            (None, written) => written.as_ref(),
        };
        let endpoints = written.and_then(|written| written.endpoints.as_ref()?.get(ENDPOINTS));
        let endpoints = endpoints.into_iter().flatten().map(String::as_str);
        KafkaCluster::self_managed(endpoints).map_err(|error| KafkaMappingError::Servers(error.to_string()))
    }

    /// The group, if one is named.
    fn group(&self, cluster: &KafkaCluster) -> Result<Option<String>, KafkaMappingError> {
        let (own, other, other_name) = match cluster {
            KafkaCluster::Named(_) => (
                &self.amazon_managed_kafka_event_source_config,
                &self.self_managed_kafka_event_source_config,
                SELF_MANAGED,
            ),
            KafkaCluster::SelfManaged { .. } => (
                &self.self_managed_kafka_event_source_config,
                &self.amazon_managed_kafka_event_source_config,
                MANAGED,
            ),
        };
        if other.is_some() {
            return Err(KafkaMappingError::OtherKind(other_name));
        }
        let group = own.as_ref().and_then(|config| config.consumer_group_id.clone());
        Ok(group.filter(|group| !group.is_empty()))
    }

    fn start(&self, now: Timestamp) -> Result<StartingPosition, KafkaMappingError> {
        let position = self
            .starting_position
            .as_deref()
            .ok_or(KafkaMappingError::NoPosition)?;
        match (position, self.starting_position_timestamp) {
            ("TRIM_HORIZON", None) => Ok(StartingPosition::TrimHorizon),
            ("LATEST", None) => Ok(StartingPosition::Latest),
            ("AT_TIMESTAMP", Some(seconds)) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a time of this millennium in milliseconds; another saturates and is refused or long ago"
                )]
                let ms = (seconds * 1000.0).round().max(0.0) as i64;
                if ms > now.as_millis() {
                    return Err(KafkaMappingError::Future);
                }
                Ok(StartingPosition::AtTimestamp(ms))
            }
            _ => Err(KafkaMappingError::Timestamp),
        }
    }

    /// What `current` becomes.
    pub(in super::super) fn settings(
        &self,
        current: &KafkaSettings,
    ) -> Result<KafkaSettings, KafkaMappingError> {
        let access = self.source_access_configurations.as_deref().map(read_access);
        let (minimum_pollers, maximum_pollers) = match &self.provisioned_poller_config {
            Some(pollers) => (pollers.minimum_pollers, pollers.maximum_pollers),
            None => (
                current.minimum_pollers.map(i64::from),
                current.maximum_pollers.map(i64::from),
            ),
        };
        if minimum_pollers
            .zip(maximum_pollers)
            .is_some_and(|(least, most)| least > most)
        {
            return Err(KafkaMappingError::Pollers);
        }
        let maximum_record_age = limit(self.maximum_record_age_in_seconds, current.maximum_record_age);
        if maximum_record_age.is_some_and(|age| age < LEAST_RECORD_AGE) {
            return Err(KafkaMappingError::RecordAge);
        }
        let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
        Ok(KafkaSettings {
            access: access.unwrap_or_else(|| Ok(current.access.clone()))?,
            on_failure: match &self.destination_config {
                Some(config) => config.destination()?,
                None => current.on_failure.clone(),
            },
            maximum_retry_attempts: limit(self.maximum_retry_attempts, current.maximum_retry_attempts),
            maximum_record_age,
            bisects: self.bisect_batch_on_function_error.unwrap_or(current.bisects),
            minimum_pollers: number(minimum_pollers),
            maximum_pollers: number(maximum_pollers),
        })
    }

    /// Refuses a change of what cannot change.
    pub(in super::super) fn check_change(&self, source: &KafkaSource) -> Result<(), KafkaMappingError> {
        match self.group(&source.cluster)? {
            Some(group) if group != source.group => Err(KafkaMappingError::GroupChanged),
            _ => Ok(()),
        }
    }
}

impl WrittenDestinations {
    /// None if it names none: there is none any more.
    fn destination(&self) -> Result<Option<Destination>, KafkaMappingError> {
        let written = self
            .on_failure
            .as_ref()
            .and_then(|on_failure| on_failure.destination.as_ref());
        match written.filter(|text| !text.is_empty()) {
            Some(text) => {
                let parsed = text.parse();
                parsed
                    .map(Some)
                    .map_err(|()| KafkaMappingError::Destination(text.clone()))
            }
            None => Ok(None),
        }
    }
}

/// -1 is no limit.
fn limit(written: Option<i64>, current: Option<u32>) -> Option<u32> {
    written.map_or(current, |written| u32::try_from(written).ok())
}

fn read_access(written: &[WrittenAccess]) -> Result<Vec<Access>, KafkaMappingError> {
    let access = written.iter().map(|written| {
        let kind = written.kind.as_deref().unwrap_or_default();
        let kind: AccessKind = kind
            .parse()
            .map_err(|()| KafkaMappingError::Access(kind.to_owned()))?;
        match &written.uri {
            Some(uri) if !uri.is_empty() => Ok(Access {
                kind,
                uri: uri.clone(),
            }),
            _ => Err(KafkaMappingError::AccessUri(kind.as_str())),
        }
    });
    let access: Vec<Access> = access.collect::<Result<_, _>>()?;
    let logins = access.iter().filter(|access| access.kind.mechanism().is_some());
    if logins.count() > 1 {
        return Err(KafkaMappingError::TwoLogins);
    }
    Ok(access)
}

/// Kafka's rule for names of topics; as with AWS none begins with a dot.
pub(super) fn is_topic(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && !name.starts_with('.') && name.len() <= LONGEST_TOPIC && name.chars().all(plain)
}

/// Refuses what the node and its other mappings do not allow.
pub(in super::super) fn check_kafka<'a>(
    service: &LambdaService,
    mapping: &Mapping,
    others: impl Iterator<Item = &'a Mapping>,
) -> Result<(), LambdaError> {
    let Source::Kafka(source) = &mapping.source else {
        return Ok(());
    };
    if let KafkaCluster::Named(arn) = &source.cluster {
        let name = cluster_name(arn).unwrap_or_default();
        if service.kafka().clusters.find(name).is_none() {
            return Err(refused(KafkaMappingError::NoCluster(name.to_owned())));
        }
    }
    if let Some(destination) = &mapping.settings.kafka.on_failure {
        check_destination(service, source, destination)?;
    }
    for (other, there) in others.filter_map(|other| Some((other, topic_of(other)?))) {
        if other.function == mapping.function && there.is_topic_of(source) {
            return Err(refused(KafkaMappingError::Exists {
                topic: source.topic.clone(),
                function: mapping.function.name.to_string(),
                id: other.id.to_string(),
            }));
        }
        if there.group == source.group && there.cluster == source.cluster {
            return Err(refused(KafkaMappingError::GroupInUse {
                group: source.group.clone(),
                id: other.id.to_string(),
            }));
        }
    }
    Ok(())
}

fn topic_of(mapping: &Mapping) -> Option<&KafkaSource> {
    match &mapping.source {
        Source::Kafka(source) => Some(source),
        Source::Queue(_) => None,
    }
}

fn check_destination(
    service: &LambdaService,
    source: &KafkaSource,
    destination: &Destination,
) -> Result<(), LambdaError> {
    let no_destination = || refused(KafkaMappingError::Destination(destination.to_string()));
    match destination {
        Destination::Kafka(topic) if *topic == source.topic => {
            Err(refused(KafkaMappingError::DestinationIsSource(topic.clone())))
        }
        Destination::Kafka(_) | Destination::Bucket(_) => Ok(()),
        Destination::Event(arn) => service.router().find(arn).map_err(|_gone| no_destination()),
    }
}

fn refused(error: KafkaMappingError) -> LambdaError {
    MappingError::Kafka(error).into()
}
