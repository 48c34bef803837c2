//! Which files were saved.
//!
//! Every folder of the project is watched by itself, so that those nobody edits (`node_modules`,
//! `.git`, our own state) cost nothing. Saves come in bursts: an editor writes, renames and deletes
//! within milliseconds, a formatter saves again; [`Watch::changed`] waits until it is quiet.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, MetadataKind, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::cli::failure::Failure;
use crate::cli::output;

/// Quiet for so long, a burst is over.
const QUIET: Duration = Duration::from_millis(60);
/// A burst that does not end is cut here.
const LONGEST_BURST: Duration = Duration::from_secs(1);
/// Folders that are written by programs.
const IGNORED: [&str; 11] = [
    ".git",
    ".hg",
    "node_modules",
    ".tradewind",
    ".serverless",
    "__pycache__",
    ".venv",
    "venv",
    "target",
    ".pytest_cache",
    ".mypy_cache",
];
/// More folders than anybody edits by hand; the rest is not watched.
const MOST_FOLDERS: usize = 8_192;

/// The watched folders of a project, and what was saved in them.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    sources: Arc<Sources>,
    saves: mpsc::Receiver<Instant>,
    burst: Option<Burst>,
    complained: bool,
}

/// Which files are edited by people; shared with the watcher's thread.
#[derive(Debug)]
struct Sources {
    root: PathBuf,
    /// The node's own state, which may lie inside `root` under any name.
    data_dir: PathBuf,
    /// Files and folders outside of `root` that matter too.
    outside: Mutex<BTreeSet<PathBuf>>,
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    first: Instant,
    quiet_at: Instant,
}

impl Watch {
    /// Watches the folders of the project in `dir`, except `data_dir`.
    pub(crate) fn start(dir: &Path, data_dir: &Path) -> Result<Self, Failure> {
        let cannot = || Failure::new(format!("cannot watch `{}`", dir.display()));
        let canonical = |path: &Path| path.canonicalize().map_err(|error| cannot().because(&error));
        let sources = Arc::new(Sources {
            root: canonical(dir)?,
            data_dir: canonical(data_dir)?,
            outside: Mutex::default(),
        });
        // One waiting save stands for all that follow until it is taken.
        let (sender, saves) = mpsc::channel(1);
        let seen = Arc::clone(&sources);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| seen.concern(&event)) && sender.try_send(Instant::now()).is_err() {
                // One is waiting already, or nobody watches any more.
            }
        });
        let watcher = watcher.map_err(|error| cannot().because(&error))?;
        let mut watch = Self {
            watcher,
            sources,
            saves,
            burst: None,
            complained: false,
        };
        watch.refresh(&[]);
        Ok(watch)
    }

    /// Watches folders that are new, and those of `paths` outside the project.
    pub(crate) fn refresh(&mut self, paths: &[PathBuf]) {
        let outside: BTreeSet<PathBuf> = paths
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .filter(|path| !path.starts_with(&self.sources.root))
            .collect();
        let parents = outside.iter().filter_map(|path| {
            if path.is_dir() {
                Some(path.as_path())
            } else {
                path.parent()
            }
        });
        let mut folders: BTreeSet<PathBuf> = parents.map(Path::to_path_buf).collect();
        self.sources.folders(&mut folders);
        *self.sources.outside() = outside;
        // Watching a folder twice is watching it once; one that was made anew needs it again.
        for folder in &folders {
            if let Err(error) = self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                self.complain(folder, &error);
            }
        }
    }

    fn complain(&mut self, folder: &Path, error: &notify::Error) {
        let gone = matches!(&error.kind, notify::ErrorKind::PathNotFound);
        if self.complained || gone {
            return;
        }
        self.complained = true;
        let failure = Failure::new(format!(
            "saves in `{}` and other folders will not be noticed",
            folder.display()
        ))
        .because(error)
        .hint("raise the limit: `sudo sysctl fs.inotify.max_user_watches=524288`");
        output::failure(&failure);
    }

    /// Waits for saves, until they are over; gives the time of the first.
    ///
    /// # Cancel safety
    /// Cancel-safe: a burst that has begun goes on in the next call.
    pub(crate) async fn changed(&mut self) -> Instant {
        loop {
            match self.burst {
                None => match self.saves.recv().await {
                    Some(first) => {
                        self.burst = Some(Burst {
                            first,
                            quiet_at: first + QUIET,
                        })
                    }
                    // The watcher is part of `self`; it has not hung up.
                    None => std::future::pending().await,
                },
                Some(burst) => match timeout_at(burst.quiet_at, self.saves.recv()).await {
                    Ok(_) => self.burst = Some(burst.prolonged()),
                    Err(_quiet) => {
                        self.burst = None;
                        return burst.first;
                    }
                },
            }
        }
    }
}

