//! Who sends a request: the account, region and service that its signature claims.
//!
//! Reading a signature is not believing it: [`crate::sigv4::verify`] judges it. A request without
//! any gets the node's own account and region; one with a malformed signature is an error, in
//! AWS's words, because a client that signs wrongly wants to know.

use http::request::Parts;
use tradewind_model::{AccountId, Region};

use crate::service::{header, query_value};
use crate::sigv4::Claim;
use crate::{Protocol, WireError};

/// Who a request claims to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// A twelve-digit access key selects its account; any other key belongs to the default one.
    pub account: AccountId,
    /// The region of the credential scope.
    pub region: Region,
    /// The access key; `None` for an unsigned request.
    pub access_key: Option<Box<str>>,
    /// The service in the credential scope; `None` for an unsigned request.
    pub service: Option<Box<str>>,
}

/// What an unsigned request is taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerDefaults {
    /// The node's account.
    pub account: AccountId,
    /// The node's region.
    pub region: Region,
}

impl Default for CallerDefaults {
    fn default() -> Self {
        Self {
            account: AccountId::default_account(),
            region: Region::default_region(),
        }
    }
}

/// Why a signature cannot be read or is not accepted. The texts are AWS's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Parts of the signature are missing or malformed.
    #[error("{0}")]
    Incomplete(String),
    /// The signing algorithm is not one of ours.
    #[error("Unsupported AWS 'algorithm': '{0}'.")]
    UnsupportedAlgorithm(String),
    /// The credential scope is for somewhere else.
    #[error("{0}")]
    WrongScope(String),
    /// The request was signed too long ago, or in the future.
    #[error("{0}")]
    Expired(String),
    /// The signature is well-formed and wrong.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS \
         Secret Access Key and signing method. Consult the service documentation for details."
    )]
    DoesNotMatch,
}

impl SignatureError {
    /// The error in the vocabulary of `protocol`: the query protocol, the JSON protocols and S3 name
    /// the same mistakes differently.
    #[must_use]
    pub fn to_wire(&self, protocol: Protocol) -> WireError {
        let (status, query, json, s3) = match self {
            Self::Incomplete(_) | Self::UnsupportedAlgorithm(_) => (
                400,
                "IncompleteSignature",
                "IncompleteSignatureException",
                "AuthorizationHeaderMalformed",
            ),
            Self::WrongScope(_) | Self::DoesNotMatch => (
                403,
                "SignatureDoesNotMatch",
                "InvalidSignatureException",
                "SignatureDoesNotMatch",
            ),
            Self::Expired(_) => (
                403,
                "SignatureDoesNotMatch",
                "InvalidSignatureException",
                "RequestTimeTooSkewed",
            ),
        };
        let code = match protocol {
            Protocol::Query => query,
            Protocol::RestJson | Protocol::Json10 | Protocol::Json11 => json,
            Protocol::RestXml => s3,
        };
        WireError::new(status, code, self.to_string())
    }
}

/// Reads who sends a request.
///
/// # Errors
/// When it carries a signature that is malformed.
pub fn caller(parts: &Parts, defaults: &CallerDefaults) -> Result<Caller, SignatureError> {
    if let Some(access_key) = sigv2_access_key(parts) {
        return Ok(known_by(
            &access_key,
            defaults.region.clone(),
            Some("s3".into()),
            defaults,
        ));
    }
    let Some(claim) = Claim::of(parts)? else {
        return Ok(Caller {
            account: defaults.account.clone(),
            region: defaults.region.clone(),
            access_key: None,
            service: None,
        });
    };
    let region = claim.region.parse().map_err(|_invalid_region| {
        SignatureError::WrongScope("Credential should be scoped to a valid region. ".into())
    })?;
    Ok(known_by(&claim.access_key, region, Some(claim.service), defaults))
}

fn known_by(
    access_key: &str,
    region: Region,
    service: Option<Box<str>>,
    defaults: &CallerDefaults,
) -> Caller {
    let account = access_key
        .parse()
        .unwrap_or_else(|_not_digits| defaults.account.clone());
    Caller {
        account,
        region,
        access_key: Some(access_key.into()),
        service,
    }
}

