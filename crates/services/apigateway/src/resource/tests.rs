//! Templates as the Serverless Framework writes them, planned without a node.

use serde_json::{Value, json};
use tradewind_gateway::{Api, Integration};
use tradewind_model::resource::{Properties, PropertyProblem, ResourceError};

use super::{DEFINITIONS, Definition, Plan, Planning, refuse_foreign};
use crate::model::RecordKey;
use crate::state::{State, Stored};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:shop-dev-api";

fn definition(name: &str) -> &'static Definition {
    DEFINITIONS
        .iter()
        .find(|definition| definition.name.ends_with(name))
        .unwrap()
}

fn properties(value: Value) -> Properties {
    value.as_object().unwrap().clone()
}

fn check(name: &str, value: Value) -> Vec<PropertyProblem> {
    (definition(name).check)(&properties(value))
}

#[derive(Default)]
struct Stack(State);

impl Stack {
    fn try_put(&mut self, name: &str, owner: &str, value: Value) -> Result<Plan, ResourceError> {
        let properties = properties(value);
        assert_eq!((definition(name).check)(&properties), [], "{name}");
        let planning = Planning {
            state: &self.0,
            owner,
            properties: &properties,
            base_domain: "localhost:4566",
        };
        let plan = (definition(name).plan)(&planning)?;
        refuse_foreign(&self.0, &plan.key, owner)?;
        let stored = Stored {
            owner: owner.to_owned(),
            record: plan.record.clone(),
        };
        self.0.insert(plan.key.clone(), stored);
        Ok(plan)
    }

    fn put(&mut self, name: &str, owner: &str, value: Value) -> Plan {
        self.try_put(name, owner, value)
            .unwrap_or_else(|error| panic!("{name} {owner}: {error}"))
    }

    fn remove(&mut self, name: &str, plan: &Plan) {
        let key = RecordKey::parse(definition(name).kind, &plan.key.physical_id()).unwrap();
        self.0.remove(&key);
    }

    fn served(&self, api: &str) -> Api {
        self.0.compile(api).unwrap().unwrap()
    }

    fn routes(&self, api: &str, stage: &str) -> Vec<String> {
        let api = self.served(api);
        let routes = api.stages.get(stage).into_iter().flat_map(|stage| &stage.routes);
        let mut keys: Vec<String> = routes.map(|route| route.key.to_string()).collect();
        keys.sort();
        keys
    }

    /// A REST API with `GET /items/{id}` and its preflight, not deployed yet.
    fn rest(&mut self) -> RestIds {
        let api = self.put(
            "RestApi",
            "api",
            json!({"Name": "dev-shop", "EndpointConfiguration": {"Types": ["EDGE"]}, "Policy": ""}),
        );
        let root = api.attributes["RootResourceId"].as_str().unwrap().to_owned();
        let api = api.key.physical_id();
        let items = self.resource(&api, &root, "items");
        let item = self.resource(&api, &items, "{id}");
        self.method(&api, &item, "GET");
        self.put("::Method", "options", preflight(&api, &item));
        RestIds { api, root, item }
    }

    fn resource(&mut self, api: &str, parent: &str, part: &str) -> String {
        let value = json!({"RestApiId": api, "ParentId": parent, "PathPart": part});
        self.put("::Resource", part, value).reference.unwrap()
    }

    fn method(&mut self, api: &str, resource: &str, method: &str) -> Plan {
        self.put(
            "::Method",
            &format!("{resource}{method}"),
            proxy(api, resource, method),
        )
    }

    fn deploy(&mut self, api: &str, owner: &str) -> Plan {
        self.put(
            "ApiGateway::Deployment",
            owner,
            json!({"RestApiId": api, "StageName": "dev"}),
        )
    }
}

struct RestIds {
    api: String,
    root: String,
    item: String,
}

fn proxy(api: &str, resource: &str, method: &str) -> Value {
    json!({
        "HttpMethod": method,
        "RequestParameters": {},
        "ResourceId": resource,
        "RestApiId": api,
        "ApiKeyRequired": false,
        "AuthorizationType": "NONE",
        "Integration": {
            "IntegrationHttpMethod": "POST",
            "Type": "AWS_PROXY",
            "Uri": format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"),
        },
        "MethodResponses": [],
    })
}

