//! The answer of a function to a REST API (API Gateway Developer Guide, "Output format of a Lambda
//! function for proxy integration").

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, SERVER, TRANSFER_ENCODING,
};
use http::{HeaderMap, StatusCode};

use super::answer::StrictAnswer;
use super::{Malformed, Reply, body, status};

/// Makes the response. `wants_binary`: the request's `Accept` is one of the API's binary media
/// types; only then a base64 body is decoded.
pub(crate) fn rest(payload: &Bytes, wants_binary: bool) -> Result<Reply, Malformed> {
    let answer: StrictAnswer<'_> = serde_json::from_slice(payload).map_err(|_not_an_answer| Malformed)?;
    let status = match answer.status_code {
        None => StatusCode::OK,
        given => status(given)?,
    };
    let single = answer
        .headers
        .map(|headers| headers.parsed())
        .transpose()?
        .unwrap_or_default();
    let multi = answer
        .multi_value_headers
        .map(|headers| headers.parsed())
        .transpose()?
        .unwrap_or_default();
    let mut headers = merged(single, multi);
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    let base64 = wants_binary && answer.is_base64_encoded.unwrap_or_default();
    Ok(Reply {
        status,
        headers,
        body: body(payload, answer.body, base64)?,
    })
}

/// Both maps together; a pair that is in both appears once.
fn merged(single: Vec<(HeaderName, HeaderValue)>, multi: Vec<(HeaderName, HeaderValue)>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(single.len() + multi.len() + 4);
    let single = single
        .into_iter()
        .filter(|pair| !multi.contains(pair))
        .collect::<Vec<_>>();
    for (name, value) in single.into_iter().chain(multi) {
        if let Some(name) = outgoing(name) {
            headers.append(name, value);
        }
    }
    headers
}

/// Headers of the connection are the gateway's: the service renames or drops a function's own.
fn outgoing(name: HeaderName) -> Option<HeaderName> {
    let remapped = [
        (CONNECTION, "x-amzn-remapped-connection"),
        (CONTENT_LENGTH, "x-amzn-remapped-content-length"),
        (DATE, "x-amzn-remapped-date"),
        (SERVER, "x-amzn-remapped-server"),
    ];
    if name == TRANSFER_ENCODING {
        return None;
    }
    match remapped.into_iter().find(|(from, _)| *from == name) {
        Some((_, to)) => Some(HeaderName::from_static(to)),
        None => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(json: &'static str) -> Result<Reply, Malformed> {
        rest(&Bytes::from_static(json.as_bytes()), false)
    }

    #[test]
    fn an_answer_becomes_a_response() {
        let reply = reply(
            r#"{"statusCode":201,"headers":{"X-A":"1","X-Flag":true,"X-None":null},"body":"{\"a\":1}"}"#,
        );
        let reply = reply.unwrap();
        assert_eq!(reply.status, 201);
        assert_eq!(reply.headers["x-a"], "1");
        assert_eq!(reply.headers["x-flag"], "true");
        assert!(!reply.headers.contains_key("x-none"));
        assert_eq!(reply.headers["content-type"], "application/json");
        assert_eq!(reply.body, r#"{"a":1}"#);
    }

    #[test]
    fn statuses_may_be_text_or_missing() {
        assert_eq!(reply(r#"{"statusCode":"204","body":""}"#).unwrap().status, 204);
        assert_eq!(reply(r#"{"body":"x"}"#).unwrap().status, 200);
        assert_eq!(reply("{}").unwrap().status, 200);
    }

    #[test]
    fn what_is_no_answer_is_malformed() {
        for json in [
            "",
            "null",
            "\"hello\"",
            "[1]",
            "not json",
            r#"{"message":"hi"}"#,
            r#"{"statusCode":200,"body":{"a":1}}"#,
            r#"{"statusCode":200,"body":5}"#,
            r#"{"statusCode":"ok"}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":100}"#,
            r#"{"statusCode":1000}"#,
            r#"{"statusCode":70000}"#,
            r#"{"statusCode":200,"headers":["a"]}"#,
            r#"{"statusCode":200,"headers":{"a":{}}}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":"b\nc"}}"#,
            r#"{"statusCode":200,"extra":1}"#,
        ] {
            assert_eq!(reply(json).err(), Some(Malformed), "{json}");
        }
    }

    #[test]
    fn several_values_of_a_header_are_all_sent() {
        let reply = reply(
            r#"{"statusCode":200,"headers":{"Set-Cookie":"a=1","X-B":"2"},"multiValueHeaders":{"set-cookie":["a=1","b=2"],"X-C":["3"]},"body":null}"#,
        )
        .unwrap();
        let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(
            (&reply.headers["x-b"], &reply.headers["x-c"]),
            (&"2".parse().unwrap(), &"3".parse().unwrap())
        );
    }

    #[test]
    fn headers_of_the_connection_are_renamed_or_dropped() {
        let reply = reply(
            r#"{"statusCode":200,"headers":{"Content-Length":"5","Date":"d","Server":"s","Connection":"close","Transfer-Encoding":"chunked"},"body":""}"#,
        )
        .unwrap();
        let mut names: Vec<&str> = reply.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "content-type",
                "x-amzn-remapped-connection",
                "x-amzn-remapped-content-length",
                "x-amzn-remapped-date",
                "x-amzn-remapped-server"
            ]
        );
    }

    #[test]
    fn base64_is_decoded_when_the_client_accepts_binary() {
        let payload = Bytes::from_static(br#"{"statusCode":200,"body":"AP/+","isBase64Encoded":true}"#);
        assert_eq!(rest(&payload, true).unwrap().body, &[0u8, 0xff, 0xfe][..]);
        assert_eq!(rest(&payload, false).unwrap().body, "AP/+");
        let broken = Bytes::from_static(br#"{"statusCode":200,"body":"*","isBase64Encoded":true}"#);
        assert_eq!(rest(&broken, true).err(), Some(Malformed));
    }

    #[test]
    fn a_body_without_escapes_is_not_copied() {
        let payload = Bytes::from_static(br#"{"statusCode":200,"body":"plain"}"#);
        let reply = rest(&payload, false).unwrap();
        assert!(payload.as_ptr_range().contains(&reply.body.as_ptr()));
    }
}
