//! `AWS::Lambda::LayerVersionPermission`.

use serde_json::json;
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    required_text,
};

use super::permission::statement_id;
use super::{of_lambda, typed};
use crate::api::layer_permissions::change_policy;
use crate::error::{LambdaError, LayerError};
use crate::layer::{LayerPermission, LayerVersionArn};
use crate::policy::Policy;
use crate::service::LambdaService;

const ACCEPTED: &[&str] = &["Action", "LayerVersionArn", "Principal"];
const REFUSED: &[(&str, &str)] = &[(
    "OrganizationId",
    "accounts of this node are in no organization; name the accounts",
)];
const ARN: &str = "LayerVersionArn";
/// Longest statement id.
const LONGEST_ID: usize = 100;

/// The type.
#[derive(Debug)]
pub(super) struct LayerPermissionType(pub(super) LambdaService);

impl ResourceHandler for LayerPermissionType {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::LayerVersionPermission"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED)
            .refusing("", REFUSED)
            .requiring(ACCEPTED)
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        ACCEPTED
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let text = required_text(properties, ARN)?;
        let arn: LayerVersionArn = text.parse().map_err(|error| ResourceError::Invalid {
            message: format!("property `LayerVersionArn` is `{text}`: {error}"),
        })?;
        if arn.layer.account != context.account {
            let account = arn.layer.account.to_string();
            return Err(of_lambda(LambdaError::OtherAccount { account }));
        }
        let id = statement_id(&context.generated_name_within(LONGEST_ID));
        let mut members = typed(properties, &[], &[]);
        members.remove(ARN);
        members.insert("StatementId".into(), json!(id));
        let permission = LayerPermission::read(&members).map_err(of_lambda)?;
        let statement = permission.statement(&arn).map_err(of_lambda)?;
        let same = id.clone();
        // a statement of that id is this resource's own
        let change = move |policy: Option<&Policy>| {
            let without = without(policy, &same)?;
            without.unwrap_or_default().with(statement).map(Some)
        };
        change_policy(&self.0, &arn, change).await.map_err(of_lambda)?;
        Ok(state(id, &arn))
    }

    async fn delete(&self, _context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let arn = current.attributes.get(ARN).and_then(|arn| arn.as_str());
        let Some(Ok(arn)) = arn.map(str::parse::<LayerVersionArn>) else {
            return Ok(());
        };
        let id = current.physical_id.clone();
        let change = move |policy: Option<&Policy>| without(policy, &id);
        match change_policy(&self.0, &arn, change).await {
            Ok(_) | Err(LambdaError::Layer(LayerError::VersionNotFound { .. })) => Ok(()),
            Err(error) => Err(of_lambda(error)),
        }
    }
}

/// The policy without the statement, whether or not it has it.
fn without(policy: Option<&Policy>, id: &str) -> Result<Option<Policy>, LambdaError> {
    let Some(policy) = policy else { return Ok(None) };
    match policy.without(id) {
        Err(LambdaError::StatementNotFound { .. }) => Ok(Some(policy.clone())),
        other => other,
    }
}

fn state(id: String, arn: &LayerVersionArn) -> ResourceState {
    let mut attributes = Properties::new();
    attributes.insert("Id".into(), json!(id));
    attributes.insert(ARN.into(), json!(arn.to_string()));
    ResourceState {
        physical_id: id,
        reference: None,
        attributes,
    }
}
