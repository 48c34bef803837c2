//! Host style and path style. Operations know path style only.

use http::Uri;
use http::request::Parts;
use http::uri::{InvalidUri, PathAndQuery};

/// The bucket that a request names, if any.
pub(crate) fn bucket_of(parts: &Parts) -> Option<String> {
    if let Some(bucket) = bucket_in_host(parts) {
        return Some(bucket);
    }
    let first = parts.uri.path().strip_prefix('/')?.split('/').next()?;
    (!first.is_empty()).then(|| first.to_owned())
}

/// Puts the bucket of the host in front of the path.
pub(super) fn to_path_style(parts: &mut Parts) -> Result<(), InvalidUri> {
    let Some(bucket) = bucket_in_host(parts) else {
        return Ok(());
    };
    let old = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    parts.uri = format!("/{bucket}{old}").parse::<Uri>()?;
    Ok(())
}

/// The bucket of `{bucket}.s3.*`, `{bucket}.s3-{region}.*` or `{bucket}.localhost`.
pub(super) fn bucket_in_host(parts: &Parts) -> Option<String> {
    let authority = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts.headers.get(http::header::HOST)?.to_str().ok()?,
    };
    let host = authority.rsplit_once(':').map_or(authority, |(host, _port)| host);
    bucket_of_host(host.trim_end_matches('.')).map(str::to_ascii_lowercase)
}

fn bucket_of_host(host: &str) -> Option<&str> {
    for marker in [".s3.", ".s3-"] {
        if let Some((bucket, _domain)) = host.rsplit_once(marker) {
            return Some(bucket);
        }
    }
    let bucket = host.strip_suffix(".localhost")?;
    let service = bucket == "s3" || bucket.starts_with("s3.") || bucket.starts_with("s3-");
    (!service).then_some(bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_found_in_hosts() {
        for (host, bucket) in [
            ("orders.s3.localhost", Some("orders")),
            ("orders.s3.us-east-1.amazonaws.com", Some("orders")),
            ("orders.s3-eu-west-1.amazonaws.com", Some("orders")),
            ("my.s3.bucket.s3.amazonaws.com", Some("my.s3.bucket")),
            ("orders.localhost", Some("orders")),
            ("a.b.localhost", Some("a.b")),
            ("localhost", None),
            ("s3.localhost", None),
            ("s3.us-east-1.localhost", None),
            ("s3.amazonaws.com", None),
            ("s3.localhost.localstack.cloud", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(bucket_of_host(host), bucket, "{host}");
        }
    }
}
