//! A mapping as a request writes it: read, checked, and applied to what is there.

use serde::Deserialize;
use serde_json::Value;
use tradewind_events::QueueFacts;
use tradewind_model::{Arn, FunctionArn, Timestamp};

use super::filter::Filters;
use super::limits::{BATCH_SIZE, MAXIMUM_CONCURRENCY, SMALL_BATCH, USUAL_BATCH_SIZE, WINDOW_SECONDS, within};
use super::model::{Mapping, MappingId, Settings, Source};
use crate::error::{LambdaError, MappingError, Violations};
use crate::model::Owner;
use crate::names::{Scope, Shape, Target};
use crate::service::LambdaService;
use crate::settings::{Members, Refusal, read_members};

const ARN_PATTERN: &str = "arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)";
/// The services that are event sources with AWS.
const SOURCES: &[&str] = &["docdb-elastic", "dynamodb", "kafka", "kinesis", "mq", "rds"];
const NOT_OF_QUEUES: &str = "queues do not have it";
/// What only sources of other kinds have.
pub(crate) const NOT_FOR_QUEUES: &[(&str, &str)] = &[
    ("AmazonManagedKafkaEventSourceConfig", NOT_OF_QUEUES),
    ("BisectBatchOnFunctionError", NOT_OF_QUEUES),
    (
        "DestinationConfig",
        "messages that fail go to the dead-letter queue of their queue",
    ),
    ("DocumentDBEventSourceConfig", NOT_OF_QUEUES),
    ("MaximumRecordAgeInSeconds", NOT_OF_QUEUES),
    (
        "MaximumRetryAttempts",
        "the redrive policy of the queue says how often a message is tried",
    ),
    ("ParallelizationFactor", NOT_OF_QUEUES),
    ("Queues", NOT_OF_QUEUES),
    ("SelfManagedEventSource", NOT_OF_QUEUES),
    ("SelfManagedKafkaEventSourceConfig", NOT_OF_QUEUES),
    ("SourceAccessConfigurations", NOT_OF_QUEUES),
    ("Topics", NOT_OF_QUEUES),
    ("TumblingWindowInSeconds", NOT_OF_QUEUES),
];
/// What is known and not honoured yet, and what to do without it.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("KMSKeyArn", "filters are kept as they are; remove it"),
    ("LoggingConfig", "the node's log tells of mappings; remove it"),
    ("MetricsConfig", "there are no metrics of mappings; remove it"),
    (
        "ProvisionedPollerConfig",
        "pollers scale with the queue; use `ScalingConfig` to bound them",
    ),
];

