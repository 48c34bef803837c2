//! `cargo xtask java`: the Java bootstrap's jar, from its sources, byte for byte the same each time.
//!
//! The jar is checked in because the repository builds with cargo alone and users may have no
//! compiler (ADR 7). `runtimes/tests/test_java.py` fails when it is not what the sources make.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::command::{cache, command, root, run};
use crate::tools;

/// The oldest Java that Lambda has; newer compilers still make classes for it.
const TARGET: &str = "8";

/// Writes `runtimes/java/bootstrap.jar`.
pub(crate) fn build() -> Result<()> {
    tools::java()?;
    let folder = root().join("runtimes/java");
    let sources = files(&folder.join("src"), "java")?;
    let classes = cache().join("java-bootstrap");
    if classes.exists() {
        fs::remove_dir_all(&classes)?;
    }
    run(command("javac")
        .args([
            "--release",
            TARGET,
            "-g:source,lines",
            "-Xlint:all,-options",
            "-Werror",
            "-encoding",
            "UTF-8",
        ])
        .arg("-d")
        .arg(&classes)
        .args(&sources))?;
    let manifest = manifest(&folder.join("src"), &sources)?;
    let jar = folder.join("bootstrap.jar");
    write_jar(&jar, &manifest, &classes)?;
    println!("{} ({} bytes)", jar.display(), fs::metadata(&jar)?.len());
    Ok(())
}

/// Says what it was made of, and opens to it the packages it looks into when started by `java -jar`.
fn manifest(top: &Path, sources: &[PathBuf]) -> Result<String> {
    let compiler = std::process::Command::new("javac").arg("-version").output()?;
    let said = String::from_utf8_lossy(&compiler.stdout)
        .trim()
        .replace("javac ", "");
    Ok(format!(
        "Manifest-Version: 1.0\r\nCreated-By: {said}\r\nMain-Class: tradewind.runtime.Main\r\n\
         Add-Opens: java.base/java.io java.base/java.util java.base/sun.nio.fs\r\nSources: {}\r\n\r\n",
        digest(top, sources)?
    ))
}

/// Forty hexadecimal digits over the names and contents of all sources.
fn digest(top: &Path, sources: &[PathBuf]) -> Result<String> {
    let mut digest = Sha256::new();
    for source in sources {
        let content = fs::read(source)?;
        digest.update(format!("{}\n{}\n", name_below(top, source)?, content.len()));
        digest.update(content);
    }
    let mut text = String::new();
    for byte in digest.finalize().iter().take(20) {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

/// Uncompressed, because a JVM reads it at every start.
fn write_jar(jar: &Path, manifest: &str, classes: &Path) -> Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(File::create(jar)?);
    zip.start_file("META-INF/MANIFEST.MF", options)?;
    zip.write_all(manifest.as_bytes())?;
    for class in files(classes, "class")? {
        zip.start_file(name_below(classes, &class)?, options)?;
        zip.write_all(&fs::read(&class)?)?;
    }
    zip.finish()?;
    Ok(())
}

fn name_below(top: &Path, file: &Path) -> Result<String> {
    let relative = file.strip_prefix(top)?;
    let name = relative.to_str().context("a file name that is no text")?;
    Ok(name.replace('\\', "/"))
}

/// All files below `top` with this extension, by name.
fn files(top: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|one| one == extension) {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        bail!("no .{extension} files below {}", top.display());
    }
    found.sort();
    Ok(found)
}
