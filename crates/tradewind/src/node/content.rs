//! The node's blobs.

use std::path::PathBuf;

use tradewind_model::Clock;
use tradewind_store::blobs::{BlobError, Blobs, BlobsConfig, KeyFile, Place, RemoteConfig};
use tradewind_store::{DataFolder, Database};

/// Where the content of objects is, and what it is encrypted with, where not in the data folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContentConfig {
    /// The store that has it.
    pub(crate) remote: Option<RemoteConfig>,
    /// The file of the master keys.
    pub(crate) master_key_file: Option<PathBuf>,
}

pub(super) async fn open(
    config: &ContentConfig,
    folder: &DataFolder,
    database: &Database,
    clock: &Clock,
) -> Result<Blobs, BlobError> {
    let place = match &config.remote {
        Some(remote) => Place::Remote(remote.clone()),
        None => Place::Folder(folder.path().join("blobs")),
    };
    let keys = match &config.master_key_file {
        Some(file) => KeyFile::Given(file.clone()),
        None => KeyFile::Own(folder.path().join("node.key")),
    };
    Blobs::open(BlobsConfig {
        database: database.clone(),
        clock: clock.clone(),
        place,
        keys,
        reserve: BlobsConfig::RESERVE,
    })
    .await
}
