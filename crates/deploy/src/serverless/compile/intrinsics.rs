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

/// The permission for an API to invoke a function: on everything of the API that `routes` matches.
pub(super) fn api_permission(function: &Function, api: &str, routes: &str) -> Value {
    let source = join(
        "",
        vec![
            json!("arn:"),
            reference("AWS::Partition"),
            json!(":execute-api:"),
            reference("AWS::Region"),
            json!(":"),
            reference("AWS::AccountId"),
            json!(":"),
            reference(api),
            json!(routes),
        ],
    );
    let mut permission = json!({
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": invoked_arn(function),
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": source,
        },
    });
    if let Some(alias) = invoked_alias(function) {
        permission["DependsOn"] = alias.into();
    }
    permission
}
