//! What a schedule sends, and where to.
//!
//! A templated target is the ARN of a function, queue, topic or event bus. A universal target is an API
//! operation with its request as the input; of those the ones that mean the same are taken.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tradewind_events::api_destination::is_api_destination;
use tradewind_model::Arn;

use crate::error::SchedulerError;

/// A target as it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct GivenTarget {
    pub(crate) arn: String,
    role_arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    #[serde(default)]
    retry_policy: RetryPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead_letter_config: Option<DeadLetterConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sqs_parameters: Option<SqsParameters>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_bridge_parameters: Option<EventBridgeParameters>,
    #[serde(default, skip_serializing)]
    ecs_parameters: Option<Value>,
    #[serde(default, skip_serializing)]
    event_bridge_put_events_v2_parameters: Option<Value>,
    #[serde(default, skip_serializing)]
    event_bridge_put_raw_events_parameters: Option<Value>,
    #[serde(default, skip_serializing)]
    kinesis_parameters: Option<Value>,
    #[serde(default, skip_serializing)]
    sage_maker_pipeline_parameters: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(crate) struct RetryPolicy {
    pub(crate) maximum_event_age_in_seconds: i64,
    pub(crate) maximum_retry_attempts: i64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            maximum_event_age_in_seconds: 86_400,
            maximum_retry_attempts: 185,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeadLetterConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arn: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SqsParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_group_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct EventBridgeParameters {
    pub(crate) detail_type: String,
    pub(crate) source: String,
}

/// A target that was understood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) kind: TargetKind,
    /// With context attributes in it; none for AWS's event.
    pub(crate) input: Option<String>,
    pub(crate) retry: RetryPolicy,
    /// A queue.
    pub(crate) dead_letter: Option<Arn>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TargetKind {
    /// A function or a topic.
    Plain(Arn),
    Queue {
        queue: Arn,
        group: Option<String>,
    },
    Bus {
        bus: Arn,
        parameters: EventBridgeParameters,
    },
    /// The input is the request.
    Api(ApiOperation),
}

/// An operation that a universal target may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiOperation {
    LambdaInvoke,
    SnsPublish,
    SqsSendMessage,
}

const UNIVERSAL: &str = "arn:aws:scheduler:::aws-sdk:";

impl GivenTarget {
    /// What it means.
    pub(crate) fn parse(&self) -> Result<Target, SchedulerError> {
        self.refuse_parameters()?;
        self.check_role()?;
        self.retry_policy.check()?;
        if self.input.as_deref() == Some("") {
            let rule = "Member must have length greater than or equal to 1";
            return Err(SchedulerError::violation("target.input", "", rule));
        }
        let target = Target {
            kind: self.kind()?,
            input: self.input.clone(),
            retry: self.retry_policy,
            dead_letter: self.dead_letter()?,
        };
        target.check_input()?;
        Ok(target)
    }

    fn refuse_parameters(&self) -> Result<(), SchedulerError> {
        let refused = [
            ("EcsParameters", &self.ecs_parameters),
            (
                "EventBridgePutEventsV2Parameters",
                &self.event_bridge_put_events_v2_parameters,
            ),
            (
                "EventBridgePutRawEventsParameters",
                &self.event_bridge_put_raw_events_parameters,
            ),
            ("KinesisParameters", &self.kinesis_parameters),
            (
                "SageMakerPipelineParameters",
                &self.sage_maker_pipeline_parameters,
            ),
        ];
        let given = refused.iter().find(|(_, value)| value.is_some());
        given.map_or(Ok(()), |(name, _)| {
            let reason = "targets are functions, queues, topics and event buses";
            Err(SchedulerError::unsupported(&format!("Target.{name}"), reason))
        })
    }

    fn check_role(&self) -> Result<(), SchedulerError> {
        let role: Option<Arn> = self.role_arn.parse().ok();
        let is_role = |arn: Arn| &*arn.service == "iam" && arn.resource.starts_with("role/");
        if role.is_some_and(is_role) {
            return Ok(());
        }
        let rule = "Member must satisfy regular expression pattern: \
                    arn:aws[a-z-]*:iam::\\d{12}:role\\/[\\w+=,.@\\/-]+";
        Err(SchedulerError::violation("target.roleArn", &self.role_arn, rule))
    }

    fn kind(&self) -> Result<TargetKind, SchedulerError> {
        let (sqs, bus) = (&self.sqs_parameters, &self.event_bridge_parameters);
        let misplaced = |name: &str| {
            SchedulerError::Validation(format!("{name} is not valid for the target {}.", self.arn))
        };
        let kind = self.kind_of_arn()?;
        match (&kind, sqs, bus) {
            (TargetKind::Queue { .. }, _, None) | (TargetKind::Bus { .. }, None, _) => Ok(kind),
            (_, None, None) => Ok(kind),
            (TargetKind::Bus { .. }, Some(_), _) | (_, Some(_), None) => Err(misplaced("SqsParameters")),
            (_, _, Some(_)) => Err(misplaced("EventBridgeParameters")),
        }
    }