fn preflight(api: &str, resource: &str) -> Value {
    json!({
        "AuthorizationType": "NONE",
        "HttpMethod": "OPTIONS",
        "MethodResponses": [{"StatusCode": "200", "ResponseParameters": {}, "ResponseModels": {}}],
        "RequestParameters": {},
        "Integration": {
            "Type": "MOCK",
            "RequestTemplates": {"application/json": "{statusCode:200}"},
            "ContentHandling": "CONVERT_TO_TEXT",
            "IntegrationResponses": [{
                "StatusCode": "200",
                "ResponseParameters": {"method.response.header.Access-Control-Allow-Origin": "'*'"},
                "ResponseTemplates": {"application/json": ""},
            }],
        },
        "ResourceId": resource,
        "RestApiId": api,
    })
}

#[test]
fn a_rest_api_serves_its_deployment_only() {
    let mut stack = Stack::default();
    let ids = stack.rest();
    assert_eq!(stack.routes(&ids.api, "dev"), Vec::<String>::new());
    stack.deploy(&ids.api, "one");
    assert_eq!(
        stack.routes(&ids.api, "dev"),
        ["GET /items/{id}", "OPTIONS /items/{id}"]
    );
    stack.method(&ids.api, &ids.root, "ANY");
    assert_eq!(stack.routes(&ids.api, "dev").len(), 2);
    stack.deploy(&ids.api, "two");
    assert_eq!(
        stack.routes(&ids.api, "dev"),
        ["ANY /", "GET /items/{id}", "OPTIONS /items/{id}"]
    );
}

#[test]
fn a_deployment_that_is_repeated_keeps_its_copy() {
    let mut stack = Stack::default();
    let ids = stack.rest();
    let first = stack.deploy(&ids.api, "one");
    stack.method(&ids.api, &ids.root, "ANY");
    let again = stack.deploy(&ids.api, "one");
    assert_eq!(first.key, again.key);
    assert_eq!(stack.routes(&ids.api, "dev").len(), 2);
}

#[test]
fn undoing_a_deployment_returns_to_the_one_before() {
    let mut stack = Stack::default();
    let ids = stack.rest();
    let one = stack.deploy(&ids.api, "one");
    let method = stack.method(&ids.api, &ids.root, "ANY");
    let two = stack.deploy(&ids.api, "two");
    stack.remove("ApiGateway::Deployment", &two);
    stack.remove("::Method", &method);
    assert_eq!(stack.routes(&ids.api, "dev").len(), 2);
    stack.remove("ApiGateway::Deployment", &one);
    assert!(stack.served(&ids.api).stages.is_empty());
}

#[test]
fn a_method_that_is_gone_is_served_no_longer() {
    let mut stack = Stack::default();
    let ids = stack.rest();
    let extra = stack.method(&ids.api, &ids.root, "ANY");
    stack.deploy(&ids.api, "one");
    assert_eq!(stack.routes(&ids.api, "dev").len(), 3);
    stack.remove("::Method", &extra);
    assert_eq!(stack.routes(&ids.api, "dev").len(), 2);
}

#[test]
fn a_stage_resource_serves_the_deployment_it_names() {
    let mut stack = Stack::default();
    let ids = stack.rest();
    let deployment = stack.put("ApiGateway::Deployment", "one", json!({"RestApiId": ids.api}));
    assert!(stack.served(&ids.api).stages.is_empty());
    let stage = json!({
        "RestApiId": ids.api,
        "StageName": "prod",
        "DeploymentId": deployment.reference,
        "Variables": {"table": "orders"},
    });
    assert_eq!(
        stack
            .put("ApiGateway::Stage", "stage", stage)
            .reference
            .as_deref(),
        Some("prod")
    );
    let served = stack.served(&ids.api);
    assert_eq!(served.stages["prod"].variables["table"], "orders");
    assert_eq!(
        Some(&served.stages["prod"].deployment_id),
        deployment.reference.as_ref()
    );
}

#[test]
fn removing_an_api_removes_its_parts() {
    let mut stack = Stack::default();
    let ids = stack.rest();
    stack.deploy(&ids.api, "one");
    stack
        .0
        .remove(&RecordKey::of_api(crate::model::RecordKind::RestApi, &ids.api));
    assert!(stack.0.compile(&ids.api).unwrap().is_none());
    assert_eq!(stack.0.methods(&ids.api), []);
}

#[test]
fn references_and_attributes_are_those_of_cloudformation() {
    let mut stack = Stack::default();
    let api = stack.put("RestApi", "api", json!({"Name": "n"}));
    let id = api.key.physical_id();
    assert_eq!((id.len(), api.reference), (10, None));
    assert_eq!(api.attributes["RestApiId"], id);
    let http = stack.put("V2::Api", "http", json!({"Name": "n", "ProtocolType": "HTTP"}));
    let id = http.key.physical_id();
    assert_eq!(
        http.attributes["ApiEndpoint"],
        format!("http://{id}.execute-api.localhost:4566")
    );
    let stage = json!({"ApiId": id, "StageName": "$default", "AutoDeploy": true});
    assert_eq!(
        stack.put("V2::Stage", "stage", stage).reference.as_deref(),
        Some("$default")
    );
}

