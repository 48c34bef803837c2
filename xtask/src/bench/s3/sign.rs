//! Signatures of requests, as any S3 client makes them; the body is not part of them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The keys that every subject takes.
pub(super) const KEY_ID: &str = "minioadmin";
pub(super) const SECRET: &str = "minioadmin";
const REGION: &str = "us-east-1";

/// Signs for one day.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    /// `20261121T130000Z`
    time: String,
    host: String,
    key: [u8; 32],
}

impl Signer {
    /// For a server of this machine, at this time (`20261121T130000Z`).
    pub(super) fn new(port: u16, time: &str) -> Self {
        let date = time.split('T').next().unwrap_or(time);
        let first = mac(format!("AWS4{SECRET}").as_bytes(), date);
        let key = [REGION, "s3", "aws4_request"]
            .iter()
            .fold(first, |key, part| mac(&key, part));
        Self {
            time: time.to_owned(),
            host: format!("127.0.0.1:{port}"),
            key,
        }
    }

    /// The headers that sign a request, one a line. `path` needs no escaping.
    pub(super) fn headers(&self, method: &str, path: &str) -> String {
        let names = "host;x-amz-content-sha256;x-amz-date";
        let canonical = format!(
            "{method}\n{path}\n\nhost:{}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{}\n\n{names}\nUNSIGNED-PAYLOAD",
            self.host, self.time
        );
        let date = self.time.split('T').next().unwrap_or_default();
        let scope = format!("{date}/{REGION}/s3/aws4_request");
        let hash = hex(&Sha256::digest(canonical.as_bytes()));
        let signature = mac(
            &self.key,
            &format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hash}", self.time),
        );
        format!(
            "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-date: {}\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential={KEY_ID}/{scope}, SignedHeaders={names}, Signature={}\r\n",
            self.time,
            hex(&signature)
        )
    }
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
