//! Takes signatures off, and holds what a presigned URL says of its own life.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Uri, header};
use percent_encoding::percent_decode_str;
use s3s::{S3Error, S3ErrorCode};
use tradewind_model::Timestamp;
use tradewind_wire::query_value;

use crate::refusal::{custom, refused};

/// Seconds that a presigned URL may live: a week.
const LONGEST_LIFE: i64 = 604_800;
/// Seconds that a client's clock may be ahead.
const SKEW: i64 = 900;
/// Parameters of the signature itself.
const SIGNING: &[&str] = &[
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// Those of the scheme before, which boto3 still presigns with; a query that has the first has all.
const OLD: &[&str] = &["AWSAccessKeyId", "Expires", "Signature"];

/// Removes the signature from header and query. Headers that a presigner moved into the query come back.
pub(super) fn take_off(parts: &mut Parts, now: Timestamp) -> Result<(), S3Error> {
    parts.headers.remove(header::AUTHORIZATION);
    let query = parts.uri.query().unwrap_or_default();
    if has(query, "X-Amz-Signature") {
        check_life(query, now)?;
    }
    if has(query, OLD[0]) {
        check_old_life(query, now)?;
    }
    rewrite_query(parts)
}

fn check_life(query: &str, now: Timestamp) -> Result<(), S3Error> {
    let malformed = |message: &'static str| {
        custom(
            "AuthorizationQueryParametersError",
            http::StatusCode::BAD_REQUEST,
            message,
        )
    };
    let expires: i64 = query_value(query, "X-Amz-Expires")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| malformed("X-Amz-Expires should be a number"))?;
    if expires < 0 {
        return Err(malformed("X-Amz-Expires must be non-negative"));
    }
    if expires > LONGEST_LIFE {
        return Err(malformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        ));
    }
    let signed = query_value(query, "X-Amz-Date")
        .and_then(|text| {
            jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", &text)
                .ok()?
                .to_datetime()
                .ok()
        })
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map(|date| date.timestamp().as_second())
        .ok_or_else(|| malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?;
    let now = now.as_millis().div_euclid(1000);
    if now > signed + expires {
        return Err(refused(S3ErrorCode::AccessDenied, "Request has expired"));
    }
    if signed > now + SKEW {
        return Err(refused(S3ErrorCode::AccessDenied, "Request is not valid yet"));
    }
    Ok(())
}

fn check_old_life(query: &str, now: Timestamp) -> Result<(), S3Error> {
    let expires: Option<i64> = query_value(query, "Expires").and_then(|text| text.parse().ok());
    match expires {
        Some(expires) if now.as_millis().div_euclid(1000) <= expires => Ok(()),
        _ => Err(refused(S3ErrorCode::AccessDenied, "Request has expired")),
    }
}

fn rewrite_query(parts: &mut Parts) -> Result<(), S3Error> {
    let Some(query) = parts.uri.query() else {
        return Ok(());
    };
    let old = has(query, OLD[0]);
    let mut kept = Vec::new();
    let mut moved = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        if SIGNING.contains(&name.as_ref()) || (old && OLD.contains(&name.as_ref())) {
            continue;
        }
        if name
            .get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
        {
            moved.push((name.into_owned(), percent_decode_str(value).collect::<Vec<u8>>()));
        } else {
            kept.push(pair);
        }
    }
    let path = parts.uri.path();
    let target = if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", kept.join("&"))
    };
    let invalid = || refused(S3ErrorCode::InvalidURI, "Couldn't parse the specified URI.");
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(target.parse().map_err(|_invalid| invalid())?);
    parts.uri = Uri::from_parts(uri).map_err(|_invalid| invalid())?;
    for (name, value) in moved {
        let name = HeaderName::try_from(name.to_ascii_lowercase()).map_err(|_invalid| invalid())?;
        let value = HeaderValue::from_bytes(&value).map_err(|_invalid| invalid())?;
        parts.headers.entry(name).or_insert(value);
    }
    Ok(())
}

fn has(query: &str, name: &str) -> bool {
    query_value(query, name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x&X-Amz-Date=20260101T000000Z\
                          &X-Amz-SignedHeaders=host&X-Amz-Signature=0";

    fn take(uri: &str, after: i64) -> Result<Parts, S3Error> {
        let signed: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let now = Timestamp::from_millis(signed.as_millisecond() + after * 1000);
        let (mut parts, ()) = http::Request::get(uri).body(()).unwrap().into_parts();
        take_off(&mut parts, now)?;
        Ok(parts)
    }

    #[test]
    fn a_presigned_url_lives_as_long_as_it_says() {
        let url = format!("{SIGNED}&X-Amz-Expires=60&versionId=3&x-amz-checksum-crc32=a%3D");
        let parts = take(&url, 60).unwrap();
        assert_eq!(parts.uri, "/b/k?versionId=3");
        assert_eq!(parts.headers["x-amz-checksum-crc32"], "a=");
        let expired = take(&url, 61).unwrap_err();
        assert_eq!(expired.message(), Some("Request has expired"));
        assert!(take(&url, -901).is_err());
    }

    #[test]
    fn lives_without_end_are_refused() {
        for expires in [
            "",
            "&X-Amz-Expires=604801",
            "&X-Amz-Expires=-1",
            "&X-Amz-Expires=x",
        ] {
            let refused = take(&format!("{SIGNED}{expires}"), 0).unwrap_err();
            assert_eq!(
                refused.code().as_str(),
                "AuthorizationQueryParametersError",
                "{expires}"
            );
        }
    }

    #[test]
    fn the_old_scheme_lives_as_long_as_it_says() {
        let url = "/b/k?AWSAccessKeyId=x&Signature=y&versionId=3&Expires=1767225660";
        assert_eq!(take(url, 60).unwrap().uri, "/b/k?versionId=3");
        assert!(take(url, 61).is_err());
        assert!(take("/b/k?AWSAccessKeyId=x&Signature=y", 0).is_err());
    }
}
