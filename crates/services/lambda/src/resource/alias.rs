//! `AWS::Lambda::Alias`.

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    required_text,
};
use tradewind_model::{FunctionArn, Qualifier};

use super::{of_lambda, provision, provisioned, target, typed};
use crate::api::aliases::{WrittenAlias, remove, with_alias};
use crate::error::LambdaError;
use crate::model::Function;
use crate::service::{Decision, LambdaService};

const ACCEPTED: &[&str] = &[
    "Description",
    "FunctionName",
    "FunctionVersion",
    "Name",
    "ProvisionedConcurrencyConfig",
    "RoutingConfig",
];
const REQUIRED: &[&str] = &["FunctionName", "FunctionVersion", "Name"];

/// The type.
#[derive(Debug)]
pub(super) struct AliasType(pub(super) LambdaService);

impl ResourceHandler for AliasType {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::Alias"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).requiring(REQUIRED)
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["FunctionName", "Name"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, properties, Put::Create).await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        _current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, properties, Put::Update).await
    }

    async fn delete(&self, _context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let Ok(arn) = current.physical_id.parse::<FunctionArn>() else {
            return Ok(());
        };
        let Some(Qualifier::Alias(name)) = arn.qualifier.clone() else {
            return Ok(());
        };
        remove(&self.0, arn.unqualified(), name.into(), None)
            .await
            .map_err(of_lambda)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    /// An alias that is there and different is somebody else's.
    Create,
    Update,
}

impl AliasType {
    /// Makes the alias, or brings it to `properties`; both may be repeated.
    async fn put(
        &self,
        context: &ResourceContext,
        properties: &Properties,
        put: Put,
    ) -> Result<ResourceState, ResourceError> {
        let target = target(context, &required_text(properties, "FunctionName")?)?;
        let target = target.without_qualifier().map_err(of_lambda)?;
        let written = WrittenAlias::read(&members(properties)?).map_err(of_lambda)?;
        let (name, _version) = written.required().map_err(of_lambda)?;
        let arn = target.function_arn().map_err(of_lambda)?;
        let alias_arn = arn.qualified(Qualifier::Alias(name.as_str().into()));
        let provisioned = provisioned(properties)?;
        let unreserved = self.0.unreserved_concurrency(&arn);
        let decide = move |current: Option<&Function>, now| -> Result<_, LambdaError> {
            let function = current.ok_or_else(|| target.not_found())?;
            let qualifier = Qualifier::Alias(name.as_str().into());
            let mut alias = written.apply(function, None)?;
            match function.aliases.get(&name) {
                Some(there) if there.is_like(&alias) => alias = there.clone(),
                Some(_) if put == Put::Create => {
                    return Err(LambdaError::AliasExists {
                        arn: function.alias_arn(&name).to_string(),
                    });
                }
                Some(_) | None => {}
            }
            let after = with_alias(function, name, alias);
            let after = provision(after, &qualifier, provisioned, unreserved, now)?;
            Ok(Decision::put(after, ()))
        };
        self.0.change(arn, decide).await.map_err(of_lambda)?;
        Ok(state(&alias_arn))
    }
}

/// The properties as the members of a request: weights are a list in templates, a map in requests.
fn members(properties: &Properties) -> Result<Map<String, Value>, ResourceError> {
    let mut members = typed(properties, &[], &[]);
    let weights = properties
        .get("RoutingConfig")
        .and_then(|config| config.get("AdditionalVersionWeights"));
    let Some(weights) = weights else {
        return Ok(members);
    };
    let invalid = || ResourceError::Invalid {
        message: "property `RoutingConfig.AdditionalVersionWeights` must be a list of `FunctionVersion` and \
                  `FunctionWeight`"
            .to_owned(),
    };
    let mut map = Map::new();
    for entry in weights.as_array().ok_or_else(invalid)? {
        let version = match entry.get("FunctionVersion") {
            Some(Value::String(version)) => version.clone(),
            Some(Value::Number(version)) => version.to_string(),
            _ => return Err(invalid()),
        };
        let weight = match entry.get("FunctionWeight") {
            Some(Value::String(text)) => text.parse().map_err(|_no_number| invalid())?,
            Some(weight) => weight.as_f64().ok_or_else(invalid)?,
            None => return Err(invalid()),
        };
        map.insert(version, json!(weight));
    }
    members.insert("RoutingConfig".into(), json!({"AdditionalVersionWeights": map}));
    Ok(members)
}

fn state(arn: &FunctionArn) -> ResourceState {
    let mut attributes = Properties::new();
    attributes.insert("AliasArn".into(), json!(arn.to_string()));
    ResourceState {
        physical_id: arn.to_string(),
        reference: None,
        attributes,
    }
}
