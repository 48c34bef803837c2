//! The answer of a function to an HTTP API (API Gateway Developer Guide, "Lambda function response
//! for format 1.0 / 2.0").

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, SERVER, SET_COOKIE,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, StatusCode};

use super::answer::{Answer, HasStatus, Text};
use super::{Malformed, Reply, body, status};

/// Format 1.0: the status must be there.
pub(crate) fn v1(payload: &Bytes) -> Result<Reply, Malformed> {
    let answer: Answer<'_> = serde_json::from_slice(payload).map_err(|_not_an_answer| Malformed)?;
    let multi = answer
        .multi_value_headers
        .as_ref()
        .map(|headers| headers.parsed())
        .transpose()?;
    reply(payload, answer, multi.unwrap_or_default())
}

/// Format 2.0: an answer with a status is a response; any other JSON is the body of one.
pub(crate) fn v2(payload: &Bytes) -> Result<Reply, Malformed> {
    match serde_json::from_slice::<Answer<'_>>(payload) {
        Ok(answer) if answer.status_code.is_some() => {
            let cookies = cookies(answer.cookies.as_deref().unwrap_or_default())?;
            reply(payload, answer, cookies)
        }
        Ok(_no_status) => inferred(payload),
        Err(_other_shape) => match serde_json::from_slice::<HasStatus>(payload) {
            Ok(answer) if answer.status_code.is_some() => Err(Malformed),
            _ => inferred(payload),
        },
    }
}

fn reply(
    payload: &Bytes,
    answer: Answer<'_>,
    more: Vec<(HeaderName, HeaderValue)>,
) -> Result<Reply, Malformed> {
    let status = status(answer.status_code)?;
    let single = answer
        .headers
        .map(|headers| headers.parsed())
        .transpose()?
        .unwrap_or_default();
    let mut headers = HeaderMap::with_capacity(single.len() + more.len() + 3);
    let single = single
        .into_iter()
        .filter(|pair| !more.contains(pair))
        .collect::<Vec<_>>();
    for (name, value) in single.into_iter().chain(more).filter(|(name, _)| passes(name)) {
        headers.append(name, value);
    }
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("text/plain;charset=UTF-8"));
    let text = answer.body.and_then(|body| body.0).map(Text);
    let body = body(payload, text, answer.is_base64_encoded.unwrap_or_default())?;
    Ok(Reply {
        status,
        headers,
        body,
    })
}

fn cookies(cookies: &[Text<'_>]) -> Result<Vec<(HeaderName, HeaderValue)>, Malformed> {
    let parse = |cookie: &Text<'_>| HeaderValue::from_bytes(cookie.0.as_bytes());
    let cookies = cookies.iter().map(|cookie| Ok((SET_COOKIE, parse(cookie)?)));
    cookies
        .collect::<Result<_, http::header::InvalidHeaderValue>>()
        .map_err(|_bad_value| Malformed)
}

/// 200 with the JSON as body; a string is the body itself.
fn inferred(payload: &Bytes) -> Result<Reply, Malformed> {
    let body = match serde_json::from_slice::<Text<'_>>(payload) {
        Ok(Text(Cow::Borrowed(text))) => payload.slice_ref(text.as_bytes()),
        Ok(Text(Cow::Owned(text))) => Bytes::from(text),
        Err(_no_string) => {
            serde_json::from_slice::<serde::de::IgnoredAny>(payload).map_err(|_no_json| Malformed)?;
            payload.clone()
        }
    };
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(Reply {
        status: StatusCode::OK,
        headers,
        body,
    })
}

/// Headers of the connection are the gateway's.
fn passes(name: &HeaderName) -> bool {
    ![CONNECTION, CONTENT_LENGTH, DATE, SERVER, TRANSFER_ENCODING].contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(json: &'static str) -> Result<Reply, Malformed> {
        v2(&Bytes::from_static(json.as_bytes()))
    }

    #[test]
    fn an_answer_with_a_status_is_a_response() {
        let reply = two(
            r#"{"statusCode":201,"headers":{"content-type":"text/html","x-a":1},"cookies":["a=1","b=2; Path=/"],"body":"<p>"}"#,
        )
        .unwrap();
        assert_eq!(reply.status, 201);
        assert_eq!(
            (&reply.headers["content-type"], &reply.headers["x-a"]),
            (&"text/html".parse().unwrap(), &"1".parse().unwrap())
        );
        let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2; Path=/"]);
        assert_eq!(reply.body, "<p>");
    }

    #[test]
    fn other_json_is_the_body() {
        for (json, body) in [
            (r#"{"message":"hi"}"#, r#"{"message":"hi"}"#),
            (r#"{"headers":5}"#, r#"{"headers":5}"#),
            (r#""Hello \"you\"""#, "Hello \"you\""),
            ("[1,2]", "[1,2]"),
            ("5", "5"),
            ("null", "null"),
        ] {
            let reply = two(json).unwrap();
            assert_eq!(
                (reply.status.as_u16(), &*reply.body),
                (200, body.as_bytes()),
                "{json}"
            );
            assert_eq!(reply.headers["content-type"], "application/json");
        }
    }

    #[test]
    fn a_number_or_truth_value_is_its_text() {
        for (json, text) in [
            (r#"{"statusCode":200,"body":1700000000}"#, "1700000000"),
            (r#"{"statusCode":200,"body":true}"#, "true"),
            (r#"{"statusCode":200,"body":null}"#, ""),
        ] {
            assert_eq!(two(json).unwrap().body, text, "{json}");
        }
    }

    #[test]
    fn a_status_beside_nonsense_is_malformed() {
        for json in [
            r#"{"statusCode":200,"body":{"a":1}}"#,
            r#"{"statusCode":"x"}"#,
            r#"{"statusCode":42}"#,
            r#"{"statusCode":200,"headers":[]}"#,
            r#"{"statusCode":200,"cookies":"a=1"}"#,
            r#"{"statusCode":200,"body":"*","isBase64Encoded":true}"#,
            "not json",
            "",
        ] {
            assert_eq!(two(json).err(), Some(Malformed), "{json}");
        }
    }

    #[test]
    fn a_response_without_a_type_is_text() {
        let reply = two(r#"{"statusCode":200,"body":"x"}"#).unwrap();
        assert_eq!(reply.headers["content-type"], "text/plain;charset=UTF-8");
    }

    #[test]
    fn base64_is_always_decoded() {
        let reply = two(r#"{"statusCode":200,"body":"AP/+","isBase64Encoded":true}"#).unwrap();
        assert_eq!(reply.body, &[0u8, 0xff, 0xfe][..]);
    }

    #[test]
    fn format_1_asks_for_the_status_and_takes_lists_of_values() {
        let one = |json: &'static str| v1(&Bytes::from_static(json.as_bytes()));
        assert_eq!(one(r#"{"message":"hi"}"#).err(), Some(Malformed));
        assert_eq!(one("\"hi\"").err(), Some(Malformed));
        let reply = one(r#"{"statusCode":200,"multiValueHeaders":{"x-a":["1","2"]},"body":"x"}"#).unwrap();
        assert_eq!(reply.headers.get_all("x-a").iter().count(), 2);
    }

    #[test]
    fn the_function_does_not_frame_the_response() {
        let reply =
            two(r#"{"statusCode":200,"headers":{"content-length":"999","connection":"close"},"body":"x"}"#);
        assert_eq!(reply.unwrap().headers.len(), 1);
    }
}
