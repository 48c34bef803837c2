//! Whether a Node handler, and every file of the project it imports, finds what it imports in the package.

use std::collections::BTreeSet;

use super::files::{Files, beside, read_source};
use super::javascript::{self, Import};
use super::missing::MissingPackage;
use crate::build::{Built, Context};
use crate::diagnostic::{Diagnostic, Span};
use crate::package::PreparedFile;
use crate::package::installed::package_name;
use crate::package::manifest::Manifest;
use crate::serverless::ProjectFunction;

/// Node's own modules, which also go by `node:…`.
const BUILTIN: &str = "assert async_hooks buffer child_process cluster console constants crypto dgram \
    diagnostics_channel dns domain events fs http http2 https inspector module net os path perf_hooks process \
    punycode querystring readline repl stream string_decoder sys timers tls trace_events tty url util v8 vm wasi \
    worker_threads zlib";
/// More files than these are not looked into.
const MAX_FILES: usize = 2_000;

/// Reports what is imported and not there; each package once.
pub(super) fn check(
    context: Context<'_>,
    built: &Built,
    function: &ProjectFunction,
    handler: &PreparedFile,
    files: Files<'_>,
) -> Vec<Diagnostic> {
    let mut search = Search {
        context,
        built,
        function,
        files,
        seen: BTreeSet::new(),
        reported: BTreeSet::new(),
        found: Vec::new(),
    };
    let mut open = vec![(handler, true)];
    while let Some((file, certain)) = open.pop() {
        let new = search.seen.insert(file.path_in_package.clone());
        if new && search.seen.len() <= MAX_FILES {
            open.extend(search.file(file, certain));
        }
    }
    search.found
}

struct Search<'a> {
    context: Context<'a>,
    built: &'a Built,
    function: &'a ProjectFunction,
    files: Files<'a>,
    seen: BTreeSet<String>,
    reported: BTreeSet<String>,
    found: Vec<Diagnostic>,
}

impl<'a> Search<'a> {
    /// Looks through one file; gives the project's files it imports and whether that is certain.
    fn file(&mut self, file: &PreparedFile, certain: bool) -> Vec<(&'a PreparedFile, bool)> {
        let Some(text) = read_source(&file.source) else {
            return Vec::new();
        };
        self.module_system(file, &text);
        let mut further = Vec::new();
        for import in javascript::imports(&text) {
            let certain = certain && import.certain;
            if import.specifier.starts_with('.') {
                match self.relative(file, &import) {
                    Some(next) => further.extend(next.map(|next| (next, certain))),
                    None => self.missing_file(file, &import, certain),
                }
            } else if let Some(name) = wanted_package(&import.specifier) {
                self.package(file, &import, name, certain);
            }
        }
        further
    }

    /// Node up to 20 reads a `.js` file as CommonJS unless its `package.json` says otherwise.
    fn module_system(&mut self, file: &PreparedFile, text: &str) {
        let old = self
            .function
            .runtime
            .version()
            .is_none_or(|(major, _)| major <= 20);
        let path = &file.path_in_package;
        if !old || !path.ends_with(".js") || !javascript::is_module(text) || self.in_module_folder(path) {
            return;
        }
        let message = format!(
            "`{path}` is an ES module, but {} reads it as CommonJS",
            self.function.runtime
        );
        let span = Span::start_of(&file.source);
        let hint = "rename it to .mjs, or add `\"type\": \"module\"` to package.json";
        self.found.push(Diagnostic::warning(message).at(&span).hint(hint));
    }

    /// Whether the nearest `package.json` of the package makes `.js` files ES modules.
    fn in_module_folder(&self, path: &str) -> bool {
        let mut folder = path;
        loop {
            let parent = folder.rsplit_once('/').map(|(parent, _)| parent);
            let manifest = parent.map_or("package.json".to_owned(), |parent| {
                format!("{parent}/package.json")
            });
            if let Some(manifest) = self.files.get(&manifest) {
                return Manifest::read_or_empty(manifest.source.parent().unwrap_or(&manifest.source))
                    .is_module();
            }
            match parent {
                Some(parent) => folder = parent,
                None => return false,
            }
        }
    }

