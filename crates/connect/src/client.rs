//! librdkafka's settings of a cluster, its logs, and what it complains of: shared by consumers and producers.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use crate::cluster::{Cluster, Login, Mechanism, Security, Tls};
use crate::problem::Problem;

/// What every client of that cluster is configured with.
///
/// # Errors
/// [`Problem::TlsMissing`] if the cluster needs the feature `tls` and this build has it not.
pub fn config(cluster: &Cluster) -> Result<ClientConfig, Problem> {
    check(&cluster.security)?;
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", cluster.servers.to_string())
        .set("security.protocol", cluster.security.protocol())
        .set("client.id", "tradewind")
        .set("statistics.interval.ms", "0")
        .set("socket.keepalive.enable", "true")
        .set("socket.connection.setup.timeout.ms", "10000")
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "5000")
        .set("log.connection.close", "false")
        .set_log_level(RDKafkaLogLevel::Warning);
    if let Some(tls) = &cluster.security.tls {
        set_tls(&mut config, tls);
    }
    if let Some(login) = &cluster.security.login {
        set_login(&mut config, login);
    }
    Ok(config)
}

/// What needs OpenSSL is refused by name where there is none.
fn check(security: &Security) -> Result<(), Problem> {
    if cfg!(feature = "tls") {
        return Ok(());
    }
    let scrams = |login: &&Login| login.mechanism != Mechanism::Plain;
    match (&security.tls, security.login.as_ref().filter(scrams)) {
        (Some(_), _) => Err(Problem::TlsMissing("TLS")),
        (None, Some(_)) => Err(Problem::TlsMissing("SCRAM")),
        (None, None) => Ok(()),
    }
}

fn set_tls(config: &mut ClientConfig, tls: &Tls) {
    match &tls.authorities {
        Some(authorities) => config.set("ssl.ca.pem", authorities),
        None => config.set("ssl.ca.location", "probe"),
    };
    if let Some(client) = &tls.client {
        config
            .set("ssl.certificate.pem", &client.certificate)
            .set("ssl.key.pem", client.private_key.expose());
        if let Some(password) = &client.password {
            config.set("ssl.key.password", password.expose());
        }
    }
}

fn set_login(config: &mut ClientConfig, login: &Login) {
    config
        .set("sasl.mechanism", login.mechanism.as_str())
        .set("sasl.username", &login.username)
        .set("sasl.password", login.password.expose());
}

/// What a client complained of last. Clones share it; it is the context that a client is created with.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Option<Problem>>>);

impl Health {
    /// What was complained of since [`Health::clear`].
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It works.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// That it cannot be reached says less than why it is not, so it does not replace another problem.
    pub fn note(&self, problem: Problem) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if problem != Problem::Connection || noted.is_none() {
            *noted = Some(problem);
        }
    }
}

impl ClientContext for Health {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL"
            && let Some(problem) = Problem::of_log(message)
        {
            self.note(problem);
        }
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning
            | RDKafkaLogLevel::Notice => tracing::debug!(target: "kafka", facility, "{message}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::trace!(target: "kafka", facility, "{message}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", %error, "{reason}");
        self.note(Problem::of(&error, reason));
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::*;

    fn cluster(tls: Option<Tls>, mechanism: Option<Mechanism>) -> Cluster {
        let login = mechanism.map(|mechanism| Login {
            mechanism,
            username: "ann".to_owned(),
            password: "pass, \"word\"".to_owned().into(),
        });
        Cluster {
            servers: "127.0.0.1:1,127.0.0.1:2".parse().unwrap(),
            security: Security { tls, login },
        }
    }

    /// librdkafka checks names and values of its settings when a client is made.
    fn creates(cluster: &Cluster) -> Result<(), Problem> {
        let health = Health::default();
        let made: Result<BaseConsumer, _> = config(cluster)?.create();
        made.map(drop).map_err(|error| {
            health.note(Problem::of(&error, ""));
            health.problem().unwrap()
        })
    }

    #[test]
    fn plain_text_and_passwords_need_no_tls() {
        creates(&cluster(None, None)).unwrap();
        creates(&cluster(None, Some(Mechanism::Plain))).unwrap();
        let config = config(&cluster(None, Some(Mechanism::Plain))).unwrap();
        assert_eq!(config.get("security.protocol"), Some("SASL_PLAINTEXT"));
        assert_eq!(config.get("bootstrap.servers"), Some("127.0.0.1:1,127.0.0.1:2"));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn what_needs_tls_is_refused_by_name() {
        let scram = creates(&cluster(None, Some(Mechanism::ScramSha512)));
        assert_eq!(scram.unwrap_err(), Problem::TlsMissing("SCRAM"));
        let text = creates(&cluster(Some(Tls::default()), None))
            .unwrap_err()
            .to_string();
        assert!(text.contains("kafka-tls"), "{text}");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn with_tls_certificates_are_looked_at() {
        creates(&cluster(Some(Tls::default()), Some(Mechanism::ScramSha256))).unwrap();
        creates(&cluster(None, Some(Mechanism::ScramSha512))).unwrap();
        let tls = Tls {
            authorities: Some("no certificate".to_owned()),
            client: None,
        };
        assert_eq!(creates(&cluster(Some(tls), None)), Err(Problem::Certificate));
    }

    #[test]
    fn a_reason_is_not_replaced_by_its_consequence() {
        let health = Health::default();
        health.note(Problem::Login);
        health.note(Problem::Connection);
        assert_eq!(health.problem(), Some(Problem::Login));
        health.clear();
        assert_eq!(health.problem(), None);
    }
}
