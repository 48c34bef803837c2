//! `AWS::Lambda::Url`.

use serde_json::{Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    optional_text, required_text,
};

use super::{of_lambda, owner, scope, typed};
use crate::api::urls::{WrittenUrl, alias_of, arn_of, with_url};
use crate::error::LambdaError;
use crate::model::Function;
use crate::names::{Shape, Target};
use crate::service::{Decision, LambdaService};

const ACCEPTED: &[&str] = &["AuthType", "Cors", "InvokeMode", "Qualifier", "TargetFunctionArn"];
const REQUIRED: &[&str] = &["AuthType", "TargetFunctionArn"];

/// The type.
#[derive(Debug)]
pub(super) struct UrlType(pub(super) LambdaService);

impl ResourceHandler for UrlType {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::Url"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).requiring(REQUIRED)
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["Qualifier", "TargetFunctionArn"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let target = target(context, &current.physical_id, None)?;
        let alias = alias_of(&target).map_err(of_lambda)?;
        let arn = target.function_arn().map_err(of_lambda)?;
        let owner = owner(context);
        let decide = move |function: Option<&Function>, _now| {
            let is_ours = |function: &&Function| {
                let url = function.urls.get(&alias);
                url.is_some_and(|url| url.owner.as_ref() == Some(&owner))
            };
            let Some(function) = function.filter(is_ours) else {
                return Ok(Decision::keep(()));
            };
            let mut after = function.clone();
            after.urls.remove(&alias);
            Ok(Decision::put(after, ()))
        };
        self.0.change(arn, decide).await.map_err(of_lambda)
    }
}

fn target(context: &ResourceContext, text: &str, qualifier: Option<&str>) -> Result<Target, ResourceError> {
    Target::parse(Shape::Plain, text, qualifier, &scope(context)).map_err(of_lambda)
}

impl UrlType {
    /// Makes the URL, or brings it to `properties`; both may be repeated. The address stays.
    async fn put(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let qualifier = optional_text(properties, "Qualifier")?;
        let function = required_text(properties, "TargetFunctionArn")?;
        let target = target(context, &function, qualifier.as_deref())?;
        let alias = alias_of(&target).map_err(of_lambda)?;
        let written = WrittenUrl::read(&members(properties)).map_err(of_lambda)?;
        let arn = target.function_arn().map_err(of_lambda)?;
        let base_url = self.0.base_url().to_owned();
        let owner = owner(context);
        let decide = move |current: Option<&Function>, now| -> Result<_, LambdaError> {
            let function = current.ok_or_else(|| target.not_found())?;
            let current = function.urls.get(&alias);
            if current.is_some_and(|url| {
                !url.owner
                    .as_ref()
                    .is_some_and(|other| other.is_resource_of(&owner))
            }) {
                let arn = arn_of(function, alias.as_ref()).to_string();
                return Err(LambdaError::UrlExists { arn });
            }
            let mut url = written.apply(current, now)?;
            url.owner = Some(owner);
            // a template says all: without `Cors` there is none
            if !written.has_cors() {
                url.cors = None;
            }
            let state = state(
                &arn_of(function, alias.as_ref()).to_string(),
                &url.address(&base_url),
            );
            Ok(Decision::put(with_url(function, alias, url)?, state))
        };
        self.0.change(arn, decide).await.map_err(of_lambda)
    }
}

/// The properties with scalars of the types that requests have.
fn members(properties: &Properties) -> Properties {
    let mut members = properties.clone();
    if let Some(Value::Object(cors)) = members.get_mut("Cors") {
        *cors = typed(cors, &["MaxAge"], &["AllowCredentials"]);
    }
    members
}

fn state(arn: &str, address: &str) -> ResourceState {
    let mut attributes = Properties::new();
    attributes.insert("FunctionUrl".into(), json!(address));
    attributes.insert("FunctionArn".into(), json!(arn));
    ResourceState {
        physical_id: arn.to_owned(),
        reference: None,
        attributes,
    }
}
