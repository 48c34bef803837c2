//! What goes wrong with a cluster, in the words that Lambda has for it ("Troubleshooting Apache Kafka event source
//! mapping errors") where it has some.

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

/// Why a cluster is of no use now. Its text follows `PROBLEM: ` in a mapping's `LastProcessingResult`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No broker is reached, or none answers.
    #[error("Connection error. Please check your event source connection configuration.")]
    Connection,
    /// The password or the user is wrong.
    #[error("SASL authentication failed")]
    Login,
    /// The user may not read the topic, write to it, or join the group.
    #[error("Cluster failed to authorize Lambda")]
    Authorization,
    /// The brokers do not take the client's certificate, or miss one.
    #[error("Server failed to authenticate Lambda")]
    ClientRejected,
    /// The brokers' certificate has expired, is for another host, or is signed by nobody who is trusted.
    #[error("Lambda failed to authenticate server")]
    ServerUntrusted,
    /// What the secret holds is no certificate or no private key of it.
    #[error("Provided certificate or private key is invalid")]
    Certificate,
    /// There is no topic of that name.
    #[error("The topic does not exist")]
    TopicNotFound,
    /// A secret that is needed is missing or not what it should be.
    #[error("Secret is not usable: {0}")]
    Secret(String),
    /// The node was built without TLS; `0` needs it.
    #[error("{0} needs a node that is built with the feature `kafka-tls`")]
    TlsMissing(&'static str),
    /// Any other, in the client's words.
    #[error("Kafka: {0}")]
    Other(String),
}

impl Problem {
    /// A secret that cannot be used, and why.
    pub fn secret(why: impl std::fmt::Display) -> Self {
        Self::Secret(why.to_string())
    }

    /// What `error` is about. `reason` is what the client says beside it; it tells one failure of TLS from another.
    #[must_use]
    pub fn of(error: &KafkaError, reason: &str) -> Self {
        match error {
            KafkaError::ClientCreation(text) => Self::of_creation(text),
            KafkaError::ClientConfig(..) => Self::Other(error.to_string()),
            other => match other.rdkafka_error_code() {
                Some(code) => Self::of_code(code, reason),
                None => Self::Other(other.to_string()),
            },
        }
    }

    /// What a line of the client's log of a failed connection says that its error does not: which failure of TLS.
    pub(crate) fn of_log(message: &str) -> Option<Self> {
        let problem = message
            .contains("SSL handshake failed")
            .then(|| Self::of_tls(message))?;
        (problem != Self::Connection).then_some(problem)
    }

    fn of_creation(text: &str) -> Self {
        if text.contains("ssl.") || text.contains("certificate") || text.contains("key") {
            Self::Certificate
        } else {
            Self::Other(text.to_owned())
        }
    }

    fn of_code(code: Code, reason: &str) -> Self {
        match code {
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState => Self::Login,
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed => Self::Authorization,
            Code::SSL => Self::of_tls(reason),
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
                Self::TopicNotFound
            }
            Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::Resolve
            | Code::NetworkException
            | Code::BrokerNotAvailable
            | Code::CoordinatorNotAvailable
            | Code::LeaderNotAvailable
            | Code::MessageTimedOut
            | Code::TimedOutQueue => Self::Connection,
            other if reason.is_empty() => Self::Other(other.to_string()),
            _other => Self::Other(reason.to_owned()),
        }
    }

    /// OpenSSL calls what the other side complains of an alert.
    fn of_tls(reason: &str) -> Self {
        let reason = reason.to_ascii_lowercase();
        if reason.contains("alert") {
            Self::ClientRejected
        } else if reason.contains("verify failed") || reason.contains("certificate") {
            Self::ServerUntrusted
        } else {
            Self::Connection
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_lambdas_words() {
        let of = |code, reason: &str| Problem::of(&KafkaError::Global(code), reason);
        assert_eq!(
            of(Code::AllBrokersDown, "1/1 brokers are down"),
            Problem::Connection
        );
        assert_eq!(of(Code::Authentication, ""), Problem::Login);
        assert_eq!(of(Code::GroupAuthorizationFailed, ""), Problem::Authorization);
        let verify = "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed";
        assert_eq!(of(Code::SSL, verify), Problem::ServerUntrusted);
        let alert = "ssl/tls alert bad certificate: SSL alert number 42";
        assert_eq!(of(Code::SSL, alert), Problem::ClientRejected);
        assert_eq!(Problem::TopicNotFound.to_string(), "The topic does not exist");
        assert_eq!(
            of(Code::InvalidMessage, "strange"),
            Problem::Other("strange".to_owned())
        );
    }
}