/// True for the file that this process prints to: `tradewind up > log.txt` in the project must not
/// reload on what it says itself.
#[cfg(unix)]
fn is_own_output(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino())).ok();
    let own = [Path::new("/dev/stdout"), Path::new("/dev/stderr")].map(identity);
    identity(path).is_some_and(|file| own.contains(&Some(file)))
}

#[cfg(not(unix))]
fn is_own_output(_path: &Path) -> bool {
    false
}

impl Burst {
    fn prolonged(self) -> Self {
        let quiet_at = (Instant::now() + QUIET).min(self.first + LONGEST_BURST);
        Self { quiet_at, ..self }
    }
}

impl Sources {
    fn outside(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.outside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True for an event that may change what runs.
    fn concern(&self, event: &notify::Event) -> bool {
        let changed = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(MetadataKind::AccessTime)) => false,
            EventKind::Any
            | EventKind::Create(_)
            | EventKind::Modify(_)
            | EventKind::Remove(_)
            | EventKind::Other => true,
        };
        changed
            && event
                .paths
                .iter()
                .any(|path| self.contain(path) && !is_own_output(path))
    }

    fn contain(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.root) else {
            let outside = self.outside();
            return outside.contains(path) || path.parent().is_some_and(|parent| outside.contains(parent));
        };
        let ignored = |part: Component<'_>| {
            part.as_os_str()
                .to_str()
                .is_some_and(|name| IGNORED.contains(&name))
        };
        !inside.components().any(ignored) && !path.starts_with(&self.data_dir) && !is_editors_own(path)
    }

    /// Adds every folder of the project that somebody may edit.
    fn folders(&self, folders: &mut BTreeSet<PathBuf>) {
        let mut waiting = vec![self.root.clone()];
        while let Some(folder) = waiting.pop() {
            if folders.len() >= MOST_FOLDERS {
                return;
            }
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            waiting.extend(below.map(|entry| entry.path()).filter(|path| self.contain(path)));
            folders.insert(folder);
        }
    }
}

/// Swap files and backups that editors make beside the file.
fn is_editors_own(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name.ends_with('~')
        || name.ends_with(".swp")
        || name.ends_with(".swx")
        || name == "4913"
        || name.starts_with(".#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_write_is_no_source() {
        let outside = BTreeSet::from([PathBuf::from("/shared.yml"), PathBuf::from("/lib")]);
        let sources = Sources {
            root: "/p".into(),
            data_dir: "/p/state".into(),
            outside: Mutex::new(outside),
        };
        for source in [
            "/p/handler.py",
            "/p/src/a.ts",
            "/shared.yml",
            "/lib/x.js",
            "/p/.env",
        ] {
            assert!(sources.contain(Path::new(source)), "{source}");
        }
        for other in [
            "/p/node_modules/x/index.js",
            "/p/.git/HEAD",
            "/p/.tradewind/node.db",
            "/p/state/logs/1.log",
            "/p/a/__pycache__/x.pyc",
            "/p/.handler.py.swp",
            "/p/handler.py~",
            "/elsewhere.yml",
            "/lib/deeper/x.js",
        ] {
            assert!(!sources.contain(Path::new(other)), "{other}");
        }
    }

    #[test]
    fn folders_that_nobody_edits_are_not_watched() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for folder in ["src/deep", "node_modules/x", ".tradewind/logs", "state/packages"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let sources = Sources {
            root: root.clone(),
            data_dir: root.join("state"),
            outside: Mutex::default(),
        };
        let mut folders = BTreeSet::new();
        sources.folders(&mut folders);
        assert_eq!(
            folders,
            BTreeSet::from([root.clone(), root.join("src"), root.join("src/deep")])
        );
    }

    /// A watched project whose state is in `.tradewind`.
    fn project() -> (tempfile::TempDir, Watch) {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join(".tradewind");
        std::fs::create_dir(&data_dir).unwrap();
        let watch = Watch::start(dir.path(), &data_dir).unwrap();
        (dir, watch)
    }

    #[tokio::test]
    async fn a_burst_of_saves_is_one_change_also_in_new_folders() {
        let (dir, mut watch) = project();
        for text in ["a", "b", "c"] {
            std::fs::write(dir.path().join("handler.py"), text).unwrap();
        }
        watch.changed().await;
        std::fs::create_dir(dir.path().join("new")).unwrap();
        watch.changed().await;
        watch.refresh(&[]);
        std::fs::write(dir.path().join("new/handler.py"), "d").unwrap();
        watch.changed().await;
        assert!(watch.burst.is_none());
    }

    #[tokio::test]
    async fn a_burst_survives_being_interrupted() {
        let (dir, mut watch) = project();
        std::fs::write(dir.path().join("handler.py"), "a").unwrap();
        while watch.burst.is_none() {
            tokio::select! {
                biased;
                _ = watch.changed() => break,
                () = tokio::task::yield_now() => {}
            }
        }
        if watch.burst.is_some() {
            watch.changed().await;
        }
        assert!(watch.burst.is_none());
    }
}