fn http(stack: &mut Stack) -> String {
    let cors =
        json!({"AllowOrigins": ["*"], "AllowMethods": ["OPTIONS", "GET"], "AllowHeaders": ["Content-Type"]});
    let api = json!({"Name": "dev-shop", "ProtocolType": "HTTP", "CorsConfiguration": cors});
    let api = stack.put("V2::Api", "http", api).key.physical_id();
    stack.put(
        "V2::Stage",
        "stage",
        json!({
            "ApiId": api, "StageName": "$default", "AutoDeploy": true,
            "DefaultRouteSettings": {"DetailedMetricsEnabled": false},
        }),
    );
    api
}

fn http_integration(stack: &mut Stack, api: &str) -> String {
    let integration = json!({
        "ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION,
        "PayloadFormatVersion": "2.0", "TimeoutInMillis": 30000,
    });
    stack
        .put("V2::Integration", "integration", integration)
        .reference
        .unwrap()
}

#[test]
fn an_http_api_serves_its_routes_at_once() {
    let mut stack = Stack::default();
    let api = http(&mut stack);
    let integration = http_integration(&mut stack, &api);
    for key in ["GET /cart/{id}", "$default"] {
        let route = json!({"ApiId": api, "RouteKey": key, "Target": format!("integrations/{integration}")});
        stack.put("V2::Route", key, route);
    }
    assert_eq!(stack.routes(&api, "$default"), ["$default", "GET /cart/{id}"]);
    let served = stack.served(&api);
    assert!(served.stages["$default"].cors.is_some());
    let Integration::Lambda(lambda) = &served.stages["$default"].routes[0].integration else {
        panic!()
    };
    assert_eq!(
        (lambda.function.to_string(), lambda.timeout.as_millis()),
        (FUNCTION.to_owned(), 30_000)
    );
    let mut urls: Vec<String> = stack
        .0
        .urls()
        .iter()
        .map(|url| format!("{} {}", url.method, url.path_form()))
        .collect();
    urls.sort();
    assert_eq!(
        urls,
        [
            format!("ANY /_api/{api}/{{proxy+}}"),
            format!("GET /_api/{api}/cart/{{id}}")
        ]
    );
}

#[test]
fn a_disabled_endpoint_serves_nothing() {
    let mut stack = Stack::default();
    let api = http(&mut stack);
    assert_eq!(stack.served(&api).stages.len(), 1);
    stack.put(
        "V2::Api",
        "http",
        json!({"Name": "n", "ProtocolType": "HTTP", "DisableExecuteApiEndpoint": true}),
    );
    assert!(stack.served(&api).stages.is_empty());
}

#[test]
fn what_is_taken_or_missing_is_refused() {
    let mut stack = Stack::default();
    let api = http(&mut stack);
    let integration = http_integration(&mut stack, &api);
    let route = |target: &str| json!({"ApiId": api, "RouteKey": "GET /a", "Target": target});
    let target = format!("integrations/{integration}");
    stack.put("V2::Route", "one", route(&target));
    stack.put("V2::Route", "one", route(&target));
    let taken = stack.try_put("V2::Route", "two", route(&target)).unwrap_err();
    assert_eq!(
        taken.to_string(),
        "Route with key GET /a already exists for this API"
    );
    assert!(
        stack
            .try_put("V2::Route", "three", route("integrations/nobody"))
            .is_err()
    );
    let ids = stack.rest();
    let taken = stack
        .try_put("::Method", "other", proxy(&ids.api, &ids.item, "GET"))
        .unwrap_err();
    assert!(matches!(taken, ResourceError::AlreadyExists { .. }), "{taken}");
    let orphan = json!({"RestApiId": ids.api, "ParentId": "nobody", "PathPart": "x"});
    assert!(stack.try_put("::Resource", "x", orphan).is_err());
    let empty = stack
        .put("RestApi", "empty", json!({"Name": "n"}))
        .key
        .physical_id();
    let error = stack
        .try_put("ApiGateway::Deployment", "d", json!({"RestApiId": empty}))
        .unwrap_err();
    assert_eq!(error.to_string(), "The REST API doesn't contain any methods");
}

