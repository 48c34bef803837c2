//! CreateAlias, UpdateAlias, GetAlias, ListAliases and DeleteAlias.

use std::collections::BTreeMap;
use std::ops::Bound;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tradewind_model::{FunctionArn, Qualifier};

use super::{Answer, Call, empty, json};
use crate::api::get::PAGE;
use crate::error::{LambdaError, Violations};
use crate::model::{Alias, Function, Weight, new_revision};
use crate::names::{Shape, Target};
use crate::service::{Decision, LambdaService};
use crate::settings::{Members, read_members};
use crate::token;

const LIST: &str = "ListAliases";
const NAME_PATTERN: &str = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";
const VERSION_PATTERN: &str = "(\\$LATEST|[0-9]+)";
const LONGEST_NAME: usize = 128;
const LONGEST_VERSION: usize = 1024;
const LONGEST_DESCRIPTION: usize = 256;

/// An alias as requests write it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct WrittenAlias {
    name: Option<String>,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<RoutingConfig>,
    revision_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RoutingConfig {
    additional_version_weights: Option<BTreeMap<String, f64>>,
}

impl WrittenAlias {
    /// Reads an alias and checks its members.
    pub(crate) fn read(members: &Members) -> Result<Self, LambdaError> {
        let written: Self = read_members(members)?;
        let mut violations = Violations::default();
        written.check(&mut violations);
        violations.into_result()?;
        Ok(written)
    }

    fn check(&self, violations: &mut Violations) {
        if let Some(name) = &self.name {
            check_name(name, violations);
        }
        if let Some(version) = &self.function_version {
            check_version(version, violations);
        }
        let long = |text: &&String| text.chars().count() > LONGEST_DESCRIPTION;
        if let Some(text) = self.description.as_ref().filter(long) {
            let constraint = format!("Member must have length less than or equal to {LONGEST_DESCRIPTION}");
            violations.add(&["Description"], text.clone(), constraint);
        }
        for (version, weight) in self.weights() {
            check_weight(version, *weight, violations);
        }
    }

    /// Name and version of an alias that is to be made.
    pub(crate) fn required(&self) -> Result<(String, Qualifier), LambdaError> {
        let mut violations = Violations::default();
        if self.function_version.is_none() {
            violations.add(&["FunctionVersion"], None, "Member must not be null");
        }
        if self.name.is_none() {
            violations.add(&["Name"], None, "Member must not be null");
        }
        violations.into_result()?;
        Ok((
            self.name.clone().unwrap_or_default(),
            self.version()?.unwrap_or_default(),
        ))
    }

    fn version(&self) -> Result<Option<Qualifier>, LambdaError> {
        let version = self.function_version.as_deref().map(str::parse).transpose();
        version.map_err(LambdaError::internal)
    }

    fn weights(&self) -> impl Iterator<Item = (&String, &f64)> {
        let config = self.routing_config.as_ref();
        config
            .and_then(|config| config.additional_version_weights.as_ref())
            .into_iter()
            .flatten()
    }

    /// The one other version that is to share the alias.
    fn additional(&self) -> Result<Option<(u64, Weight)>, LambdaError> {
        let mut weights = self.weights();
        let first = weights.next();
        if weights.next().is_some() {
            return Err(LambdaError::TooManyWeights);
        }
        let parse = |(version, weight): (&String, &f64)| {
            let number = version.parse().map_err(LambdaError::internal)?;
            Ok(Weight::new(*weight).map(|weight| (number, weight)))
        };
        first.map(parse).transpose().map(Option::flatten)
    }

    /// The alias as it is to be: a new one, or `current` with what is given.
    pub(crate) fn apply(&self, function: &Function, current: Option<&Alias>) -> Result<Alias, LambdaError> {
        let given = self.version()?;
        let version = given
            .or_else(|| current.map(|alias| alias.version.clone()))
            .unwrap_or_default();
        require_version(function, &version)?;
        let additional = match &self.routing_config {
            Some(_) => self.additional()?,
            None => current.and_then(|alias| alias.additional),
        };
        if let Some((additional, _)) = additional {
            check_pair(function, &version, additional)?;
        }
        let old = current.map(|alias| alias.description.clone());
        Ok(Alias {
            version,
            description: self.description.clone().or(old).unwrap_or_default(),
            additional,
            revision_id: new_revision(),
        })
    }
}

