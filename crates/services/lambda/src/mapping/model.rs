//! A mapping: which source, which function, and how its records become batches.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tradewind_model::{AccountId, Arn, FunctionArn, Region, Timestamp};
use uuid::Uuid;

use super::batch::Bounds;
use super::filter::Filters;
use super::kafka::{KafkaSettings, KafkaSource};
use super::limits::{USUAL_BATCH_SIZE, USUAL_KAFKA_BATCH_SIZE};
use crate::model::Owner;

/// What clients know a mapping by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MappingId(Uuid);

impl MappingId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for MappingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MappingId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A queue of SQS, by its ARN.
    Queue(Arn),
    /// A topic of a Kafka cluster.
    Kafka(KafkaSource),
}

impl Source {
    /// `EventSourceArn`; a cluster that is known by its servers alone has none.
    pub(crate) fn arn(&self) -> Option<&Arn> {
        match self {
            Self::Queue(arn) => Some(arn),
            Self::Kafka(kafka) => kafka.cluster.arn(),
        }
    }

    /// What a mapping of it has that says nothing else.
    pub(crate) fn usual_settings(&self) -> Settings {
        match self {
            Self::Queue(_) => Settings::default(),
            Self::Kafka(_) => Settings {
                batch_size: USUAL_KAFKA_BATCH_SIZE,
                ..Settings::default()
            },
        }
    }
}

/// A mapping as it is now. Immutable: a change makes a new one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) id: MappingId,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) source: Source,
    /// With the qualifier that was given, if any.
    pub(crate) function: FunctionArn,
    pub(crate) enabled: bool,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) modified: Timestamp,
    /// The resource of a stack that made it.
    pub(crate) owner: Option<Owner>,
}

impl Mapping {
    /// `arn:aws:lambda:REGION:ACCOUNT:event-source-mapping:UUID`.
    pub(crate) fn arn(&self) -> String {
        let Self {
            id, account, region, ..
        } = self;
        format!("arn:aws:lambda:{region}:{account}:event-source-mapping:{id}")
    }
}

/// How records become batches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// `BatchSize`.
    pub(crate) batch_size: u32,
    /// `MaximumBatchingWindowInSeconds`; none if it was never set.
    pub(crate) window_seconds: Option<u32>,
    /// `ScalingConfig.MaximumConcurrency`.
    pub(crate) maximum_concurrency: Option<u32>,
    /// `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub(crate) reports_failures: bool,
    /// `FilterCriteria`.
    pub(crate) filters: Filters,
    /// What only topics have.
    pub(crate) kafka: KafkaSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_size: USUAL_BATCH_SIZE,
            window_seconds: None,
            maximum_concurrency: None,
            reports_failures: false,
            filters: Filters::default(),
            kafka: KafkaSettings::default(),
        }
    }
}

impl Settings {
    /// When a batch is full; `usual` is the window that nobody set.
    pub(crate) fn bounds(&self, usual: Duration) -> Bounds {
        let window = self
            .window_seconds
            .map(|seconds| Duration::from_secs(seconds.into()));
        Bounds {
            size: self.batch_size as usize,
            window: window.unwrap_or(usual),
        }
    }
}
