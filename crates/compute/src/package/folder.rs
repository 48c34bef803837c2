//! Staging a folder: copies what changed, links what did not.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};
use tradewind_model::limits::UNZIPPED_BYTES;

use super::manifest::{StagedFile, Stamp};
use super::zip::create;
use super::{MAX_ENTRIES, PackageError, PackageId};

/// One file of a package to be staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    /// Relative, with `/`, without `..`.
    pub path_in_package: String,
    /// Where its content is now.
    pub source: PathBuf,
    /// Whether instances may execute it.
    pub executable: bool,
}

/// Files of earlier stagings by their source, and where their copies are.
#[derive(Debug, Default)]
pub(super) struct KnownFiles(HashMap<(PathBuf, bool), Known>);

#[derive(Debug)]
struct Known {
    stamp: Stamp,
    sha256: String,
    copy: PathBuf,
}

impl KnownFiles {
    /// Remembers the files of the package in `root`; later packages win.
    pub(super) fn learn(&mut self, root: &Path, files: &[StagedFile]) {
        for file in files.iter().filter(|file| file.settled) {
            let known = Known {
                stamp: file.stamp,
                sha256: file.sha256.clone(),
                copy: root.join(&file.path),
            };
            match self.0.entry((file.source.clone(), file.executable)) {
                Entry::Occupied(mut old) => drop(old.insert(known)),
                Entry::Vacant(place) => drop(place.insert(known)),
            }
        }
    }

    /// Forgets the copies below `root`.
    pub(super) fn forget(&mut self, root: &Path) {
        self.0.retain(|_source, known| !known.copy.starts_with(root));
    }

    fn unchanged(&self, file: &PackageFile, stamp: Stamp) -> Option<&Known> {
        let known = self.0.get(&(file.source.clone(), file.executable))?;
        (known.stamp == stamp).then_some(known)
    }
}

/// Stages `files` below `root`, an empty folder of ours, and says what is there now, sorted.
pub(super) fn stage(
    files: &[PackageFile],
    root: &Path,
    known: &KnownFiles,
) -> Result<Vec<StagedFile>, PackageError> {
    if files.len() > MAX_ENTRIES {
        return Err(PackageError::TooManyEntries { entries: files.len() });
    }
    let mut total = 0;
    let mut staged = Vec::with_capacity(files.len());
    for file in files {
        check_path(&file.path_in_package)?;
        let file = stage_file(file, root, known)?;
        total += file.stamp.size;
        if total > UNZIPPED_BYTES {
            return Err(PackageError::TooLarge {
                limit_bytes: UNZIPPED_BYTES,
            });
        }
        staged.push(file);
    }
    staged.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(staged)
}

/// What staging `files` would give, if all of them are known and unchanged.
pub(super) fn foresee(files: &[PackageFile], known: &KnownFiles) -> Option<Vec<StagedFile>> {
    let mut staged = Vec::with_capacity(files.len());
    for file in files {
        let stamp = Stamp::of(&fs::metadata(&file.source).ok()?);
        let known = known.unchanged(file, stamp)?;
        staged.push(self::staged(file, stamp, known.sha256.clone(), true));
    }
    staged.sort_by(|a, b| a.path.cmp(&b.path));
    Some(staged)
}

/// The id of what was staged: paths, modes and contents, nothing of where or when.
pub(super) fn id_of(files: &[StagedFile]) -> PackageId {
    let mut hash = Sha256::new();
    for file in files {
        let mode = if file.executable { "x" } else { "-" };
        hash.update(format!("{mode} {} {}\n", file.sha256, file.path));
    }
    PackageId::from_digest(&hash.finalize())
}

fn check_path(path: &str) -> Result<(), PackageError> {
    let plain = |part| matches!(part, Component::Normal(_));
    if !path.is_empty() && !path.contains(['\0', '\n']) && Path::new(path).components().all(plain) {
        return Ok(());
    }
    Err(PackageError::UnsafeEntry {
        entry: path.into(),
        reason: "its name leaves the package",
    })
}

fn stage_file(file: &PackageFile, root: &Path, known: &KnownFiles) -> Result<StagedFile, PackageError> {
    let target = root.join(&file.path_in_package);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(PackageError::io("create", parent))?;
    }
    let metadata = fs::metadata(&file.source).map_err(PackageError::io("read", &file.source))?;
    let stamp = Stamp::of(&metadata);
    if let Some(known) = known.unchanged(file, stamp)
        && fs::hard_link(&known.copy, &target).is_ok()
    {
        return Ok(staged(file, stamp, known.sha256.clone(), true));
    }
    let (sha256, size, copied) = copy(&file.source, &target, file.executable)?;
    let settled = size == stamp.size && stamp.is_older_than(&copied);
    Ok(staged(file, stamp.with_size(size), sha256, settled))
}

fn staged(file: &PackageFile, stamp: Stamp, sha256: String, settled: bool) -> StagedFile {
    StagedFile {
        path: file.path_in_package.clone(),
        sha256,
        executable: file.executable,
        source: file.source.clone(),
        stamp,
        settled,
    }
}

/// Copies and hashes in one pass; says the digest, the size, and the copy's own stamp.
fn copy(source: &Path, target: &Path, executable: bool) -> Result<(String, u64, Stamp), PackageError> {
    let reading = || PackageError::io("read", source);
    let writing = || PackageError::io("write", target);
    let mut from = File::open(source).map_err(reading())?;
    let mut to = create(target, executable).map_err(writing())?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(reading()(error)),
        };
        let chunk = buffer
            .get(..read)
            .expect("invariant: a read is no longer than its buffer");
        hash.update(chunk);
        size += u64::try_from(read).unwrap_or(u64::MAX);
        if size > UNZIPPED_BYTES {
            return Err(PackageError::TooLarge {
                limit_bytes: UNZIPPED_BYTES,
            });
        }
        to.write_all(chunk).map_err(writing())?;
    }
    let copied = Stamp::of(&to.metadata().map_err(writing())?);
    let digest = PackageId::from_digest(&hash.finalize());
    Ok((digest.as_str().to_owned(), size, copied))
}
