//! The walk over a service directory that picks the files of a package.
//!
//! Links are followed, as the reference does; a link back to a directory the walk is inside of is left out, and
//! the number of entries is bounded, so that no arrangement of links makes it endless. Directories the rules
//! cannot select anything from are not read at all: a `node_modules` of 20,000 excluded files costs one test.

use std::collections::{BTreeSet, HashSet};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::PreparedFile;
use super::installed;
use super::rules::Rules;

/// More files and directories than this are a mistake (a home directory, a mounted disk), not a package.
const MAX_ENTRIES: usize = 500_000;

/// Which files a walk picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All but those the rules exclude.
    All,
    /// Only those a rule includes by name: what is left beside bundled code.
    Named,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// The files, sorted by their path in the package.
    pub(crate) files: Vec<PreparedFile>,
    /// The directories that were read, installed packages left out.
    pub(crate) directories: BTreeSet<PathBuf>,
    /// What was left out although the rules wanted it, and why.
    pub(crate) notes: Vec<String>,
}

/// Why a walk gave up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelectError {
    /// A directory or a file's metadata cannot be read.
    #[error("`{}` cannot be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    /// The service directory holds more than a package ever should.
    #[error("the service directory holds more than {limit} files that are not excluded")]
    TooMany { limit: usize },
}

/// Picks the files below `root` that belong into a package.
///
/// With `production_only`, packages that only a `package.json`'s `devDependencies` ask for are left out.
pub(crate) fn select(
    root: &Path,
    rules: &Rules,
    scope: Scope,
    production_only: bool,
) -> Result<Selection, SelectError> {
    let mut walk = Walk::new(rules, scope, production_only, MAX_ENTRIES);
    walk.directory(root, &metadata(root)?)?;
    walk.selection
        .files
        .sort_by(|a, b| a.path_in_package.cmp(&b.path_in_package));
    Ok(walk.selection)
}

struct Walk<'a> {
    rules: &'a Rules,
    scope: Scope,
    production_only: bool,
    limit: usize,
    seen: usize,
    /// Installed packages that only development needs, as the walk would meet them.
    development: HashSet<PathBuf>,
    /// Device and inode of the directories the walk is inside of.
    ancestors: Vec<(u64, u64)>,
    /// The path from the root to here.
    names: Vec<String>,
    selection: Selection,
}

impl<'a> Walk<'a> {
    fn new(rules: &'a Rules, scope: Scope, production_only: bool, limit: usize) -> Self {
        Self {
            rules,
            scope,
            production_only,
            limit,
            seen: 0,
            development: HashSet::new(),
            ancestors: Vec::new(),
            names: Vec::new(),
            selection: Selection::default(),
        }
    }

    fn directory(&mut self, path: &Path, about: &Metadata) -> Result<(), SelectError> {
        let identity = (about.dev(), about.ino());
        if self.ancestors.contains(&identity) {
            return Ok(());
        }
        self.ancestors.push(identity);
        if !self.names.iter().any(|name| name == "node_modules") {
            self.selection.directories.insert(path.to_owned());
        }
        let entries = std::fs::read_dir(path).map_err(|cause| unreadable(path, cause))?;
        for entry in entries {
            let entry = entry.map_err(|cause| unreadable(path, cause))?;
            self.entry(&entry)?;
        }
        self.ancestors.pop();
        Ok(())
    }

