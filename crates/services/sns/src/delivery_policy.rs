//! Delivery policies: how often and when an HTTP endpoint is tried again. SNS developer guide, "Message
//! delivery retries" and "HTTP/HTTPS delivery policy".

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tradewind_events::delivery::{Backoff, LaneSettings, Rate, RetryPolicy};
use tradewind_model::Arn;

use crate::error::SnsError;

/// What all waits of a policy may take together.
const LONGEST: Duration = Duration::from_secs(3600);
const MAX_RETRIES: u32 = 100;
/// Attempts that one endpoint gets at the same time.
const CONCURRENCY: usize = 10;
const CONTENT_TYPE: &str = "text/plain; charset=UTF-8";

/// The policy of a topic, or of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeliveryPolicy {
    retry: Option<HealthyRetryPolicy>,
    throttle: Option<Throttle>,
    request: Option<RequestPolicy>,
    /// Of a topic: what subscriptions say does not count.
    no_overrides: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfTopic {
    http: HttpOfTopic,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HttpOfTopic {
    default_healthy_retry_policy: Option<HealthyRetryPolicy>,
    default_throttle_policy: Option<Throttle>,
    default_request_policy: Option<RequestPolicy>,
    #[serde(default)]
    disable_subscription_overrides: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfSubscription {
    healthy_retry_policy: Option<HealthyRetryPolicy>,
    throttle_policy: Option<Throttle>,
    request_policy: Option<RequestPolicy>,
    #[serde(default)]
    guaranteed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct HealthyRetryPolicy {
    min_delay_target: u32,
    max_delay_target: u32,
    num_retries: u32,
    num_max_delay_retries: u32,
    num_no_delay_retries: u32,
    num_min_delay_retries: u32,
    backoff_function: BackoffFunction,
}

impl Default for HealthyRetryPolicy {
    fn default() -> Self {
        Self {
            min_delay_target: 20,
            max_delay_target: 20,
            num_retries: 3,
            num_max_delay_retries: 0,
            num_no_delay_retries: 0,
            num_min_delay_retries: 0,
            backoff_function: BackoffFunction::Linear,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum BackoffFunction {
    Arithmetic,
    Exponential,
    Geometric,
    Linear,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Throttle {
    max_receives_per_second: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestPolicy {
    header_content_type: String,
}

fn invalid(reason: &str) -> SnsError {
    SnsError::invalid("DeliveryPolicy", reason)
}

impl DeliveryPolicy {
    /// A topic's `DeliveryPolicy`.
    pub(crate) fn of_topic(text: &str) -> Result<Self, SnsError> {
        let parsed: OfTopic = serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))?;
        let http = parsed.http;
        Self {
            retry: http.default_healthy_retry_policy,
            throttle: http.default_throttle_policy,
            request: http.default_request_policy,
            no_overrides: http.disable_subscription_overrides,
        }
        .checked()
    }

    /// A subscription's `DeliveryPolicy`.
    pub(crate) fn of_subscription(text: &str) -> Result<Self, SnsError> {
        let parsed: OfSubscription =
            serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))?;
        if parsed.guaranteed {
            return Err(SnsError::refused(
                "DeliveryPolicy.guaranteed",
                "policies are finite",
            ));
        }
        Self {
            retry: parsed.healthy_retry_policy,
            throttle: parsed.throttle_policy,
            request: parsed.request_policy,
            no_overrides: false,
        }
        .checked()
    }

    fn checked(self) -> Result<Self, SnsError> {
        if let Some(retry) = &self.retry {
            retry.check()?;
        }
        let no_receives = |throttle: &Throttle| throttle.max_receives_per_second == Some(0);
        if self.throttle.as_ref().is_some_and(no_receives) {
            return Err(invalid("throttlePolicy.maxReceivesPerSecond must be at least 1"));
        }
        let is_header = |request: &RequestPolicy| {
            http::HeaderValue::try_from(request.header_content_type.as_str()).is_ok()
        };
        if !self.request.as_ref().is_none_or(is_header) {
            return Err(invalid("requestPolicy.headerContentType is not a content type"));
        }
        Ok(self)
    }

    /// What holds for a subscription with `own` policy to a topic with this one.
    pub(crate) fn effective(&self, own: &Self) -> Self {
        if self.no_overrides {
            return self.clone();
        }
        Self {
            retry: own.retry.clone().or_else(|| self.retry.clone()),
            throttle: own.throttle.clone().or_else(|| self.throttle.clone()),
            request: own.request.clone().or_else(|| self.request.clone()),
            no_overrides: false,
        }
    }

    /// The `Content-Type` of what is posted.
    pub(crate) fn content_type(&self) -> &str {
        let asked = self.request.as_ref();
        asked.map_or(CONTENT_TYPE, |request| &request.header_content_type)
    }

    /// How deliveries under this policy are made.
    pub(crate) fn lane_settings(&self, dead_letter: Option<&Arn>) -> LaneSettings {
        let retry = self.retry.clone().unwrap_or_default();
        LaneSettings {
            retry: RetryPolicy {
                attempts: retry.num_retries + 1,
                age: None,
                backoff: Backoff::Listed(Arc::from(retry.delays())),
            },
            dead_letter: dead_letter.cloned(),
            concurrency: CONCURRENCY,
            rate: self
                .throttle
                .as_ref()
                .and_then(|throttle| throttle.max_receives_per_second)
                .map(Rate::own),
            in_order: None,
        }
    }

    /// `EffectiveDeliveryPolicy` of a topic.
    pub(crate) fn topic_json(&self) -> Value {
        let mut http = json!({
            "defaultHealthyRetryPolicy": self.retry.clone().unwrap_or_default(),
            "disableSubscriptionOverrides": self.no_overrides,
            "defaultRequestPolicy": {"headerContentType": self.content_type()},
        });
        if let Some(throttle) = &self.throttle {
            http["defaultThrottlePolicy"] = json!(throttle);
        }
        json!({"http": http})
    }

    /// `EffectiveDeliveryPolicy` of a subscription.
    pub(crate) fn subscription_json(&self) -> Value {
        json!({
            "healthyRetryPolicy": self.retry.clone().unwrap_or_default(),
            "throttlePolicy": self.throttle,
            "requestPolicy": {"headerContentType": self.content_type()},
            "guaranteed": false,
        })
    }
}

impl HealthyRetryPolicy {
    fn check(&self) -> Result<(), SnsError> {
        let at = |field: &str, rule: &str| Err(invalid(&format!("healthyRetryPolicy.{field} {rule}")));
        let phases = [
            self.num_no_delay_retries,
            self.num_min_delay_retries,
            self.num_max_delay_retries,
        ];
        if self.num_retries > MAX_RETRIES {
            return at("numRetries", "must be at most 100");
        }
        if self.min_delay_target == 0 || self.min_delay_target > self.max_delay_target {
            return at("minDelayTarget", "must be from 1 to maxDelayTarget");
        }
        if self.max_delay_target > 3600 {
            return at("maxDelayTarget", "must be at most 3600");
        }
        let in_phases = phases
            .iter()
            .fold(0_u32, |sum, retries| sum.saturating_add(*retries));
        if in_phases > self.num_retries {
            return at("numRetries", "must be at least the sum of the phases' retries");
        }
        if self.delays().iter().sum::<Duration>() > LONGEST {
            return at("numRetries", "would make the retries take more than 3600 seconds");
        }
        Ok(())
    }

    /// The wait before each retry: immediate, pre-backoff, backoff and post-backoff phase.
    fn delays(&self) -> Vec<Duration> {
        let phases = self.num_no_delay_retries + self.num_min_delay_retries + self.num_max_delay_retries;
        let backoff = self.num_retries.saturating_sub(phases);
        let repeat = |seconds: u32, times: u32| {
            std::iter::repeat_n(Duration::from_secs(seconds.into()), times as usize)
        };
        let mut delays: Vec<_> = repeat(0, self.num_no_delay_retries).collect();
        delays.extend(repeat(self.min_delay_target, self.num_min_delay_retries));
        delays.extend((0..backoff).map(|retry| self.backed_off(retry, backoff)));
        delays.extend(repeat(self.max_delay_target, self.num_max_delay_retries));
        delays
    }

    /// The wait before retry `retry` of `retries`, from the least to the most.
    fn backed_off(&self, retry: u32, retries: u32) -> Duration {
        let (min, max) = (f64::from(self.min_delay_target), f64::from(self.max_delay_target));
        let last = f64::from(retries.saturating_sub(1).max(1));
        let way = f64::from(retry) / last;
        let step = f64::from(retry);
        let seconds = match self.backoff_function {
            BackoffFunction::Linear => min + (max - min) * way,
            BackoffFunction::Arithmetic => min + (max - min) * step * (step + 1.0) / (last * (last + 1.0)),
            BackoffFunction::Geometric => min * (max / min).powf(way),
            BackoffFunction::Exponential => {
                min + (max - min) * (step.exp2() - 1.0) / (last.exp2() - 1.0).max(1.0)
            }
        };
        Duration::from_secs_f64(seconds.clamp(min, max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(policy: &str) -> Vec<f64> {
        let policy = DeliveryPolicy::of_subscription(policy).unwrap();
        let Backoff::Listed(delays) = policy.lane_settings(None).retry.backoff else {
            panic!("delays are listed")
        };
        delays.iter().map(Duration::as_secs_f64).collect()
    }

    #[test]
    fn without_a_policy_there_are_three_retries_after_twenty_seconds() {
        assert_eq!(seconds("{}"), [20.0, 20.0, 20.0]);
        assert_eq!(DeliveryPolicy::default().lane_settings(None).retry.attempts, 4);
    }

    #[test]
    fn the_phases_follow_one_another() {
        let policy = r#"{"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 9, "numRetries": 9,
            "numNoDelayRetries": 2, "numMinDelayRetries": 1, "numMaxDelayRetries": 1}}"#;
        assert_eq!(seconds(policy), [0.0, 0.0, 1.0, 1.0, 3.0, 5.0, 7.0, 9.0, 9.0]);
    }

    #[test]
    fn every_function_goes_from_the_least_to_the_most() {
        for function in ["linear", "arithmetic", "geometric", "exponential"] {
            let policy = format!(
                r#"{{"healthyRetryPolicy": {{"minDelayTarget": 2, "maxDelayTarget": 60, "numRetries": 10,
                    "backoffFunction": "{function}"}}}}"#
            );
            let delays = seconds(&policy);
            assert!(delays.is_sorted(), "{function} {delays:?}");
            let (first, last) = (delays[0], delays[9]);
            assert!(
                (first - 2.0).abs() < 1e-6 && (last - 60.0).abs() < 1e-6,
                "{function} {delays:?}"
            );
        }
    }

    #[test]
    fn a_subscription_overrides_its_topic_unless_it_must_not() {
        let own = DeliveryPolicy::of_subscription(r#"{"healthyRetryPolicy": {"numRetries": 1}}"#).unwrap();
        for (no_overrides, attempts) in [(false, 2), (true, 6)] {
            let topic = format!(
                r#"{{"http": {{"defaultHealthyRetryPolicy": {{"numRetries": 5}},
                    "disableSubscriptionOverrides": {no_overrides}}}}}"#
            );
            let topic = DeliveryPolicy::of_topic(&topic).unwrap();
            assert_eq!(topic.effective(&own).lane_settings(None).retry.attempts, attempts);
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for policy in [
            "{",
            r#"{"http": {}}"#,
            r#"{"healthyRetryPolicy": {"numRetries": 101}}"#,
            r#"{"healthyRetryPolicy": {"minDelayTarget": 30}}"#,
            r#"{"healthyRetryPolicy": {"numRetries": 1, "numNoDelayRetries": 2}}"#,
            r#"{"healthyRetryPolicy": {"backoffFunction": "random"}}"#,
            r#"{"healthyRetryPolicy": {"numRetries": 100, "maxDelayTarget": 3600}}"#,
            r#"{"throttlePolicy": {"maxReceivesPerSecond": 0}}"#,
            r#"{"guaranteed": true}"#,
        ] {
            assert!(DeliveryPolicy::of_subscription(policy).is_err(), "{policy}");
        }
    }
}
