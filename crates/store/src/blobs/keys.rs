//! The master keys of a node, which wrap the keys of blobs.
//!
//! A key file has one key a line: 64 hex digits. The first wraps what is written from now on, all of
//! them unwrap: to rotate, put a new line before the others and start the node again. A line may go
//! when nothing is left that it wrapped. Which keys were ever used is recorded in the database, so that
//! a node without one of them refuses to start instead of failing at some object, or making a new key.

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

use super::cipher::DataKey;

/// Where the master keys are.
#[derive(Clone, Debug)]
pub enum KeyFile {
    /// The node's own: made when first needed.
    Own(PathBuf),
    /// One that the operator provides.
    Given(PathBuf),
}

/// Why master keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("cannot use the key file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("the key file {path} can be read by every user; run `chmod 600` on it")]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// A line is no key.
    #[error("line {line} of the key file {path} is not 64 hex digits")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// It has no key.
    #[error("the key file {path} has no key; make one with `openssl rand -hex 32`")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Content may have been encrypted with a key that is not there.
    #[error(
        "content was encrypted with the master key {fingerprint}, which {path} does not have: \
         bring the key back, as a line of that file"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// The first 16 hex digits of the key's fingerprint.
        fingerprint: String,
    },
}

/// Names a master key without telling it.
pub(super) type Fingerprint = [u8; 8];

/// The keys of a key file, the one for writing first.
pub(super) struct MasterKeys(Vec<MasterKey>);

struct MasterKey {
    fingerprint: Fingerprint,
    key: LessSafeKey,
}

/// A data key, wrapped: form, fingerprint of the master key, nonce, key and tag.
pub(super) type WrappedKey = [u8; WRAPPED];
pub(super) const WRAPPED: usize = 1 + 8 + 12 + 32 + 16;
const FORM: u8 = 1;

/// A wrapped key that no master key here opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unwrappable;

impl KeyFile {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Own(path) | Self::Given(path) => path,
        }
    }

    /// Reads the keys; none when the file is the node's own and not made yet. Blocks.
    pub(super) fn load(&self) -> Result<Option<MasterKeys>, KeyError> {
        let path = self.path();
        let file = |source| KeyError::File {
            path: path.into(),
            source,
        };
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && matches!(self, Self::Own(_)) => {
                return Ok(None);
            }
            result => result.map_err(file)?,
        };
        if fs::metadata(path).map_err(file)?.permissions().mode() & 0o007 != 0 {
            return Err(KeyError::Open { path: path.into() });
        }
        MasterKeys::parse(&text, path).map(Some)
    }

    /// Makes the node's own file, with one key that nobody has seen. Blocks.
    pub(super) fn make(&self) -> Result<MasterKeys, KeyError> {
        let path = self.path();
        let mut key = [0; 32];
        fill(&mut key);
        let text = key.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes what is written to it");
            text
        });
        write_durably(path, &text).map_err(|source| KeyError::File {
            path: path.into(),
            source,
        })?;
        MasterKeys::parse(&text, path)
    }
}

fn write_durably(path: &Path, text: &str) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

