//! Unpacking archives nobody trusts, and packing staged folders the same way every time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use ::zip::read::ZipFile;
use ::zip::result::ZipError;
use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};
use tradewind_model::limits::UNZIPPED_BYTES;

use super::{MAX_ENTRIES, MAX_RATIO, MIN_BOMB_BYTES, PackageError};

/// The longest target of a symbolic link.
const MAX_LINK_BYTES: u64 = 4096;

/// Unpacks `archive` below `root`, which must be an empty folder of ours.
pub(super) fn unpack(archive: &[u8], root: &Path) -> Result<(), PackageError> {
    let size = u64::try_from(archive.len()).unwrap_or(u64::MAX);
    unpack_within(
        archive,
        root,
        Caps {
            unpacked: UNZIPPED_BYTES,
            packed: size,
        },
    )
}

/// How much an archive may become.
#[derive(Clone, Copy)]
struct Caps {
    unpacked: u64,
    packed: u64,
}

impl Caps {
    /// The size at which unpacking stops, and what to say then.
    fn check(self, unpacked: u64) -> Result<(), PackageError> {
        if unpacked > MIN_BOMB_BYTES && unpacked > self.packed.saturating_mul(MAX_RATIO) {
            return Err(PackageError::ZipBomb);
        }
        if unpacked > self.unpacked {
            return Err(PackageError::TooLarge {
                limit_bytes: self.unpacked,
            });
        }
        Ok(())
    }
}

fn unpack_within(archive: &[u8], root: &Path, caps: Caps) -> Result<(), PackageError> {
    let mut zip = ZipArchive::new(Cursor::new(archive)).map_err(invalid)?;
    if zip.len() > MAX_ENTRIES {
        return Err(PackageError::TooManyEntries { entries: zip.len() });
    }
    let mut unpacked = 0;
    let mut links = Vec::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(invalid)?;
        let path = safe_path(&entry)?;
        if path.as_os_str().is_empty() {
            continue;
        }
        if entry.is_symlink() {
            links.push((path, link_target(&mut entry)?));
        } else if entry.is_dir() {
            make_folder(root, &path)?;
        } else {
            unpacked = write_file(&mut entry, root, &path, unpacked, caps)?;
        }
    }
    make_links(root, &links)
}

/// The entry's path below the package, or why it has none.
fn safe_path<R: Read>(entry: &ZipFile<'_, R>) -> Result<PathBuf, PackageError> {
    let refused = |reason| PackageError::UnsafeEntry {
        entry: String::from_utf8_lossy(entry.name_raw()).into_owned(),
        reason,
    };
    let name = str::from_utf8(entry.name_raw()).map_err(|_not_utf8| refused("its name is not UTF-8"))?;
    let path = entry
        .enclosed_name()
        .ok_or_else(|| refused("its name leaves the package"))?;
    // `enclosed_name` would quietly make these relative or fold them: what is that odd is refused.
    if name.starts_with('/') || name.contains(['\0', '\\']) {
        return Err(refused("its name is absolute or has a backslash"));
    }
    if Path::new(name)
        .components()
        .any(|part| matches!(part, Component::ParentDir))
    {
        return Err(refused("its name has `..`"));
    }
    Ok(path)
}

fn make_folder(root: &Path, path: &Path) -> Result<(), PackageError> {
    let path = root.join(path);
    fs::create_dir_all(&path).map_err(PackageError::io("create", path))
}

/// Writes one file and returns the bytes unpacked so far, counted as they come: a header may lie.
fn write_file<R: Read>(
    entry: &mut ZipFile<'_, R>,
    root: &Path,
    path: &Path,
    before: u64,
    caps: Caps,
) -> Result<u64, PackageError> {
    if let Some(parent) = path.parent() {
        make_folder(root, parent)?;
    }
    let executable = entry.unix_mode().is_none_or(|mode| mode & 0o111 != 0);
    let target = root.join(path);
    let mut file = create(&target, executable).map_err(PackageError::io("create", &target))?;
    let mut total = before;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = entry
            .read(&mut buffer)
            .map_err(|error| invalid(ZipError::Io(error)))?;
        if read == 0 {
            return Ok(total);
        }
        total += u64::try_from(read).unwrap_or(u64::MAX);
        caps.check(total)?;
        let chunk = buffer
            .get(..read)
            .expect("invariant: a read is no longer than its buffer");
        file.write_all(chunk)
            .map_err(PackageError::io("write", &target))?;
    }
}

