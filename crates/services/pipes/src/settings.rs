//! What a request says of a pipe, and what it means.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tradewind_events::api_destination::{HttpParameters, is_api_destination};
use tradewind_events::pattern::Pattern;
use tradewind_model::Arn;

use crate::error::PipesError;
use crate::target::{self, Kind, Target, TargetParameters};
use crate::template::InputTemplate;

const MAX_FILTERS: usize = 5;
const MAX_PATTERN: usize = 4096;
const MAX_DESCRIPTION: usize = 512;
const DEFAULT_BATCH: u16 = 10;
const MAX_BATCH: u16 = 10_000;
const MAX_WINDOW_S: u16 = 300;
/// A queue's batch of more than this needs a window, as AWS wants it.
const MAX_BATCH_WITHOUT_WINDOW: u16 = 10;

/// Whether a pipe is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum State {
    #[default]
    Running,
    Stopped,
}

/// The members of `CreatePipe` that are kept, as they were given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) desired_state: State,
    pub(crate) source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_parameters: Option<SourceParameters>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enrichment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enrichment_parameters: Option<EnrichmentParameters>,
    pub(crate) target: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_parameters: Option<TargetParameters>,
    pub(crate) role_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct SourceParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter_criteria: Option<FilterCriteria>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sqs_queue_parameters: Option<SqsQueueParameters>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterCriteria {
    #[serde(default)]
    filters: Vec<Filter>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    #[serde(default)]
    pattern: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SqsQueueParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch_size: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maximum_batching_window_in_seconds: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct EnrichmentParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input_template: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http_parameters: Option<HttpParameters>,
}

/// What the settings of a pipe mean.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) source: Arn,
    /// A message goes on if one matches, or if there is none.
    filters: Vec<Pattern>,
    pub(crate) batch: usize,
    pub(crate) window: Duration,
    pub(crate) enrichment: Option<Enrichment>,
    pub(crate) target: Target,
}

/// What is asked between source and target.
#[derive(Clone, Debug)]
pub(crate) struct Enrichment {
    pub(crate) arn: Arn,
    pub(crate) template: Option<InputTemplate>,
    pub(crate) kind: EnrichmentKind,
}

/// How it is asked.
#[derive(Clone, Debug)]
pub(crate) enum EnrichmentKind {
    /// A function gets a batch as one list.
    Function,
    /// An API destination gets each event by itself.
    Destination(HttpParameters),
}

impl Settings {
    /// What they mean.
    ///
    /// # Errors
    /// What is wrong with them, or not honoured.
    pub(crate) fn plan(&self) -> Result<Plan, PipesError> {
        if self
            .description
            .as_ref()
            .is_some_and(|text| text.chars().count() > MAX_DESCRIPTION)
        {
            let rule = "Member must have length less than or equal to 512";
            return Err(PipesError::violation("description", "…", rule));
        }
        role(&self.role_arn)?;
        let parameters = self.source_parameters.clone().unwrap_or_default();
        let (batch, window) = parameters.sqs_queue_parameters.unwrap_or_default().bounds()?;
        Ok(Plan {
            source: self.queue()?,
            filters: parameters.filter_criteria.unwrap_or_default().patterns()?,
            batch,
            window,
            enrichment: self.enrichment()?,
            target: target::read(&self.target, self.target_parameters.as_ref())?,
        })
    }

    fn queue(&self) -> Result<Arn, PipesError> {
        let source = arn("source", &self.source)?;
        match &*source.service {
            "sqs" => Ok(source),
            other => Err(PipesError::unsupported(
                &format!("the source {}", self.source),
                &format!("sources are SQS queues, not `{other}`"),
            )),
        }
    }

