//! The zip of a package: the same bytes for the same files, wherever and whenever it is written.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{PreparedFile, PreparedPackage};

/// From this size on an entry needs the long form of the zip headers.
const LARGE: u64 = u32::MAX as u64;

/// Why a zip was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteZipError {
    /// A file of the package cannot be read any more.
    #[error("`{}` cannot be read: {cause}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The zip itself cannot be written.
    #[error("the zip cannot be written: {0}")]
    Zip(#[from] zip::result::ZipError),
}

/// Writes the package as a zip: entries sorted by path, dated 1980-01-01, 0755 when executable and 0644
/// otherwise. Files are streamed. A prebuilt artifact is copied as it is.
///
/// # Errors
/// When a source cannot be read or `out` cannot be written; what was written so far is of no use then.
pub fn write_zip<W: Write + Seek>(package: &PreparedPackage, out: &mut W) -> Result<(), WriteZipError> {
    if let Some(artifact) = &package.artifact {
        let source = |cause| source_error(artifact, cause);
        let mut file = File::open(artifact).map_err(source)?;
        io::copy(&mut file, out).map_err(source)?;
        return Ok(());
    }
    let mut files: Vec<&PreparedFile> = package.files.iter().collect();
    files.sort_by(|a, b| a.path_in_package.cmp(&b.path_in_package));
    let mut zip = ZipWriter::new(out);
    for file in files {
        write_entry(&mut zip, file)?;
    }
    zip.finish()?;
    Ok(())
}

fn write_entry<W: Write + Seek>(
    zip: &mut ZipWriter<&mut W>,
    file: &PreparedFile,
) -> Result<(), WriteZipError> {
    let failed = |cause| source_error(&file.source, cause);
    let mut source = File::open(&file.source).map_err(failed)?;
    let size = source.metadata().map_err(failed)?.len();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(if file.executable { 0o755 } else { 0o644 })
        .large_file(size >= LARGE);
    zip.start_file(file.path_in_package.as_str(), options)?;
    io::copy(&mut source, zip).map_err(failed)?;
    Ok(())
}

fn source_error(path: &std::path::Path, cause: io::Error) -> WriteZipError {
    WriteZipError::Source {
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;
    use crate::package::testing::tree;

    fn package(root: &std::path::Path, names: &[(&str, bool)]) -> PreparedPackage {
        let files = names.iter().map(|(name, executable)| PreparedFile {
            path_in_package: (*name).to_owned(),
            source: root.join(name),
            executable: *executable,
        });
        PreparedPackage {
            files: files.collect(),
            ..PreparedPackage::default()
        }
    }

    fn zipped(package: &PreparedPackage) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        write_zip(package, &mut out).unwrap();
        out.into_inner()
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let files = [("b.js", "two"), ("a.js", "one")];
        let (here, there) = (tree(&files), tree(&files));
        let one = zipped(&package(here.path(), &[("a.js", false), ("b.js", true)]));
        let two = zipped(&package(there.path(), &[("b.js", true), ("a.js", false)]));
        assert_eq!(one, two);
    }

    #[test]
    fn entries_keep_content_and_mode() {
        let dir = tree(&[("run", "#!/bin/sh"), ("src/a.js", "text")]);
        let bytes = zipped(&package(dir.path(), &[("run", true), ("src/a.js", false)]));
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(
            archive.by_name("run").unwrap().unix_mode().unwrap() & 0o777,
            0o755
        );
        let mut entry = archive.by_name("src/a.js").unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(
            (text.as_str(), entry.unix_mode().unwrap() & 0o777),
            ("text", 0o644)
        );
    }

    #[test]
    fn a_file_that_is_gone_is_named() {
        let dir = tree(&[]);
        let mut out = Cursor::new(Vec::new());
        let error = write_zip(&package(dir.path(), &[("gone.js", false)]), &mut out).unwrap_err();
        assert!(error.to_string().contains("gone.js"), "{error}");
    }

    #[test]
    fn a_prebuilt_artifact_is_copied() {
        let dir = tree(&[("ready.zip", "PK bytes")]);
        let package = PreparedPackage {
            artifact: Some(dir.path().join("ready.zip")),
            ..PreparedPackage::default()
        };
        assert_eq!(zipped(&package), b"PK bytes");
    }
}