    fn entry(&mut self, entry: &std::fs::DirEntry) -> Result<(), SelectError> {
        self.seen += 1;
        if self.seen > self.limit {
            return Err(SelectError::TooMany { limit: self.limit });
        }
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            self.note(&path, "its name is not UTF-8");
            return Ok(());
        };
        self.names.push(name);
        let done = self.named(&path, entry);
        self.names.pop();
        done
    }

    fn named(&mut self, path: &Path, entry: &std::fs::DirEntry) -> Result<(), SelectError> {
        let kind = entry.file_type().map_err(|cause| unreadable(path, cause))?;
        if kind.is_dir() && self.skips_directory(path) {
            return Ok(());
        }
        if kind.is_file() && !self.wants(path) {
            return Ok(());
        }
        let about = match std::fs::metadata(path) {
            Ok(about) => about,
            Err(_) if kind.is_symlink() => {
                self.broken_link(path);
                return Ok(());
            }
            Err(cause) => return Err(unreadable(path, cause)),
        };
        if about.is_dir() {
            if kind.is_symlink() && self.skips_directory(path) {
                return Ok(());
            }
            self.enter(path, &about)
        } else {
            if about.is_file() && (kind.is_file() || self.wants_link(path)) {
                self.take(path, &about);
            }
            Ok(())
        }
    }

    fn enter(&mut self, path: &Path, about: &Metadata) -> Result<(), SelectError> {
        let outermost = self.names.iter().filter(|name| *name == "node_modules").count() == 1;
        let here = self.names.last().is_some_and(|name| name == "node_modules");
        if here && outermost && self.production_only {
            let project = path.parent().unwrap_or(path);
            self.development.extend(installed::development_only(project));
        }
        self.directory(path, about)
    }

    fn skips_directory(&self, path: &Path) -> bool {
        let names = self.path();
        self.development.contains(path)
            || match self.scope {
                Scope::All => self.rules.prunes(&names),
                Scope::Named => !self.rules.may_name_below(&names),
            }
    }

    fn wants(&self, path: &Path) -> bool {
        let names = self.path();
        !self.development.contains(path)
            && match self.scope {
                Scope::All => self.rules.selects(&names),
                Scope::Named => self.rules.names(&names),
            }
    }

    /// As [`Walk::wants`], and a command in `node_modules/.bin` goes with the package it belongs to.
    fn wants_link(&self, path: &Path) -> bool {
        let command = self.names.iter().rev().nth(1).is_some_and(|name| name == ".bin");
        self.wants(path) && !(command && self.belongs_to_development(path))
    }

    fn belongs_to_development(&self, link: &Path) -> bool {
        let Ok(target) = std::fs::read_link(link) else {
            return false;
        };
        let folder = link.parent().unwrap_or(link);
        let target = installed::normalised(&folder.join(target));
        target.ancestors().any(|dir| self.development.contains(dir))
    }

    fn take(&mut self, path: &Path, about: &Metadata) {
        self.selection.files.push(PreparedFile {
            path_in_package: self.names.join("/"),
            source: path.to_owned(),
            executable: about.permissions().mode() & 0o100 != 0,
        });
    }

    fn broken_link(&mut self, path: &Path) {
        if self.wants_link(path) {
            self.note(path, "the link leads nowhere");
        }
    }

    fn note(&mut self, path: &Path, reason: &str) {
        let note = format!("`{}` is left out of the package: {reason}", path.display());
        self.selection.notes.push(note);
    }

    fn path(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }
}

fn metadata(path: &Path) -> Result<Metadata, SelectError> {
    std::fs::metadata(path).map_err(|cause| unreadable(path, cause))
}

