//! Hostile requests: whatever a client sends, these give an answer.

use std::hint::black_box;

use http::request::Parts;
use tradewind_fuzz::fuzz;

use super::{CallerDefaults, caller, parse_query, read_page_token, service_of, sigv4};

const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/sqs/aws4_request, \
    SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";

/// A request whose first line is the path, and whose other lines are headers; none where http refuses it.
fn request(input: &[u8]) -> Option<Parts> {
    let mut lines = input.split(|&byte| byte == b'\n');
    let mut request = http::Request::builder().uri(lines.next()?);
    for line in lines {
        let colon = line.iter().position(|&byte| byte == b':')?;
        request = request.header(&line[..colon], &line[colon + 1..]);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

#[test]
fn fuzz_query() {
    let seeds = [
        "Action=SendMessage&Version=2012-11-05&MessageBody=a%20b+c",
        "Tag.1.Key=a&Tag.1.Value=b&Tag.member.2.Key=%E2%82%AC",
        "Entries.10.Id=1&Entries.2.Id=&&=&Entries.x=1",
    ];
    let words = [
        ".1",
        ".member.1",
        "Tag",
        "&",
        "=",
        "%",
        "%00",
        "%ff",
        ".99999999999999999999",
    ];
    fuzz(&seeds, &words, |input| {
        let (query, form) = input.split_at(input.len() / 2);
        if let Ok(params) = parse_query(&String::from_utf8_lossy(query), form) {
            for (name, _value) in params.iter() {
                let name = name.split('.').next().unwrap_or_default();
                for member in params.members(name) {
                    assert!(member.iter().count() <= params.iter().count());
                }
            }
        }
    });
}

#[test]
fn fuzz_signature() {
    let presigned = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20150830%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    let signed =
        format!("/?a=b&a=%20\nauthorization:{AUTHORIZATION}\nhost: a  b \nx-amz-date:20150830T123600Z");
    let words = [
        "authorization:",
        "AWS4-HMAC-SHA256 ",
        "Credential=",
        "aws4_request",
        "/",
        "host",
        "x-amz-date:",
    ];
    let now = tradewind_model::Timestamp::from_millis(1_440_938_160_000);
    fuzz(&[&signed, presigned], &words, |input| {
        if let Some(parts) = request(input)
            && let Ok(Some(claim)) = sigv4::Claim::of(&parts)
        {
            let hash = sigv4::sha256_hex(b"");
            assert!(!sigv4::canonical_request(&claim, &parts, &hash).is_empty());
            assert!(sigv4::verify(&claim, &parts, &hash, "secret", now).is_err());
        }
    });
}

#[test]
fn fuzz_service() {
    let signed = format!("/\nauthorization:{AUTHORIZATION}\nx-amz-target:AmazonSQS.SendMessage");
    let seeds = [
        &*signed,
        "/2015-03-31/functions/a/invocations\nhost:localhost",
        "/?Version=2012-11-05&Action=ListQueues",
        "/000000000000/orders\nhost:sqs.us-east-1.localhost.localstack.cloud:4566",
        "/bucket/key\nhost:bucket.s3.localhost",
    ];
    let words = [
        "x-amz-target:",
        "host:",
        "Version=",
        "/2015-03-31",
        "authorization:",
        ".s3.",
        "%2F",
    ];
    fuzz(&seeds, &words, |input| {
        if let Some(parts) = request(input) {
            let service = service_of(&parts);
            black_box(service.protocol(&parts));
            if let Err(error) = caller(&parts, &CallerDefaults::default()) {
                assert!(!error.to_string().is_empty());
            }
        }
    });
}

#[test]
fn fuzz_page_token() {
    let token = super::page_token("ListQueues", "orders");
    fuzz(&[&token], &["=", "eyJ"], |input| {
        let token = String::from_utf8_lossy(input);
        if let Ok(position) = read_page_token("ListQueues", &token) {
            assert_eq!(
                read_page_token("ListQueues", &super::page_token("ListQueues", &position)),
                Ok(position)
            );
        }
    });
}
