//! Clusters that a node knows by name: what a managed service would be asked for.

use std::collections::BTreeMap;

use tradewind_model::{AccountId, Region, Secrets};

use crate::cluster::{Cluster, Mechanism, Security, Servers, Tls};
use crate::credential::Credentials;
use crate::problem::Problem;

/// All of them. A cluster's ARN is `arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID`; the UUID is not looked at.
#[derive(Clone, Debug, Default)]
pub struct Clusters(BTreeMap<Box<str>, NamedCluster>);

impl Clusters {
    /// The cluster of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&NamedCluster> {
        self.0.get(name)
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(AsRef::as_ref)
    }
}

impl FromIterator<(String, NamedCluster)> for Clusters {
    fn from_iter<T: IntoIterator<Item = (String, NamedCluster)>>(clusters: T) -> Self {
        let clusters = clusters.into_iter();
        Self(
            clusters
                .map(|(name, cluster)| (name.into_boxed_str(), cluster))
                .collect(),
        )
    }
}

/// How a cluster is reached that has a name. Its secret is read when it is used, so that it may change.
#[derive(Clone, Debug)]
pub struct NamedCluster {
    /// Who is asked first.
    pub servers: Servers,
    /// TLS, if it has it.
    pub tls: Option<Tls>,
    /// How to log in, and the name or ARN of the secret with `username` and `password`.
    pub login: Option<(Mechanism, String)>,
}

impl NamedCluster {
    /// It, with its credentials.
    ///
    /// # Errors
    /// [`Problem::Secret`] if there are none.
    pub fn cluster(
        &self,
        secrets: &dyn Secrets,
        account: &AccountId,
        region: &Region,
    ) -> Result<Cluster, Problem> {
        let login = match &self.login {
            None => None,
            Some((mechanism, id)) => {
                let text = secrets.text(account, region, id).map_err(Problem::secret)?;
                let credentials = Credentials::parse(&text).map_err(Problem::secret)?;
                Some(credentials.login(*mechanism))
            }
        };
        Ok(Cluster {
            servers: self.servers.clone(),
            security: Security {
                tls: self.tls.clone(),
                login,
            },
        })
    }
}
