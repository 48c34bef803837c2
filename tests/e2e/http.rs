//! HTTP in, event to the function, response out: as API Gateway does it.

use serde_json::Value;
use tradewind_tests::{Answer, Node, Project, request};

const CONFIGURATION: &str = "
service: mirror
provider:
  name: aws
  runtime: nodejs20.x
  httpApi:
    cors: true
functions:
  mirror:
    handler: index.handler
    events:
      - httpApi: GET /items/{id}
      - httpApi: 'POST /items'
      - httpApi: 'GET /files/{path+}'
      - http:
          path: items/{id}
          method: get
          cors: true
      - http: ANY files/{proxy+}
      - http: POST items
  binary:
    handler: index.binary
    events:
      - httpApi: GET /binary
  cookies:
    handler: index.cookies
    events:
      - httpApi: GET /cookies
";

const MIRROR: &str = r"
exports.handler = async (event) => ({ statusCode: 201, headers: { 'x-seen': 'yes' }, body: JSON.stringify(event) });
exports.binary = async () => ({ statusCode: 200, isBase64Encoded: true, headers: { 'content-type': 'image/png' },
  body: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 255]).toString('base64') });
exports.cookies = async () => ({ cookies: ['a=1; Path=/', 'b=2'], statusCode: 200, body: 'ok' });
";

fn mirror() -> (Project, Node) {
    let project = Project::new(&[("serverless.yml", CONFIGURATION), ("index.js", MIRROR)]);
    let node = Node::up(project.path());
    (project, node)
}

fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    request(method, url, headers, body).expect("the node answers")
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn an_http_api_sends_payload_two() {
    let (_project, node) = mirror();
    let url = node.route("GET", "/items/{id}").replace("{id}", "a%20b") + "?x=1&x=2&y=";
    let answer = send("GET", &url, &[("cookie", "s=1; t=2"), ("x-one", "1")], b"");
    assert_eq!((answer.status, answer.header("x-seen")), (201, Some("yes")));
    let event: Value = answer.json();
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["routeKey"], "GET /items/{id}");
    assert_eq!(event["pathParameters"]["id"], "a b");
    assert_eq!(event["rawQueryString"], "x=1&x=2&y=");
    assert_eq!(event["queryStringParameters"]["x"], "1,2");
    assert_eq!(event["cookies"], serde_json::json!(["s=1", "t=2"]));
    assert_eq!(event["headers"]["x-one"], "1");
    assert_eq!(event["requestContext"]["http"]["method"], "GET");
    assert_eq!(event["requestContext"]["stage"], "$default");
    assert_eq!(event["isBase64Encoded"], false);
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_rest_api_sends_payload_one() {
    let (_project, node) = mirror();
    let url = node.route("GET", "/dev/items/{id}").replace("{id}", "7") + "?x=1&x=2";
    let event = send("GET", &url, &[("X-Mixed", "a")], b"").json();
    assert_eq!(event["resource"], "/items/{id}");
    assert_eq!(event["path"], "/items/7");
    assert_eq!(event["httpMethod"], "GET");
    assert_eq!(event["pathParameters"]["id"], "7");
    assert_eq!(event["queryStringParameters"]["x"], "2");
    assert_eq!(
        event["multiValueQueryStringParameters"]["x"],
        serde_json::json!(["1", "2"])
    );
    assert_eq!(event["requestContext"]["stage"], "dev");
    assert_eq!(event["requestContext"]["path"], "/dev/items/7");
    assert_eq!(event["body"], Value::Null);
    let greedy = node
        .route("ANY", "/dev/files/{proxy+}")
        .replace("{proxy+}", "a/b/c.txt");
    let event = send("DELETE", &greedy, &[], b"").json();
    assert_eq!(event["pathParameters"]["proxy"], "a/b/c.txt");
    assert_eq!(event["httpMethod"], "DELETE");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn bodies_arrive_as_text_or_base64_and_leave_as_bytes() {
    let (_project, node) = mirror();
    let items = node.route("POST", "/items");
    let text = send(
        "POST",
        &items,
        &[("content-type", "application/json")],
        b"{\"a\":1}",
    )
    .json();
    assert_eq!(
        (text["body"].as_str(), text["isBase64Encoded"].as_bool()),
        (Some("{\"a\":1}"), Some(false))
    );
    let bytes = send(
        "POST",
        &items,
        &[("content-type", "image/png")],
        &[0, 159, 146, 150],
    )
    .json();
    assert_eq!(
        (bytes["body"].as_str(), bytes["isBase64Encoded"].as_bool()),
        (Some("AJ+Slg=="), Some(true))
    );
    let png = send("GET", &node.route("GET", "/binary"), &[], b"");
    assert_eq!(
        (png.body.as_slice(), png.header("content-type")),
        (&[0x89, 0x50, 0x4e, 0x47, 0, 255][..], Some("image/png"))
    );
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn cookies_and_cors_are_the_gateways_business() {
    let (_project, node) = mirror();
    let url = node.route("GET", "/cookies");
    let answer = send("GET", &url, &[("origin", "https://shop.example")], b"");
    let cookies: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(n, _)| n == "set-cookie")
        .map(|(_, v)| v.as_str())
        .collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let preflight = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "GET"),
    ];
    assert_eq!(send("OPTIONS", &url, &preflight, b"").status, 204);
    let rest = node.route("GET", "/dev/items/{id}").replace("{id}", "1");
    let answer = send("OPTIONS", &rest, &preflight, b"");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("access-control-allow-methods")
            .unwrap()
            .contains("GET"),
        "{answer:?}"
    );
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn what_no_route_takes_gets_api_gateways_refusal() {
    let (_project, node) = mirror();
    let url = node.route("GET", "/cookies");
    let nowhere = send("GET", &url.replace("/cookies", "/nowhere"), &[], b"");
    assert_eq!(
        (nowhere.status, nowhere.text().as_str()),
        (404, "{\"message\":\"Not Found\"}")
    );
    let rest = node.route("POST", "/dev/items");
    let missing = send("GET", &rest, &[], b"");
    assert_eq!(
        (missing.status, missing.text().as_str()),
        (403, "{\"message\":\"Missing Authentication Token\"}")
    );
    let stage = send("GET", &rest.replace("/dev/", "/prod/"), &[], b"");
    assert_eq!(
        (stage.status, stage.text().as_str()),
        (403, "{\"message\":\"Forbidden\"}")
    );
    let large = send(
        "POST",
        &node.route("POST", "/items"),
        &[],
        &vec![b'x'; 11 * 1024 * 1024],
    );
    assert_eq!(large.status, 413, "{}", large.text());
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn an_api_answers_at_its_host_name_too() {
    let (_project, node) = mirror();
    let url = node.route("GET", "/cookies");
    let api = url
        .split("/_api/")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let host = format!("{api}.execute-api.localhost");
    assert_eq!(
        send("GET", &node.url("/cookies"), &[("host", &host)], b"").text(),
        "ok"
    );
}