    fn kind_of_arn(&self) -> Result<TargetKind, SchedulerError> {
        if let Some(operation) = self.arn.strip_prefix(UNIVERSAL) {
            return api_operation(operation).map(TargetKind::Api);
        }
        let invalid =
            |_| SchedulerError::Validation(format!("Provided Arn {} is not in correct format.", self.arn));
        let arn: Arn = self.arn.parse().map_err(invalid)?;
        match (&*arn.service, &*arn.resource) {
            ("lambda", name) if name.starts_with("function:") => Ok(TargetKind::Plain(arn)),
            ("sns", _) => Ok(TargetKind::Plain(arn)),
            ("sqs", _) => Ok(TargetKind::Queue {
                queue: arn,
                group: self
                    .sqs_parameters
                    .as_ref()
                    .and_then(|given| given.message_group_id.clone()),
            }),
            ("events", name) if name.starts_with("event-bus/") => {
                let missing = || {
                    SchedulerError::Validation("EventBridgeParameters must be set for an event bus.".into())
                };
                let parameters = self.event_bridge_parameters.clone().ok_or_else(missing)?;
                parameters.check()?;
                Ok(TargetKind::Bus { bus: arn, parameters })
            }
            _ if is_api_destination(&arn) => {
                let reason = "AWS's scheduler has none either; send to an event bus, a rule of which has it as its target";
                Err(SchedulerError::unsupported(
                    "an API destination as a target",
                    reason,
                ))
            }
            (service, _) => {
                let reason = "targets are functions, queues, topics and event buses";
                Err(SchedulerError::unsupported(
                    &format!("a target of {service}"),
                    reason,
                ))
            }
        }
    }

    fn dead_letter(&self) -> Result<Option<Arn>, SchedulerError> {
        let given = self
            .dead_letter_config
            .as_ref()
            .and_then(|given| given.arn.as_deref());
        let Some(text) = given else { return Ok(None) };
        let queue: Option<Arn> = text.parse().ok();
        let is_standard = |arn: &Arn| &*arn.service == "sqs" && !arn.resource.ends_with(".fifo");
        let queue = queue.filter(is_standard).ok_or_else(|| {
            let rule = "Member must satisfy regular expression pattern: \
                        arn:aws[a-z-]*:sqs:[a-z0-9\\-]+:\\d{12}:[a-zA-Z0-9\\-_]+";
            SchedulerError::violation("target.deadLetterConfig.arn", text, rule)
        })?;
        Ok(Some(queue))
    }
}

fn api_operation(name: &str) -> Result<ApiOperation, SchedulerError> {
    match name {
        "lambda:invoke" => Ok(ApiOperation::LambdaInvoke),
        "sns:publish" => Ok(ApiOperation::SnsPublish),
        "sqs:sendMessage" => Ok(ApiOperation::SqsSendMessage),
        other => {
            let reason = "universal targets are lambda:invoke, sns:publish and sqs:sendMessage";
            Err(SchedulerError::unsupported(
                &format!("the universal target {other}"),
                reason,
            ))
        }
    }
}

impl RetryPolicy {
    fn check(self) -> Result<(), SchedulerError> {
        let ranges = [
            (
                "maximumEventAgeInSeconds",
                self.maximum_event_age_in_seconds,
                60..=86_400,
            ),
            ("maximumRetryAttempts", self.maximum_retry_attempts, 0..=185),
        ];
        for (name, value, range) in ranges {
            if !range.contains(&value) {
                let rule = format!(
                    "Member must have value between {} and {}",
                    range.start(),
                    range.end()
                );
                let member = format!("target.retryPolicy.{name}");
                return Err(SchedulerError::violation(&member, &value.to_string(), &rule));
            }
        }
        Ok(())
    }
}

impl EventBridgeParameters {
    fn check(&self) -> Result<(), SchedulerError> {
        let at = |member: &str| format!("target.eventBridgeParameters.{member}");
        if !(1..=128).contains(&self.detail_type.chars().count()) {
            let rule = "Member must have length between 1 and 128";
            return Err(SchedulerError::violation(
                &at("detailType"),
                &self.detail_type,
                rule,
            ));
        }
        if !(1..=256).contains(&self.source.chars().count()) || self.source.starts_with("aws.") {
            let rule = "Member must have length between 1 and 256 and not begin with aws.";
            return Err(SchedulerError::violation(&at("source"), &self.source, rule));
        }
        Ok(())
    }
}

/// What the context attributes in an input stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) schedule_arn: String,
    /// RFC 3339, in UTC and seconds.
    pub(crate) scheduled_time: String,
    pub(crate) execution_id: String,
    pub(crate) attempt: u32,
}

