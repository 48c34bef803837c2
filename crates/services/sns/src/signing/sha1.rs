//! RSA with SHA-1, which SNS signs with unless a topic asks for SHA-256.
//!
//! `aws-lc-rs` verifies such signatures and makes none, so this asks the library below it: the same code, with the same
//! constant time, that signs with SHA-256.
#![expect(unsafe_code, reason = "AWS-LC's RSA_sign is a C function")]

use std::ffi::{c_int, c_uint};
use std::ptr::NonNull;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_sys::{
    CBS, CBS_init, EVP_PKEY_free, EVP_PKEY_get1_RSA, EVP_parse_private_key, NID_sha1, RSA, RSA_free,
    RSA_sign, RSA_size,
};

/// A private key.
pub(super) struct Sha1Key(NonNull<RSA>);

// SAFETY: the key is changed by nobody after it was read, and AWS-LC signs with such a key from several threads at
// once (`rsa.h`, "thread-safety").
unsafe impl Send for Sha1Key {}
// SAFETY: as above.
unsafe impl Sync for Sha1Key {}

impl Sha1Key {
    /// Reads a key in PKCS #8. None: it is no such key.
    pub(super) fn from_pkcs8(key: &[u8]) -> Option<Self> {
        let mut bytes = CBS {
            data: std::ptr::null(),
            len: 0,
        };
        // SAFETY: `bytes` is a valid place to write to, and `key` outlives it.
        unsafe { CBS_init(&raw mut bytes, key.as_ptr(), key.len()) };
        // SAFETY: `bytes` was initialised; what comes back is null or ours to free.
        let parsed = NonNull::new(unsafe { EVP_parse_private_key(&raw mut bytes) })?;
        // SAFETY: `parsed` is a key; what comes back is null or a reference of its own.
        let rsa = unsafe { EVP_PKEY_get1_RSA(parsed.as_ptr()) };
        // SAFETY: `parsed` is ours and not used after this; `rsa` has a reference of its own.
        unsafe { EVP_PKEY_free(parsed.as_ptr()) };
        NonNull::new(rsa).map(Self)
    }

    /// The signature of `text` by PKCS #1, version 1.5. None: the library failed.
    pub(super) fn sign(&self, text: &str) -> Option<Vec<u8>> {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let digest = digest.as_ref();
        // SAFETY: the key is valid as long as `self` is.
        let size = unsafe { RSA_size(self.0.as_ptr()) };
        let mut signature = vec![0; size as usize];
        let mut length: c_uint = 0;
        // SAFETY: the digest has the length that is told, `signature` has room for `RSA_size` bytes, and the key is
        // valid as long as `self` is.
        let signed: c_int = unsafe {
            RSA_sign(
                NID_sha1,
                digest.as_ptr(),
                digest.len(),
                signature.as_mut_ptr(),
                &raw mut length,
                self.0.as_ptr(),
            )
        };
        signature.truncate(length as usize);
        (signed == 1).then_some(signature)
    }
}

impl Drop for Sha1Key {
    fn drop(&mut self) {
        // SAFETY: the reference is ours, and not used after this.
        unsafe { RSA_free(self.0.as_ptr()) };
    }
}
