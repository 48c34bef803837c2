//! From resources to answers, and the same again after a restart; no function is needed.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tradewind_apigateway::{ApiGatewayService, MIGRATIONS};
use tradewind_compute::{Engine, EngineConfig, Interpreters, SandboxChoice};
use tradewind_gateway::{Gateway, GatewayConfig};
use tradewind_model::resource::{Properties, ResourceContext, ResourceState, ResourceType};
use tradewind_model::{AccountId, Clock, Region};
use tradewind_observe::usage::UsageSink;
use tradewind_observe::{LogOptions, LogStore};
use tradewind_store::Database;

struct Node {
    service: ApiGatewayService,
    gateway: Gateway,
    engine: Engine,
    _folder: tempfile::TempDir,
}

impl Node {
    async fn start(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let clock = Clock::system();
        let engine = Engine::start(EngineConfig {
            packages_dir: path("packages"),
            run_dir: path("run"),
            sandbox: SandboxChoice::Process,
            spawner: None,
            bootstraps_dir: path("bootstraps"),
            account: AccountId::default_account(),
            region: Region::default_region(),
            endpoint_url: "http://127.0.0.1:4566".to_owned(),
            account_concurrency: 10,
            memory_budget_bytes: None,
            usage: UsageSink::default(),
            keep_alive: EngineConfig::KEEP_ALIVE,
            stems: 0,
            prepare: false,
            clock: clock.clone(),
            logs: LogStore::open(path("logs"), clock.clone(), LogOptions::default()).unwrap(),
            interpreters: Interpreters::discover(OsStr::new("")),
        })
        .unwrap();
        let config = GatewayConfig {
            base_domain: "localhost:4566".to_owned(),
            account: AccountId::default_account(),
            region: Region::default_region(),
            clock,
        };
        let gateway = Gateway::new(engine.clone(), config);
        let service = ApiGatewayService::open(database.clone(), gateway.clone())
            .await
            .unwrap();
        Self {
            service,
            gateway,
            engine,
            _folder: folder,
        }
    }

    fn resource_type(&self, name: &str) -> Arc<dyn ResourceType> {
        let mut types = self.service.resource_types().into_iter();
        types.find(|candidate| candidate.type_name() == name).unwrap()
    }

    async fn create(&self, name: &str, logical_id: &str, properties: Value) -> ResourceState {
        let properties: Properties = properties.as_object().unwrap().clone();
        let resource_type = self.resource_type(name);
        assert_eq!(resource_type.check(&properties), [], "{logical_id}");
        resource_type
            .create(&context(logical_id), &properties)
            .await
            .unwrap()
    }

    async fn delete(&self, name: &str, logical_id: &str, state: &ResourceState) {
        self.resource_type(name)
            .delete(&context(logical_id), state)
            .await
            .unwrap();
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:4566");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, body) = request.body(Full::new(Bytes::from(body))).unwrap().into_parts();
        let target = self.gateway.claims(&parts).expect("the path names an API");
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        let response = self
            .gateway
            .handle(target, Request::from_parts(parts, body), peer)
            .await;
        Answer::read(response).await
    }

