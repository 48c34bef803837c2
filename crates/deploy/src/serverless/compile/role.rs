//! `IamRoleLambdaExecution`: the role of every function that names none.

use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::intrinsics::{attribute, join, reference};
use super::{event_invoke, kafka, schedule, sqs};
use crate::serverless::model::{Definition, ExecutionRole, Function, Role};
use crate::serverless::project::Project;
use crate::serverless::read::tag_list;

/// The role's logical id.
pub(super) const ROLE: &str = "IamRoleLambdaExecution";

pub(super) fn compile(builder: &mut Builder<'_>) {
    let definition = builder.definition;
    let needed = definition
        .functions
        .iter()
        .any(|function| function.role.is_none());
    if definition.role.existing.is_some() || !needed {
        return;
    }
    let resource = json!({
        "Type": "AWS::IAM::Role",
        "Properties": properties(builder.project, definition),
    });
    builder.add_shared(ROLE, resource);
    builder.locate_in_provider(ROLE, "Policies", &["iam", "role", "statements"]);
    builder.locate_in_provider(ROLE, "RoleName", &["iam", "role", "name"]);
}

/// The role of `function`, if it is a resource of the template.
pub(super) fn made_here(definition: &Definition, function: &Function) -> Option<String> {
    match function.role.as_ref().or(definition.role.existing.as_ref()) {
        None => Some(ROLE.to_owned()),
        Some(Role::Resource(id)) => Some(id.clone()),
        Some(Role::Arn(_)) => None,
    }
}

/// The ARN of the role of `function`.
pub(super) fn arn_of(definition: &Definition, function: &Function) -> Value {
    match function.role.as_ref().or(definition.role.existing.as_ref()) {
        Some(Role::Arn(arn)) => arn.clone(),
        Some(Role::Resource(id)) => attribute(id, "Arn"),
        None => attribute(ROLE, "Arn"),
    }
}

fn properties(project: &Project, definition: &Definition) -> Map<String, Value> {
    let role = &definition.role;
    let mut properties = Map::new();
    let mut set = |name: &str, value: Value| drop(properties.insert(name.to_owned(), value));
    set(
        "AssumeRolePolicyDocument",
        trust(schedule::needs_trust(definition)),
    );
    set("Policies", json!([policy(project, definition)]));
    set("Path", json!(role.path.as_deref().unwrap_or("/")));
    set("RoleName", name(project, role));
    if let Some(boundary) = &role.permissions_boundary {
        set("PermissionsBoundary", boundary.clone());
    }
    if !role.tags.is_empty() {
        set("Tags", tag_list(&role.tags));
    }
    if !role.managed_policies.is_empty() {
        set("ManagedPolicyArns", Value::Array(role.managed_policies.clone()));
    }
    properties
}

fn trust(of_scheduler: bool) -> Value {
    let mut services = vec!["lambda.amazonaws.com"];
    services.extend(of_scheduler.then_some("scheduler.amazonaws.com"));
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": services},
                "Action": ["sts:AssumeRole"],
            },
        ],
    })
}

fn name(project: &Project, role: &ExecutionRole) -> Value {
    let default = || {
        let region = reference("AWS::Region");
        join(
            "-",
            vec![
                json!(project.service),
                json!(project.stage),
                region,
                json!("lambdaRole"),
            ],
        )
    };
    role.name.clone().unwrap_or_else(default)
}

fn policy(project: &Project, definition: &Definition) -> Value {
    let mut statements = log_statements(project, definition);
    statements.extend(definition.role.statements.iter().cloned());
    for function in &definition.functions {
        let destinations = event_invoke::statements(&definition.functions, function);
        for statement in statements_of(function).into_iter().chain(destinations) {
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
    }
    statements.extend(schedule::statement(definition));
    statements.extend(kafka::statements(definition));
    statements.extend(sqs::statement(definition));
    json!({
        "PolicyName": join("-", vec![json!(project.service), json!(project.stage), json!("lambda")]),
        "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
    })
}

/// What a function's own settings need.
fn statements_of(function: &Function) -> Vec<Value> {
    let mut statements = Vec::new();
    if let Some(key) = &function.kms_key {
        statements.push(json!({"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [key]}));
    }
    if function.tracing.is_some() {
        let actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"];
        statements.push(json!({"Effect": "Allow", "Action": actions, "Resource": ["*"]}));
    }
    statements
}

/// Writing to the functions' log groups: one pattern for the usual names, one each for the others.
fn log_statements(project: &Project, definition: &Definition) -> Vec<Value> {
    let usual = format!("{}-{}", project.service, project.stage);
    let (logging, silent): (Vec<_>, Vec<_>) = definition.functions.iter().partition(|f| !f.logs_disabled);
    let mut names: Vec<String> = logging
        .iter()
        .filter(|function| !function.name.starts_with(&usual))
        .map(|function| function.name.clone())
        .collect();
    let has_usual = names.len() < logging.len();
    if has_usual {
        names.push(format!("{usual}*"));
    }
    if names.is_empty() {
        return Vec::new();
    }
    let groups = |suffix: &str| -> Vec<Value> { names.iter().map(|name| log_arn(name, suffix)).collect() };
    let create = ["logs:CreateLogStream", "logs:CreateLogGroup", "logs:TagResource"];
    let mut statements = vec![
        json!({"Effect": "Allow", "Action": create, "Resource": groups(":*")}),
        json!({"Effect": "Allow", "Action": ["logs:PutLogEvents"], "Resource": groups(":*:*")}),
    ];
    for function in silent.iter().filter(|f| has_usual && f.name.starts_with(&usual)) {
        let group = log_arn(&function.name, ":*");
        statements.push(json!({"Effect": "Deny", "Action": "logs:PutLogEvents", "Resource": [group]}));
    }
    statements
}

fn log_arn(function: &str, suffix: &str) -> Value {
    let prefix = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/";
    json!({ "Fn::Sub": format!("{prefix}{function}{suffix}") })
}
