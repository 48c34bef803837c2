//! The HTTP API of `httpApi` events.

use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::function::invoked_arn;
use super::intrinsics::{api_permission, endpoint, join, reference};
use crate::diagnostic::Span;
use crate::serverless::model::{Function, HttpApiCors, HttpApiEvent, Route};
use crate::serverless::names::{normalise_method, normalise_path};
use crate::serverless::read::DEFAULT_HEADERS;

const API: &str = "HttpApi";
/// What `*` stands for in `AllowMethods`.
const ALL_METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "HEAD", "DELETE"];
/// How long the API waits for a function.
const TIMEOUT_MS: u64 = 30_000;

pub(super) fn compile(builder: &mut Builder<'_>) {
    let functions: Vec<&Function> = builder
        .definition
        .functions
        .iter()
        .filter(|function| !function.http_api.is_empty())
        .collect();
    let Some(first) = functions.first().and_then(|function| function.http_api.first()) else {
        return;
    };
    api(builder, &functions, &first.span);
    stage(builder, &first.span);
    for function in functions {
        let permission = api_permission(function, API, "/*");
        builder.add(
            &format!("{}LambdaPermissionHttpApi", function.id),
            permission,
            &function.span,
        );
        integration(builder, function);
        for event in &function.http_api {
            route(builder, function, event);
        }
    }
    builder.output("HttpApiId", Some("Id of the HTTP API"), reference(API));
    builder.output("HttpApiUrl", Some("URL of the HTTP API"), endpoint(API, None));
}

fn api(builder: &mut Builder<'_>, functions: &[&Function], span: &Span) {
    let settings = &builder.definition.http_api;
    let (service, stage) = (&builder.project.service, &builder.project.stage);
    let default_name = if settings.service_first {
        format!("{service}-{stage}")
    } else {
        format!("{stage}-{service}")
    };
    let mut properties = Map::new();
    let name = settings.name.clone().unwrap_or_else(|| default_name.into());
    properties.insert("Name".into(), name);
    properties.insert("ProtocolType".into(), "HTTP".into());
    if let Some(disabled) = settings.disable_default_endpoint {
        properties.insert("DisableExecuteApiEndpoint".into(), disabled.into());
    }
    insert_tags(&mut properties, builder);
    if let Some(cors) = &settings.cors {
        properties.insert(
            "CorsConfiguration".into(),
            cors_configuration(cors, functions).into(),
        );
    }
    let resource = json!({"Type": "AWS::ApiGatewayV2::Api", "Properties": properties});
    builder.add(API, resource, span);
    for (property, key) in [
        ("Name", "name"),
        ("CorsConfiguration", "cors"),
        ("DisableExecuteApiEndpoint", "disableDefaultEndpoint"),
    ] {
        builder.locate_in_provider(API, property, &["httpApi", key]);
    }
    builder.locate_in_provider(API, "Tags", &["tags"]);
}

fn insert_tags(properties: &mut Map<String, Value>, builder: &Builder<'_>) {
    let tags = &builder.definition.http_api.tags;
    if !tags.is_empty() {
        properties.insert("Tags".into(), json!(tags));
    }
}

fn cors_configuration(cors: &HttpApiCors, functions: &[&Function]) -> Map<String, Value> {
    let mut configuration = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            configuration.insert(name.to_owned(), value);
        }
    };
    let headers = || DEFAULT_HEADERS.map(str::to_owned).to_vec();
    set("AllowCredentials", cors.credentials.map(Value::from));
    set(
        "AllowHeaders",
        Some(cors.headers.clone().unwrap_or_else(headers).into()),
    );
    set(
        "AllowMethods",
        Some(
            cors.methods
                .clone()
                .unwrap_or_else(|| used_methods(functions))
                .into(),
        ),
    );
    set(
        "AllowOrigins",
        Some(cors.origins.clone().unwrap_or_else(|| vec!["*".into()]).into()),
    );
    set("ExposeHeaders", cors.exposed.clone().map(Value::from));
    set("MaxAge", cors.max_age.map(Value::from));
    configuration
}

/// OPTIONS and every method of a route; all of them when a route answers to any.
fn used_methods(functions: &[&Function]) -> Vec<String> {
    let mut methods = vec!["OPTIONS".to_owned()];
    for event in functions.iter().flat_map(|function| &function.http_api) {
        match &event.route {
            Route::Path { method, .. } if method != "ANY" => {
                if !methods.contains(method) {
                    methods.push(method.clone());
                }
            }
            Route::Path { .. } | Route::Default => {
                let all = ["OPTIONS"].into_iter().chain(ALL_METHODS);
                return all.map(str::to_owned).collect();
            }
        }
    }
    methods
}

fn stage(builder: &mut Builder<'_>, span: &Span) {
    let metrics = builder.definition.http_api.metrics;
    let mut properties = Map::new();
    properties.insert("ApiId".into(), reference(API));
    properties.insert("StageName".into(), "$default".into());
    properties.insert("AutoDeploy".into(), Value::Bool(true));
    properties.insert(
        "DefaultRouteSettings".into(),
        json!({"DetailedMetricsEnabled": metrics}),
    );
    insert_tags(&mut properties, builder);
    let resource = json!({"Type": "AWS::ApiGatewayV2::Stage", "Properties": properties});
    builder.add("HttpApiStage", resource, span);
    builder.locate_in_provider("HttpApiStage", "DefaultRouteSettings", &["httpApi", "metrics"]);
}

fn integration(builder: &mut Builder<'_>, function: &Function) {
    let provider = builder.definition.http_api.payload.as_deref();
    let payload = function.payload.as_deref().or(provider).unwrap_or("2.0");
    let resource = json!({
        "Type": "AWS::ApiGatewayV2::Integration",
        "Properties": {
            "ApiId": reference(API),
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": invoked_arn(function),
            "PayloadFormatVersion": payload,
            "TimeoutInMillis": TIMEOUT_MS,
        },
    });
    builder.add(&integration_id(function), resource, &function.span);
}

fn integration_id(function: &Function) -> String {
    format!("HttpApiIntegration{}", function.id)
}

fn route(builder: &mut Builder<'_>, function: &Function, event: &HttpApiEvent) {
    let (id, key) = match &event.route {
        Route::Default => ("HttpApiRouteDefault".to_owned(), "$default".to_owned()),
        Route::Path { method, path } => {
            let id = format!("HttpApiRoute{}{}", normalise_method(method), normalise_path(path));
            (id, format!("{method} {path}"))
        }
    };
    let integration = integration_id(function);
    let resource = json!({
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {
            "ApiId": reference(API),
            "RouteKey": key,
            "Target": join("/", vec![json!("integrations"), reference(&integration)]),
        },
        "DependsOn": integration,
    });
    builder.add(&id, resource, &event.span);
}
