//! What a request is charged as: S3's prices know writes and lists, reads, and deletions, which are free.

use http::request::Parts;
use http::{Method, StatusCode};
use tradewind_observe::usage::Metered;

use crate::model::BucketName;
use crate::state::State;
use crate::tables;

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

/// What a request is counted as, and the bucket that it names; called before the path is changed.
pub(super) fn charge_of(parts: &Parts) -> Option<(Metered, Option<BucketName>)> {
    let item = item_of(parts)?;
    let bucket = super::bucket_of(parts).and_then(|bucket| bucket.parse().ok());
    Some((item, bucket))
}

/// Counts a request that was answered, for its bucket if there is one of that name: else who asks would decide how
/// many counters there are.
pub(super) async fn count(
    state: &State,
    (item, bucket): (Metered, Option<BucketName>),
    answered: StatusCode,
) {
    let arn = match bucket {
        Some(bucket) if exists(state, &bucket, answered).await => format!("arn:aws:s3:::{bucket}"),
        Some(_) | None => String::new(),
    };
    state.notifier.router().count_now(item, &arn, 1);
}

/// A success says that there is the bucket; after anything else it is looked for.
async fn exists(state: &State, bucket: &BucketName, answered: StatusCode) -> bool {
    if answered.is_success() {
        return true;
    }
    let found = tables::find_bucket(&state.database, bucket.as_str()).await;
    found.is_ok_and(|found| found.is_some())
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
                .map(|(item, bucket)| (item, bucket.map(|bucket| bucket.to_string()).unwrap_or_default()))
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

    #[tokio::test]
    async fn only_buckets_that_there_are_have_counters() {
        use tradewind_observe::usage::Meter;

        let (state, _folder) = crate::state::for_tests().await;
        let meter = Meter::default();
        state.notifier.router().count_in(meter.clone());
        let bucket = |name: &str| name.parse::<BucketName>().ok();
        count(&state, (Metered::S3Reads, bucket("photos")), StatusCode::OK).await;
        count(
            &state,
            (Metered::S3Reads, bucket("made-up")),
            StatusCode::NOT_FOUND,
        )
        .await;
        count(&state, (Metered::S3Reads, bucket("Made%2dup")), StatusCode::OK).await;
        let mut counted: Vec<_> = meter
            .take()
            .into_iter()
            .map(|c| (c.resource, c.quantity))
            .collect();
        counted.sort();
        assert_eq!(counted, [("".into(), 2), ("arn:aws:s3:::photos".into(), 1)]);
    }
}
