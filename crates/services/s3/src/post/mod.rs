//! Uploads by HTML forms (`POST` of `multipart/form-data` to a bucket) and the policies that bound them.
//!
//! ```text
//! form ─▶ fields before the file (≤ 20 KB) ─▶ policy ─▶ PUT of the file as it streams ─▶ the answer a form wants
//! ```
//!
//! # Invariants
//! - The file is never held in memory: it is the body of the `PUT` that the form becomes.
//! - A file outside the policy's `content-length-range` fails its body, so nothing of it is stored.
//! - Like every signature of a node on loopback, a form's is not verified; what its policy says is held.

mod answer;
mod form;
mod policy;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use hyper::body::Incoming;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::Tagging;
use s3s::xml::{Deserialize as _, Deserializer};
use s3s::{S3Error, S3ErrorCode};
use tradewind_model::Timestamp;

use crate::configuration::{malformed, refused};
pub(crate) use answer::Wanted;
use form::Fields;
pub(crate) use form::FormError;
use policy::Policy;

const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
/// Fields that are headers of the `PUT` by the same name; so is all of `x-amz-`.
const HEADERS: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
];
/// Fields of `x-amz-` that sign the form instead of saying something of the object.
const SIGNING: &[&str] = &[
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-signature",
];

/// Fields of `x-amz-` that would make another operation of the `PUT`: S3 has them for requests only.
const OF_REQUESTS: &[&str] = &[
    "x-amz-copy-source",
    "x-amz-rename-source",
    "x-amz-write-offset-bytes",
];

/// Marks a `PUT` that was a form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posted;

/// Whether a request is a form for a bucket.
pub(crate) fn is_form(parts: &Parts) -> bool {
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    parts.method == Method::POST && content_type.starts_with("multipart/form-data")
}

/// The `PUT` that a form is, and what answer it wants. `parts` are in path style.
///
/// # Errors
/// S3's own: a form that is none, a policy that is broken, passed or not met.
pub(crate) async fn to_put(
    parts: Parts,
    body: Incoming,
    now: Timestamp,
) -> Result<(Request<s3s::Body>, Wanted), S3Error> {
    let bucket = parts.uri.path().trim_matches('/').to_owned();
    if bucket.is_empty() || bucket.contains('/') {
        return Err(refused(
            S3ErrorCode::MethodNotAllowed,
            "The specified method is not allowed against this resource.",
        ));
    }
    let (fields, mut file) = form::read(&parts.headers, body).await?;
    let key = key_of(&fields)?;
    if let Some(text) = fields.get("policy") {
        let policy = Policy::parse(text)?;
        policy.check(&fields, &bucket, now)?;
        file.bound(policy.length());
    }
    let wanted = Wanted::of(&fields, bucket.clone(), key.clone());
    let path = format!("/{bucket}/{}", utf8_percent_encode(&key, PATH));
    let mut put = Request::new(s3s::Body::http_body_unsync(file));
    *put.method_mut() = Method::PUT;
    *put.uri_mut() = Uri::from(path.parse::<PathAndQuery>().map_err(S3Error::internal_error)?);
    *put.headers_mut() = headers_of(&fields)?;
    if let Some(host) = parts.headers.get(header::HOST) {
        put.headers_mut().insert(header::HOST, host.clone());
    }
    *put.extensions_mut() = parts.extensions;
    put.extensions_mut().insert(Posted);
    Ok((put, wanted))
}

/// The key, in which `${filename}` stands for the name of the file.
fn key_of(fields: &Fields) -> Result<String, S3Error> {
    let key = fields.get("key").ok_or_else(|| {
        refused(
            S3ErrorCode::InvalidArgument,
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
        )
    })?;
    let key = key.replace("${filename}", fields.filename());
    if key.is_empty() {
        return Err(refused(
            S3ErrorCode::InvalidArgument,
            "User key must have a length greater than 0.",
        ));
    }
    Ok(key)
}

fn headers_of(fields: &Fields) -> Result<HeaderMap, S3Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter() {
        let name = match name {
            "acl" => "x-amz-acl",
            "tagging" => {
                headers.insert("x-amz-tagging", text(&tags_of(value)?)?);
                continue;
            }
            name if OF_REQUESTS.iter().any(|other| name.starts_with(other)) => {
                return Err(refused(
                    S3ErrorCode::InvalidArgument,
                    format!("A form uploads a file; it cannot have the field {name}"),
                ));
            }
            name if HEADERS.contains(&name) => name,
            name if name.starts_with("x-amz-") && !SIGNING.contains(&name) => name,
            _ => continue,
        };
        let invalid = |_invalid| refused(S3ErrorCode::InvalidArgument, "A field of the form is no header");
        let name = HeaderName::try_from(name).map_err(invalid)?;
        headers.append(name, text(value)?);
    }
    Ok(headers)
}

fn text(value: &str) -> Result<HeaderValue, S3Error> {
    HeaderValue::try_from(value).map_err(|_invalid| {
        refused(
            S3ErrorCode::InvalidArgument,
            "A field of the form has a value that no header can have",
        )
    })
}

/// The tags, which a form has as XML and a header as a query.
fn tags_of(xml: &str) -> Result<String, S3Error> {
    let tagging = Tagging::deserialize(&mut Deserializer::new(xml.as_bytes()));
    let tagging = tagging.map_err(|_invalid| malformed())?;
    let encode = |text: &Option<String>| {
        utf8_percent_encode(text.as_deref().unwrap_or_default(), NON_ALPHANUMERIC).to_string()
    };
    let pairs = tagging
        .tag_set
        .iter()
        .map(|tag| format!("{}={}", encode(&tag.key), encode(&tag.value)));
    Ok(pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_uploads_and_does_nothing_else() {
        let headers = |name: &str| {
            let fields = [(name.to_owned(), "/photos/secret".to_owned())];
            headers_of(&Fields::of(fields.into_iter()))
        };
        for name in [
            "x-amz-copy-source",
            "x-amz-copy-source-range",
            "x-amz-rename-source",
        ] {
            let error = headers(name).unwrap_err();
            assert_eq!(error.code().as_str(), "InvalidArgument", "{name}");
        }
        assert!(
            headers("x-amz-meta-copy-source")
                .unwrap()
                .contains_key("x-amz-meta-copy-source")
        );
        assert!(headers("x-amz-signature").unwrap().is_empty());
    }
}