    /// What a relative import leads to: `Some(None)` is a file without imports of its own.
    #[expect(clippy::option_option, reason = "found, found but nothing to read, not found")]
    fn relative(&self, file: &PreparedFile, import: &Import) -> Option<Option<&'a PreparedFile>> {
        let path = beside(&file.path_in_package, &import.specifier)?;
        let folder = |name: &str| {
            if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}/{name}")
            }
        };
        let sources = ["js", "mjs", "cjs"];
        let exact = self.files.get(&path);
        let found = exact
            .or_else(|| self.files.with_extension(&path, &sources))
            .or_else(|| self.files.with_extension(&folder("index"), &sources));
        if let Some(found) = found {
            let readable = sources
                .iter()
                .any(|extension| found.path_in_package.ends_with(extension));
            return Some(readable.then_some(found));
        }
        let other = ["json", "node", "wasm"];
        let data = self.files.with_extension(&path, &other);
        let manifest = self.files.get(&folder("package.json"));
        data.or(manifest).map(|_| None)
    }

    fn missing_file(&mut self, file: &PreparedFile, import: &Import, certain: bool) {
        let (importer, specifier) = (&file.path_in_package, &import.specifier);
        let message = format!("`{importer}` imports `{specifier}`, and there is no such file in the package");
        let diagnostic = if certain {
            Diagnostic::error(message)
        } else {
            Diagnostic::warning(message)
        };
        let span = self.place(file, import);
        let hint = "create the file, or include it with package.patterns if it is excluded";
        if self.reported.insert(format!("{importer}\0{specifier}")) {
            self.found.push(diagnostic.at(&span).hint(hint));
        }
    }

    fn package(&mut self, file: &PreparedFile, import: &Import, name: &str, certain: bool) {
        if self.reported.contains(name) || self.resolves(&file.path_in_package, name) {
            return;
        }
        self.reported.insert(name.to_owned());
        let missing = MissingPackage {
            name: name.to_owned(),
            importer: file.path_in_package.clone(),
            span: Some(self.place(file, import)),
            certain,
        };
        self.found
            .push(missing.diagnose(self.context, Some(self.function)));
    }

    /// Whether Node finds the package from the folder of `importer` upwards.
    fn resolves(&self, importer: &str, name: &str) -> bool {
        let mut folder = importer;
        while let Some((parent, _)) = folder.rsplit_once('/') {
            if self.files.has_folder(&format!("{parent}/node_modules/{name}")) {
                return true;
            }
            folder = parent;
        }
        self.files.has_folder(&format!("node_modules/{name}"))
    }

    /// Where the import stands: in the source, when the file was made from one.
    fn place(&self, file: &PreparedFile, import: &Import) -> Span {
        let made = self.built.made.iter().any(|made| made.source == file.source);
        let sources = self.built.replaced.iter().filter(|_| made);
        for source in sources {
            let imports = read_source(source).map(|text| javascript::imports(&text));
            let same = imports
                .into_iter()
                .flatten()
                .find(|one| one.specifier == import.specifier);
            if let Some(same) = same {
                return same.span_in(source);
            }
        }
        import.span_in(&file.source)
    }
}

/// The package an import needs; none for Node's own modules, absolute paths, layers and addresses.
pub(in crate::build) fn wanted_package(specifier: &str) -> Option<&str> {
    let special = specifier.starts_with(['/', '#']) || specifier.contains(':');
    let name = if special { None } else { package_name(specifier) }?;
    let valid = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "@/._-".contains(c))
        && !name.is_empty();
    let builtin = BUILTIN.split_whitespace().any(|builtin| builtin == name);
    (valid && !builtin).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_are_wanted() {
        assert_eq!(wanted_package("lodash/fp"), Some("lodash"));
        assert_eq!(wanted_package("@s/p/x"), Some("@s/p"));
        for none in [
            "fs",
            "node:test",
            "fs/promises",
            "/opt/x",
            "#x",
            "https://a/b",
            "data:x",
            "",
            "@s",
            "a b",
        ] {
            assert_eq!(wanted_package(none), None, "{none}");
        }
    }
}
