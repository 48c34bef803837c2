//! Targets of rules: what they are given, and what becomes of what they do not take.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tradewind_events::api_destination::{HttpParameters, is_api_destination};
use tradewind_events::transform::{InputTransformer, InvalidTransform, JsonPath};
use tradewind_model::Arn;

use crate::destination::topic::{KinesisParameters, is_topic};
use crate::error::EventBridgeError;
use crate::names::Name;

/// Targets that a rule may have. EventBridge User Guide, "Quotas".
pub(crate) const MAX_TARGETS: usize = 5;
const MAX_ID: usize = 64;
/// EventBridge User Guide, "How EventBridge retries delivering events".
const DEFAULT_RETRIES: u32 = 185;
/// What is known of a target, as [`TargetDefinition`] has it.
pub(crate) const TARGET_MEMBERS: &[&str] = &[
    "Arn",
    "DeadLetterConfig",
    "HttpParameters",
    "Id",
    "Input",
    "InputPath",
    "InputTransformer",
    "KinesisParameters",
    "RetryPolicy",
    "RoleArn",
    "SqsParameters",
];
const MAX_INPUT: usize = 8192;
const MAX_GROUP: usize = 128;
/// A target in the shape that the API has; what is stored went through [`TargetDefinition::check`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TargetDefinition {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_transformer: Option<TransformerDefinition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sqs_parameters: Option<SqsParameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kinesis_parameters: Option<KinesisParameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) http_parameters: Option<HttpParameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dead_letter_config: Option<DeadLetterConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_policy: Option<RetryPolicy>,
    /// What is not known here; nothing of it is ever stored.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// How an event is turned into what the target gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TransformerDefinition {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) input_paths_map: BTreeMap<String, String>,
    pub(crate) input_template: String,
}

/// What a FIFO queue needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SqsParameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_group_id: Option<String>,
}

/// Where what could not be delivered goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeadLetterConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arn: Option<String>,
}

/// How often and for how long a delivery is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RetryPolicy {
    /// 0 to 185.
    #[serde(default, deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub(crate) maximum_retry_attempts: Option<i64>,
    /// 60 to 86,400.
    #[serde(default, deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub(crate) maximum_event_age_in_seconds: Option<i64>,
}

