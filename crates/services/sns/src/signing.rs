//! The node's signing key and its certificate: receivers of notifications can tell that they are genuine.
//!
//! Made when the first topic is, and kept in the database. The certificate is the key's own: who verifies
//! trusts it because the node serves it at the `SigningCertURL`.

mod sha1;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tradewind_model::Timestamp;

use self::sha1::Sha1Key;
use crate::error::SnsError;

/// What messages are signed with, by the name that SNS has for it (`SignatureVersion`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SignatureVersion {
    /// RSA with SHA-1: what a topic has that was told nothing.
    #[default]
    One,
    /// RSA with SHA-256.
    Two,
}

impl SignatureVersion {
    /// The version of this name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::One, Self::Two]
            .into_iter()
            .find(|version| version.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }
}

/// Where certificates are served, below the node's address.
pub(crate) const CERTIFICATE_PATH: &str = "/_tradewind/sns/SimpleNotificationService-";
const YEARS: i64 = 20;
const DAY_MS: i64 = 86_400_000;

/// What is stored: the key in PKCS #8, and the certificate.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) key: Vec<u8>,
    pub(crate) certificate: String,
}

/// Signs. A clone is the same.
#[derive(Clone)]
pub(crate) struct Signer(Arc<Parts>);

struct Parts {
    key: RsaKeyPair,
    sha1: Sha1Key,
    certificate: String,
    path: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("path", &self.0.path)
            .finish_non_exhaustive()
    }
}

fn failed(what: &str, error: impl fmt::Display) -> SnsError {
    SnsError::Internal(format!("the signing key: {what}: {error}"))
}

impl Identity {
    /// A new one. It takes a good part of a second of a processor.
    pub(crate) fn generate(now: Timestamp) -> Result<Self, SnsError> {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|error| failed("generate", error))?;
        let key = key.as_der().map_err(|error| failed("encode", error))?;
        let key = key.as_ref().to_vec();
        let certificate = certify(&key, now).map_err(|error| failed("certify", error))?;
        Ok(Self { key, certificate })
    }
}

fn certify(key: &[u8], now: Timestamp) -> Result<String, rcgen::Error> {
    let key = rcgen::KeyPair::try_from(key)?;
    let mut certificate = rcgen::CertificateParams::new(vec!["sns.amazonaws.com".to_owned()])?;
    certificate
        .distinguished_name
        .push(rcgen::DnType::CommonName, "sns.amazonaws.com");
    let date = |ms: i64| {
        let date = Timestamp::from_millis(ms)
            .to_jiff()
            .to_zoned(jiff::tz::TimeZone::UTC);
        let part = |number: i8| u8::try_from(number).unwrap_or(1);
        rcgen::date_time_ymd(date.year().into(), part(date.month()), part(date.day()))
    };
    certificate.not_before = date(now.as_millis() - DAY_MS);
    certificate.not_after = date(now.as_millis() + YEARS * 365 * DAY_MS);
    Ok(certificate.self_signed(&key)?.pem())
}

impl Signer {
    pub(crate) fn new(identity: Identity) -> Result<Self, SnsError> {
        let key = RsaKeyPair::from_pkcs8(&identity.key).map_err(|error| failed("read", error))?;
        let sha1 = Sha1Key::from_pkcs8(&identity.key);
        let sha1 = sha1.ok_or_else(|| failed("read", "it is no RSA key"))?;
        let digest = Sha256::digest(&identity.certificate);
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(Arc::new(Parts {
            key,
            sha1,
            certificate: identity.certificate,
            path: format!("{CERTIFICATE_PATH}{name}.pem"),
        })))
    }

    /// The signature of `text`, in base64. It takes most of a millisecond.
    pub(crate) fn sign(&self, text: &str, version: SignatureVersion) -> Result<String, SnsError> {
        let signature = match version {
            SignatureVersion::One => self.0.sha1.sign(text),
            SignatureVersion::Two => self.sha256(text),
        };
        let signature = signature.ok_or_else(|| failed("sign", "the library failed"))?;
        Ok(STANDARD.encode(signature))
    }

    fn sha256(&self, text: &str) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.0.key.public_modulus_len()];
        let random = SystemRandom::new();
        let key = &self.0.key;
        let signed = key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
        signed.ok().map(|()| signature)
    }

    /// Where its certificate is served, below the node's address.
    pub(crate) fn path(&self) -> &str {
        &self.0.path
    }

    /// Its certificate in PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.0.certificate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{
        KeyPair as _, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
        UnparsedPublicKey,
    };

    #[test]
    fn what_is_signed_verifies_and_nothing_else() {
        let identity = Identity::generate(Timestamp::from_millis(1_700_000_000_000)).unwrap();
        assert!(identity.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        let signer = Signer::new(identity.clone()).unwrap();
        for (version, algorithm) in [
            (
                SignatureVersion::One,
                &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            ),
            (SignatureVersion::Two, &RSA_PKCS1_2048_8192_SHA256),
        ] {
            let signature = signer.sign("Message\npaid\n", version).unwrap();
            let signature = STANDARD.decode(signature).unwrap();
            let key = signer.0.key.public_key().as_ref().to_vec();
            let public = UnparsedPublicKey::new(algorithm, key);
            assert!(
                public.verify(b"Message\npaid\n", &signature).is_ok(),
                "{version:?}"
            );
            assert!(
                public.verify(b"Message\npaid", &signature).is_err(),
                "{version:?}"
            );
        }
        let again = Signer::new(identity).unwrap();
        assert_eq!(again.path(), signer.path(), "the URL survives a restart");
    }

    #[test]
    fn what_is_no_key_is_not_read() {
        assert!(Sha1Key::from_pkcs8(b"").is_none());
        assert!(Sha1Key::from_pkcs8(b"no key").is_none());
    }
}
