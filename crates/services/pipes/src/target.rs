//! Where a pipe leads: which targets there are, and what each gets.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tradewind_connect::{InvalidTopic, Record, TopicArn};
use tradewind_events::api_destination::{HttpParameters, is_api_destination};
use tradewind_events::transform::JsonPath;
use tradewind_events::{Message, Trace};
use tradewind_model::{Arn, Timestamp};

use crate::error::PipesError;
use crate::model::Pipe;
use crate::settings::{arn, http_parameters};
use crate::template::InputTemplate;

const MAX_RESOURCES: usize = 10;
/// What `DetailType` is if nothing is said.
const DETAIL_TYPE: &str = "Event from aws:sqs";

/// `TargetParameters`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TargetParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input_template: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lambda_function_parameters: Option<LambdaFunctionParameters>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sqs_queue_parameters: Option<SqsQueueParameters>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_bridge_event_bus_parameters: Option<EventBusParameters>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kinesis_stream_parameters: Option<KinesisStreamParameters>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http_parameters: Option<HttpParameters>,
}

/// What a stream of Kinesis needs on AWS, and a topic of Kafka takes here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KinesisStreamParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition_key: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct LambdaFunctionParameters {
    #[serde(default)]
    invocation_type: InvocationType,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum InvocationType {
    #[default]
    RequestResponse,
    FireAndForget,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SqsQueueParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_group_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_deduplication_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EventBusParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resources: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<String>,
}

/// A pipe's target.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) arn: Arn,
    pub(crate) template: Option<InputTemplate>,
    pub(crate) kind: Kind,
}

/// How the target gets events.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A function that is waited for gets a batch as one list.
    Call,
    /// A function that is not waited for gets a batch as one list.
    List,
    /// A queue gets each event as a message.
    Queue {
        group: Option<Dynamic>,
        deduplication_id: Option<Dynamic>,
    },
    /// A bus gets each event as the detail of one.
    Bus(Box<Bus>),
    /// A topic or log group gets each event as a message.
    Each,
    /// An API destination gets each event as a request.
    Destination(HttpParameters),
    /// A topic of Kafka gets each event as a record.
    Topic { topic: TopicArn, key: Option<Dynamic> },
}

/// What an event on a bus says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Bus {
    source: Option<Dynamic>,
    detail_type: Option<Dynamic>,
    resources: Vec<Dynamic>,
    time: Option<Dynamic>,
}

/// A text, or the path to it in the event ("dynamic path parameters").
#[derive(Clone, Debug)]
pub(crate) enum Dynamic {
    Text(String),
    Path(JsonPath),
}

impl Dynamic {
    fn read(text: &str) -> Result<Self, PipesError> {
        if !text.starts_with("$.") {
            return Ok(Self::Text(text.to_owned()));
        }
        let path = text
            .parse()
            .map_err(|error| PipesError::Validation(format!("{error}")))?;
        Ok(Self::Path(path))
    }

    fn read_option(text: Option<&String>) -> Result<Option<Self>, PipesError> {
        text.map(|text| Self::read(text)).transpose()
    }

    /// What it is for this event; nothing if the event has nothing there.
    fn of(&self, event: &Value) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Path(path) => path.select(event).map(|value| match value.as_ref() {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }),
        }
    }
}

/// The target of that ARN.
///
/// # Errors
/// If there are no targets of its kind here, or with such parameters.
pub(crate) fn read(target: &str, parameters: Option<&TargetParameters>) -> Result<Target, PipesError> {
    let none = TargetParameters::default();
    let parameters = parameters.unwrap_or(&none);
    let arn = arn("target", target)?;
    parameters.check(&arn)?;
    let kind = match &*arn.service {
        "lambda" => match parameters
            .lambda_function_parameters
            .unwrap_or_default()
            .invocation_type
        {
            InvocationType::RequestResponse => Kind::Call,
            InvocationType::FireAndForget => Kind::List,
        },
        "sqs" => {
            let given = parameters.sqs_queue_parameters.clone().unwrap_or_default();
            Kind::Queue {
                group: Dynamic::read_option(given.message_group_id.as_ref())?,
                deduplication_id: Dynamic::read_option(given.message_deduplication_id.as_ref())?,
            }
        }
        "events" if arn.resource.starts_with("event-bus/") => {
            let given = parameters
                .event_bridge_event_bus_parameters
                .clone()
                .unwrap_or_default();
            Kind::Bus(Box::new(given.read()?))
        }
        _ if is_api_destination(&arn) => {
            Kind::Destination(http_parameters(parameters.http_parameters.as_ref())?)
        }
        "sns" | "logs" => Kind::Each,
        "kafka" => parameters.topic(&arn)?,
        other => {
            let reason = format!(
                "targets are functions, queues, topics, event buses, API destinations, log groups and topics of Kafka, \
                 not `{other}`"
            );
            return Err(PipesError::unsupported(&format!("the target {target}"), &reason));
        }
    };
    let template = parameters.input_template.as_deref().map(InputTemplate::parse);
    Ok(Target {
        arn,
        template: template.transpose()?.flatten(),
        kind,
    })
}

impl TargetParameters {
    fn topic(&self, arn: &Arn) -> Result<Kind, PipesError> {
        let invalid = || PipesError::Validation(InvalidTopic::Form(arn.to_string()).to_string());
        let given = self.kinesis_stream_parameters.as_ref();
        let key = given.and_then(|given| given.partition_key.as_ref());
        Ok(Kind::Topic {
            topic: TopicArn::of(arn).ok_or_else(invalid)?,
            key: Dynamic::read_option(key)?,
        })
    }

