//! The parts of a `package.json` that packaging and building need.

use std::path::Path;

use serde_json::Value;

/// A `package.json`, read leniently: what has the wrong type counts as absent.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    value: Value,
}

/// A `package.json` that is there but no JSON.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct InvalidManifest {
    /// 1-based.
    pub(crate) line: usize,
    /// 1-based.
    pub(crate) column: usize,
    cause: serde_json::Error,
}

impl Manifest {
    /// Reads `<directory>/package.json`; `None` when there is none.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, InvalidManifest> {
        let Ok(text) = std::fs::read(directory.join("package.json")) else {
            return Ok(None);
        };
        match serde_json::from_slice(&text) {
            Ok(value) => Ok(Some(Self { value })),
            Err(cause) => Err(InvalidManifest {
                line: cause.line(),
                column: cause.column(),
                cause,
            }),
        }
    }

    /// As [`Manifest::read`], with a broken file counting as empty: for packages others have installed.
    pub(crate) fn read_or_empty(directory: &Path) -> Self {
        Self::read(directory).ok().flatten().unwrap_or_default()
    }

    /// The names below `field`, for example `dependencies`.
    pub(crate) fn names(&self, field: &str) -> impl Iterator<Item = &str> {
        self.value
            .get(field)
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|entries| entries.keys().map(String::as_str))
    }

    /// Whether `field` lists `name`.
    pub(crate) fn lists(&self, field: &str, name: &str) -> bool {
        self.names(field).any(|listed| listed == name)
    }

    /// What the package needs at run time: `dependencies` and `optionalDependencies`.
    pub(crate) fn runtime_names(&self) -> impl Iterator<Item = &str> {
        self.names("dependencies")
            .chain(self.names("optionalDependencies"))
    }

    /// `dependencies` without those that may fail to install.
    pub(crate) fn required_names(&self) -> impl Iterator<Item = &str> {
        self.names("dependencies")
            .filter(|name| !self.lists("optionalDependencies", name))
    }

    /// What is asked for at run time: versions, ranges, addresses, paths.
    pub(crate) fn runtime_versions(&self) -> impl Iterator<Item = &str> {
        let fields = ["dependencies", "optionalDependencies"].into_iter();
        let tables = fields.filter_map(|field| self.value.get(field)?.as_object());
        tables.flat_map(|table| table.values().filter_map(Value::as_str))
    }

    /// Whether the field is there.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.value.get(field).is_some()
    }

    /// The command of one of the `scripts`.
    pub(crate) fn script(&self, name: &str) -> Option<&str> {
        self.value.get("scripts")?.get(name)?.as_str()
    }

    /// Whether `.js` files are ES modules (`"type": "module"`).
    pub(crate) fn is_module(&self) -> bool {
        self.value.get("type").and_then(Value::as_str) == Some("module")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::tree;

    #[test]
    fn names_are_read_and_wrong_types_ignored() {
        let dir = tree(&[(
            "package.json",
            r#"{"type":"module","dependencies":{"a":"1","o":"1"},"optionalDependencies":{"o":"1"},
                "devDependencies":["x"],"scripts":{"build":"tsc","n":1}}"#,
        )]);
        let manifest = Manifest::read(dir.path()).unwrap().unwrap();
        assert!(manifest.is_module());
        assert_eq!(manifest.required_names().collect::<Vec<_>>(), ["a"]);
        assert_eq!(manifest.names("devDependencies").count(), 0);
        assert_eq!(manifest.script("build"), Some("tsc"));
    }

    #[test]
    fn a_missing_file_is_not_a_broken_one() {
        let dir = tree(&[("broken/package.json", "{\n  oops }")]);
        assert!(Manifest::read(dir.path()).unwrap().is_none());
        let error = Manifest::read(&dir.path().join("broken")).unwrap_err();
        assert_eq!((error.line, error.column), (2, 3));
    }
}
