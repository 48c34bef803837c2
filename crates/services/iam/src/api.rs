//! STS and IAM on the wire: the query protocol.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::json;
use tradewind_model::RequestId;
use tradewind_wire::{
    Body, Caller, Params, ReadBodyError, WireError, parse_query, query_error, query_response, read_body,
    xml_element,
};

use crate::IamService;

const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// A form of the query protocol: far more than any operation here needs.
const MAX_FORM_BYTES: usize = 1024 * 1024;

/// Every operation of STS; those without an action are not there yet.
const STS: &[(&str, Option<StsAction>)] = &[
    ("AssumeRole", None),
    ("AssumeRoleWithSAML", None),
    ("AssumeRoleWithWebIdentity", None),
    ("AssumeRoot", None),
    ("DecodeAuthorizationMessage", None),
    ("GetAccessKeyInfo", None),
    ("GetCallerIdentity", Some(StsAction::GetCallerIdentity)),
    ("GetDelegatedAccessToken", None),
    ("GetFederationToken", None),
    ("GetSessionToken", None),
    ("GetWebIdentityToken", None),
];

/// Every operation of STS, and whether it is served.
pub fn sts_operations() -> impl Iterator<Item = (&'static str, bool)> {
    STS.iter().map(|(name, action)| (*name, action.is_some()))
}

impl IamService {
    /// Answers a request to STS.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is changed.
    pub async fn handle_sts<B>(
        &self,
        request: Request<B>,
        caller: &Caller,
        request_id: &RequestId,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let wants_json = wants_json(request.headers());
        match read_params(request).await.and_then(|params| sts_action(&params)) {
            Ok(StsAction::GetCallerIdentity) if wants_json => identity_json(caller, request_id),
            Ok(StsAction::GetCallerIdentity) => identity_xml(caller, request_id),
            Err(error) => query_error(&error, STS_NAMESPACE, request_id),
        }
    }

    /// Answers a request to IAM: none of its operations is there yet, and each says so by name.
    ///
    /// # Cancel safety
    /// Cancel-safe: nothing is changed.
    pub async fn handle_iam<B>(&self, request: Request<B>, request_id: &RequestId) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let error = match read_params(request).await.and_then(|params| action(&params)) {
            Ok(action) => WireError::not_implemented("iam", &action),
            Err(error) => error,
        };
        query_error(&error, IAM_NAMESPACE, request_id)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StsAction {
    GetCallerIdentity,
}

fn sts_action(params: &Params) -> Result<StsAction, WireError> {
    let action = action(params)?;
    match STS.iter().find(|(name, _)| *name == action) {
        Some((_, Some(served))) => Ok(*served),
        Some((later, None)) => Err(WireError::not_implemented("sts", later)),
        None => {
            let version = params.get("Version").unwrap_or("NO_VERSION_SPECIFIED");
            let message = format!("Could not find operation {action} for version {version}");
            Err(WireError::new(400, "InvalidAction", message))
        }
    }
}

fn action(params: &Params) -> Result<String, WireError> {
    let missing = || {
        WireError::new(
            400,
            "MissingAction",
            "The request is missing the parameter Action.",
        )
    };
    params.action().map(str::to_owned).ok_or_else(missing)
}

async fn read_params<B>(request: Request<B>) -> Result<Params, WireError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    let form = read_body(body, MAX_FORM_BYTES)
        .await
        .map_err(|error| match error {
            ReadBodyError::TooLarge { .. } => WireError::new(413, "RequestEntityTooLarge", error.to_string()),
            ReadBodyError::Interrupted { .. } => WireError::new(400, "RequestAborted", error.to_string()),
        })?;
    parse_query(parts.uri.query().unwrap_or_default(), &form)
        .map_err(|error| WireError::new(400, "MalformedQueryString", error.to_string()))
}

/// STS answers in JSON to those who ask for it.
fn wants_json(headers: &http::HeaderMap) -> bool {
    let accept = headers
        .get(http::header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.starts_with("application/json"))
}

