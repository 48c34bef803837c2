//! The Kafka clusters that a node of this process knows by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use clap::Args;
use tradewind_connect::{ClientCertificate, Clusters, Mechanism, NamedCluster, Servers, Tls};

use super::failure::Failure;

const FORM: &str = "NAME=HOST:PORT[,HOST:PORT][?security=…&secret=…]";

/// The clusters.
#[derive(Clone, Debug, Args)]
pub(crate) struct KafkaArguments {
    /// A Kafka cluster by name; may be repeated
    ///
    /// Event source mappings, rules and pipes name it as arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID with any
    /// UUID. More than plain text is said by a query: `?security=SASL_SSL&secret=ID&ca=FILE`; docs/kafka.md has
    /// all of it.
    #[arg(long = "kafka", value_name = "NAME=HOST:PORT")]
    clusters: Vec<Named>,
}

/// What was written; files are read later.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    name: String,
    servers: Servers,
    tls: bool,
    /// The mechanism, and the secret's name or ARN.
    login: Option<(Mechanism, String)>,
    ca: Option<String>,
    /// Files of a certificate and its key.
    certificate: Option<(String, String)>,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rest) = text.split_once('=').ok_or_else(|| format!("it is {FORM}"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(format!("`{name}` is no name: 1 to 64 of A-Z a-z 0-9 - _"));
        }
        let (servers, query) = rest.split_once('?').unwrap_or((rest, ""));
        let servers = servers
            .parse()
            .map_err(|invalid: tradewind_connect::InvalidServers| invalid.to_string())?;
        let mut settings = settings(query)?;
        let mut take = |name: &str| settings.remove(name);
        let (tls, sasl) = security(take("security").as_deref())?;
        let named = Self {
            name: name.to_owned(),
            servers,
            tls,
            login: login(sasl, take("mechanism").as_deref(), take("secret"))?,
            ca: take("ca"),
            certificate: pair(take("certificate"), take("key"))?,
        };
        if let Some(unknown) = settings.keys().next() {
            return Err(format!(
                "`{unknown}` is not known; there are security, mechanism, secret, ca, certificate and key"
            ));
        }
        if !named.tls && (named.ca.is_some() || named.certificate.is_some()) {
            return Err("`ca`, `certificate` and `key` are for `security=SSL` and `SASL_SSL`".into());
        }
        named.check_build()
    }
}

impl Named {
    fn check_build(self) -> Result<Self, String> {
        let scrams = matches!(&self.login, Some((mechanism, _)) if *mechanism != Mechanism::Plain);
        if (self.tls || scrams) && !cfg!(feature = "kafka-tls") {
            return Err("TLS and SCRAM need a tradewind that is built with the feature `kafka-tls`".into());
        }
        Ok(self)
    }

    fn cluster(&self) -> Result<NamedCluster, Failure> {
        let client = match &self.certificate {
            None => None,
            Some((certificate, key)) => Some(ClientCertificate {
                certificate: read(certificate)?,
                private_key: read(key)?.into(),
                password: None,
            }),
        };
        let authorities = self.ca.as_deref().map(read).transpose()?;
        Ok(NamedCluster {
            servers: self.servers.clone(),
            tls: self.tls.then_some(Tls { authorities, client }),
            login: self.login.clone(),
        })
    }
}

fn read(file: &str) -> Result<String, Failure> {
    std::fs::read_to_string(Path::new(file))
        .map_err(|error| Failure::usage(format!("--kafka: {file} cannot be read: {error}")))
}