/// See the module. What is none was not written.
#[derive(Clone, Debug)]
pub(crate) struct WrittenMapping {
    function: Option<String>,
    source: Option<Arn>,
    enabled: Option<bool>,
    batch_size: Option<u32>,
    window_seconds: Option<u32>,
    maximum_concurrency: Option<Option<u32>>,
    reports_failures: Option<bool>,
    filters: Option<Filters>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Given {
    function_name: Option<String>,
    event_source_arn: Option<String>,
    enabled: Option<bool>,
    batch_size: Option<i64>,
    maximum_batching_window_in_seconds: Option<i64>,
    scaling_config: Option<GivenScaling>,
    function_response_types: Option<Vec<String>>,
    filter_criteria: Option<GivenCriteria>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GivenCriteria {
    filters: Option<Vec<GivenFilter>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GivenFilter {
    pattern: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GivenScaling {
    maximum_concurrency: Option<i64>,
}

impl WrittenMapping {
    /// Reads and checks what needs no look at functions and queues.
    pub(crate) fn read(members: &Members) -> Result<Self, LambdaError> {
        let given: Given = read_members(members)?;
        let mut violations = Violations::default();
        let filters = given
            .filter_criteria
            .as_ref()
            .map(GivenCriteria::parse)
            .transpose();
        let written = given.check(&mut violations);
        check_position(members, &mut violations);
        violations.into_result()?;
        check_members(members, written.source.as_ref())?;
        Ok(Self {
            filters: filters?,
            ..written
        })
    }

    /// The name of the function, as it was written.
    pub(crate) fn function(&self) -> Option<&str> {
        self.function.as_deref()
    }

    /// A mapping that is not there yet; `others` are.
    pub(crate) fn create(
        &self,
        service: &LambdaService,
        scope: &Scope,
        owner: Option<Owner>,
        others: &[std::sync::Arc<Mapping>],
    ) -> Result<Mapping, LambdaError> {
        let source = self.source.clone().ok_or(MappingError::UnrecognizedSource)?;
        let source = source_of(source, scope)?;
        let function = function_of(service, self.function.as_deref().unwrap_or_default(), scope)?;
        let mapping = Mapping {
            id: MappingId::random(),
            account: scope.account.clone(),
            region: scope.region.clone(),
            source,
            function,
            enabled: self.enabled.unwrap_or(true),
            settings: self.settings(&Settings::default()),
            tags: std::collections::BTreeMap::new(),
            modified: service.clock().now(),
            owner,
        };
        check_with_source(service, &mapping)?;
        let same = |other: &&std::sync::Arc<Mapping>| {
            other.source == mapping.source && other.function == mapping.function
        };
        match others.iter().find(same) {
            Some(there) => Err(MappingError::Exists {
                source_arn: there.source.arn().to_string(),
                function: there.function.name.to_string(),
                id: there.id.to_string(),
            }
            .into()),
            None => Ok(mapping),
        }
    }

    /// What a template makes of `current`: what is not written is as usual.
    pub(crate) fn replace(&self, service: &LambdaService, current: &Mapping) -> Result<Mapping, LambdaError> {
        let usual = Mapping {
            enabled: true,
            settings: Settings::default(),
            ..current.clone()
        };
        let now = service.clock().now();
        let after = self.change(service, &usual, now)?;
        let same = Mapping {
            modified: current.modified,
            ..after.clone()
        };
        Ok(if same == *current { same } else { after })
    }

    /// What `current` becomes.
    pub(crate) fn change(
        &self,
        service: &LambdaService,
        current: &Mapping,
        now: Timestamp,
    ) -> Result<Mapping, LambdaError> {
        let scope = Scope {
            account: current.account.clone(),
            region: current.region.clone(),
        };
        let function = match &self.function {
            Some(name) => function_of(service, name, &scope)?,
            None => current.function.clone(),
        };
        let mapping = Mapping {
            function,
            enabled: self.enabled.unwrap_or(current.enabled),
            settings: self.settings(&current.settings),
            modified: now,
            ..current.clone()
        };
        // one may always be switched off, whatever became of its queue
        if mapping.enabled || mapping.settings != current.settings {
            check_with_source(service, &mapping)?;
        }
        Ok(mapping)
    }

    fn settings(&self, current: &Settings) -> Settings {
        Settings {
            batch_size: self.batch_size.unwrap_or(current.batch_size),
            window_seconds: self.window_seconds.unwrap_or(current.window_seconds),
            maximum_concurrency: self.maximum_concurrency.unwrap_or(current.maximum_concurrency),
            reports_failures: self.reports_failures.unwrap_or(current.reports_failures),
            filters: self.filters.clone().unwrap_or_else(|| current.filters.clone()),
        }
    }
}

impl Given {
    fn check(self, violations: &mut Violations) -> WrittenMapping {
        let source = self.event_source_arn.as_deref().map(str::parse::<Arn>);
        if let Some(Err(_no_arn)) = &source {
            let constraint = format!("Member must satisfy regular expression pattern: {ARN_PATTERN}");
            violations.add(&["EventSourceArn"], self.event_source_arn.clone(), constraint);
        }
        let maximum_concurrency = self.scaling_config.map(|scaling| {
            let path = &["ScalingConfig", "MaximumConcurrency"];
            within(
                path,
                scaling.maximum_concurrency,
                &MAXIMUM_CONCURRENCY,
                violations,
            )
        });
        let window = &["MaximumBatchingWindowInSeconds"];
        WrittenMapping {
            function: self.function_name,
            source: source.and_then(Result::ok),
            enabled: self.enabled,
            batch_size: within(&["BatchSize"], self.batch_size, &BATCH_SIZE, violations),
            window_seconds: within(
                window,
                self.maximum_batching_window_in_seconds,
                &WINDOW_SECONDS,
                violations,
            ),
            maximum_concurrency,
            reports_failures: self
                .function_response_types
                .map(|types| check_response_types(&types, violations)),
            filters: None,
        }
    }
}

impl GivenCriteria {
    fn parse(&self) -> Result<Filters, MappingError> {
        let filters = self.filters.iter().flatten();
        Filters::parse(filters.map(|filter| filter.pattern.as_deref().unwrap_or_default()))
    }
}

fn check_response_types(types: &[String], violations: &mut Violations) -> bool {
    let path = &["FunctionResponseTypes"];
    if types.len() > 1 {
        let constraint = "Member must have length less than or equal to 1";
        violations.add(path, format!("[{}]", types.join(", ")), constraint);
    }
    if types.iter().any(|name| name != "ReportBatchItemFailures") {
        let constraint = "Member must satisfy constraint: [Member must satisfy enum value set: \
                          [ReportBatchItemFailures]]";
        violations.add(path, format!("[{}]", types.join(", ")), constraint);
    }
    !types.is_empty()
}

fn check_position(members: &Members, violations: &mut Violations) {
    const POSITIONS: &[&str] = &["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"];
    if let Some(Value::String(position)) = members.get("StartingPosition")
        && !POSITIONS.contains(&position.as_str())
    {
        let constraint = "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]";
        violations.add(&["StartingPosition"], position.clone(), constraint);
    }
}

/// Refuses what the source does not have, and what is not honoured.
fn check_members(members: &Members, source: Option<&Arn>) -> Result<(), LambdaError> {
    let given = |name: &str| members.get(name).is_some_and(|value| !is_empty(value));
    if given("SelfManagedEventSource") {
        let service = "self-managed Kafka".to_owned();
        return Err(MappingError::SourceNotServed { service }.into());
    }
    if source.is_some_and(|source| SOURCES.contains(&&*source.service)) {
        return Ok(());
    }
    if given("StartingPosition") || given("StartingPositionTimestamp") {
        return Err(MappingError::StartingPosition.into());
    }
    if let Some((member, _)) = NOT_FOR_QUEUES.iter().copied().find(|(name, _)| given(name)) {
        return Err(MappingError::NotForQueues { member }.into());
    }
    match REFUSED.iter().find(|(name, _)| given(name)) {
        Some((name, hint)) => Err(LambdaError::Refused(Refusal {
            path: vec![(*name).to_owned()],
            hint,
        })),
        None => Ok(()),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn source_of(arn: Arn, scope: &Scope) -> Result<Source, MappingError> {
    match &*arn.service {
        "sqs" if *arn.region != *scope.region.as_str() || *arn.account != *scope.account.as_str() => {
            Err(MappingError::SourceElsewhere {
                source_arn: arn.to_string(),
            })
        }
        "sqs" => Ok(Source::Queue(arn)),
        service if SOURCES.contains(&service) => Err(MappingError::SourceNotServed {
            service: service.to_owned(),
        }),
        _ => Err(MappingError::UnrecognizedSource),
    }
}

fn function_of(service: &LambdaService, name: &str, scope: &Scope) -> Result<FunctionArn, LambdaError> {
    let target = Target::parse(Shape::Namespaced, name, None, scope)?;
    let arn = target.function_arn()?;
    let function = service.find(&arn).ok_or(MappingError::NoFunction)?;
    match target.qualifier().transpose()? {
        None => Ok(arn),
        Some(qualifier) if function.version(&qualifier).is_some() => Ok(arn.qualified(qualifier)),
        Some(_) => Err(target.not_found()),
    }
}

/// Refuses what the queue as it is now does not allow.
fn check_with_source(service: &LambdaService, mapping: &Mapping) -> Result<(), LambdaError> {
    let Source::Queue(arn) = &mapping.source;
    let queue = service
        .queue_source()
        .queue(arn)
        .map_err(|_not_found| MappingError::NoQueue)?;
    check_batches(&mapping.settings, &queue)?;
    let function = service
        .find(&mapping.function.unqualified())
        .ok_or(MappingError::NoFunction)?;
    let qualifier = mapping.function.qualifier.clone().unwrap_or_default();
    let version = function.version(&qualifier).ok_or(MappingError::NoFunction)?;
    let timeout = std::time::Duration::from_secs(version.configuration.timeout.get().into());
    if queue.visibility_timeout < timeout {
        return Err(MappingError::VisibilityTooShort {
            queue: queue.visibility_timeout.as_secs(),
            function: timeout.as_secs(),
        }
        .into());
    }
    Ok(())
}

fn check_batches(settings: &Settings, queue: &QueueFacts) -> Result<(), MappingError> {
    let is_large = settings.batch_size > SMALL_BATCH;
    match (queue.fifo, settings.window_seconds) {
        (true, 1..) => Err(MappingError::FifoWindow),
        (true, 0) if is_large => Err(MappingError::FifoBatch),
        (false, 0) if is_large => Err(MappingError::WindowMissing),
        _ => Ok(()),
    }
}

const _: () = assert!(
    USUAL_BATCH_SIZE <= SMALL_BATCH,
    "what nobody asked for is never refused"
);
