//! Kafka as a source ("Using Lambda with self-managed Apache Kafka", "… with Amazon MSK").
//!
//! A mapping is one member of a consumer group ([`tradewind_connect::consumer`]). Its batches run side by side, each
//! with partitions of its own: one at first, more while the topic brings more than they take, as many as there are
//! partitions at most. What fails is retried in place (`run.rs`), by halves if the mapping says so, until it succeeds or
//! its retries are used up and the failure destination has it; only then the partition goes on.

mod access;
mod event;
mod failure;
mod poller;
mod producer;
mod response;
mod run;
mod stored;
pub(super) mod view;
mod written;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tradewind_connect::consumer::StartingPosition;
use tradewind_connect::{InvalidServers, Servers};
use tradewind_model::Arn;

pub(super) use poller::KafkaPoller;
pub(super) use stored::StoredKafka;
pub(super) use written::{WrittenKafka, check_kafka};

/// The window that nobody set.
const USUAL_WINDOW: Duration = Duration::from_millis(500);

/// A topic, and as whom it is read from where on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KafkaSource {
    pub(crate) cluster: KafkaCluster,
    pub(crate) topic: String,
    /// `ConsumerGroupId`.
    pub(crate) group: String,
    pub(crate) start: StartingPosition,
}

impl KafkaSource {
    /// Whether it is the same topic, read as whomever.
    pub(crate) fn is_topic_of(&self, other: &Self) -> bool {
        self.cluster == other.cluster && self.topic == other.topic
    }
}

/// Where the topic is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KafkaCluster {
    /// One that the node knows by name: `arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID`.
    Named(Arn),
    /// `SelfManagedEventSource`.
    SelfManaged {
        servers: Servers,
        /// A password goes to them without TLS: each was written with [`WITHOUT_TLS`].
        without_tls: bool,
    },
}

/// What stands before an endpoint whose broker wants a password and has no TLS, as Kafka's own listeners write it.
/// With AWS there is no such thing: a password always goes by TLS.
const WITHOUT_TLS: &str = "SASL_PLAINTEXT://";

impl KafkaCluster {
    pub(crate) fn arn(&self) -> Option<&Arn> {
        match self {
            Self::Named(arn) => Some(arn),
            Self::SelfManaged { .. } => None,
        }
    }

    /// A self-managed one, by its endpoints.
    pub(crate) fn self_managed<'a>(
        endpoints: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidServers> {
        let mut without_tls = false;
        let servers = endpoints
            .into_iter()
            .map(|endpoint| match endpoint.strip_prefix(WITHOUT_TLS) {
                Some(server) => {
                    without_tls = true;
                    server
                }
                None => endpoint,
            });
        let servers = Servers::new(servers)?;
        Ok(Self::SelfManaged { servers, without_tls })
    }

    /// The endpoints of a self-managed one, as they were written.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        match self {
            Self::Named(_) => Vec::new(),
            Self::SelfManaged { servers, without_tls } => {
                let before = if *without_tls { WITHOUT_TLS } else { "" };
                servers.iter().map(|server| format!("{before}{server}")).collect()
            }
        }
    }
}

/// The name in a cluster's ARN.
pub(super) fn cluster_name(arn: &Arn) -> Option<&str> {
    let mut parts = arn.resource.strip_prefix("cluster/")?.split('/');
    let (name, uuid) = (parts.next()?, parts.next()?);
    let is_whole = !name.is_empty() && !uuid.is_empty() && parts.next().is_none();
    is_whole.then_some(name)
}

/// What a mapping of a topic has beside what all have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KafkaSettings {
    /// `SourceAccessConfigurations`.
    pub(crate) access: Vec<Access>,
    /// `DestinationConfig.OnFailure`.
    pub(crate) on_failure: Option<Destination>,
    /// `MaximumRetryAttempts`; none is no limit.
    pub(crate) maximum_retry_attempts: Option<u32>,
    /// `MaximumRecordAgeInSeconds`; none is no limit.
    pub(crate) maximum_record_age: Option<u32>,
    /// `BisectBatchOnFunctionError`.
    pub(crate) bisects: bool,
    /// `ProvisionedPollerConfig.MinimumPollers`.
    pub(crate) minimum_pollers: Option<u32>,
    /// `ProvisionedPollerConfig.MaximumPollers`.
    pub(crate) maximum_pollers: Option<u32>,
}

/// One of `SourceAccessConfigurations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) kind: AccessKind,
    /// The ARN or name of a secret.
    pub(crate) uri: String,
}

/// `Type` of a [`Access`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessKind {
    BasicAuth,
    ScramSha256,
    ScramSha512,
    ClientCertificate,
    ServerRootCa,
    /// Of a network, which there is none of here.
    VpcSubnet,
    /// As [`AccessKind::VpcSubnet`].
    VpcSecurityGroup,
}

impl AccessKind {
    const ALL: [Self; 7] = [
        Self::BasicAuth,
        Self::ScramSha256,
        Self::ScramSha512,
        Self::ClientCertificate,
        Self::ServerRootCa,
        Self::VpcSubnet,
        Self::VpcSecurityGroup,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BasicAuth => "BASIC_AUTH",
            Self::ScramSha256 => "SASL_SCRAM_256_AUTH",
            Self::ScramSha512 => "SASL_SCRAM_512_AUTH",
            Self::ClientCertificate => "CLIENT_CERTIFICATE_TLS_AUTH",
            Self::ServerRootCa => "SERVER_ROOT_CA_CERTIFICATE",
            Self::VpcSubnet => "VPC_SUBNET",
            Self::VpcSecurityGroup => "VPC_SECURITY_GROUP",
        }
    }
}

impl FromStr for AccessKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or(())
    }
}

/// Where records go that are given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A queue or a topic of SNS.
    Event(Arn),
    /// A bucket of S3.
    Bucket(Arn),
    /// `kafka://TOPIC`, of the same cluster.
    Kafka(String),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(arn) | Self::Bucket(arn) => arn.fmt(f),
            Self::Kafka(topic) => write!(f, "kafka://{topic}"),
        }
    }
}

impl FromStr for Destination {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(topic) = text.strip_prefix("kafka://") {
            return written::is_topic(topic)
                .then(|| Self::Kafka(topic.to_owned()))
                .ok_or(());
        }
        let arn: Arn = text.parse().map_err(|_no_arn| ())?;
        match &*arn.service {
            "sqs" | "sns" => Ok(Self::Event(arn)),
            "s3" => Ok(Self::Bucket(arn)),
            _ => Err(()),
        }
    }
}
