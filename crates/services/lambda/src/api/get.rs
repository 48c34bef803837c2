//! GetFunction, GetFunctionConfiguration and ListFunctions: answered from memory.

use std::ops::Bound;
use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};
use tradewind_model::{FunctionName, Qualifier};

use super::{Answer, Call, json};
use crate::error::{LambdaError, Violations};
use crate::model::Function;
use crate::names::Shape;
use crate::service::{LambdaService, version_of};
use crate::token;
use crate::view::{Detail, configuration};

/// Functions or versions on a page, as the service answers them.
pub(super) const PAGE: usize = 50;
const LIST: &str = "ListFunctions";

pub(super) fn get_function_configuration(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Namespaced)?;
    let function = service.function(&target)?;
    let (version, qualifier) = version_of(&function, &target)?;
    json(
        StatusCode::OK,
        &configuration(&function, version, qualifier.as_ref(), Detail::Full),
    )
}

pub(super) fn get_function(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Namespaced)?;
    let function = service.function(&target)?;
    let (version, qualifier) = version_of(&function, &target)?;
    let base = service.base_url().trim_end_matches('/');
    let location = format!("{base}/_tradewind/packages/{}.zip", version.code.package);
    let mut shape = Map::new();
    let view = configuration(&function, version, qualifier.as_ref(), Detail::Full);
    shape.insert(
        "Configuration".into(),
        serde_json::to_value(view).map_err(LambdaError::internal)?,
    );
    shape.insert(
        "Code".into(),
        json!({"RepositoryType": "S3", "Location": location}),
    );
    if !function.tags.is_empty() {
        shape.insert("Tags".into(), json!(function.tags));
    }
    if let Some(reserved) = function.reserved_concurrency {
        shape.insert(
            "Concurrency".into(),
            json!({"ReservedConcurrentExecutions": reserved}),
        );
    }
    json(StatusCode::OK, &Value::Object(shape))
}

pub(super) fn list_functions(service: &LambdaService, call: &Call) -> Answer {
    let all_versions = all_versions(call)?;
    let page = call.page_size(PAGE)?;
    let after = call.params.get("Marker").map(after).transpose()?;
    let found = service.registry(|registry| {
        let start = match &after {
            Some((name, _)) => Bound::Included(name.clone()),
            None => Bound::Unbounded,
        };
        let functions = registry.from(&call.scope.account, &call.scope.region, start);
        let items = functions.flat_map(|function| items(function, all_versions, after.as_ref()));
        items.take(page + 1).collect::<Vec<_>>()
    });
    let shown = found.iter().take(page).filter_map(|(function, qualifier)| {
        let shown = all_versions.then_some(qualifier);
        let version = function.version(qualifier)?;
        serde_json::to_value(configuration(function, version, shown, Detail::Listed)).ok()
    });
    let mut shape = json!({"Functions": shown.collect::<Vec<_>>()});
    if found.len() > page
        && let Some((function, qualifier)) = page.checked_sub(1).and_then(|last| found.get(last))
    {
        shape["NextMarker"] = token::encode(LIST, &format!("{}:{qualifier}", function.arn.name)).into();
    }
    json(StatusCode::OK, &shape)
}

/// The last function and version of the page before.
fn after(marker: &str) -> Result<(FunctionName, Qualifier), LambdaError> {
    let last = token::decode(LIST, marker)?;
    let invalid = || LambdaError::InvalidMarker;
    let (name, qualifier) = last.split_once(':').ok_or_else(invalid)?;
    let name = name.parse().map_err(|_bad_name| invalid())?;
    Ok((name, qualifier.parse().map_err(|_bad_qualifier| invalid())?))
}

type Item = (Arc<Function>, Qualifier);

/// What a function adds to the list, without what stands before or at `after`.
fn items(function: &Arc<Function>, all: bool, after: Option<&(FunctionName, Qualifier)>) -> Vec<Item> {
    let last = after
        .filter(|(name, _)| *name == function.arn.name)
        .map(|(_, qualifier)| qualifier);
    let is_wanted = |qualifier: &Qualifier| {
        (all || *qualifier == Qualifier::Latest) && last.is_none_or(|last| qualifier > last)
    };
    let wanted = function.qualifiers().filter(is_wanted);
    wanted
        .map(|qualifier| (Arc::clone(function), qualifier))
        .collect()
}

fn all_versions(call: &Call) -> Result<bool, LambdaError> {
    if call.params.get("MasterRegion").is_some() {
        return Err(LambdaError::WrongType {
            detail: "`MasterRegion` is not supported: there are no replicas at the edge".to_owned(),
        });
    }
    match call.params.get("FunctionVersion") {
        None => Ok(false),
        Some("ALL") => Ok(true),
        Some(other) => {
            let mut violations = Violations::default();
            let constraint = "Member must satisfy enum value set: [ALL]";
            violations.add(&["FunctionVersion"], other.to_owned(), constraint);
            Err(LambdaError::Validation(violations))
        }
    }
}
