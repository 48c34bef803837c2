//! Signature Version 4: reading what a request claims, and verifying it. Pure functions.
//!
//! The canonical request is built from the bytes of the URI as they arrived (Signature Version 4,
//! "Create a signed AWS API request"): outside S3 the path is normalised and encoded once more.

use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tradewind_model::Timestamp;

use crate::SignatureError;
use crate::service::{header, query_value};

/// The hash of an unsigned body, as S3 and presigned requests name it.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a request's date may be from the node's clock: 15 minutes.
const MAX_SKEW_MS: i64 = 15 * 60 * 1000;

/// What a request says about its signature. Not believed until [`verify`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose key it is.
    pub access_key: Box<str>,
    /// `YYYYMMDD` of the credential scope.
    pub date: Box<str>,
    /// Region of the credential scope.
    pub region: Box<str>,
    /// Service of the credential scope.
    pub service: Box<str>,
    /// The headers the client signed, lower case, in its order.
    pub signed_headers: Vec<Box<str>>,
    /// `YYYYMMDDTHHMMSSZ`.
    pub timestamp: Box<str>,
    /// In hexadecimal.
    pub signature: Box<str>,
    /// For a presigned request: how many seconds it is valid.
    pub expires_seconds: Option<u32>,
}

impl Claim {
    /// Reads the claim of a request; `None` when it carries none, or a scheme that is not AWS's.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn of(parts: &Parts) -> Result<Option<Self>, SignatureError> {
        let authorization = parts.headers.get("authorization").map(|value| value.as_bytes());
        if let Some(value) = authorization.filter(|value| value.starts_with(b"AWS4-")) {
            let text = str::from_utf8(value).map_err(|_not_utf8| {
                SignatureError::Incomplete("Authorization header is not valid UTF-8.".into())
            })?;
            return Self::of_header(text, parts).map(Some);
        }
        let query = parts.uri.query().unwrap_or_default();
        match query_value(query, "X-Amz-Algorithm") {
            Some(algorithm) => Self::of_query(&algorithm, query).map(Some),
            None => Ok(None),
        }
    }

    fn of_header(authorization: &str, parts: &Parts) -> Result<Self, SignatureError> {
        let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
        if algorithm != ALGORITHM {
            return Err(SignatureError::UnsupportedAlgorithm(algorithm.into()));
        }
        let mut given = [("Credential", None), ("Signature", None), ("SignedHeaders", None)];
        for piece in rest.split([',', ' ']).filter(|piece| !piece.is_empty()) {
            let (key, value) = piece
                .split_once('=')
                .ok_or_else(|| no_equal_sign(piece, authorization))?;
            if let Some((_, slot)) = given.iter_mut().find(|(name, _)| *name == key) {
                *slot = Some(value).filter(|value| !value.is_empty());
            }
        }
        let date = header(parts, "x-amz-date").or_else(|| header(parts, "date"));
        match (given, date) {
            ([(_, Some(credential)), (_, Some(signature)), (_, Some(signed))], Some(date)) => {
                Self::scoped(credential, signed, date, signature, None)
            }
            _ => Err(missing(&given, date, authorization)),
        }
    }

    fn of_query(algorithm: &str, query: &str) -> Result<Self, SignatureError> {
        if algorithm != ALGORITHM {
            return Err(SignatureError::UnsupportedAlgorithm(algorithm.into()));
        }
        let need = |name: &str| {
            query_value(query, name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| {
                    SignatureError::Incomplete(format!("AWS query-string parameters must include '{name}'."))
                })
        };
        let expires: Option<u32> = match query_value(query, "X-Amz-Expires") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_not_a_number| {
                SignatureError::Incomplete("X-Amz-Expires should be a number".into())
            })?),
        };
        let (credential, signed) = (need("X-Amz-Credential")?, need("X-Amz-SignedHeaders")?);
        let (date, signature) = (need("X-Amz-Date")?, need("X-Amz-Signature")?);
        Self::scoped(
            &credential,
            &signed,
            &date,
            &signature,
            Some(expires.unwrap_or(604_800)),
        )
    }

    fn scoped(
        credential: &str,
        signed_headers: &str,
        timestamp: &str,
        signature: &str,
        expires_seconds: Option<u32>,
    ) -> Result<Self, SignatureError> {
        let scope: Vec<&str> = credential.split('/').collect();
        let [access_key, date, region, service, term] = scope[..] else {
            return Err(SignatureError::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, \
                 got '{credential}'"
            )));
        };
        if term != "aws4_request" {
            return Err(SignatureError::WrongScope(format!(
                "Credential should be scoped with a valid terminator: 'aws4_request', not '{term}'."
            )));
        }
        Ok(Self {
            access_key: access_key.into(),
            date: date.into(),
            region: region.into(),
            service: service.into(),
            signed_headers: signed_headers.split(';').map(Into::into).collect(),
            timestamp: timestamp.into(),
            signature: signature.into(),
            expires_seconds,
        })
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// Judges a claim: the date must match its scope and lie within 15 minutes of `now` (or within the
/// validity of a presigned request), and the signature must be the one that `secret` gives.
///
/// `payload_hash` is the SHA-256 of the body in hexadecimal, or [`UNSIGNED_PAYLOAD`], or what the
/// request's `x-amz-content-sha256` says if the caller holds the body to that.
///
/// # Errors
/// When the claim does not hold.
pub fn verify(
    claim: &Claim,
    parts: &Parts,
    payload_hash: &str,
    secret: &str,
    now: Timestamp,
) -> Result<(), SignatureError> {
    check_date(claim, now)?;
    let canonical = canonical_request(claim, parts, payload_hash);
    let expected = sign(claim, &canonical, secret);
    if bool::from(expected.as_bytes().ct_eq(claim.signature.as_bytes())) {
        return Ok(());
    }
    Err(SignatureError::DoesNotMatch)
}

