//! The files of a finished package, to be asked for by their paths.

use std::path::Path;

use crate::package::PreparedFile;

/// A package's files, sorted by path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files<'a>(&'a [PreparedFile]);

impl<'a> Files<'a> {
    /// `files` are sorted by their path in the package.
    pub(super) fn new(files: &'a [PreparedFile]) -> Self {
        Self(files)
    }

    /// The file at `path`.
    pub(super) fn get(self, path: &str) -> Option<&'a PreparedFile> {
        let at = self
            .0
            .binary_search_by(|file| file.path_in_package.as_str().cmp(path));
        self.0.get(at.ok()?)
    }

    /// Whether a file lies below the folder `path`.
    pub(super) fn has_folder(self, path: &str) -> bool {
        self.starting_with(&format!("{path}/")).next().is_some()
    }

    /// The files whose paths start with `prefix`.
    pub(super) fn starting_with(self, prefix: &str) -> impl Iterator<Item = &'a PreparedFile> {
        let from = self
            .0
            .partition_point(|file| file.path_in_package.as_str() < prefix);
        let rest = self.0.get(from..).unwrap_or_default();
        rest.iter()
            .take_while(move |file| file.path_in_package.starts_with(prefix))
    }

    /// All paths.
    pub(super) fn paths(self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|file| file.path_in_package.as_str())
    }

    /// The first of `stem.<extension>` that is there.
    pub(super) fn with_extension(self, stem: &str, extensions: &[&str]) -> Option<&'a PreparedFile> {
        extensions
            .iter()
            .find_map(|extension| self.get(&format!("{stem}.{extension}")))
    }
}

/// `relative` as seen from the folder of `file`; none when it leads out of the package.
pub(super) fn beside(file: &str, relative: &str) -> Option<String> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// A file's text, when it is small enough to be written by a person or a bundler.
pub(super) fn read_source(path: &Path) -> Option<String> {
    const LARGEST: u64 = 8 * 1024 * 1024;
    let size = path.metadata().ok()?.len();
    let bytes = (size <= LARGEST).then(|| std::fs::read(path).ok())??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_path_and_prefix() {
        let mut files: Vec<PreparedFile> = ["src/a.js", "src/b/c.js", "src.js", "x"]
            .iter()
            .map(|path| PreparedFile {
                path_in_package: (*path).to_owned(),
                source: path.into(),
                executable: false,
            })
            .collect();
        files.sort_by(|a, b| a.path_in_package.cmp(&b.path_in_package));
        let files = Files::new(&files);
        assert!(files.get("src/a.js").is_some() && files.get("src/a").is_none());
        assert!(files.has_folder("src/b") && !files.has_folder("sr") && !files.has_folder("x"));
        assert!(files.with_extension("src", &["mjs", "js"]).is_some());
    }

    #[test]
    fn relative_paths_stay_in_the_package() {
        assert_eq!(beside("src/a.js", "./b").as_deref(), Some("src/b"));
        assert_eq!(beside("src/a.js", "../lib//c").as_deref(), Some("lib/c"));
        assert_eq!(beside("a.js", "../c"), None);
        assert_eq!(beside("a.js", ".").as_deref(), Some(""));
    }
}
