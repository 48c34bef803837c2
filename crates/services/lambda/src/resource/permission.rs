//! `AWS::Lambda::Permission`.

use serde_json::json;
use tradewind_model::Qualifier;
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    required_text,
};

use super::{of_lambda, target, typed};
use crate::api::permissions::{policy_qualifier, with_permission, without_permission};
use crate::error::LambdaError;
use crate::model::Function;
use crate::policy::Permission;
use crate::service::{Decision, LambdaService};

const ACCEPTED: &[&str] = &[
    "Action",
    "EventSourceToken",
    "FunctionName",
    "FunctionUrlAuthType",
    "InvokedViaFunctionUrl",
    "Principal",
    "PrincipalOrgID",
    "SourceAccount",
    "SourceArn",
];
const REQUIRED: &[&str] = &["Action", "FunctionName", "Principal"];
/// Longest statement id.
const LONGEST_ID: usize = 100;

/// The type.
#[derive(Debug)]
pub(super) struct PermissionType(pub(super) LambdaService);

impl ResourceHandler for PermissionType {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::Permission"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).requiring(REQUIRED)
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        ACCEPTED
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(
            context,
            statement_id(&context.generated_name_within(LONGEST_ID)),
            properties,
        )
        .await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, current.physical_id.clone(), properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        self.remove(context, current).await
    }
}

impl PermissionType {
    /// Puts the statement in place; one of the same id that is there already is this resource's own.
    async fn put(
        &self,
        context: &ResourceContext,
        id: String,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let function = required_text(properties, "FunctionName")?;
        let target = target(context, &function)?;
        let mut members = typed(properties, &[], &["InvokedViaFunctionUrl"]);
        members.remove("FunctionName");
        members.insert("StatementId".into(), json!(id));
        let permission = Permission::read(&members).map_err(of_lambda)?;
        let arn = target.function_arn().map_err(of_lambda)?;
        let statement_id = id.clone();
        let named = target.arn_text();
        let decide = move |current: Option<&Function>, _now| {
            let function = current.ok_or_else(|| target.not_found())?;
            let qualifier = policy_qualifier(function, &target)?;
            let without = without_if_there(function, &qualifier, &statement_id)?;
            let (after, _text) =
                with_permission(without.as_ref().unwrap_or(function), qualifier, &permission)?;
            Ok(Decision::put(after, ()))
        };
        self.0.change(arn, decide).await.map_err(of_lambda)?;
        Ok(state(id, named))
    }

    async fn remove(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let Some(function) = current
            .attributes
            .get("FunctionName")
            .and_then(|name| name.as_str())
        else {
            return Ok(());
        };
        let target = target(context, function)?;
        let arn = target.function_arn().map_err(of_lambda)?;
        let id = current.physical_id.clone();
        let decide = move |current: Option<&Function>, _now| {
            let Some(function) = current else {
                return Ok(Decision::keep(()));
            };
            let qualifier = target.qualifier().transpose()?;
            let without = without_if_there(function, &qualifier, &id)?;
            Ok(without.map_or_else(|| Decision::keep(()), |after| Decision::put(after, ())))
        };
        self.0.change(arn, decide).await.map_err(of_lambda)
    }
}

/// The function without the statement; none if it has no such statement.
fn without_if_there(
    function: &Function,
    qualifier: &Option<Qualifier>,
    id: &str,
) -> Result<Option<Function>, LambdaError> {
    match without_permission(function, qualifier, id) {
        Ok(function) => Ok(Some(function)),
        Err(LambdaError::NoPolicyToRemove | LambdaError::StatementNotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A statement id from a generated name: what an id may not hold becomes `-`.
pub(super) fn statement_id(generated: &str) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    generated.chars().map(allowed).collect()
}

fn state(id: String, function: String) -> ResourceState {
    let mut attributes = Properties::new();
    attributes.insert("Id".into(), json!(id));
    attributes.insert("FunctionName".into(), json!(function));
    ResourceState {
        physical_id: id,
        reference: None,
        attributes,
    }
}
