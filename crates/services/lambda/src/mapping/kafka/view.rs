//! What the API shows of a mapping of a topic beside what all have.

use serde_json::{Map, Value, json};
use tradewind_connect::consumer::StartingPosition;

use super::super::model::Settings;
use super::{KafkaCluster, KafkaSource};

/// Adds the members.
pub(in super::super) fn show(source: &KafkaSource, settings: &Settings, shown: &mut Map<String, Value>) {
    let group = json!({"ConsumerGroupId": source.group});
    let config = match &source.cluster {
        KafkaCluster::Named(_) => "AmazonManagedKafkaEventSourceConfig",
        KafkaCluster::SelfManaged { .. } => {
            let endpoints = json!({"KAFKA_BOOTSTRAP_SERVERS": source.cluster.endpoints()});
            shown.insert("SelfManagedEventSource".into(), json!({"Endpoints": endpoints}));
            "SelfManagedKafkaEventSourceConfig"
        }
    };
    shown.insert(config.into(), group);
    shown.insert("Topics".into(), json!([source.topic]));
    show_start(source.start, shown);
    let kafka = &settings.kafka;
    let limit = |limit: Option<u32>| json!(limit.map_or(-1, i64::from));
    shown.insert("MaximumRetryAttempts".into(), limit(kafka.maximum_retry_attempts));
    shown.insert(
        "MaximumRecordAgeInSeconds".into(),
        limit(kafka.maximum_record_age),
    );
    shown.insert("BisectBatchOnFunctionError".into(), json!(kafka.bisects));
    if let Some(destination) = &kafka.on_failure {
        let on_failure = json!({"Destination": destination.to_string()});
        shown.insert("DestinationConfig".into(), json!({"OnFailure": on_failure}));
    }
    if !kafka.access.is_empty() {
        let access = kafka.access.iter();
        let access: Vec<Value> = access
            .map(|access| json!({"Type": access.kind.as_str(), "URI": access.uri}))
            .collect();
        shown.insert("SourceAccessConfigurations".into(), json!(access));
    }
    let mut pollers = Map::new();
    for (name, number) in [
        ("MinimumPollers", kafka.minimum_pollers),
        ("MaximumPollers", kafka.maximum_pollers),
    ] {
        if let Some(number) = number {
            pollers.insert(name.into(), json!(number));
        }
    }
    if !pollers.is_empty() {
        shown.insert("ProvisionedPollerConfig".into(), pollers.into());
    }
}

fn show_start(start: StartingPosition, shown: &mut Map<String, Value>) {
    let position = match start {
        StartingPosition::TrimHorizon => "TRIM_HORIZON",
        StartingPosition::Latest => "LATEST",
        StartingPosition::AtTimestamp(ms) => {
            shown.insert(
                "StartingPositionTimestamp".into(),
                json!(super::super::view::seconds(ms)),
            );
            "AT_TIMESTAMP"
        }
    };
    shown.insert("StartingPosition".into(), json!(position));
}
