//! `package.artifact`: a zip somebody else has built.

use std::fs::File;
use std::path::Path;

use super::{PreparedFile, PreparedPackage};
use crate::build::{Context, check, shown};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Checks that the artifact is a zip that holds the handlers.
pub(super) fn prepare(context: Context<'_>, artifact: &Path) -> Result<PreparedPackage, Diagnostics> {
    let fail = |message: String, hint: &str| -> Result<PreparedPackage, Diagnostics> {
        Err(Diagnostic::error(message)
            .at(&context.request.span)
            .hint(hint)
            .into())
    };
    let shown = shown(context.root(), artifact);
    let build = "build it before deploying: a project that names an artifact builds it itself";
    if !artifact.is_file() {
        return fail(format!("the artifact `{shown}` is not there"), build);
    }
    let files = match entries(artifact) {
        Ok(files) => files,
        Err(error) => {
            return fail(
                format!("the artifact `{shown}` is no readable zip: {error}"),
                build,
            );
        }
    };
    let problems = check::handlers(context, &files);
    if !problems.is_empty() {
        return Err(Diagnostics(problems));
    }
    Ok(PreparedPackage {
        watched: vec![artifact.to_owned()],
        artifact: Some(artifact.to_owned()),
        ..PreparedPackage::default()
    })
}

/// What the zip holds, sorted by path.
fn entries(path: &Path) -> zip::result::ZipResult<Vec<PreparedFile>> {
    let mut archive = zip::ZipArchive::new(File::open(path)?)?;
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        // An archive without modes comes from a system that has none.
        let mode = entry.unix_mode().unwrap_or(0o755);
        files.push(PreparedFile {
            path_in_package: entry.name()?.trim_start_matches("./").to_owned(),
            source: path.to_owned(),
            executable: mode & 0o100 != 0,
        });
    }
    files.sort_by(|a, b| a.path_in_package.cmp(&b.path_in_package));
    Ok(files)
}
