//! `kafka` and `msk` events.

use serde_json::Value;

/// An event source mapping of one topic.
#[derive(Clone, Debug)]
pub(crate) struct KafkaEvent {
    pub(crate) cluster: KafkaCluster,
    pub(crate) topic: String,
    /// `TRIM_HORIZON`, `LATEST` or `AT_TIMESTAMP`.
    pub(crate) starting_position: &'static str,
    /// In seconds since 1970, as it is written.
    pub(crate) starting_timestamp: Option<Value>,
    pub(crate) batch_size: Option<u64>,
    /// In seconds.
    pub(crate) batching_window: Option<u64>,
    pub(crate) enabled: Option<bool>,
    pub(crate) consumer_group: Option<String>,
    /// Each as JSON.
    pub(crate) filter_patterns: Vec<String>,
    /// The least and the most.
    pub(crate) pollers: Option<(Option<u64>, Option<u64>)>,
    /// The ARN of where batches go that are given up.
    pub(crate) on_failure: Option<Value>,
}

/// Where the topic is.
#[derive(Clone, Debug)]
pub(crate) enum KafkaCluster {
    /// `kafka`
    SelfManaged {
        bootstrap_servers: Vec<String>,
        /// In the order in which they are written.
        access: Vec<(KafkaAccess, Value)>,
    },
    /// `msk`: the cluster's ARN, and that of the secret to log in with.
    Msk { arn: Value, secret: Option<Value> },
}

/// What a broker of one's own asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KafkaAccess {
    /// Below `accessConfigurations`.
    pub(crate) key: &'static str,
    /// In the mapping.
    pub(crate) name: &'static str,
    /// What stands before the value.
    pub(crate) prefix: &'static str,
}

impl KafkaAccess {
    /// All there are.
    pub(crate) const ALL: [Self; 7] = [
        Self::of("vpcSubnet", "VPC_SUBNET", "subnet:"),
        Self::of("vpcSecurityGroup", "VPC_SECURITY_GROUP", "security_group:"),
        Self::of("saslPlainAuth", "BASIC_AUTH", ""),
        Self::of("saslScram256Auth", "SASL_SCRAM_256_AUTH", ""),
        Self::of("saslScram512Auth", "SASL_SCRAM_512_AUTH", ""),
        Self::of("clientCertificateTlsAuth", "CLIENT_CERTIFICATE_TLS_AUTH", ""),
        Self::of("serverRootCaCertificate", "SERVER_ROOT_CA_CERTIFICATE", ""),
    ];

    const fn of(key: &'static str, name: &'static str, prefix: &'static str) -> Self {
        Self { key, name, prefix }
    }

    /// Whether it says where in a network, not what to log in with.
    pub(crate) fn is_of_network(self) -> bool {
        !self.prefix.is_empty()
    }
}
