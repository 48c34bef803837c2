//! The master keys of a running node, and the record of those that were used.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::cipher::DataKey;
use super::keys::{KeyError, KeyFile, MasterKeys, WrappedKey};
use super::{BlobError, blocking, table};
use crate::Database;

/// Master keys, made when the first content is encrypted.
#[derive(Debug)]
pub(super) struct Keyring {
    file: KeyFile,
    keys: OnceCell<Arc<MasterKeys>>,
    /// Set when the database knows the key that wraps.
    recorded: OnceCell<()>,
}

impl Keyring {
    /// Reads the key file and refuses to go on without a key that was used.
    pub(super) async fn open(file: KeyFile, database: &Database) -> Result<Self, BlobError> {
        let read = file.clone();
        let keys = blocking(move || Ok(read.load()?)).await?;
        for used in table::used_keys(database).await? {
            if !keys.as_ref().is_some_and(|keys| keys.has(&used)) {
                return Err(BlobError::Key(KeyError::Missing {
                    path: file.path().into(),
                    fingerprint: used.iter().map(|byte| format!("{byte:02x}")).collect(),
                }));
            }
        }
        Ok(Self {
            file,
            keys: OnceCell::new_with(keys.map(Arc::new)),
            recorded: OnceCell::new(),
        })
    }

    /// A new data key.
    pub(super) async fn data_key(&self, database: &Database) -> Result<(DataKey, WrappedKey), BlobError> {
        Ok(self.ready(database).await?.data_key())
    }

    /// The master keys, known to the database. The first time makes the key file where it is the node's own.
    pub(super) async fn ready(&self, database: &Database) -> Result<&Arc<MasterKeys>, BlobError> {
        let make = || async {
            let file = self.file.clone();
            blocking(move || Ok(Arc::new(file.make()?))).await
        };
        let keys = self.keys.get_or_try_init(make).await?;
        let record = || table::record_key(database, keys.current());
        self.recorded.get_or_try_init(record).await?;
        Ok(keys)
    }

    /// The data key, unless it was changed or its master key is not here.
    pub(super) fn unwrap(&self, wrapped: &[u8]) -> Option<DataKey> {
        let wrapped: &WrappedKey = wrapped.try_into().ok()?;
        self.keys.get()?.unwrap(wrapped).ok()
    }
}
