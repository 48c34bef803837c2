//! Java programs from Maven Central: what a `pom.xml` names, copied into `.cache/`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::command::{cache, command, run};
use crate::fixtures::once;
use crate::tools;

/// Copies the jars that the pom names and what they need; where they are.
pub(crate) fn install(name: &str, pom: &Path) -> Result<PathBuf> {
    tools::java()?;
    let jars = cache().join(name);
    once(name, pom, || {
        tools::apt("mvn", &["--version"], &["maven"])?;
        if jars.exists() {
            std::fs::remove_dir_all(&jars)?;
        }
        run(command("mvn")
            .args(["-q", "-B", "-f"])
            .arg(pom)
            .arg("dependency:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", jars.display())))
    })?;
    Ok(jars)
}
