//! UpdateFunctionCode.

use http::StatusCode;
use serde_json::Value;
use tradewind_model::Timestamp;

use super::package::{Place, read};
use super::versions::{Publication, check_revision, show};
use super::{Answer, Call, flag, json, optional_text};
use crate::error::LambdaError;
use crate::model::{Code, Function, new_revision};
use crate::names::Shape;
use crate::service::{Decision, LambdaService};
use crate::settings::Settings;
use crate::view::{Detail, configuration};

/// What a request wants done with its code.
#[derive(Debug)]
struct Update {
    code: Code,
    settings: Settings,
    revision_id: Option<String>,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Update,
    UpdateAndPublish,
    DryRun,
}

pub(super) async fn update_function_code(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let (members, source) = read(call.body.clone(), Place::AtTop).await?;
    let mut of_code = members.clone();
    of_code.retain(|name, _| matches!(name.as_str(), "Architectures" | "PublishTo"));
    let settings = Settings::read(&of_code)?;
    let revision_id = optional_text(&members, "RevisionId")?;
    let what = match (flag(&members, "DryRun")?, flag(&members, "Publish")?) {
        (true, _) => What::DryRun,
        (false, true) => What::UpdateAndPublish,
        (false, false) => What::Update,
    };
    let function = service.function(&target)?;
    let code = source.ok_or(LambdaError::NoCode)?.store(service).await?;
    let layers = &function.latest.configuration.layers;
    service.check_unzipped(&code, layers).await?;
    let update = Update {
        code,
        settings,
        revision_id,
        what,
    };
    let arn = target.function_arn()?;
    let decide = move |current: Option<&Function>, now| {
        let function = current.ok_or_else(|| target.not_found())?;
        decide(function, update, now)
    };
    json(StatusCode::OK, &service.change(arn, decide).await?)
}

fn decide(function: &Function, update: Update, now: Timestamp) -> Result<Decision<Value>, LambdaError> {
    check_revision(function, update.revision_id.as_deref())?;
    let mut after = function.clone();
    after.latest.code = update.code;
    after.latest.configuration = update.settings.update(&function.latest.configuration)?;
    after.latest.last_modified = now;
    after.latest.revision_id = new_revision();
    if update.what == What::UpdateAndPublish {
        let (published, number) = Publication::default().apply(&after, now)?;
        let after = published.unwrap_or(after);
        let shown = show(&after, number)?;
        return Ok(Decision::put(after, shown));
    }
    let view = configuration(&after, &after.latest, None, Detail::Full);
    let shown = serde_json::to_value(view).map_err(LambdaError::internal)?;
    Ok(match update.what {
        What::DryRun => Decision::keep(shown),
        What::Update | What::UpdateAndPublish => Decision::put(after, shown),
    })
}