/// S3's old scheme, `AWS AccessKey:Signature` or `AWSAccessKeyId` in a presigned query, which names
/// neither region nor service.
fn sigv2_access_key(parts: &Parts) -> Option<String> {
    if let Some(value) = header(parts, "authorization") {
        let (key, _signature) = value.strip_prefix("AWS ")?.split_once(':')?;
        return Some(key.trim().to_owned());
    }
    query_value(parts.uri.query()?, "AWSAccessKeyId")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(authorization: Option<&str>, path: &str) -> Parts {
        let mut request = http::Request::builder()
            .uri(path)
            .header("x-amz-date", "20150830T123600Z");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn read(authorization: &str) -> Result<Caller, SignatureError> {
        caller(&parts(Some(authorization), "/"), &CallerDefaults::default())
    }

    #[test]
    fn a_signed_request_brings_its_region_service_and_key() {
        let found = read(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/lambda/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=abc",
        )
        .unwrap();
        assert_eq!(found.region.as_str(), "eu-west-1");
        assert_eq!(found.service.as_deref(), Some("lambda"));
        assert_eq!(found.access_key.as_deref(), Some("AKIDEXAMPLE"));
        assert_eq!(found.account, AccountId::default_account());
    }

    #[test]
    fn twelve_digits_select_the_account() {
        let found = read(
            "AWS4-HMAC-SHA256 Credential=123456789012/20150830/us-east-1/sts/aws4_request,\
             SignedHeaders=host,Signature=abc",
        );
        assert_eq!(found.unwrap().account.as_str(), "123456789012");
    }

    #[test]
    fn an_unsigned_request_is_the_nodes_own() {
        let found = caller(&parts(None, "/"), &CallerDefaults::default()).unwrap();
        assert_eq!(found.access_key, None);
        assert_eq!(found.account, AccountId::default_account());
    }

    #[test]
    fn a_presigned_request_is_read_from_its_query() {
        let path = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=210987654321%2F20130524%2Feu-central-1%2Fs3%2Faws4_request\
            &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=ab";
        let found = caller(&parts(None, path), &CallerDefaults::default()).unwrap();
        assert_eq!(found.account.as_str(), "210987654321");
        assert_eq!(found.region.as_str(), "eu-central-1");
    }

    #[test]
    fn s3s_old_scheme_still_names_the_key() {
        let found = read("AWS 123456789012:c2ln").unwrap();
        assert_eq!(found.account.as_str(), "123456789012");
        assert_eq!(found.service.as_deref(), Some("s3"));
        let presigned = "/b/k?AWSAccessKeyId=123456789012&Signature=c2ln&Expires=1795223353";
        let found = caller(&parts(None, presigned), &CallerDefaults::default()).unwrap();
        assert_eq!(found.account.as_str(), "123456789012");
    }

    #[test]
    fn malformed_signatures_are_refused_in_awss_words() {
        for (authorization, expected) in [
            (
                "AWS4-HMAC-SHA256 Credential= A/20150830/r/s/aws4_request, SignedHeaders=host, Signature=a",
                "'A/20150830/r/s/aws4_request' not a valid key=value pair (missing equal-sign) in Authorization header: \
                 'AWS4-HMAC-SHA256 Credential= A/20150830/r/s/aws4_request, SignedHeaders=host, Signature=a'.",
            ),
            (
                "AWS4-HMAC-SHA256 Credential=A/b/20150830/r/s/aws4_request, SignedHeaders=host, Signature=a",
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, \
                 got 'A/b/20150830/r/s/aws4_request'",
            ),
            (
                "AWS4-HMAC-SHA256 SignedHeaders=host",
                "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' \
                 parameter. Authorization=AWS4-HMAC-SHA256 SignedHeaders=host",
            ),
            (
                "AWS4-HMAC-MD5 Credential=x",
                "Unsupported AWS 'algorithm': 'AWS4-HMAC-MD5'.",
            ),
        ] {
            let error = read(authorization).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert_eq!(
                error.to_wire(Protocol::RestJson).code,
                "IncompleteSignatureException"
            );
            assert_eq!(error.to_wire(Protocol::Query).code, "IncompleteSignature");
            assert_eq!(
                error.to_wire(Protocol::RestXml).code,
                "AuthorizationHeaderMalformed"
            );
        }
    }

    #[test]
    fn a_region_that_is_none_is_refused() {
        let error = read(
            "AWS4-HMAC-SHA256 Credential=A/20150830/US EAST/sts/aws4_request, SignedHeaders=host, Signature=a",
        );
        assert!(error.is_err());
        let error = read(
            "AWS4-HMAC-SHA256 Credential=A/20150830/US_EAST/sts/aws4_request, SignedHeaders=host, Signature=a",
        );
        assert_eq!(error.unwrap_err().to_wire(Protocol::Query).status, 403);
    }
}
