//! Packages: the immutable code of one function version, kept by its content.
//!
//! A package comes as a zip ([`PackageStore::add_zip`]) or, in development, as a list of files
//! ([`PackageStore::add_folder`]), or is made of others ([`PackageStore::merge`]). All end as a folder named after the content's SHA-256, made
//! whole under another name first and renamed last: a folder that is there is complete.
//!
//! ```text
//! <packages>/<sha256>/          the code, as instances see it
//! <packages>/<sha256>.zip       the archive as it was uploaded, or made on demand
//! <packages>/<sha256>.manifest  what was staged from where (folders only)
//! <packages>/<sha256>.prepared/ its compiled code, a folder for each way to run it
//! <packages>/.staging-<uuid>/   work in progress; removed when the store opens
//! ```
//!
//! Archives are hostile: entries are counted and sized while they are unpacked, names and symbolic
//! links that leave the package are refused before anything is written for them.

mod folder;
mod id;
mod manifest;
mod merge;
mod prepared;
mod store;
mod zip;

pub use folder::PackageFile;
pub use id::PackageId;
pub(crate) use prepared::{FILE as PREPARED_FILE, MAX_BYTES as MAX_PREPARED_BYTES};
pub(crate) use store::PackageLease;
pub use store::PackageStore;

use std::path::PathBuf;

/// Most entries a package may have.
pub const MAX_ENTRIES: usize = 100_000;
/// An archive that unpacks to more than [`MIN_BOMB_BYTES`] must not be smaller than this fraction of it.
pub const MAX_RATIO: u64 = 200;
/// Below this unpacked size the ratio does not matter.
pub const MIN_BOMB_BYTES: u64 = 16 * 1024 * 1024;

/// Why a package was refused or could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The bytes are no zip archive, or one that is damaged, encrypted or compressed in another way.
    #[error("could not unzip the package: {reason}")]
    InvalidZip {
        /// What is wrong with it.
        reason: String,
    },
    /// An entry would leave the package.
    #[error("package entry `{entry}` is refused: {reason}")]
    UnsafeEntry {
        /// Its name.
        entry: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// More entries than [`MAX_ENTRIES`].
    #[error("the package has {entries} entries; at most {MAX_ENTRIES} are allowed")]
    TooManyEntries {
        /// How many it has.
        entries: usize,
    },
    /// Unpacked it is larger than Lambda allows.
    #[error("unzipped size must be smaller than {limit_bytes} bytes")]
    TooLarge {
        /// Largest allowed.
        limit_bytes: u64,
    },
    /// It unpacks to suspiciously much.
    #[error("the package unpacks to more than {MAX_RATIO} times its size; it looks like a zip bomb")]
    ZipBomb,
    /// No such package.
    #[error("package `{package}` does not exist; deploy the function again")]
    NotFound {
        /// Its id.
        package: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} `{path}`: {source}", path = .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl PackageError {
    /// For `map_err`: names the action and the path.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
