//! The unit tests of the reference applications, each by its language's own runner.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::command::{command, root, run};
use crate::fixtures;

/// Runs them all.
pub(crate) fn test() -> Result<()> {
    let mut files = Vec::new();
    collect(&root().join("apps"), &mut files)?;
    ensure!(!files.is_empty(), "there are no tests below apps/");
    files.sort();
    run(command("node").arg("--test").args(files))?;
    requests()
}

/// Those of the customer view's data-subject requests, which are Python.
fn requests() -> Result<()> {
    let packages = fixtures::requests_packages()?;
    run(command("python3")
        .current_dir(root().join("apps/customer-view"))
        .env("PYTHONPATH", std::env::join_paths(packages)?)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args(["-m", "unittest", "discover", "-s", "requests/tests", "-t", "."]))
}

/// Files named `….test.mjs`, wherever they are.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if path.is_dir() && !["node_modules", "target", ".tradewind"].contains(&name) {
            collect(&path, found)?;
        } else if name.ends_with(".test.mjs") {
            found.push(path);
        }
    }
    Ok(())
}