#[test]
fn what_is_not_honoured_is_refused_with_its_path() {
    let r = json!({"Ref": "X"});
    let method = |change: Value| {
        let mut value = json!({"HttpMethod": "GET", "ResourceId": r, "RestApiId": r, "Integration": {"Type": "AWS_PROXY", "Uri": r}});
        for (key, changed) in change.as_object().unwrap() {
            value[key] = changed.clone();
        }
        value
    };
    for (name, value, path) in [
        (
            "::Method",
            method(json!({"AuthorizationType": "COGNITO_USER_POOLS"})),
            "AuthorizationType",
        ),
        ("::Method", method(json!({"AuthorizerId": r})), "AuthorizerId"),
        (
            "::Method",
            method(json!({"ApiKeyRequired": true})),
            "ApiKeyRequired",
        ),
        (
            "::Method",
            method(json!({"RequestValidatorId": r})),
            "RequestValidatorId",
        ),
        ("::Method", method(json!({"HttpMethod": "get"})), "HttpMethod"),
        (
            "::Method",
            method(json!({"Integration": {"Type": "AWS", "Uri": r}})),
            "Integration.Type",
        ),
        (
            "::Method",
            method(json!({"Integration": {"Type": "AWS_PROXY", "Uri": r, "IntegrationHttpMethod": "GET"}})),
            "Integration.IntegrationHttpMethod",
        ),
        (
            "::Method",
            method(json!({"Integration": {"Type": "AWS_PROXY", "Uri": "https://x"}})),
            "Integration.Uri",
        ),
        (
            "::Method",
            method(json!({"Integration": {"Type": "AWS_PROXY", "Uri": r, "ConnectionType": "VPC_LINK"}})),
            "Integration.ConnectionType",
        ),
        (
            "::Method",
            method(json!({"Integration": {"Type": "MOCK"}})),
            "Integration.RequestTemplates",
        ),
        ("RestApi", json!({"Name": "n", "Body": {}}), "Body"),
        (
            "RestApi",
            json!({"Name": "n", "EndpointConfiguration": {"Types": ["PRIVATE"]}}),
            "EndpointConfiguration.Types",
        ),
        (
            "ApiGateway::Deployment",
            json!({"RestApiId": r, "StageDescription": {"MethodSettings": []}}),
            "StageDescription.MethodSettings",
        ),
        (
            "ApiGateway::Stage",
            json!({"RestApiId": r, "DeploymentId": r, "StageName": "a", "TracingEnabled": true}),
            "TracingEnabled",
        ),
        (
            "V2::Api",
            json!({"Name": "n", "ProtocolType": "WEBSOCKET"}),
            "ProtocolType",
        ),
        (
            "V2::Api",
            json!({"Name": "n", "ProtocolType": "HTTP", "CorsConfiguration": {"MaxAge": 90000}}),
            "CorsConfiguration.MaxAge",
        ),
        (
            "V2::Api",
            json!({"Name": "n", "ProtocolType": "HTTP", "CorsConfiguration": {"AllowCredentials": true, "AllowOrigins": ["*"]}}),
            "CorsConfiguration.AllowOrigins",
        ),
        (
            "V2::Stage",
            json!({"ApiId": r, "StageName": "a", "AutoDeploy": false}),
            "AutoDeploy",
        ),
        (
            "V2::Stage",
            json!({"ApiId": r, "StageName": "a", "AutoDeploy": true, "DefaultRouteSettings": {"ThrottlingRateLimit": 1}}),
            "DefaultRouteSettings.ThrottlingRateLimit",
        ),
        (
            "V2::Integration",
            json!({"ApiId": r, "IntegrationType": "HTTP_PROXY", "IntegrationUri": r, "PayloadFormatVersion": "1.0"}),
            "IntegrationType",
        ),
        (
            "V2::Integration",
            json!({"ApiId": r, "IntegrationType": "AWS_PROXY", "IntegrationUri": r, "PayloadFormatVersion": "1.0", "TimeoutInMillis": 30001}),
            "TimeoutInMillis",
        ),
        (
            "V2::Route",
            json!({"ApiId": r, "RouteKey": "GET /a", "Target": r, "AuthorizationType": "JWT"}),
            "AuthorizationType",
        ),
        (
            "V2::Route",
            json!({"ApiId": r, "RouteKey": "GET a", "Target": r}),
            "RouteKey",
        ),
        ("V2::Route", json!({"ApiId": r, "RouteKey": "$default"}), "Target"),
        (
            "::Resource",
            json!({"RestApiId": r, "ParentId": r, "PathPart": "a/b"}),
            "PathPart",
        ),
    ] {
        let paths: Vec<String> = check(name, value)
            .iter()
            .map(|problem| problem.path.join("."))
            .collect();
        assert_eq!(paths, [path], "{name}");
    }
}
