//! What the owner of a function wants of its asynchronous invocations: how often and how long they are
//! tried, and who hears of their end (`PutFunctionEventInvokeConfig`, `AWS::Lambda::EventInvokeConfig`).
//!
//! It is kept by qualifier: that of an alias holds for the events sent to the alias, that of `$LATEST` for
//! those sent to the function itself. Destinations are functions of the same account and region, queues, topics
//! and event buses; other services are refused by name.

use serde::Deserialize;
use tradewind_model::{Arn, FunctionArn, Timestamp};

use crate::error::{LambdaError, Violations};
use crate::model::Function;
use crate::schedule::Patience;
use crate::service::LambdaService;
use crate::settings::{Members, Refusal, read_members};

const RETRIES: std::ops::RangeInclusive<i64> = 0..=2;
const AGE_SECONDS: std::ops::RangeInclusive<i64> = 60..=21_600;
const LONGEST_DESTINATION: usize = 350;
const DESTINATION_PATTERN: &str = "^$|kafka://([^.]([a-zA-Z0-9\\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:\
                                   ([a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)";
const ON_SUCCESS: &[&str] = &["DestinationConfig", "OnSuccess", "Destination"];
const ON_FAILURE: &[&str] = &["DestinationConfig", "OnFailure", "Destination"];

/// The configuration of one qualifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventInvoke {
    /// `MaximumRetryAttempts`: retries after the function failed.
    pub(crate) retries: Option<u32>,
    /// `MaximumEventAgeInSeconds`.
    pub(crate) age_seconds: Option<u32>,
    /// Who hears of successes.
    pub(crate) on_success: Option<Arn>,
    /// Who hears of events that were given up.
    pub(crate) on_failure: Option<Arn>,
    pub(crate) last_modified: Timestamp,
}

impl EventInvoke {
    /// How long the schedule goes on.
    pub(crate) fn patience(&self) -> Patience {
        let usual = Patience::default();
        Patience {
            function_retries: self.retries.unwrap_or(usual.function_retries),
            age_ms: self
                .age_seconds
                .map_or(usual.age_ms, |seconds| i64::from(seconds) * 1_000),
        }
    }

    /// Whether both ask for the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let at = other.last_modified;
        Self {
            last_modified: at,
            ..self.clone()
        } == *other
    }
}

/// The configuration as a request writes it, checked; what it does not name is none.
#[derive(Clone, Debug)]
pub(crate) struct WrittenEventInvoke {
    retries: Option<u32>,
    age_seconds: Option<u32>,
    destinations: Option<Destinations>,
}

