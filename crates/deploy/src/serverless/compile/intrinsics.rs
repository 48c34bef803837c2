//! CloudFormation's functions as JSON.

use serde_json::{Value, json};

use super::function::{invoked_alias, invoked_arn};
use crate::serverless::model::Function;

/// `{"Ref": name}`
pub(super) fn reference(name: &str) -> Value {
    json!({ "Ref": name })
}

/// `{"Fn::GetAtt": [resource, attribute]}`
pub(super) fn attribute(resource: &str, attribute: &str) -> Value {
    json!({ "Fn::GetAtt": [resource, attribute] })
}

/// `{"Fn::Join": [separator, parts]}`
pub(super) fn join(separator: &str, parts: Vec<Value>) -> Value {
    json!({ "Fn::Join": [separator, parts] })
}

/// `https://<api>.execute-api.<region>.<suffix>` and what follows.
pub(super) fn endpoint(api: &str, path: Option<String>) -> Value {
    let mut parts = vec![
        json!("https://"),
        reference(api),
        json!(".execute-api."),
        reference("AWS::Region"),
        json!("."),
        reference("AWS::URLSuffix"),
    ];
    parts.extend(path.map(Value::String));
    join("", parts)
}

/// An ARN of this account and region: `arn:<partition>:<service>:<region>:<account>` and what follows, colon and all.
pub(super) fn local_arn(service: &str, rest: Vec<Value>) -> Value {
    let mut parts = vec![
        json!("arn:"),
        reference("AWS::Partition"),
        json!(format!(":{service}:")),
        reference("AWS::Region"),
        json!(":"),
        reference("AWS::AccountId"),
    ];
    parts.extend(rest);
    join("", parts)
}

/// The permission for an API to invoke a function: on everything of the API that `routes` matches.
pub(super) fn api_permission(function: &Function, api: &str, routes: &str) -> Value {
    let source = local_arn("execute-api", vec![json!(":"), reference(api), json!(routes)]);
    permission(function, json!("apigateway.amazonaws.com"), source)
}

/// The permission for `principal` to invoke a function on behalf of `source`.
pub(super) fn permission(function: &Function, principal: Value, source: Value) -> Value {
    let permission = json!({
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": invoked_arn(function),
            "Action": "lambda:InvokeFunction",
            "Principal": principal,
            "SourceArn": source,
        },
    });
    after_alias(permission, function)
}

/// `resource`, made after the alias that `function` is invoked by, if there is one.
pub(super) fn after_alias(mut resource: Value, function: &Function) -> Value {
    if let Some(alias) = invoked_alias(function) {
        resource["DependsOn"] = alias.into();
    }
    resource
}
