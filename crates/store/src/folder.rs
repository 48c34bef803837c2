//! The data folder: made on first use, held by one process at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// An open data folder. The lock ends when this is dropped or the process dies.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenDataFolderError {
    /// It cannot be made or written.
    #[error("cannot use the data folder {path}: {source}")]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("the data folder {path} is in use by another tradewind (process {holder})")]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process id found in the lock file, or `unknown`.
        holder: String,
    },
}

impl DataFolder {
    /// Makes the folder if needed and takes its lock.
    ///
    /// # Errors
    /// When it cannot be written, or another process holds it.
    pub fn open(path: &Path) -> Result<Self, OpenDataFolderError> {
        let unwritable = |source| OpenDataFolderError::Unwritable {
            path: path.into(),
            source,
        };
        fs::create_dir_all(path).map_err(unwritable)?;
        let path = fs::canonicalize(path).map_err(unwritable)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(in_use(path, &mut lock)),
            Err(fs::TryLockError::Error(source)) => return Err(unwritable(source)),
        }
        write_holder(&mut lock).map_err(unwritable)?;
        Ok(Self { path, _lock: lock })
    }

    /// The absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn in_use(path: PathBuf, lock: &mut File) -> OpenDataFolderError {
    let mut holder = String::new();
    if lock.read_to_string(&mut holder).is_err() || holder.trim().is_empty() {
        holder = "unknown".into();
    }
    OpenDataFolderError::InUse {
        path,
        holder: holder.trim().into(),
    }
}

fn write_holder(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataFolder::open(dir.path()).unwrap();
        let error = DataFolder::open(dir.path()).unwrap_err();
        assert!(
            error.to_string().contains(&std::process::id().to_string()),
            "{error}"
        );
        drop(first);
        DataFolder::open(dir.path()).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        fs::write(&path, "").unwrap();
        let error = DataFolder::open(&path).unwrap_err();
        assert!(matches!(error, OpenDataFolderError::Unwritable { .. }), "{error}");
    }
}
