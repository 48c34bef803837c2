//! Layers merged into one folder: what a function sees at `/opt`.
//!
//! Each layer is laid over the earlier ones, as if all were unpacked into one folder one after the
//! other: folders are joined, of files the later wins, and a folder gives way to a later file or link
//! and the other way round. Files are linked, not copied: packages never change. Symbolic links of
//! one layer may lead elsewhere through those of another, so they are followed again at the end.

use std::fs;
use std::io;
use std::path::Path;

use super::{MAX_ENTRIES, PackageError};

/// Lays the folder `layer` over what is in `into`, a folder of ours. `entries` counts those of all layers.
pub(super) fn lay_over(layer: &Path, into: &Path, entries: &mut usize) -> Result<(), PackageError> {
    for entry in fs::read_dir(layer).map_err(PackageError::io("read", layer))? {
        let entry = entry.map_err(PackageError::io("read", layer))?;
        *entries += 1;
        if *entries > MAX_ENTRIES {
            return Err(PackageError::TooManyEntries { entries: *entries });
        }
        let (from, to) = (entry.path(), into.join(entry.file_name()));
        let kind = entry.file_type().map_err(PackageError::io("read", &from))?;
        if kind.is_dir() {
            folder_at(&to).map_err(PackageError::io("create", &to))?;
            lay_over(&from, &to, entries)?;
        } else {
            place(&from, &to, kind.is_symlink()).map_err(PackageError::io("write", &to))?;
        }
    }
    Ok(())
}

/// Makes `path` a folder; one that is there stays as it is. Links are not followed.
fn folder_at(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => return Ok(()),
        Ok(_other) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::create_dir(path)
}

/// Puts the file or link at `to`, in place of whatever is there.
fn place(from: &Path, to: &Path, is_link: bool) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(to)?,
        Ok(_other) => fs::remove_file(to)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if is_link {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    fs::hard_link(from, to)
}

/// Fails if a symbolic link below `folder` leaves `root`, however far it leads. `root` is canonical.
pub(super) fn check_links(folder: &Path, root: &Path) -> Result<(), PackageError> {
    for entry in fs::read_dir(folder).map_err(PackageError::io("read", folder))? {
        let entry = entry.map_err(PackageError::io("read", folder))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(PackageError::io("read", &path))?;
        if kind.is_dir() {
            check_links(&path, root)?;
        } else if kind.is_symlink() && leaves(&path, folder, root).map_err(PackageError::io("read", &path))? {
            return Err(PackageError::UnsafeEntry {
                entry: path.strip_prefix(root).unwrap_or(&path).display().to_string(),
                reason: "together with the other layers it is a symbolic link that leaves them",
            });
        }
    }
    Ok(())
}

/// Follows a link step by step: one that leads nowhere must not leave on its way either.
fn leaves(link: &Path, folder: &Path, root: &Path) -> io::Result<bool> {
    let mut at = folder.to_owned();
    for part in fs::read_link(link)?.components() {
        match fs::canonicalize(at.join(part)) {
            Ok(real) if !real.starts_with(root) => return Ok(true),
            Ok(real) => at = real,
            Err(_leads_nowhere) => return Ok(false),
        }
    }
    Ok(false)
}

/// Bytes of all files below `folder`, without following links.
pub(super) fn unpacked_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            bytes += unpacked_bytes(&entry.path())?;
        } else if kind.is_file() {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
