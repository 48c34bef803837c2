//! From a URL to connections, and what is refused on the way.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::DatabaseError;
use crate::database::error::causes;

/// Connections of a node at most: one writes, one renews the lease, the rest read and serve queues.
const CONNECTIONS: usize = 16;
/// How long a connection may take to be made, and a caller may wait for one.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how long a server that says nothing is taken for gone.
const SILENCE: Duration = Duration::from_secs(30);
const OLDEST: i64 = 150_000;

/// A server's address, and how to speak to it.
pub(super) struct Server {
    config: Config,
    authorities: Option<PathBuf>,
}

impl Server {
    /// Reads the URL. `sslrootcert` is ours, everything else is `tokio-postgres`'s.
    pub(super) fn parse(url: &str) -> Result<Self, DatabaseError> {
        let refuse = |reason| DatabaseError::Url { reason };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(refuse("it does not begin with postgres://"));
        }
        let (url, authorities) = split_authorities(url);
        // The parser's own words may quote the URL, and with it the password.
        let mut config =
            Config::from_str(&url).map_err(|_quotes| refuse("its host, port or options are wrong"))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(refuse("it names no host"));
        }
        // else half of the password would be printed as the host's name
        let is_odd = |host: &Host| matches!(host, Host::Tcp(name) if name.contains('@'));
        if config.get_hosts().iter().any(is_odd) {
            return Err(refuse(
                "it has more than one `@`: write one that belongs to the password as `%40`",
            ));
        }
        if config.get_application_name().is_none() {
            config.application_name("tradewind");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .keepalives_idle(SILENCE)
            .tcp_user_timeout(SILENCE);
        Ok(Self { config, authorities })
    }

    pub(super) fn pool(&self) -> Result<Pool, DatabaseError> {
        let settings = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(self.config.clone(), self.tls()?, settings);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move { insist_on_durability(client).await.map_err(HookError::Backend) })
            }));
        Ok(pool.build().expect("a runtime is given for the timeouts"))
    }

    fn tls(&self) -> Result<MakeRustlsConnect, DatabaseError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows the default versions")
            .with_root_certificates(self.roots()?)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }

    /// The authorities of `sslrootcert`, else those of the system.
    fn roots(&self) -> Result<rustls::RootCertStore, DatabaseError> {
        let mut roots = rustls::RootCertStore::empty();
        let Some(file) = &self.authorities else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        let unreadable = || DatabaseError::Url {
            reason: "its sslrootcert is not a readable file of PEM certificates",
        };
        let certificates = CertificateDer::pem_file_iter(file).map_err(|_unreadable| unreadable())?;
        for certificate in certificates {
            let certificate = certificate.map_err(|_unreadable| unreadable())?;
            roots.add(certificate).map_err(|_unreadable| unreadable())?;
        }
        match roots.is_empty() {
            true => Err(unreadable()),
            false => Ok(roots),
        }
    }

    /// Connects once: says what is wrong with the server before anything else needs it.
    pub(super) async fn check(&self, pool: &Pool) -> Result<(), DatabaseError> {
        let client = pool.get().await.map_err(|error| self.refusal(error))?;
        let settings = client
            .query_one(
                "SELECT current_setting('server_version_num')::BIGINT, current_setting('server_version'), \
                 current_setting('fsync')",
                &[],
            )
            .await?;
        if settings.try_get::<_, i64>(0)? < OLDEST {
            return Err(DatabaseError::TooOld {
                server: self.name(),
                version: settings.try_get(1)?,
            });
        }
        if settings.try_get::<_, &str>(2)? == "off" {
            tracing::warn!(server = %self.name(), "the server runs with fsync off: it loses data when its machine stops");
        }
        Ok(())
    }

    fn refusal(&self, error: PoolError) -> DatabaseError {
        let server = self.name();
        let (code, detail) = match &error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => (
                error.code().map(|code| code.code().to_owned()),
                error
                    .as_db_error()
                    .map_or_else(|| causes(error), |e| e.message().to_owned()),
            ),
            PoolError::Timeout(_) => (None, format!("no answer in {} s", PATIENCE.as_secs())),
            other => (None, other.to_string()),
        };
        let user = self.config.get_user().unwrap_or_default().to_owned();
        match code.as_deref() {
            Some("28P01" | "28000") => DatabaseError::Denied { server, user, detail },
            Some("3D000") => DatabaseError::NoSuchDatabase { server, detail },
            _ => DatabaseError::Unreachable { server, detail },
        }
    }

    /// Host, port and database; no secret.
    pub(super) fn name(&self) -> String {
        let host = self.config.get_hosts().first().map_or_else(
            || self.config.get_hostaddrs()[0].to_string(),
            |host| match host {
                Host::Tcp(name) => name.clone(),
                #[cfg(unix)]
                Host::Unix(folder) => folder.display().to_string(),
            },
        );
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let user = self.config.get_user().unwrap_or_default();
        format!("{host}:{port}/{}", self.config.get_dbname().unwrap_or(user))
    }
}

/// The URL without its `sslrootcert` option, and that option's value.
fn split_authorities(url: &str) -> (String, Option<PathBuf>) {
    let Some((base, options)) = url.split_once('?') else {
        return (url.into(), None);
    };
    let (ours, theirs): (Vec<_>, Vec<_>) = options
        .split('&')
        .partition(|option| option.starts_with("sslrootcert="));
    let file = ours.first().and_then(|option| option.split_once('='));
    let url = match theirs.is_empty() {
        true => base.into(),
        false => format!("{base}?{}", theirs.join("&")),
    };
    (url, file.map(|(_, path)| path.into()))
}

/// What is acknowledged must be on disk, whatever the server's or the user's default is.
async fn insist_on_durability(client: &Client) -> Result<(), tokio_postgres::Error> {
    client
        .batch_execute(
            "SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'",
        )
        .await
}

/// A connection from the pool.
pub(super) async fn checkout(pool: &Pool) -> Result<Object, DatabaseError> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            DatabaseError::Disconnected {
                detail: causes(&error),
            }
        }
        PoolError::Closed => DatabaseError::Closed,
        other => DatabaseError::Disconnected {
            detail: other.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_wrong_is_refused_without_quoting_it() {
        let wrong = [
            "mysql://u:hunter2@h/db",
            "postgres://u:hunter2@h:port/db",
            "postgres://u:hunter2@h/db?sslmode=hunter2",
            "postgres://u:hunter2@h/db?colour=blue",
            "postgres://u:p@hunter2@h/db",
            "postgres://",
        ];
        for url in wrong {
            let error = Server::parse(url).err().unwrap();
            let text = format!("{error} {error:?}");
            assert!(matches!(error, DatabaseError::Url { .. }), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_name_has_no_password() {
        let server = Server::parse("postgres://me:hunter2@db.example:5433/tw?sslmode=disable").unwrap();
        assert_eq!(server.name(), "db.example:5433/tw");
        let socket = Server::parse("postgres://me@%2Frun%2Fpg/tw").unwrap();
        assert_eq!(socket.name(), "/run/pg:5432/tw");
    }

    #[test]
    fn authorities_must_be_certificates() {
        let server = Server::parse("postgres://me@h/tw?sslrootcert=/dev/null&connect_timeout=1").unwrap();
        assert!(matches!(server.pool(), Err(DatabaseError::Url { .. })));
    }
}
