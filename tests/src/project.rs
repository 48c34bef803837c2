//! Projects in temporary folders.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A project folder that goes when the test ends.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
}

impl Project {
    /// A folder with these files: path, content.
    ///
    /// # Panics
    /// When the temporary folder cannot be written; so for all here.
    #[must_use]
    pub fn new(files: &[(&str, &str)]) -> Self {
        let project = Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
        };
        for (path, content) in files {
            project.write(path, content);
        }
        project
    }

    /// A copy of a folder, such as one of the examples.
    #[must_use]
    pub fn copy_of(source: &Path) -> Self {
        let project = Self::new(&[]);
        copy(source, project.path());
        project
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Saves a file as an editor would.
    pub fn write(&self, path: &str, content: &str) {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().expect("a file lies in a folder"))
            .expect("folders can be made");
        std::fs::write(file, content).expect("files can be written");
    }

    /// A path inside.
    #[must_use]
    pub fn join(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }
}

fn copy(source: &Path, target: &Path) {
    std::fs::create_dir_all(target).expect("folders can be made");
    for entry in std::fs::read_dir(source).expect("the source is a folder") {
        let entry = entry.expect("folders can be read");
        let name = entry.file_name();
        if name == ".tradewind" || name == "node_modules" || name == "target" {
            continue;
        }
        if entry.file_type().expect("files have types").is_dir() {
            copy(&entry.path(), &target.join(name));
        } else {
            std::fs::copy(entry.path(), target.join(name)).expect("files can be copied");
        }
    }
}