    async fn stop(self) {
        self.engine.shutdown(std::time::Duration::from_secs(1)).await;
    }
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

impl Answer {
    async fn read(response: Response<tradewind_wire::Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    fn is(&self, status: u16, body: &str) -> bool {
        (self.status, self.body.as_str()) == (status, body)
    }
}

fn context(logical_id: &str) -> ResourceContext {
    ResourceContext {
        stack: "shop-dev".to_owned(),
        logical_id: logical_id.to_owned(),
        generated_name: format!("shop-dev-{logical_id}-1A2B3C"),
        account: AccountId::default_account(),
        region: Region::default_region(),
        prove_updates: false,
    }
}

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:shop-dev-api";

/// An HTTP API with CORS and `GET /cart/{id}`, and a REST API with a preflight at `/items`.
async fn make_apis(node: &Node) -> (String, String, ResourceState) {
    let cors = json!({"AllowOrigins": ["*"], "AllowMethods": ["GET"]});
    let api = json!({"Name": "dev-shop", "ProtocolType": "HTTP", "CorsConfiguration": cors});
    let http = node
        .create("AWS::ApiGatewayV2::Api", "HttpApi", api)
        .await
        .physical_id;
    let stage = json!({"ApiId": http, "StageName": "$default", "AutoDeploy": true});
    node.create("AWS::ApiGatewayV2::Stage", "HttpApiStage", stage)
        .await;
    let integration = json!({
        "ApiId": http, "IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION, "PayloadFormatVersion": "2.0",
    });
    let integration = node
        .create(
            "AWS::ApiGatewayV2::Integration",
            "HttpApiIntegration",
            integration,
        )
        .await;
    let target = format!("integrations/{}", integration.reference.unwrap());
    let route = json!({"ApiId": http, "RouteKey": "GET /cart/{id}", "Target": target});
    let route = node
        .create("AWS::ApiGatewayV2::Route", "HttpApiRoute", route)
        .await;

    let rest = node
        .create(
            "AWS::ApiGateway::RestApi",
            "ApiGatewayRestApi",
            json!({"Name": "dev-shop"}),
        )
        .await;
    let resource = json!({
        "RestApiId": rest.physical_id, "ParentId": rest.attributes["RootResourceId"], "PathPart": "items",
    });
    let resource = node
        .create("AWS::ApiGateway::Resource", "ApiGatewayResourceItems", resource)
        .await;
    let options = json!({
        "RestApiId": rest.physical_id, "ResourceId": resource.reference, "HttpMethod": "OPTIONS",
        "AuthorizationType": "NONE",
        "Integration": {
            "Type": "MOCK",
            "RequestTemplates": {"application/json": "{statusCode:200}"},
            "IntegrationResponses": [{
                "StatusCode": "200",
                "ResponseParameters": {"method.response.header.Access-Control-Allow-Methods": "'OPTIONS,GET'"},
                "ResponseTemplates": {"application/json": ""},
            }],
        },
    });
    node.create("AWS::ApiGateway::Method", "ApiGatewayMethodItemsOptions", options)
        .await;
    let deployment = json!({"RestApiId": rest.physical_id, "StageName": "dev"});
    node.create("AWS::ApiGateway::Deployment", "ApiGatewayDeployment1", deployment)
        .await;
    (http, rest.physical_id, route)
}

async fn expect_answers(node: &Node, http: &str, rest: &str) {
    let origin = ("origin", "https://shop.example");
    let cart = format!("/_api/{http}/cart/1");
    // The function is not deployed.
    let called = node.send(Method::GET, &cart, &[origin], Vec::new()).await;
    assert!(
        called.is(500, r#"{"message":"Internal Server Error"}"#),
        "{}",
        called.body
    );
    assert_eq!(called.headers["access-control-allow-origin"], "*");
    assert_eq!(called.headers["apigw-requestid"].len(), 16);
    let asked = [origin, ("access-control-request-method", "GET")];
    let preflight = node.send(Method::OPTIONS, &cart, &asked, Vec::new()).await;
    assert_eq!(
        (
            preflight.status,
            &preflight.headers["access-control-allow-methods"]
        ),
        (204, &"GET".parse().unwrap())
    );
    let nowhere = node.send(Method::POST, &cart, &[], b"{}".to_vec()).await;
    assert!(nowhere.is(404, r#"{"message":"Not Found"}"#), "{}", nowhere.body);

    let items = format!("/_api/{rest}/dev/items");
    let options = node.send(Method::OPTIONS, &items, &[origin], Vec::new()).await;
    assert!(options.is(200, ""), "{}", options.body);
    assert_eq!(options.headers["access-control-allow-methods"], "OPTIONS,GET");
    assert!(
        options.headers["x-amzn-trace-id"]
            .to_str()
            .unwrap()
            .starts_with("Root=1-")
    );
    let missing = node.send(Method::GET, &items, &[], Vec::new()).await;
    assert!(
        missing.is(403, r#"{"message":"Missing Authentication Token"}"#),
        "{}",
        missing.body
    );
    assert_eq!(
        missing.headers["x-amzn-errortype"],
        "MissingAuthenticationTokenException"
    );
    let stage = node
        .send(Method::GET, &format!("/_api/{rest}/prod/items"), &[], Vec::new())
        .await;
    assert!(stage.is(403, r#"{"message":"Forbidden"}"#), "{}", stage.body);
}

#[tokio::test]
async fn what_stacks_declare_is_served_also_after_a_restart() {
    let database = Database::in_memory_for_tests(&[MIGRATIONS]);
    let node = Node::start(&database).await;
    let (http, rest, _route) = make_apis(&node).await;
    expect_answers(&node, &http, &rest).await;
    let urls = node.service.urls();
    node.stop().await;
    let again = Node::start(&database).await;
    expect_answers(&again, &http, &rest).await;
    assert_eq!(again.service.urls(), urls);
    assert_eq!(urls.len(), 1);
    // A creation that is repeated makes nothing new.
    let repeated = make_apis(&again).await;
    assert_eq!((repeated.0, repeated.1), (http, rest));
    again.stop().await;
}

#[tokio::test]
async fn what_is_removed_is_served_no_longer() {
    let database = Database::in_memory_for_tests(&[MIGRATIONS]);
    let node = Node::start(&database).await;
    let (http, rest, route) = make_apis(&node).await;
    node.delete("AWS::ApiGatewayV2::Route", "HttpApiRoute", &route)
        .await;
    let gone = node
        .send(Method::GET, &format!("/_api/{http}/cart/1"), &[], Vec::new())
        .await;
    assert_eq!(gone.status, 404);
    let state = ResourceState {
        physical_id: rest.clone(),
        ..ResourceState::default()
    };
    node.delete("AWS::ApiGateway::RestApi", "somebody-elses", &state)
        .await;
    let items = format!("/_api/{rest}/dev/items");
    assert_eq!(
        node.send(Method::OPTIONS, &items, &[], Vec::new()).await.status,
        200
    );
    node.delete("AWS::ApiGateway::RestApi", "ApiGatewayRestApi", &state)
        .await;
    assert_eq!(
        node.send(Method::OPTIONS, &items, &[], Vec::new()).await.status,
        403
    );
    node.delete("AWS::ApiGateway::RestApi", "ApiGatewayRestApi", &state)
        .await;
    node.stop().await;
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let database = Database::in_memory_for_tests(&[MIGRATIONS]);
    let node = Node::start(&database).await;
    let (http, rest, _route) = make_apis(&node).await;
    let body = vec![b'x'; 10 * 1024 * 1024 + 1];
    let large = node
        .send(Method::GET, &format!("/_api/{http}/cart/1"), &[], body.clone())
        .await;
    assert!(
        large.is(413, r#"{"message":"Request Entity Too Large"}"#),
        "{}",
        large.body
    );
    let items = format!("/_api/{rest}/dev/items");
    let large = node.send(Method::OPTIONS, &items, &[], body).await;
    assert!(
        large.is(413, r#"{"message":"Request Too Long"}"#),
        "{}",
        large.body
    );
    let header = "h".repeat(10_241);
    let long = node
        .send(Method::OPTIONS, &items, &[("x-long", &header)], Vec::new())
        .await;
    assert_eq!(long.status, 431);
    node.stop().await;
}