impl MasterKeys {
    fn parse(text: &str, path: &Path) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = hex(line).ok_or_else(|| KeyError::Line {
                path: path.into(),
                line: number + 1,
            })?;
            keys.push(MasterKey::new(&key));
        }
        if keys.is_empty() {
            return Err(KeyError::Empty { path: path.into() });
        }
        Ok(Self(keys))
    }

    /// Of the key that wraps.
    pub(super) fn current(&self) -> Fingerprint {
        self.0[0].fingerprint
    }

    pub(super) fn has(&self, fingerprint: &[u8]) -> bool {
        self.0.iter().any(|key| key.fingerprint == fingerprint)
    }

    /// A new data key, and its wrapped form.
    pub(super) fn data_key(&self) -> (DataKey, WrappedKey) {
        let master = &self.0[0];
        let (mut key, mut nonce) = ([0; 32], [0; 12]);
        fill(&mut key);
        fill(&mut nonce);
        let data_key = DataKey::new(&key);
        let tag = master
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from([FORM]), &mut key)
            .expect("a key is far below the limit of the cipher");
        let mut wrapped = [FORM; WRAPPED];
        wrapped[1..9].copy_from_slice(&master.fingerprint);
        wrapped[9..21].copy_from_slice(&nonce);
        wrapped[21..53].copy_from_slice(&key);
        wrapped[53..].copy_from_slice(tag.as_ref());
        (data_key, wrapped)
    }

    pub(super) fn unwrap(&self, wrapped: &WrappedKey) -> Result<DataKey, Unwrappable> {
        let master = self.0.iter().find(|key| key.fingerprint == wrapped[1..9]);
        let master = master.filter(|_| wrapped[0] == FORM).ok_or(Unwrappable)?;
        let mut sealed = [0; 48];
        sealed.copy_from_slice(&wrapped[21..]);
        let nonce = Nonce::try_assume_unique_for_key(&wrapped[9..21]).map_err(|_length| Unwrappable)?;
        let key = master.key.open_in_place(nonce, Aad::from([FORM]), &mut sealed);
        let key = key.map_err(|_unspecified| Unwrappable)?;
        Ok(DataKey::new(key.first_chunk().ok_or(Unwrappable)?))
    }
}

impl MasterKey {
    fn new(key: &[u8; 32]) -> Self {
        let hash = Sha256::new()
            .chain_update("tradewind master key\n")
            .chain_update(key)
            .finalize();
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&hash[..8]);
        let key = UnboundKey::new(&AES_256_GCM, key).expect("a key of AES-256 has 32 bytes");
        Self {
            fingerprint,
            key: LessSafeKey::new(key),
        }
    }
}

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKeys({} of ***)", self.0.len())
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(key)
}

fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system gives random bytes");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(text: &str) -> MasterKeys {
        MasterKeys::parse(text, Path::new("keys")).unwrap()
    }

    #[test]
    fn an_older_key_unwraps_and_the_first_wraps() {
        let (old, new) = ("11".repeat(32), "2A".repeat(32));
        let before = keys(&old);
        let (_, wrapped) = before.data_key();
        let rotated = keys(&format!("# new\n{new}\n\n{old}\n"));
        rotated.unwrap(&wrapped).unwrap();
        let (_, wrapped) = rotated.data_key();
        assert_eq!(before.unwrap(&wrapped).unwrap_err(), Unwrappable);
        assert_eq!(rotated.current(), keys(&new).current());
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        for (text, mistake) in [
            ("", "has no key"),
            ("# only\n", "has no key"),
            ("\nabc", "line 2"),
            ("g".repeat(64).as_str(), "line 1"),
        ] {
            let error = MasterKeys::parse(text, Path::new("keys")).unwrap_err();
            assert!(error.to_string().contains(mistake), "{error}");
        }
    }

    #[test]
    fn a_file_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::Own(folder.path().join("node.key"));
        assert!(file.load().unwrap().is_none());
        let made = file.make().unwrap();
        assert_eq!(file.load().unwrap().unwrap().current(), made.current());
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(file.load().unwrap_err(), KeyError::Open { .. }));
        let given = KeyFile::Given(folder.path().join("none"));
        assert!(matches!(given.load().unwrap_err(), KeyError::File { .. }));
    }

    proptest! {
        #[test]
        fn any_text_is_keys_or_refused(text: String) {
            drop(MasterKeys::parse(&text, Path::new("keys")));
        }

        #[test]
        fn any_changed_byte_of_a_wrapped_key_is_refused(at in 0..WRAPPED, flip in 1u8..) {
            let keys = keys(&"5c".repeat(32));
            let (_, mut wrapped) = keys.data_key();
            wrapped[at] ^= flip;
            prop_assert_eq!(keys.unwrap(&wrapped).unwrap_err(), Unwrappable);
        }
    }
}
