//! Ids in the form of the service, made from the name that the stack stored for a resource: the same
//! name gives the same id, so that a creation that is repeated finds what it made.

use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// An API's id: ten of `a-z 0-9`.
pub(crate) fn api_id(name: &str) -> String {
    id(name, 10)
}

/// The id of the resource `/` of a REST API: ten of `a-z 0-9`.
pub(crate) fn root_resource_id(name: &str) -> String {
    id(&format!("{name}/"), 10)
}

/// The id of a part of an API: seven of `a-z 0-9`.
pub(crate) fn part_id(name: &str) -> String {
    id(name, 7)
}

fn id(seed: &str, length: usize) -> String {
    let digest = Sha256::digest(seed.as_bytes());
    let symbol = |byte: &u8| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]);
    digest.iter().take(length).map(symbol).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_have_the_form_of_the_service() {
        // Stored stacks depend on these: they must not change.
        assert_eq!(api_id("shop-dev-HttpApi-1"), "onlcmfqmud");
        assert_eq!(part_id("shop-dev-HttpApi-1"), "onlcmfq");
        assert_ne!(api_id("a"), root_resource_id("a"));
        assert!(
            api_id("x")
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
    }
}
