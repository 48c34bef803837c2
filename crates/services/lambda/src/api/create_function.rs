//! CreateFunction.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::Value;
use tradewind_model::{FunctionArn, Timestamp};

use super::package::{Place, check_runtime, read};
use super::versions::{Publication, show};
use super::{Answer, Call, flag, json, optional_text, tags};
use crate::error::{LambdaError, Violations};
use crate::layer::UsedLayers;
use crate::model::{Code, Configuration, Function, Version, new_revision};
use crate::names::{Shape, Target};
use crate::recursion::RecursiveLoop;
use crate::service::{Decision, LambdaService};
use crate::settings::{Members, Settings};
use crate::view::{Detail, configuration};

/// A function that is to be made.
#[derive(Debug)]
struct NewFunction {
    arn: FunctionArn,
    configuration: Configuration,
    code: Code,
    tags: BTreeMap<String, String>,
    publish: bool,
}

pub(super) async fn create_function(service: &LambdaService, call: Call) -> Answer {
    let (members, source) = read(call.body.clone(), Place::InCode).await?;
    let arn = name(&call, &members)?;
    let mut settings = Settings::read(&members)?;
    let layers = settings.layers.take().unwrap_or_default();
    let mut configuration = settings.create(&arn.name)?;
    let tags = tags::read(&members)?;
    let publish = flag(&members, "Publish")?;
    check_runtime(service, &configuration.runtime).await?;
    if service.find(&arn).is_some() {
        return Err(LambdaError::FunctionExists {
            name: arn.name.to_string(),
        });
    }
    service.check_dead_letters(None, &configuration)?;
    configuration.layers = service
        .use_layers(&layers, &call.scope, &UsedLayers::default())
        .await?;
    let code = source.ok_or(LambdaError::NoCode)?.store(service).await?;
    service.check_unzipped(&code, &configuration.layers).await?;
    let new = NewFunction {
        arn: arn.clone(),
        configuration,
        code,
        tags,
        publish,
    };
    let shown = service
        .change(arn, move |current, now| make(current, new, now))
        .await?;
    json(StatusCode::CREATED, &shown)
}

fn name(call: &Call, members: &Members) -> Result<FunctionArn, LambdaError> {
    let Some(text) = optional_text(members, "FunctionName")? else {
        let mut violations = Violations::default();
        violations.add(&["FunctionName"], None, "Member must not be null");
        return Err(LambdaError::Validation(violations));
    };
    let target = Target::parse(Shape::Plain, &text, None, &call.scope)?.without_qualifier()?;
    target
        .function_arn()
        .map_err(|_too_long| LambdaError::NameTooLong {
            name: target.name_text().to_owned(),
        })
}

fn make(
    current: Option<&Function>,
    new: NewFunction,
    now: Timestamp,
) -> Result<Decision<Value>, LambdaError> {
    if let Some(function) = current {
        return Err(LambdaError::FunctionExists {
            name: function.arn.name.to_string(),
        });
    }
    let function = Function {
        arn: new.arn,
        latest: Version {
            configuration: new.configuration,
            code: new.code,
            last_modified: now,
            revision_id: new_revision(),
            published_from: None,
        },
        versions: BTreeMap::new(),
        next_version: 1,
        reserved_concurrency: None,
        recursive_loop: RecursiveLoop::default(),
        owner: None,
        tags: new.tags,
        policies: BTreeMap::new(),
        aliases: BTreeMap::new(),
        provisioned: BTreeMap::new(),
        event_invoke: BTreeMap::new(),
        urls: BTreeMap::new(),
    };
    if !new.publish {
        let view = configuration(&function, &function.latest, None, Detail::Full);
        let shown = serde_json::to_value(view).map_err(LambdaError::internal)?;
        return Ok(Decision::put(function, shown));
    }
    let (published, number) = Publication::default().apply(&function, now)?;
    let function = published.unwrap_or(function);
    let shown = show(&function, number)?;
    Ok(Decision::put(function, shown))
}
