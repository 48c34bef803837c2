//! The query protocol (STS, IAM, and the older face of SQS and SNS): form parameters in, XML out.

use std::collections::BTreeMap;

use http::{HeaderValue, Response};
use percent_encoding::percent_decode;
use tradewind_model::RequestId;

use crate::error::{insert_request_id, respond};
use crate::{Body, Fault, WireError, xml_element};

/// The parameters of one request, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// The first value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(given, _)| *given == name)
            .map(|(_, value)| value)
    }

    /// What the caller wants done: the `Action` parameter.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        self.get("Action")
    }

    /// The members of a list, by their numbers: from `Entry.2.Id=b&Entry.1.Id=a` the `Id`s `a` and `b`
    /// of `Entry`. What follows the number is the name inside the member; for a list of texts
    /// (`Name.1=x`) that is the empty name. Numbers need not be without gaps.
    #[must_use]
    pub fn members(&self, list: &str) -> Vec<Self> {
        let mut members: BTreeMap<u32, Self> = BTreeMap::new();
        for (name, value) in self.iter() {
            let inside = name.strip_prefix(list).and_then(|rest| rest.strip_prefix('.'));
            let Some(inside) = inside else { continue };
            let (number, inside) = inside.split_once('.').unwrap_or((inside, ""));
            let Ok(number) = number.parse() else { continue };
            let member = members.entry(number).or_default();
            member.0.push((inside.to_owned(), value.to_owned()));
        }
        members.into_values().collect()
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Parameters that are not what `application/x-www-form-urlencoded` allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter {position} is not valid UTF-8 after decoding")]
pub struct MalformedQuery {
    /// Which parameter, counted from 1.
    pub position: usize,
}

/// Reads the parameters of the query string, then those of the form in the body.
///
/// # Errors
/// When a name or value does not decode to UTF-8.
pub fn parse_query(query_string: &str, form: &[u8]) -> Result<Params, MalformedQuery> {
    let pieces = |bytes: &'_ [u8]| -> Vec<Vec<u8>> {
        let pieces = bytes.split(|&b| b == b'&');
        pieces
            .filter(|piece| !piece.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    };
    let all = pieces(query_string.as_bytes()).into_iter().chain(pieces(form));
    let parsed = all.enumerate().map(|(index, piece)| {
        let position = index + 1;
        pair(&piece).ok_or(MalformedQuery { position })
    });
    parsed.collect::<Result<_, _>>().map(Params)
}

fn pair(piece: &[u8]) -> Option<(String, String)> {
    let mut halves = piece.splitn(2, |&b| b == b'=');
    let name = decode(halves.next().unwrap_or_default())?;
    let value = decode(halves.next().unwrap_or_default())?;
    Some((name, value))
}

fn decode(text: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = text.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    let decoded = percent_decode(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// The answer to `action`: `inner_xml` inside `<ActionResult>` inside `<ActionResponse>`.
#[must_use]
pub fn query_response(
    action: &str,
    inner_xml: &str,
    namespace: &str,
    request_id: &RequestId,
) -> Response<Body> {
    let id = xml_element("RequestId", request_id.as_str());
    let body = format!(
        "<{action}Response xmlns=\"{namespace}\"><{action}Result>{inner_xml}</{action}Result>\
         <ResponseMetadata>{id}</ResponseMetadata></{action}Response>"
    );
    xml(body, request_id)
}

fn xml(body: String, request_id: &RequestId) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    insert_request_id(headers, "x-amzn-requestid", request_id);
    response
}

/// The answer to an `action` that has no result.
#[must_use]
pub fn query_response_without_result(
    action: &str,
    namespace: &str,
    request_id: &RequestId,
) -> Response<Body> {
    let id = xml_element("RequestId", request_id.as_str());
    let body = format!(
        "<{action}Response xmlns=\"{namespace}\"><ResponseMetadata>{id}</ResponseMetadata></{action}Response>"
    );
    xml(body, request_id)
}

/// An error in the query protocol.
#[must_use]
pub fn query_error(error: &WireError, namespace: &str, request_id: &RequestId) -> Response<Body> {
    let fault = match error.fault {
        Fault::Sender => "Sender",
        Fault::Receiver => "Receiver",
    };
    let body = format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error>{}{}{}</Error>{}</ErrorResponse>",
        xml_element("Type", fault),
        xml_element("Code", &error.code),
        xml_element("Message", &error.message),
        xml_element("RequestId", request_id.as_str()),
    );
    respond(error, "text/xml", "x-amzn-requestid", request_id, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_body;

    #[test]
    fn form_and_query_string_are_one_list() {
        let params = parse_query(
            "Version=2011-06-15&",
            b"Action=GetCallerIdentity&Note=a+b%2Bc%C3%A9",
        )
        .unwrap();
        assert_eq!(params.action(), Some("GetCallerIdentity"));
        assert_eq!(params.get("Version"), Some("2011-06-15"));
        assert_eq!(params.get("Note"), Some("a b+cé"));
        assert_eq!(params.get("Absent"), None);
        assert_eq!(params.iter().count(), 3);
    }

    #[test]
    fn values_may_be_empty_or_hold_an_equals_sign() {
        let params = parse_query("", b"Flag&Empty=&Sum=1=1").unwrap();
        assert_eq!(params.get("Flag"), Some(""));
        assert_eq!(params.get("Empty"), Some(""));
        assert_eq!(params.get("Sum"), Some("1=1"));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(parse_query("a=1", b"b=%FF"), Err(MalformedQuery { position: 2 }));
    }

    #[test]
    fn lists_are_read_by_their_numbers() {
        let form =
            b"Entry.10.Id=c&Entry.2.Id=b&Entry.2.Body=x&Entry.1.Id=a&Entry.x.Id=no&EntryName.1=n&Entry=no";
        let params = parse_query("", form).unwrap();
        let entries = params.members("Entry");
        let ids: Vec<_> = entries.iter().map(|entry| entry.get("Id").unwrap()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(entries[1].get("Body"), Some("x"));
        assert_eq!(params.members("EntryName")[0].get(""), Some("n"));
        assert!(params.members("Other").is_empty());
    }

    proptest::proptest! {
        #[test]
        fn what_is_encoded_reads_back(pairs in proptest::collection::vec((".{0,8}", ".{0,8}"), 0..5)) {
            let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
            let pieces: Vec<String> = pairs.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
            let params = parse_query("", pieces.join("&").as_bytes()).unwrap();
            let read: Vec<_> = params.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            proptest::prop_assert_eq!(read, pairs);
        }

        #[test]
        fn no_bytes_make_it_panic(form: Vec<u8>) {
            if let Ok(params) = parse_query("", &form) {
                proptest::prop_assert!(params.iter().count() <= form.len());
            }
        }
    }

    #[tokio::test]
    async fn errors_say_whose_fault_they_are() {
        let error = WireError::new(400, "InvalidAction", "Could not find operation X");
        let response = query_error(
            &error,
            "https://sts.amazonaws.com/doc/2011-06-15/",
            &RequestId::from("r"),
        );
        assert_eq!(response.status(), 400);
        let body = read_body(response.into_body(), 1000).await.unwrap();
        let expected = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
            <Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation X</Message>\
            </Error><RequestId>r</RequestId></ErrorResponse>";
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn an_action_may_have_no_result() {
        let response = query_response_without_result("Act", "urn:n", &RequestId::from("r"));
        let body = read_body(response.into_body(), 1000).await.unwrap();
        let expected = "<ActResponse xmlns=\"urn:n\"><ResponseMetadata><RequestId>r</RequestId>\
            </ResponseMetadata></ActResponse>";
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn results_are_wrapped_in_the_actions_name() {
        let response = query_response("Act", "<A>1</A>", "urn:n", &RequestId::from("r"));
        assert_eq!(response.headers()["content-type"], "text/xml");
        let body = read_body(response.into_body(), 1000).await.unwrap();
        let expected = "<ActResponse xmlns=\"urn:n\"><ActResult><A>1</A></ActResult>\
            <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></ActResponse>";
        assert_eq!(body, expected);
    }
}
