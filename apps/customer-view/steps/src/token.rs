//! Keyed hashes that stand for accounts and values in names.

use std::fmt;

use aws_lc_rs::hmac;

/// What makes tokens: without it nobody can tell which value a token stands for.
#[derive(Clone)]
pub struct Pepper(hmac::Key);

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(***)")
    }
}

/// 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(String);

impl Token {
    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pepper {
    /// From its text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
    }

    /// The token of a value of a kind: a source and an account id, `email` and an address, …
    #[must_use]
    pub fn token(&self, kind: &str, value: &str) -> Token {
        let tag = hmac::sign(&self.0, format!("{kind}|{value}").as_bytes());
        let digits = tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}"));
        Token(digits.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_as_other_languages_make_it() {
        // printf 'shop|S-000017' | openssl dgst -sha256 -hmac pepper
        let token = Pepper::new("pepper").token("shop", "S-000017");
        assert_eq!(token.as_str(), "70eeec05c63364483f4c256b235db8d2");
        assert_eq!(format!("{:?}", Pepper::new("pepper")), "Pepper(***)");
    }
}