fn unreadable(path: &Path, cause: io::Error) -> SelectError {
    SelectError::Unreadable {
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::package::testing::tree;

    fn picked(root: &Path, patterns: &[&str], scope: Scope) -> Vec<String> {
        let mut rules = Rules::with_defaults();
        rules.extend(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>());
        let selection = select(root, &rules, scope, true).unwrap();
        selection
            .files
            .into_iter()
            .map(|file| file.path_in_package)
            .collect()
    }

    #[test]
    fn files_are_picked_in_order_with_their_mode() {
        let dir = tree(&[("src/b.js", ""), ("a.js", ""), (".env", ""), (".git/HEAD", "")]);
        std::fs::set_permissions(dir.path().join("a.js"), PermissionsExt::from_mode(0o755)).unwrap();
        let selection = select(dir.path(), &Rules::with_defaults(), Scope::All, true).unwrap();
        let shown: Vec<_> = selection
            .files
            .iter()
            .map(|file| (file.path_in_package.as_str(), file.executable))
            .collect();
        assert_eq!(shown, [(".env", false), ("a.js", true), ("src/b.js", false)]);
        assert!(selection.directories.contains(&dir.path().join("src")));
        assert!(!selection.directories.contains(&dir.path().join(".git")));
    }

    #[test]
    fn links_are_followed_but_never_in_circles() {
        let dir = tree(&[("src/a.js", ""), ("shared/b.js", "")]);
        symlink("../shared", dir.path().join("src/shared")).unwrap();
        symlink("..", dir.path().join("src/up")).unwrap();
        symlink("a.js", dir.path().join("src/alias.js")).unwrap();
        symlink("nowhere", dir.path().join("src/broken")).unwrap();
        let files = picked(dir.path(), &["!shared/**"], Scope::All);
        assert_eq!(files, ["src/a.js", "src/alias.js", "src/shared/b.js"]);
    }

    #[test]
    fn a_broken_link_is_told_about() {
        let dir = tree(&[("a.js", "")]);
        symlink("nowhere", dir.path().join("broken")).unwrap();
        let selection = select(dir.path(), &Rules::with_defaults(), Scope::All, true).unwrap();
        assert!(selection.notes[0].contains("broken"), "{:?}", selection.notes);
    }

    #[test]
    fn excluded_directories_are_not_read() {
        let dir = tree(&[("a.js", ""), ("data/deep/x", ""), ("more/y", "")]);
        let mut rules = Rules::with_defaults();
        rules.extend(&["!data/**".to_owned(), "!more/*".to_owned()]);
        let selection = select(dir.path(), &rules, Scope::All, true).unwrap();
        let read: Vec<_> = selection.directories.iter().map(PathBuf::as_path).collect();
        assert_eq!(read, [dir.path(), &dir.path().join("more")]);
        assert_eq!(selection.files.len(), 1);
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let dir = tree(&[("a", ""), ("b", "")]);
        let rules = Rules::with_defaults();
        let mut walk = Walk::new(&rules, Scope::All, false, 1);
        let error = walk
            .directory(dir.path(), &metadata(dir.path()).unwrap())
            .unwrap_err();
        assert!(matches!(error, SelectError::TooMany { limit: 1 }), "{error}");
    }

    #[test]
    fn development_packages_and_their_commands_stay_home() {
        let dir = tree(&[
            (
                "package.json",
                r#"{"dependencies":{"a":"1"},"devDependencies":{"d":"1"}}"#,
            ),
            ("node_modules/a/package.json", r#"{"name":"a"}"#),
            ("node_modules/a/cli.js", ""),
            ("node_modules/d/package.json", r#"{"name":"d"}"#),
            ("node_modules/d/cli.js", ""),
            ("node_modules/.bin/keep", ""),
        ]);
        for name in ["a", "d"] {
            let link = dir.path().join("node_modules/.bin").join(name);
            symlink(format!("../{name}/cli.js"), link).unwrap();
        }
        let files = picked(dir.path(), &["!package.json"], Scope::All);
        let expected = [
            "node_modules/.bin/a",
            "node_modules/.bin/keep",
            "node_modules/a/cli.js",
            "node_modules/a/package.json",
        ];
        assert_eq!(files, expected);
    }

    #[test]
    fn beside_bundles_only_named_files_are_picked() {
        let dir = tree(&[("src/a.ts", ""), ("assets/logo.svg", ""), ("README.md", "")]);
        assert_eq!(
            picked(dir.path(), &["assets/**"], Scope::Named),
            ["assets/logo.svg"]
        );
        assert!(picked(dir.path(), &["!README.md"], Scope::Named).is_empty());
    }
}
