//! The folder of all packages of a node.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::folder::{self, KnownFiles, PackageFile};
use super::{PackageError, PackageId, manifest, merge, zip};

const STAGING: &str = ".staging-";
/// Between the upload of a package and the function that names it passes less than this.
const UNCLAIMED: Duration = Duration::from_secs(15 * 60);
/// What an operator who wants all that is deleted gone at once leaves to a deploy under way.
const UNCLAIMED_BRIEFLY: Duration = Duration::from_secs(30);

/// All packages of a node. A cheap handle.
#[derive(Clone, Debug)]
pub struct PackageStore(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    state: Mutex<State>,
    /// Held while files are staged: what is linked from must not be deleted meanwhile.
    staging: Mutex<()>,
    /// How long a package that nothing names yet is kept.
    unclaimed: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// None until the manifests on disk were read.
    known: Option<KnownFiles>,
    /// How many instances run each package.
    leases: HashMap<PackageId, usize>,
    /// When this process was last given each package.
    added: HashMap<PackageId, Instant>,
}

impl State {
    fn is_younger(&self, id: &PackageId, age: Duration) -> bool {
        self.added.get(id).is_some_and(|added| added.elapsed() < age)
    }
}

/// While it lives, the package's files stay.
#[derive(Debug)]
pub(crate) struct PackageLease {
    store: PackageStore,
    id: PackageId,
}

