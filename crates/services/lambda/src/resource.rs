//! The CloudFormation types of this service.

mod function;
mod inline_code;
mod permission;
mod version;

use std::sync::Arc;

use tradewind_model::resource::{Properties, ResourceContext, ResourceError, ResourceType};

use crate::error::LambdaError;
use crate::names::{Scope, Shape, Target};
use crate::service::LambdaService;

/// All of them.
pub(crate) fn types(service: &LambdaService) -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(function::FunctionType(service.clone())),
        Arc::new(permission::PermissionType(service.clone())),
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

/// The function that a property names: by name, ARN or version ARN.
fn target(context: &ResourceContext, text: &str) -> Result<Target, ResourceError> {
    Target::parse(Shape::Namespaced, text, None, &scope(context)).map_err(of_lambda)
}

/// `properties` with the numbers and truth values that CloudFormation lets templates write as text.
fn typed(properties: &Properties, numbers: &[&str], flags: &[&str]) -> Properties {
    let mut typed = properties.clone();
    for name in numbers {
        if let Some(text) = typed.get(*name).and_then(|value| value.as_str())
            && let Ok(number) = text.parse::<i64>()
        {
            typed.insert((*name).to_owned(), number.into());
        }
    }
    for name in flags {
        match typed.get(*name).and_then(|value| value.as_str()) {
            Some("true") => drop(typed.insert((*name).to_owned(), true.into())),
            Some("false") => drop(typed.insert((*name).to_owned(), false.into())),
            Some(_) | None => {}
        }
    }
    typed
}

#[cfg(test)]
mod tests;
