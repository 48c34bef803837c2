//! Whether a Python handler, and every file of the project it imports, finds what it imports in the package.

use std::collections::BTreeSet;

use super::files::{Files, read_source};
use super::python::{self, Import};
use super::python_modules::is_standard;
use crate::diagnostic::Span;
use crate::package::PreparedFile;

/// What a plugin adds to packages it has zipped twice; ours are not, and handlers do without it.
const UNZIPPER: &str = "unzip_requirements";
/// More files than these are not looked into.
const MAX_FILES: usize = 2_000;

/// A module that is imported and not in the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MissingModule {
    /// `a` of `import a.b`; dots first when the import is relative.
    pub(super) name: String,
    /// The importing file's path in the package.
    pub(super) importer: String,
    /// Where it is imported.
    pub(super) span: Span,
    /// Whether loading the handler certainly runs the import.
    pub(super) certain: bool,
    /// The statement that would find a module of that name beside the importing file.
    pub(super) beside: Option<String>,
}

/// The missing modules, each once.
pub(super) fn missing(
    handler: &PreparedFile,
    own: &dyn Fn(&PreparedFile) -> bool,
    files: Files<'_>,
) -> Vec<MissingModule> {
    let mut search = Search {
        files,
        vendored: files.paths().any(|path| path.contains(".dist-info/")),
        found: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    let mut open = vec![(handler, true)];
    while let Some((file, certain)) = open.pop() {
        if own(file) && seen.len() < MAX_FILES && seen.insert(file.path_in_package.as_str()) {
            open.extend(search.file(file, certain));
        }
    }
    search.found
}

struct Search<'a> {
    files: Files<'a>,
    /// Packages installed into the service directory itself are not told apart from the project's own code.
    vendored: bool,
    found: Vec<MissingModule>,
}

impl<'a> Search<'a> {
    fn file(&mut self, file: &PreparedFile, certain: bool) -> Vec<(&'a PreparedFile, bool)> {
        let Some(text) = read_source(&file.source) else {
            return Vec::new();
        };
        let mut further = Vec::new();
        for import in python::imports(&text) {
            let certain = certain && import.certain;
            let Some(base) = base(&file.path_in_package, &import) else {
                continue;
            };
            if import.top() == UNZIPPER {
                continue;
            }
            if !self.exists(&import, &base) {
                self.report(file, &import, certain);
            } else if import.level > 0 || !self.vendored {
                further.extend(self.modules(&import, &base).map(|next| (next, certain)));
            }
        }
        further
    }

    fn exists(&self, import: &Import, base: &str) -> bool {
        let top = if import.level == 0 { import.top() } else { base };
        (import.level == 0 && is_standard(top))
            || top.is_empty()
            || self.files.has_folder(top)
            || self.files.with_extension(top, &["py", "pyc", "so"]).is_some()
            || self
                .files
                .starting_with(&format!("{top}."))
                .any(is_extension_module)
    }

    /// The files behind the import: the module, the packages it lies in, and names that are modules.
    fn modules(&self, import: &Import, base: &str) -> impl Iterator<Item = &'a PreparedFile> {
        let joined = |name: &str| {
            if base.is_empty() {
                name.to_owned()
            } else {
                format!("{base}/{name}")
            }
        };
        let mut paths: Vec<String> = import
            .names
            .iter()
            .flat_map(|name| {
                [
                    format!("{}.py", joined(name)),
                    format!("{}/__init__.py", joined(name)),
                ]
            })
            .collect();
        paths.push(format!("{base}.py"));
        let folders = base.match_indices('/').filter_map(|(at, _)| base.get(..at));
        paths.extend(
            folders
                .chain([base])
                .map(|folder| format!("{folder}/__init__.py")),
        );
        let files = self.files;
        paths.into_iter().filter_map(move |path| files.get(&path))
    }

    /// Python looks from the top of the package, not from the folder of the importing file.
    fn beside(&self, file: &PreparedFile, import: &Import) -> Option<String> {
        let (folder, _) = file.path_in_package.rsplit_once('/')?;
        let top = import.top();
        let path = format!("{folder}/{top}");
        let is_there = self.files.has_folder(&path) || self.files.get(&format!("{path}.py")).is_some();
        let package = folder.replace('/', ".");
        (is_there && import.level == 0).then(|| format!("from {package} import {top}"))
    }

    fn report(&mut self, file: &PreparedFile, import: &Import, certain: bool) {
        let name = if import.level == 0 {
            import.top().to_owned()
        } else {
            format!("{}{}", ".".repeat(import.level), import.module)
        };
        let beside = self.beside(file, import);
        let known = self.found.iter_mut().find(|known| known.name == name);
        match known {
            Some(known) => known.certain |= certain,
            None => self.found.push(MissingModule {
                name,
                importer: file.path_in_package.clone(),
                span: Span {
                    file: file.source.as_path().into(),
                    line: import.line,
                    column: import.column,
                },
                certain,
                beside,
            }),
        }
    }
}

/// `x.cpython-312-x86_64-linux-gnu.so`
fn is_extension_module(file: &PreparedFile) -> bool {
    file.path_in_package.ends_with(".so")
}

/// The path of the imported module; none when it leads out of the package.
fn base(importer: &str, import: &Import) -> Option<String> {
    let module = import.module.replace('.', "/");
    let mut folder = importer;
    for _ in 0..import.level {
        folder = match folder.rsplit_once('/') {
            Some((parent, _)) => parent,
            None if folder.is_empty() => return None,
            None => "",
        };
    }
    let folder = if import.level == 0 { "" } else { folder };
    Some(match (folder, module.as_str()) {
        ("", module) => module.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, module) => format!("{folder}/{module}"),
    })
}