/// A number, also where a template has it as text.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Text(String),
    }
    match Option::<Written>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Number(number)) => Ok(Some(number)),
        Some(Written::Text(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

/// A target as it is used.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) arn: Arn,
    pub(crate) input: Input,
    pub(crate) group: Option<String>,
    /// Where an event has the key of its record.
    pub(crate) key: Option<JsonPath>,
    pub(crate) dead_letter: Option<Arn>,
    /// After the first attempt.
    pub(crate) retries: Option<u32>,
    pub(crate) age: Option<Duration>,
    pub(crate) http: Option<HttpParameters>,
}

/// What a target gets.
#[derive(Debug)]
pub(crate) enum Input {
    /// The event as it is.
    Event,
    /// Always the same.
    Constant(Bytes),
    /// A part of the event; what it does not have is an empty object, as on AWS.
    Part(JsonPath),
    /// A text with parts of the event in it.
    Transformed(InputTransformer),
}

impl TargetDefinition {
    /// Parses what a request says; gives the id and the definition as it may be stored.
    pub(crate) fn check(self) -> Result<(Name, Self), EventBridgeError> {
        let id = Name::parse(self.id.clone(), "targets.member.id", MAX_ID)?;
        if let Some((member, _)) = self.unknown.iter().find(|(_, value)| !value.is_null()) {
            let what = format!("Parameter {member} of target {id}");
            return Err(EventBridgeError::unsupported(&what, unsupported(member)));
        }
        self.check_input(&id)?;
        self.check_retries()?;
        self.check_fifo(&id)?;
        let target = Target::compile(&self)?;
        self.check_http(&id, &target)?;
        self.check_key(&id, &target)?;
        Ok((id, self))
    }

    fn check_input(&self, id: &Name) -> Result<(), EventBridgeError> {
        let ways = [
            self.input.is_some(),
            self.input_path.is_some(),
            self.input_transformer.is_some(),
        ];
        if ways.iter().filter(|given| **given).count() > 1 {
            return Err(EventBridgeError::Validation(format!(
                "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
            )));
        }
        let Some(input) = &self.input else { return Ok(()) };
        if input.len() > MAX_INPUT {
            let rule = format!("Member must have length less than or equal to {MAX_INPUT}");
            return Err(EventBridgeError::constraint(
                "of the input",
                "targets.member.input",
                &rule,
            ));
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(input).is_err() {
            return Err(EventBridgeError::Validation(format!(
                "JSON syntax error in input for target {id}."
            )));
        }
        Ok(())
    }

    fn check_retries(&self) -> Result<(), EventBridgeError> {
        let Some(policy) = &self.retry_policy else {
            return Ok(());
        };
        let members = [
            ("maximumRetryAttempts", policy.maximum_retry_attempts, 0..=185),
            (
                "maximumEventAgeInSeconds",
                policy.maximum_event_age_in_seconds,
                60..=86_400,
            ),
        ];
        for (member, given, range) in members {
            let Some(given) = given.filter(|given| !range.contains(given)) else {
                continue;
            };
            let (bound, limit) = if given < *range.start() {
                ("greater", range.start())
            } else {
                ("less", range.end())
            };
            return Err(EventBridgeError::constraint(
                &format!("'{given}'"),
                &format!("targets.member.retryPolicy.{member}"),
                &format!("Member must have value {bound} than or equal to {limit}"),
            ));
        }
        Ok(())
    }

    fn check_http(&self, id: &Name, target: &Target) -> Result<(), EventBridgeError> {
        let Some(http) = &self.http_parameters else {
            return Ok(());
        };
        if !target.is_destination() {
            let what = format!("Parameter HttpParameters of target {id}");
            return Err(EventBridgeError::unsupported(
                &what,
                "only API destinations are asked by HTTP",
            ));
        }
        if let Some(name) = http.reserved_header() {
            let reason = format!("The header {name} cannot be set.");
            return Err(EventBridgeError::parameter("HttpParameters", &reason));
        }
        Ok(())
    }

    fn check_key(&self, id: &Name, target: &Target) -> Result<(), EventBridgeError> {
        if self.kinesis_parameters.is_some() && !is_topic(&target.arn) {
            let what = format!("Parameter KinesisParameters of target {id}");
            return Err(EventBridgeError::unsupported(
                &what,
                "only topics of Kafka take a key",
            ));
        }
        Ok(())
    }

    fn check_fifo(&self, id: &Name) -> Result<(), EventBridgeError> {
        let arn = self.arn.as_deref().unwrap_or_default();
        let group = self
            .sqs_parameters
            .as_ref()
            .and_then(|given| given.message_group_id.as_ref());
        if group.is_some_and(|group| group.is_empty() || group.chars().count() > MAX_GROUP) {
            return Err(EventBridgeError::parameter(
                "MessageGroupId",
                "It has 1 to 128 characters.",
            ));
        }
        let is_fifo = arn.starts_with("arn:aws:sqs:") && arn.ends_with(".fifo");
        if is_fifo && group.is_none() {
            return Err(EventBridgeError::Validation(format!(
                "Parameter(s) SqsParameters must be specified for target: {id}."
            )));
        }
        Ok(())
    }
}

/// Why a parameter of other targets is not taken.
pub(crate) fn unsupported(member: &str) -> &'static str {
    match member {
        "EcsParameters"
        | "BatchParameters"
        | "RunCommandParameters"
        | "RedshiftDataParameters"
        | "SageMakerPipelineParameters"
        | "AppSyncParameters" => "it has no targets of that kind",
        _ => "it does not know it",
    }
}

impl Target {
    /// Understands a definition.
    pub(crate) fn compile(definition: &TargetDefinition) -> Result<Self, EventBridgeError> {
        let dead_letter = definition
            .dead_letter_config
            .as_ref()
            .and_then(|config| config.arn.as_deref());
        let policy = definition.retry_policy.clone().unwrap_or_default();
        let number = |given: Option<i64>| given.and_then(|given| u32::try_from(given).ok());
        Ok(Self {
            id: definition.id.clone().unwrap_or_default(),
            retries: number(policy.maximum_retry_attempts),
            age: number(policy.maximum_event_age_in_seconds).map(|age| Duration::from_secs(age.into())),
            http: definition.http_parameters.clone(),
            arn: parse_arn(definition.arn.as_deref().unwrap_or_default(), "Arn")?,
            input: Input::compile(definition)?,
            group: definition
                .sqs_parameters
                .as_ref()
                .and_then(|given| given.message_group_id.clone()),
            key: definition
                .kinesis_parameters
                .as_ref()
                .map_or(Ok(None), KinesisParameters::path)?,
            dead_letter: dead_letter.map(parse_queue).transpose()?,
        })
    }
}

impl Target {
    /// Whether it is asked by HTTP, outside of the node.
    pub(crate) fn is_destination(&self) -> bool {
        is_api_destination(&self.arn)
    }

    /// Whether what is owed to it leaves the node.
    pub(crate) fn is_outside(&self) -> bool {
        self.is_destination() || is_topic(&self.arn)
    }

    /// Attempts after the first.
    pub(crate) fn allowed_retries(&self) -> u32 {
        self.retries.unwrap_or(DEFAULT_RETRIES)
    }

    /// Whether it may have no room for an event at the moment: what waits for it lies in a lane.
    pub(crate) fn may_wait(&self) -> bool {
        self.is_outside() || matches!(&*self.arn.service, "lambda" | "logs")
    }

    /// Whether it gets the event as it is.
    pub(crate) fn is_whole_event(&self) -> bool {
        matches!(self.input, Input::Event)
    }
}

impl Input {
    fn compile(definition: &TargetDefinition) -> Result<Self, EventBridgeError> {
        let id = definition.id.as_deref().unwrap_or_default();
        let invalid = |error: InvalidTransform| EventBridgeError::Validation(error.for_target(id));
        if let Some(constant) = &definition.input {
            return Ok(Self::Constant(constant.clone().into()));
        }
        if let Some(path) = &definition.input_path {
            return path.parse().map(Self::Part).map_err(invalid);
        }
        let Some(transformer) = &definition.input_transformer else {
            return Ok(Self::Event);
        };
        let paths = transformer
            .input_paths_map
            .iter()
            .map(|(name, path)| (name.as_str(), path.as_str()));
        let parsed = InputTransformer::parse(paths, &transformer.input_template);
        parsed.map(Self::Transformed).map_err(invalid)
    }
}

pub(crate) fn parse_arn(text: &str, parameter: &str) -> Result<Arn, EventBridgeError> {
    let invalid =
        |_not_an_arn| EventBridgeError::parameter(parameter, "Provided Arn is not in correct format.");
    text.parse().map_err(invalid)
}

/// The ARN of a queue that takes dead letters.
pub(crate) fn parse_queue(text: &str) -> Result<Arn, EventBridgeError> {
    let arn = parse_arn(text, "DeadLetterConfig")?;
    if &*arn.service != "sqs" || arn.resource.ends_with(".fifo") {
        let reason = "The target of a dead letter queue has to be a standard SQS queue.";
        return Err(EventBridgeError::parameter("DeadLetterConfig", reason));
    }
    Ok(arn)
}
