//! What a request is charged as: S3's prices know writes and lists, reads, and deletions, which are free.

use http::Method;
use http::request::Parts;
use tradewind_observe::usage::Metered;

/// What parameters a request has that lists; all others name a part of a bucket's configuration.
const OF_LISTS: &[&str] = &[
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-buckets",
    "max-keys",
    "max-uploads",
    "prefix",
    "start-after",
    "upload-id-marker",
    "uploads",
    "version-id-marker",
    "versions",
    "x-id",
];

/// What a request is counted as, and the ARN of its bucket; called before the path is changed.
pub(super) fn charge_of(parts: &Parts) -> Option<(Metered, String)> {
    let item = item_of(parts)?;
    let bucket = super::bucket_of(parts);
    Some((
        item,
        bucket
            .map(|bucket| format!("arn:aws:s3:::{bucket}"))
            .unwrap_or_default(),
    ))
}

fn item_of(parts: &Parts) -> Option<Metered> {
    match parts.method {
        Method::PUT => Some(Metered::S3Writes),
        // `DeleteObjects`
        Method::POST => (!names(parts).any(|name| name == "delete")).then_some(Metered::S3Writes),
        Method::GET if lists(parts) => Some(Metered::S3Writes),
        Method::GET | Method::HEAD => Some(Metered::S3Reads),
        _ => None,
    }
}

fn lists(parts: &Parts) -> bool {
    if names(parts).any(|name| name == "uploadId") {
        return true;
    }
    let in_host = super::address::bucket_in_host(parts).is_some();
    let path = parts.uri.path().trim_start_matches('/');
    let has_key = match in_host {
        true => !path.is_empty(),
        false => path.split_once('/').is_some_and(|(_bucket, key)| !key.is_empty()),
    };
    let signed = |name: &str| {
        name.get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
    };
    !has_key && names(parts).all(|name| signed(name) || OF_LISTS.contains(&name))
}

fn names(parts: &Parts) -> impl Iterator<Item = &str> {
    let query = parts.uri.query().unwrap_or_default();
    let names = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default());
    names.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_writes_reads_or_free() {
        let of = |method: &str, uri: &str| {
            let request = http::Request::builder()
                .method(method)
                .uri(uri)
                .header("host", "localhost:4566");
            let (parts, ()) = request.body(()).unwrap().into_parts();
            charge_of(&parts)
                .map(|(item, bucket)| (item, bucket.rsplit(':').next().unwrap_or_default().to_owned()))
        };
        for (method, uri, item) in [
            ("PUT", "/photos/a", Metered::S3Writes),
            ("PUT", "/photos", Metered::S3Writes),
            ("POST", "/photos/a?uploads", Metered::S3Writes),
            ("GET", "/photos/a", Metered::S3Reads),
            ("HEAD", "/photos/a", Metered::S3Reads),
            ("HEAD", "/photos", Metered::S3Reads),
            ("GET", "/photos?list-type=2&prefix=", Metered::S3Writes),
            ("GET", "/photos/?X-Amz-Signature=0", Metered::S3Writes),
            ("GET", "/photos?versions", Metered::S3Writes),
            ("GET", "/photos?policy", Metered::S3Reads),
            ("GET", "/photos/a?uploadId=1", Metered::S3Writes),
            ("GET", "http://photos.s3.localhost/a", Metered::S3Reads),
            ("GET", "http://photos.s3.localhost/", Metered::S3Writes),
        ] {
            assert_eq!(
                of(method, uri),
                Some((item, "photos".to_owned())),
                "{method} {uri}"
            );
        }
        assert_eq!(of("GET", "/"), Some((Metered::S3Writes, String::new())));
        assert_eq!(of("DELETE", "/photos/a"), None);
        assert_eq!(of("POST", "/photos?delete"), None);
    }
}
