//! A topic and its settings as a row has them.

use serde::{Deserialize, Serialize};
use tradewind_connect::consumer::StartingPosition;

use super::{Access, KafkaCluster, KafkaSettings, KafkaSource};

/// See the module.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct StoredKafka {
    /// Of a named cluster.
    arn: Option<String>,
    /// Of a self-managed one.
    servers: Option<String>,
    topic: String,
    group: String,
    start: StoredStart,
    settings: StoredKafkaSettings,
}

#[derive(Serialize, Deserialize)]
enum StoredStart {
    TrimHorizon,
    Latest,
    AtTimestamp(i64),
}

/// What may change.
#[derive(Serialize, Deserialize)]
struct StoredKafkaSettings {
    access: Vec<(String, String)>,
    on_failure: Option<String>,
    maximum_retry_attempts: Option<u32>,
    maximum_record_age: Option<u32>,
    bisects: bool,
    minimum_pollers: Option<u32>,
    maximum_pollers: Option<u32>,
}

impl StoredKafka {
    pub(in super::super) fn new(source: &KafkaSource, settings: &KafkaSettings) -> Self {
        let (arn, servers) = match &source.cluster {
            KafkaCluster::Named(arn) => (Some(arn.to_string()), None),
            KafkaCluster::SelfManaged { .. } => (None, Some(source.cluster.endpoints().join(","))),
        };
        Self {
            arn,
            servers,
            topic: source.topic.clone(),
            group: source.group.clone(),
            start: match source.start {
                StartingPosition::TrimHorizon => StoredStart::TrimHorizon,
                StartingPosition::Latest => StoredStart::Latest,
                StartingPosition::AtTimestamp(ms) => StoredStart::AtTimestamp(ms),
            },
            settings: StoredKafkaSettings::new(settings),
        }
    }

    pub(in super::super) fn parse(self) -> Result<(KafkaSource, KafkaSettings), String> {
        let cluster = match (self.arn, self.servers) {
            (Some(arn), _) => KafkaCluster::Named(arn.parse().map_err(display)?),
            (None, Some(servers)) => KafkaCluster::self_managed(servers.split(',')).map_err(display)?,
            (None, None) => return Err("it has no cluster".to_owned()),
        };
        let source = KafkaSource {
            cluster,
            topic: self.topic,
            group: self.group,
            start: match self.start {
                StoredStart::TrimHorizon => StartingPosition::TrimHorizon,
                StoredStart::Latest => StartingPosition::Latest,
                StoredStart::AtTimestamp(ms) => StartingPosition::AtTimestamp(ms),
            },
        };
        Ok((source, self.settings.parse()?))
    }
}

impl StoredKafkaSettings {
    fn new(settings: &KafkaSettings) -> Self {
        let access = settings.access.iter();
        Self {
            access: access
                .map(|access| (access.kind.as_str().to_owned(), access.uri.clone()))
                .collect(),
            on_failure: settings.on_failure.as_ref().map(ToString::to_string),
            maximum_retry_attempts: settings.maximum_retry_attempts,
            maximum_record_age: settings.maximum_record_age,
            bisects: settings.bisects,
            minimum_pollers: settings.minimum_pollers,
            maximum_pollers: settings.maximum_pollers,
        }
    }

    fn parse(self) -> Result<KafkaSettings, String> {
        let access = self.access.into_iter().map(|(kind, uri)| {
            let kind = kind
                .parse()
                .map_err(|()| format!("its access `{kind}` is unknown"))?;
            Ok(Access { kind, uri })
        });
        let on_failure = self.on_failure.map(|text| {
            let parsed = text.parse();
            parsed.map_err(|()| format!("its destination `{text}` is unknown"))
        });
        Ok(KafkaSettings {
            access: access.collect::<Result<_, String>>()?,
            on_failure: on_failure.transpose()?,
            maximum_retry_attempts: self.maximum_retry_attempts,
            maximum_record_age: self.maximum_record_age,
            bisects: self.bisects,
            minimum_pollers: self.minimum_pollers,
            maximum_pollers: self.maximum_pollers,
        })
    }
}

fn display(error: impl std::fmt::Display) -> String {
    error.to_string()
}