fn root_arn(caller: &Caller) -> String {
    format!("arn:aws:iam::{}:root", caller.account)
}

fn identity_xml(caller: &Caller, request_id: &RequestId) -> Response<Body> {
    let account = caller.account.as_str();
    let inner = [
        ("Arn", root_arn(caller).as_str()),
        ("UserId", account),
        ("Account", account),
    ]
    .map(|(name, text)| xml_element(name, text))
    .concat();
    query_response("GetCallerIdentity", &inner, STS_NAMESPACE, request_id)
}

fn identity_json(caller: &Caller, request_id: &RequestId) -> Response<Body> {
    let account = caller.account.as_str();
    let body = json!({"GetCallerIdentityResponse": {
        "GetCallerIdentityResult": {"Account": account, "Arn": root_arn(caller), "UserId": account},
        "ResponseMetadata": {"RequestId": request_id.as_str()},
    }});
    let mut response = Response::new(Body::from(body.to_string()));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use tradewind_model::Region;
    use tradewind_store::Database;

    fn caller() -> Caller {
        Caller {
            account: "123456789012".parse().unwrap(),
            region: Region::default_region(),
            access_key: Some("123456789012".into()),
            service: Some("sts".into()),
        }
    }

    async fn sts(form: &str, accept: Option<&str>) -> (u16, String) {
        let service = IamService::open(Database::in_memory_for_tests(&[MIGRATIONS]));
        let mut request = Request::post("/");
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let request = request.body(Body::full(form.to_owned())).unwrap();
        text_of(
            service
                .handle_sts(request, &caller(), &RequestId::from("r"))
                .await,
        )
        .await
    }

    async fn text_of(response: Response<Body>) -> (u16, String) {
        let status = response.status().as_u16();
        let bytes = read_body(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_caller_learns_the_account_of_its_key() {
        let (status, body) = sts("Action=GetCallerIdentity&Version=2011-06-15", None).await;
        assert_eq!(status, 200);
        let expected = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
            <GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:root</Arn><UserId>123456789012</UserId>\
            <Account>123456789012</Account></GetCallerIdentityResult>\
            <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>";
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn json_is_given_to_those_who_ask() {
        let (_, body) = sts(
            "Action=GetCallerIdentity&Version=2011-06-15",
            Some("application/json"),
        )
        .await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let result = &body["GetCallerIdentityResponse"]["GetCallerIdentityResult"];
        assert_eq!(result["Account"], "123456789012");
    }

    #[tokio::test]
    async fn what_is_not_there_is_named() {
        for (form, status, code, text) in [
            (
                "Action=AssumeRole&Version=2011-06-15",
                501,
                "NotImplemented",
                "`AssumeRole` of `sts`",
            ),
            (
                "Action=Nonsense&Version=2011-06-15",
                400,
                "InvalidAction",
                "Could not find operation Nonsense for version 2011-06-15",
            ),
            (
                "Version=2011-06-15",
                400,
                "MissingAction",
                "missing the parameter Action",
            ),
            ("Action=%FF", 400, "MalformedQueryString", "parameter 1"),
        ] {
            let (found, body) = sts(form, None).await;
            assert_eq!(found, status, "{form}");
            assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
            assert!(body.contains(text), "{body}");
        }
    }

    #[tokio::test]
    async fn iam_names_the_operation_it_lacks() {
        let service = IamService::open(Database::in_memory_for_tests(&[MIGRATIONS]));
        let request = Request::get("/?Action=ListUsers&Version=2010-05-08")
            .body(Body::empty())
            .unwrap();
        let (status, body) = text_of(service.handle_iam(request, &RequestId::from("r")).await).await;
        assert_eq!(status, 501);
        assert!(body.contains("`ListUsers` of `iam`"), "{body}");
    }

    #[tokio::test]
    async fn a_form_that_is_too_large_is_refused_unread() {
        let (status, body) = sts(&"a".repeat(MAX_FORM_BYTES + 1), None).await;
        assert_eq!(status, 413);
        assert!(body.contains("RequestEntityTooLarge"), "{body}");
    }
}
