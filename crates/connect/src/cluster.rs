//! A cluster: where its brokers are, and how a client says who it is.

use std::fmt;
use std::str::FromStr;

use tradewind_model::SecretText;

/// Brokers that a client asks first, each `HOST:PORT`; at least one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Servers(Vec<Box<str>>);

impl Servers {
    /// Reads a list of `HOST:PORT`.
    ///
    /// # Errors
    /// [`InvalidServers`], which names the one that is not.
    pub fn new<'a>(servers: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidServers> {
        let servers = servers.into_iter().map(server).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(InvalidServers(String::new()));
        }
        Ok(Self(servers))
    }

    /// Each `HOST:PORT`.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }
}

fn server(text: &str) -> Result<Box<str>, InvalidServers> {
    let invalid = || InvalidServers(text.to_owned());
    let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    let valid =
        !host.is_empty() && host.chars().all(is_host) && port.parse::<u16>().is_ok_and(|port| port > 0);
    valid.then(|| text.into()).ok_or_else(invalid)
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl FromStr for Servers {
    type Err = InvalidServers;

    /// Separated by commas.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text.split(',').map(str::trim))
    }
}

/// What is no `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not HOST:PORT")]
pub struct InvalidServers(String);

/// Where brokers are, and how to log in, with every credential at hand.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Who is asked first.
    pub servers: Servers,
    /// How.
    pub security: Security,
}

/// `security.protocol`: plain text unless there is `tls`, nameless unless there is a `login`.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// Encrypts, and proves who the brokers are.
    pub tls: Option<Tls>,
    /// SASL.
    pub login: Option<Login>,
}

impl Security {
    /// As Kafka calls it.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        match (&self.tls, &self.login) {
            (None, None) => "PLAINTEXT",
            (Some(_), None) => "SSL",
            (None, Some(_)) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        }
    }
}

/// What TLS trusts, and shows of itself.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Certificates (PEM) of who signed the brokers'; none: whom the machine trusts.
    pub authorities: Option<String>,
    /// Mutual TLS.
    pub client: Option<ClientCertificate>,
}

/// What a client shows of itself.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// PEM.
    pub certificate: String,
    /// PKCS #8, PEM.
    pub private_key: SecretText,
    /// Of the private key, if it is encrypted.
    pub password: Option<SecretText>,
}

/// A user by name and password.
#[derive(Clone, Debug)]
pub struct Login {
    /// How the password is proven.
    pub mechanism: Mechanism,
    /// The user.
    pub username: String,
    /// Its password.
    pub password: SecretText,
}

/// `sasl.mechanism`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// `PLAIN`: the password itself goes to the broker.
    Plain,
    /// `SCRAM-SHA-256`.
    ScramSha256,
    /// `SCRAM-SHA-512`.
    ScramSha512,
}

impl Mechanism {
    /// As Kafka calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_and_written_alike() {
        let text = "b-1.example.com:9092,127.0.0.1:9094,[::1]:1";
        assert_eq!(text.parse::<Servers>().unwrap().to_string(), text);
        for wrong in [
            "",
            "broker",
            "broker:",
            ":9092",
            "broker:0",
            "broker:65536",
            "a:1,,b:2",
            "a b:1",
            "x://a:1",
        ] {
            assert!(wrong.parse::<Servers>().is_err(), "{wrong}");
        }
    }
}