/// Two versions share an alias if both are published and not the same.
fn check_pair(function: &Function, main: &Qualifier, additional: u64) -> Result<(), LambdaError> {
    let additional = Qualifier::Version(additional);
    if *main == additional {
        return Err(LambdaError::WeightOfMainVersion {
            version: main.to_string(),
        });
    }
    if *main == Qualifier::Latest {
        return Err(LambdaError::LatestWithWeights);
    }
    require_version(function, &additional)
}

fn require_version(function: &Function, version: &Qualifier) -> Result<(), LambdaError> {
    match function.version(version) {
        Some(_) => Ok(()),
        None => Err(LambdaError::FunctionNotFound {
            arn: function.arn.qualified(version.clone()).to_string(),
        }),
    }
}

fn check_name(name: &str, violations: &mut Violations) {
    if name.len() > LONGEST_NAME {
        let constraint = format!("Member must have length less than or equal to {LONGEST_NAME}");
        violations.add(&["Name"], name.to_owned(), constraint);
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if name.is_empty() || !name.bytes().all(plain) || name.bytes().all(|b| b.is_ascii_digit()) {
        let constraint = format!("Member must satisfy regular expression pattern: {NAME_PATTERN}");
        violations.add(&["Name"], name.to_owned(), constraint);
    }
}

fn check_version(version: &str, violations: &mut Violations) {
    if version.len() > LONGEST_VERSION {
        let constraint = format!("Member must have length less than or equal to {LONGEST_VERSION}");
        violations.add(&["FunctionVersion"], version.to_owned(), constraint);
    }
    if version != "$LATEST" && version.parse::<u64>().is_err() {
        let constraint = format!("Member must satisfy regular expression pattern: {VERSION_PATTERN}");
        violations.add(&["FunctionVersion"], version.to_owned(), constraint);
    }
}

fn check_weight(version: &str, weight: f64, violations: &mut Violations) {
    let path = &["RoutingConfig", "AdditionalVersionWeights"];
    let value = format!("{{{version}={weight:?}}}");
    if Weight::new(weight).is_none() {
        let constraint = "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, \
                          Member must have value greater than or equal to 0.0, Member must not be null]";
        violations.add(path, value.clone(), constraint);
    }
    if version.parse::<u64>().is_err() {
        let constraint = "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, \
                          Member must have length greater than or equal to 1, Member must satisfy regular \
                          expression pattern: [0-9]+, Member must not be null]";
        violations.add(path, value, constraint);
    }
}

/// An alias as the API shows it.
pub(crate) fn show(function: &Function, name: &str, alias: &Alias) -> Value {
    let mut shape = json!({
        "AliasArn": function.alias_arn(name).to_string(),
        "Name": name,
        "FunctionVersion": alias.version.to_string(),
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    });
    if let Some((version, weight)) = alias.additional {
        shape["RoutingConfig"] = json!({"AdditionalVersionWeights": {version.to_string(): weight.get()}});
    }
    shape
}

pub(super) async fn create(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let written = WrittenAlias::read(&call.members()?)?;
    let (name, _version) = written.required()?;
    let arn = target.function_arn()?;
    let decide = move |current: Option<&Function>, _now| {
        let function = current.ok_or_else(|| target.not_found())?;
        if function.aliases.contains_key(&name) {
            return Err(LambdaError::AliasExists {
                arn: function.alias_arn(&name).to_string(),
            });
        }
        let alias = written.apply(function, None)?;
        let shown = show(function, &name, &alias);
        Ok(Decision::put(with_alias(function, name, alias), shown))
    };
    json(StatusCode::CREATED, &service.change(arn, decide).await?)
}

/// The function with an alias made or replaced.
pub(crate) fn with_alias(function: &Function, name: String, alias: Alias) -> Function {
    let mut after = function.clone();
    after.aliases.insert(name, alias);
    after
}

/// The function without an alias and what hangs on it.
pub(crate) fn without_alias(function: &Function, name: &str) -> Function {
    let mut after = function.clone();
    after.aliases.remove(name);
    let qualifier = Qualifier::Alias(name.into());
    after.provisioned.remove(&qualifier);
    after.event_invoke.remove(&qualifier);
    after.urls.remove(&Some(qualifier.clone()));
    after.policies.remove(&Some(qualifier));
    after
}

pub(super) async fn update(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let name = alias_name(&call)?;
    let written = WrittenAlias::read(&call.members()?)?;
    let arn = target.function_arn()?;
    let decide = move |current: Option<&Function>, _now| {
        let function = current.ok_or_else(|| target.not_found())?;
        let Some(alias) = function.aliases.get(&name) else {
            return Err(LambdaError::NoAliasToUpdate {
                arn: function.alias_arn(&name).to_string(),
            });
        };
        if written
            .revision_id
            .as_ref()
            .is_some_and(|given| *given != alias.revision_id)
        {
            return Err(LambdaError::RevisionMismatch {
                operation: "GetAlias",
            });
        }
        let alias = written.apply(function, Some(alias))?;
        let shown = show(function, &name, &alias);
        Ok(Decision::put(with_alias(function, name, alias), shown))
    };
    json(StatusCode::OK, &service.change(arn, decide).await?)
}

fn alias_name(call: &Call) -> Result<String, LambdaError> {
    let name = call.route.second().to_owned();
    let mut violations = Violations::default();
    check_name(&name, &mut violations);
    violations.into_result()?;
    Ok(name)
}

pub(super) fn get(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let name = alias_name(call)?;
    let not_found = || LambdaError::AliasNotFound {
        arn: format!("{}:{name}", target.unqualified_text()),
    };
    let function = service.function(&target).map_err(|_not_found| not_found())?;
    let alias = function.aliases.get(&name).ok_or_else(not_found)?;
    json(StatusCode::OK, &show(&function, &name, alias))
}

pub(super) async fn delete(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let name = alias_name(&call)?;
    remove(service, target.function_arn()?, name, Some(target)).await?;
    empty(StatusCode::NO_CONTENT)
}

/// Removes an alias; that it is gone already is fine. Without `target`, so is that of its function.
pub(crate) async fn remove(
    service: &LambdaService,
    arn: FunctionArn,
    name: String,
    target: Option<Target>,
) -> Result<(), LambdaError> {
    let decide = move |current: Option<&Function>, _now| match (current, target) {
        (None, Some(target)) => Err(target.not_found()),
        (Some(function), _) if function.aliases.contains_key(&name) => {
            Ok(Decision::put(without_alias(function, &name), ()))
        }
        (Some(_) | None, _) => Ok(Decision::keep(())),
    };
    service.change(arn, decide).await
}

pub(super) fn list(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let function = service.function(&target)?;
    let page = call.page_size(PAGE)?;
    let version = call.params.get("FunctionVersion");
    let start = match call.params.get("Marker") {
        Some(marker) => Bound::Excluded(token::decode(LIST, marker)?),
        None => Bound::Unbounded,
    };
    let of_version = |alias: &Alias| version.is_none_or(|version| alias.version.to_string() == version);
    let mut found = function
        .aliases
        .range((start, Bound::Unbounded))
        .filter(|(_, alias)| of_version(alias));
    let shown: Vec<(&String, &Alias)> = found.by_ref().take(page).collect();
    let list: Vec<Value> = shown
        .iter()
        .map(|(name, alias)| show(&function, name, alias))
        .collect();
    let mut shape = json!({ "Aliases": list });
    if let (Some((last, _)), Some(_more)) = (shown.last(), found.next()) {
        shape["NextMarker"] = token::encode(LIST, last).into();
    }
    json(StatusCode::OK, &shape)
}
