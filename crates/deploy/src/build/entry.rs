//! The file and the export behind a handler.

use std::path::{Path, PathBuf};

use tradewind_model::Language;

use crate::serverless::ProjectFunction;

/// What Node can run as it is, in the order it is looked for.
pub(crate) const NODE_EXTENSIONS: [&str; 3] = ["js", "mjs", "cjs"];
/// What a bundler turns into it, best first.
pub(crate) const SOURCE_EXTENSIONS: [&str; 8] = ["ts", "mts", "cts", "tsx", "js", "mjs", "cjs", "jsx"];
/// What only runs after a bundler or compiler.
const COMPILED_EXTENSIONS: [&str; 4] = ["ts", "mts", "cts", "tsx"];

/// `src/x.handler` taken apart the way the runtime does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// `src/x`: the file without its extension, relative to the package.
    pub(crate) stem: String,
    /// `handler`: what the file must export; dots lead into objects.
    pub(crate) export: String,
}

impl Entry {
    /// The entry of a function whose runtime loads files; none for executables or a handler without a dot.
    pub(crate) fn of(function: &ProjectFunction) -> Option<Self> {
        let handler = function
            .handler
            .trim()
            .trim_start_matches("./")
            .trim_start_matches('/');
        let (stem, export) = match function.runtime.language() {
            Language::Node | Language::Ruby => split_after_folder(handler)?,
            Language::Python => {
                let (module, name) = handler.rsplit_once('.')?;
                (module.replace('.', "/"), name.to_owned())
            }
            Language::Java | Language::Dotnet | Language::Provided | Language::Go => return None,
        };
        (!stem.is_empty() && !stem.ends_with('/') && !export.is_empty()).then_some(Self { stem, export })
    }

    /// The source file a bundler starts from.
    pub(crate) fn source(&self, root: &Path) -> Option<PathBuf> {
        self.existing(root, &SOURCE_EXTENSIONS)
    }

    /// The file Node would load as it stands.
    pub(crate) fn runnable(&self, root: &Path) -> Option<PathBuf> {
        self.existing(root, &NODE_EXTENSIONS)
    }

    fn existing(&self, root: &Path, extensions: &[&str]) -> Option<PathBuf> {
        extensions
            .iter()
            .map(|extension| root.join(format!("{}.{extension}", self.stem)))
            .find(|path| path.is_file())
    }

    /// The first folder of the handler's path, when it lies in one.
    pub(crate) fn top_folder(&self) -> Option<&str> {
        self.stem.split_once('/').map(|(first, _)| first)
    }
}

/// Whether this file must be compiled before Node runs it.
pub(crate) fn is_compiled(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| COMPILED_EXTENSIONS.contains(&extension))
}

/// Node and Ruby split the last part of the path at its first dot.
fn split_after_folder(handler: &str) -> Option<(String, String)> {
    let (folder, file) = match handler.rsplit_once('/') {
        Some((folder, file)) => (Some(folder), file),
        None => (None, handler),
    };
    let (name, export) = file.split_once('.')?;
    let stem = match folder {
        Some(folder) => format!("{folder}/{name}"),
        None => name.to_owned(),
    };
    Some((stem, export.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::function;

    #[track_caller]
    fn check(runtime: &str, handler: &str, stem: &str, export: &str) {
        let entry = Entry::of(&function("f", runtime, handler)).unwrap();
        assert_eq!(
            (entry.stem.as_str(), entry.export.as_str()),
            (stem, export),
            "{handler}"
        );
    }

    #[test]
    fn handlers_are_taken_apart_like_the_runtime_does() {
        check("nodejs20.x", "src/x.handler", "src/x", "handler");
        check("nodejs20.x", "./a.b/x.api.get", "a.b/x", "api.get");
        check("python3.12", "todos/create.create", "todos/create", "create");
        check("python3.12", "app.api.handler", "app/api", "handler");
        check("ruby3.2", "lib/x.Shop::Cart.run", "lib/x", "Shop::Cart.run");
    }

    #[test]
    fn executables_and_half_handlers_have_no_entry() {
        assert_eq!(Entry::of(&function("f", "provided.al2023", "bootstrap")), None);
        assert_eq!(Entry::of(&function("f", "nodejs20.x", "handler")), None);
        assert_eq!(Entry::of(&function("f", "nodejs20.x", "src/.handler")), None);
    }
}
