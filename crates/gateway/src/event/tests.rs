//! Events as functions see them, checked member by member and by the types of a public library.

use std::net::IpAddr;

use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use http::Request;
use serde_json::{Value, json};
use tradewind_model::{RequestId, Timestamp};

use super::{EventInput, write_event};
use crate::api::{Api, ApiKind, Integration, LambdaIntegration, PayloadFormat, Route, Stage};
use crate::compiled::CompiledApi;
use crate::identity::Identity;

struct Case {
    kind: ApiKind,
    format: PayloadFormat,
    stage: &'static str,
    key: &'static str,
    binary: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
}

const REST: Case = Case {
    kind: ApiKind::Rest,
    format: PayloadFormat::V1,
    stage: "dev",
    key: "ANY /items/{id}",
    binary: &[],
    variables: &[],
};
const HTTP: Case = Case {
    kind: ApiKind::Http,
    format: PayloadFormat::V2,
    stage: "$default",
    ..REST
};

impl Case {
    fn api(&self) -> CompiledApi {
        let lambda = LambdaIntegration {
            function: "arn:aws:lambda:us-east-1:123456789012:function:shop"
                .parse()
                .unwrap(),
            payload_format: self.format,
            timeout: std::time::Duration::from_secs(29),
        };
        let stage = Stage {
            deployment_id: "d1e2f3".to_owned(),
            routes: vec![Route {
                key: self.key.parse().unwrap(),
                resource_id: "r1s2t3".to_owned(),
                integration: Integration::Lambda(lambda),
            }],
            cors: None,
            binary_media_types: self.binary.iter().map(|&text| text.to_owned()).collect(),
            variables: self
                .variables
                .iter()
                .map(|&(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
        };
        let stages = [(self.stage.to_owned(), stage)].into();
        CompiledApi::new(Api {
            id: "a1b2c3d4e5".parse().unwrap(),
            kind: self.kind,
            stages,
        })
    }

    fn event(&self, request: Request<&[u8]>) -> Value {
        let api = self.api();
        let (parts, body) = request.into_parts();
        let (stage, path) = api.stage(parts.uri.path()).unwrap();
        let (route, captures) = stage.route(&parts.method, path).unwrap();
        let identity = Identity {
            request: RequestId::from("c6af9ac6-7b61-11e6-9a41-93e8deadbeef"),
            extended: "JKJaXmPLvHcESHA=".to_owned(),
            trace: "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e".to_owned(),
            now: Timestamp::from_millis(1_583_348_638_390),
        };
        let input = EventInput {
            parts: &parts,
            body,
            api: &api,
            stage,
            route,
            captures: &captures,
            path,
            domain: "a1b2c3d4e5.execute-api.localhost:4566",
            account: "123456789012",
            identity: &identity,
            signer: None,
            peer: IpAddr::from([192, 0, 2, 7]),
        };
        serde_json::from_slice(&write_event(&input, self.format)).unwrap()
    }
}

fn request(method: &str, uri: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "localhost:4566")
        .header("user-agent", "curl/8")
}

const NOTHING: &[u8] = b"";

#[test]
fn a_rest_event_has_every_member_of_the_service() {
    let event = REST.event(
        request("GET", "/dev/items/a%2Bb@c/?q=1&q=2")
            .body(NOTHING)
            .unwrap(),
    );
    let headers = json!({
        "Host": "localhost:4566",
        "User-Agent": "curl/8",
        "X-Amzn-Trace-Id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Port": "4566",
        "X-Forwarded-Proto": "http",
    });
    let lists: Value = headers
        .as_object()
        .unwrap()
        .iter()
        .map(|(k, v)| (k.clone(), json!([v])))
        .collect();
    let expected = json!({
        "resource": "/items/{id}",
        "path": "/items/a%2Bb@c/",
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": lists,
        "queryStringParameters": {"q": "2"},
        "multiValueQueryStringParameters": {"q": ["1", "2"]},
        "pathParameters": {"id": "a%2Bb@c"},
        "stageVariables": null,
        "requestContext": {
            "resourceId": "r1s2t3",
            "resourcePath": "/items/{id}",
            "httpMethod": "GET",
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "requestTime": "04/Mar/2020:19:03:58 +0000",
            "path": "/dev/items/a%2Bb@c/",
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": "dev",
            "domainPrefix": "a1b2c3d4e5",
            "requestTimeEpoch": 1_583_348_638_390_i64,
            "domainName": "a1b2c3d4e5.execute-api.localhost:4566",
            "apiId": "a1b2c3d4e5",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "deploymentId": "d1e2f3",
            "identity": {
                "cognitoIdentityPoolId": null,
                "accountId": null,
                "cognitoIdentityId": null,
                "caller": null,
                "principalOrgId": null,
                "accessKey": null,
                "cognitoAuthenticationType": null,
                "cognitoAuthenticationProvider": null,
                "userArn": null,
                "user": null,
                "sourceIp": "192.0.2.7",
                "userAgent": "curl/8",
            },
        },
        "body": null,
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
}

#[test]
fn a_2_0_event_has_every_member_of_the_service() {
    let request = request("POST", "/items/a%20b?q=1&q=2&e=%20")
        .header("cookie", "a=1; b=2")
        .header("x-many", "1")
        .header("x-many", "2")
        .header("content-type", "application/json")
        .header("connection", "keep-alive")
        .body(&b"{\"n\":1}"[..])
        .unwrap();
    let case = Case {
        variables: &[("table", "orders")],
        ..HTTP
    };
    let expected = json!({
        "version": "2.0",
        "routeKey": "ANY /items/{id}",
        "rawPath": "/items/a b",
        "rawQueryString": "q=1&q=2&e=%20",
        "cookies": ["a=1", "b=2"],
        "headers": {
            "host": "localhost:4566",
            "user-agent": "curl/8",
            "x-many": "1,2",
            "content-type": "application/json",
            "content-length": "7",
            "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
            "x-forwarded-for": "192.0.2.7",
            "x-forwarded-port": "4566",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"e": " ", "q": "1,2"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.localhost:4566",
            "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": "POST",
                "path": "/items/a b",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": "curl/8",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "ANY /items/{id}",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_i64,
        },
        "pathParameters": {"id": "a b"},
        "stageVariables": {"table": "orders"},
        "body": "{\"n\":1}",
        "isBase64Encoded": false,
    });
    assert_eq!(case.event(request), expected);
}

#[test]
fn a_2_0_event_leaves_out_what_is_not_there() {
    let case = Case {
        key: "$default",
        ..HTTP
    };
    let event = case.event(request("GET", "/").body(NOTHING).unwrap());
    for member in [
        "cookies",
        "queryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ] {
        assert!(event.get(member).is_none(), "{member}");
    }
    assert_eq!(event["routeKey"], "$default");
    assert_eq!(
        (&event["rawPath"], &event["rawQueryString"]),
        (&json!("/"), &json!(""))
    );
    assert_eq!(event["headers"]["content-length"], "0");
}

#[test]
fn a_named_stage_of_an_http_api_is_in_its_paths() {
    let two = Case {
        stage: "beta",
        ..HTTP
    }
    .event(request("GET", "/beta/items/1").body(NOTHING).unwrap());
    assert_eq!(two["rawPath"], "/beta/items/1");
    assert_eq!(two["requestContext"]["http"]["path"], "/beta/items/1");
    let case = Case {
        stage: "beta",
        format: PayloadFormat::V1,
        ..HTTP
    };
    let one = case.event(request("GET", "/beta/items/1").body(NOTHING).unwrap());
    assert_eq!(
        (&one["path"], &one["requestContext"]["path"]),
        (&json!("/beta/items/1"), &json!("/beta/items/1"))
    );
}

#[test]
fn format_1_0_of_an_http_api_differs_from_that_of_a_rest_api() {
    let case = Case {
        format: PayloadFormat::V1,
        ..HTTP
    };
    let event = case.event(
        request("GET", "/items/a%20b")
            .header("cookie", "a=1")
            .body(NOTHING)
            .unwrap(),
    );
    assert_eq!(event["version"], "1.0");
    assert_eq!(event["path"], "/items/a b");
    assert_eq!(event["pathParameters"], json!({"id": "a b"}));
    assert_eq!(event["requestContext"]["resourceId"], "ANY /items/{id}");
    assert_eq!(event["requestContext"]["requestId"], "JKJaXmPLvHcESHA=");
    assert!(event["requestContext"].get("deploymentId").is_none());
    assert_eq!(event["headers"]["Content-Length"], "0");
    assert_eq!(
        (&event["headers"]["cookie"], &event["headers"]["Host"]),
        (&json!("a=1"), &json!("localhost:4566"))
    );
}

#[test]
fn several_values_of_a_header_are_kept_by_rest_apis() {
    let request = request("GET", "/dev/items/1")
        .header("x-a", "1")
        .header("x-a", "2");
    let event = REST.event(request.body(NOTHING).unwrap());
    assert_eq!(event["headers"]["x-a"], "2");
    assert_eq!(event["multiValueHeaders"]["x-a"], json!(["1", "2"]));
}

#[test]
fn a_proxy_in_front_of_the_node_is_believed() {
    let request = request("GET", "/dev/items/1")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-port", "443");
    let event = REST.event(request.body(NOTHING).unwrap());
    assert_eq!(event["headers"]["X-Forwarded-For"], "203.0.113.9, 192.0.2.7");
    assert_eq!(event["headers"]["X-Forwarded-Proto"], "https");
    assert_eq!(event["headers"]["X-Forwarded-Port"], "443");
    assert_eq!(event["requestContext"]["identity"]["sourceIp"], "192.0.2.7");
}

#[test]
fn rest_bodies_are_base64_by_the_apis_binary_media_types() {
    let send = |case: &Case, content_type: &str, body: &[u8]| {
        let event = case.event(
            request("POST", "/dev/items/1")
                .header("content-type", content_type)
                .body(body)
                .unwrap(),
        );
        (event["body"].clone(), event["isBase64Encoded"].clone())
    };
    let images = Case {
        binary: &["image/png"],
        ..REST
    };
    assert_eq!(
        send(&images, "image/png", &[0, 255]),
        (json!("AP8="), json!(true))
    );
    assert_eq!(
        send(&images, "text/plain", "h\u{e9}".as_bytes()),
        (json!("h\u{e9}"), json!(false))
    );
    assert_eq!(
        send(&REST, "image/png", &[b'a', 255]),
        (json!("a\u{fffd}"), json!(false))
    );
    let all = Case {
        binary: &["*/*"],
        ..REST
    };
    assert_eq!(
        send(&all, "application/json", b"{}"),
        (json!("e30="), json!(true))
    );
}

#[test]
fn http_api_bodies_are_base64_unless_their_type_is_text() {
    let send = |content_type: &str, body: &[u8]| {
        let event = HTTP.event(
            request("POST", "/items/1")
                .header("content-type", content_type)
                .body(body)
                .unwrap(),
        );
        (event["body"].clone(), event["isBase64Encoded"].clone())
    };
    assert_eq!(
        send("application/x-www-form-urlencoded", b"a=1"),
        (json!("YT0x"), json!(true))
    );
    assert_eq!(
        send("application/json", b"\"\\u00e9\""),
        (json!("\"\\u00e9\""), json!(false))
    );
    assert_eq!(send("text/plain", &[255]), (json!("/w=="), json!(true)));
}

#[test]
fn a_public_library_reads_the_events() {
    let send = |method, uri| {
        request(method, uri)
            .header("cookie", "a=1")
            .body(&b"x"[..])
            .unwrap()
    };
    let rest: ApiGatewayProxyRequest =
        serde_json::from_value(REST.event(send("PUT", "/dev/items/7?a=b"))).unwrap();
    assert_eq!(rest.http_method, http::Method::PUT);
    assert_eq!(rest.path_parameters.get("id").map(String::as_str), Some("7"));
    assert_eq!(rest.request_context.stage.as_deref(), Some("dev"));
    let two: ApiGatewayV2httpRequest =
        serde_json::from_value(HTTP.event(send("PUT", "/items/7?a=b"))).unwrap();
    assert_eq!(two.request_context.http.method, http::Method::PUT);
    assert_eq!(two.cookies.as_deref(), Some(&["a=1".to_owned()][..]));
    assert!(two.is_base64_encoded);
}