impl Context {
    /// The input with the attributes' values in their places.
    pub(crate) fn fill(&self, input: &str) -> String {
        input
            .replace("<aws.scheduler.schedule-arn>", &self.schedule_arn)
            .replace("<aws.scheduler.scheduled-time>", &self.scheduled_time)
            .replace("<aws.scheduler.execution-id>", &self.execution_id)
            .replace("<aws.scheduler.attempt-number>", &self.attempt.to_string())
    }

    /// For checks of an input before there is an occurrence.
    fn sample() -> Self {
        Self {
            schedule_arn: "arn".into(),
            scheduled_time: "1970-01-01T00:00:00Z".into(),
            execution_id: "0".into(),
            attempt: 1,
        }
    }
}

impl Target {
    /// Functions and buses take JSON only, and a universal target's input is its request.
    fn check_input(&self) -> Result<(), SchedulerError> {
        let invalid = |text: String| Err(SchedulerError::Validation(text));
        let input = self.input.as_ref().map(|input| Context::sample().fill(input));
        let json = input.as_deref().map(serde_json::from_str::<Value>);
        match (&self.kind, json) {
            (TargetKind::Api(operation), given) => match given {
                Some(Ok(request)) => operation.read(&request).map(drop),
                Some(Err(_)) | None => {
                    invalid("The Input of a universal target must be a JSON request.".into())
                }
            },
            (TargetKind::Bus { .. }, Some(given)) if !given.as_ref().is_ok_and(Value::is_object) => {
                invalid("The Input for an event bus must be a JSON object.".into())
            }
            (TargetKind::Plain(arn), Some(Err(_))) if &*arn.service == "lambda" => {
                invalid("The Input for a Lambda function must be well-formed JSON.".into())
            }
            _ => Ok(()),
        }
    }
}

/// What a request of a universal target asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiRequest {
    pub(crate) target: Arn,
    pub(crate) body: String,
    pub(crate) subject: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) deduplication_id: Option<String>,
}

impl ApiOperation {
    /// Its members, and whether they are needed.
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::LambdaInvoke => &["FunctionName", "InvocationType", "Payload"],
            Self::SnsPublish => &[
                "TopicArn",
                "Message",
                "Subject",
                "MessageGroupId",
                "MessageDeduplicationId",
            ],
            Self::SqsSendMessage => &[
                "QueueUrl",
                "MessageBody",
                "MessageGroupId",
                "MessageDeduplicationId",
            ],
        }
    }

    /// Reads the request that is the target's input.
    pub(crate) fn read(self, request: &Value) -> Result<ApiRequest, SchedulerError> {
        let invalid = |text: String| SchedulerError::Validation(text);
        let Some(request) = request.as_object() else {
            return Err(invalid(
                "The Input of a universal target must be a JSON object.".into(),
            ));
        };
        for (name, value) in request {
            if !self.members().contains(&name.as_str()) {
                let reason = "it is not one of the members that universal targets take here";
                return Err(SchedulerError::unsupported(&format!("Input.{name}"), reason));
            }
            if !value.is_string() {
                return Err(invalid(format!("Input.{name} must be a string.")));
            }
        }
        let text = |name: &str| request.get(name).and_then(Value::as_str).map(str::to_owned);
        let need = |name: &str| text(name).ok_or_else(|| invalid(format!("Input.{name} must be set.")));
        let arn = |name: &str, text: &str| {
            let arn: Option<Arn> = text.parse().ok();
            arn.ok_or_else(|| invalid(format!("Input.{name} must be an ARN.")))
        };
        let (target, body) = match self {
            Self::LambdaInvoke => {
                if text("InvocationType").is_some_and(|kind| kind != "Event") {
                    let reason = "a schedule invokes asynchronously: Event";
                    return Err(SchedulerError::unsupported("Input.InvocationType", reason));
                }
                let function = need("FunctionName")?;
                (
                    arn("FunctionName", &function)?,
                    text("Payload").unwrap_or_else(|| "{}".into()),
                )
            }
            Self::SnsPublish => (arn("TopicArn", &need("TopicArn")?)?, need("Message")?),
            Self::SqsSendMessage => {
                let url = need("QueueUrl")?;
                let queue = queue_of_url(&url)
                    .ok_or_else(|| invalid("Input.QueueUrl must be a queue's URL.".into()))?;
                (queue, need("MessageBody")?)
            }
        };
        Ok(ApiRequest {
            target,
            body,
            subject: text("Subject"),
            group: text("MessageGroupId"),
            deduplication_id: text("MessageDeduplicationId"),
        })
    }
}

/// The queue of `http://host/account/name`. The region is not in every URL: it is filled in later.
fn queue_of_url(url: &str) -> Option<Arn> {
    let (_, rest) = url.split_once("://")?;
    let mut parts = rest.split('/').skip(1);
    let (account, name) = (parts.next()?, parts.next()?);
    let region = rest.strip_prefix("sqs.").and_then(|host| host.split('.').next());
    let region = region
        .filter(|region| region.matches('-').count() == 2)
        .unwrap_or_default();
    format!("arn:aws:sqs:{region}:{account}:{name}").parse().ok()
}