    fn enrichment(&self) -> Result<Option<Enrichment>, PipesError> {
        let parameters = self.enrichment_parameters.as_ref();
        let template = parameters.and_then(|parameters| parameters.input_template.as_deref());
        let http = parameters.and_then(|parameters| parameters.http_parameters.as_ref());
        // an empty ARN takes the enrichment away
        let Some(given) = self.enrichment.as_deref().filter(|given| !given.is_empty()) else {
            return match (template, http) {
                (None, None) => Ok(None),
                _ => Err(PipesError::Validation(
                    "EnrichmentParameters need an Enrichment.".into(),
                )),
            };
        };
        let arn = arn("enrichment", given)?;
        let kind = match &*arn.service {
            "lambda" => match http {
                None => EnrichmentKind::Function,
                Some(_) => {
                    return Err(PipesError::Validation(format!(
                        "EnrichmentParameters.HttpParameters does not belong to the enrichment {arn}."
                    )));
                }
            },
            _ if is_api_destination(&arn) => EnrichmentKind::Destination(http_parameters(http)?),
            _ => {
                let reason = "enrichments are Lambda functions and API destinations; API Gateway and state machines are not";
                return Err(PipesError::unsupported(
                    &format!("the enrichment {given}"),
                    reason,
                ));
            }
        };
        let template = template.map(InputTemplate::parse).transpose()?.flatten();
        Ok(Some(Enrichment { arn, template, kind }))
    }
}

/// What a request has beside its body, if it may.
pub(crate) fn http_parameters(given: Option<&HttpParameters>) -> Result<HttpParameters, PipesError> {
    let given = given.cloned().unwrap_or_default();
    match given.reserved_header() {
        Some(name) => Err(PipesError::Validation(format!(
            "HttpParameters: the header {name} cannot be set."
        ))),
        None => Ok(given),
    }
}

impl Plan {
    /// Whether events are brought one by one, because something on their way is asked for each by itself.
    pub(crate) fn asks_for_each(&self) -> bool {
        match &self.enrichment {
            Some(enrichment) => matches!(enrichment.kind, EnrichmentKind::Destination(_)),
            None => matches!(self.target.kind, Kind::Destination(_)),
        }
    }

    /// Whether a message, its body parsed, goes on.
    pub(crate) fn wants(&self, record: &serde_json::Value) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|pattern| pattern.matches(record))
    }
}

impl FilterCriteria {
    fn patterns(&self) -> Result<Vec<Pattern>, PipesError> {
        if self.filters.len() > MAX_FILTERS {
            let rule = "Member must have length less than or equal to 5";
            return Err(PipesError::violation(
                "sourceParameters.filterCriteria.filters",
                "…",
                rule,
            ));
        }
        let patterns = self.filters.iter().filter_map(|filter| filter.pattern.as_deref());
        patterns.map(pattern).collect()
    }
}

fn pattern(text: &str) -> Result<Pattern, PipesError> {
    if text.len() > MAX_PATTERN {
        let rule = "Member must have length less than or equal to 4096";
        return Err(PipesError::violation("pattern", "…", rule));
    }
    Pattern::parse(text).map_err(|error| PipesError::Validation(format!("Invalid filter pattern. {error}")))
}

impl SqsQueueParameters {
    fn bounds(&self) -> Result<(usize, Duration), PipesError> {
        let batch = self.batch_size.unwrap_or(DEFAULT_BATCH);
        let window = self.maximum_batching_window_in_seconds.unwrap_or(0);
        let within = |member: &str, value: u16, low: u16, high: u16| {
            let rule = format!("Member must have value between {low} and {high}");
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(PipesError::violation(member, &value.to_string(), &rule))
            }
        };
        within(
            "sourceParameters.sqsQueueParameters.batchSize",
            batch,
            1,
            MAX_BATCH,
        )?;
        within(
            "sourceParameters.sqsQueueParameters.maximumBatchingWindowInSeconds",
            window,
            0,
            MAX_WINDOW_S,
        )?;
        if batch > MAX_BATCH_WITHOUT_WINDOW && window == 0 {
            let text = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
            return Err(PipesError::Validation(text.into()));
        }
        Ok((batch.into(), Duration::from_secs(window.into())))
    }
}

/// The ARN that the member is.
pub(crate) fn arn(member: &str, text: &str) -> Result<Arn, PipesError> {
    text.parse()
        .map_err(|_no_arn| PipesError::violation(member, text, "Member must be an ARN"))
}

fn role(text: &str) -> Result<(), PipesError> {
    let is_role = |arn: &Arn| &*arn.service == "iam" && arn.resource.starts_with("role/");
    match arn("roleArn", text) {
        Ok(arn) if is_role(&arn) => Ok(()),
        _ => Err(PipesError::violation(
            "roleArn",
            text,
            "Member must be the ARN of a role",
        )),
    }
}
