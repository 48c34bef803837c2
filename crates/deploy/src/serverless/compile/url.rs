//! URLs of functions.

use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::function::{function_id, invoked_arn};
use super::intrinsics::{after_alias, attribute};
use crate::serverless::model::{Function, UrlCors};

/// The framework's default for `allowedHeaders`.
const DEFAULT_HEADERS: [&str; 6] = [
    "Content-Type",
    "X-Amz-Date",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Amzn-Trace-Id",
];

pub(super) fn compile(builder: &mut Builder<'_>, function: &Function) {
    let Some(url) = &function.url else { return };
    let auth = if url.signed { "AWS_IAM" } else { "NONE" };
    let mut properties = Map::new();
    properties.insert("AuthType".into(), auth.into());
    properties.insert("TargetFunctionArn".into(), invoked_arn(function));
    if let Some(cors) = &url.cors {
        properties.insert("Cors".into(), cors_configuration(cors).into());
    }
    if let Some(mode) = &url.invoke_mode {
        properties.insert("InvokeMode".into(), mode.as_str().into());
    }
    let id = format!("{}Url", function_id(function));
    let resource = json!({"Type": "AWS::Lambda::Url", "Properties": properties});
    builder.add(&id, after_alias(resource, function), &function.span);
    builder.locate_in_function(&id, "Cors", function, "url");
    if !url.signed {
        let permission = json!({
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": invoked_arn(function),
                "Action": "lambda:InvokeFunctionUrl",
                "Principal": "*",
                "FunctionUrlAuthType": "NONE",
            },
        });
        let permission_id = format!("{}LambdaPermissionFnUrl", function.id);
        builder.add(&permission_id, after_alias(permission, function), &function.span);
    }
    builder.output(&id, Some("Lambda Function URL"), attribute(&id, "FunctionUrl"));
}

fn cors_configuration(cors: &UrlCors) -> Map<String, Value> {
    let everything = || vec!["*".to_owned()];
    let mut configuration = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            configuration.insert(name.to_owned(), value);
        }
    };
    set("AllowCredentials", cors.credentials.map(Value::from));
    let headers = || DEFAULT_HEADERS.map(str::to_owned).to_vec();
    set(
        "AllowHeaders",
        Some(cors.headers.clone().unwrap_or_else(headers).into()),
    );
    set(
        "AllowMethods",
        Some(cors.methods.clone().unwrap_or_else(everything).into()),
    );
    set(
        "AllowOrigins",
        Some(cors.origins.clone().unwrap_or_else(everything).into()),
    );
    set("ExposeHeaders", cors.exposed.clone().map(Value::from));
    set("MaxAge", cors.max_age.map(Value::from));
    configuration
}
