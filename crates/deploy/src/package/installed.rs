//! What is installed in a `node_modules` tree, and who asked for it.
//!
//! The reference runs `npm ls` twice to learn which packages only development needs. The same answer stands
//! in npm's own record of the tree (`node_modules/.package-lock.json`), and where that is absent or older than
//! `package.json` it follows from the `package.json` files by Node's resolution rules; both work for every
//! package manager, without starting one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::manifest::Manifest;

/// The directories of the packages in `<project>/node_modules` that nothing but `devDependencies` asks for.
pub(crate) fn development_only(project: &Path) -> HashSet<PathBuf> {
    let Ok(Some(manifest)) = Manifest::read(project) else {
        return HashSet::new();
    };
    if let Some(recorded) = from_record(project) {
        return recorded;
    }
    let names = |field: &'static str| manifest.names(field).map(str::to_owned).collect::<Vec<_>>();
    let mut runtime = names("dependencies");
    runtime.extend(names("optionalDependencies"));
    runtime.extend(names("peerDependencies"));
    let production = closure(project, &runtime);
    let development = closure(project, &names("devDependencies"));
    development.difference(&production).cloned().collect()
}

/// The directories of `names` as `project` would import them, and of everything they need in turn. A package
/// that is reached through a link is listed by both of its paths.
pub(crate) fn closure(project: &Path, names: &[String]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut manifests: HashMap<PathBuf, Vec<String>> = HashMap::new();
    let mut open: Vec<(PathBuf, String)> = names
        .iter()
        .map(|name| (project.to_owned(), name.clone()))
        .collect();
    while let Some((from, name)) = open.pop() {
        let Some(directory) = resolve(&from, &name) else {
            continue;
        };
        let real = directory.canonicalize().unwrap_or_else(|_| directory.clone());
        if found.insert(directory) | found.insert(real.clone()) {
            let needs = manifests.entry(real.clone()).or_insert_with(|| needs_of(&real));
            open.extend(needs.iter().map(|need| (real.clone(), need.clone())));
        }
    }
    found
}

fn needs_of(directory: &Path) -> Vec<String> {
    let manifest = Manifest::read_or_empty(directory);
    manifest
        .runtime_names()
        .chain(manifest.names("peerDependencies"))
        .map(str::to_owned)
        .collect()
}

/// Where Node finds the package `name` for code in `from`.
pub(crate) fn resolve(from: &Path, name: &str) -> Option<PathBuf> {
    from.ancestors()
        .filter(|dir| dir.file_name().is_none_or(|last| last != "node_modules"))
        .map(|dir| dir.join("node_modules").join(name))
        .find(|dir| dir.is_dir())
}

/// The package's name in an import specifier: `@a/b` of `@a/b/c`, `x` of `x/y`.
pub(crate) fn package_name(specifier: &str) -> Option<&str> {
    let mut slashes = specifier.match_indices('/').map(|(at, _)| at);
    let end = if specifier.starts_with('@') {
        slashes.next()?;
        slashes.next()
    } else {
        slashes.next()
    };
    specifier.get(..end.unwrap_or(specifier.len()))
}

/// The path with `.` and `..` taken out by their letters, links not followed.
pub(crate) fn normalised(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            other @ (Component::ParentDir
            | Component::Prefix(_)
            | Component::RootDir
            | Component::Normal(_)) => clean.push(other),
        }
    }
    clean
}

/// npm's record of the tree, unless `package.json` has changed since.
fn from_record(project: &Path) -> Option<HashSet<PathBuf>> {
    let record = project.join("node_modules/.package-lock.json");
    let modified = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified()).ok();
    if modified(&record)? < modified(&project.join("package.json"))? {
        return None;
    }
    let value: Value = serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
    let packages = value.get("packages")?.as_object()?;
    let development = packages
        .iter()
        .filter(|(_, about)| about.get("dev") == Some(&Value::Bool(true)))
        .map(|(path, _)| project.join(path));
    Some(development.collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::package::testing::tree;

    fn relative(root: &Path, found: HashSet<PathBuf>) -> Vec<String> {
        let mut names: Vec<_> = found
            .iter()
            .filter_map(|dir| {
                Some(
                    dir.strip_prefix(root.join("node_modules"))
                        .ok()?
                        .display()
                        .to_string(),
                )
            })
            .collect();
        names.sort();
        names
    }

    const PROJECT: &str = r#"{"dependencies":{"a":"1"},"devDependencies":{"d":"1"}}"#;

    #[test]
    fn without_a_record_the_graph_tells_who_asked() {
        let dir = tree(&[
            ("package.json", PROJECT),
            (
                "node_modules/a/package.json",
                r#"{"dependencies":{"shared":"1"}}"#,
            ),
            ("node_modules/shared/package.json", "{}"),
            (
                "node_modules/d/package.json",
                r#"{"dependencies":{"shared":"1","deep":"1"}}"#,
            ),
            ("node_modules/d/node_modules/deep/package.json", "{}"),
            ("node_modules/extra/package.json", "{}"),
        ]);
        let found = relative(dir.path(), development_only(dir.path()));
        assert_eq!(found, ["d", "d/node_modules/deep"]);
    }

    #[test]
    fn npms_own_record_is_believed() {
        let dir = tree(&[
            ("package.json", PROJECT),
            (
                "node_modules/.package-lock.json",
                r#"{"packages":{"node_modules/x":{"dev":true},"node_modules/y":{"devOptional":true},"node_modules/z":{}}}"#,
            ),
        ]);
        assert_eq!(relative(dir.path(), development_only(dir.path())), ["x"]);
    }

    #[test]
    fn linked_packages_are_known_by_both_paths() {
        let dir = tree(&[
            ("package.json", PROJECT),
            (
                "node_modules/.store/a/node_modules/a/package.json",
                r#"{"dependencies":{"b":"1"}}"#,
            ),
            ("node_modules/.store/a/node_modules/b/package.json", "{}"),
        ]);
        symlink(".store/a/node_modules/a", dir.path().join("node_modules/a")).unwrap();
        let root = dir.path().canonicalize().unwrap();
        let found = closure(&root, &["a".to_owned()]);
        let shown = relative(&root, found.into_iter().collect());
        assert_eq!(shown, [".store/a/node_modules/a", ".store/a/node_modules/b", "a"]);
    }

    #[test]
    fn packages_are_named_by_their_first_parts() {
        assert_eq!(package_name("a/b/c"), Some("a"));
        assert_eq!(package_name("@s/a/b"), Some("@s/a"));
        assert_eq!(package_name("@s"), None);
        assert_eq!(package_name("a"), Some("a"));
    }
}
