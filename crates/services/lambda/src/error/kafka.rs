//! What can be wrong with a mapping of a Kafka topic.

/// Why a topic is not mapped as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KafkaMappingError {
    /// `EventSourceArn` and `SelfManagedEventSource`.
    #[error("EventSourceArn and SelfManagedEventSource cannot be used together.")]
    TwoSources,
    /// The endpoints are none.
    #[error("`KAFKA_BOOTSTRAP_SERVERS` of `SelfManagedEventSource` is not valid: {0}")]
    Servers(String),
    /// The ARN is not that of a cluster.
    #[error("`{0}` is not arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID")]
    ClusterArn(String),
    /// This node was not told of the cluster.
    #[error("there is no Kafka cluster `{0}`; start the node with --kafka {0}=HOST:PORT")]
    NoCluster(String),
    /// Not one topic.
    #[error(
        "Topics must have exactly one topic name: 1 to 249 of `A-Z a-z 0-9 . _ -`, not beginning with a dot"
    )]
    Topics,
    /// No `StartingPosition`.
    #[error("StartingPosition is required for Kafka event sources.")]
    NoPosition,
    /// A timestamp without `AT_TIMESTAMP`, or the other way round.
    #[error(
        "StartingPositionTimestamp is required with StartingPosition AT_TIMESTAMP, and only valid with it."
    )]
    Timestamp,
    /// The timestamp is yet to come.
    #[error("StartingPositionTimestamp cannot be in the future.")]
    Future,
    /// A configuration for clusters of the other kind.
    #[error("{0} is not valid for this kind of Kafka event source.")]
    OtherKind(&'static str),
    /// The group cannot be another one later.
    #[error("ConsumerGroupId cannot be changed after the event source mapping was created.")]
    GroupChanged,
    /// Two mappings would share the records.
    #[error("The consumer group `{group}` is used by the event source mapping {id}; it must be unique.")]
    GroupInUse {
        /// The group.
        group: String,
        /// Whose it is.
        id: String,
    },
    /// A type of access that Kafka has not.
    #[error("the source access configuration `{0}` is not valid for Kafka event sources")]
    Access(String),
    /// One of `SourceAccessConfigurations` names no secret.
    #[error("the source access configuration `{0}` needs a URI")]
    AccessUri(&'static str),
    /// More than one way to log in.
    #[error("the source access configurations have more than one of BASIC_AUTH and SASL_SCRAM_…_AUTH")]
    TwoLogins,
    /// No destination for what is given up.
    #[error(
        "`{0}` is not a destination of failed records: name a queue, a topic of SNS, a bucket or kafka://TOPIC"
    )]
    Destination(String),
    /// The destination would feed the source.
    #[error("the failure destination kafka://{0} is the topic that the mapping reads")]
    DestinationIsSource(String),
    /// Ages are -1 or a minute at least.
    #[error("MaximumRecordAgeInSeconds must be -1 or at least 60.")]
    RecordAge,
    /// The least is more than the most.
    #[error("MinimumPollers of ProvisionedPollerConfig must not be greater than MaximumPollers.")]
    Pollers,
    /// There is a mapping of this topic and function.
    #[error(
        "An event source mapping with topic (\" {topic} \") and function (\" {function} \") already exists. Please \
         update or delete the existing mapping with UUID {id}"
    )]
    Exists {
        /// The topic.
        topic: String,
        /// The function's name.
        function: String,
        /// Of the mapping that is there.
        id: String,
    },
}

impl KafkaMappingError {
    pub(super) fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::Exists { .. } | Self::GroupInUse { .. } => (409, "ResourceConflictException"),
            Self::TwoSources
            | Self::Servers(_)
            | Self::ClusterArn(_)
            | Self::NoCluster(_)
            | Self::Topics
            | Self::NoPosition
            | Self::Timestamp
            | Self::Future
            | Self::OtherKind(_)
            | Self::GroupChanged
            | Self::Access(_)
            | Self::AccessUri(_)
            | Self::TwoLogins
            | Self::Destination(_)
            | Self::DestinationIsSource(_)
            | Self::RecordAge
            | Self::Pollers => (400, "InvalidParameterValueException"),
        }
    }
}
