//! Seals: AES-256-GCM under the key of an account or a person.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A sealed text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Which key it is sealed with.
    pub key: String,
    /// 12 bytes, base64.
    pub nonce: String,
    /// Ciphertext and tag, base64.
    pub data: String,
}

/// A key; dropping it forgets it.
pub struct Key(LessSafeKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Key {
    /// From its 32 bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        Some(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?)))
    }

    /// 32 bytes nobody knows; `None` when the system has no randomness.
    #[must_use]
    pub fn random() -> Option<[u8; 32]> {
        random()
    }

    /// Seals a text under the name of this key.
    #[must_use]
    pub fn seal(&self, name: &str, bound_to: &str, text: &[u8]) -> Option<Sealed> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut data = text.to_vec();
        let aad = Aad::from(bound_to.as_bytes());
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut data)
            .ok()?;
        Some(Sealed {
            key: name.to_owned(),
            nonce: STANDARD.encode(nonce),
            data: STANDARD.encode(data),
        })
    }

    /// The text; `None` when it was sealed with another key, bound to something else, or changed.
    #[must_use]
    pub fn open(&self, bound_to: &str, sealed: &Sealed) -> Option<Vec<u8>> {
        let nonce = Nonce::try_assume_unique_for_key(&STANDARD.decode(&sealed.nonce).ok()?).ok()?;
        let mut data = STANDARD.decode(&sealed.data).ok()?;
        let opened = self
            .0
            .open_in_place(nonce, Aad::from(bound_to.as_bytes()), &mut data);
        let length = opened.ok()?.len();
        data.truncate(length);
        Some(data)
    }
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_with_its_key_where_it_belongs() {
        let key = Key::new(&[7; 32]).unwrap();
        let sealed = key.seal("t", "shop|S-1|e", b"{}").unwrap();
        assert_eq!(key.open("shop|S-1|e", &sealed).unwrap(), b"{}");
        assert_eq!(key.open("shop|S-2|e", &sealed), None);
        assert_eq!(Key::new(&[8; 32]).unwrap().open("shop|S-1|e", &sealed), None);
        let again = key.seal("t", "shop|S-1|e", b"{}").unwrap();
        assert_ne!(again.nonce, sealed.nonce);
        assert!(Key::new(&[7; 31]).is_none());
    }

    #[test]
    fn a_seal_made_by_the_node_functions_opens() {
        // Made by `seal` of pipeline/seal.mjs with a nonce of twelve 1s.
        let sealed = Sealed {
            key: "t".to_owned(),
            nonce: "AQEBAQEBAQEBAQEB".to_owned(),
            data: "DcPs2vHWgCzr9r1hCBkVScmWZJh9tUamTUUsXTtHE1JP+TTps97H".to_owned(),
        };
        let opened = Key::new(&[7; 32]).unwrap().open("shop|S-1|e", &sealed).unwrap();
        assert_eq!(opened, br#"{"email":"a@x.example"}"#);
    }
}