#[derive(Clone, Debug, Default)]
struct Destinations {
    on_success: Option<String>,
    on_failure: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Given {
    maximum_retry_attempts: Option<i64>,
    maximum_event_age_in_seconds: Option<i64>,
    destination_config: Option<GivenDestinations>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GivenDestinations {
    on_success: Option<GivenDestination>,
    on_failure: Option<GivenDestination>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GivenDestination {
    destination: Option<String>,
}

impl WrittenEventInvoke {
    /// Reads and checks what needs no look at other functions.
    pub(crate) fn read(members: &Members) -> Result<Self, LambdaError> {
        let given: Given = read_members(members)?;
        let mut violations = Violations::default();
        let written = given.check(&mut violations);
        violations.into_result()?;
        if written.retries.is_none() && written.age_seconds.is_none() && written.destinations.is_none() {
            return Err(LambdaError::NothingToConfigure);
        }
        Ok(written)
    }

    /// The configuration after this was written over `current`.
    pub(crate) fn apply(
        &self,
        service: &LambdaService,
        function: &Function,
        current: Option<&EventInvoke>,
        now: Timestamp,
    ) -> Result<EventInvoke, LambdaError> {
        let (on_success, on_failure) = match &self.destinations {
            Some(destinations) => destinations.resolve(service, function)?,
            None => current.map_or((None, None), |current| {
                (current.on_success.clone(), current.on_failure.clone())
            }),
        };
        Ok(EventInvoke {
            retries: self
                .retries
                .or_else(|| current.and_then(|current| current.retries)),
            age_seconds: self
                .age_seconds
                .or_else(|| current.and_then(|current| current.age_seconds)),
            on_success,
            on_failure,
            last_modified: now,
        })
    }
}

impl Given {
    fn check(self, violations: &mut Violations) -> WrittenEventInvoke {
        let destinations = self.destination_config.map(|given| {
            let text = |given: Option<GivenDestination>| given?.destination.filter(|text| !text.is_empty());
            Destinations {
                on_success: text(given.on_success),
                on_failure: text(given.on_failure),
            }
        });
        if let Some(destinations) = &destinations {
            check_destination(ON_SUCCESS, destinations.on_success.as_deref(), violations);
            check_destination(ON_FAILURE, destinations.on_failure.as_deref(), violations);
        }
        let retries = within(
            &["MaximumRetryAttempts"],
            self.maximum_retry_attempts,
            &RETRIES,
            violations,
        );
        let age_seconds = within(
            &["MaximumEventAgeInSeconds"],
            self.maximum_event_age_in_seconds,
            &AGE_SECONDS,
            violations,
        );
        WrittenEventInvoke {
            retries,
            age_seconds,
            destinations,
        }
    }
}

fn within(
    path: &'static [&'static str],
    given: Option<i64>,
    range: &std::ops::RangeInclusive<i64>,
    violations: &mut Violations,
) -> Option<u32> {
    let given = given?;
    if !range.contains(&given) {
        let constraint = if given < *range.start() {
            format!(
                "Member must have value greater than or equal to {}",
                range.start()
            )
        } else {
            format!("Member must have value less than or equal to {}", range.end())
        };
        violations.add(path, given.to_string(), constraint);
    }
    u32::try_from(given).ok()
}

fn check_destination(path: &'static [&'static str], given: Option<&str>, violations: &mut Violations) {
    let Some(given) = given else { return };
    if given.chars().count() > LONGEST_DESTINATION {
        let constraint = format!("Member must have length less than or equal to {LONGEST_DESTINATION}");
        violations.add(path, given.to_owned(), constraint);
    }
    let is_arn = given.starts_with("arn:aws") && given.split(':').count() >= 6;
    if !is_arn && !given.starts_with("kafka://") {
        let constraint = format!("Member must satisfy regular expression pattern: {DESTINATION_PATTERN}");
        violations.add(path, given.to_owned(), constraint);
    }
}

impl Destinations {
    fn resolve(
        &self,
        service: &LambdaService,
        function: &Function,
    ) -> Result<(Option<Arn>, Option<Arn>), LambdaError> {
        let resolve = |path, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| self.resolve_one(service, function, path, text))
                .transpose()
        };
        Ok((
            resolve(ON_SUCCESS, &self.on_success)?,
            resolve(ON_FAILURE, &self.on_failure)?,
        ))
    }

    fn resolve_one(
        &self,
        service: &LambdaService,
        function: &Function,
        path: &[&str],
        text: &str,
    ) -> Result<Arn, LambdaError> {
        let of_service = match text.split(':').nth(2) {
            _ if text.starts_with("kafka://") => "kafka",
            Some(of_service) => of_service,
            None => "",
        };
        if let Some(hint) = hint_for(of_service) {
            let path = path.iter().map(|&name| name.to_owned()).collect();
            return Err(LambdaError::Refused(Refusal { path, hint }));
        }
        if !matches!(of_service, "lambda" | "sqs" | "sns" | "events") {
            return Err(self.invalid());
        }
        let invalid = || LambdaError::DestinationInvalid { arn: text.to_owned() };
        let arn: Arn = text.parse().map_err(|_no_arn| invalid())?;
        if of_service == "lambda" {
            let target: FunctionArn = text.parse().map_err(|_no_function| invalid())?;
            if target.unqualified() == function.arn {
                return Err(LambdaError::DestinationIsItself);
            }
            if target.account != function.arn.account || target.region != function.arn.region {
                return Err(invalid());
            }
        }
        if arn.resource.ends_with(".fifo") {
            return Err(invalid());
        }
        let found = service.router().find(&arn);
        found.map(|()| arn).map_err(|_not_there| invalid())
    }

    fn invalid(&self) -> LambdaError {
        let shown = |name: &str, text: &Option<String>| {
            let class = name.replacen('o', "O", 1);
            let part = text.as_ref().map(|text| format!("{class}(destination={text})"));
            format!("{name}={}", part.as_deref().unwrap_or("null"))
        };
        LambdaError::DestinationsInvalid {
            config: format!(
                "DestinationConfig({}, {})",
                shown("onSuccess", &self.on_success),
                shown("onFailure", &self.on_failure)
            ),
        }
    }
}

/// Why a service that AWS sends records to is none here.
fn hint_for(of_service: &str) -> Option<&'static str> {
    Some(match of_service {
        "s3" => "records are not sent to S3 buckets; name a function, a queue, a topic or a bus",
        "kafka" => "records are not sent to Kafka topics; name a function, a queue, a topic or a bus",
        _ => return None,
    })
}
