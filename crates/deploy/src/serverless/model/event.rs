//! The events of a function other than requests.

use serde_json::{Map, Value};

use super::kafka::KafkaEvent;
use crate::diagnostic::Span;
use crate::yaml::Node;

/// An event that invokes a function.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Its place among the events of its function, from 1.
    pub(crate) number: usize,
    pub(crate) source: EventSource,
    /// Its settings as they are written.
    pub(crate) node: Node,
    /// Where it is named.
    pub(crate) span: Span,
}

/// Where an event comes from.
#[derive(Clone, Debug)]
pub(crate) enum EventSource {
    /// `cloudwatchEvent`
    CloudwatchEvent(RuleEvent),
    CloudwatchLog(LogEvent),
    EventBridge(RuleEvent),
    Kafka(KafkaEvent),
    Msk(KafkaEvent),
    S3(S3Event),
    Schedule(ScheduleEvent),
    Sns(SnsEvent),
    Sqs(SqsEvent),
}

/// `sqs`: an event source mapping.
#[derive(Clone, Debug)]
pub(crate) struct SqsEvent {
    pub(crate) queue: Value,
    pub(crate) batch_size: u64,
    pub(crate) batching_window: Option<u64>,
    pub(crate) enabled: bool,
    /// `ReportBatchItemFailures`
    pub(crate) reports_failures: bool,
    /// Each as JSON.
    pub(crate) filter_patterns: Vec<String>,
    pub(crate) maximum_concurrency: Option<u64>,
}

/// `s3`: a notification of a bucket.
#[derive(Clone, Debug)]
pub(crate) struct S3Event {
    /// What logical ids call the bucket: its name, its key below `provider.s3`, or the resource it is.
    pub(crate) bucket: String,
    /// The name of a bucket that is there, or an expression that gives it; none if the event makes the bucket.
    pub(crate) existing: Option<Value>,
    /// For example `s3:ObjectCreated:*`.
    pub(crate) event: String,
    /// `prefix` or `suffix`, and what it is.
    pub(crate) rules: Vec<(String, Value)>,
}

/// One entry of `provider.s3`.
#[derive(Clone, Debug, Default)]
pub(crate) struct BucketSettings {
    pub(crate) name: Option<String>,
    /// Properties of the bucket, by the names they have in the template.
    pub(crate) properties: Map<String, Value>,
}

/// `sns`: a subscription.
#[derive(Clone, Debug)]
pub(crate) struct SnsEvent {
    pub(crate) topic: Topic,
    /// The topic's name in logical ids, before it is normalised.
    pub(crate) name: String,
    pub(crate) filter_policy: Option<Value>,
    pub(crate) filter_policy_scope: Option<String>,
    pub(crate) redrive: Option<Redrive>,
}

/// The topic that is subscribed to.
#[derive(Clone, Debug)]
pub(crate) enum Topic {
    /// The stack makes it.
    New { display_name: Option<String> },
    /// It is there, or in `resources`.
    Existing { arn: Value },
}

/// The queue that gets what a subscription could not deliver.
#[derive(Clone, Debug)]
pub(crate) enum Redrive {
    /// `deadLetterTargetArn`
    Arn(String),
    /// `deadLetterTargetRef`: a queue below `resources`.
    Reference(String),
    /// `deadLetterTargetImport`: names that other stacks export.
    Import { arn: String, url: String },
}

/// `schedule`: rules of the event bus, or schedules of the scheduler, one for each expression.
#[derive(Clone, Debug)]
pub(crate) struct ScheduleEvent {
    /// `rate(…)`, `cron(…)`, `at(…)` or what gives one of them.
    pub(crate) rates: Vec<Value>,
    pub(crate) enabled: bool,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) input: Option<RuleInput>,
    pub(crate) method: ScheduleMethod,
}

/// What keeps the time.
#[derive(Clone, Debug)]
pub(crate) enum ScheduleMethod {
    EventBus,
    Scheduler {
        timezone: Option<String>,
        group: Option<Value>,
        role: Option<Value>,
    },
}

/// `eventBridge`, and `cloudwatchEvent`, its older spelling for the default bus.
#[derive(Clone, Debug)]
pub(crate) struct RuleEvent {
    pub(crate) bus: Bus,
    pub(crate) pattern: Option<Value>,
    pub(crate) schedule: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) input: Option<RuleInput>,
    /// `maximumEventAge` in seconds and `maximumRetryAttempts`.
    pub(crate) retry: Option<(Option<u64>, Option<u64>)>,
    pub(crate) dead_letters: Option<Value>,
}

/// The bus a rule is of.
#[derive(Clone, Debug)]
pub(crate) enum Bus {
    /// Nothing was said.
    Unnamed,
    /// `eventBus: default`
    Default,
    /// A name: the stack makes it.
    New(String),
    /// The ARN of one that is there.
    Arn(String),
    /// One of CloudFormation's functions.
    Expression(Value),
}

/// What a rule gives its target instead of the event.
#[derive(Clone, Debug)]
pub(crate) enum RuleInput {
    /// JSON, or whatever text stands there.
    Constant(String),
    Path(String),
    Transformer {
        paths: Option<Value>,
        template: Value,
    },
}

/// `cloudwatchLog`: a subscription filter.
#[derive(Clone, Debug)]
pub(crate) struct LogEvent {
    pub(crate) group: String,
    pub(crate) filter: String,
}
