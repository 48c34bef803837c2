//! What the bundler read and wrote, by its own record.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::build::check::node_imports::wanted_package;
use crate::package::PreparedFile;

/// The record's name in the output folder; it does not go into the package.
pub(super) const FILE: &str = ".meta.json";

/// The record of one run.
#[derive(Debug)]
pub(super) struct Metafile {
    /// The files that were read, relative to the service directory.
    pub(super) inputs: Vec<String>,
    externals: Vec<String>,
}

impl Metafile {
    /// Reads the record of the run that wrote `output`.
    pub(super) fn read(output: &Path) -> Option<Self> {
        let value: Value = serde_json::from_slice(&std::fs::read(output.join(FILE)).ok()?).ok()?;
        let inputs = value.get("inputs")?.as_object()?.keys().cloned().collect();
        let outputs = value.get("outputs")?.as_object()?.values();
        let imports = outputs
            .filter_map(|about| about.get("imports")?.as_array())
            .flatten();
        let externals = imports
            .filter(|import| import.get("external") == Some(&Value::Bool(true)))
            .filter_map(|import| Some(import.get("path")?.as_str()?.to_owned()));
        Some(Self {
            inputs,
            externals: externals.collect(),
        })
    }

    /// The inputs that are not installed packages.
    pub(super) fn own_inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs
            .iter()
            .map(String::as_str)
            .filter(|input| !input.split('/').any(|part| part == "node_modules"))
    }

    /// The packages that the outputs import from outside.
    pub(super) fn external_packages(&self) -> BTreeSet<String> {
        self.externals
            .iter()
            .filter(|path| !path.starts_with('.'))
            .filter_map(|path| wanted_package(path).map(str::to_owned))
            .collect()
    }
}

/// The files below `output` as they go into the package.
pub(super) fn outputs(output: &Path) -> Vec<PreparedFile> {
    let rules = {
        let mut rules = crate::package::rules::Rules::with_defaults();
        rules.exclude(FILE);
        rules
    };
    let selection = crate::package::walk::select(output, &rules, crate::package::walk::Scope::All, false)
        .unwrap_or_default();
    selection.files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::tree;

    #[test]
    fn inputs_and_externals_are_read() {
        let record = r#"{"inputs":{"src/x.ts":{},"node_modules/a/i.js":{}},"outputs":{"o/x.js":{"imports":[
            {"path":"@s/b/c","external":true},{"path":"node:fs","external":true},{"path":"util","external":true},{"path":"./x"}]}}}"#;
        let dir = tree(&[(FILE, record), ("src/x.js", "")]);
        let metafile = Metafile::read(dir.path()).unwrap();
        assert_eq!(metafile.own_inputs().collect::<Vec<_>>(), ["src/x.ts"]);
        assert_eq!(metafile.external_packages(), BTreeSet::from(["@s/b".to_owned()]));
        assert_eq!(outputs(dir.path())[0].path_in_package, "src/x.js");
    }

    #[test]
    fn no_record_is_no_run() {
        assert!(Metafile::read(tree(&[]).path()).is_none());
    }
}
