//! Compiled code of packages, kept beside them and deleted with them.
//!
//! A folder with one file for each way to run the package; which ways there are is the caller's business.
//! A folder that is there is complete. Instances see it read-only.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::store::Staging;
use super::{PackageError, PackageId, PackageStore};

/// The file's name in its folder.
pub(crate) const FILE: &str = "code";
/// The largest file.
pub(crate) const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Ways to run one package that are kept; the oldest goes first.
const MAX_WAYS: usize = 8;
/// All files of the node together. When they are that many bytes, no more are kept.
const MAX_TOTAL_BYTES: u64 = 2 * 1024 * 1024 * 1024;

impl PackageStore {
    /// The folder with what was prepared of the package under this name, if it was.
    pub(crate) fn prepared(&self, id: &PackageId, name: &str) -> Option<PathBuf> {
        let folder = self.prepared_dir(id).join(name);
        folder.is_dir().then_some(folder)
    }

    /// Keeps what was prepared of a package, which the caller has leased. False when there is no room.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it stays then.
    pub(crate) async fn keep_prepared(
        &self,
        id: &PackageId,
        name: &str,
        code: Vec<u8>,
    ) -> Result<bool, PackageError> {
        let (id, name) = (id.clone(), name.to_owned());
        self.blocking(move |store| store.keep_prepared_now(&id, &name, &code))
            .await
    }

    fn keep_prepared_now(&self, id: &PackageId, name: &str, code: &[u8]) -> Result<bool, PackageError> {
        let kept = total_bytes(&self.0.dir).map_err(PackageError::io("read", &self.0.dir))?;
        if kept + code.len() as u64 > MAX_TOTAL_BYTES {
            return Ok(false);
        }
        let dir = self.prepared_dir(id);
        fs::create_dir_all(&dir).map_err(PackageError::io("create", &dir))?;
        make_room(&dir).map_err(PackageError::io("delete from", &dir))?;
        let staging = Staging::new(&self.0.dir)?;
        let file = staging.code().join(FILE);
        write(&file, code).map_err(PackageError::io("write", &file))?;
        let folder = dir.join(name);
        match fs::rename(staging.code(), &folder) {
            Err(error) if !folder.is_dir() => Err(PackageError::io("write", folder)(error)),
            _ => Ok(true),
        }
    }
}

/// For every user to read: each instance has its own.
fn write(file: &Path, code: &[u8]) -> io::Result<()> {
    fs::write(file, code)?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o444))?;
    let folder = file.parent().unwrap_or(file);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

/// Deletes the oldest until one more may come.
fn make_room(dir: &Path) -> io::Result<()> {
    let mut ways: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        ways.push((entry.metadata()?.modified()?, entry.path()));
    }
    ways.sort();
    let surplus = (ways.len() + 1).saturating_sub(MAX_WAYS);
    ways.iter()
        .take(surplus)
        .try_for_each(|(_age, folder)| fs::remove_dir_all(folder))
}

fn total_bytes(packages: &Path) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(packages)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "prepared") {
            for way in fs::read_dir(path)? {
                total += fs::metadata(way?.path().join(FILE)).map_or(0, |file| file.len());
            }
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> PackageId {
        PackageId::from_digest(&[number; 32])
    }

    #[tokio::test]
    async fn what_was_prepared_is_found_again_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let store = PackageStore::open(dir.path().join("packages")).unwrap();
        assert_eq!(store.prepared(&id(1), "0"), None);
        for number in 0..=MAX_WAYS {
            let code = number.to_string().into_bytes();
            assert!(
                store
                    .keep_prepared(&id(1), &number.to_string(), code)
                    .await
                    .unwrap()
            );
        }
        let reopened = PackageStore::open(dir.path().join("packages")).unwrap();
        let newest = reopened.prepared(&id(1), &MAX_WAYS.to_string()).unwrap();
        assert_eq!(
            fs::read(newest.join(FILE)).unwrap(),
            MAX_WAYS.to_string().as_bytes()
        );
        assert_eq!(reopened.prepared(&id(1), "0"), None);
        assert!(reopened.prepared(&id(1), "1").is_some());
        assert_eq!(reopened.prepared(&id(2), "1"), None);
    }
}
