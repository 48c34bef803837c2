//! The CloudFormation types of this service.

mod alias;
mod code;
mod event_invoke;
mod event_source_mapping;
mod function;
mod inline_code;
mod layer;
mod layer_permission;
mod permission;
mod url;
mod version;

use std::sync::Arc;

use serde_json::Value;
use tradewind_model::resource::{Properties, ResourceContext, ResourceError, ResourceType};
use tradewind_model::{Qualifier, Timestamp};

use crate::api::provisioned::with_provisioned;
use crate::error::LambdaError;
use crate::model::{Function, Owner};
use crate::names::{Scope, Shape, Target};
use crate::service::LambdaService;

/// All of them.
pub(crate) fn types(service: &LambdaService) -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(alias::AliasType(service.clone())),
        Arc::new(event_invoke::EventInvokeType(service.clone())),
        Arc::new(event_source_mapping::EventSourceMappingType(service.clone())),
        Arc::new(function::FunctionType(service.clone())),
        Arc::new(layer::LayerVersionType(service.clone())),
        Arc::new(layer_permission::LayerPermissionType(service.clone())),
        Arc::new(permission::PermissionType(service.clone())),
        Arc::new(url::UrlType(service.clone())),
        Arc::new(version::VersionType(service.clone())),
    ]
}

/// What the template engine is told of an error: whether to repeat the call.
fn of_lambda(error: LambdaError) -> ResourceError {
    let message = error.to_string();
    match error {
        LambdaError::Internal { cause } => ResourceError::Internal { message: cause },
        LambdaError::DiskFull | LambdaError::ShuttingDown => ResourceError::Internal { message },
        _ => ResourceError::Invalid { message },
    }
}

fn scope(context: &ResourceContext) -> Scope {
    Scope {
        account: context.account.clone(),
        region: context.region.clone(),
    }
}

/// Whose a resource is.
fn owner(context: &ResourceContext) -> Owner {
    Owner {
        stack: context.stack.clone(),
        resource: context.owner(),
    }
}

/// The function that a property names: by name, ARN or version ARN.
fn target(context: &ResourceContext, text: &str) -> Result<Target, ResourceError> {
    Target::parse(Shape::Namespaced, text, None, &scope(context)).map_err(of_lambda)
}

/// `properties` with scalars of the type the API wants: CloudFormation lets templates write numbers
/// and truth values as text, and text as numbers. `numbers` and `flags` are named, the others are text.
fn typed(properties: &Properties, numbers: &[&str], flags: &[&str]) -> Properties {
    let mut typed = properties.clone();
    for (name, value) in &mut typed {
        let (is_number, is_flag) = (numbers.contains(&name.as_str()), flags.contains(&name.as_str()));
        let converted = match &*value {
            Value::String(text) if is_number => text.parse::<i64>().ok().map(Value::from),
            Value::String(text) if is_flag => text.parse::<bool>().ok().map(Value::from),
            Value::Number(_) | Value::Bool(_) if !is_number && !is_flag => Some(value.to_string().into()),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        };
        if let Some(converted) = converted {
            *value = converted;
        }
    }
    typed
}

/// `ProvisionedConcurrencyConfig` of a version or an alias.
fn provisioned(properties: &Properties) -> Result<Option<u32>, ResourceError> {
    let Some(config) = properties.get("ProvisionedConcurrencyConfig") else {
        return Ok(None);
    };
    let count = config.get("ProvisionedConcurrentExecutions");
    let count = match count {
        Some(Value::String(text)) => text.parse().ok(),
        Some(number) => number.as_u64().and_then(|count| u32::try_from(count).ok()),
        None => None,
    };
    match count {
        Some(count) if count > 0 => Ok(Some(count)),
        _ => Err(ResourceError::Invalid {
            message:
                "property `ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions` must be 1 or more"
                    .to_owned(),
        }),
    }
}

/// The function with `wanted` instances of a version or alias provisioned, or none.
fn provision(
    mut function: Function,
    qualifier: &Qualifier,
    wanted: Option<u32>,
    unreserved: u32,
    now: Timestamp,
) -> Result<Function, LambdaError> {
    let there = function
        .provisioned
        .get(qualifier)
        .map(|config| config.executions);
    match wanted {
        _ if wanted == there => Ok(function),
        Some(wanted) => with_provisioned(&function, qualifier, wanted, unreserved, now),
        None => {
            function.provisioned.remove(qualifier);
            Ok(function)
        }
    }
}

#[cfg(test)]
mod tests;
