//! The package of a layer: the contents of a folder, as they are. Nothing is built for it.

use std::path::Path;

use super::rules::Rules;
use super::walk::{Scope, select};
use super::{PreparedPackage, nothing_matches};
use crate::build::{Context, shown};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Picks the files of the folder; patterns are relative to it.
pub(super) fn prepare(context: Context<'_>, folder: &Path) -> Result<PreparedPackage, Diagnostics> {
    let place = &context.request.span;
    if !folder.is_dir() {
        let shown = shown(context.root(), folder);
        return Err(Diagnostic::error(format!("the layer's folder `{shown}` is not there"))
            .at(place)
            .hint("make it before deploying: layers are packaged as they are, and nothing is installed for them")
            .into());
    }
    let mut rules = Rules::with_defaults();
    rules.extend(&context.request.patterns);
    let selection = select(folder, &rules, Scope::All, false)
        .map_err(|error| Diagnostics::from(Diagnostic::error(error.to_string()).at(place)))?;
    if selection.files.is_empty() {
        return Err(nothing_matches(context));
    }
    let notes = selection.notes.iter();
    Ok(PreparedPackage {
        files: selection.files,
        artifact: None,
        watched: selection.directories.into_iter().collect(),
        warnings: notes.map(|note| Diagnostic::warning(note).at(place)).collect(),
    })
}