impl PackageStore {
    /// Opens the folder, made if it is missing, and removes what an earlier process left half done.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(dir: PathBuf) -> io::Result<Self> {
        Self::keeping(dir, UNCLAIMED)
    }

    /// Opens the folder; packages that nothing names are kept for `unclaimed`.
    fn keeping(dir: PathBuf, unclaimed: Duration) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(STAGING) {
                remove(&entry.path())?;
            }
        }
        let dir = fs::canonicalize(dir)?;
        Ok(Self(Arc::new(Shared {
            dir,
            state: Mutex::default(),
            staging: Mutex::default(),
            unclaimed,
        })))
    }

    /// Keeps a zip archive and unpacks it. The same bytes twice are one package.
    ///
    /// # Errors
    /// When the archive is refused or cannot be kept; nothing of it stays then.
    ///
    /// # Cancel safety
    /// Once polled it runs to its end even if the future is dropped.
    pub async fn add_zip(&self, archive: Bytes) -> Result<PackageId, PackageError> {
        self.blocking(move |store| store.add_zip_now(&archive)).await
    }

    /// Stages files: copies those that changed since an earlier staging, links the others. The same
    /// paths, modes and contents are the same package, wherever they came from.
    ///
    /// # Errors
    /// When a file is refused, missing or cannot be kept; nothing of the package stays then.
    ///
    /// # Cancel safety
    /// Once polled it runs to its end even if the future is dropped.
    pub async fn add_folder(&self, files: &[PackageFile]) -> Result<PackageId, PackageError> {
        let files = files.to_vec();
        self.blocking(move |store| store.add_folder_now(&files)).await
    }

    /// Merges packages into one, the later ones winning: the layers of a function. The same packages in
    /// the same order are the same package, and one package alone is itself.
    ///
    /// # Errors
    /// When one of them is not there, or the result cannot be kept; nothing of it stays then.
    ///
    /// # Cancel safety
    /// Once polled it runs to its end even if the future is dropped.
    pub async fn merge(&self, packages: &[PackageId]) -> Result<PackageId, PackageError> {
        let packages = packages.to_vec();
        self.blocking(move |store| store.merge_now(&packages)).await
    }

    /// Bytes of all files of the packages together, each counted as often as it is named.
    ///
    /// # Errors
    /// When one of them is not there or cannot be read.
    pub async fn unpacked_size_of(&self, packages: &[PackageId]) -> Result<u64, PackageError> {
        let packages = packages.to_vec();
        let sum = move |store: &Self| {
            packages.iter().try_fold(0, |sum, id| {
                let _lease = store.lease(id)?;
                let path = store.path_of(id);
                let bytes = merge::unpacked_bytes(&path).map_err(PackageError::io("read", path))?;
                Ok(sum + bytes)
            })
        };
        self.blocking(sum).await
    }

    /// The package as a zip file: as it was uploaded, or packed now for a staged folder.
    ///
    /// # Errors
    /// When there is no such package or it cannot be packed.
    pub async fn zip_of(&self, id: &PackageId) -> Result<PathBuf, PackageError> {
        let id = id.clone();
        self.blocking(move |store| store.zip_of_now(&id)).await
    }

    /// Where the package's code is, whether or not it is there.
    #[must_use]
    pub fn path_of(&self, id: &PackageId) -> PathBuf {
        self.0.dir.join(id.as_str())
    }

    /// Whether the package is here.
    #[must_use]
    pub fn contains(&self, id: &PackageId) -> bool {
        self.path_of(id).is_dir()
    }

    /// `CodeSize`: bytes of the zip, or of all files of a staged folder.
    ///
    /// # Errors
    /// When there is no such package.
    pub fn size_of(&self, id: &PackageId) -> Result<u64, PackageError> {
        if let Ok(header) = manifest::read_header(&self.manifest_path(id)) {
            return Ok(header.code_size);
        }
        fs::metadata(self.zip_path(id))
            .map(|zip| zip.len())
            .map_err(|_missing| not_found(id))
    }

    /// As [`PackageStore::retain`], but of packages that nothing names only those added within the last half
    /// minute stay.
    ///
    /// # Errors
    /// When the folder cannot be read or a package cannot be deleted.
    pub async fn scrub(&self, keep: &HashSet<PackageId>) -> Result<(), PackageError> {
        let keep = keep.clone();
        self.blocking(move |store| store.retain_now(&keep, UNCLAIMED_BRIEFLY.min(store.0.unclaimed)))
            .await
    }

    /// Deletes every package that is neither in `keep`, nor run by an instance, nor added within the
    /// last quarter of an hour: its function may be on the way.
    ///
    /// # Errors
    /// When the folder cannot be read or a package cannot be deleted.
    pub async fn retain(&self, keep: &HashSet<PackageId>) -> Result<(), PackageError> {
        let keep = keep.clone();
        self.blocking(move |store| store.retain_now(&keep, store.0.unclaimed))
            .await
    }

    /// Keeps the package's files until the lease is dropped.
    pub(crate) fn lease(&self, id: &PackageId) -> Result<PackageLease, PackageError> {
        let mut state = self.state();
        if !self.contains(id) {
            return Err(not_found(id));
        }
        *state.leases.entry(id.clone()).or_default() += 1;
        Ok(PackageLease {
            store: self.clone(),
            id: id.clone(),
        })
    }

    /// As if every package had been added long ago.
    #[cfg(test)]
    pub(crate) fn age(&self) {
        self.state().added.clear();
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, PackageError> + Send + 'static,
    ) -> Result<T, PackageError> {
        let store = self.clone();
        let dir = self.0.dir.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(gone) => Err(PackageError::io("work in", dir)(io::Error::other(gone))),
        }
    }

    fn add_zip_now(&self, archive: &[u8]) -> Result<PackageId, PackageError> {
        let id = PackageId::from_digest(&Sha256::digest(archive));
        self.note(&id);
        if self.contains(&id) {
            return Ok(id);
        }
        let staging = Staging::new(&self.0.dir)?;
        zip::unpack(archive, &staging.code())?;
        let kept = staging.path.join("zip");
        write_durably(&kept, archive).map_err(PackageError::io("write", &kept))?;
        let zip = self.zip_path(&id);
        fs::rename(&kept, &zip).map_err(PackageError::io("write", zip))?;
        self.publish_durably(&staging, &id)?;
        Ok(id)
    }

    fn merge_now(&self, packages: &[PackageId]) -> Result<PackageId, PackageError> {
        // what is merged must not be deleted meanwhile
        let leases = packages.iter().map(|id| self.lease(id));
        let _leases = leases.collect::<Result<Vec<_>, _>>()?;
        if let [only] = packages {
            self.note(only);
            return Ok(only.clone());
        }
        let id = merged_id(packages);
        self.note(&id);
        if self.contains(&id) {
            return Ok(id);
        }
        let staging = Staging::new(&self.0.dir)?;
        let mut entries = 0;
        for package in packages {
            merge::lay_over(&self.path_of(package), &staging.code(), &mut entries)?;
        }
        merge::check_links(&staging.code(), &staging.code())?;
        self.publish_durably(&staging, &id)?;
        Ok(id)
    }

    fn add_folder_now(&self, files: &[PackageFile]) -> Result<PackageId, PackageError> {
        let _one_at_a_time = lock(&self.0.staging);
        let known = self.take_known();
        let result = self.stage(files, &known);
        let mut known = known;
        if let Ok((id, staged)) = &result {
            known.learn(&self.path_of(id), staged);
        }
        self.state().known = Some(known);
        result.map(|(id, _staged)| id)
    }

    fn stage(
        &self,
        files: &[PackageFile],
        known: &KnownFiles,
    ) -> Result<(PackageId, Vec<manifest::StagedFile>), PackageError> {
        if let Some(foreseen) = folder::foresee(files, known) {
            let id = folder::id_of(&foreseen);
            self.note(&id);
            if self.contains(&id) {
                return Ok((id, foreseen));
            }
        }
        let staging = Staging::new(&self.0.dir)?;
        let staged = folder::stage(files, &staging.code(), known)?;
        let id = folder::id_of(&staged);
        self.note(&id);
        let list = staging.path.join("manifest");
        manifest::write(&list, &staged).map_err(PackageError::io("write", &list))?;
        let kept = self.manifest_path(&id);
        fs::rename(&list, &kept).map_err(PackageError::io("write", kept))?;
        self.publish(&staging, &id)?;
        Ok((id, staged))
    }

    /// What earlier stagings know; read from disk the first time.
    fn take_known(&self) -> KnownFiles {
        if let Some(known) = self.state().known.take() {
            return known;
        }
        let mut known = KnownFiles::default();
        for id in self.ids().unwrap_or_default() {
            if let Ok(files) = manifest::read(&self.manifest_path(&id)) {
                known.learn(&self.path_of(&id), &files);
            }
        }
        known
    }

    /// Gives a complete package its name. Another that came first with the same content is as good.
    fn publish(&self, staging: &Staging, id: &PackageId) -> Result<(), PackageError> {
        let path = self.path_of(id);
        match fs::rename(staging.code(), &path) {
            Err(error) if !path.is_dir() => Err(PackageError::io("write", path)(error)),
            _ => Ok(()),
        }
    }

    /// Gives a package its name after its content is on disk, and waits until the name is, too: a function
    /// that is acknowledged must find its code after a power cut. Staged folders are made anew instead.
    fn publish_durably(&self, staging: &Staging, id: &PackageId) -> Result<(), PackageError> {
        let code = staging.code();
        sync_all_of(&code).map_err(PackageError::io("write", code))?;
        self.publish(staging, id)?;
        let dir = &self.0.dir;
        let named = fs::File::open(dir).and_then(|dir| dir.sync_all());
        named.map_err(PackageError::io("write", dir))
    }

    fn zip_of_now(&self, id: &PackageId) -> Result<PathBuf, PackageError> {
        let zip = self.zip_path(id);
        if zip.is_file() {
            return Ok(zip);
        }
        let files = manifest::read(&self.manifest_path(id)).map_err(|_missing| not_found(id))?;
        let root = self.path_of(id);
        let staging = Staging::new(&self.0.dir)?;
        let packed = staging.path.join("zip");
        let out = fs::File::create_new(&packed).map_err(PackageError::io("write", &packed))?;
        let entries = files
            .iter()
            .map(|file| (file.path.as_str(), root.join(&file.path), file.executable));
        zip::pack(entries, out)?;
        fs::rename(&packed, &zip).map_err(PackageError::io("write", &zip))?;
        Ok(zip)
    }

    fn retain_now(&self, keep: &HashSet<PackageId>, unclaimed: Duration) -> Result<(), PackageError> {
        let _nothing_is_linked_from = lock(&self.0.staging);
        let all = self.ids().map_err(PackageError::io("read", &self.0.dir))?;
        for id in all.iter().filter(|id| !keep.contains(*id)) {
            self.delete(id, unclaimed)?;
        }
        Ok(())
    }

    /// Under another name first: what has its name is complete.
    fn delete(&self, id: &PackageId, unclaimed: Duration) -> Result<(), PackageError> {
        let trash = Staging::new(&self.0.dir)?;
        let path = self.path_of(id);
        {
            let mut state = self.state();
            if state.leases.contains_key(id) || state.is_younger(id, unclaimed) {
                return Ok(());
            }
            state.added.remove(id);
            if let Some(known) = &mut state.known {
                known.forget(&path);
            }
            fs::rename(&path, trash.path.join("old")).map_err(PackageError::io("delete", &path))?;
        }
        for file in [self.zip_path(id), self.manifest_path(id), self.prepared_dir(id)] {
            remove(&file).map_err(PackageError::io("delete", &file))?;
        }
        Ok(())
    }

    /// Remembers that the package was given now, before it is looked for: [`Self::delete`] looks at
    /// this under the same lock.
    fn note(&self, id: &PackageId) {
        self.state().added.insert(id.clone(), Instant::now());
    }

    fn ids(&self) -> io::Result<Vec<PackageId>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.0.dir)? {
            let name = entry?.file_name();
            if let Some(id) = name.to_str().and_then(|name| name.parse().ok()) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    fn zip_path(&self, id: &PackageId) -> PathBuf {
        self.0.dir.join(format!("{id}.zip"))
    }

    /// What was made of the package's code for its next starts.
    pub(super) fn prepared_dir(&self, id: &PackageId) -> PathBuf {
        self.0.dir.join(format!("{id}.prepared"))
    }

    fn manifest_path(&self, id: &PackageId) -> PathBuf {
        self.0.dir.join(format!("{id}.manifest"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

impl Drop for PackageLease {
    fn drop(&mut self) {
        let mut state = self.store.state();
        let Some(count) = state.leases.get_mut(&self.id) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            state.leases.remove(&self.id);
        }
    }
}

/// A folder of work in progress, removed with all that is left in it.
#[derive(Debug)]
pub(super) struct Staging {
    path: PathBuf,
}

impl Staging {
    pub(super) fn new(dir: &Path) -> Result<Self, PackageError> {
        let path = dir.join(format!("{STAGING}{}", uuid::Uuid::new_v4().simple()));
        let staging = Self { path };
        let code = staging.code();
        fs::create_dir_all(&code).map_err(PackageError::io("create", code))?;
        Ok(staging)
    }

    pub(super) fn code(&self) -> PathBuf {
        self.path.join("code")
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a staging folder");
        }
    }
}

/// Packages never change, so their ids in order stand for the merged content.
fn merged_id(packages: &[PackageId]) -> PackageId {
    let mut digest = Sha256::new_with_prefix("merged");
    for package in packages {
        digest.update("\n");
        digest.update(package.as_str());
    }
    PackageId::from_digest(&digest.finalize())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a file or a folder; that it is gone already is success.
fn remove(path: &Path) -> io::Result<()> {
    let result = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Writes everything in `folder` to disk: by one call for the whole file system, because a package may have
/// tens of thousands of files.
#[cfg(target_os = "linux")]
fn sync_all_of(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(fs::File::open(folder)?)?)
}

/// Writes everything in `folder` to disk, file by file.
#[cfg(not(target_os = "linux"))]
fn sync_all_of(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_all_of(&entry.path())?;
        } else if kind.is_file() {
            fs::File::open(entry.path())?.sync_all()?;
        }
    }
    fs::File::open(folder)?.sync_all()
}

fn not_found(id: &PackageId) -> PackageError {
    PackageError::NotFound {
        package: id.to_string(),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