/// `NAME=VALUE&NAME=VALUE`, percent-encoded.
fn settings(query: &str) -> Result<BTreeMap<String, String>, String> {
    let mut settings = BTreeMap::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` is not NAME=VALUE"))?;
        let value = percent_encoding::percent_decode_str(value).decode_utf8();
        let value = value.map_err(|_no_text| format!("`{name}` is no text"))?;
        if settings.insert(name.to_owned(), value.into_owned()).is_some() {
            return Err(format!("`{name}` is there twice"));
        }
    }
    Ok(settings)
}

/// Whether there is TLS, and a login.
fn security(protocol: Option<&str>) -> Result<(bool, bool), String> {
    match protocol {
        None | Some("PLAINTEXT") => Ok((false, false)),
        Some("SSL") => Ok((true, false)),
        Some("SASL_PLAINTEXT") => Ok((false, true)),
        Some("SASL_SSL") => Ok((true, true)),
        Some(other) => Err(format!(
            "`security` is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, not `{other}`"
        )),
    }
}

fn login(
    sasl: bool,
    mechanism: Option<&str>,
    secret: Option<String>,
) -> Result<Option<(Mechanism, String)>, String> {
    let mechanism = match mechanism {
        Some("PLAIN") => Mechanism::Plain,
        Some("SCRAM-SHA-256") => Mechanism::ScramSha256,
        None | Some("SCRAM-SHA-512") => Mechanism::ScramSha512,
        Some(other) => {
            return Err(format!(
                "`mechanism` is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not `{other}`"
            ));
        }
    };
    match (sasl, secret) {
        (true, Some(secret)) => Ok(Some((mechanism, secret))),
        (true, None) => {
            Err("SASL needs `secret`, the name or ARN of a secret with username and password".into())
        }
        (false, None) => Ok(None),
        (false, Some(_)) => Err("`secret` is for `security=SASL_PLAINTEXT` and `SASL_SSL`".into()),
    }
}

fn pair(certificate: Option<String>, key: Option<String>) -> Result<Option<(String, String)>, String> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        _ => Err("`certificate` and `key` belong together".into()),
    }
}

impl KafkaArguments {
    /// What the node is told.
    pub(crate) fn config(&self) -> Result<Clusters, Failure> {
        let mut clusters = BTreeMap::new();
        for named in &self.clusters {
            if clusters.insert(named.name.clone(), named.cluster()?).is_some() {
                let text = format!("--kafka: there are two clusters `{}`", named.name);
                return Err(Failure::usage(text));
            }
        }
        Ok(clusters.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_a_name_and_its_brokers() {
        let named: Named = "shop=a.example:9092,127.0.0.1:9093".parse().unwrap();
        assert_eq!(named.servers.to_string(), "a.example:9092,127.0.0.1:9093");
        assert_eq!((named.tls, named.login), (false, None));
        let plain: Named = "shop=a:1?security=SASL_PLAINTEXT&mechanism=PLAIN&secret=kafka%2Fshop"
            .parse()
            .unwrap();
        assert_eq!(plain.login, Some((Mechanism::Plain, "kafka/shop".to_owned())));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            ("shop", "NAME=HOST:PORT"),
            ("a b=c:1", "no name"),
            ("shop=a", "`a` is not HOST:PORT"),
            ("shop=a:1?security=TLS", "not `TLS`"),
            ("shop=a:1?secret=s", "is for `security=SASL"),
            ("shop=a:1?security=SASL_PLAINTEXT", "needs `secret`"),
            ("shop=a:1?ca=f", "are for `security=SSL`"),
            ("shop=a:1?security=SSL&certificate=f", "belong together"),
            ("shop=a:1?acks=0", "`acks` is not known"),
            (
                "shop=a:1?security=SASL_PLAINTEXT&mechanism=GSSAPI&secret=s",
                "not `GSSAPI`",
            ),
        ];
        for (text, part) in wrong {
            let error = text.parse::<Named>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    #[cfg(not(feature = "kafka-tls"))]
    fn what_needs_tls_is_refused_where_there_is_none() {
        for query in ["security=SSL", "security=SASL_PLAINTEXT&secret=s"] {
            let error = format!("shop=a:1?{query}").parse::<Named>().unwrap_err();
            assert!(error.contains("kafka-tls"), "{error}");
        }
    }
}
