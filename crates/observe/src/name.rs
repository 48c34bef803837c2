//! Directory names of groups: safe on every file system, and reversible.
//!
//! Lower-case letters, digits, `_` and `-` stay, every other byte becomes `%XX`: upper-case letters
//! too, since some file systems do not tell `Orders` from `orders`. An encoding that is too long for
//! a directory is cut and completed with a hash; such a directory says its group in a file.

use std::path::Path;

use sha2::{Digest, Sha256};

/// Most file systems allow 255 bytes.
const MAX_BYTES: usize = 200;
/// Holds the group's name where the directory's name cannot.
pub(crate) const NAME_FILE: &str = "name";

/// The directory for `group`.
pub(crate) fn directory_of(group: &str) -> String {
    let encoded: String = group.bytes().map(encode).collect();
    if is_short(&encoded) {
        return encoded;
    }
    let hash: String = Sha256::digest(group.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let kept: String = encoded.chars().take(MAX_BYTES - hash.len() - 1).collect();
    format!("{kept}~{hash}")
}

/// True when [`group_of`] needs the name file.
pub(crate) fn needs_name_file(directory: &str) -> bool {
    directory.contains('~')
}

/// The group whose directory this is; `None` for what is no directory of ours.
pub(crate) fn group_of(path: &Path) -> Option<String> {
    let directory = path.file_name()?.to_str()?;
    let group = if needs_name_file(directory) {
        std::fs::read_to_string(path.join(NAME_FILE)).ok()?
    } else {
        decode(directory)?
    };
    (directory_of(&group) == directory).then_some(group)
}

/// An empty name has to be a directory as well.
fn is_short(encoded: &str) -> bool {
    (1..=MAX_BYTES).contains(&encoded.len())
}

fn encode(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

fn decode(directory: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(directory.len());
    let mut rest = directory.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return None;
        };
        bytes.push(u8::from_str_radix(str::from_utf8(&[*high, *low]).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_readable() {
        assert_eq!(
            directory_of("/aws/lambda/shop-dev-cart"),
            "%2Faws%2Flambda%2Fshop-dev-cart"
        );
    }

    #[test]
    fn no_name_leaves_the_folder_or_meets_another() {
        for group in [
            "..",
            ".",
            "a/../../b",
            "a\\b",
            "a\0b",
            "Cart",
            "cart",
            "CART",
            "ü",
            "%41",
            "a~b",
            "",
        ] {
            let directory = directory_of(group);
            assert!(!directory.contains(['/', '\\', '.', '\0']), "{directory}");
            assert!(!directory.is_empty());
        }
        assert_ne!(
            directory_of("Cart").to_lowercase(),
            directory_of("cart").to_lowercase()
        );
    }

    proptest::proptest! {
        #[test]
        fn short_names_read_back(group in ".{1,20}") {
            let directory = directory_of(&group);
            if !needs_name_file(&directory) {
                proptest::prop_assert_eq!(group_of(Path::new(&directory)), Some(group));
            }
        }
    }

    #[test]
    fn long_names_read_back_from_their_file() {
        let dir = tempfile::tempdir().unwrap();
        for group in ["/".repeat(512), format!("{}x", "/".repeat(511)), String::new()] {
            let path = dir.path().join(directory_of(&group));
            assert!(path.file_name().unwrap().len() <= 255);
            std::fs::create_dir(&path).unwrap();
            assert_eq!(group_of(&path), None);
            std::fs::write(path.join(NAME_FILE), &group).unwrap();
            assert_eq!(group_of(&path), Some(group));
        }
    }

    #[test]
    fn foreign_directories_are_not_groups() {
        for directory in ["lost+found", "%zz", "%4", "Upper", ".git"] {
            assert_eq!(group_of(Path::new(directory)), None, "{directory}");
        }
    }
}