    /// Parameters of another kind of target are a mistake.
    fn check(&self, arn: &Arn) -> Result<(), PipesError> {
        let (is, is_destination) = (|service: &str| *arn.service == *service, is_api_destination(arn));
        let given = [
            (
                "LambdaFunctionParameters",
                self.lambda_function_parameters.is_some(),
                is("lambda"),
            ),
            (
                "SqsQueueParameters",
                self.sqs_queue_parameters.is_some(),
                is("sqs"),
            ),
            (
                "EventBridgeEventBusParameters",
                self.event_bridge_event_bus_parameters.is_some(),
                is("events") && !is_destination,
            ),
            (
                "KinesisStreamParameters",
                self.kinesis_stream_parameters.is_some(),
                is("kafka"),
            ),
            ("HttpParameters", self.http_parameters.is_some(), is_destination),
        ];
        let stray = given.iter().find(|(_, given, belongs)| *given && !*belongs);
        match stray {
            Some((name, ..)) => Err(PipesError::Validation(format!(
                "TargetParameters.{name} does not belong to the target {arn}."
            ))),
            None => Ok(()),
        }
    }
}

impl EventBusParameters {
    fn read(&self) -> Result<Bus, PipesError> {
        if self
            .source
            .as_deref()
            .is_some_and(|source| source.starts_with("aws."))
        {
            return Err(PipesError::Validation("Source must not begin with aws.".into()));
        }
        if self.resources.len() > MAX_RESOURCES {
            return Err(PipesError::Validation(
                "An event has at most 10 resources.".into(),
            ));
        }
        Ok(Bus {
            source: Dynamic::read_option(self.source.as_ref())?,
            detail_type: Dynamic::read_option(self.detail_type.as_ref())?,
            resources: self
                .resources
                .iter()
                .map(|text| Dynamic::read(text))
                .collect::<Result<_, _>>()?,
            time: Dynamic::read_option(self.time.as_ref())?,
        })
    }
}

/// An event at its target: what it is made of, and the text that the template made.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Its encoded parts are parsed.
    pub(crate) event: Value,
    pub(crate) text: String,
    pub(crate) trace: Trace,
}

impl Target {
    /// The messages of a batch.
    ///
    /// # Errors
    /// Why the target cannot get one of them.
    pub(crate) fn messages(
        &self,
        pipe: &Pipe,
        inputs: &[Input],
        now: Timestamp,
    ) -> Result<Vec<Message>, String> {
        let message = |body: String, trace: &Trace| Message {
            body: body.into(),
            sender: "pipes.amazonaws.com".to_owned(),
            source: pipe.id.to_string(),
            trace: trace.clone(),
            ..Message::default()
        };
        match &self.kind {
            Kind::Call | Kind::List => {
                let trace = inputs
                    .first()
                    .map(|input| input.trace.clone())
                    .unwrap_or_default();
                Ok(vec![message(list(inputs), &trace)])
            }
            Kind::Queue {
                group,
                deduplication_id,
            } => Ok(inputs
                .iter()
                .map(|input| Message {
                    group: group.as_ref().and_then(|group| group.of(&input.event)),
                    deduplication_id: deduplication_id.as_ref().and_then(|id| id.of(&input.event)),
                    ..message(input.text.clone(), &input.trace)
                })
                .collect()),
            Kind::Bus(bus) => inputs
                .iter()
                .map(|input| Ok(message(bus.event(pipe, &self.arn, input, now)?, &input.trace)))
                .collect(),
            Kind::Each | Kind::Topic { .. } | Kind::Destination(_) => Ok(inputs
                .iter()
                .map(|input| message(input.text.clone(), &input.trace))
                .collect()),
        }
    }
}

/// The records of a batch.
pub(crate) fn records(key: Option<&Dynamic>, inputs: &[Input]) -> Vec<Record> {
    let record = |input: &Input| Record {
        key: key.and_then(|key| key.of(&input.event)).map(Bytes::from),
        value: Some(Bytes::from(input.text.clone())),
        headers: Vec::new(),
    };
    inputs.iter().map(record).collect()
}

/// A batch as one list.
pub(crate) fn list(inputs: &[Input]) -> String {
    let texts: Vec<&str> = inputs.iter().map(|input| &*input.text).collect();
    format!("[{}]", texts.join(","))
}

impl Bus {
    /// The event with its envelope.
    fn event(&self, pipe: &Pipe, bus: &Arn, input: &Input, now: Timestamp) -> Result<String, String> {
        let detail: Value = serde_json::from_str(&input.text).unwrap_or(Value::Null);
        if !detail.is_object() {
            return Err("the detail of an event is a JSON object".to_owned());
        }
        let of = |dynamic: &Option<Dynamic>| dynamic.as_ref().and_then(|dynamic| dynamic.of(&input.event));
        let resources: Vec<String> = self
            .resources
            .iter()
            .filter_map(|one| one.of(&input.event))
            .collect();
        let event = json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": of(&self.detail_type).unwrap_or_else(|| DETAIL_TYPE.to_owned()),
            "source": of(&self.source).unwrap_or_else(|| format!("Pipe {}", pipe.id.name())),
            "account": &*bus.account,
            "time": of(&self.time).unwrap_or_else(|| format!("{:.0}", now.to_jiff())),
            "region": &*bus.region,
            "resources": resources,
            "detail": detail,
        });
        Ok(event.to_string())
    }
}
