//! A mapping's cluster with the credentials that its secrets hold now.

use tradewind_connect::{
    Cluster, Credentials, Login, Mechanism, Problem, Security, Tls, certificate_authority, client_certificate,
};
use tradewind_model::SecretText;

use super::super::model::Mapping;
use super::{AccessKind, KafkaCluster, KafkaSource, cluster_name};
use crate::service::LambdaService;

impl AccessKind {
    /// How it logs in, if it does.
    pub(super) fn mechanism(self) -> Option<Mechanism> {
        match self {
            Self::BasicAuth => Some(Mechanism::Plain),
            Self::ScramSha256 => Some(Mechanism::ScramSha256),
            Self::ScramSha512 => Some(Mechanism::ScramSha512),
            Self::ClientCertificate | Self::ServerRootCa | Self::VpcSubnet | Self::VpcSecurityGroup => None,
        }
    }
}

/// The cluster of the mapping's source.
///
/// With AWS a password goes by TLS always; so it does here, unless the endpoints say otherwise.
pub(super) fn cluster_of(
    service: &LambdaService,
    mapping: &Mapping,
    source: &KafkaSource,
) -> Result<Cluster, Problem> {
    let kafka = service.kafka();
    // how a named cluster is reached, the node's operator says
    let mut without_tls = true;
    let mut cluster = match &source.cluster {
        KafkaCluster::Named(arn) => {
            let name = cluster_name(arn).unwrap_or_default();
            let named = kafka.clusters.find(name);
            let named =
                named.ok_or_else(|| Problem::Other(format!("this node knows no cluster `{name}`")))?;
            named.cluster(&*kafka.secrets, &mapping.account, &mapping.region)?
        }
        KafkaCluster::SelfManaged {
            servers,
            without_tls: plain,
        } => {
            without_tls = *plain;
            Cluster {
                servers: servers.clone(),
                security: Security::default(),
            }
        }
    };
    let (login, tls) = credentials(service, mapping)?;
    let needs_tls = tls.is_some() || login.is_some();
    if needs_tls && !without_tls && cluster.security.tls.is_none() {
        cluster.security.tls = Some(Tls::default());
    }
    if let Some(given) = tls {
        cluster.security.tls = Some(given);
    }
    if login.is_some() {
        cluster.security.login = login;
    }
    Ok(cluster)
}

fn credentials(service: &LambdaService, mapping: &Mapping) -> Result<(Option<Login>, Option<Tls>), Problem> {
    let secrets = &service.kafka().secrets;
    let text = |id: &str| -> Result<SecretText, Problem> {
        let found = secrets.text(&mapping.account, &mapping.region, id);
        found.map_err(Problem::secret)
    };
    let (mut login, mut tls) = (None, None);
    for access in &mapping.settings.kafka.access {
        match access.kind {
            AccessKind::VpcSubnet | AccessKind::VpcSecurityGroup => {}
            AccessKind::ServerRootCa => {
                let authorities = certificate_authority(&text(&access.uri)?).map_err(Problem::secret)?;
                tls.get_or_insert_with(Tls::default).authorities = Some(authorities);
            }
            AccessKind::ClientCertificate => {
                let client = client_certificate(&text(&access.uri)?).map_err(Problem::secret)?;
                tls.get_or_insert_with(Tls::default).client = Some(client);
            }
            AccessKind::BasicAuth | AccessKind::ScramSha256 | AccessKind::ScramSha512 => {
                let credentials = Credentials::parse(&text(&access.uri)?).map_err(Problem::secret)?;
                login = access
                    .kind
                    .mechanism()
                    .map(|mechanism| credentials.login(mechanism));
            }
        }
    }
    Ok((login, tls))
}
