//! UpdateFunctionConfiguration.

use http::StatusCode;

use super::versions::check_revision;
use super::{Answer, Call, json, optional_text};
use crate::error::LambdaError;
use crate::model::{Function, new_revision};
use crate::names::Shape;
use crate::service::{Decision, LambdaService};
use crate::settings::Settings;
use crate::view::{Detail, configuration};

pub(super) async fn update(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let members = call.members()?;
    let settings = Settings::read(&members)?;
    let revision_id = optional_text(&members, "RevisionId")?;
    if let Some(runtime) = &settings.runtime {
        super::package::check_runtime(service, runtime).await?;
    }
    let decide = move |current: Option<&Function>, now| {
        let function = current.ok_or_else(|| target.not_found())?;
        check_revision(function, revision_id.as_deref())?;
        let mut after = function.clone();
        after.latest.configuration = settings.update(&function.latest.configuration)?;
        after.latest.last_modified = now;
        after.latest.revision_id = new_revision();
        let view = configuration(&after, &after.latest, None, Detail::Full);
        let shown = serde_json::to_value(view).map_err(LambdaError::internal)?;
        Ok(Decision::put(after, shown))
    };
    let arn = call.target(Shape::Plain)?.function_arn()?;
    json(StatusCode::OK, &service.change(arn, decide).await?)
}