/// Files are readable by all and writable by nobody: instances share them.
pub(super) fn create(path: &Path, executable: bool) -> io::Result<File> {
    let mode = if executable { 0o555 } else { 0o444 };
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

fn link_target<R: Read>(entry: &mut ZipFile<'_, R>) -> Result<PathBuf, PackageError> {
    let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
    let mut target = String::new();
    entry
        .take(MAX_LINK_BYTES + 1)
        .read_to_string(&mut target)
        .map_err(|error| invalid(ZipError::Io(error)))?;
    let target = PathBuf::from(target);
    let long = u64::try_from(target.as_os_str().len()).is_ok_and(|length| length > MAX_LINK_BYTES);
    if long || target.is_absolute() || target.as_os_str().is_empty() {
        return Err(PackageError::UnsafeEntry {
            entry: name,
            reason: "it is a symbolic link to an absolute path",
        });
    }
    Ok(target)
}

/// Links are made after all files, so that nothing is ever written through one, and then followed
/// once: where they lead, other links included, must be inside.
fn make_links(root: &Path, links: &[(PathBuf, PathBuf)]) -> Result<(), PackageError> {
    for (path, target) in links {
        if !stays_inside(path, target) || lies_behind_link(root, path) {
            return Err(link_refused(path));
        }
        if let Some(parent) = path.parent() {
            make_folder(root, parent)?;
        }
        let link = root.join(path);
        symlink(target, &link).map_err(PackageError::io("create", &link))?;
    }
    let inside = fs::canonicalize(root).map_err(PackageError::io("find", root))?;
    for (path, _target) in links {
        match fs::canonicalize(root.join(path)) {
            Ok(real) if !real.starts_with(&inside) => return Err(link_refused(path)),
            // a link that leads nowhere, or round and round, hurts nobody
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// True when a folder on the way to `path` is itself a link: what is made there would be made
/// wherever that link leads.
fn lies_behind_link(root: &Path, path: &Path) -> bool {
    let folders = path
        .ancestors()
        .skip(1)
        .filter(|folder| !folder.as_os_str().is_empty());
    folders.into_iter().any(|folder| root.join(folder).is_symlink())
}

/// By the letters alone: from the link's own folder, `target` never climbs above the package.
fn stays_inside(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

fn link_refused(path: &Path) -> PackageError {
    PackageError::UnsafeEntry {
        entry: path.display().to_string(),
        reason: "it is a symbolic link that leaves the package",
    }
}

fn invalid(error: ZipError) -> PackageError {
    PackageError::InvalidZip {
        reason: error.to_string(),
    }
}

/// Packs `files` (path in the package, file on disk, executable), sorted and without times, so that
/// the same files always give the same bytes.
pub(super) fn pack<'a, W: Write + Seek>(
    files: impl Iterator<Item = (&'a str, PathBuf, bool)>,
    out: W,
) -> Result<W, PackageError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(out);
    for (path, source, executable) in files {
        let mode = if executable { 0o755 } else { 0o644 };
        zip.start_file(path, options.unix_permissions(mode))
            .map_err(invalid)?;
        let mut file = File::open(&source).map_err(PackageError::io("read", &source))?;
        io::copy(&mut file, &mut zip).map_err(PackageError::io("pack", &source))?;
    }
    zip.finish().map_err(invalid)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    enum Entry<'a> {
        File(&'a str, &'a [u8], u32),
        Link(&'a str, &'a str),
    }
    use Entry::{File as Regular, Link};

    fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for entry in entries {
            match entry {
                Regular(name, content, mode) => {
                    zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode))
                        .unwrap();
                    zip.write_all(content).unwrap();
                }
                Link(name, target) => zip
                    .add_symlink(*name, *target, SimpleFileOptions::default())
                    .unwrap(),
            }
        }
        zip.finish().unwrap().into_inner()
    }

    fn unpack_new(archive: &[u8]) -> (tempfile::TempDir, Result<(), PackageError>) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let result = unpack(archive, &root);
        (dir, result)
    }

    /// The same archive with every `from` in it, headers included, written as `to`.
    fn renamed(mut archive: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let mut at = 0;
        while let Some(found) = archive[at..]
            .windows(from.len())
            .position(|w| w == from.as_bytes())
        {
            archive[at + found..at + found + from.len()].copy_from_slice(to.as_bytes());
            at += found + from.len();
        }
        archive
    }

    #[test]
    fn files_folders_and_modes_are_kept() {
        let (dir, result) = unpack_new(&archive(&[
            Regular("bootstrap", b"#!", 0o755),
            Regular("lib/deep/a.js", b"a", 0o600),
            Link("lib/current", "deep"),
        ]));
        result.unwrap();
        let root = dir.path().join("root");
        let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("bootstrap"), 0o555);
        assert_eq!(mode("lib/deep/a.js"), 0o444);
        assert_eq!(fs::read(root.join("lib/current/a.js")).unwrap(), b"a");
    }

    #[test]
    fn names_that_leave_the_package_are_refused() {
        let plain = archive(&[Regular("aa/aa/escaped", b"x", 0o644)]);
        for name in [
            "../../escaped",
            "/aa/a/escaped",
            "aa/../../scap",
            "aa\\aa\\escaped",
        ] {
            let (dir, result) = unpack_new(&renamed(plain.clone(), "aa/aa/escaped", name));
            assert!(
                matches!(result, Err(PackageError::UnsafeEntry { .. })),
                "{name}: {result:?}"
            );
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{name}");
        }
    }

    #[test]
    fn links_that_leave_the_package_are_refused() {
        let cases: [&[Entry<'_>]; 5] = [
            &[Link("etc", "/etc")],
            &[Link("up", "../outside")],
            &[Link("a/b", "../../outside")],
            // each stays inside by its letters, together they do not
            &[
                Regular("a/b/c/file", b"", 0o644),
                Link("a/b/c/root", "../../.."),
                Link("out", "a/b/c/root/../.."),
            ],
            &[Link("empty", "")],
        ];
        for entries in cases {
            let (dir, result) = unpack_new(&archive(entries));
            fs::write(dir.path().join("outside"), "secret").unwrap();
            assert!(
                matches!(result, Err(PackageError::UnsafeEntry { .. })),
                "{result:?}"
            );
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().to_str().unwrap().to_owned();
        for target in [target.as_str(), "inside"] {
            let (dir, result) = unpack_new(&archive(&[
                Link("link", target),
                Regular("link/planted", b"x", 0o644),
            ]));
            assert!(result.is_err());
            assert!(!dir.path().join("root/inside/planted").exists());
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_link_is_made_behind_another() {
        let (dir, result) = unpack_new(&archive(&[
            Regular("x/file", b"", 0o644),
            Link("x/y", ".."),
            Link("x/y/z", "../.."),
            Link("z/evil", "x"),
        ]));
        assert!(
            matches!(result, Err(PackageError::UnsafeEntry { .. })),
            "{result:?}"
        );
        let beside: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(beside, ["root"]);
        assert!(!dir.path().join("root/z").exists());
    }

    #[test]
    fn a_bomb_stops_while_it_unpacks() {
        let zeros = vec![0; usize::try_from(MIN_BOMB_BYTES).unwrap() + 1024 * 1024];
        let (_dir, result) = unpack_new(&archive(&[Regular("zeros", &zeros, 0o644)]));
        assert!(matches!(result, Err(PackageError::ZipBomb)), "{result:?}");
    }

    #[test]
    fn the_unpacked_size_is_capped_whatever_the_headers_say() {
        let archive = archive(&[Regular("a", &[7; 900], 0o644), Regular("b", &[8; 200], 0o644)]);
        let dir = tempfile::tempdir().unwrap();
        let result = unpack_within(
            &archive,
            dir.path(),
            Caps {
                unpacked: 1000,
                packed: 1000,
            },
        );
        assert!(
            matches!(result, Err(PackageError::TooLarge { limit_bytes: 1000 })),
            "{result:?}"
        );
    }

    #[test]
    fn what_is_no_zip_says_so() {
        for bytes in [&b""[..], b"hello", b"PK\x03\x04 torn"] {
            let (_dir, result) = unpack_new(bytes);
            assert!(matches!(result, Err(PackageError::InvalidZip { .. })));
        }
    }

    #[test]
    fn packing_twice_gives_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.js");
        fs::write(&file, "exports.a = 1").unwrap();
        let pack_once = || {
            let files = [("lib/a.js", file.clone(), false), ("run", file.clone(), true)];
            pack(files.into_iter(), Cursor::new(Vec::new()))
                .unwrap()
                .into_inner()
        };
        let first = pack_once();
        assert_eq!(first, pack_once());
        let (unpacked, result) = unpack_new(&first);
        result.unwrap();
        assert_eq!(
            fs::read(unpacked.path().join("root/lib/a.js")).unwrap(),
            b"exports.a = 1"
        );
    }

    proptest::proptest! {
        #[test]
        fn a_link_within_the_letters_never_resolves_outside(
            folder in "[a-c]{1}(/[a-c]{1}){0,3}",
            target in "(\\.\\.|[a-c]|\\.)(/(\\.\\.|[a-c]|\\.)){0,5}",
        ) {
            let path = Path::new(&folder).join("link");
            let mut depth = path.components().count() as i64 - 1;
            let mut lowest = depth;
            for part in target.split('/') {
                depth += match part { ".." => -1, "." => 0, _ => 1 };
                lowest = lowest.min(depth);
            }
            proptest::prop_assert_eq!(stays_inside(&path, Path::new(&target)), lowest >= 0);
        }
    }
}
