//! UpdateFunctionConfiguration.

use http::StatusCode;

use super::versions::check_revision;
use super::{Answer, Call, json, optional_text};
use crate::error::LambdaError;
use crate::layer::{LayerVersionArn, UsedLayers};
use crate::model::{Function, new_revision};
use crate::names::{Scope, Shape, Target};
use crate::service::{Decision, LambdaService};
use crate::settings::Settings;
use crate::view::{Detail, configuration};

pub(super) async fn update(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let members = call.members()?;
    let mut settings = Settings::read(&members)?;
    let revision_id = optional_text(&members, "RevisionId")?;
    if let Some(runtime) = &settings.runtime {
        super::package::check_runtime(service, runtime).await?;
    }
    let layers = match settings.layers.take() {
        Some(arns) => Some(layers_for(service, &target, &arns, &call.scope).await?),
        None => None,
    };
    let of_service = service.clone();
    let decide = move |current: Option<&Function>, now| {
        let function = current.ok_or_else(|| target.not_found())?;
        check_revision(function, revision_id.as_deref())?;
        let mut after = function.clone();
        after.latest.configuration = settings.update(&function.latest.configuration)?;
        of_service.check_dead_letters(Some(&function.latest.configuration), &after.latest.configuration)?;
        if let Some(layers) = layers {
            after.latest.configuration.layers = layers;
        }
        after.latest.last_modified = now;
        after.latest.revision_id = new_revision();
        let view = configuration(&after, &after.latest, None, Detail::Full);
        let shown = serde_json::to_value(view).map_err(LambdaError::internal)?;
        Ok(Decision::put(after, shown))
    };
    let arn = call.target(Shape::Plain)?.function_arn()?;
    json(StatusCode::OK, &service.change(arn, decide).await?)
}

/// The layers that the function is to have, if they fit beside its code.
async fn layers_for(
    service: &LambdaService,
    target: &Target,
    arns: &[LayerVersionArn],
    scope: &Scope,
) -> Result<UsedLayers, LambdaError> {
    let function = service.function(target)?;
    let layers = service.use_layers(arns, scope, &UsedLayers::default()).await?;
    service.check_unzipped(&function.latest.code, &layers).await?;
    Ok(layers)
}
