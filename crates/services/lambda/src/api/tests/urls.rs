use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{ARN, SOURCE, path};
use crate::testing::World;

const URL: &str = "/2021-10-31/functions/f/url";
const ECHO: &str = "exports.handler = async (event) => {
    if (event.rawPath === '/raise') throw new Error('no');
    return { statusCode: 201, headers: {'x-a': 'b'}, body: JSON.stringify(event) };
};";
const STREAM: &str = "exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    if (event.rawPath === '/raise') throw new Error('no');
    const metadata = {statusCode: 202, headers: {'content-type': 'text/plain'}};
    const body = event.rawPath ? awslambda.HttpResponseStream.from(stream, metadata) : stream;
    body.write('one '); body.write('two'); body.end(); await body.finished?.();
});";
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=123456789012/20261121/us-east-1/lambda/aws4_request, \
                      SignedHeaders=host, Signature=0000000000000000000000000000000000000000000000000000000000000000";

/// The path of a new URL, without the slash at its end.
async fn url(world: &World, body: Value) -> String {
    let made = world.call("POST", URL, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let address = made.json()["FunctionUrl"].as_str().unwrap().to_owned();
    let path = address.strip_prefix("http://127.0.0.1:4566").unwrap();
    path.strip_suffix('/').unwrap().to_owned()
}

#[tokio::test]
async fn a_function_answers_at_its_url() {
    let world = World::new().await;
    world.create("f", ECHO).await;
    let url = url(&world, json!({"AuthType": "NONE"})).await;
    let answer = world.visit(&format!("{url}/a/b?c=d"), &[("x-y", "z")]).await;
    assert_eq!((answer.status, answer.header("x-a")), (201, Some("b")));
    assert!(answer.header("x-amzn-requestid").is_some());
    let event = answer.json();
    assert_eq!(
        (&event["version"], &event["routeKey"]),
        (&json!("2.0"), &json!("$default"))
    );
    assert_eq!(
        (&event["rawPath"], &event["rawQueryString"]),
        (&json!("/a/b"), &json!("c=d"))
    );
    assert_eq!(event["headers"]["x-y"], "z");
    let id = url.rsplit('/').next().unwrap();
    let context = &event["requestContext"];
    assert_eq!(context["domainName"], format!("{id}.lambda-url.localhost:4566"));
    assert_eq!(
        (&context["apiId"], &context["stage"]),
        (&json!(id), &json!("$default"))
    );
    assert_eq!(context.get("authorizer"), None);
    let failed = world.visit(&format!("{url}/raise"), &[]).await;
    assert_eq!(
        (failed.status, &*failed.bytes),
        (502, b"Internal Server Error".as_slice())
    );
    assert_eq!(world.visit("/_url/nobody/", &[]).await.status, 403);
    let by_host = world
        .visit("/a", &[("host", &format!("{id}.lambda-url.localhost"))])
        .await;
    assert_eq!(by_host.status, 201);
    // an API's id is none of a URL, nor the other way round
    assert_eq!(world.visit(&url.replace("_url", "_api"), &[]).await.status, 403);
}

#[tokio::test]
async fn signed_urls_ask_for_a_signature_and_tell_who_signed() {
    let world = World::new().await;
    world.create("f", ECHO).await;
    let url = url(&world, json!({"AuthType": "AWS_IAM"})).await;
    let refused = world.visit(&url, &[]).await;
    assert_eq!(
        (refused.status, refused.json()),
        (403, json!({"Message": "Forbidden"}))
    );
    let signed = [("authorization", SIGNED), ("x-amz-date", "20261121T000000Z")];
    let event = world.visit(&url, &signed).await.json();
    let iam = &event["requestContext"]["authorizer"]["iam"];
    assert_eq!(
        (&iam["accessKey"], &iam["accountId"]),
        (&json!("123456789012"), &json!("123456789012"))
    );
}

#[tokio::test]
async fn streams_go_out_with_their_status_and_headers() {
    let world = World::new().await;
    world.create("f", STREAM).await;
    let url = url(
        &world,
        json!({"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"}),
    )
    .await;
    let answer = world.visit(&url, &[]).await;
    assert_eq!((answer.status, &*answer.bytes), (202, b"one two".as_slice()));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(world.visit(&format!("{url}/raise"), &[]).await.status, 502);
}

/// The messages of an event stream: their types and payloads.
fn messages(mut stream: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut messages = Vec::new();
    while !stream.is_empty() {
        let word = |at: usize| u32::from_be_bytes(stream[at..at + 4].try_into().unwrap()) as usize;
        let (total, headers) = (word(0), word(4));
        let text = String::from_utf8_lossy(&stream[12..12 + headers]).into_owned();
        let kind = ["PayloadChunk", "InvokeComplete"]
            .into_iter()
            .find(|kind| text.contains(kind));
        let payload = stream[12 + headers..total - 4].to_vec();
        messages.push((kind.unwrap().to_owned(), payload));
        stream = &stream[total..];
    }
    messages
}

#[tokio::test]
async fn invocations_are_streamed_as_events() {
    let world = World::new().await;
    world.create("f", STREAM).await;
    let target = "/2021-11-15/functions/f/response-streaming-invocations";
    let request = http::Request::builder()
        .method("POST")
        .uri(target)
        .header("x-amz-log-type", "Tail");
    let answer = world
        .send(request.body(bytes::Bytes::from_static(b"{}")).unwrap())
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/vnd.amazon.eventstream")
    );
    assert_eq!(answer.header("x-amz-executed-version"), Some("$LATEST"));
    let messages_of = messages(&answer.bytes);
    let (last, chunks) = messages_of.split_last().unwrap();
    let body: Vec<u8> = chunks.iter().flat_map(|(_, payload)| payload.clone()).collect();
    assert_eq!(body, b"one two");
    assert!(chunks.iter().all(|(kind, _)| kind == "PayloadChunk"));
    let complete: Value = serde_json::from_slice(&last.1).unwrap();
    let log = STANDARD.decode(complete["LogResult"].as_str().unwrap()).unwrap();
    assert!(
        String::from_utf8(log).unwrap().contains("REPORT RequestId: "),
        "{complete}"
    );
    assert_eq!(complete.get("ErrorCode"), None);

    let failing = world.call("POST", target, &json!({"rawPath": "/raise"})).await;
    let failing = messages(&failing.bytes);
    let complete: Value = serde_json::from_slice(&failing.last().unwrap().1).unwrap();
    assert_eq!(complete["ErrorCode"], "Error");
    assert!(
        complete["ErrorDetails"]
            .as_str()
            .unwrap()
            .contains("\"errorMessage\":\"no\""),
        "{complete}"
    );
    let event = http::Request::builder()
        .method("POST")
        .uri(target)
        .header("x-amz-invocation-type", "Event");
    let refused = world.send(event.body(bytes::Bytes::new()).unwrap()).await.error();
    assert!(
        refused.2.contains("enum value set: [RequestResponse, DryRun]"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn urls_are_changed_listed_and_deleted_and_survive_a_restart() {
    let mut world = World::new().await;
    world.create("f", ECHO).await;
    let cors = json!({"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 5});
    let url = url(&world, json!({"AuthType": "AWS_IAM", "Cors": cors})).await;
    let again = world
        .call("POST", URL, &json!({"AuthType": "NONE"}))
        .await
        .error();
    assert_eq!(again.0, 409);
    let changed = world.call("PUT", URL, &json!({"AuthType": "NONE"})).await.json();
    assert_eq!((&changed["AuthType"], &changed["Cors"]), (&json!("NONE"), &cors));
    world.service = world.reopened().await;
    let answer = world.visit(&url, &[("origin", "https://a.example")]).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://a.example")
    );

    world
        .call(
            "POST",
            &path("f/aliases"),
            &json!({"Name": "live", "FunctionVersion": "$LATEST"}),
        )
        .await;
    let of_alias = world
        .call(
            "POST",
            &format!("{URL}?Qualifier=live"),
            &json!({"AuthType": "NONE"}),
        )
        .await;
    assert_eq!(of_alias.json()["FunctionArn"], format!("{ARN}:live"));
    let listed = world
        .call("GET", "/2021-10-31/functions/f/urls?MaxItems=1", &Value::Null)
        .await
        .json();
    assert_eq!(listed["FunctionUrlConfigs"][0]["FunctionArn"], ARN);
    let marker = listed["NextMarker"].as_str().unwrap();
    let rest = format!("/2021-10-31/functions/f/urls?Marker={marker}");
    let rest = world.call("GET", &rest, &Value::Null).await.json();
    assert_eq!(
        rest["FunctionUrlConfigs"][0]["FunctionArn"],
        format!("{ARN}:live")
    );
    assert_eq!(rest.get("NextMarker"), None);

    assert_eq!(world.call("DELETE", URL, &Value::Null).await.status, 204);
    assert_eq!(world.call("GET", URL, &Value::Null).await.status, 404);
    assert_eq!(world.visit(&url, &[]).await.status, 403);
    assert_eq!(world.service.list_functions()[0].urls.len(), 1);
    world.call("DELETE", &path("f"), &Value::Null).await;
}

#[tokio::test]
async fn urls_need_something_to_call() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    for (target, body, status, expected) in [
        (
            URL.replace("/f/", "/none/"),
            json!({"AuthType": "NONE"}),
            404,
            "Function does not exist",
        ),
        (
            format!("{URL}?Qualifier=dev"),
            json!({"AuthType": "NONE"}),
            404,
            "Function does not exist",
        ),
        (
            format!("{URL}?Qualifier=1"),
            json!({"AuthType": "NONE"}),
            400,
            "Value '1' at 'qualifier'",
        ),
        (URL.to_owned(), json!({}), 400, "Value null at 'authType'"),
        (
            URL.to_owned(),
            json!({"AuthType": "SECRET"}),
            400,
            "enum value set: [NONE, AWS_IAM]",
        ),
        (
            URL.to_owned(),
            json!({"AuthType": "NONE", "InvokeMode": "x"}),
            400,
            "[RESPONSE_STREAM, BUFFERED]",
        ),
    ] {
        let refused = world.call("POST", &target, &body).await.error();
        assert!(refused.0 == status && refused.2.contains(expected), "{refused:?}");
    }
}