/// The signature of a canonical request, in hexadecimal.
fn sign(claim: &Claim, canonical_request: &str, secret: &str) -> String {
    let scope = claim.scope();
    let hash = sha256_hex(canonical_request.as_bytes());
    let string_to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{hash}", claim.timestamp);
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), claim.date.as_bytes());
    for part in [&*claim.region, &*claim.service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    hex(&hmac(&key, string_to_sign.as_bytes()))
}

/// The canonical request of a claim.
#[must_use]
pub fn canonical_request(claim: &Claim, parts: &Parts, payload_hash: &str) -> String {
    let mut text = format!("{}\n", parts.method);
    text += &canonical_path(parts.uri.path(), &claim.service);
    text.push('\n');
    text += &canonical_query(parts.uri.query().unwrap_or_default());
    text.push('\n');
    for name in &claim.signed_headers {
        text += &format!("{name}:{}\n", canonical_header(parts, name));
    }
    text.push('\n');
    text += &claim.signed_headers.join(";");
    text.push('\n');
    text + payload_hash
}

fn canonical_path(path: &str, service: &str) -> String {
    if service == "s3" {
        return encode(&percent_decode_str(path).collect::<Vec<_>>(), true);
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').filter(|segment| !matches!(*segment, "" | ".")) {
        match segment {
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    let directory = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) && !segments.is_empty();
    let normal = format!("/{}{}", segments.join("/"), if directory { "/" } else { "" });
    encode(normal.as_bytes(), true)
}

fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut encoded: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (reencode(name), reencode(value)))
        .collect();
    encoded.sort();
    let joined: Vec<String> = encoded
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    joined.join("&")
}

/// All values of a header joined by commas, each trimmed and with runs of spaces made one.
fn canonical_header(parts: &Parts, name: &str) -> String {
    let values = parts.headers.get_all(name).into_iter();
    let mut values: Vec<String> = values
        .map(|value| squeeze(&String::from_utf8_lossy(value.as_bytes())))
        .collect();
    if name == "host" && values.is_empty() {
        values.extend(
            parts
                .uri
                .authority()
                .map(|authority| authority.as_str().to_owned()),
        );
    }
    values.join(",")
}

fn squeeze(value: &str) -> String {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    words.join(" ")
}

fn reencode(text: &str) -> String {
    encode(&percent_decode_str(text).collect::<Vec<_>>(), false)
}

/// RFC 3986's unreserved characters stay, all else becomes `%XX`; slashes stay in paths.
fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keep_slash && byte == b'/');
        if plain {
            text.push(char::from(byte));
        } else {
            text += &format!("%{byte:02X}");
        }
    }
    text
}

fn check_date(claim: &Claim, now: Timestamp) -> Result<(), SignatureError> {
    if !claim.timestamp.starts_with(&*claim.date) {
        return Err(SignatureError::WrongScope(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' in '{}'.",
            claim.date, claim.timestamp
        )));
    }
    let signed = parse_timestamp(&claim.timestamp).ok_or_else(|| {
        SignatureError::Incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
            claim.timestamp
        ))
    })?;
    let valid_ms = claim
        .expires_seconds
        .map_or(MAX_SKEW_MS, |seconds| i64::from(seconds) * 1000);
    let age_ms = now.as_millis() - signed.as_millis();
    if age_ms > valid_ms {
        let text = format!(
            "Signature expired: {} is now older than the time allowed",
            claim.timestamp
        );
        return Err(SignatureError::Expired(text));
    }
    if age_ms < -MAX_SKEW_MS {
        let text = format!(
            "Signature not yet current: {} is still later than now",
            claim.timestamp
        );
        return Err(SignatureError::Expired(text));
    }
    Ok(())
}

/// `YYYYMMDDTHHMMSSZ` as an instant.
fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let parsed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let zoned = parsed.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

fn no_equal_sign(piece: &str, authorization: &str) -> SignatureError {
    SignatureError::Incomplete(format!(
        "'{piece}' not a valid key=value pair (missing equal-sign) in Authorization header: '{authorization}'."
    ))
}

fn missing(given: &[(&str, Option<&str>)], date: Option<&str>, authorization: &str) -> SignatureError {
    let absent = given.iter().filter(|(_, value)| value.is_none());
    let mut text: String = absent
        .map(|(name, _)| format!("Authorization header requires '{name}' parameter. "))
        .collect();
    if date.is_none() {
        text += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
    }
    // The signature itself stays out of the text: it is as good as the request.
    let shown = authorization
        .split("Signature=")
        .next()
        .unwrap_or_default()
        .trim_end_matches([' ', ',']);
    SignatureError::Incomplete(format!("{text}Authorization={shown}"))
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("invariant: HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The SHA-256 of `bytes` in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
