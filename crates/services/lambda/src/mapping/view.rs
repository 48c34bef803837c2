//! A mapping as the API shows it: `EventSourceMappingConfiguration`.

use serde_json::{Value, json};

use super::kafka;
use super::model::Source;
use super::registry::Found;

/// What an answer says of a change that it acknowledges; by the next request it has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    None,
    Creating,
    Enabling,
    Disabling,
    Updating,
}

/// See the module.
pub(crate) fn view(found: &Found, transition: Transition) -> Value {
    let Found {
        mapping,
        state,
        last_result,
    } = found;
    let state = match transition {
        Transition::None => state.as_str(),
        Transition::Creating => "Creating",
        Transition::Enabling => "Enabling",
        Transition::Disabling => "Disabling",
        Transition::Updating => "Updating",
    };
    let settings = &mapping.settings;
    let mut shown = json!({
        "UUID": mapping.id.to_string(),
        "BatchSize": settings.batch_size,
        "MaximumBatchingWindowInSeconds": settings.window_seconds.unwrap_or(0),
        "FunctionArn": mapping.function.to_string(),
        "LastModified": seconds(mapping.modified.as_millis()),
        "State": state,
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": if settings.reports_failures { vec!["ReportBatchItemFailures"] } else { vec![] },
        "EventSourceMappingArn": mapping.arn(),
    });
    if let Some(arn) = mapping.source.arn() {
        shown["EventSourceArn"] = json!(arn.to_string());
    }
    if let (Source::Kafka(topic), Value::Object(shown)) = (&mapping.source, &mut shown) {
        kafka::view::show(topic, settings, shown);
    }
    if let Some(result) = last_result {
        shown["LastProcessingResult"] = json!(result);
    }
    if let Some(maximum) = settings.maximum_concurrency {
        shown["ScalingConfig"] = json!({"MaximumConcurrency": maximum});
    }
    if !settings.filters.is_empty() {
        let filters: Vec<Value> = settings
            .filters
            .texts()
            .map(|text| json!({"Pattern": text}))
            .collect();
        shown["FilterCriteria"] = json!({"Filters": filters});
    }
    shown
}

/// A date of the protocol: seconds since 1970, with milliseconds after the point.
pub(super) fn seconds(ms: i64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of this millennium fit 53 bits"
    )]
    let ms = ms as f64;
    ms / 1000.0
}
