//! A mapping as a request writes it: read, checked, and applied to what is there.

use serde::Deserialize;
use serde_json::Value;
use tradewind_events::QueueFacts;
use tradewind_model::{Arn, FunctionArn, Timestamp};

use super::filter::Filters;
use super::kafka::{WrittenKafka, check_kafka};
use super::limits::{BATCH_SIZE, MAXIMUM_CONCURRENCY, SMALL_BATCH, USUAL_BATCH_SIZE, WINDOW_SECONDS, within};
use super::model::{Mapping, MappingId, Settings, Source};
use crate::error::{LambdaError, MappingError, Violations};
use crate::model::Owner;
use crate::names::{Scope, Shape, Target};
use crate::service::LambdaService;
use crate::settings::{Members, Refusal, read_members};

const ARN_PATTERN: &str = "arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)";
/// The services that are event sources with AWS, and not here.
const SOURCES: &[&str] = &["docdb-elastic", "dynamodb", "kinesis", "mq", "rds"];
/// What only topics have.
const OF_TOPICS: &[&str] = &[
    "AmazonManagedKafkaEventSourceConfig",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "Topics",
];
/// What only queues have.
const OF_QUEUES: &[&str] = &["ScalingConfig"];
const OF_OTHERS: &str = "neither queues nor topics of Kafka have it";
/// What only sources have that are not served.
pub(crate) const NOT_FOR_SOURCES: &[(&str, &str)] = &[
    ("DocumentDBEventSourceConfig", OF_OTHERS),
    ("ParallelizationFactor", OF_OTHERS),
    ("Queues", OF_OTHERS),
    ("TumblingWindowInSeconds", OF_OTHERS),
];
/// What is known and not honoured yet, and what to do without it.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("KMSKeyArn", "filters are kept as they are; remove it"),
    ("LoggingConfig", "the node's log tells of mappings; remove it"),
    ("MetricsConfig", "there are no metrics of mappings; remove it"),
];
/// As [`REFUSED`], within a member.
pub(crate) const REFUSED_WITHIN: &[(&str, &str, &str)] = &[
    (
        "AmazonManagedKafkaEventSourceConfig",
        "SchemaRegistryConfig",
        NO_REGISTRY,
    ),
    (
        "DestinationConfig",
        "OnSuccess",
        "mappings tell of failures alone; remove it",
    ),
    (
        "ProvisionedPollerConfig",
        "PollerGroupName",
        "pollers are not shared; remove it",
    ),
    (
        "SelfManagedKafkaEventSourceConfig",
        "SchemaRegistryConfig",
        NO_REGISTRY,
    ),
];
const NO_REGISTRY: &str = "records reach the function as they are; decode them there";
const POLLERS_OF_QUEUES: &str = "pollers scale with the queue; use `ScalingConfig` to bound them";

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
    kafka: WrittenKafka,
    /// All that was written, for what not every source has.
    members: Members,
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
        let kafka: WrittenKafka = read_members(members)?;
        let written = given.check(&mut violations);
        kafka.check(&mut violations);
        check_position(members, &mut violations);
        violations.into_result()?;
        Ok(Self {
            filters: filters?,
            kafka,
            members: members.clone(),
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
        let (id, now) = (MappingId::random(), service.clock().now());
        let source = self.source_of(scope, id, now)?;
        self.check_members(&source)?;
        let function = function_of(service, self.function.as_deref().unwrap_or_default(), scope)?;
        let mapping = Mapping {
            id,
            account: scope.account.clone(),
            region: scope.region.clone(),
            function,
            enabled: self.enabled.unwrap_or(true),
            settings: self.settings(&source.usual_settings())?,
            source,
            tags: std::collections::BTreeMap::new(),
            modified: now,
            owner,
        };
        check_with_source(service, &mapping)?;
        // what a stack replaces goes after this
        let others = others.iter().map(|other| &**other);
        let others = others.filter(|other| other.owner.is_none() || other.owner != mapping.owner);
        check_kafka(service, &mapping, others.clone())?;
        let mut others = others;
        match others.find(|other| other.source == mapping.source && other.function == mapping.function) {
            Some(there) => Err(MappingError::Exists {
                source_arn: there.source.arn().map(Arn::to_string).unwrap_or_default(),
                function: there.function.name.to_string(),
                id: there.id.to_string(),
            }
            .into()),
            None => Ok(mapping),
        }
    }

    /// Whether it is the source of `mapping` that is written here.
    pub(crate) fn is_source_of(&self, mapping: &Mapping) -> bool {
        let scope = Scope {
            account: mapping.account.clone(),
            region: mapping.region.clone(),
        };
        // a position in the future was refused when the mapping was made
        let written = self.source_of(&scope, mapping.id, Timestamp::from_millis(i64::MAX));
        written.is_ok_and(|source| source == mapping.source)
    }

    fn source_of(&self, scope: &Scope, id: MappingId, now: Timestamp) -> Result<Source, MappingError> {
        let arn = self.source.clone();
        let service = arn.as_ref().map(|arn| &*arn.service);
        if self.kafka.is_self_managed() || service == Some("kafka") {
            return Ok(Source::Kafka(self.kafka.source(arn, id, now)?));
        }
        source_of(arn.ok_or(MappingError::UnrecognizedSource)?, scope)
    }

    /// What a template makes of `current`: what is not written is as usual.
    pub(crate) fn replace(&self, service: &LambdaService, current: &Mapping) -> Result<Mapping, LambdaError> {
        let usual = Mapping {
            enabled: true,
            settings: current.source.usual_settings(),
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
        self.check_members(&current.source)?;
        if let Source::Kafka(source) = &current.source {
            self.kafka.check_change(source).map_err(MappingError::Kafka)?;
        }
        let mapping = Mapping {
            function,
            enabled: self.enabled.unwrap_or(current.enabled),
            settings: self.settings(&current.settings)?,
            modified: now,
            ..current.clone()
        };
        // one may always be switched off, whatever became of its queue
        if mapping.enabled || mapping.settings != current.settings {
            check_with_source(service, &mapping)?;
            check_kafka(service, &mapping, std::iter::empty())?;
        }
        Ok(mapping)
    }

    fn settings(&self, current: &Settings) -> Result<Settings, MappingError> {
        Ok(Settings {
            batch_size: self.batch_size.unwrap_or(current.batch_size),
            window_seconds: self.window_seconds.or(current.window_seconds),
            maximum_concurrency: self.maximum_concurrency.unwrap_or(current.maximum_concurrency),
            reports_failures: self.reports_failures.unwrap_or(current.reports_failures),
            filters: self.filters.clone().unwrap_or_else(|| current.filters.clone()),
            kafka: self.kafka.settings(&current.kafka)?,
        })
    }

    /// Refuses what the source does not have, and what is not honoured.
    fn check_members(&self, source: &Source) -> Result<(), LambdaError> {
        let given = |name: &str| self.members.get(name).is_some_and(|value| !is_empty(value));
        let others = NOT_FOR_SOURCES.iter().map(|(name, _)| *name);
        let of_others: Vec<&'static str> = match source {
            Source::Queue(_) => OF_TOPICS.iter().copied().chain(others).collect(),
            Source::Kafka(_) => OF_QUEUES.iter().copied().chain(others).collect(),
        };
        if let Source::Queue(_) = source {
            if given("StartingPosition") || given("StartingPositionTimestamp") {
                return Err(MappingError::StartingPosition.into());
            }
            if given("ProvisionedPollerConfig") {
                return Err(refusal(&["ProvisionedPollerConfig"], POLLERS_OF_QUEUES));
            }
        }
        if let Some(member) = of_others.into_iter().find(|name| given(name)) {
            return Err(MappingError::NotForSource { member }.into());
        }
        if let Some((name, hint)) = REFUSED.iter().find(|(name, _)| given(name)) {
            return Err(refusal(&[name], hint));
        }
        let within = |outer: &str, name: &str| {
            let member = self.members.get(outer).and_then(|outer| outer.get(name));
            member.is_some_and(|value| !is_empty(value))
        };
        match REFUSED_WITHIN.iter().find(|(outer, name, _)| within(outer, name)) {
            Some((outer, name, hint)) => Err(refusal(&[outer, name], hint)),
            None => Ok(()),
        }
    }
}

fn refusal(path: &[&str], hint: &'static str) -> LambdaError {
    LambdaError::Refused(Refusal {
        path: path.iter().map(|part| (*part).to_owned()).collect(),
        hint,
    })
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
            kafka: WrittenKafka::default(),
            members: Members::new(),
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

/// Refuses what the source as it is now does not allow.
fn check_with_source(service: &LambdaService, mapping: &Mapping) -> Result<(), LambdaError> {
    let function = || {
        let function = service.find(&mapping.function.unqualified());
        function.ok_or(MappingError::NoFunction)
    };
    let Source::Queue(arn) = &mapping.source else {
        return function().map(|_there| ()).map_err(LambdaError::from);
    };
    let queue = service
        .queue_source()
        .queue(arn)
        .map_err(|_not_found| MappingError::NoQueue)?;
    check_batches(&mapping.settings, &queue)?;
    let function = function()?;
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
    match (queue.fifo, settings.window_seconds.unwrap_or(0)) {
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
