//! The bootstraps of managed runtimes: embedded in the binary, written where interpreters can read them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tradewind_model::Language;

/// Language, folder and file name, content.
const FILES: [(Language, &str, &str); 3] = [
    (
        Language::Node,
        "node/bootstrap.cjs",
        include_str!("../../../runtimes/node/bootstrap.cjs"),
    ),
    (
        Language::Python,
        "python/bootstrap.py",
        include_str!("../../../runtimes/python/bootstrap.py"),
    ),
    (
        Language::Ruby,
        "ruby/bootstrap.rb",
        include_str!("../../../runtimes/ruby/bootstrap.rb"),
    ),
];

/// Where the bootstraps are on this node.
#[derive(Debug)]
pub(crate) struct Bootstraps {
    dir: PathBuf,
}

impl Bootstraps {
    /// Writes those that are missing or differ. One that runs keeps the file it opened.
    pub(crate) fn write(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let dir = fs::canonicalize(dir)?;
        for (_language, name, content) in FILES {
            let path = dir.join(name);
            if fs::read(&path).is_ok_and(|current| current == content.as_bytes()) {
                continue;
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let fresh = path.with_extension(format!("{}.new", std::process::id()));
            fs::write(&fresh, content)?;
            fs::rename(&fresh, &path)?;
        }
        Ok(Self { dir })
    }

    /// The file an interpreter is started with; none for runtimes that bring their own.
    pub(crate) fn entry(&self, language: Language) -> Option<PathBuf> {
        let (_language, name, _content) = FILES.into_iter().find(|(of, _name, _content)| *of == language)?;
        Some(self.dir.join(name))
    }

    /// `LAMBDA_RUNTIME_DIR`.
    pub(crate) fn runtime_dir(&self, language: Language) -> PathBuf {
        match self.entry(language).as_deref().and_then(Path::parent) {
            Some(folder) => folder.to_owned(),
            None => self.dir.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_files_are_replaced_and_others_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let bootstraps = Bootstraps::write(dir.path()).unwrap();
        let entry = bootstraps.entry(Language::Node).unwrap();
        let modified = || fs::metadata(&entry).unwrap().modified().unwrap();
        let first = modified();
        Bootstraps::write(dir.path()).unwrap();
        assert_eq!(modified(), first);
        fs::write(&entry, "stale").unwrap();
        Bootstraps::write(dir.path()).unwrap();
        assert_ne!(fs::read(&entry).unwrap(), b"stale");
        assert_eq!(bootstraps.entry(Language::Provided), None);
    }
}
