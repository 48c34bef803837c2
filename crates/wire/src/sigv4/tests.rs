use super::*;

/// The credentials of AWS's Signature Version 4 test suite.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// A request of the suite, signed as the suite says.
fn vector(method: &str, uri: &str, extra: &[(&str, &str)], signed: &str, signature: &str) -> Parts {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders={signed}, Signature={signature}"
    );
    let mut headers = vec![
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
    ];
    headers.extend(extra);
    headers.push(("authorization", &authorization));
    request(method, uri, &headers)
}

fn at(text: &str) -> Timestamp {
    parse_timestamp(text).unwrap()
}

fn judge(parts: &Parts, payload_hash: &str, secret: &str, now: &str) -> Result<(), SignatureError> {
    let claim = Claim::of(parts)?.unwrap();
    verify(&claim, parts, payload_hash, secret, at(now))
}

#[test]
fn awss_test_suite_is_accepted() {
    let plain = "host;x-amz-date";
    for (name, parts, payload) in [
        (
            "get-vanilla",
            vector(
                "GET",
                "/",
                &[],
                plain,
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            "",
        ),
        (
            "get-vanilla-query-order-key-case",
            vector(
                "GET",
                "/?Param2=value2&Param1=value1",
                &[],
                plain,
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            "",
        ),
        (
            "get-utf8",
            vector(
                "GET",
                "/ሴ",
                &[],
                plain,
                "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            ),
            "",
        ),
        (
            "post-x-www-form-urlencoded",
            vector(
                "POST",
                "/",
                &[("content-type", "application/x-www-form-urlencoded")],
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            "Param1=value1",
        ),
    ] {
        let judged = judge(
            &parts,
            &sha256_hex(payload.as_bytes()),
            SECRET,
            "20150830T123600Z",
        );
        assert_eq!(judged, Ok(()), "{name}");
    }
}

/// Amazon S3 API Reference, "Authenticating requests: using query parameters".
fn presigned() -> Parts {
    let uri = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    request("GET", uri, &[("host", "examplebucket.s3.amazonaws.com")])
}

const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn a_presigned_request_holds_until_it_expires() {
    let judge_at = |now| judge(&presigned(), UNSIGNED_PAYLOAD, S3_SECRET, now);
    assert_eq!(judge_at("20130524T000000Z"), Ok(()));
    assert_eq!(judge_at("20130525T000000Z"), Ok(()));
    assert!(matches!(
        judge_at("20130525T000001Z"),
        Err(SignatureError::Expired(_))
    ));
    assert!(matches!(
        judge_at("20130523T234459Z"),
        Err(SignatureError::Expired(_))
    ));
}

#[test]
fn s3_paths_are_encoded_once_and_not_normalised() {
    let credential = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={credential},SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;\
         x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    );
    let hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let headers = [
        ("host", "examplebucket.s3.amazonaws.com"),
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", hash),
        ("authorization", &authorization),
    ];
    let parts = request("PUT", "/test%24file.text", &headers);
    assert_eq!(judge(&parts, hash, S3_SECRET, "20130524T000000Z"), Ok(()));
    assert_eq!(canonical_path("/a//b/../c", "s3"), "/a//b/../c");
}

#[test]
fn anything_changed_is_noticed() {
    let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let good = vector("GET", "/", &[], "host;x-amz-date", signature);
    let now = "20150830T123600Z";
    assert_eq!(judge(&good, EMPTY_HASH, SECRET, now), Ok(()));
    assert_eq!(
        judge(&good, EMPTY_HASH, "another secret", now),
        Err(SignatureError::DoesNotMatch)
    );
    assert_eq!(
        judge(&good, &sha256_hex(b"body"), SECRET, now),
        Err(SignatureError::DoesNotMatch)
    );
    let other_path = vector("GET", "/x", &[], "host;x-amz-date", signature);
    assert_eq!(
        judge(&other_path, EMPTY_HASH, SECRET, now),
        Err(SignatureError::DoesNotMatch)
    );
    let truncated = vector("GET", "/", &[], "host;x-amz-date", "5fa0");
    assert_eq!(
        judge(&truncated, EMPTY_HASH, SECRET, now),
        Err(SignatureError::DoesNotMatch)
    );
}

#[test]
fn a_date_far_from_now_or_from_its_scope_is_refused() {
    let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let good = vector("GET", "/", &[], "host;x-amz-date", signature);
    for now in ["20150830T125101Z", "20150830T122059Z"] {
        let judged = judge(&good, EMPTY_HASH, SECRET, now);
        assert!(matches!(judged, Err(SignatureError::Expired(_))), "{now}");
    }
    let mut claim = Claim::of(&good).unwrap().unwrap();
    claim.date = "20150829".into();
    let judged = verify(&claim, &good, EMPTY_HASH, SECRET, at("20150830T123600Z"));
    assert!(matches!(judged, Err(SignatureError::WrongScope(_))));
}

#[test]
fn paths_outside_s3_are_normalised_and_encoded_again() {
    for (path, canonical) in [
        ("/", "/"),
        ("//", "/"),
        ("/./", "/"),
        ("/a/../b", "/b"),
        ("/../..", "/"),
        ("/a/./b/", "/a/b/"),
        ("/a/..", "/"),
        ("/a%20b", "/a%2520b"),
        ("/2015-03-31/functions/f%3A1", "/2015-03-31/functions/f%253A1"),
    ] {
        assert_eq!(canonical_path(path, "lambda"), canonical, "{path}");
    }
}

#[test]
fn queries_are_sorted_after_encoding() {
    assert_eq!(canonical_query("b=2&a=%7e&a=1&c"), "a=1&a=~&b=2&c=");
    assert_eq!(canonical_query("a=x%2Fy+z"), "a=x%2Fy%2Bz");
    assert_eq!(canonical_query(""), "");
}

#[test]
fn header_values_are_trimmed_squeezed_and_joined() {
    let parts = request("GET", "/", &[("my-header", "  a   b "), ("my-header", "c")]);
    assert_eq!(canonical_header(&parts, "my-header"), "a b,c");
}

#[test]
fn a_request_without_a_signature_claims_nothing() {
    assert_eq!(Claim::of(&request("GET", "/?x=1", &[])), Ok(None));
    assert_eq!(
        Claim::of(&request("GET", "/", &[("authorization", "Bearer t")])),
        Ok(None)
    );
}

#[test]
fn presigned_parameters_must_be_complete() {
    let uri = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb%2Fc%2Fs3%2Faws4_request";
    let error = Claim::of(&request("GET", uri, &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "AWS query-string parameters must include 'X-Amz-SignedHeaders'."
    );
}

#[test]
fn the_signature_is_not_repeated_in_errors() {
    let authorization = "AWS4-HMAC-SHA256 Credential=a/b/c/s/aws4_request, Signature=secret";
    let error = Claim::of(&request("GET", "/", &[("authorization", authorization)])).unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}
