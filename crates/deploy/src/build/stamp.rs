//! Whether a build step is up to date: fingerprints of its inputs, kept beside its outputs.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Up to this size a file's content decides, above it its size and time.
const HASHED_BYTES: u64 = 8 * 1024 * 1024;

/// A running digest over the inputs of a step.
#[derive(Debug, Default)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds a text.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.add(text.as_bytes());
        self
    }

    /// Adds a file's content, or its absence.
    pub(crate) fn file(mut self, path: &Path) -> Self {
        self.add(path.as_os_str().as_encoded_bytes());
        match content(path) {
            Ok(bytes) => self.add(&bytes),
            Err(_) => self.add(b"absent"),
        }
        self
    }

    /// Adds a file's size and time of change, or its absence: for many files that tools write.
    pub(crate) fn metadata(mut self, path: &Path) -> Self {
        self.add(path.as_os_str().as_encoded_bytes());
        match fs::metadata(path) {
            Ok(about) => self.add(&times(&about)),
            Err(_) => self.add(b"absent"),
        }
        self
    }

    /// The digest as hexadecimal text.
    pub(crate) fn finish(self) -> String {
        self.0.finalize().iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").ok();
            text
        })
    }

    /// Lengths go before contents, so that two inputs never run into each other.
    fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes.len().to_le_bytes());
        self.0.update(bytes);
    }
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let about = file.metadata()?;
    if about.len() > HASHED_BYTES {
        return Ok(times(&about));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn times(about: &fs::Metadata) -> Vec<u8> {
    [
        about.size().to_le_bytes(),
        about.mtime().to_le_bytes(),
        about.mtime_nsec().to_le_bytes(),
    ]
    .concat()
}

/// The record that a step was done for certain inputs: a file in `.tradewind/build`.
#[derive(Clone, Debug)]
pub(crate) struct Stamp(PathBuf);

impl Stamp {
    /// The record of the step `name` of the project in `root`.
    pub(crate) fn of(root: &Path, name: &str) -> Self {
        Self(build_dir(root).join(format!("{name}.stamp")))
    }

    /// Whether the step was done for these inputs.
    pub(crate) fn is(&self, fingerprint: &str) -> bool {
        fs::read_to_string(&self.0).is_ok_and(|text| text == fingerprint)
    }

    /// Whether the step was ever done.
    pub(crate) fn exists(&self) -> bool {
        self.0.exists()
    }

    /// Records that the step was done for these inputs.
    pub(crate) fn write(&self, fingerprint: &str) -> io::Result<()> {
        let folder = self.0.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        fs::write(&self.0, fingerprint)
    }

    /// Forgets the step, before its outputs are touched.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Where a project's build outputs and stamps are kept.
pub(crate) fn build_dir(root: &Path) -> PathBuf {
    root.join(".tradewind/build")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::tree;

    #[test]
    fn inputs_do_not_run_into_each_other() {
        let one = Fingerprint::default().text("ab").text("c").finish();
        let two = Fingerprint::default().text("a").text("bc").finish();
        assert_ne!(one, two);
        assert_eq!(one.len(), 64);
    }

    #[test]
    fn content_decides_not_time() {
        let dir = tree(&[("a", "text")]);
        let path = dir.path().join("a");
        let of = || Fingerprint::default().file(&path).finish();
        let first = of();
        fs::write(&path, "text").unwrap();
        assert_eq!(of(), first);
        fs::write(&path, "other").unwrap();
        assert_ne!(of(), first);
        fs::remove_file(&path).unwrap();
        assert_ne!(of(), first);
    }

    #[test]
    fn a_stamp_holds_until_cleared() {
        let dir = tree(&[]);
        let stamp = Stamp::of(dir.path(), "pip");
        assert!(!stamp.is("x") && !stamp.exists());
        stamp.write("x").unwrap();
        assert!(stamp.is("x") && !stamp.is("y") && stamp.exists());
        stamp.clear().unwrap();
        stamp.clear().unwrap();
        assert!(!stamp.is("x"));
    }
}
