//! Blobs as files of a folder. Everything here blocks.

mod durable;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use durable::DurableFolder;

use super::faults::{Faults, Step};
use super::remote::MARKER;
use super::{BlobError, BlobId};

/// Folders kept open for the next sync: those of now and of the minutes before.
const OPEN_FOLDERS: usize = 4;

/// The files of the blobs below one folder.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    reserve: u64,
    open: Mutex<VecDeque<(PathBuf, Arc<DurableFolder>)>>,
    pub(super) faults: Faults,
}

/// A file that is being written. Dropped before it is [`Folder::publish`]ed, it is removed.
#[derive(Debug)]
pub(super) struct Temporary {
    pub(super) file: File,
    path: Option<PathBuf>,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.path.take()
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(path = %path.display(), %error, "a temporary file stays until the next start");
        }
    }
}

impl Folder {
    pub(super) fn open(root: PathBuf, reserve: u64) -> Result<Self, BlobError> {
        let temporary = root.join("tmp");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&temporary)
            .map_err(BlobError::io("make the folder", &temporary))?;
        for entry in list(&temporary)? {
            fs::remove_file(&entry).map_err(BlobError::io("remove the unfinished file", &entry))?;
        }
        Ok(Self {
            root,
            reserve,
            open: Mutex::default(),
            faults: Faults::default(),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Refuses `bytes` more where they would eat into the reserve.
    pub(super) fn room_for(&self, bytes: u64) -> Result<(), BlobError> {
        let disk = rustix::fs::statvfs(&self.root)
            .map_err(io::Error::from)
            .map_err(BlobError::io("ask for the free space of", &self.root))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < self.reserve.saturating_add(bytes) {
            return Err(BlobError::Full {
                path: self.root.clone(),
                free,
                reserve: self.reserve,
            });
        }
        Ok(())
    }

    pub(super) fn create(&self) -> Result<Temporary, BlobError> {
        let path = self
            .root
            .join("tmp")
            .join(uuid::Uuid::new_v4().simple().to_string());
        let create = || {
            self.faults.reach(Step::Create)?;
            OpenOptions::new().write(true).create_new(true).open(&path)
        };
        let file = create().map_err(BlobError::io("make the file", &path))?;
        Ok(Temporary {
            file,
            path: Some(path),
        })
    }

    /// Gives a written file its name; when this returns, it survives the loss of power.
    pub(super) fn publish(&self, mut temporary: Temporary, id: BlobId) -> Result<(), BlobError> {
        let path = self.path(id);
        let sync = || {
            self.faults.reach(Step::SyncFile)?;
            temporary.file.sync_data()
        };
        sync().map_err(BlobError::io("sync the file of", &path))?;
        let parent = self.folder_of(id)?;
        if let Some(from) = &temporary.path {
            let rename = || {
                self.faults.reach(Step::Rename)?;
                fs::rename(from, &path)
            };
            rename().map_err(BlobError::io("rename to", &path))?;
            temporary.path = None;
        }
        let sync = || {
            self.faults.reach(Step::SyncFolder)?;
            parent.sync()?;
            self.faults.reach(Step::Finished)
        };
        // the file stays: whether its name is on disk is unknown, and without a row it is an orphan
        sync().map_err(BlobError::io("sync the folder of", &path))
    }

    pub(super) fn read(&self, id: BlobId) -> Result<File, BlobError> {
        let path = self.path(id);
        match File::open(&path) {
            Ok(file) => Ok(file),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(BlobError::Damaged {
                id,
                detail: "its file is missing",
            }),
            Err(error) => Err(BlobError::io("open", path)(error)),
        }
    }

    /// Removes files durably; those that are gone already are fine. So go the folders of times before `settled`, in
    /// milliseconds since the epoch, that are empty then.
    pub(super) fn remove(&self, ids: &[BlobId], settled: i64) -> Result<(), BlobError> {
        let mut folders: Vec<PathBuf> = Vec::new();
        for &id in ids {
            let path = self.path(id);
            let remove = || {
                self.faults.reach(Step::Remove)?;
                fs::remove_file(&path)
            };
            match remove() {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                result => result.map_err(BlobError::io("remove", &path))?,
            }
            let folder = self.folder_path(id);
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        for folder in folders {
            let sync = || File::open(&folder)?.sync_all();
            sync().map_err(BlobError::io("sync the folder", &folder))?;
            self.remove_if_empty(&folder, settled);
        }
        self.faults
            .reach(Step::RemoveRow)
            .map_err(BlobError::io("remove blobs below", &self.root))
    }

    /// Removes empty folders of times in `[from, settled)`, in milliseconds since the epoch.
    pub(super) fn remove_empty(&self, from: i64, settled: i64) -> Result<(), BlobError> {
        for span in list(&self.root)? {
            for folder in list_of_hex(&span, 6)? {
                if overlaps(&span, &folder, from, settled) {
                    self.remove_if_empty(&folder, settled);
                }
            }
        }
        Ok(())
    }

    /// Removes a folder, and the one around it, if they are empty and of a time before `settled`: nobody makes
    /// files in them any more. That they are not empty, or gone, is fine.
    fn remove_if_empty(&self, folder: &Path, settled: i64) {
        let Some(span) = folder.parent() else { return };
        let Some(start) = start_of(span, folder).filter(|start| start + (1 << 16) <= settled) else {
            return;
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if fs::remove_dir(folder).is_ok() {
            open.retain(|(path, _)| path != folder);
            let end_of_span = ((start >> 24) + 1) << 24;
            if end_of_span <= settled && fs::remove_dir(span).is_ok() {
                tracing::debug!(folder = %span.display(), "an empty folder of blobs is gone");
            }
        }
    }

    /// The blobs whose files were made in `[from, until)` milliseconds since the epoch.
    pub(super) fn made_within(&self, from: i64, until: i64) -> Result<Vec<BlobId>, BlobError> {
        let mut found = Vec::new();
        for span in list(&self.root)? {
            for folder in list_of_hex(&span, 6)? {
                if !overlaps(&span, &folder, from, until) {
                    continue;
                }
                let names = list_of_hex(&folder, 2)?;
                let ids = names
                    .iter()
                    .filter_map(|path| file_name(path)?.parse::<BlobId>().ok());
                found.extend(ids.filter(|id| (from..until).contains(&id.millis())));
            }
        }
        Ok(found)
    }

    /// What says whose blobs these are.
    pub(super) fn marker(&self) -> Result<Option<String>, BlobError> {
        let path = self.root.join(MARKER);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BlobError::io("read", path)(error)),
        }
    }

    pub(super) fn put_marker(&self, owner: &str) -> Result<(), BlobError> {
        let (new, path) = (self.root.join("tmp").join(MARKER), self.root.join(MARKER));
        let write = || {
            let mut file = File::create(&new)?;
            writeln!(file, "{owner}")?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.root)?.sync_all()
        };
        write().map_err(BlobError::io("write", &path))
    }

    fn path(&self, id: BlobId) -> PathBuf {
        self.folder_path(id).join(id.to_string())
    }

    fn folder_path(&self, id: BlobId) -> PathBuf {
        let millis = id.millis();
        self.root
            .join(format!("{:06x}", millis >> 24))
            .join(format!("{:02x}", (millis >> 16) & 0xff))
    }

    fn folder_of(&self, id: BlobId) -> Result<Arc<DurableFolder>, BlobError> {
        let path = self.folder_path(id);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, folder)) = open.iter().find(|(known, _)| *known == path) {
            return Ok(Arc::clone(folder));
        }
        let folder =
            DurableFolder::make(&self.root, &path).map_err(BlobError::io("make the folder", &path))?;
        let folder = Arc::new(folder);
        open.push_back((path, Arc::clone(&folder)));
        if open.len() > OPEN_FOLDERS {
            open.pop_front();
        }
        Ok(folder)
    }
}

/// Whether the folder's 65,536 milliseconds touch `[from, until)`.
fn overlaps(span: &Path, folder: &Path, from: i64, until: i64) -> bool {
    start_of(span, folder).is_some_and(|start| start < until && from < start + (1 << 16))
}

/// Where the folder's 65,536 milliseconds begin.
fn start_of(span: &Path, folder: &Path) -> Option<i64> {
    let number = |path| i64::from_str_radix(file_name(path)?, 16).ok();
    Some(((number(span)? << 8) | number(folder)?) << 16)
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// What is in `folder`, where its name is so many hex digits; else nothing.
fn list_of_hex(folder: &Path, digits: usize) -> Result<Vec<PathBuf>, BlobError> {
    let hex = |name: &str| name.len() == digits && name.bytes().all(|b| b.is_ascii_hexdigit());
    if file_name(folder).is_some_and(hex) {
        list(folder)
    } else {
        Ok(Vec::new())
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let entries: io::Result<Vec<PathBuf>> = read();
    entries.map_err(BlobError::io("list the folder", folder))
}
