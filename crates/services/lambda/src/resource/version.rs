//! `AWS::Lambda::Version`.

use serde_json::json;
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    optional_text, required_text,
};
use tradewind_model::{FunctionArn, Qualifier};

use super::{of_lambda, provision, provisioned, target};
use crate::api::delete_function::without_version;
use crate::api::versions::Publication;
use crate::model::Function;
use crate::service::{Decision, LambdaService};

const ACCEPTED: &[&str] = &[
    "CodeSha256",
    "Description",
    "FunctionName",
    "ProvisionedConcurrencyConfig",
];
const REFUSED: &[(&str, &str)] = &[
    ("FunctionScalingConfig", "functions scale on demand"),
    (
        "RuntimePolicy",
        "functions run on the interpreters of this machine",
    ),
];

/// The type.
#[derive(Debug)]
pub(super) struct VersionType(pub(super) LambdaService);

impl ResourceHandler for VersionType {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::Version"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED)
            .refusing("", REFUSED)
            .requiring(&["FunctionName"])
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        ACCEPTED
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.publish(context, properties).await
    }

    async fn update(
        &self,
        _context: &ResourceContext,
        current: &ResourceState,
        _properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        // Every property replaces the version; only attributes around it can have changed.
        Ok(current.clone())
    }

    async fn delete(&self, _context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let Ok(arn) = current.physical_id.parse::<FunctionArn>() else {
            return Ok(());
        };
        let Some(Qualifier::Version(number)) = arn.qualifier else {
            return Ok(());
        };
        let delete = move |function: Option<&Function>, _now| {
            function.map_or_else(
                || Ok(Decision::keep(())),
                |function| without_version(function, number),
            )
        };
        self.0.change(arn.unqualified(), delete).await.map_err(of_lambda)
    }
}

impl VersionType {
    async fn publish(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let target = target(context, &required_text(properties, "FunctionName")?)?;
        let target = target.without_qualifier().map_err(of_lambda)?;
        let arn = target.function_arn().map_err(of_lambda)?;
        let publication = Publication {
            code_sha256: optional_text(properties, "CodeSha256")?,
            description: optional_text(properties, "Description")?,
            revision_id: None,
        };
        publication.check().map_err(of_lambda)?;
        let provisioned = provisioned(properties)?;
        let unreserved = self.0.unreserved_concurrency(&arn);
        let decide = move |current: Option<&Function>, now| {
            let function = current.ok_or_else(|| target.not_found())?;
            let (after, number) = publication.apply(function, now)?;
            let after = after.unwrap_or_else(|| function.clone());
            let qualifier = Qualifier::Version(number);
            let after = provision(after, &qualifier, provisioned, unreserved, now)?;
            Ok(if after == *function {
                Decision::keep(number)
            } else {
                Decision::put(after, number)
            })
        };
        let number = self.0.change(arn.clone(), decide).await.map_err(of_lambda)?;
        Ok(state(&arn, number))
    }
}

fn state(arn: &FunctionArn, number: u64) -> ResourceState {
    let version = arn.qualified(Qualifier::Version(number)).to_string();
    let mut attributes = Properties::new();
    attributes.insert("Version".into(), json!(number.to_string()));
    attributes.insert("FunctionArn".into(), json!(version));
    ResourceState {
        physical_id: version,
        reference: None,
        attributes,
    }
}
