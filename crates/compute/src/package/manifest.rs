//! What a staged package holds and where it came from, one JSON object a line, so that the next
//! staging can tell which files did not change, also after a restart.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Header {
    pub(crate) format: u32,
    pub(crate) code_size: u64,
}

/// The version of the format this code writes; older ones are read, newer ones ignored.
pub(crate) const FORMAT: u32 = 1;

/// One staged file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct StagedFile {
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) executable: bool,
    pub(crate) source: PathBuf,
    pub(crate) stamp: Stamp,
    /// False when the source changed so shortly before it was read that its times prove nothing.
    pub(crate) settled: bool,
}

/// What tells that a file did not change since it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    mtime_ns: i128,
    ctime_ns: i128,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            size: metadata.size(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The stamp of a file that turned out to have another size when it was read.
    pub(crate) fn with_size(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// True when the file behind `self` was last written well before `copy` was made. A write in
    /// the same tick of the file system's clock would leave the times as they are.
    pub(crate) fn is_older_than(&self, copy: &Stamp) -> bool {
        const TICK_NS: i128 = 50_000_000;
        copy.mtime_ns - self.mtime_ns.max(self.ctime_ns) > TICK_NS
    }
}

pub(crate) fn write(path: &Path, files: &[StagedFile]) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let code_size = files.iter().map(|file| file.stamp.size).sum();
    write_line(
        &mut out,
        &Header {
            format: FORMAT,
            code_size,
        },
    )?;
    for file in files {
        write_line(&mut out, file)?;
    }
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

fn write_line(out: &mut impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// The first line alone.
pub(crate) fn read_header(path: &Path) -> io::Result<Header> {
    let mut line = String::new();
    BufReader::new(File::open(path)?).read_line(&mut line)?;
    parse_header(&line)
}

/// All files of a manifest; a newer format or a torn file is an error.
pub(crate) fn read(path: &Path) -> io::Result<Vec<StagedFile>> {
    let mut lines = BufReader::new(File::open(path)?).lines();
    parse_header(&lines.next().unwrap_or_else(|| Ok(String::new()))?)?;
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

fn parse_header(line: &str) -> io::Result<Header> {
    let header: Header = serde_json::from_str(line)?;
    if header.format > FORMAT {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the manifest was written by a newer version",
        ));
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let stamp = Stamp {
            size: 3,
            mtime_ns: 5,
            ctime_ns: 6,
        };
        let file = StagedFile {
            path: "lib/a.js".into(),
            sha256: "00".into(),
            executable: true,
            source: "/src/a.js".into(),
            stamp,
            settled: true,
        };
        write(&path, std::slice::from_ref(&file)).unwrap();
        assert_eq!(read(&path).unwrap(), [file]);
        assert_eq!(
            read_header(&path).unwrap(),
            Header {
                format: 1,
                code_size: 3
            }
        );
    }

    #[test]
    fn newer_formats_and_torn_files_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        for text in [
            "",
            "{\"format\":2,\"code_size\":1}\n",
            "{\"format\":1,\"code_size\":1}\n{\"path\":",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(read(&path).is_err(), "{text}");
        }
    }

    #[test]
    fn a_write_in_the_same_tick_proves_nothing() {
        let at = |ms: i128| Stamp {
            size: 1,
            mtime_ns: ms * 1_000_000,
            ctime_ns: ms * 1_000_000,
        };
        assert!(at(100).is_older_than(&at(200)));
        assert!(!at(100).is_older_than(&at(120)));
        assert!(!at(100).is_older_than(&at(90)));
    }
}
