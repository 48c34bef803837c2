//! What a build may use: the programs on a search path, the interpreters that will run the code, a cache.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, MutexGuard};
use tradewind_model::Runtime;

/// The programs and folders that builds use. Cheap to clone; clones share one lock, so that two packages of a
/// project never run a package manager in the same folder at once.
#[derive(Clone, Debug)]
pub struct Tools {
    path: OsString,
    cache_dir: PathBuf,
    interpreters: BTreeMap<Box<str>, PathBuf>,
    left_out: Vec<PathBuf>,
    known: Arc<std::sync::Mutex<Known>>,
    lock: Arc<Mutex<()>>,
}

/// What was learned by starting interpreters, to be learned once.
#[derive(Debug, Default)]
struct Known {
    /// Interpreters that were found on the search path and run.
    interpreters: BTreeMap<Box<str>, PathBuf>,
    /// Modules that an interpreter finds in its own folders.
    modules: BTreeSet<(PathBuf, String)>,
}

impl Tools {
    /// Tools found on `path` (the value of `$PATH`); what has to be fetched is kept below `cache_dir`.
    #[must_use]
    pub fn new(path: impl Into<OsString>, cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            cache_dir: cache_dir.into(),
            interpreters: BTreeMap::new(),
            left_out: Vec::new(),
            known: Arc::default(),
            lock: Arc::new(Mutex::new(())),
        }
    }

    /// Names the program that will run `runtime`, so that packages are installed for exactly that one.
    #[must_use]
    pub fn with_interpreter(mut self, runtime: &Runtime, program: impl Into<PathBuf>) -> Self {
        self.interpreters.insert(runtime.as_str().into(), program.into());
        self
    }

    /// Names a folder that never goes into a package although it may lie in the project: a node's data. The
    /// cache and `.tradewind` never do either.
    #[must_use]
    pub fn leaving_out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.left_out.push(folder.into());
        self
    }

    /// The folders that never go into a package.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = &Path> {
        let named = self.left_out.iter().map(PathBuf::as_path);
        named.chain([self.cache_dir()])
    }

    /// The search path programs are found on.
    #[must_use]
    pub fn path(&self) -> &std::ffi::OsStr {
        &self.path
    }

    /// Where fetched tools are kept.
    #[must_use]
    pub fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }

    /// The program `name` on the search path.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.path)
            .map(|folder| folder.join(name))
            .find(|candidate| is_program(candidate))
    }

    /// The interpreter that was named for `runtime`, or was tried for it before.
    pub(crate) fn interpreter(&self, runtime: &Runtime) -> Option<PathBuf> {
        let named = self.interpreters.get(runtime.as_str()).cloned();
        named.or_else(|| self.known().interpreters.get(runtime.as_str()).cloned())
    }

    /// Remembers that `program` runs `runtime`.
    pub(crate) fn remember(&self, runtime: &Runtime, program: &Path) {
        let runtime = runtime.as_str().into();
        self.known().interpreters.insert(runtime, program.to_owned());
    }

    /// Whether `program` was seen to find `module` by itself.
    pub(crate) fn has_module(&self, program: &Path, module: &str) -> bool {
        self.known()
            .modules
            .contains(&(program.to_owned(), module.to_owned()))
    }

    /// Remembers that `program` finds `module` by itself.
    pub(crate) fn remember_module(&self, program: &Path, module: &str) {
        self.known()
            .modules
            .insert((program.to_owned(), module.to_owned()));
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other build step runs.
    pub(crate) async fn exclusive(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().await
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::tree;

    #[test]
    fn only_executable_files_are_programs() {
        let dir = tree(&[("one/tool", ""), ("two/tool", "")]);
        let run = dir.path().join("two/tool");
        std::fs::set_permissions(&run, PermissionsExt::from_mode(0o755)).unwrap();
        let path = std::env::join_paths([dir.path().join("one"), dir.path().join("two")]).unwrap();
        let tools = Tools::new(path, dir.path());
        assert_eq!(tools.find("tool"), Some(run));
        assert_eq!(tools.find("other"), None);
    }

    #[test]
    fn a_named_interpreter_is_known_by_its_runtime() {
        let runtime: Runtime = "python3.12".parse().unwrap();
        let tools = Tools::new("", "/nowhere").with_interpreter(&runtime, "/opt/python");
        assert_eq!(tools.interpreter(&runtime), Some("/opt/python".into()));
        let other: Runtime = "python3.9".parse().unwrap();
        tools.clone().remember(&other, Path::new("/usr/bin/python3"));
        assert_eq!(tools.interpreter(&other), Some("/usr/bin/python3".into()));
    }
}
