//! Why a node does not start, and what to do about it.

use std::net::SocketAddr;
use std::path::PathBuf;

use tradewind_compute::StartEngineError;
use tradewind_observe::OpenLogsError;
use tradewind_store::blobs::{BlobError, KeyError};
use tradewind_store::{DatabaseError, MigrateError, OpenDataFolderError};

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartNodeError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
    /// Requests are not authorised yet, so only this machine may send them.
    #[error("refusing to listen on {0}: a node answers unsigned requests, so it listens on loopback only")]
    BeyondLoopback(SocketAddr),
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] OpenDataFolderError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The content of objects cannot be used.
    #[error(transparent)]
    Content(#[from] BlobError),
    /// The logs cannot be used.
    #[error(transparent)]
    Logs(#[from] OpenLogsError),
    /// Functions cannot be run.
    #[error(transparent)]
    Engine(#[from] StartEngineError),
    /// The database is of another data folder, as far as one can tell: it knows functions, and there is no code
    /// of any of them.
    #[error("the database knows {functions} packages of functions, and {folder} holds none of them")]
    OtherFolder {
        /// Packages that functions name.
        functions: usize,
        /// The data folder.
        folder: PathBuf,
    },
    /// A service could not read its state.
    #[error("{0}")]
    Service(String),
}

impl StartNodeError {
    pub(crate) fn service(error: impl std::fmt::Display) -> Self {
        Self::Service(error.to_string())
    }

    /// What to type next, where that is known.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { address, source } if source.kind() == std::io::ErrorKind::AddrInUse => {
                Some(format!(
                    "something else listens there; stop it, or choose another port with `--listen {}:0`",
                    address.ip()
                ))
            }
            Self::Listen { .. } => Some("choose another address with `--listen ADDR:PORT`".into()),
            Self::BeyondLoopback(address) => Some(format!(
                "use `--listen 127.0.0.1:{}` and reach it through a tunnel",
                address.port()
            )),
            Self::Folder(OpenDataFolderError::Unwritable { .. }) => {
                Some("choose a folder you can write with `--data DIR`".into())
            }
            Self::Folder(OpenDataFolderError::InUse { .. }) => {
                Some("stop that process, or use another folder with `--data DIR`".into())
            }
            Self::Database(error) | Self::Content(BlobError::Database(error)) => hint_of_database(error),
            Self::OtherFolder { .. } => Some(
                "start with the data folder that these functions were deployed to, with `--data DIR`".into(),
            ),
            Self::Content(BlobError::Full { .. }) => Some(FREE_SPACE.into()),
            Self::Content(BlobError::Key(KeyError::Line { .. } | KeyError::Missing { .. })) => Some(
                "restore the file from a backup: what was sealed with its keys cannot be read without".into(),
            ),
            Self::Content(BlobError::Remote { .. }) => {
                Some("check the URL of `--blobs`, that its bucket exists and its keys are right".into())
            }
            Self::Content(_) | Self::Logs(_) | Self::Engine(_) | Self::Service(_) => None,
        }
    }
}

const FREE_SPACE: &str = "free some space and start again";

fn hint_of_database(error: &DatabaseError) -> Option<String> {
    match error {
        DatabaseError::DiskFull => Some(FREE_SPACE.into()),
        DatabaseError::Open { .. } => Some("check that this user may read and write it".into()),
        DatabaseError::Disk { .. } | DatabaseError::Unsynced { .. } => {
            Some("look for errors of the disk (`dmesg`)".into())
        }
        DatabaseError::Corrupt { path, .. } => Some(format!(
            "restore it from a backup, or move {} away to start empty and deploy again",
            path.display()
        )),
        DatabaseError::Migrate(MigrateError::Newer { .. }) => {
            Some("run the newer tradewind, or use another folder with `--data DIR`".into())
        }
        DatabaseError::Url { .. } => Some(
            "give `--database postgres://user:password@host:5432/name`, or leave it out to keep the \
             rows in the data folder"
                .into(),
        ),
        DatabaseError::Unreachable { .. } => {
            Some("check that PostgreSQL runs there and accepts connections from here".into())
        }
        DatabaseError::Denied { .. } => {
            Some("check the user and the password of `--database` or `TRADEWIND_DATABASE`".into())
        }
        DatabaseError::NoSuchDatabase { .. } => Some("make it with `createdb`".into()),
        DatabaseError::TooOld { .. } => {
            Some("upgrade the server, or leave `--database` out to keep the rows in the data folder".into())
        }
        DatabaseError::InUse { .. } => Some(
            "stop that one, or give this node a database of its own: several nodes on one database are \
             not supported yet"
                .into(),
        ),
        _ => None,
    }
}

pub(crate) fn refuse_beyond_loopback(listen: SocketAddr) -> Result<(), StartNodeError> {
    if listen.ip().is_loopback() {
        Ok(())
    } else {
        Err(StartNodeError::BeyondLoopback(listen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_served() {
        assert!(refuse_beyond_loopback("127.0.0.1:4566".parse().unwrap()).is_ok());
        assert!(refuse_beyond_loopback("[::1]:4566".parse().unwrap()).is_ok());
        let error = refuse_beyond_loopback("0.0.0.0:4566".parse().unwrap()).unwrap_err();
        assert!(error.hint().unwrap().contains("127.0.0.1:4566"));
    }
}
