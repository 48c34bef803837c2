//! DeleteFunction: a function with all it has, or one published version.

use http::StatusCode;
use tradewind_model::Qualifier;

use super::{Answer, Call, empty};
use crate::error::LambdaError;
use crate::model::Function;
use crate::names::Shape;
use crate::service::{Decision, LambdaService};

pub(super) async fn delete_function(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Namespaced)?;
    let not_found = LambdaError::FunctionNotFound {
        arn: target.unqualified_text(),
    };
    let version = match target.qualifier() {
        None => None,
        Some(Ok(Qualifier::Version(number))) => Some(number),
        Some(Ok(Qualifier::Latest)) => return Err(LambdaError::DeleteLatest),
        Some(Ok(Qualifier::Alias(_))) => return Err(LambdaError::DeleteAlias),
        Some(Err(_no_such_qualifier)) => return Err(not_found),
    };
    let Ok(arn) = target.function_arn() else {
        return Err(not_found);
    };
    let decide = move |current: Option<&Function>, _now| {
        let Some(function) = current else {
            return Err(not_found);
        };
        Ok(match version {
            None => Decision::delete(()),
            Some(number) => without_version(function, number)?,
        })
    };
    service.change(arn, decide).await?;
    empty(StatusCode::NO_CONTENT)
}

/// That the version is not there is success: it is gone. One that an alias leads to stays.
pub(crate) fn without_version(function: &Function, number: u64) -> Result<Decision<()>, LambdaError> {
    if !function.versions.contains_key(&number) {
        return Ok(Decision::keep(()));
    }
    let leading = function
        .aliases
        .iter()
        .filter(|(_, alias)| alias.leads_to(number));
    let aliases: Vec<&str> = leading.map(|(name, _)| name.as_str()).collect();
    if !aliases.is_empty() {
        return Err(LambdaError::VersionInUse {
            aliases: aliases.join(", "),
        });
    }
    let mut after = function.clone();
    after.versions.remove(&number);
    let qualifier = Qualifier::Version(number);
    after.provisioned.remove(&qualifier);
    after.event_invoke.remove(&qualifier);
    after.policies.remove(&Some(qualifier));
    Ok(Decision::put(after, ()))
}
